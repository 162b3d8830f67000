from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from bot.core.kick import INITIAL_STATES, TRANSITIONS, ChannelId, Kick, KickId, State, UserId
from bot.core.outbox_message import (
    DELIVER_WITHIN,
    RETRY_DELAYS,
    MessageKind,
    OutboxMessage,
    messages_due_for,
)
from bot.core.roster import Meeting, MeetingId
from tests.fakes import NOW, TEAM

ALONE = Kick(
    id=KickId("k1"),
    idempotency_key="view 1",
    team_id=TEAM,
    app_id="app",
    channel_id=ChannelId("C1"),
    meeting=Meeting(MeetingId("m1"), "Weekly AMA"),
    session_id=None,
    requester=UserId("U1"),
    reason="spam",
    targets=(),
    created_at=NOW,
    state=State.READY,
)
ASKED = replace(ALONE, expires_at=NOW + timedelta(minutes=10))
MESSAGE = OutboxMessage(KickId("k1"), MessageKind.RESULT, NOW, NOW + DELIVER_WITHIN)
SECOND = timedelta(seconds=1)
MOVED = [(old, new) for old, moves in TRANSITIONS.items() for new in moves]


# --- which messages become due


@pytest.mark.parametrize(
    ("before", "after", "alone", "asked"),
    [
        (None, State.READY, "", "card"),
        (None, State.WAITING, "", "card"),
        (None, State.REFUSED, "", ""),
        (State.WAITING, State.READY, "", "card"),
        (State.WAITING, State.DENIED, "word", "card word"),
        (State.WAITING, State.CANCELLED, "", "card"),
        (State.WAITING, State.EXPIRED, "word", "card word"),
        (State.READY, State.RUNNING, "", ""),
        (State.READY, State.REFUSED, "word", "card word"),
        (State.READY, State.EXPIRED, "word", "card word"),
        (State.RUNNING, State.RUNNING, "", ""),
        (State.RUNNING, State.DONE, "result", "card result"),
        (State.DONE, State.DONE, "result", "card result"),
    ],
)
def test_each_move_owes_what_people_must_hear_of_it(
    before: State | None, after: State, alone: str, asked: str
) -> None:
    assert messages_due_for(before, replace(ALONE, state=after)) == {
        MessageKind(one) for one in alone.split()
    }
    assert messages_due_for(before, replace(ASKED, state=after)) == {
        MessageKind(one) for one in asked.split()
    }


@pytest.mark.parametrize(("before", "after"), [*product([None], INITIAL_STATES), *MOVED])
def test_a_card_is_owed_only_where_somebody_was_asked(before: State | None, after: State) -> None:
    assert MessageKind.CARD not in messages_due_for(before, replace(ALONE, state=after))


@pytest.mark.parametrize(("before", "after"), [pair for pair in MOVED if not TRANSITIONS[pair[1]]])
def test_whoever_asked_hears_of_every_end_but_their_own(before: State, after: State) -> None:
    owed = messages_due_for(before, replace(ASKED, state=after))
    assert (MessageKind.REQUESTER in owed) is (after is not State.CANCELLED)
    assert MessageKind.CARD in owed


@pytest.mark.parametrize("state", sorted(set(State) - {State.DONE}))
def test_what_stays_as_it_is_owes_nothing(state: State) -> None:
    assert messages_due_for(state, replace(ASKED, state=state)) == frozenset()


# --- one message


def test_whoever_takes_a_notice_has_half_a_minute() -> None:
    taken = MESSAGE.leased(NOW + SECOND)
    assert taken == replace(MESSAGE, version=2, due_at=NOW + timedelta(seconds=31))


def test_a_delivered_notice_is_due_no_more_and_keeps_its_place() -> None:
    delivered = replace(MESSAGE, maybe_delivered=True).delivered(ChannelId("C1"), "1.0")
    assert delivered == replace(MESSAGE, version=2, due_at=None, channel=ChannelId("C1"), ts="1.0")
    assert delivered.delivered(None, None) == replace(delivered, version=3)
    assert MESSAGE.delivered(None, None) == replace(MESSAGE, version=2, due_at=None)


def test_what_was_owed_again_meanwhile_is_due_at_the_place_of_the_older_form() -> None:
    again = replace(MESSAGE, version=5)
    placed = again.moved_to(MESSAGE.delivered(ChannelId("C1"), "1.0"), NOW + SECOND)
    assert (placed.version, placed.due_at) == (6, NOW + SECOND)
    assert (placed.channel, placed.ts) == ("C1", "1.0")


def test_pauses_grow_and_then_stay() -> None:
    message, pauses = MESSAGE, []
    for _ in range(len(RETRY_DELAYS) + 2):
        message = message.postponed(NOW, None, maybe_delivered=False)
        assert message.due_at
        pauses.append(message.due_at - NOW)
    assert pauses == [*RETRY_DELAYS, RETRY_DELAYS[-1], RETRY_DELAYS[-1]]
    assert (message.attempts, message.version, message.since) == (len(pauses), 1 + len(pauses), NOW)


@pytest.mark.parametrize(
    ("asked", "waited"), [(30, 30), (5, 5), (1, 5), (0, 5), (600, 600), (7200, 600)]
)
def test_slack_is_given_the_time_it_asks_for_up_to_ten_minutes(asked: int, waited: int) -> None:
    later = MESSAGE.postponed(NOW, timedelta(seconds=asked), maybe_delivered=False)
    assert later.due_at == NOW + timedelta(seconds=waited)


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [(False, False, False), (False, True, True), (True, False, True), (True, True, True)],
)
def test_a_doubt_stays_until_it_was_told(*, before: bool, now: bool, after: bool) -> None:
    doubted = replace(MESSAGE, maybe_delivered=before).postponed(NOW, None, maybe_delivered=now)
    assert doubted.maybe_delivered is after
    assert not doubted.delivered(None, None).maybe_delivered


def test_what_was_taken_is_as_doubtful_as_before() -> None:
    assert replace(MESSAGE, maybe_delivered=True).leased(NOW).maybe_delivered
