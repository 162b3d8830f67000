"""The state of a kick: within Slack's limits for any name, and true."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.kick import ENDED_WITHOUT_CALL, Kick, State, UserId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.views import blocks, progress, wording
from bot.slack.views.blocks import Modal
from tests.hostile import TEXT
from tests.views import (
    HOSTILE,
    NOW,
    buttons,
    fits,
    fits_message,
    kick,
    literal,
    mentioned,
    shown,
    target,
)

LEA = UserId("U0LEA")


def settled(
    name: str, outcome: Outcome | None, why: OutcomeReason | None, detail: str, at: int
) -> Target:
    return target(name, outcome, why, detail, at, NOW if outcome is Outcome.GONE else None)


@given(
    name=TEXT,
    outcome=st.sampled_from(Outcome) | st.none(),
    why=st.sampled_from(OutcomeReason) | st.none(),
    detail=TEXT,
    title=TEXT,
    state=st.sampled_from(State),
)
@settings(max_examples=50, deadline=None)
def test_the_view_of_a_kick_fits(  # noqa: PLR0917 - what hypothesis gives
    name: str,
    outcome: Outcome | None,
    why: OutcomeReason | None,
    detail: str,
    title: str,
    state: State,
) -> None:
    targets = [settled(name, outcome, why, detail, at) for at in range(25)]
    one = kick(targets, title=title, state=state, refusal=detail, number=10**12)
    decided = replace(one, expires_at=NOW, approver=LEA, decided_at=NOW)
    for each in (one, decided):
        fits(progress.progress(each))
        fits(progress.progress(each, detail))


def test_text_from_the_meeting_is_never_markup() -> None:
    targets = [settled(HOSTILE, Outcome.KICKED, OutcomeReason.CONFIRMED, "", 0)]
    for state in State:
        hostile = kick(targets, title=HOSTILE, state=state, refusal=HOSTILE, approver=LEA)
        assert literal(progress.progress(hostile, HOSTILE))


def test_rejoining_is_mentioned_only_if_a_person_was_kicked() -> None:
    gone = kick([settled("Tom", Outcome.GONE, OutcomeReason.LEFT, "", 0)])
    kicked = kick([settled("Tom", Outcome.KICKED, OutcomeReason.CONFIRMED, "", 0)])
    assert "rejoin" not in shown(progress.progress(gone))
    assert "rejoin" in shown(progress.progress(kicked))


WAITING: dict[str, Any] = {"state": State.WAITING, "done_at": None, "expires_at": NOW}

BY_LEA: dict[str, Any] = {"expires_at": NOW, "approver": LEA, "decided_at": NOW}


def texts(view: Modal) -> str:
    """Return the texts of a view. Users are shown as @id, and times with the fallback text."""
    return " ".join(_texts(view["blocks"]))


def _texts(part: Any) -> list[str]:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "plain_text", "text": str(text)}:
            return [text]
        case {"type": "user", "user_id": user}:
            return [f"@{user}"]
        case {"type": "date", "fallback": moment}:
            return [moment]
        case dict():
            return [text for value in part.values() for text in _texts(value)]
        case list():
            return [text for value in part for text in _texts(value)]
    return []


def called(name: str = "Tom") -> Target:
    return replace(settled(name, None, None, "", 1), called_at=NOW)


TOM = settled("Tom", None, None, "", 0)

STANDS: dict[str, tuple[Kick, str]] = {
    "waiting": (
        kick([TOM], **WAITING),
        (
            "Kick #7 waits for a second person Tom In  Weekly AMA , until  20:00 UTC"
            " You will hear of it either way."
        ),
    ),
    "ready": (kick([TOM], state=State.READY), "Removing 1 person from Weekly AMA…"),
    "running": (kick([TOM], state=State.RUNNING), "Removing 1 person from Weekly AMA…"),
    "unresolved": (
        kick([TOM, called()], state=State.RUNNING),
        (
            "Some answers of RealtimeKit are missing. Looking who is still there; up to 20 s…"
            " Tom  — … not known yet"
        ),
    ),
    "approved": (
        kick([TOM], state=State.READY, **BY_LEA),
        "Removing 1 person from Weekly AMA… Approved by  @U0LEA  at  20:00 UTC .",
    ),
    "denied": (
        kick([TOM], state=State.DENIED, refusal="not him", **BY_LEA),
        "Denied by  @U0LEA  at  20:00 UTC .  Nobody was removed. Note: not him",
    ),
    "cancelled": (
        kick([TOM], state=State.CANCELLED, expires_at=NOW),
        "It was taken back. Nobody was removed.",
    ),
    "undecided": (
        kick([TOM], state=State.EXPIRED, expires_at=NOW),
        "Nobody decided in time, so it expired. Nobody was removed.",
    ),
    "lapsed": (
        kick([TOM], state=State.EXPIRED),
        "It was not carried out within a minute, so it lapsed. Nobody was removed.",
    ),
    "lapsed after an approval": (
        kick([TOM], state=State.EXPIRED, **BY_LEA),
        (
            "It was not carried out within a minute, so it lapsed. Nobody was removed."
            " Approved by  @U0LEA"
        ),
    ),
    "refused": (
        kick([TOM], state=State.REFUSED, refusal="That session is over."),
        "Nobody was removed. That session is over.",
    ),
}


@pytest.mark.parametrize(("one", "words"), STANDS.values(), ids=STANDS)
def test_a_view_says_how_a_kick_stands(one: Kick, words: str) -> None:
    view = progress.progress(one, "And that.")
    assert texts(view).startswith(words)
    assert texts(view).endswith("And that.")
    assert (blocks.CANCEL_REQUEST in shown(view)) == (one.state is State.WAITING)


# The message to the requester


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
def test_the_requester_is_told_why_nobody_was_removed(changes: dict[str, Any], words: str) -> None:
    one = kick(**changes)
    message = fits_message(progress.requester_message(one))
    assert words in shown(message)
    assert "Nobody was removed." in shown(message)
    assert buttons(message) == []
    assert message["text"] == f"Kick #7 {one.state}: nobody was removed."
    assert message["text"] in shown(message["blocks"])


@given(reason=TEXT, detail=TEXT, state=st.sampled_from(sorted(ENDED_WITHOUT_CALL)))
@settings(max_examples=60, deadline=None)
def test_a_message_to_the_requester_fits(reason: str, detail: str, state: State) -> None:
    one = kick([target(reason)], title=detail, reason=reason, refusal=detail, state=state)
    for each in (one, replace(one, **MO)):
        fits_message(progress.requester_message(each))
        fits_message(
            blocks.text_message(
                wording.summary(each) + " " + wording.ended_without_call(each) + detail * 9
            ),
            40_000,
        )


@given(text=TEXT)
@settings(deadline=None)
def test_a_message_to_the_requester_mentions_only_who_decided(text: str) -> None:
    one = kick([target(text, Outcome.FAILED, OutcomeReason.REFUSED, text)], title=text, reason=text)
    denied = replace(one, state=State.DENIED, refusal=text, **MO)
    assert mentioned(progress.requester_message(denied)) == {"U0MO"}
