"""The card: what a second person is asked, what came of it, and harmless whatever is in it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.roster import Meeting, MeetingId, ParticipantId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.views.card import REVIEW_REQUEST, card
from tests.hostile import TEXT
from tests.sandbox.slack.block_kit import validate_blocks

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
MALLORY = Target(ParticipantId("0000-mallory"), None, "Mallory", "guest")


def asked(**changes: Any) -> Kick:
    """Make a request that waits for a second person."""
    values: dict[str, Any] = {
        "id": KickId("k" * 32),
        "idempotency_key": "V0",
        "team_id": TeamId("T0KICK"),
        "app_id": "app",
        "channel_id": ChannelId("C0LIVE"),
        "meeting": Meeting(MeetingId("m"), "Weekly AMA"),
        "session_id": None,
        "requester": UserId("U0HAL"),
        "reason": "spam",
        "targets": (MALLORY,),
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
        "state": State.WAITING,
        "number": 12,
    }
    return Kick(**values | changes)


def buttons(kick: Kick) -> list[tuple[str, str]]:
    rows = [block["elements"] for block in card(kick)["blocks"] if block["type"] == "actions"]
    return [(one["action_id"], one["value"]) for row in rows for one in row]


def shown(kick: Kick, *ping: str) -> str:
    message = card(kick, ping)
    validate_blocks(message["blocks"])
    return str(message["text"]) + "\n" + json.dumps(message["blocks"], ensure_ascii=False)


def test_a_waiting_card_says_who_asks_whom_from_where_why_since_when_and_until_when() -> None:
    said = shown(asked())
    assert said.startswith("Kick #12: may 1 person be removed from Weekly AMA?")
    for part in ("U0HAL", "asks to remove 1 person from", "Mallory", "guest", "id …allory", "spam"):
        assert part in said
    since, until = int(NOW.timestamp()), int((NOW + timedelta(minutes=10)).timestamp())
    assert said.index("Waits since") < said.index(f"{since}") < said.index(f"{until}")
    assert "not checked" not in said


def test_its_only_button_carries_the_kicks_id_and_nothing_else() -> None:
    assert buttons(asked()) == [(REVIEW_REQUEST, "k" * 32)]


def test_who_is_pinged_is_mentioned_only_while_it_waits() -> None:
    assert '"usergroup_id": "S0MODS"' in shown(asked(), "S0MODS")
    assert "S0MODS" not in shown(asked(state=State.CANCELLED), "S0MODS")


def test_it_says_whose_protection_was_not_checked_and_which_kick_is_done_again() -> None:
    unchecked = replace(MALLORY, protection_checked=False, preset=None)
    said = shown(asked(targets=(unchecked,), repeats=7))
    assert "protection not checked" in said
    assert "preset unknown" in said
    assert "again after #7" in said


MO = {"approver": UserId("U0MO"), "decided_at": NOW}
KICKED = replace(MALLORY, outcome=Outcome.KICKED, outcome_reason=OutcomeReason.CONFIRMED)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": State.READY, **MO}, ["Approved by", "U0MO", "Removing…"]),
        ({"state": State.RUNNING, **MO}, ["Approved by", "U0MO", "Removing…"]),
        (
            {"state": State.DONE, "targets": (KICKED,), **MO},
            ["Approved by", "U0MO", "✓ kicked", "How it went is above"],
        ),
        ({"state": State.DENIED, **MO}, ["Denied by", "U0MO"]),
        ({"state": State.DENIED, "refusal": "no reason", **MO}, ["Denied by", ": no reason"]),
        ({"state": State.CANCELLED}, ["Taken back by", "U0HAL"]),
        ({"state": State.EXPIRED}, ["Nobody decided in time"]),
        ({"state": State.EXPIRED, **MO}, ["Approved by", "U0MO", "within a minute"]),
        ({"state": State.REFUSED, "refusal": "It is over.", **MO}, ["Approved by", "It is over."]),
    ],
)
def test_a_settled_card_says_how_it_went_and_has_no_button(
    changes: dict[str, Any], words: list[str]
) -> None:
    kick = asked(**changes)
    said = shown(kick)
    assert [word for word in words if word not in said] == []
    assert "Waits since" not in said
    assert buttons(kick) == []


@given(st.sampled_from(State), TEXT, TEXT, TEXT, st.integers(1, 25))
def test_whatever_people_write_it_fits_and_mentions_nobody(
    state: State, name: str, reason: str, note: str, count: int
) -> None:
    many = tuple(
        Target(ParticipantId(f"{at}{name}"), None, name, reason, protection_checked=False)
        for at in range(count)
    )
    approver = {} if state in {State.WAITING, State.CANCELLED} else MO
    kick = asked(
        state=state,
        targets=many,
        reason=reason,
        refusal=note,
        meeting=Meeting(MeetingId("m"), name),
        **approver,
    )
    message = card(kick)
    validate_blocks(message["blocks"])
    assert not {"<", ">"} & set(message["text"])
    assert "mrkdwn" not in json.dumps([block.get("type") for block in message["blocks"]])
