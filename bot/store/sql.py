"""The store, in SQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.kick import Draft, Event, Kick, KickId, State, TeamId, UserId
from bot.core.ports import Overtaken, StoreDown
from bot.core.roster import MeetingId
from bot.store.engine import WRITES, build, translated, url
from bot.store.migrations import migrate, version
from bot.store.rows import (
    draft_from,
    draft_row,
    event_from,
    event_row,
    kick_row,
    kicks_from,
    target_rows,
)
from bot.store.schema import drafts, events, kicks, targets

T = TypeVar("T")

OPEN = (State.WAITING, State.READY, State.RUNNING)
CAME_TO_NOTHING = (State.REFUSED, State.DENIED, State.CANCELLED, State.EXPIRED)
_DRAFTS_KEPT = timedelta(days=1)

# One statement, because PostgreSQL would let a move come between two.
_KICKS = (
    select(kicks, targets)
    .select_from(kicks.outerjoin(targets, targets.c.kick_id == kicks.c.id))
    .order_by(kicks.c.number, targets.c.position)
)

_KEEP = (
    text(
        "INSERT INTO drafts (id, created_at, body) VALUES (:id, :created_at, :body) "
        "ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, body = excluded.body",
    )
    .bindparams(*(bindparam(one.name, type_=one.type) for one in drafts.c))
)  # fmt: skip


class SqlStore:
    """The `Store` of the core, and what an operator asks of it besides.

    Every write is one transaction: it happens as a whole or not at all. One whose caller is
    cancelled goes on to its end. Every call may raise StoreDown. Connections are opened when
    first needed.
    `team_id` and `app_id` go with events that belong to no kick; the others carry their kick's.
    `patience` is how long, in seconds, a call waits for a lock, a free connection or a server.
    """

    def __init__(
        self,
        database_url: str,
        *,
        team_id: TeamId | None = None,
        app_id: str | None = None,
        patience: float = 5,
    ) -> None:
        database = url(database_url)
        self._engine = build(database, patience)
        self._writer = self._engine.execution_options(**WRITES)
        self._origin = {"team_id": team_id, "app_id": app_id}
        self._patience = patience
        self._writes: set[asyncio.Task[Any]] = set()
        # SQLite has one writer at a time, and those who wait for it poll; a queue is fair.
        self._queue = asyncio.Lock() if database.get_backend_name() == "sqlite" else None

    async def start(self) -> None:
        """Bring the tables up to date. StoreDown if a newer program made them."""
        await self._write(migrate)

    async def close(self) -> None:
        """Let the writes under way end, and close the connections."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._engine.dispose()

    async def check(self) -> int:
        """Reach the database and read the version of its tables: 0 if it has none yet.

        StoreDown if a newer program made them.
        """
        async with self._reading() as db:
            return await version(db)

    async def add(self, kick: Kick, event: Event) -> Kick:
        """Store a new kick, give it its number; a second one of the same key returns the first.

        Numbers rise, but a second one may leave a gap.
        """
        try:
            return await self._write(lambda db: _insert(db, kick, event))
        except IntegrityError:
            # The constraint decides, not a look before the leap: it holds between processes.
            first = await self._one(kicks.c.key == kick.key)
            if first is None:
                raise
            return first

    async def move(self, before: Kick, after: Kick, *events: Event) -> Kick:
        """Store the move, with its events, if the kick still is `before`; else Overtaken."""
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError(f"kick {before.number}: a move raises its version by one")
        await self._write(lambda db: _move(db, before, after, events))
        return after

    async def get(self, kick: KickId) -> Kick | None:
        """Read a kick."""
        return await self._one(kicks.c.id == kick)

    async def by_number(self, number: int) -> Kick | None:
        """Read the kick that people call by this number."""
        return await self._one(kicks.c.number == number)

    async def open_kicks(self) -> Sequence[Kick]:
        """List the kicks that are waiting, ready or running, oldest first."""
        async with self._reading() as db:
            return await _read(db, kicks.c.state.in_(OPEN))

    async def history(self, limit: int) -> Sequence[Kick]:
        """List the newest kicks, newest first."""
        newest = select(kicks.c.number).order_by(kicks.c.number.desc()).limit(limit)
        async with self._reading() as db:
            return (await _read(db, kicks.c.number.in_(newest)))[::-1]

    async def events(self, kick: KickId) -> Sequence[Event]:
        """List what happened with a kick, in order."""
        wanted = select(events).where(events.c.kick_id == kick).order_by(events.c.id)
        async with self._reading() as db:
            return [event_from(row) for row in (await db.execute(wanted)).mappings()]

    async def recent_targets(
        self,
        requester: UserId,
        since: datetime,
        *,
        except_for: KickId | None = None,
    ) -> int:
        """Count the people that a user's kicks since then were aimed at; not of refused ones."""
        count = (
            select(func.count())
            .select_from(targets.join(kicks, targets.c.kick_id == kicks.c.id))
            .where(
                kicks.c.requester == requester,
                kicks.c.created_at >= since,
                kicks.c.state.not_in(CAME_TO_NOTHING),
            )
        )
        if except_for:
            count = count.where(kicks.c.id != except_for)
        async with self._reading() as db:
            return (await db.execute(count)).scalar_one()

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        """Find the meeting of the newest kick asked for in a channel."""
        newest = (
            select(kicks.c.meeting_id)
            .where(kicks.c.team_id == team, kicks.c.channel_id == channel)
            .order_by(kicks.c.number.desc())
            .limit(1)
        )
        async with self._reading() as db:
            return await db.scalar(newest)

    async def record(self, event: Event) -> None:
        """Keep an event that belongs to no move."""
        await self._write(lambda db: _insert_events(db, event_row(event) | self._origin))

    async def keep(self, draft: Draft) -> None:
        """Keep the draft that a review shows, in the place of one of the same id, for a day."""
        await self._write(lambda db: _replace(db, draft))

    async def draft(self, draft_id: str) -> Draft | None:
        """Read a draft."""
        async with self._reading() as db:
            found = await db.execute(select(drafts).where(drafts.c.id == draft_id))
            row = found.mappings().one_or_none()
        return draft_from(row) if row else None

    async def _one(self, which: ColumnElement[bool]) -> Kick | None:
        async with self._reading() as db:
            return next(iter(await _read(db, which)), None)

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        # In a task of its own: cancelled midway, aiosqlite may leave the transaction open, and
        # the file locked, until the garbage collector comes by.
        task = asyncio.create_task(self._transaction(work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._writing() as db:
            return await work(db)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with translated():
            async with self._engine.connect() as db:
                yield db

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        with translated():
            async with self._turn(), self._writer.begin() as db:
                yield db

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if not self._queue:
            yield
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._queue.acquire()
        except TimeoutError:
            raise StoreDown("too many writes wait for the database") from None
        try:
            yield
        finally:
            self._queue.release()


async def _read(db: AsyncConnection, which: ColumnElement[bool]) -> list[Kick]:
    return kicks_from((await db.execute(_KICKS.where(which))).mappings().all())


async def _move(db: AsyncConnection, before: Kick, after: Kick, noted: Iterable[Event]) -> None:
    changed = await db.execute(update(kicks).where(*_still(before)).values(kick_row(after)))
    if changed.rowcount != 1:
        raise Overtaken(await _existing(db, before.id))
    await _update_targets(db, before, after)
    await _insert_events(db, *(event_row(one, after) for one in noted))


async def _existing(db: AsyncConnection, kick: KickId) -> Kick:
    found = await _read(db, kicks.c.id == kick)
    if not found:
        raise LookupError(f"kick {kick} was never added")
    return found[0]


def _still(kick: Kick) -> tuple[ColumnElement[bool], ...]:
    return (
        kicks.c.id == kick.id,
        kicks.c.state == kick.state,
        kicks.c.version == kick.version,
    )


async def _insert(db: AsyncConnection, kick: Kick, event: Event) -> Kick:
    number = await db.scalar(insert(kicks).values(kick_row(kick)).returning(kicks.c.number))
    if kick.targets:
        await db.execute(insert(targets), target_rows(kick))
    await _insert_events(db, event_row(event, kick))
    return replace(kick, number=number)


async def _update_targets(db: AsyncConnection, before: Kick, after: Kick) -> None:
    rows = zip(target_rows(before), target_rows(after), strict=True)
    for row in (new for old, new in rows if old != new):
        which = (targets.c.kick_id == after.id, targets.c.position == row["position"])
        await db.execute(update(targets).where(*which).values(row))


async def _insert_events(db: AsyncConnection, *rows: dict[str, Any]) -> None:
    if rows:
        await db.execute(insert(events), rows)


async def _replace(db: AsyncConnection, draft: Draft) -> None:
    old = drafts.c.created_at < draft.created_at - _DRAFTS_KEPT
    await db.execute(delete(drafts).where(old))
    await db.execute(_KEEP, draft_row(draft))
