"""The crash matrix: the bot is killed at every effect, before it and after it, and started again.

The effects are not picked: one run of each walk writes them down, and each is a point. Besides, the
bot is killed while RealtimeKit has a kick call in its hands.
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
TOLD_WITHIN = 45.0  # seconds until everything owed must be delivered
LOOK_EVERY = 1.0
DIES_WITHIN = 3.0  # seconds after everything else that the last effects may still take
# So many bots at once, most of which wait: a PostgreSQL lets in 100 connections.
AT_ONCE = {SQLITE: 60, POSTGRES: 20}
BUSY_AT_ONCE = 5
# This comes before the bot is up, and is the same in every walk.
STARTING = "store: start #1"
# These change nothing: a death around them is a death after the effect before them.
READS = ("slack: auth.test ", "slack: users.info ", "slack: usergroups.users.list ")

UNREACHED = "was not reached"
# What happens side by side may happen in another order, or once less, than when it was recorded.
MAY_BE_UNREACHED = 0.05

HELD: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "while its call is held, its effect done": ("slow", {"seconds": 20}),
    "while its call is held, its effect to come": ("slow", {"seconds": 3, "late": True}),
    "while its call hangs": ("hang", {}),
}


@dataclass(frozen=True, slots=True)
class Point:
    """Where a bot dies: in which walk, on which database, and when; never, if that is empty."""

    walk: Walk
    database: str = SQLITE
    dies: str = ""
    held: str = ""

    def __str__(self) -> str:
        return f"{self.walk.name}, {self.database}, killed {self.dies or self.held or 'never'}"


class Homes:
    """Makes homes for bots, on either database, and clears them away."""

    def __init__(self, folder: Path, postgres: Any) -> None:
        self._folder = folder
        self._postgres = postgres
        self.turns = asyncio.Semaphore(BUSY_AT_ONCE)
        self._rooms = {name: asyncio.Semaphore(count) for name, count in AT_ONCE.items()}

    @asynccontextmanager
    async def home(self, database: str) -> AsyncIterator[Home]:
        """Make a home once there is room for one more."""
        async with self._rooms[database], AsyncExitStack() as stack:
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
    """Let a bot die at a point and live again; judge what is left, and list its effects.

    A point that is not reached is tried once more: what happens side by side may happen in
    another order.
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
    # Once told twice is what a death between the telling and the writing down can't avoid.
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
    """Wait until all is final and told; return how long it took until all was final.

    `awaited`: the bot is yet to die, maybe; then it is waited for, and all begins anew.
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
    """Let every walk happen without a death, and list its effects in order."""
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
    """Leave out what nothing outside could tell apart: before an effect is after the one before.

    Only where effects overlap (`before A, before B, after A`) each is a point of its own.
    """
    pairs = zip(["", *lines], lines, strict=False)
    return [line for last, line in pairs if not (_is_after(last) and not _is_after(line))]


def _is_after(line: str) -> bool:
    return line.startswith("after ")


async def run(seed: int, postgres: Any = None) -> list[Tally]:
    """Run the whole matrix; the seed changes nothing, since nothing here is left to chance."""
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
    """Collect from the code what it can do to the outside: Slack's methods, and store writes."""
    slack = {one for path in (ROOT / "bot" / "slack").glob("*.py") for one in _called(path)}
    return slack | _writes(ROOT / "bot" / "store" / "sql.py")


def _called(path: Path) -> Iterable[str]:
    """Find the Slack methods that a module names in a call, on whichever way they go."""
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
