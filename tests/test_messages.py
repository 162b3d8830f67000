"""The messages, and the words in them: true, complete, and harmless whatever people are called."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from bot.core.kick import (
    ChannelId,
    Kick,
    KickId,
    Outcome,
    State,
    Target,
    TeamId,
    UserId,
    Why,
)
from bot.core.policy import Answer, Quota, Role, Rules, Verdict
from bot.core.ports import (
    Busy,
    NotThere,
    Refused,
    StoreDown,
    Unreachable,
    Unreadable,
    Unsure,
)
from bot.core.roster import Meeting, MeetingId, Participant, ParticipantId, Peer, PeerId
from bot.sandbox.slack.checks import checked_blocks
from bot.slack import blocks, messages, texts
from tests.hostile import TEXT, WORST

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def target(
    name: str = "Mallory",
    outcome: Outcome | None = Outcome.KICKED,
    why: Why | None = Why.CONFIRMED,
    detail: str = "",
    at: int = 0,
) -> Target:
    own = ParticipantId(f"{at:08}-id")
    return Target(own, None, name, outcome=outcome, why=why, detail=detail)


def kick(
    targets: Sequence[Target] = (target(),), *, title: str = "Weekly AMA", **changes: Any
) -> Kick:
    values: dict[str, Any] = {
        "id": KickId("k" * 32),
        "key": "V0",
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


def fits(message: messages.Message, longest: int = 4000) -> messages.Message:
    """Check a message the way Slack would; return it. A post may have more text than an update."""
    checked_blocks(message["blocks"])
    for block in Block.parse_all(message["blocks"]):
        block.validate_json()
    assert len(message["text"]) <= longest
    return message


def shown(message: messages.Message) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


def test_a_result_says_who_whom_where_why_and_how_long() -> None:
    message = fits(messages.result(kick()))
    line, people, reason = message["blocks"][0]["elements"]
    said = [one.get("text") or one.get("user_id") for one in line["elements"]]
    assert said == ["U0MAYA", " removed 1 person", " from ", "Weekly AMA", " · kick #7"]
    assert [one["text"] for one in people["elements"][0]["elements"]] == ["Mallory", " — ✓ kicked"]
    assert reason["elements"][0]["text"] == "Reason: spam"
    assert "Kicked people can rejoin with the same link. Took 1.2 s." in shown(message)
    assert message["blocks"][-1]["elements"][0]["value"] == "k" * 32
    assert message["text"] == "Kick #7 in Weekly AMA: 1 kicked."


@pytest.mark.parametrize(
    ("outcomes", "deed", "summary"),
    [
        ([Outcome.KICKED, Outcome.KICKED], " removed 2 people", "2 kicked."),
        ([Outcome.KICKED, Outcome.GONE], " removed 1 of 2 people", "1 kicked, 1 gone."),
        ([Outcome.FAILED, Outcome.UNKNOWN], " tried to remove 2 people", "1 failed, 1 unknown."),
        ([Outcome.GONE], " tried to remove 1 person", "1 gone."),
    ],
)
def test_the_headline_counts_only_who_was_kicked(
    outcomes: list[Outcome], deed: str, summary: str
) -> None:
    one = kick([target(outcome=outcome, at=at) for at, outcome in enumerate(outcomes)])
    message = fits(messages.result(one))
    assert message["blocks"][0]["elements"][0]["elements"][1]["text"] == deed
    assert message["text"] == f"Kick #7 in Weekly AMA: {summary}"


def test_who_came_back_is_told_with_the_time_and_nobody_else_with_rejoining() -> None:
    back = replace(target(outcome=Outcome.GONE, why=Why.LEFT), back_at=NOW)
    message = fits(messages.result(kick([back])))
    assert ", came back " in shown(message)
    assert f'"timestamp": {int(NOW.timestamp())}' in shown(message)
    assert "rejoin" not in shown(message)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.REFUSED, "Nobody was removed. The policy says no."),
        (State.EXPIRED, "It was not carried out within a minute, so it lapsed."),
    ],
)
def test_a_kick_that_never_ran_has_no_button(state: State, words: str) -> None:
    message = fits(messages.result(kick(state=state, refusal="The policy says no.")))
    assert words in shown(message)
    assert "kick_again" not in shown(message)
    assert message["text"] == f"Kick #7 {state}: nobody was removed."


@pytest.mark.parametrize("why", Why)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_and_reason_has_words(outcome: Outcome, why: Why) -> None:
    one = target(outcome=outcome, why=why, detail="HTTP 500")
    assert texts.outcome(one).endswith(str(outcome))
    assert bool(texts.because(one)) is (why is not Why.CONFIRMED)
    assert "HTTP" not in texts.because(replace(one, detail=""))


def test_the_four_outcomes_can_be_told_apart_without_colour() -> None:
    signs = {texts.outcome(target(outcome=one))[0] for one in Outcome}
    assert len(signs) == 4
    assert texts.outcome(target(outcome=None)) == "… not known yet"


@given(
    name=TEXT,
    title=TEXT,
    reason=TEXT,
    detail=TEXT,
    outcome=st.sampled_from(Outcome),
    why=st.sampled_from(Why),
    state=st.sampled_from(State),
)
@settings(max_examples=60, deadline=None)
def test_a_result_of_25_people_fits(  # noqa: PLR0917 - what hypothesis gives
    name: str, title: str, reason: str, detail: str, outcome: Outcome, why: Why, state: State
) -> None:
    targets = [target(name, outcome, why, detail, at) for at in range(25)]
    one = kick(targets, title=title, reason=reason, refusal=detail, state=state)
    fits(messages.result(one))
    fits(messages.whisper(texts.summary(one) + " " + texts.ending(one) + detail * 9), 40_000)


@pytest.mark.parametrize("text", WORST, ids=range(len(WORST)))
@pytest.mark.parametrize("why", [Why.REFUSED, Why.PROTECTED, Why.NO_ANSWER])
def test_a_result_of_25_of_the_worst_names_fits_also_under_a_remark(text: str, why: Why) -> None:
    targets = [
        replace(target(text, Outcome.FAILED, why, text, at), back_at=NOW) for at in range(25)
    ]
    one = kick(targets, title=text, reason=text)
    whisper = messages.whisper(f"{texts.summary(one)} Invite the bot there with /invite.")
    together = [*whisper["blocks"], *messages.result(one)["blocks"]]
    fits({"text": whisper["text"], "blocks": together})


@given(text=TEXT)
def test_only_the_requester_is_ever_mentioned(text: str) -> None:
    one = kick([target(text, Outcome.FAILED, Why.REFUSED, text)], title=text, reason=text)
    message = messages.result(one)
    assert not {"<", ">"} & set(message["text"])
    kinds = {
        element["type"]
        for part in message["blocks"][0]["elements"]
        for run in [part, *part["elements"]]
        for element in run.get("elements", [run])
    }
    assert kinds <= {"text", "user", "rich_text_section"}
    assert '"mrkdwn"' not in shown(message)


@given(text=TEXT)
def test_escaped_text_pings_nobody_and_can_be_read_back(text: str) -> None:
    safe = blocks.escape(text)
    assert not {"<", ">"} & set(safe)
    back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back == blocks.whole(text)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            Unreadable("HTTP 500"),
            "Your role could not be checked with Slack (HTTP 500). Nobody was removed. Try again.",
        ),
        (
            StoreDown("locked"),
            "The bot's database does not answer (locked). Nobody was removed. Try again.",
        ),
        (Refused("401"), "RealtimeKit refuses the bot: 401. Please tell its operator."),
        (Busy("x", 6.6), "RealtimeKit asks the bot to wait 7 s. Then try again."),
        (Busy("x"), "RealtimeKit asks the bot to wait. Then try again."),
        (Unreachable("x"), "RealtimeKit can't be reached. Nobody was removed. Try again."),
        (Unsure("x"), "RealtimeKit could not be read: x. Nobody was removed. Try again."),
        (NotThere("x"), "RealtimeKit could not be read: x. Nobody was removed. Try again."),
    ],
)
def test_every_trouble_says_what_is_wrong_and_what_to_do(error: texts.Trouble, words: str) -> None:
    assert texts.trouble(error) == words


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
    assert texts.ago(date, NOW) == words


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
    assert texts.span(time) == words
    rules = Rules(quota=Quota(1, time))
    usage = texts.usage("/kick", Verdict(Answer.ALLOWED, ""), Role.LEAD, rules)
    assert f"At most 1 person per moderator within {words}." in usage


def test_details_tell_three_tabs_and_no_preset() -> None:
    own = ParticipantId("aaaa-1111")
    peers = tuple(Peer(PeerId(f"{at}"), own, None, "Yusuf", None, NOW, None) for at in range(3))
    person = Participant(own, None, "Yusuf", None, peers)
    details = texts.details(person, NOW)
    assert details == "preset unknown · joined just now · 3 connections · id …1111"
