"""The card: the request, its decision, and safe for any text."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.kick import Kick, State, UserId
from bot.core.roster import ParticipantId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.views.card import REVIEW_REQUEST, card
from tests.hostile import TEXT
from tests.views import NOW, buttons, fits_message, kick, meeting, shown

MALLORY = Target(ParticipantId("0000-mallory"), None, "Mallory", "guest")


def asked(**changes: Any) -> Kick:
    """Return a request that waits for a second person."""
    values: dict[str, Any] = {
        "requester": UserId("U0HAL"),
        "targets": (MALLORY,),
        "expires_at": NOW + timedelta(minutes=10),
        "state": State.WAITING,
        "number": 12,
    }
    return kick(**values | changes)


def said(request: Kick, *ping: str) -> str:
    return shown(fits_message(card(request, ping)))


def test_a_waiting_card_says_who_asks_whom_from_where_why_since_when_and_until_when() -> None:
    text = said(asked())
    assert card(asked())["text"] == "Kick #12: may 1 person be removed from Weekly AMA?"
    for part in ("U0HAL", "asks to remove 1 person from", "Mallory", "guest", "id …allory", "spam"):
        assert part in text
    since, until = int(NOW.timestamp()), int((NOW + timedelta(minutes=10)).timestamp())
    assert text.index("Waits since") < text.index(f"{since}") < text.index(f"{until}")
    assert "not checked" not in text


def test_its_only_button_carries_the_kicks_id_and_nothing_else() -> None:
    assert buttons(card(asked())) == [("Review", REVIEW_REQUEST, "a" * 32)]


def test_who_is_pinged_is_mentioned_only_while_it_waits() -> None:
    assert '"usergroup_id": "S0MODS"' in said(asked(), "S0MODS")
    assert "S0MODS" not in said(asked(state=State.CANCELLED), "S0MODS")


def test_it_says_whose_protection_was_not_checked_and_which_kick_is_done_again() -> None:
    unchecked = replace(MALLORY, protection_checked=False, preset=None)
    text = said(asked(targets=(unchecked,), repeats=7))
    assert "protection not checked" in text
    assert "preset unknown" in text
    assert "again after #7" in text


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
    request = asked(**changes)
    text = said(request)
    assert [word for word in words if word not in text] == []
    assert "Waits since" not in text
    assert buttons(card(request)) == []


@given(st.sampled_from(State), TEXT, TEXT, TEXT, st.integers(1, 25))
@settings(deadline=None)
def test_whatever_people_write_it_fits_and_mentions_nobody(
    state: State, name: str, reason: str, note: str, count: int
) -> None:
    many = tuple(
        Target(ParticipantId(f"{at}{name}"), None, name, reason, protection_checked=False)
        for at in range(count)
    )
    approver = {} if state in {State.WAITING, State.CANCELLED} else MO
    request = asked(
        state=state,
        targets=many,
        reason=reason,
        refusal=note,
        meeting=meeting(name),
        **approver,
    )
    message = fits_message(card(request))
    assert not {"<", ">"} & set(message["text"])
    assert "mrkdwn" not in json.dumps([block.get("type") for block in message["blocks"]])
