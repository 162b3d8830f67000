"""The store, in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.kick import CAME_TO_NOTHING, Draft, Event, Kick, KickId, State, TeamId, UserId
from bot.core.notice import DELIVER_WITHIN, Notice, owes
from bot.core.ports import Overtaken
from bot.core.roster import MeetingId
from bot.store.database import Database
from bot.store.migrations import migrate, version
from bot.store.rows import (
    Row,
    draft_from,
    draft_row,
    event_from,
    event_row,
    kick_row,
    kicks_from,
    notice_from,
    notice_row,
    target_rows,
)
from bot.store.schema import drafts, events, kicks, notices, targets

_DRAFTS_KEPT = timedelta(days=1)
_NOTICES_AT_ONCE = 100

# One statement, because PostgreSQL would let a move come between two.
_KICKS = select(kicks, targets).select_from(
    kicks.outerjoin(targets, targets.c.kick_id == kicks.c.id)
)

# As text, because SQLAlchemy's own upsert is another one for each database.
_KEEP = text(
    "INSERT INTO drafts (id, created_at, body) VALUES (:id, :created_at, :body) "
    "ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, body = excluded.body",
).bindparams(*(bindparam(one.name, type_=one.type) for one in drafts.c))

# What stands somewhere already stays there, to be changed.
_OWE = text(
    "INSERT INTO notices (kick_id, kind, since, due_at, version, attempts, channel, ts, doubtful) "
    "VALUES (:kick_id, :kind, :since, :due_at, :version, :attempts, :channel, :ts, :doubtful) "
    "ON CONFLICT (kick_id, kind) DO UPDATE SET since = excluded.since, due_at = excluded.due_at, "
    "version = notices.version + 1, attempts = excluded.attempts",
).bindparams(*(bindparam(one.name, type_=one.type) for one in notices.c))


class SqlStore:
    """The `Store` of the core, and what an operator asks of it besides.

    Every write happens as a whole or not at all, and goes on to its end if its caller is
    cancelled. Every call may raise StoreDown. Connections are opened when first needed.
    `team_id` and `app_id` go with events that belong to no kick; the others carry their kick's.
    What is overdue is listed for that team and app only, so that two bots may share a database.
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
        self._database = Database(database_url, patience)
        self._origin = {"team_id": team_id, "app_id": app_id}

    async def start(self) -> None:
        """Bring the tables up to date. StoreDown if a newer program made them."""
        await self._database.write_at_leisure(migrate)

    async def close(self) -> None:
        """Let the work under way end, and close the connections."""
        await self._database.close()

    async def check(self) -> int:
        """Reach the database and read the version of its tables: 0 if it has none yet.

        StoreDown if a newer program made them.
        """
        return await self._database.read(version)

    async def add(self, kick: Kick, event: Event) -> Kick:
        """Store a new kick, give it its number; a second one of the same key returns the first.

        Numbers rise, but a second one may leave a gap.
        """
        try:
            return await self._database.write(lambda db: _insert(db, kick, event))
        except IntegrityError:
            # The constraint decides, not a look before the leap: it holds between processes.
            first = await self._one(kicks.c.key == kick.key)
            if first is None:
                raise
            return first

    async def move(self, before: Kick, after: Kick, *events: Event) -> Kick:
        """Store the move, with its events, if the kick still is `before`; else Overtaken.

        ValueError unless `after` is of the next version, and where it owes something without an
        event that says when; LookupError for a kick that was never added.
        """
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError(f"kick {before.number}: a move raises its version by one")
        owed = _owed(before.state, after, events)
        await self._database.write(lambda db: _move(db, before, after, events, owed))
        return after

    async def get(self, kick: KickId) -> Kick | None:
        """Read a kick."""
        return await self._one(kicks.c.id == kick)

    async def by_number(self, number: int) -> Kick | None:
        """Read the kick that people call by this number."""
        return await self._one(kicks.c.number == number)

    async def overdue(self, now: datetime) -> Sequence[Kick]:
        """List the kicks whose `due_at` has come, oldest first."""
        return await self._kicks(and_(kicks.c.due_at <= now, *self._own()), kicks.c.due_at)

    async def owed(self, kick: KickId) -> Sequence[Notice]:
        """List the notices of a kick that are not delivered yet."""
        return await self._notices(notices.c.kick_id == kick, notices.c.due_at.is_not(None))

    async def overdue_notices(self, now: datetime) -> Sequence[Notice]:
        """List the notices whose `due_at` has come, oldest first, 100 at most."""
        own = select(kicks.c.id).where(kicks.c.id == notices.c.kick_id, *self._own())
        return await self._notices(notices.c.due_at <= now, own.exists())

    async def note(self, before: Notice, after: Notice) -> Notice:
        """Store what became of a notice if it still is `before`, and return `after` itself.

        Otherwise return the notice as it is by now; LookupError if there is none.
        """
        return await self._database.write_once(lambda db: _note(db, before, after))

    async def history(self, limit: int) -> Sequence[Kick]:
        """List the newest kicks, newest first."""
        newest = select(kicks.c.number).order_by(kicks.c.number.desc()).limit(limit)
        return (await self._kicks(kicks.c.number.in_(newest)))[::-1]

    async def events(self, kick: KickId) -> Sequence[Event]:
        """List what happened with a kick, in order."""
        wanted = select(events).where(events.c.kick_id == kick).order_by(events.c.id)
        return [event_from(row) for row in await self._rows(wanted)]

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        """Count for each moment whom a user's kicks since then were aimed at; not of refused ones.

        With `before`, only those of kicks with a lower number.
        """
        count = (
            select(
                *(
                    func.count().filter(kicks.c.created_at >= one).label(f"since_{at}")
                    for at, one in enumerate(since)
                )
            )
            .select_from(targets.join(kicks, targets.c.kick_id == kicks.c.id))
            .where(
                kicks.c.requester == requester,
                kicks.c.created_at >= min(since),
                kicks.c.state.not_in(CAME_TO_NOTHING),
            )
        )
        if before is not None:
            count = count.where(kicks.c.number < before)
        (counts,) = await self._rows(count)
        return tuple(counts.values())

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        """Find the meeting of the newest kick asked for in a channel."""
        newest = (
            select(kicks.c.meeting_id)
            .where(kicks.c.team_id == team, kicks.c.channel_id == channel)
            .order_by(kicks.c.number.desc())
            .limit(1)
        )
        return await self._database.read(lambda db: db.scalar(newest))

    async def record(self, event: Event) -> None:
        """Keep an event that belongs to no move."""
        row = event_row(event) | self._origin
        await self._database.write_once(lambda db: _insert_events(db, row))

    async def keep(self, draft: Draft) -> None:
        """Keep the draft that a review shows, in the place of one of the same id, for a day."""
        await self._database.write(lambda db: _put(db, draft))

    async def draft(self, draft_id: str) -> Draft | None:
        """Read a draft."""
        found = await self._rows(select(drafts).where(drafts.c.id == draft_id))
        return draft_from(found[0]) if found else None

    def _own(self) -> list[ColumnElement[bool]]:
        return [kicks.c[name] == value for name, value in self._origin.items() if value]

    async def _one(self, which: ColumnElement[bool]) -> Kick | None:
        return next(iter(await self._kicks(which)), None)

    async def _kicks(self, which: ColumnElement[bool], *order: ColumnElement[Any]) -> list[Kick]:
        wanted = _KICKS.where(which).order_by(*order, kicks.c.number, targets.c.position)
        return kicks_from(await self._rows(wanted))

    async def _notices(self, *which: ColumnElement[bool]) -> list[Notice]:
        order = (notices.c.due_at, notices.c.kick_id, notices.c.kind)
        wanted = select(notices).where(*which).order_by(*order).limit(_NOTICES_AT_ONCE)
        return [notice_from(row) for row in await self._rows(wanted)]

    async def _rows(self, wanted: Select[*tuple[Any, ...]]) -> Sequence[Row]:
        return await self._database.read(lambda db: _rows(db, wanted))


async def _rows(db: AsyncConnection, wanted: Select[*tuple[Any, ...]]) -> Sequence[Row]:
    return (await db.execute(wanted)).mappings().all()


async def _insert(db: AsyncConnection, kick: Kick, event: Event) -> Kick:
    number = await db.scalar(insert(kicks).returning(kicks.c.number), kick_row(kick))
    if kick.targets:
        await db.execute(insert(targets), target_rows(kick))
    await _insert_events(db, event_row(event, kick))
    await _owe(db, _owed(None, kick, [event]))
    return replace(kick, number=number)


async def _move(
    db: AsyncConnection,
    before: Kick,
    after: Kick,
    noted: Iterable[Event],
    owed: Iterable[Notice],
) -> None:
    still = (
        kicks.c.id == before.id,
        kicks.c.state == before.state,
        kicks.c.version == before.version,
    )
    changed = await db.execute(update(kicks).where(*still), kick_row(after))
    if changed.rowcount != 1:
        raise Overtaken(await _existing(db, before.id))
    await _update_targets(db, before, after)
    await _insert_events(db, *(event_row(one, after) for one in noted))
    await _owe(db, owed)


async def _existing(db: AsyncConnection, kick: KickId) -> Kick:
    rows = await _rows(db, _KICKS.where(kicks.c.id == kick).order_by(targets.c.position))
    if not rows:
        raise LookupError(f"kick {kick} was never added")
    return kicks_from(rows)[0]


async def _update_targets(db: AsyncConnection, before: Kick, after: Kick) -> None:
    rows = zip(target_rows(before), target_rows(after), strict=True)
    for row in (new for old, new in rows if old != new):
        which = (targets.c.kick_id == after.id, targets.c.position == row["position"])
        await db.execute(update(targets).where(*which), row)


async def _insert_events(db: AsyncConnection, *rows: dict[str, Any]) -> None:
    if rows:
        await db.execute(insert(events), rows)


def _owed(before: State | None, after: Kick, noted: Sequence[Event]) -> list[Notice]:
    kinds = sorted(owes(before, after))
    if kinds and not noted:
        raise ValueError(f"kick {after.number}: what is owed from now on needs an event")
    return [Notice(after.id, kind, noted[-1].at, noted[-1].at + DELIVER_WITHIN) for kind in kinds]


async def _owe(db: AsyncConnection, owed: Iterable[Notice]) -> None:
    for notice in owed:
        await db.execute(_OWE, notice_row(notice))


async def _note(db: AsyncConnection, before: Notice, after: Notice) -> Notice:
    named = (notices.c.kick_id == before.kick_id, notices.c.kind == before.kind)
    still = notices.c.version == before.version
    changed = await db.execute(update(notices).where(*named, still), notice_row(after))
    if changed.rowcount == 1:
        return after
    rows = await _rows(db, select(notices).where(*named))
    if not rows:
        raise LookupError(f"kick {before.kick_id} never owed its {before.kind}")
    return notice_from(rows[0])


async def _put(db: AsyncConnection, draft: Draft) -> None:
    old = drafts.c.created_at < draft.created_at - _DRAFTS_KEPT
    await db.execute(delete(drafts).where(old))
    await db.execute(_KEEP, draft_row(draft))
