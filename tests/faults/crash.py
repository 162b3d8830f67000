"""The crash matrix: the bot is killed before and after every effect, and started again.

The effects are not chosen by hand: one run of each walk records them, and each is a point. The bot
is also killed while RealtimeKit is working on a kick call.
"""

import ast
import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.conftest import _postgres
from tests.faults.ledger import Tally, audit, is_settled
from tests.faults.lives import Home, Life, life
from tests.faults.mortal import KICK
from tests.faults.walks import DIRECT, PATIENCE, WALKS, Walk
from tests.sandbox.sandbox import ROOT

NAME = "crash"
SQLITE, POSTGRES = "SQLite", "PostgreSQL"
FINAL_WITHIN = 30.0  # seconds until every kick must be final
TOLD_WITHIN = 45.0  # seconds until every message must be delivered
LOOK_EVERY = 1.0
DIES_WITHIN = 3.0  # seconds in which the last effects may still come after everything else
# The number of bots at once, most of which wait: PostgreSQL allows 100 connections.
AT_ONCE = {SQLITE: 60, POSTGRES: 20}
BUSY_AT_ONCE = 5
# This effect comes before the bot is up, and is the same in every walk.
STARTING = "store: start #1"
# These change nothing, so a death there is equal to a death after the previous effect.
READS = ("slack: auth.test ", "slack: users.info ", "slack: usergroups.users.list ")

UNREACHED = "was not reached"
# Concurrent effects may come in another order, or once less, than in the recording.
MAY_BE_UNREACHED = 0.05

HELD: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "while its call is held, its effect done": ("slow", {"seconds": 20}),
    "while its call is held, its effect to come": ("slow", {"seconds": 3, "late": True}),
    "while its call hangs": ("hang", {}),
}


@dataclass(frozen=True, slots=True)
class Point:
    """Where a bot dies: in which walk, on which database, and when (empty: never)."""

    walk: Walk
    database: str = SQLITE
    dies: str = ""
    held: str = ""

    def __str__(self) -> str:
        return f"{self.walk.name}, {self.database}, killed {self.dies or self.held or 'never'}"


class Homes:
    """Makes homes for bots, on either database, and removes them afterwards."""

    def __init__(self, folder: Path, postgres: Any) -> None:
        self._folder = folder
        self._postgres = postgres
        self.turns = asyncio.Semaphore(BUSY_AT_ONCE)
        self._slots = {name: asyncio.Semaphore(count) for name, count in AT_ONCE.items()}

    @asynccontextmanager
    async def home(self, database: str) -> AsyncIterator[Home]:
        """Yield a home, as soon as fewer bots run than are allowed at once."""
        async with self._slots[database], AsyncExitStack() as stack:
            folder = self._folder / uuid4().hex
            folder.mkdir()
            if database == SQLITE:
                yield Home(folder, f"sqlite:///{folder / 'kickbot.db'}")
            else:
                url = await asyncio.to_thread(self._create, folder.name)
                stack.push_async_callback(asyncio.to_thread, self._drop, folder.name)
                yield Home(folder, url)

    def _create(self, name: str) -> str:
        self._do("CREATE DATABASE {}", name)
        return str(self._postgres.get_uri(database=name))

    def _drop(self, name: str) -> None:
        self._do("DROP DATABASE {} WITH (FORCE)", name)

    def _do(self, statement: str, name: str) -> None:
        with psycopg.connect(self._postgres.get_uri(), autocommit=True) as db:
            db.execute(sql.SQL(statement).format(sql.Identifier(name)))


# One run


async def crash(point: Point, homes: Homes) -> tuple[Tally, list[str]]:
    """Kill a bot at a point and start it again. Return the audit and the bot's effects.

    If the point is not reached, try once more: concurrent effects may come in another order.
    """
    tally, effects = await _crash(point, homes)
    return (tally, effects) if tally.cases else await _crash(point, homes)


async def _crash(point: Point, homes: Homes) -> tuple[Tally, list[str]]:
    async with homes.home(point.database) as home:
        try:
            tally = await _judged(point, home, homes.turns)
        except* Exception as group:  # noqa: BLE001 - whatever it is, it is a finding
            tally = Tally(NAME, cases=1)
            said = home.says.read_text()[-2000:] if home.says.exists() else ""
            tally.find("lost", f"{group.exceptions!r}\n{said}")
        tally.findings = [f"{point}: {finding}" for finding in tally.findings]
        effects = home.effects.read_text().splitlines() if home.effects.exists() else []
        return tally, effects


async def _judged(point: Point, home: Home, turns: asyncio.Semaphore) -> Tally:
    async with life(home, point.walk, turns, point.dies) as led:
        if point.held:
            held = asyncio.create_task(_kill_while_held(led, point.held))
        await led.walk()
        if point.held:
            await held
        final_after = await _rest(led, awaited=bool(point.dies))
        tally = await audit(led.sandbox, led.store, name=NAME)
    # If the bot dies between a post and its record, one duplicate cannot be avoided.
    tally.allowed = min(tally.duplicates, 1) if led.died.is_set() else 0
    tally.cases = 1
    if final_after > FINAL_WITHIN:
        tally.find("lost", f"final only after {final_after:.0f} s")
    if (point.dies or point.held) and not led.died.is_set():
        tally.cases = 0
        tally.findings.append(UNREACHED)
    return tally


async def _kill_while_held(led: Life, held: str) -> None:
    realtimekit = led.sandbox.realtimekit
    fault, how = HELD[held]
    realtimekit.faults.switch_on(fault, op="kick", **how)
    done = fault == "slow" and not how.get("late")
    await realtimekit.until(
        lambda: (
            any(call.op == "kick" for call in realtimekit.calls)
            and bool(realtimekit.world.kicks or not done)
        ),
        within=PATIENCE,
    )
    led.kill()
    realtimekit.faults.switch_off()


async def _rest(led: Life, *, awaited: bool) -> float:
    """Wait until all kicks are final and reported. Return the seconds until all were final.

    `awaited`: the bot may still die. If it does, wait until it is back, and begin again.
    """
    if led.died.is_set():
        await led.back()
        awaited = False
    loop = asyncio.get_running_loop()
    began, final_after = loop.time(), TOLD_WITHIN
    while loop.time() - began < TOLD_WITHIN and not (awaited and led.died.is_set()):
        is_settled_now = await is_settled(led.store)
        if final_after == TOLD_WITHIN and await led.is_over():
            final_after = loop.time() - began
        if is_settled_now:
            break
        await asyncio.sleep(LOOK_EVERY)
    if awaited and await _dies_after_all(led):
        return await _rest(led, awaited=False)
    return final_after


async def _dies_after_all(led: Life) -> bool:
    try:
        async with asyncio.timeout(DIES_WITHIN):
            await led.died.wait()
    except TimeoutError:
        return False
    return True


# All of them


async def record(homes: Homes, walks: Sequence[Walk] = WALKS) -> tuple[Tally, dict[str, list[str]]]:
    """Run every walk without a death. Return the effects of each, in order."""
    runs = await asyncio.gather(*(crash(Point(walk), homes) for walk in walks))
    effects = {walk.name: lines for walk, (_, lines) in zip(walks, runs, strict=True)}
    return reduce(add, (tally for tally, _ in runs)), effects


def points(effects: Mapping[str, Sequence[str]], database: str) -> list[Point]:
    """List the points of the matrix on one database."""
    found = []
    for walk in WALKS:
        lines = different([line for line in effects[walk.name] if not _is_read(line)])
        if walk is not DIRECT:
            lines = [line for line in lines if not line.endswith(STARTING)]
        found += [Point(walk, database, dies=line) for line in lines]
    return found + [Point(DIRECT, database, held=held) for held in HELD]


def _is_read(line: str) -> bool:
    return line.partition(" ")[2].startswith(READS)


def different(lines: Sequence[str]) -> list[str]:
    """Leave out the points that are equal to another one.

    The point before an effect is equal to the point after the previous effect, unless effects
    overlap (`before A, before B, after A`).
    """
    pairs = zip(["", *lines], lines, strict=False)
    return [line for last, line in pairs if not (_is_after(last) and not _is_after(line))]


def _is_after(line: str) -> bool:
    return line.startswith("after ")


async def run(seed: int, postgres: Any = None) -> list[Tally]:
    """Run the whole matrix. The seed changes nothing, because nothing here is random."""
    del seed
    with ExitStack() as stack:
        server = postgres or stack.enter_context(_postgres())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kickbot-crash-")))
        homes = Homes(folder, server)
        total, effects = await record(homes)
        for effect in unreached(effects.values()):
            total.find("lost", f"no walk reaches {effect}")
        todo = [one for database in AT_ONCE for one in points(effects, database)]
        runs = await asyncio.gather(*(crash(point, homes) for point in todo))
    total = reduce(add, (tally for tally, _ in runs), total)
    missed = sum(not tally.cases for tally, _ in runs)
    if missed > MAY_BE_UNREACHED * len(todo):
        total.find("lost", f"{missed} of {len(todo)} points were not reached")
    return [total]


# Is everything reached?

METHOD = re.compile(r"[a-z]+(\.[a-zA-Z]+)+")
UNREACHABLE: Mapping[str, str] = {}


def unreached(recordings: Iterable[Sequence[str]]) -> list[str]:
    """List the effects in the code that no recording shows."""
    seen = {
        re.sub(r"^(before|after) (.*) #\d+$", r"\2", line) for one in recordings for line in one
    }
    firsts = seen | {" ".join(one.split(" ")[:2]) for one in seen}
    return sorted((in_the_code() | {KICK}) - firsts - UNREACHABLE.keys())


def in_the_code() -> set[str]:
    """Return the effects that the code can have: Slack methods, and writes to the store."""
    slack = {one for path in (ROOT / "bot" / "slack").rglob("*.py") for one in _called(path)}
    return slack | _writes(ROOT / "bot" / "store" / "sql.py")


def _called(path: Path) -> Iterable[str]:
    """Yield the Slack methods that a module names in a call."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            given = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
            yield from (f"slack: {one}" for one in given if METHOD.fullmatch(one))
            if isinstance(node.func, ast.Name) and node.func.id == "respond":
                yield "slack: response_url"


def _writes(path: Path) -> set[str]:
    store = next(
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == "SqlStore"
    )
    methods = [one for one in store.body if isinstance(one, ast.AsyncFunctionDef)]
    return {f"store: {one.name}" for one in methods if "_database.write" in ast.unparse(one)}
