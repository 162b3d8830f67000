import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.core import evidence
from bot.core.outbox import Outbox
from bot.core.outbox_message import MessageKind, OutboxMessage
from bot.core.ports import KickCall
from bot.core.runner import KickRunner
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.modals import Modals
from bot.slack.notifier import SlackNotifier
from tests.clocks import HastyClock
from tests.faults import storm
from tests.faults.humans import Wish
from tests.faults.journey import MOMENTS, Journey
from tests.faults.ledger import Tally
from tests.faults.weather import (
    AT_A_KICK,
    COSTLY,
    NOT_PLAYED,
    REALTIMEKIT,
    SLACK,
    PlannedFault,
    SlackTime,
    draw,
)
from tests.faults.worlds import World, listening, opened
from tests.sandbox.realtimekit import REALTIMEKIT_FAULTS
from tests.sandbox.slack import SLACK_FAULTS


async def test_a_storm_leaves_nothing_behind() -> None:
    (tally,) = await storm.run(seed=14, journeys=24, processes=1, in_a_world=2)
    assert tally.findings == [one for one in tally.findings if one.startswith("duplicates")]
    assert tally.cases == 24


class TestTheWeather:
    def test_knows_every_fault_of_slack(self) -> None:
        assert set(SLACK) == set(SLACK_FAULTS)

    def test_knows_every_fault_of_realtimekit(self) -> None:
        assert {*REALTIMEKIT, *COSTLY, *NOT_PLAYED} == set(REALTIMEKIT_FAULTS)
        assert set(AT_A_KICK) <= set(REALTIMEKIT)

    def test_repeats_with_its_seed(self) -> None:
        first, second = ([draw(rng) for _ in range(50)] for rng in _two_alike())
        assert first == second


def _two_alike() -> Iterator[random.Random]:
    yield random.Random(7)  # noqa: S311 - draws that repeat
    yield random.Random(7)  # noqa: S311 - draws that repeat


class TestTheHastyClock:
    async def test_lets_a_long_sleep_take_no_time_but_makes_it_later(self) -> None:
        clock, loop = HastyClock(), asyncio.get_running_loop()
        before, started = clock.now(), loop.time()
        await clock.sleep(600)
        assert (clock.now() - before).total_seconds() >= 600
        assert loop.time() - started < 5

    async def test_passes_once_for_two_who_sleep_side_by_side(self) -> None:
        clock = HastyClock()
        before = clock.now()
        await asyncio.gather(clock.sleep(600), clock.sleep(600))
        assert (clock.now() - before).total_seconds() < 610

    async def test_wakes_who_sleeps_shortly_when_it_is_later(self) -> None:
        clock = HastyClock()
        async with asyncio.timeout(1):
            sleeper = asyncio.create_task(clock.sleep(2))
            await asyncio.sleep(0)
            clock.pass_by(2)
            await sleeper

    async def test_is_slacks_time_too(self) -> None:
        clock = HastyClock()
        slack, before = SlackTime(clock), clock.now()
        slack.advance(60)
        assert slack() == pytest.approx(clock.now().timestamp(), abs=1)
        assert (clock.now() - before).total_seconds() >= 60


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = f"sqlite:///{tmp_path / 'kickbot.db'}"
    with listening():
        async with opened(storm.NAME, database, second_person="never") as here:
            yield here


async def played(world: World, *faults: PlannedFault) -> Tally:
    """Play a journey of one kick, with these faults during its call."""
    person = world.sandbox.demo.mallory
    wish = Wish("C0LIVE", [person], "spamming links")
    strikes: dict[str, list[PlannedFault]] = {moment: [] for moment in MOMENTS}
    strikes["kick"] += faults
    calm = random.Random(0)  # noqa: S311 - as above
    await storm.travel(world, Journey(0, 0, "U0MAYA", wish, "forget", strikes, calm))
    return world.tally


class TestAPlantedFaultIsFound:
    async def test_not_where_there_is_none(self, world: World) -> None:
        tally = await played(world, PlannedFault("realtimekit", "closed_after", 1, {"op": "kick"}))
        assert tally.findings == []
        assert len(world.sandbox.demo.world.kicks) == 1

    async def test_a_call_that_is_sent_twice(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        once = KickRunner._send

        async def twice(
            self: KickRunner, target: Target, call: KickCall
        ) -> tuple[str, ...] | Exception:
            named = await once(self, target, call)
            await once(self, target, call)
            return named

        monkeypatch.setattr(KickRunner, "_send", twice)
        tally = await played(world)
        assert tally.doubled == 1

    async def test_a_result_that_is_dropped(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deliver = Outbox._deliver

        async def drop(self: Outbox, notice: OutboxMessage) -> None:
            if notice.kind is MessageKind.RESULT:
                await self.store.update_message(notice, notice.delivered(None, None))
            else:
                await deliver(self, notice)

        monkeypatch.setattr(Outbox, "_deliver", drop)
        tally = await played(world)
        assert tally.lost == 1
        assert "nobody was told" in tally.findings[0]

    async def test_somebody_who_is_called_gone_and_is_not(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = (Outcome.GONE, OutcomeReason.LEFT, None)
        monkeypatch.setattr(evidence, "evidence", lambda *_: gone)
        tally = await played(world, PlannedFault("realtimekit", "closed_before", 1, {"op": "kick"}))
        assert tally.misreported == 1
        assert "gone" in tally.findings[0]

    async def test_a_view_that_loads_for_ever(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: Any) -> None:
            return None

        monkeypatch.setattr(Modals, "show", never)
        monkeypatch.setattr("tests.faults.humans.TRIES", 1)
        tally = await played(world)
        assert tally.lost >= 1
        assert "closed what was never filled" in tally.findings[0]

    async def test_a_stumble_of_the_bot(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def stumble(*_: Any) -> None:
            raise KeyError("nobody expected that")

        monkeypatch.setattr(SlackNotifier, "update_modals", stumble)
        monkeypatch.setattr(storm, "LISTENS", 2)
        tally = await played(world)
        assert any("a fault of the bot" in one for one in tally.findings)
