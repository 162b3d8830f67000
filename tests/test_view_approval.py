"""The modals of a request: within Slack's limits, true, and parsed back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.approval_service import ApprovalView
from bot.core.candidates import Candidate, CandidateStatus, make_target
from bot.core.kick import Kick, KickId, State
from bot.core.policy import Verdict, VerdictKind
from bot.core.ports import GatewayError, OutcomeUnknown, RateLimited
from bot.core.roster import ParticipantId, ParticipantKey
from bot.core.target import Target
from bot.slack.payloads import View
from bot.slack.views import approval, blocks
from bot.slack.views.blocks import Modal
from tests.hostile import TEXT, WORST
from tests.views import (
    ALLOWED,
    HERE,
    HOSTILE,
    NOW,
    RULES,
    fits,
    kick,
    literal,
    participant,
    session,
    shown,
)

KICK = KickId("a" * 32)

NO = Verdict(VerdictKind.REFUSED, "That session is over.")

STATUSES = (
    CandidateStatus.LIVE,
    CandidateStatus.UNLISTED,
    CandidateStatus.LEFT,
    CandidateStatus.PROTECTED,
    CandidateStatus.NOWHERE,
)


def target(name: str = "Tom", at: int = 0, **changes: Any) -> Target:
    return Target(ParticipantId(f"{at:08}-id"), None, name, "guest", **changes)


def request(targets: Sequence[Target], *, reason: str = "spam", title: str = "Weekly AMA") -> Kick:
    soon = NOW + timedelta(minutes=10)
    return kick(
        targets, title=title, reason=reason, state=State.WAITING, number=12, expires_at=soon
    )


def candidate(
    of: Target,
    status: CandidateStatus = CandidateStatus.LIVE,
    name: str = "",
    preset: str | None = "guest",
) -> Candidate:
    """Return the candidate of a target, with another name if one is given."""
    at = int((of.participant_id or "0").removesuffix("-id"))
    person = participant(name or of.name, preset, at)
    stays = status in {CandidateStatus.LEFT, CandidateStatus.PROTECTED}
    return Candidate(
        requested=of.key or ParticipantKey(""),
        status=status,
        person=None if status is CandidateStatus.NOWHERE else person,
        target=None if stays else make_target(RULES, person, live=status is CandidateStatus.LIVE),
        protected_by=preset or "",
    )


def opened(asked: Kick, candidates: Sequence[Candidate] = (), **changes: Any) -> ApprovalView:
    given_values: dict[str, Any] = {
        "is_requester": False,
        "verdict": ALLOWED,
        "session": session(),
        "seen": tuple("f" * 16 + "?" for _ in asked.targets),
    }
    return ApprovalView(kick=asked, candidates=tuple(candidates), **given_values | changes)


def drawn(request_view: ApprovalView) -> Modal:
    return fits(approval.approval(request_view, HERE, NOW))


def one(**changes: Any) -> ApprovalView:
    tom = target()
    return opened(request([tom]), [candidate(tom)], **changes)


def offered_buttons(view: Modal) -> list[str]:
    [actions] = [block for block in view["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for element in actions["elements"]]


@given(
    name=TEXT,
    preset=TEXT | st.none(),
    title=TEXT,
    reason=TEXT,
    status=st.sampled_from(STATUSES),
    is_requester=st.booleans(),
    verdict=st.sampled_from([ALLOWED, NO]),
    error=st.none() | st.builds(OutcomeUnknown, TEXT),
    looked=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_a_request_for_25_people_fits(
    *,
    name: str,
    preset: str | None,
    title: str,
    reason: str,
    status: CandidateStatus,
    is_requester: bool,
    verdict: Verdict,
    error: GatewayError | None,
    looked: bool,
) -> None:
    targets = [target("Tom", at, protection_checked=False) for at in range(25)]
    candidates = [candidate(one, status, name, preset) for one in targets] if looked else []
    asked = request(targets, reason=reason, title=title)
    drawn(
        opened(
            asked,
            candidates,
            is_requester=is_requester,
            verdict=verdict,
            error=error,
            changed=True,
        )
    )


@pytest.mark.parametrize("name", WORST, ids=range(len(WORST)))
def test_a_request_for_25_of_the_worst_names_fits(name: str) -> None:
    targets = [target("W" * 75, at, protection_checked=False) for at in range(25)]
    candidates = [
        candidate(one, STATUSES[at % len(STATUSES)], name, name) for at, one in enumerate(targets)
    ]
    view = drawn(opened(request(targets, reason=name, title=name), candidates, changed=True))
    assert len(view["private_metadata"]) <= 3000
    assert len(shown(view).encode()) < 50_000


def test_text_from_the_meeting_is_never_markup() -> None:
    tom = target(HOSTILE)
    asked = request([tom], reason=HOSTILE, title=HOSTILE)
    for candidates in (
        [],
        [candidate(tom)],
        [candidate(tom, CandidateStatus.NOWHERE)],
        [candidate(tom, name=HOSTILE * 2)],
    ):
        assert literal(drawn(opened(asked, candidates)))


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


STATUS_TEXTS: dict[str, tuple[CandidateStatus, str]] = {
    "present": (CandidateStatus.LIVE, "joined just now"),
    "in the records": (CandidateStatus.UNLISTED, "Not in the live list"),
    "left": (CandidateStatus.LEFT, "Has already left."),
    "protected": (CandidateStatus.PROTECTED, "Protected by the policy (guest)."),
    "nowhere": (CandidateStatus.NOWHERE, "Found nowhere: protection not checked."),
}


@pytest.mark.parametrize(("status", "words"), STATUS_TEXTS.values(), ids=STATUS_TEXTS)
def test_a_request_says_how_each_target_stands_by_the_name_it_was_asked_by(
    status: CandidateStatus, words: str
) -> None:
    tom = target()
    text = shown(drawn(opened(request([tom]), [candidate(tom, status)])))
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
def test_a_request_shows_a_person_s_earlier_name_and_preset(
    name: str, preset: str | None, was: str
) -> None:
    tom = target()
    text = shown(drawn(opened(request([tom]), [candidate(tom, name=name, preset=preset)])))
    assert was in text
    assert ("when asked for" in text) == bool(was)


def test_a_pasted_id_that_was_found_is_no_change() -> None:
    pasted = target("participant:00000000-id", live=False)
    text = shown(drawn(opened(request([pasted]), [candidate(pasted, name="Tom")])))
    assert "Tom" in text
    assert "when asked for" not in text


def test_a_candidate_that_is_no_target_is_shown_as_it_is() -> None:
    stray = replace(candidate(target("Tom")), requested="participant:other")
    assert "Tom" in shown(drawn(opened(request([target("Ann", 1)]), [stray])))


def test_targets_that_could_not_be_looked_up_are_shown_as_requested() -> None:
    targets = [target(), target("Ann", 1, protection_checked=False)]
    text = shown(drawn(opened(request(targets), session=None, error=RateLimited("slow down", 3))))
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
    assert offered_buttons(view) == [offered]
    assert words in shown(view)


def carried(metadata: str) -> approval.ApprovalMetadata | None:
    return View(id="V0", private_metadata=metadata).metadata(approval.ApprovalMetadata)


def test_a_request_carries_its_kick_and_what_was_seen_of_it() -> None:
    view = drawn(one())
    asked = carried(view["private_metadata"])
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
    assert carried(metadata) is None


def test_a_denial_asks_for_a_last_tap_and_maybe_a_note() -> None:
    view = fits(approval.denial(KICK, HERE))
    assert (view["submit"]["text"], view["close"]["text"]) == ("Deny", "Back")
    [question] = view["blocks"]
    assert question["optional"]
    asked = carried(view["private_metadata"])
    assert asked
    assert asked.kick == KICK


@pytest.mark.parametrize(
    ("typed", "note"),
    [(None, ""), ("  not \n him ", "not him"), ("x" * 3000, "x" * 500)],
)
def test_a_note_comes_back_in_one_line(typed: str | None, note: str) -> None:
    state = {"values": {"note": {"note": {"value": typed}}}}
    assert approval.parse_note(View.model_validate({"id": "V0", "state": state})) == note
