import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, UserId
from bot.core.outbox import MAX_CONCURRENT, Outbox
from bot.core.outbox_message import (
    DELIVER_WITHIN,
    GIVE_UP_AFTER,
    RETRY_DELAYS,
    MessageKind,
    OutboxMessage,
)
from bot.core.ports import Delivery, StoreUnavailable
from bot.core.roster import Meeting, MeetingId, ParticipantId
from bot.core.target import Outcome, OutcomeReason, Target
from tests.fakes import NOW, TEAM, FakeClock, FakeNotices, MemoryStore

T = TypeVar("T")

ANN = Target(ParticipantId("p1"), None, "Ann")
LEA = UserId("U2")
LATER = Delivery(delivered=False, error="slack is down")
DOUBTFUL = Delivery(delivered=False, maybe_delivered=True)


class WeakStore(MemoryStore):
    """A store that is down for so many uses of a kind, before or after they had an effect."""

    def __init__(self) -> None:
        super().__init__()
        self.down: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    async def _use(self, kind: str, use: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(0)
        if self.down[kind] > 0:
            self.down[kind] -= 1
            raise StoreUnavailable("the database is locked")
        result = await use()
        if self.lost[kind] > 0:
            self.lost[kind] -= 1
            raise StoreUnavailable("the connection broke")
        return result

    async def get_kick(self, kick: KickId) -> Kick | None:
        return await self._use("get", lambda: MemoryStore.get_kick(self, kick))

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        return await self._use("owed", lambda: MemoryStore.pending_messages(self, kick))

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        return await self._use("overdue", lambda: MemoryStore.overdue_messages(self, now))

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        return await self._use("note", lambda: MemoryStore.update_message(self, before, after))

    async def record_event(self, event: Event) -> None:
        await self._use("record", lambda: MemoryStore.record_event(self, event))


class Scene:
    """A store, and posts of several processes over it that tell through one Slack."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = WeakStore()
        self.notifier = FakeNotices(self.store)
        self.outbox = self.process()

    def process(self) -> Outbox:
        return Outbox(store=self.store, notifier=self.notifier, clock=self.clock)

    async def waiting(self, name: str = "k1") -> Kick:
        """Ask a second person: that owes a card."""
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
        """Deny it: that owes the card again, and a word."""
        return await self.moved(kick, kick.deny(LEA, "no", self.clock.now()))

    async def done(self, name: str = "k1") -> Kick:
        """Carry one out: that owes the card again, and the result."""
        kick = await self.waiting(name)
        kick = await self.moved(kick, kick.approve(LEA, self.clock.now()))
        kick = await self.moved(kick, kick.claim("one", self.clock.now(), None))
        kick = await self.moved(kick, kick.settle(ANN, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER))
        return await self.moved(kick, kick.finish(self.clock.now()))

    def notice(self, kind: MessageKind, name: str = "k1") -> OutboxMessage:
        return self.store.messages[KickId(name), kind]

    def due_in(self, kind: MessageKind, name: str = "k1") -> float | None:
        """Tell in how many seconds a notice is due."""
        due_at = self.notice(kind, name).due_at
        return (due_at - self.clock.now()).total_seconds() if due_at else None


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- told


async def test_what_was_told_is_due_no_more_and_its_place_is_kept(scene: Scene) -> None:
    kick = await scene.waiting()
    await scene.outbox.deliver_pending(kick.id)
    card = scene.notice(MessageKind.CARD)
    assert (card.due_at, card.channel, card.ts) == (None, "C1", "1.0")
    assert [(notice.kind, kick) for notice, kick in scene.notifier.delivered] == [
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
    assert [told for _, told in scene.notifier.delivered] == [kick, denied, denied]
    assert [notice.ts for notice, _ in scene.notifier.delivered] == [None, "1.0", None]
    assert scene.notice(MessageKind.CARD).ts == "1.0"


async def test_what_nobody_delivered_tells_how_the_kick_stands_by_now(scene: Scene) -> None:
    kick = await scene.waiting()
    denied = await scene.denied(kick)
    scene.clock.pass_by(30)
    await scene.outbox.deliver_overdue()
    assert {told for _, told in scene.notifier.delivered} == {denied}
    assert sorted(scene.notifier.kinds()) == [MessageKind.CARD, MessageKind.REQUESTER]


# --- whose turn it is


@pytest.mark.parametrize(("age", "count"), [(0, 0), (29.9, 0), (30, 1)])
async def test_what_is_owed_is_left_to_whoever_wrote_it_for_half_a_minute(
    scene: Scene, age: float, count: int
) -> None:
    await scene.waiting()
    scene.clock.pass_by(age)
    await scene.outbox.deliver_overdue()
    assert len(scene.notifier.delivered) == count


async def test_two_processes_deliver_what_is_overdue_once(scene: Scene) -> None:
    for name in ("k1", "k2", "k3"):
        await scene.done(name)
    scene.clock.pass_by(30)
    posts = [scene.process() for _ in range(3)]
    await asyncio.gather(*(post.deliver_overdue() for post in posts))
    told = Counter((notice.kick_id, notice.kind) for notice, _ in scene.notifier.delivered)
    assert len(told) == 6
    assert set(told.values()) == {1}


async def test_whoever_looks_while_another_delivers_leaves_it_alone(scene: Scene) -> None:
    await scene.waiting()
    scene.clock.pass_by(30)
    [notice] = await scene.store.overdue_messages(scene.clock.now())
    await scene.store.update_message(notice, notice.leased(scene.clock.now()))
    await scene.outbox.deliver_overdue()
    assert scene.notifier.delivered == []
    scene.clock.pass_by(DELIVER_WITHIN.total_seconds())
    await scene.outbox.deliver_overdue()
    assert scene.notifier.kinds() == [MessageKind.CARD]


async def test_of_a_kick_only_what_is_due_is_taken(scene: Scene) -> None:
    kick = await scene.done()
    scene.notifier.answers = [LATER, LATER]
    await scene.outbox.deliver_pending(kick.id)
    result = scene.notice(MessageKind.RESULT)
    scene.store.messages[kick.id, MessageKind.RESULT] = replace(
        result, due_at=NOW + timedelta(hours=1)
    )
    scene.clock.pass_by(5)
    await scene.outbox.deliver_overdue()
    assert scene.notifier.kinds()[2:] == [MessageKind.CARD]


class SlowNotices(FakeNotices):
    """Delivers when a test says so."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.go = asyncio.Event()
        self.now_at_it = 0
        self.most_at_once = 0

    async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
        self.now_at_it += 1
        self.most_at_once = max(self.most_at_once, self.now_at_it)
        await self.go.wait()
        self.now_at_it -= 1
        return await super().deliver(notice, kick)


async def turns(count: int = 30) -> None:
    """Let everybody go on for a while."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_two_sends_of_one_kick_run_in_order(scene: Scene) -> None:
    scene.notifier = slow = SlowNotices(scene.store)
    post = scene.process()
    kick = await scene.waiting()
    first = asyncio.create_task(post.deliver_pending(kick.id))
    await turns()
    approved = await scene.moved(kick, kick.approve(LEA, NOW))
    second = asyncio.create_task(post.deliver_pending(kick.id))
    await turns()
    assert slow.now_at_it == 1
    slow.go.set()
    await asyncio.gather(first, second)
    assert [told for _, told in slow.delivered] == [kick, approved]
    assert [notice.ts for notice, _ in slow.delivered] == [None, "1.0"]
    assert scene.due_in(MessageKind.CARD) is None


async def test_kicks_do_not_wait_for_each_other(scene: Scene) -> None:
    scene.notifier = slow = SlowNotices(scene.store)
    post = scene.process()
    for name in ("k1", "k2"):
        await scene.waiting(name)
    both = [asyncio.create_task(post.deliver_pending(KickId(name))) for name in ("k1", "k2")]
    await turns()
    assert slow.now_at_it == 2
    slow.go.set()
    await asyncio.gather(*both)


async def test_only_a_few_that_are_overdue_are_delivered_at_once(scene: Scene) -> None:
    scene.notifier = slow = SlowNotices(scene.store)
    for at in range(2 * MAX_CONCURRENT):
        await scene.waiting(f"k{at}")
    scene.clock.pass_by(30)
    work = asyncio.create_task(scene.process().deliver_overdue())
    await turns(100)
    assert slow.now_at_it == MAX_CONCURRENT
    slow.go.set()
    await work
    assert (len(slow.delivered), slow.most_at_once) == (2 * MAX_CONCURRENT, MAX_CONCURRENT)


# --- owed again while it was being posted


async def test_what_was_owed_again_while_it_was_posted_is_changed_there_afterwards(
    scene: Scene,
) -> None:
    scene.notifier = slow = SlowNotices(scene.store)
    post, other = scene.process(), scene.process()
    kick = await scene.waiting()
    work = asyncio.create_task(post.deliver_pending(kick.id))
    await turns()
    denied = await scene.denied(kick)
    slow.go.set()
    await work
    card = scene.notice(MessageKind.CARD)
    assert (card.channel, card.ts, card.due_at) == ("C1", "1.0", NOW)
    await other.deliver_overdue()
    [(_, first), (notice, then)] = slow.delivered
    assert (first, then, notice.ts) == (kick, denied, "1.0")
    assert scene.due_in(MessageKind.CARD) is None


async def test_what_stands_in_its_place_already_is_not_moved_by_a_late_copy(scene: Scene) -> None:
    scene.notifier = slow = SlowNotices(scene.store)
    kick = await scene.waiting()
    late = asyncio.create_task(scene.process().deliver_pending(kick.id))
    await turns()
    scene.clock.pass_by(30)
    # Another process takes it for lost meanwhile, and is quicker.
    scene.notifier = quick = FakeNotices(scene.store)
    quick.answers = [Delivery(delivered=True, channel=ChannelId("C1"), ts="quick")]
    await scene.process().deliver_overdue()
    slow.go.set()
    await late
    assert scene.notice(MessageKind.CARD).ts == "quick"


async def test_a_change_of_what_was_told_elsewhere_is_told_anew(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.answers = [Delivery(delivered=True)]
    await scene.outbox.deliver_pending(kick.id)
    assert scene.notice(MessageKind.CARD) == OutboxMessage(
        kick.id, MessageKind.CARD, NOW, None, version=2
    )
    await scene.denied(kick)
    await scene.outbox.deliver_pending(kick.id)
    assert [notice.ts for notice, _ in scene.notifier.delivered] == [None, None, None]


# --- a card whose post was never confirmed


async def test_a_card_that_somebody_found_is_changed_there_from_then_on(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.answers = [DOUBTFUL]
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
    scene.clock.pass_by(30)
    await scene.outbox.deliver_overdue()
    assert [notice for notice, _ in scene.notifier.delivered if notice.ts is None] == []


async def test_the_place_of_a_card_that_is_known_is_not_moved_by_a_copy(scene: Scene) -> None:
    kick = await scene.waiting()
    await scene.outbox.deliver_pending(kick.id)
    await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "copy")
    await scene.denied(kick)
    await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "copy")
    assert (scene.notice(MessageKind.CARD).ts, scene.notice(MessageKind.REQUESTER).ts) == (
        "1.0",
        None,
    )
    assert scene.due_in(MessageKind.REQUESTER) == 30


@pytest.mark.parametrize("kind", ["owed", "note"])
async def test_that_a_place_could_not_be_noted_is_raised(scene: Scene, kind: str) -> None:
    kick = await scene.waiting()
    scene.store.down[kind] = 1
    with pytest.raises(StoreUnavailable):
        await scene.outbox.record_card_location(kick.id, ChannelId("C2"), "seen")


# --- not told


async def test_what_was_not_told_is_tried_again_after_pauses_that_grow(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.answers = [LATER] * 7
    await scene.outbox.deliver_pending(kick.id)
    waited = []
    for _ in range(6):
        pause = scene.due_in(MessageKind.CARD)
        assert pause
        waited.append(pause)
        scene.clock.pass_by(pause - 0.1)
        await scene.outbox.deliver_overdue()
        scene.clock.pass_by(0.1)
        await scene.outbox.deliver_overdue()
    assert waited == [*(pause.total_seconds() for pause in RETRY_DELAYS), 600]
    assert len(scene.notifier.delivered) == 7
    scene.clock.pass_by(600)
    await scene.outbox.deliver_overdue()
    assert (scene.due_in(MessageKind.CARD), scene.notice(MessageKind.CARD).ts) == (None, "8.0")


@pytest.mark.parametrize(("asked", "waited"), [(1, 5), (42, 42)])
async def test_the_wait_that_slack_asks_for_is_kept(scene: Scene, asked: int, waited: int) -> None:
    kick = await scene.waiting()
    scene.notifier.answers = [Delivery(delivered=False, retry_after=timedelta(seconds=asked))]
    await scene.outbox.deliver_pending(kick.id)
    assert scene.due_in(MessageKind.CARD) == waited


async def test_that_it_may_have_got_through_is_known_at_the_next_try(scene: Scene) -> None:
    kick = await scene.done()
    scene.notifier.answers = [DOUBTFUL, DOUBTFUL, LATER, LATER]
    await scene.outbox.deliver_pending(kick.id)
    for pause in (5, 15):
        scene.clock.pass_by(pause)
        await scene.outbox.deliver_overdue()
    assert [notice.maybe_delivered for notice, _ in scene.notifier.delivered] == [False] * 2 + [
        True
    ] * 4
    assert not scene.notice(MessageKind.RESULT).maybe_delivered


async def test_pauses_begin_anew_when_it_is_owed_again(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.notifier.answers = [LATER, LATER, LATER]
    await scene.outbox.deliver_pending(kick.id)
    scene.clock.pass_by(5)
    await scene.outbox.deliver_overdue()
    await scene.denied(kick)
    await scene.outbox.deliver_pending(kick.id)
    assert (scene.notice(MessageKind.CARD).attempts, scene.due_in(MessageKind.CARD)) == (1, 5)


@pytest.mark.parametrize(
    ("age", "gives_up"), [(GIVE_UP_AFTER - timedelta(seconds=1), False), (GIVE_UP_AFTER, True)]
)
async def test_after_a_day_it_is_given_up_and_on_record(
    scene: Scene, age: timedelta, *, gives_up: bool
) -> None:
    await scene.waiting()
    scene.clock.pass_by(age.total_seconds())
    scene.notifier.answers = [LATER]
    await scene.outbox.deliver_overdue()
    untold = [event for event in scene.store.log if event.kind is EventKind.DELIVERY_FAILED]
    assert (scene.due_in(MessageKind.CARD) is None) is gives_up
    now = scene.clock.now()
    expected = Event(now, EventKind.DELIVERY_FAILED, None, "card: slack is down", KickId("k1"))
    assert untold == ([expected] if gives_up else [])


# --- a store that is down


@pytest.mark.parametrize("kind", ["owed", "get", "note"])
async def test_a_store_that_is_down_raises_nothing_and_leaves_it_due(
    scene: Scene, kind: str
) -> None:
    kick = await scene.waiting()
    scene.store.down[kind] = 1
    await scene.outbox.deliver_pending(kick.id)
    assert scene.due_in(MessageKind.CARD) == 30
    scene.clock.pass_by(30)
    await scene.outbox.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) is None
    assert scene.notifier.kinds() == [MessageKind.CARD] * (2 if kind == "note" else 1)


@pytest.mark.parametrize("kind", ["overdue", "owed", "get", "note"])
@pytest.mark.parametrize("how", ["down", "lost"])
async def test_what_is_overdue_stays_so_while_the_store_is_down(
    scene: Scene, kind: str, how: str
) -> None:
    await scene.waiting()
    scene.clock.pass_by(30)
    getattr(scene.store, how)[kind] = 1
    await scene.outbox.deliver_overdue()
    # What was taken is its taker's for a while.
    scene.clock.pass_by(30)
    await scene.outbox.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) is None
    assert scene.notifier.kinds() == [MessageKind.CARD]


@pytest.mark.parametrize("how", ["down", "lost"])
async def test_that_it_was_told_is_noted_or_it_is_told_again(scene: Scene, how: str) -> None:
    kick = await scene.waiting()
    getattr(scene.store, how)["note"] = 1
    await scene.outbox.deliver_pending(kick.id)
    scene.clock.pass_by(30)
    await scene.outbox.deliver_overdue()
    assert len(scene.notifier.delivered) == (2 if how == "down" else 1)
    assert scene.due_in(MessageKind.CARD) is None


async def test_a_fault_while_one_is_noted_does_not_post_another_twice(scene: Scene) -> None:
    class Uneven(SlowNotices):
        async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
            if notice.kind is MessageKind.RESULT:
                return await FakeNotices.deliver(self, notice, kick)
            return await super().deliver(notice, kick)

    kick = await scene.done()
    scene.notifier = slow = Uneven(scene.store)
    post = scene.process()
    scene.store.down["note"] = 1
    first = asyncio.create_task(post.deliver_pending(kick.id))
    await turns()
    second = asyncio.create_task(post.deliver_pending(kick.id))
    await turns()
    slow.go.set()
    await asyncio.gather(first, second)
    assert slow.kinds().count(MessageKind.CARD) == 1


@pytest.mark.parametrize("kind", ["record", "note"])
async def test_what_can_not_be_given_up_is_given_up_later(scene: Scene, kind: str) -> None:
    class ThenDown(FakeNotices):
        async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
            scene.store.down[kind] = 1 if not self.delivered else 0
            return await super().deliver(notice, kick)

    await scene.waiting()
    scene.clock.pass_by(GIVE_UP_AFTER.total_seconds())
    scene.notifier = ThenDown(scene.store)
    scene.notifier.answers = [LATER, LATER]
    post = scene.process()
    await post.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) == 30
    scene.clock.pass_by(30)
    await post.deliver_overdue()
    assert scene.due_in(MessageKind.CARD) is None
    assert EventKind.DELIVERY_FAILED in {event.kind for event in scene.store.log}


# --- faults of our own


async def test_a_notice_that_breaks_leaves_the_others_alone_and_stays_due(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FakeNotices):
        async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
            if notice.kind is MessageKind.CARD:
                raise ZeroDivisionError
            return await super().deliver(notice, kick)

    kick = await scene.done()
    scene.notifier = Broken(scene.store)
    await scene.process().deliver_pending(kick.id)
    assert (scene.due_in(MessageKind.CARD), scene.due_in(MessageKind.RESULT)) == (30, None)
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
