"""The short form of the clocks that are apart. It also checks that they are."""

import asyncio
import re
import signal
from typing import Any

import pytest

from tests.faults.clocks import CASES, HOUR, KICK_3, Case, play
from tests.faults.clocks import _start as start
from tests.faults.stage import LIVE, PATIENCE, stage
from tests.journeys.steps import Running

SEED = 3
APART = Case("90 s apart", [[0], [90]], calls=KICK_3)


async def test_clocks_that_are_apart_in_short_find_nothing(postgres_server: Any) -> None:
    tally = await play(postgres_server, APART, seed=SEED, requests=3)
    assert tally.findings == []
    assert tally.is_clean
    assert tally.cases == 3


def test_all_distances_are_played() -> None:
    ahead = {number for case in CASES for clock in case.ahead for number in clock}
    assert ahead >= {sign * far for far in (2, 12, 90, HOUR) for sign in (1, -1)}


async def test_a_process_has_the_clock_that_it_was_given_and_says_so(postgres_server: Any) -> None:
    async with stage(postgres_server, people=3, seed=SEED) as opened:
        bot = await start(opened, [90, -HOUR, 0])
        assert await _off(bot, "Slack's", 1) == [pytest.approx(90, abs=5)]
        assert await _off(bot, "the database's", 1) == [pytest.approx(90, abs=5)]
        await opened.person(0).command(LIVE, "/kick")
        assert await _off(bot, "RealtimeKit's", 1) == [pytest.approx(90, abs=5)]
        bot._process.send_signal(signal.SIGUSR1)
        assert (await _off(bot, "the database's", 2))[1:] == [pytest.approx(-HOUR, abs=5)]


async def _off(bot: Running, whose: str, count: int) -> list[float]:
    """Wait until the log has said so often by how much the clock is off."""
    async with asyncio.timeout(PATIENCE):
        while len(found := re.findall(rf"clock is (\S+) s off {whose}", bot.text)) < count:
            bot._more.clear()
            await bot._more.wait()
    return [float(seconds) for seconds in found]
