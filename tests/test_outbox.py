import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, UserId
from bot.core.outbox import MAX_CONCURRENT, Outbox
from bot.core.outbox_message import (
    DELIVER_WITHIN,
    GIVE_UP_AFTER,
    RETRY_DELAYS,
    Delivery,
    MessageKind,
    OutboxMessage,
)
from bot.core.ports import StoreUnavailable
from bot.core.roster import Meeting, MeetingId, ParticipantId
from bot.core.target import Outcome, OutcomeReason, Target
from tests.fakes import NOW, TEAM, FakeClock, FakeNotifier
from tests.stores import FlakyStore, MemoryStore

T = TypeVar("T")

ANN = Target(ParticipantId("p1"), None, "Ann")
LEA = UserId("U2")
FAILED = Delivery(delivered=False, error="slack is down")
MAYBE = Delivery(delivered=False, maybe_delivered=True)


class Scene:
    """A store, and the outboxes of several processes on it, with one notifier."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FlakyStore()
        self.notifier = FakeNotifier(self.store)
        self.outbox = self.process()

    def process(self) -> Outbox:
        return Outbox(store=self.store, notifier=self.notifier, clock=self.clock)

    async def waiting(self, name: str = "k1") -> Kick:
        """Store a waiting kick: its card is due."""
        kick = Kick(
            id=KickId(name),
            idempotency_key=name,
            team_id=TEAM,
            app_id="app",
            channel_id=ChannelId("C1"),
            meeting=Meeting(MeetingId("m1"), "Weekly AMA"),
            session_id=None,
            requester=UserId("U1"),
            reason="spam",
            targets=(ANN,),
            created_at=self.clock.now(),
            state=State.WAITING,
            expires_at=self.clock.now() + timedelta(days=9),
        )
        return await self.store.add(kick, Event(self.clock.now(), EventKind.ASKED, kick.requester))

    async def moved(self, kick: Kick, after: Kick) -> Kick:
        return await self.store.transition(
            kick, after, Event(self.clock.now(), EventKind.SETTLED, None)
        )

    async def denied(self, kick: Kick) -> Kick:
        """Store a denied kick: its card is due again, and a message to the requester."""
        return await self.moved(kick, kick.deny(LEA, "no", self.clock.now()))

    async def done(self, name: str = "k1") -> Kick:
        """Store a kick that is done: its card is due again, and its result."""
        kick = await self.waiting(name)
        kick = await self.moved(kick, kick.approve(LEA, self.clock.now()))
        kick = await self.moved(kick, kick.claim("one", self.clock.now(), None))
        kick = await self.moved(kick, kick.settle(ANN, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER))
        return await self.moved(kick, kick.finish(self.clock.now()))

    def message(self, kind: MessageKind, name: str = "k1") -> OutboxMessage:
        return self.store.messages[KickId(name), kind]

    def due_in(self, kind: MessageKind, name: str = "k1") -> float | None:
        """Return in how many seconds a message is due; None if it is delivered."""
        due_at = self.message(kind, name).due_at
        return (due_at - self.clock.now()).total_seconds() if due_at else None


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- delivered


async def test_what_was_told_is_due_no_more_and_its_place_is_kept(scene: Scene) -> None:
    kick = await scene.waiting()
    await scene.outbox.deliver_pending(kick.id)
    card = scene.message(MessageKind.CARD)
    assert (card.due_at, card.channel, card.ts) == (None, "C1", "1.0")
    assert [(message.kind, kick) for message, kick in scene.notifier.delivered] == [
        (MessageKind.CARD, kick)
    ]
    await scene.outbox.deliver_pending(kick.id)
    await scene.outbox.deliver_overdue()
    assert len(scene.notifier.delivered) == 1


async def test_all_that_a_kick_owes_is_delivered_as_it_stands_and_where_it_stands(
    scene: Scene,
) -> None:
    kick = await scene.waiting()
    await scene.outbox.deliver_pending(kick.id)
    denied = await scene.denied(kick)
    await scene.outbox.deliver_pending(kick.id)
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.CARD, MessageKind.REQUESTER]
    assert [shown for _, shown in scene.notifier.delivered] == [kick, denied, denied]
    assert [message.ts for message, _ in scene.notifier.delivered] == [None, "1.0", None]
    assert scene.message(MessageKind.CARD).ts == "1.0"


async def test_what_nobody_delivered_tells_how_the_kick_stands_by_now(scene: Scene) -> None:
    kick = await scene.waiting()
    denied = await scene.denied(kick)
    scene.clock.advance(30)
    await scene.outbox.deliver_overdue()
    assert {shown for _, shown in scene.notifier.delivered} == {denied}
    assert sorted(scene.notifier.kinds()) == [MessageKind.CARD, MessageKind.REQUESTER]


# --- leases


@pytest.mark.parametrize(("age", "count"), [(0, 0), (29.9, 0), (30, 1)])
async def test_what_is_owed_is_left_to_whoever_wrote_it_for_half_a_minute(
    scene: Scene, age: float, count: int
) -> None:
    await scene.waiting()
    scene.clock.advance(age)
    await scene.outbox.deliver_overdue()
    assert len(scene.notifier.delivered) == count


async def test_two_processes_deliver_what_is_overdue_once(scene: Scene) -> None:
    for name in ("k1", "k2", "k3"):
        await scene.done(name)
    scene.clock.advance(30)
    outboxes = [scene.process() for _ in range(3)]
    await asyncio.gather(*(outbox.deliver_overdue() for outbox in outboxes))
    shown = Counter((message.kick_id, message.kind) for message, _ in scene.notifier.delivered)
    assert len(shown) == 6
    assert set(shown.values()) == {1}


async def test_whoever_looks_while_another_delivers_leaves_it_alone(scene: Scene) -> None:
    await scene.waiting()
    scene.clock.advance(30)
    [message] = await scene.store.overdue_messages(scene.clock.now())
    await scene.store.update_message(message, message.leased(scene.clock.now()))
    await scene.outbox.deliver_overdue()
    assert scene.notifier.delivered == []
    scene.clock.advance(DELIVER_WITHIN.total_seconds())
    await scene.outbox.deliver_overdue()
    assert scene.notifier.kinds() == [MessageKind.CARD]


async def test_of_a_kick_only_what_is_due_is_taken(scene: Scene) -> None:
    kick = await scene.done()
    scene.notifier.deliveries = [FAILED, FAILED]
    await scene.outbox.deliver_pending(kick.id)
    result = scene.message(MessageKind.RESULT)
    scene.store.messages[kick.id, MessageKind.RESULT] = replace(
        result, due_at=NOW + timedelta(minutes=10)
    )
    scene.clock.advance(5)
    await scene.outbox.deliver_overdue()
    assert scene.notifier.kinds()[2:] == [MessageKind.CARD]


class SlowNotifier(FakeNotifier):
    """Delivers when a test says so, and counts concurrent deliveries."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.go = asyncio.Event()
        self.delivering = 0
        self.most_delivering = 0

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        self.delivering += 1
        self.most_delivering = max(self.most_delivering, self.delivering)
        await self.go.wait()
        self.delivering -= 1
        return await super().deliver(message, kick)


async def turns(count: int = 30) -> None:
    """Let all tasks run for a while."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_two_sends_of_one_kick_run_in_order(scene: Scene) -> None:
    scene.notifier = slow = SlowNotifier(scene.store)
    outbox = scene.process()
    kick = await scene.waiting()
    first = asyncio.create_task(outbox.deliver_pending(kick.id))
    await turns()
    approved = await scene.moved(kick, kick.approve(LEA, NOW))
    second = asyncio.create_task(outbox.deliver_pending(kick.id))
    await turns()
    assert slow.delivering == 1
    slow.go.set()
    await asyncio.gather(first, second)
    assert [shown for _, shown in slow.delivered] == [kick, approved]
    assert [message.ts for message, _ in slow.delivered] == [None, "1.0"]
    assert scene.due_in(MessageKind.CARD) is None


async def test_kicks_do_not_wait_for_each_other(scene: Scene) -> None:
    scene.notifier = slow = SlowNotifier(scene.store)
    outbox = scene.process()
    for name in ("k1", "k2"):
        await scene.waiting(name)
    both = [asyncio.create_task(outbox.deliver_pending(KickId(name))) for name in ("k1", "k2")]
    await turns()
    assert slow.delivering == 2
    slow.go.set()
    await asyncio.gather(*both)


async def test_only_a_few_that_are_overdue_are_delivered_at_once(scene: Scene) -> None:
    scene.notifier = slow = SlowNotifier(scene.store)
    for at in range(2 * MAX_CONCURRENT):
        await scene.waiting(f"k{at}")
    scene.clock.advance(30)
    work = asyncio.create_task(scene.process().deliver_overdue())
    await turns(100)
    assert slow.delivering == MAX_CONCURRENT
    slow.go.set()
    await work
    assert (len(slow.delivered), slow.most_delivering) == (2 * MAX_CONCURRENT, MAX_CONCURRENT)


# --- queued again during a delivery


async def test_what_was_owed_again_while_it_was_posted_is_changed_there_afterwards(
    scene: Scene,
) -> None:
    scene.notifier = slow = SlowNotifier(scene.store)
    outbox, other = scene.process(), scene.process()
    kick = await scene.waiting()
    work = asyncio.create_task(outbox.deliver_pending(kick.id))
    await turns()
    denied = await scene.denied(kick)
    slow.go.set()
    await work
    card = scene.message(MessageKind.CARD)
    assert (card.channel, card.ts, card.due_at) == ("C1", "1.0", NOW)
    await other.deliver_overdue()
    [(_, first), (message, then)] = slow.delivered
    assert (first, then, message.ts) == (kick, denied, "1.0")
    assert scene.due_in(MessageKind.CARD) is None


async def test_what_stands_in_its_place_already_is_not_moved_by_a_late_copy(scene: Scene) -> None:
    scene.notifier = slow = SlowNotifier(scene.store)
    kick = await scene.waiting()
    late = asyncio.create_task(scene.process().deliver_pending(kick.id))
    await turns()
    scene.clock.advance(30)
    # Another process considers the message lost, and delivers it first.
    scene.notifier = quick = FakeNotifier(scene.store)
    quick.deliveries = [Delivery(delivered=True, channel=ChannelId("C1"), ts="quick")]
    await scene.process().deliver_overdue()
    slow.go.set()
    await late
    assert scene.message(MessageKind.CARD).ts == "quick"


async def test_a_change_of_what_was_told_elsewhere_is_told_anew(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.deliveries = [Delivery(delivered=True)]
    await scene.outbox.deliver_pending(kick.id)
    assert scene.message(MessageKind.CARD) == OutboxMessage(
        kick.id, MessageKind.CARD, NOW, None, version=2
    )
    await scene.denied(kick)
    await scene.outbox.deliver_pending(kick.id)
    assert [message.ts for message, _ in scene.notifier.delivered] == [None, None, None]


# --- a card whose delivery was never confirmed


async def test_a_card_that_somebody_found_is_changed_there_from_then_on(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.deliveries = [MAYBE]
    await scene.outbox.deliver_pending(kick.id)
    await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "seen")
    denied = await scene.denied(kick)
    await scene.outbox.deliver_pending(kick.id)
    card, then = next(
        one for one in scene.notifier.delivered[1:] if one[0].kind is MessageKind.CARD
    )
    assert (card.channel, card.ts, then) == ("C2", "seen", denied)


async def test_a_card_that_somebody_found_is_not_posted_again(scene: Scene) -> None:
    kick = await scene.waiting()
    await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "seen")
    scene.clock.advance(30)
    await scene.outbox.deliver_overdue()
    assert [message for message, _ in scene.notifier.delivered if message.ts is None] == []


async def test_the_place_of_a_card_that_is_known_is_not_moved_by_a_copy(scene: Scene) -> None:
    kick = await scene.waiting()
    await scene.outbox.deliver_pending(kick.id)
    await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "copy")
    await scene.denied(kick)
    await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "copy")
    assert (scene.message(MessageKind.CARD).ts, scene.message(MessageKind.REQUESTER).ts) == (
        "1.0",
        None,
    )
    assert scene.due_in(MessageKind.REQUESTER) == 30


@pytest.mark.parametrize("kind", ["pending_messages", "update_message"])
async def test_that_a_place_could_not_be_noted_is_raised(scene: Scene, kind: str) -> None:
    kick = await scene.waiting()
    scene.store.down[kind] = 1
    with pytest.raises(StoreUnavailable):
        await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "seen")


# --- not delivered


async def test_what_was_not_told_is_tried_again_after_pauses_that_grow(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.deliveries = [FAILED] * 7
    await scene.outbox.deliver_pending(kick.id)
    waited = []
    for _ in range(6):
        pause = scene.due_in(MessageKind.CARD)
        assert pause
        waited.append(pause)
        scene.clock.advance(pause - 0.1)
        await scene.outbox.deliver_overdue()
        scene.clock.advance(0.1)
        await scene.outbox.deliver_overdue()
    assert waited == [*(pause.total_seconds() for pause in RETRY_DELAYS), 600]
    assert len(scene.notifier.delivered) == 7
    scene.clock.advance(600)
    await scene.outbox.deliver_overdue()
    assert (scene.due_in(MessageKind.CARD), scene.message(MessageKind.CARD).ts) == (None, "8.0")


@pytest.mark.parametrize(("asked", "waited"), [(1, 5), (42, 42)])
async def test_the_wait_that_slack_asks_for_is_kept(scene: Scene, asked: int, waited: int) -> None:
    kick = await scene.waiting()
    scene.notifier.deliveries = [Delivery(delivered=False, retry_after=timedelta(seconds=asked))]
    await scene.outbox.deliver_pending(kick.id)
    assert scene.due_in(MessageKind.CARD) == waited


async def test_that_it_may_have_got_through_is_known_at_the_next_try(scene: Scene) -> None:
    kick = await scene.done()
    scene.notifier.deliveries = [MAYBE, MAYBE, FAILED, FAILED]
    await scene.outbox.deliver_pending(kick.id)
    for pause in (5, 15):
        scene.clock.advance(pause)
        await scene.outbox.deliver_overdue()
    assert [message.maybe_delivered for message, _ in scene.notifier.delivered] == [False] * 2 + [
        True
    ] * 4
    assert not scene.message(MessageKind.RESULT).maybe_delivered


async def test_pauses_begin_anew_when_it_is_owed_again(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.deliveries = [FAILED, FAILED, FAILED]
    await scene.outbox.deliver_pending(kick.id)
    scene.clock.advance(5)
    await scene.outbox.deliver_overdue()
    await scene.denied(kick)
    await scene.outbox.deliver_pending(kick.id)
    assert (scene.message(MessageKind.CARD).attempts, scene.due_in(MessageKind.CARD)) == (1, 5)


@pytest.mark.parametrize(
    ("age", "gives_up"), [(GIVE_UP_AFTER - timedelta(seconds=1), False), (GIVE_UP_AFTER, True)]
)
async def test_after_a_day_it_is_given_up_and_on_record(
    scene: Scene, age: timedelta, *, gives_up: bool
) -> None:
    await scene.waiting()
    scene.clock.advance(age.total_seconds())
    scene.notifier.deliveries = [FAILED]
    await scene.outbox.deliver_overdue()
    failed = [event for event in scene.store.log if event.kind is EventKind.DELIVERY_FAILED]
    assert (scene.due_in(MessageKind.CARD) is None) is gives_up
    now = scene.clock.now()
    expected = Event(now, EventKind.DELIVERY_FAILED, None, "card: slack is down", KickId("k1"))
    assert failed == ([expected] if gives_up else [])


# --- a store that fails


@pytest.mark.parametrize("kind", ["pending_messages", "get_kick", "update_message"])
async def test_a_store_that_is_down_raises_nothing_and_leaves_it_due(
    scene: Scene, kind: str
) -> None:
    kick = await scene.waiting()
    scene.store.down[kind] = 1
    await scene.outbox.deliver_pending(kick.id)
    assert scene.due_in(MessageKind.CARD) == 30
    scene.clock.advance(30)
    await scene.outbox.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) is None
    assert scene.notifier.kinds() == [MessageKind.CARD] * (2 if kind == "update_message" else 1)


@pytest.mark.parametrize(
    "kind", ["overdue_messages", "pending_messages", "get_kick", "update_message"]
)
@pytest.mark.parametrize("how", ["down", "lost"])
async def test_what_is_overdue_stays_so_while_the_store_is_down(
    scene: Scene, kind: str, how: str
) -> None:
    await scene.waiting()
    scene.clock.advance(30)
    getattr(scene.store, how)[kind] = 1
    await scene.outbox.deliver_overdue()
    # A message that was leased is delivered after the lease.
    scene.clock.advance(30)
    await scene.outbox.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) is None
    assert scene.notifier.kinds() == [MessageKind.CARD]


@pytest.mark.parametrize("how", ["down", "lost"])
async def test_that_it_was_told_is_noted_or_it_is_told_again(scene: Scene, how: str) -> None:
    kick = await scene.waiting()
    getattr(scene.store, how)["update_message"] = 1
    await scene.outbox.deliver_pending(kick.id)
    scene.clock.advance(30)
    await scene.outbox.deliver_overdue()
    assert len(scene.notifier.delivered) == (2 if how == "down" else 1)
    assert scene.due_in(MessageKind.CARD) is None


async def test_a_fault_while_one_is_noted_does_not_post_another_twice(scene: Scene) -> None:
    class SlowCard(SlowNotifier):
        async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
            if message.kind is MessageKind.RESULT:
                return await FakeNotifier.deliver(self, message, kick)
            return await super().deliver(message, kick)

    kick = await scene.done()
    scene.notifier = slow = SlowCard(scene.store)
    outbox = scene.process()
    scene.store.down["update_message"] = 1
    first = asyncio.create_task(outbox.deliver_pending(kick.id))
    await turns()
    second = asyncio.create_task(outbox.deliver_pending(kick.id))
    await turns()
    slow.go.set()
    await asyncio.gather(first, second)
    assert slow.kinds().count(MessageKind.CARD) == 1


@pytest.mark.parametrize("kind", ["record_event", "update_message"])
async def test_what_can_not_be_given_up_is_given_up_later(scene: Scene, kind: str) -> None:
    class FailsStore(FakeNotifier):
        async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
            scene.store.down[kind] = 1 if not self.delivered else 0
            return await super().deliver(message, kick)

    await scene.waiting()
    scene.clock.advance(GIVE_UP_AFTER.total_seconds())
    scene.notifier = FailsStore(scene.store)
    scene.notifier.deliveries = [FAILED, FAILED]
    outbox = scene.process()
    await outbox.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) == 30
    scene.clock.advance(30)
    await outbox.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) is None
    assert EventKind.DELIVERY_FAILED in {event.kind for event in scene.store.log}


# --- bugs in the bot


async def test_a_notice_that_breaks_leaves_the_others_alone_and_stays_due(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeNotifier):
        async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
            if message.kind is MessageKind.CARD:
                raise ZeroDivisionError
            return await super().deliver(message, kick)

    kick = await scene.done()
    scene.notifier = Broken(scene.store)
    await scene.process().deliver_pending(kick.id)
    assert (scene.due_in(MessageKind.CARD), scene.due_in(MessageKind.RESULT)) == (5, None)
    [card] = await scene.store.pending_messages(kick.id)
    assert (card.attempts, card.maybe_delivered) == (1, True)
    assert "a delivery failed" in caplog.text


async def test_a_notice_of_a_kick_that_is_not_there_is_logged(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    kick = await scene.waiting()
    del scene.store.kicks[kick.id]
    with caplog.at_level(logging.ERROR):
        await scene.outbox.deliver_pending(kick.id)
    assert "does not exist" in caplog.text
    assert scene.notifier.delivered == []
