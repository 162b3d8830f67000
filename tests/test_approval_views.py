"""The views of a request: within Slack's limits whatever stands in them, true, and parsed back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.approval_service import ApprovalView
from bot.core.candidates import Candidate, CandidateStatus, make_target
from bot.core.kick import ChannelId, Kick, KickId, State
from bot.core.policy import Verdict, VerdictKind
from bot.core.ports import GatewayError, OutcomeUnknown, RateLimited
from bot.core.roster import ParticipantId, ParticipantKey
from bot.core.target import Target
from bot.slack.payloads import Value, View
from bot.slack.payloads import ViewState as Answers
from bot.slack.views import approval, blocks
from bot.slack.views.blocks import Modal
from tests.hostile import TEXT, WORST
from tests.views import (
    ALLOWED,
    HERE,
    HOSTILE,
    MAYA,
    NOW,
    RULES,
    TEAM,
    fits,
    literal,
    meeting,
    participant,
    session,
    shown,
)

KICK = KickId("a" * 32)
NO = Verdict(VerdictKind.REFUSED, "That session is over.")
MARKS = (
    CandidateStatus.LIVE,
    CandidateStatus.UNLISTED,
    CandidateStatus.LEFT,
    CandidateStatus.PROTECTED,
    CandidateStatus.NOWHERE,
)


def target(name: str = "Tom", at: int = 0, **changes: Any) -> Target:
    return Target(ParticipantId(f"{at:08}-id"), None, name, "guest", **changes)


def request(targets: Sequence[Target], *, reason: str = "spam", title: str = "Weekly AMA") -> Kick:
    return Kick(
        id=KICK,
        idempotency_key="V0",
        team_id=TEAM,
        app_id="app",
        channel_id=ChannelId("C0LIVE"),
        meeting=meeting(title),
        session_id=None,
        requester=MAYA,
        reason=reason,
        targets=tuple(targets),
        created_at=NOW,
        state=State.WAITING,
        number=12,
        expires_at=NOW + timedelta(minutes=10),
    )


def line(
    of: Target,
    mark: CandidateStatus = CandidateStatus.LIVE,
    name: str = "",
    preset: str | None = "guest",
) -> Candidate:
    """Say how a target stands by now, under another name if one is given."""
    at = int((of.participant_id or "0").removesuffix("-id"))
    person = participant(name or of.name, preset, at)
    stays = mark in {CandidateStatus.LEFT, CandidateStatus.PROTECTED}
    return Candidate(
        requested=of.key or ParticipantKey(""),
        status=mark,
        person=None if mark is CandidateStatus.NOWHERE else person,
        target=None if stays else make_target(RULES, person, live=mark is CandidateStatus.LIVE),
        protected_by=preset or "",
    )


def heard(kick: Kick, lines: Sequence[Candidate] = (), **changes: Any) -> ApprovalView:
    given_values: dict[str, Any] = {
        "is_requester": False,
        "verdict": ALLOWED,
        "session": session(),
        "seen": tuple("f" * 16 + "?" for _ in kick.targets),
    }
    return ApprovalView(kick=kick, candidates=tuple(lines), **given_values | changes)


def drawn(hearing: ApprovalView) -> Modal:
    return fits(approval.approval(hearing, HERE, NOW))


def one(**changes: Any) -> ApprovalView:
    tom = target()
    return heard(request([tom]), [line(tom)], **changes)


def buttons(view: Modal) -> list[str]:
    [actions] = [block for block in view["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for element in actions["elements"]]


@given(
    name=TEXT,
    preset=TEXT | st.none(),
    title=TEXT,
    reason=TEXT,
    mark=st.sampled_from(MARKS),
    is_requester=st.booleans(),
    verdict=st.sampled_from([ALLOWED, NO]),
    trouble=st.none() | st.builds(OutcomeUnknown, TEXT),
    looked=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_a_request_for_25_people_fits(
    name: str,
    preset: str | None,
    title: str,
    reason: str,
    mark: CandidateStatus,
    *,
    is_requester: bool,
    verdict: Verdict,
    trouble: GatewayError | None,
    looked: bool,
) -> None:
    targets = [target("Tom", at, protection_checked=False) for at in range(25)]
    lines = [line(one, mark, name, preset) for one in targets] if looked else []
    kick = request(targets, reason=reason, title=title)
    drawn(
        heard(kick, lines, is_requester=is_requester, verdict=verdict, error=trouble, changed=True)
    )


@pytest.mark.parametrize("name", WORST, ids=range(len(WORST)))
def test_a_request_for_25_of_the_worst_names_fits(name: str) -> None:
    targets = [target("W" * 75, at, protection_checked=False) for at in range(25)]
    lines = [line(one, MARKS[at % len(MARKS)], name, name) for at, one in enumerate(targets)]
    view = drawn(heard(request(targets, reason=name, title=name), lines, changed=True))
    assert len(view["private_metadata"]) <= 3000
    assert len(shown(view).encode()) < 50_000


def test_text_from_the_meeting_is_never_markup() -> None:
    tom = target(HOSTILE)
    kick = request([tom], reason=HOSTILE, title=HOSTILE)
    for lines in (
        [],
        [line(tom)],
        [line(tom, CandidateStatus.NOWHERE)],
        [line(tom, name=HOSTILE * 2)],
    ):
        assert literal(drawn(heard(kick, lines)))


def test_a_request_says_who_asks_for_whom_where_why_and_how_long() -> None:
    text = shown(drawn(one()))
    for words in (
        '"user_id": "U0MAYA"',
        " asks to remove 1 person from ",
        "Weekly AMA",
        " · kick #12",
        "Reason: spam",
        "Waits since ",
        "20:00 UTC",
        ", until ",
        "20:10 UTC",
    ):
        assert words in text


STANDINGS: dict[str, tuple[CandidateStatus, str]] = {
    "present": (CandidateStatus.LIVE, "joined just now"),
    "in the records": (CandidateStatus.UNLISTED, "Not in the live list"),
    "left": (CandidateStatus.LEFT, "Has already left."),
    "protected": (CandidateStatus.PROTECTED, "Protected by the policy (guest)."),
    "nowhere": (CandidateStatus.NOWHERE, "Found nowhere: protection not checked."),
}


@pytest.mark.parametrize(("mark", "words"), STANDINGS.values(), ids=STANDINGS)
def test_a_request_says_how_each_target_stands_by_the_name_it_was_asked_by(
    mark: CandidateStatus, words: str
) -> None:
    tom = target()
    text = shown(drawn(heard(request([tom]), [line(tom, mark)])))
    assert words in text
    assert '"Tom"' in text
    assert "when asked for" not in text


@pytest.mark.parametrize(
    ("name", "preset", "was"),
    [
        ("Tim", "guest", "Was Tom when asked for."),
        ("Tom", "host", "Was guest when asked for."),
        ("Tim", "host", "Was Tom · guest when asked for."),
        ("Tom", None, ""),
    ],
)
def test_a_request_says_what_somebody_was_when_asked_for(
    name: str, preset: str | None, was: str
) -> None:
    tom = target()
    text = shown(drawn(heard(request([tom]), [line(tom, name=name, preset=preset)])))
    assert was in text
    assert ("when asked for" in text) == bool(was)


def test_what_an_id_was_found_to_be_is_no_change() -> None:
    pasted = target("participant:00000000-id", live=False)
    text = shown(drawn(heard(request([pasted]), [line(pasted, name="Tom")])))
    assert "Tom" in text
    assert "when asked for" not in text


def test_a_line_of_nobody_who_was_asked_for_is_shown_as_it_is() -> None:
    stray = replace(line(target("Tom")), requested="participant:other")
    assert "Tom" in shown(drawn(heard(request([target("Ann", 1)]), [stray])))


def test_whoever_could_not_be_looked_for_is_shown_as_asked_for() -> None:
    targets = [target(), target("Ann", 1, protection_checked=False)]
    text = shown(drawn(heard(request(targets), session=None, error=RateLimited("slow down", 3))))
    assert "Tom" in text
    assert " · guest · id …" in text
    assert " · protection not checked" in text
    assert "RealtimeKit asks the bot to wait 3 s." in text


@pytest.mark.parametrize(
    ("changes", "submit", "offered", "words"),
    [
        ({}, "Approve", approval.DENY, "Kicked people can rejoin"),
        ({"session": None}, "Approve", approval.DENY, "no live session"),
        ({"changed": True}, "Approve", approval.DENY, "This changed since you looked"),
        ({"verdict": NO}, None, approval.DENY, "That session is over."),
        (
            {"error": OutcomeUnknown("HTTP 500")},
            None,
            approval.DENY,
            "could not be read: HTTP 500",
        ),
        (
            {"is_requester": True, "verdict": NO},
            None,
            blocks.CANCEL_REQUEST,
            NO.reason,
        ),
        ({"is_requester": True}, None, blocks.CANCEL_REQUEST, ""),
    ],
)
def test_what_can_be_done_is_offered_and_nothing_else(
    changes: dict[str, Any], submit: str | None, offered: str, words: str
) -> None:
    view = drawn(one(**changes))
    assert view.get("submit", {}).get("text") == submit
    assert buttons(view) == [offered]
    assert words in shown(view)


def test_a_request_carries_its_kick_and_what_was_seen_of_it() -> None:
    view = drawn(one())
    asked = approval.parse_approval(View(id="V0", private_metadata=view["private_metadata"]))
    assert asked
    assert (asked.kick, asked.seen) == (KICK, ("f" * 16 + "?",))
    assert (asked.channel, asked.response_id) == (HERE.channel, HERE.response_id)


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "{}",
        "[]",
        '{"channel": "C0MODS"}',
        '{"channel": "C0MODS", "kick": 7}',
        '{"channel": "C0MODS", "kick": "12"}',
        '{"channel": "C0MODS", "kick": "' + "A" * 32 + '"}',
        '{"channel": "C0MODS", "kick": "' + "a" * 32 + '", "seen": 7}',
        "\x00",
    ],
)
def test_a_view_of_another_version_is_about_no_request(metadata: str) -> None:
    assert approval.parse_approval(View(id="V0", private_metadata=metadata)) is None


def test_a_denial_asks_for_a_last_tap_and_maybe_a_note() -> None:
    view = fits(approval.denial(KICK, HERE))
    assert (view["submit"]["text"], view["close"]["text"]) == ("Deny", "Back")
    [question] = view["blocks"]
    assert question["optional"]
    asked = approval.parse_approval(View(id="V0", private_metadata=view["private_metadata"]))
    assert asked
    assert asked.kick == KICK


@pytest.mark.parametrize(
    ("typed", "note"),
    [(None, ""), ("  not \n him ", "not him"), ("x" * 3000, "x" * 500)],
)
def test_a_note_comes_back_in_one_line(typed: str | None, note: str) -> None:
    answers = Answers(values={"note": {"note": Value(value=typed)}})
    assert approval.parse_note(View(id="V0", state=answers)) == note
