"""The messages, and the words in them: true, complete, and harmless whatever people are called."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from bot.core.kick import ENDED_WITHOUT_CALL, ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.policy import Quota, Role, Rules, SecondPerson, Verdict, VerdictKind
from bot.core.ports import (
    DirectoryUnavailable,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StoreUnavailable,
)
from bot.core.roster import Meeting, MeetingId, Participant, ParticipantId, Peer, PeerId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.views import blocks, failures, help_text, progress, result, wording
from tests.hostile import TEXT, WORST
from tests.sandbox.slack.block_kit import validate_blocks

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def target(
    name: str = "Mallory",
    outcome: Outcome | None = Outcome.KICKED,
    why: OutcomeReason | None = OutcomeReason.CONFIRMED,
    detail: str = "",
    at: int = 0,
) -> Target:
    own = ParticipantId(f"{at:08}-id")
    return Target(own, None, name, outcome=outcome, outcome_reason=why, detail=detail)


def kick(
    targets: Sequence[Target] = (target(),), *, title: str = "Weekly AMA", **changes: Any
) -> Kick:
    values: dict[str, Any] = {
        "id": KickId("k" * 32),
        "idempotency_key": "V0",
        "team_id": TeamId("T0KICK"),
        "app_id": "app",
        "channel_id": ChannelId("C0LIVE"),
        "meeting": Meeting(MeetingId("m"), title),
        "session_id": None,
        "requester": UserId("U0MAYA"),
        "reason": "spam",
        "targets": tuple(targets),
        "created_at": NOW,
        "state": State.DONE,
        "number": 7,
        "done_at": NOW + timedelta(seconds=1.25),
    }
    return Kick(**values | changes)


def fits(message: blocks.Message, longest: int = 4000) -> blocks.Message:
    """Check a message the way Slack would; return it. A post may have more text than an update."""
    validate_blocks(message["blocks"])
    for block in Block.parse_all(message["blocks"]):
        block.validate_json()
    assert len(message["text"]) <= longest
    return message


def shown(message: blocks.Message) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


def test_a_result_says_who_whom_where_why_and_how_long() -> None:
    message = fits(result.result(kick()))
    line, people, reason = message["blocks"][0]["elements"]
    said = [one.get("text") or one.get("user_id") for one in line["elements"]]
    assert said == ["U0MAYA", " removed 1 person from ", "Weekly AMA", " · kick #7"]
    assert [one["text"] for one in people["elements"][0]["elements"]] == ["Mallory", " — ✓ kicked"]
    assert reason["elements"][0]["text"] == "Reason: spam"
    assert "Kicked people can rejoin with the same link. Took 1.2 s." in shown(message)
    assert message["blocks"][-1]["elements"][0]["value"] == "k" * 32
    assert message["text"] == "Kick #7 in Weekly AMA: 1 kicked."


@pytest.mark.parametrize(
    ("outcomes", "deed", "summary"),
    [
        ([Outcome.KICKED, Outcome.KICKED], " removed 2 people from ", "2 kicked."),
        ([Outcome.KICKED, Outcome.GONE], " removed 1 of 2 people from ", "1 kicked, 1 gone."),
        (
            [Outcome.FAILED, Outcome.UNKNOWN],
            " tried to remove 2 people from ",
            "1 failed, 1 unknown.",
        ),
        ([Outcome.GONE], " tried to remove 1 person from ", "1 gone."),
    ],
)
def test_the_headline_counts_only_who_was_kicked(
    outcomes: list[Outcome], deed: str, summary: str
) -> None:
    one = kick([target(outcome=outcome, at=at) for at, outcome in enumerate(outcomes)])
    message = fits(result.result(one))
    assert message["blocks"][0]["elements"][0]["elements"][1]["text"] == deed
    assert message["text"] == f"Kick #7 in Weekly AMA: {summary}"


def test_who_came_back_is_told_with_the_time_and_nobody_else_with_rejoining() -> None:
    back = replace(target(outcome=Outcome.GONE, why=OutcomeReason.LEFT), rejoined_at=NOW)
    message = fits(result.result(kick([back])))
    assert ", came back " in shown(message)
    assert f'"timestamp": {int(NOW.timestamp())}' in shown(message)
    assert "rejoin" not in shown(message)


def buttons(message: blocks.Message) -> list[tuple[str, str, str]]:
    rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    return [(one["text"]["text"], one["action_id"], one["value"]) for row in rows for one in row]


AGAIN = ("Kick again", "kick_again", "k" * 32)
CHECK_AGAIN = ("Check again", "check_again", "k" * 32)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_is_not_known_can_be_checked_again(outcome: Outcome) -> None:
    one = kick([target(), target("Tom", outcome, at=1)])
    offered = [AGAIN, CHECK_AGAIN] if outcome is Outcome.UNKNOWN else [AGAIN]
    assert buttons(fits(result.result(one))) == offered


def test_a_result_says_who_approved_it_and_counts_the_time_from_then() -> None:
    approved = kick(approver=UserId("U0MO"), decided_at=NOW + timedelta(seconds=1))
    message = fits(result.result(approved))
    last = message["blocks"][0]["elements"][-1]["elements"]
    assert [one.get("text") or one.get("user_id") for one in last] == ["Approved by ", "U0MO"]
    assert "Took 0.2 s after the approval." in shown(message)
    alone = shown(result.result(kick()))
    assert "pproved by" not in alone
    assert "after the approval" not in alone


def test_a_kick_done_again_names_the_old_one() -> None:
    assert "Done again after kick #3." in shown(fits(result.result(kick(repeats=3))))
    assert "Done again" not in shown(result.result(kick()))


def test_a_result_that_may_be_there_already_says_so_and_nothing_else_is_different() -> None:
    certain, doubtful = result.result(kick()), fits(result.result(kick(), maybe_delivered=True))
    assert result.MAYBE_TWICE not in shown(certain)
    assert result.MAYBE_TWICE in shown(doubtful)
    assert shown(doubtful).replace(f" {result.MAYBE_TWICE}", "") == shown(certain)
    assert doubtful["text"] == certain["text"]


MO: dict[str, Any] = {"approver": UserId("U0MO"), "decided_at": NOW}
ASKED = {"expires_at": NOW + timedelta(minutes=10)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": State.REFUSED, "refusal": "No."}, "Nobody was removed. No."),
        ({"state": State.EXPIRED}, "not carried out within a minute, so it lapsed. Nobody was"),
        ({"state": State.EXPIRED, **ASKED}, "Nobody decided in time, so it expired. Nobody was"),
        ({"state": State.EXPIRED, **ASKED, **MO}, "not carried out within a minute, so it lapsed."),
        ({"state": State.CANCELLED, **ASKED}, "It was taken back. Nobody was removed."),
        ({"state": State.DENIED, **ASKED, **MO}, "Denied by "),
        ({"state": State.DENIED, "refusal": "They left.", **ASKED, **MO}, "Note: They left."),
    ],
    ids=["refused", "lapsed", "expired", "approved-lapsed", "cancelled", "denied", "with-a-note"],
)
def test_whoever_asked_for_what_came_to_nothing_is_told_why(
    changes: dict[str, Any], words: str
) -> None:
    one = kick(**changes)
    message = fits(progress.requester_message(one))
    assert words in shown(message)
    assert "Nobody was removed." in shown(message)
    assert buttons(message) == []
    assert message["text"] == f"Kick #7 {one.state}: nobody was removed."
    assert message["text"] in shown(message)


def test_a_remark_stands_above_the_result_and_in_the_notification() -> None:
    message = fits(result.result(kick(), note="Invite the bot."))
    line = "Kick #7 in Weekly AMA: 1 kicked. Invite the bot."
    assert message["text"] == line
    assert message["blocks"][0]["text"]["text"] == line
    assert message["blocks"][1:] == result.result(kick())["blocks"]


@pytest.mark.parametrize("why", OutcomeReason)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_and_reason_has_words(outcome: Outcome, why: OutcomeReason) -> None:
    one = target(outcome=outcome, why=why, detail="HTTP 500")
    assert wording.outcome(one).endswith(str(outcome))
    assert bool(wording.outcome_reason(one)) is (why is not OutcomeReason.CONFIRMED)
    assert "HTTP" not in wording.outcome_reason(replace(one, detail=""))


def test_the_four_outcomes_can_be_told_apart_without_colour() -> None:
    signs = {wording.outcome(target(outcome=one))[0] for one in Outcome}
    assert len(signs) == 4
    assert wording.outcome(target(outcome=None)) == "… not known yet"


@given(
    name=TEXT,
    title=TEXT,
    reason=TEXT,
    detail=TEXT,
    outcome=st.sampled_from(Outcome),
    why=st.sampled_from(OutcomeReason),
)
@settings(max_examples=60, deadline=None)
def test_a_result_of_25_people_fits(  # noqa: PLR0917 - what hypothesis gives
    name: str, title: str, reason: str, detail: str, outcome: Outcome, why: OutcomeReason
) -> None:
    targets = [target(name, outcome, why, detail, at) for at in range(25)]
    one = kick(targets, title=title, reason=reason, repeats=10**9, **MO)
    fits(result.result(one, maybe_delivered=True))
    fits(result.result(one, note=detail * 9))
    fits(blocks.text_message(wording.checked_again(one)), 40_000)


@given(reason=TEXT, detail=TEXT, state=st.sampled_from(sorted(ENDED_WITHOUT_CALL)))
@settings(max_examples=60, deadline=None)
def test_a_word_about_what_came_to_nothing_fits(reason: str, detail: str, state: State) -> None:
    one = kick([target(reason)], title=detail, reason=reason, refusal=detail, state=state)
    for each in (one, replace(one, **MO)):
        fits(progress.requester_message(each))
        fits(
            blocks.text_message(
                wording.summary(each) + " " + wording.ended_without_call(each) + detail * 9
            ),
            40_000,
        )


@pytest.mark.parametrize("text", WORST, ids=range(len(WORST)))
@pytest.mark.parametrize(
    "why", [OutcomeReason.REFUSED, OutcomeReason.PROTECTED, OutcomeReason.NO_ANSWER]
)
def test_a_result_of_25_of_the_worst_names_fits_also_under_a_remark(
    text: str, why: OutcomeReason
) -> None:
    targets = [
        replace(target(text, Outcome.FAILED, why, text, at), rejoined_at=NOW) for at in range(25)
    ]
    one = kick(targets, title=text, reason=text, **MO)
    fits(result.result(one, note="Invite the bot there with /invite."))


@pytest.mark.parametrize("message", [result.result, progress.requester_message])
@given(text=TEXT)
def test_only_who_asked_and_who_decided_are_ever_mentioned(
    message: Callable[[Kick], blocks.Message], text: str
) -> None:
    one = kick([target(text, Outcome.FAILED, OutcomeReason.REFUSED, text)], title=text, reason=text)
    state = State.DONE if message is result.result else State.DENIED
    told = message(replace(one, state=state, refusal=text, **MO))
    assert not {"<", ">"} & set(told["text"])
    assert '"mrkdwn"' not in shown(told)
    rich = [block for block in told["blocks"] if block["type"] == "rich_text"]
    runs = [
        run for block in rich for part in block["elements"] for run in [part, *part["elements"]]
    ]
    elements = [element for run in runs for element in run.get("elements", [run])]
    kinds = {element["type"] for element in elements}
    assert kinds <= {"text", "user", "date", "rich_text_section"}
    users = {element["user_id"] for element in elements if element["type"] == "user"}
    assert users == ({"U0MAYA", "U0MO"} if message is result.result else {"U0MO"})


@given(text=TEXT)
def test_escaped_text_pings_nobody_and_can_be_read_back(text: str) -> None:
    safe = blocks.escape(text)
    assert not {"<", ">"} & set(safe)
    back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back == blocks.valid_unicode(text)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            DirectoryUnavailable("HTTP 500"),
            "Your role could not be checked with Slack (HTTP 500). Nobody was removed. Try again.",
        ),
        (
            StoreUnavailable("locked"),
            "The bot's database does not answer (locked). Nobody was removed. Try again.",
        ),
        (Rejected("401"), "RealtimeKit refuses the bot: 401. Please tell its operator."),
        (RateLimited("x", 6.6), "RealtimeKit asks the bot to wait 7 s. Then try again."),
        (RateLimited("x"), "RealtimeKit asks the bot to wait. Then try again."),
        (NotSent("x"), "RealtimeKit can't be reached. Nobody was removed. Try again."),
        (OutcomeUnknown("x"), "RealtimeKit could not be read: x. Nobody was removed. Try again."),
        (NotFound("x"), "RealtimeKit could not be read: x. Nobody was removed. Try again."),
    ],
)
def test_every_trouble_says_what_is_wrong_and_what_to_do(
    error: failures.PortError, words: str
) -> None:
    assert failures.action_failed(error) == words


DECIDED = "did not confirm that (locked): whether your decision was recorded is not known."


@pytest.mark.parametrize(
    ("error", "unheard", "undecided"),
    [
        (
            DirectoryUnavailable("HTTP 500"),
            "Your role could not be checked with Slack (HTTP 500). Nothing was changed.",
            "Roles could not be checked with Slack (HTTP 500). Nothing was decided. Try again.",
        ),
        (StoreUnavailable("locked"), "does not answer (locked). Nothing was changed.", DECIDED),
        (RateLimited("x", 2), "asks the bot to wait 2 s.", "asks the bot to wait 2 s."),
    ],
)
def test_whoever_has_a_request_before_them_is_told_what_is_certain(
    error: failures.PortError, unheard: str, undecided: str
) -> None:
    assert unheard in failures.nothing_shown(error)
    assert undecided in failures.decision_unconfirmed(error)


def test_a_request_that_may_have_been_kept_is_not_called_lost() -> None:
    said = failures.submit_unconfirmed(StoreUnavailable("locked"))
    assert "did not confirm that it kept this (locked)" in said
    assert "the result is posted. Look there before you try again." in said
    assert "obody was removed" not in said


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.WAITING, "Kick #7 waits for a second person."),
        (State.READY, "Kick #7 is on its way."),
        (State.RUNNING, "Kick #7 is on its way."),
        (State.DENIED, "Kick #7 denied: nobody was removed."),
    ],
)
def test_of_a_kick_without_a_result_what_is_known_is_how_it_stands(
    state: State, words: str
) -> None:
    assert wording.checked_again(kick(state=state)) == words
    assert wording.summary(kick(state=state)) == words


def test_what_is_known_by_now_names_who_is_not_or_says_what_became_of_each() -> None:
    tom, ana = (
        target("Tom", Outcome.UNKNOWN, OutcomeReason.NO_ANSWER),
        target("Ana", Outcome.UNKNOWN),
    )
    assert wording.checked_again(kick([target(), tom, ana])) == "Still not known: Tom, Ana."
    left = replace(tom, outcome=Outcome.GONE)
    assert wording.checked_again(kick([target(), left])) == "Mallory — ✓ kicked\nTom — ○ gone"


@pytest.mark.parametrize(
    ("role", "rules", "words"),
    [
        (Role.HELPER, {}, "As a helper you may ask for a kick; a moderator or a lead decides."),
        (Role.MODERATOR, {}, "As a moderator you may remove people. You decide what others ask"),
        (
            Role.MODERATOR,
            {"second_person": SecondPerson.ALWAYS},
            "As a moderator you may remove people; each kick needs a second person.",
        ),
        (
            Role.MODERATOR,
            {"second_person": SecondPerson.BULK, "bulk": 3},
            "you may remove people; more than 3 within 2 minutes need a second person.",
        ),
        (
            Role.LEAD,
            {"second_person": SecondPerson.ALWAYS},
            "As a lead you may remove people, also where two are needed. You decide what others",
        ),
    ],
)
def test_help_says_what_a_role_may_do_under_these_rules(
    role: Role, rules: dict[str, Any], words: str
) -> None:
    assert words in help_text.help_text(
        "/kick", Verdict(VerdictKind.ALLOWED, ""), role, Rules(**rules)
    )


def test_help_says_why_somebody_may_do_nothing() -> None:
    verdict = Verdict(VerdictKind.REFUSED, "The policy gives you no role.")
    assert "The policy gives you no role." in help_text.help_text("/kick", verdict, None, Rules())


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (None, "join time unknown"),
        (0, "joined just now"),
        (-5, "joined just now"),
        (1, "joined 1 min ago"),
        (59, "joined 59 min ago"),
        (60, "joined 1 h ago"),
        (3000, "joined 50 h ago"),
    ],
)
def test_when_somebody_joined_is_said_in_every_time_zone(minutes: int | None, words: str) -> None:
    date = None if minutes is None else NOW - timedelta(minutes=minutes)
    assert wording.joined_ago(date, NOW) == words


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=10), "10 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=36), "36 hours"),
    ],
)
def test_a_span_is_said_in_the_largest_unit_that_fits(time: timedelta, words: str) -> None:
    assert wording.duration(time) == words
    rules = Rules(quota=Quota(1, time))
    usage = help_text.help_text("/kick", Verdict(VerdictKind.ALLOWED, ""), Role.LEAD, rules)
    assert f"At most 1 person per moderator within {words}." in usage


def test_details_tell_three_tabs_and_no_preset() -> None:
    own = ParticipantId("aaaa-1111")
    peers = tuple(Peer(PeerId(f"{at}"), own, None, "Yusuf", None, NOW, None) for at in range(3))
    person = Participant(own, None, "Yusuf", None, peers)
    details = wording.person_details(person, NOW)
    assert details == "preset unknown · joined just now · 3 connections · id …1111"
