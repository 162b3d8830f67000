"""Take-over: the owners of running kicks stop for longer than their leases, and then continue.

The process that takes over reads, and never calls. The old owner gets a version conflict.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString

import psycopg

from bot.core.event import EventKind
from bot.core.kick import Kick, KickId, State, UserId
from bot.core.timing import RECOVER_AFTER
from tests.faults.judge import calls_by_target, judge, settled
from tests.faults.ledger import Tally
from tests.faults.stage import PATIENCE, PLENTY, Stage
from tests.journeys.steps import Running
from tests.sandbox.realtimekit import Participant

OUTLIVED = 3.0  # seconds in which an old owner could do something wrong
HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.what = 'called') EXECUTE FUNCTION hold();
SELECT pg_advisory_lock(1);
"""
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
MARKED = "SELECT count(*) FROM events WHERE what = 'called'"


async def race_owners(stage: Stage, *, held: int, cases: int, owners: int, spread: float) -> Tally:
    """Stop the owners of running kicks for longer than their leases, and let them continue.

    One owner is stopped when it has marked `held` targets and called for none of them. The others
    are stopped at random moments. The `cases` kicks begin within `spread` seconds. Another process
    takes over their kicks.
    """
    # A call has its effect long before the reply, or right before it.
    late = stage.rng.random() < 0.5
    stage.sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=2, late=late)
    crowd = stage.crowd(held + cases)
    stopped = [await _stopped_at_the_mark(stage, crowd[:held])] if held else []
    running = await stage.start(owners)
    for number, target in enumerate(crowd[held:]):
        await make_ready(stage, target, begins_in=spread * number / cases)
    await stage.sandbox.realtimekit.until(
        lambda: bool(calls_by_target(stage.sandbox)), within=PATIENCE
    )
    await asyncio.gather(*(_stop(bot, stage.rng.uniform(0, spread)) for bot in running))
    await stage.start(1)
    early = asyncio.create_task(_go_on(running[-1], after=stage.rng.uniform(15.5, 20)))
    await settled(stage.store)
    before = {kick.id: kick for kick in await stage.store.history(PLENTY)}
    for bot in [*stopped, *running[:-1]]:
        await _go_on(bot)
    await early
    await asyncio.sleep(OUTLIVED)
    return await undisturbed(stage, before)


async def make_ready(stage: Stage, target: Participant, *, begins_in: float = 0) -> None:
    """Store a ready kick. The process that sees it first recovers it."""
    ago = RECOVER_AFTER.total_seconds() - begins_in
    kick = stage.kick(stage.person(0), target, ago=ago, state=State.READY)
    await stage.ask(replace(kick, approver=UserId(stage.person(1).user.id)))


async def _stopped_at_the_mark(stage: Stage, people: Sequence[Participant]) -> Running:
    """Stop a process while the database commits its marks, and wait for the commits."""
    async with await psycopg.AsyncConnection.connect(stage.database, autocommit=True) as db:
        await db.execute(HOLD)
        (bot,) = await stage.start(1)
        for one in people:
            await make_ready(stage, one)
        await _some(db, HELD)
        await _stop(bot)
        held = await _some(db, HELD)
        await db.execute("SELECT pg_advisory_unlock(1)")
        await _some(db, MARKED, held)
        await db.execute("DROP TRIGGER hold ON events")
    return bot


async def _some(db: psycopg.AsyncConnection[Any], query: LiteralString, count: int = 1) -> int:
    """Wait until the query counts at least this many, and return the number."""
    async with asyncio.timeout(PATIENCE):
        while (found := await _number(db, query)) < count:  # noqa: ASYNC110 - a server's locks
            await asyncio.sleep(0.01)
    return found


async def _number(db: psycopg.AsyncConnection[Any], query: LiteralString) -> int:
    (number,) = await (await db.execute(query)).fetchone() or (0,)
    return int(number)


async def _stop(bot: Running, after: float = 0) -> None:
    await asyncio.sleep(after)
    bot._process.send_signal(signal.SIGSTOP)


async def _go_on(bot: Running, after: float = 0) -> None:
    await asyncio.sleep(after)
    bot._process.send_signal(signal.SIGCONT)


async def undisturbed(stage: Stage, before: Mapping[KickId, Kick]) -> Tally:
    """Audit all kicks, and check that the ended ones did not change afterwards."""
    tally = await judge(stage, "take-over", list(before), ())
    taken_over = 0
    for kick in await stage.store.history(PLENTY):
        if kick != before[kick.id] and before[kick.id].state is State.DONE:
            tally.find("misreported", f"kick #{kick.number} was changed after it was done")
        events = await stage.store.events(kick.id)
        taken_over += any(one.kind is EventKind.TAKEN_OVER for one in events)
    if not taken_over:
        tally.find("lost", "no kick was taken over: this run shows nothing")
    return tally
