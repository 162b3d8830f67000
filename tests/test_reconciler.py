import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bot.core.event import Event, EventKind
from bot.core.kick import Kick, KickId, State
from bot.core.outbox_message import Delivery, MessageKind, OutboxMessage
from bot.core.reconciler import TICK_INTERVAL
from bot.core.target import Outcome, OutcomeReason
from tests.fakes import NOW, FakeNotifier
from tests.scene import KICKED, LIVE, MAX, Scene, outcomes
from tests.stores import FlakyStore


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def begun(scene: Scene) -> Kick:
    """Store a kick whose process died right after it claimed the kick."""
    kick = await scene.ready()
    claimed = kick.claim("dead", scene.clock.now(), LIVE.id)
    return await scene.store.transition(kick, claimed, Event(NOW, EventKind.CLAIMED, None))


# --- recovery


@pytest.mark.parametrize(
    ("age", "state"),
    [(4.9, State.READY), (5, State.DONE), (60, State.DONE), (60.1, State.EXPIRED)],
)
async def test_a_ready_kick_is_taken_up_that_nobody_began(
    scene: Scene, age: float, state: State
) -> None:
    kick = await scene.ready()
    scene.clock.advance(age)
    await scene.tick()
    assert scene.stored(kick).state is state
    assert sorted(scene.gateway.sent) == (["p1", "p2"] if state is State.DONE else [])


@pytest.mark.parametrize(("age", "state"), [(599.9, State.WAITING), (600, State.EXPIRED)])
async def test_a_request_expires_that_nobody_decided(
    scene: Scene, age: float, state: State
) -> None:
    kick = await scene.waiting()
    scene.clock.advance(age)
    await scene.tick()
    assert scene.stored(kick).state is state
    told_of = (
        [MessageKind.CARD]
        if state is State.WAITING
        else [MessageKind.CARD, MessageKind.CARD, MessageKind.REQUESTER]
    )
    assert scene.notifier.kinds() == told_of


@pytest.mark.parametrize(("age", "state"), [(14.9, State.RUNNING), (15, State.DONE)])
async def test_a_running_kick_is_taken_over_whose_owner_is_silent(
    scene: Scene, age: float, state: State
) -> None:
    kick = await begun(scene)
    scene.clock.advance(age)
    await scene.tick()
    assert scene.stored(kick).state is state
    assert scene.gateway.sent == []
    if state is State.DONE:
        assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.NOT_TRIED)] * 2


@pytest.mark.parametrize(("age", "count"), [(29.9, 0), (30, 1)])
async def test_what_a_process_that_died_owed_is_delivered(
    scene: Scene, age: float, count: int
) -> None:
    await scene.submitted(requester=MAX, needs_approval=True)
    scene.clock.advance(age)
    await scene.tick()
    assert scene.notifier.kinds() == [MessageKind.CARD] * count


async def test_it_takes_up_all_there_is_in_one_look(scene: Scene) -> None:
    waiting = await scene.waiting()
    scene.clock.advance(590)
    running = await begun(scene)
    scene.clock.advance(10)
    ready = await scene.ready()
    scene.clock.advance(5)
    await scene.tick()
    states = [scene.stored(kick).state for kick in (waiting, running, ready)]
    assert states == [State.EXPIRED, State.DONE, State.DONE]
    assert outcomes(scene.stored(ready)) == [KICKED, KICKED]


async def test_where_nothing_is_due_nothing_happens(scene: Scene) -> None:
    await scene.waiting()
    await scene.tick()
    assert scene.notifier.kinds() == [MessageKind.CARD]
    assert scene.gateway.sent == []


async def test_two_keepers_over_one_store_do_everything_once(scene: Scene) -> None:
    await scene.waiting()
    await begun(scene)
    scene.clock.advance(600)
    for process in (scene.process("two"), scene.process("three")):
        await process.reconciler.tick()
    await scene.spawn.finish()
    whats = [event.kind for event in scene.store.log]
    assert (whats.count(EventKind.EXPIRED), whats.count(EventKind.TAKEN_OVER)) == (1, 1)
    assert sorted(scene.notifier.kinds()) == [
        MessageKind.CARD,
        MessageKind.CARD,
        MessageKind.RESULT,
        MessageKind.REQUESTER,
    ]


# --- clocks that are set


@pytest.mark.parametrize("step", [-3600, 3600])
async def test_while_the_others_follow_a_step_of_the_stores_clock_nothing_is_recovered(
    scene: Scene, step: float
) -> None:
    waiting = await scene.waiting()
    running, ready = await begun(scene), await scene.ready()
    scene.notifier.delivered.clear()
    scene.clock.step(step)
    await scene.tick()
    scene.clock.advance(29.9)
    await scene.tick()
    assert [scene.stored(kick) for kick in (waiting, running, ready)] == [waiting, running, ready]
    scene.clock.advance(0.1)
    await scene.tick()
    states = [scene.stored(kick).state for kick in (waiting, running, ready)]
    assert states == [State.EXPIRED, State.DONE, State.EXPIRED]
    assert scene.gateway.sent == []


async def test_a_living_owner_renews_its_lease_while_the_store_clock_is_followed(
    scene: Scene,
) -> None:
    running = await begun(scene)
    scene.clock.step(3600)
    await scene.tick()
    scene.clock.advance(29)
    renewed = running.renew(scene.clock.now())
    await scene.store.transition(running, renewed)
    scene.clock.advance(1)
    await scene.tick()
    assert scene.stored(running) == renewed


async def test_a_pause_after_a_failure_does_not_wait_for_the_old_time(scene: Scene) -> None:
    kick = await scene.ready()
    scene.gateway.errors["active_session"] = [ZeroDivisionError("a bug")]
    await scene.run(kick)
    assert scene.stored(kick).state is State.READY
    scene.clock.step(-3600)
    for _ in range(2):
        await scene.tick()
        scene.clock.advance(30)
    await scene.tick()
    assert scene.stored(kick).state is State.EXPIRED


@pytest.mark.parametrize("state", [State.WAITING, State.READY, State.RUNNING])
async def test_after_a_restart_with_the_clock_set_back_nothing_hangs(
    scene: Scene, state: State
) -> None:
    make = {State.WAITING: scene.waiting, State.READY: scene.ready}.get(state)
    kick = await make() if make else await begun(scene)
    scene.clock.time -= timedelta(hours=1)
    await scene.tick()
    ended = scene.stored(kick)
    assert ended.state is (State.DONE if state is State.RUNNING else State.EXPIRED)
    assert scene.gateway.sent == []


async def test_after_such_a_restart_a_message_is_delivered_at_once(scene: Scene) -> None:
    await scene.submitted(requester=MAX, needs_approval=True)
    scene.clock.time -= timedelta(hours=1)
    await scene.tick()
    assert MessageKind.CARD in scene.notifier.kinds()


# --- modals of kicks that another process runs


async def test_whoever_waits_for_a_kick_of_another_process_is_shown_its_end(scene: Scene) -> None:
    ready, ended = await scene.ready(), await scene.ready()
    other = scene.process("two")
    other.kick_service.start(ended)
    await scene.spawn.finish()
    scene.notifier.shown.clear()
    scene.notifier.watched = [ready.id, ended.id, KickId("none")]
    await scene.tick()
    assert scene.notifier.shown == [scene.stored(ended)]


async def test_that_a_watched_kick_can_not_be_read_is_survived(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.store.down["get_kick"] = 1
    scene.notifier.watched = [KickId("k1")]
    await scene.tick()
    assert "overdue work can't be read: the database is locked" in caplog.text
    assert scene.notifier.shown == []


# --- errors


async def test_a_store_that_is_down_is_looked_into_the_next_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    kick = await scene.ready()
    scene.clock.advance(5)
    scene.store.lost["overdue_kicks"] = 1
    await scene.tick()
    assert scene.stored(kick) == kick
    assert "overdue work can't be read: the connection broke" in caplog.text
    await scene.tick()
    assert scene.stored(kick).state is State.DONE


@pytest.mark.parametrize("faulty", [False, True])
async def test_it_looks_at_once_and_every_two_seconds_until_it_is_cancelled(
    scene: Scene, *, faulty: bool
) -> None:
    ticks: list[datetime] = []
    enough = asyncio.Event()

    class Watched(FlakyStore):
        async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
            ticks.append(now)
            if len(ticks) == 4:
                enough.set()
            if faulty and len(ticks) == 2:
                raise ZeroDivisionError
            return await super().overdue_kicks(now)

    scene.store = Watched()
    scene.use(scene.process("two"))
    task = asyncio.create_task(scene.reconciler.run())
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await scene.spawn.finish()
    assert [(tick - NOW).total_seconds() for tick in ticks[:4]] == [
        TICK_INTERVAL * at for at in range(4)
    ]


# --- deliveries


class HeldNotifier(FakeNotifier):
    """Delivers when a test says so."""

    def __init__(self, store: FlakyStore) -> None:
        super().__init__(store)
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        self.begun.set()
        await self.go.wait()
        return await super().deliver(message, kick)


async def test_deliveries_do_not_overlap_and_hold_nothing_up() -> None:
    scene = Scene()
    scene.notifier = held = HeldNotifier(scene.store)
    scene.use(scene.process("two"))
    await scene.submitted(requester=MAX, needs_approval=True)
    scene.clock.advance(30)
    await scene.reconciler.tick()
    delivering = asyncio.create_task(scene.spawn.finish())
    await held.begun.wait()
    kick = await scene.ready()
    scene.clock.advance(5)
    await scene.reconciler.tick()
    # The running delivery is not started again, and other overdue work is recovered.
    assert len(scene.spawn.pending) == 1
    held.go.set()
    await delivering
    assert scene.stored(kick).state is State.DONE
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.RESULT]
    await scene.reconciler.tick()
    assert len(scene.spawn.pending) == 1
    await scene.spawn.finish()


async def test_after_a_delivery_that_broke_the_next_look_delivers_again(scene: Scene) -> None:
    class Broken(FlakyStore):
        failures = 1

        async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
            if self.failures:
                self.failures -= 1
                raise ZeroDivisionError
            return await super().overdue_messages(now)

    scene.store = Broken()
    scene.use(scene.process("two"))
    await scene.submitted(requester=MAX, needs_approval=True)
    scene.clock.advance(30)
    with pytest.raises(ZeroDivisionError):
        await scene.tick()
    await scene.tick()
    assert scene.notifier.kinds() == [MessageKind.CARD]
