"""Processes whose wall clocks are apart, or are set in the middle of a kick.

Something is slow meanwhile, so that another process has the time to do harm: a call must last for
longer than the others believe that it can.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any

import psycopg

from bot.core.event import EventKind
from tests.conftest import _postgres as postgres
from tests.faults.judge import calls_by_target, judge, settled
from tests.faults.ledger import Tally
from tests.faults.owners import make_ready
from tests.faults.races import APPROVE, Lane, Move, lanes_of, race
from tests.faults.skewed import AHEAD
from tests.faults.stage import PATIENCE, PLENTY, Stage, stage
from tests.journeys.steps import Running

HOUR = 3600.0
AT_ONCE = 5  # stages
SET_EVERY = 0.7  # seconds


@dataclass(frozen=True, slots=True)
class Case:
    """One stage: how far the clock of each process is ahead, and what is slow.

    A process has several numbers if its clock is set in the middle of the kicks. `calls` and
    `posts` are parameters of the fault "slow" of the stand-ins. `dies`: the first process is killed
    in the middle of its kicks, and the others take them over. `server`: the clock of PostgreSQL is
    set by so many seconds in the middle of all kicks.
    """

    name: str
    ahead: Sequence[Sequence[float]]
    calls: Mapping[str, Any] = field(default_factory=dict)
    posts: Mapping[str, Any] = field(default_factory=dict)
    dies: bool = False
    server: float = 0.0


KICK_3 = {"op": "kick", "seconds": 3.0}
KICK_7 = {"op": "kick", "seconds": 7.0}
READ = {"op": "active-session", "seconds": 2.5}
POST = {"method": "chat.postMessage", "seconds": 3.0}
# A function of the bot's own schema hides the server's.
MOVABLE = """
CREATE TABLE clock_ahead AS SELECT 0::float AS seconds;
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM public.clock_ahead';
DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET search_path = public, pg_catalog'',
current_database()); END';
"""
BACK_AND_FORTH = (0, HOUR, 0, -HOUR, 0, 90, -90, 12, -12, 2, -2)
CASES = (
    Case("calls of 3 s, 90 s apart", [[0], [24], [90], [-90]], calls=KICK_3),
    Case("calls of 7 s, 12 s apart", [[0], [12], [-12], [2], [-2]], calls=KICK_7),
    Case("reads of 2.5 s, 90 s apart", [[0], [90], [-90]], calls=READ),
    Case("posts of 3 s, 90 s apart", [[0], [90], [-90]], posts=POST),
    Case("an hour apart", [[0], [HOUR], [-HOUR]], calls=KICK_3, posts=POST),
    Case("set back and forth", [BACK_AND_FORTH, [0], BACK_AND_FORTH[::-1]], calls=KICK_7),
    Case("the server set back", [[0], [0], [90]], calls=KICK_7, server=-HOUR),
    Case("the server set ahead", [[0], [0], [-90]], calls=KICK_7, server=HOUR),
    Case("an hour behind who died", [[0], [-HOUR]], calls=KICK_7, dies=True),
)


async def run(seed: int, cases: Sequence[Case] = CASES, requests: int = 4) -> list[Tally]:
    """Run all cases, some of them at once."""
    few = asyncio.Semaphore(AT_ONCE)
    with postgres() as server:

        async def one(case: Case) -> Tally:
            async with few:
                return await play(server, case, seed=seed, requests=requests)

        return [reduce(add, await asyncio.gather(*map(one, cases)), Tally("clocks apart"))]


async def play(server: Any, case: Case, *, seed: int, requests: int) -> Tally:
    """Play one case with this many kicks, all at once, and audit it. No message may come twice."""
    async with stage(server, people=3 * requests, seed=seed) as opened:
        if case.calls:
            opened.sandbox.realtimekit.faults.switch_on("slow", **case.calls)
        if case.posts:
            opened.sandbox.slack.faults.switch_on("slow", **case.posts)
        tally = await (_survived if case.dies else _decided)(opened, case, requests)
        findings = [f"{case.name}: {one}" for one in tally.findings]
        return replace(tally, allowed=0, findings=findings)


async def _decided(stage: Stage, case: Case, requests: int) -> Tally:
    """Let users approve all requests, while the clocks are set."""
    async with _movable(stage.database) as server:
        bots = await asyncio.gather(*(_start(stage, ahead) for ahead in case.ahead))
        times = max(map(len, case.ahead)) - 1
        setting = [
            asyncio.create_task(_set_clocks(stage, bots, times)),
            asyncio.create_task(_set_server(stage, server, requests, case.server)),
        ]
        lanes = lanes_of(stage, requests)
        raced = await race(stage, case.name, _approve, cases=requests, lanes=lanes)
        await settled(stage.store)
        await asyncio.gather(*setting)
    tally = await judge(stage, case.name, raced.kicks, raced.told, real_time=not case.server)
    for kick in await stage.store.history(PLENTY):
        events = await stage.store.events(kick.id)
        if any(one.kind is EventKind.TAKEN_OVER for one in events):
            tally.find("doubled", f"kick #{kick.number} was taken over from who runs it")
    return tally


@asynccontextmanager
async def _movable(database: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Put a clock that can be set in front of the server's, for all later connections."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as db:
        await db.execute(MOVABLE)
        yield db


async def _set_server(
    stage: Stage, server: psycopg.AsyncConnection[Any], calls: int, seconds: float
) -> None:
    await _calls(stage, calls)
    await server.execute("UPDATE clock_ahead SET seconds = %s", [seconds])


def _approve(lane: Lane, _: random.Random) -> list[Move]:
    return [Move(lane[1], APPROVE)]


async def _survived(stage: Stage, case: Case, requests: int) -> Tally:
    """Kill the process that runs the kicks. The others are started then."""
    owner = await _start(stage, case.ahead[0])
    for one in stage.crowd(requests):
        await make_ready(stage, one)
    await _calls(stage, requests)
    await owner.kill()
    await asyncio.gather(*(_start(stage, ahead) for ahead in case.ahead[1:]))
    await settled(stage.store)
    kicks = await stage.store.history(PLENTY)
    return await judge(stage, case.name, [kick.id for kick in kicks], ())


async def _start(stage: Stage, ahead: Sequence[float]) -> Running:
    settings = {AHEAD: ",".join(map(str, ahead))}
    (bot,) = await stage.start(1, module="tests.faults.skewed", **settings)
    return bot


async def _set_clocks(stage: Stage, bots: Sequence[Running], times: int) -> None:
    """Set the clocks of the processes again and again, from the first call on."""
    await _calls(stage, 1)
    for _ in range(times):
        for bot in bots:
            bot._process.send_signal(signal.SIGUSR1)
        await asyncio.sleep(SET_EVERY)


async def _calls(stage: Stage, count: int) -> None:
    """Wait until so many kick calls have come."""
    await stage.sandbox.realtimekit.until(
        lambda: calls_by_target(stage.sandbox).total() >= count, within=PATIENCE
    )
