"""The short form of the crash matrix. It also checks that the list of effects is complete."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest

from tests.faults import crash
from tests.faults.crash import POSTGRES, SQLITE, Homes, Point
from tests.faults.ledger import Tally
from tests.faults.mortal import DIES, EFFECTS
from tests.faults.walks import LOST_ANSWER, WALKS
from tests.machine import ACKS_WITHIN
from tests.sandbox.sandbox import ROOT, open_sandbox

STRIDE, OFFSET = 22, 9
"""The points that are played here: every 22nd, which includes each walk. The offset avoids points
at which a process dies before it posts a message: the next process would wait half a minute."""
ON_POSTGRES = slice(2, 4)
ONE_WORKER = pytest.mark.xdist_group("crash")  # what `short` finds costs half a minute
DIES_AT = "after store: start #1"

Recordings = dict[str, list[str]]


@pytest.fixture(scope="session")
def short(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Any
) -> tuple[Tally, Recordings]:
    homes = Homes(tmp_path_factory.mktemp("homes"), postgres_server)
    return asyncio.run(_short(homes))


async def _short(homes: Homes) -> tuple[Tally, Recordings]:
    """Record every walk, and play some points of the quick ones."""
    lasting = asyncio.create_task(crash.record(homes, [LOST_ANSWER]))
    tally, effects = await crash.record(homes, [one for one in WALKS if one is not LOST_ANSWER])
    runs = await asyncio.gather(*(crash.crash(one, homes) for one in _picked(effects)))
    lasted, more = await lasting
    return reduce(add, (one for one, _ in runs), tally + lasted), effects | more


def _picked(effects: Recordings) -> Sequence[Point]:
    points = crash.points(effects | {LOST_ANSWER.name: []}, SQLITE)[OFFSET::STRIDE]
    return points + [Point(one.walk, POSTGRES, one.dies) for one in points[ON_POSTGRES]]


@ONE_WORKER
def test_a_bot_that_is_killed_loses_nothing_doubles_nothing_and_says_no_false_thing(
    short: tuple[Tally, Recordings],
) -> None:
    tally, effects = short

    assert tally.is_clean, tally.findings
    assert tally.cases == len(WALKS) + len(_picked(effects))


@ONE_WORKER
def test_every_effect_in_the_code_is_reached_by_some_walk(short: tuple[Tally, Recordings]) -> None:
    _, effects = short

    assert crash.unreached(effects.values()) == []


def test_an_effect_that_no_walk_reaches_is_found() -> None:
    assert "slack: chat.postMessage" in crash.in_the_code()
    assert {"store: add", "store: transition", "store: update_message"} <= crash.in_the_code()
    assert set(crash.unreached([["before store: add ready #1"]])) == (
        crash.in_the_code() | {"kick call"}
    ) - {"store: add"}


def test_what_nothing_outside_can_tell_apart_is_one_point() -> None:
    lines = ["before A", "before B", "after B", "before C", "after A", "after C"]

    assert crash.different(lines) == ["before A", "before B", "after B", "after A", "after C"]


async def test_the_turnstile_kills_the_bot_where_it_is_told_to(
    tmp_path: Path, sqlite_url: str
) -> None:
    async with open_sandbox(ack_timeout=ACKS_WITHIN) as sandbox:
        effects = tmp_path / "effects"
        told = {EFFECTS: str(effects), DIES: DIES_AT, "PYTHONPATH": str(ROOT)}
        environment = sandbox.settings(http=False, database_url=sqlite_url) | told
        command = (sys.executable, "-m", "tests.faults.mortal", "run")
        bot = await asyncio.create_subprocess_exec(*command, env=environment)
        code = await bot.wait()

    assert code == -signal.SIGKILL
    assert effects.read_text().splitlines()[-2:] == ["before store: start #1", DIES_AT]
