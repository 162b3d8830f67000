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

from bot.core.draft import Draft
from bot.core.event import Event
from bot.core.kick import ENDED_WITHOUT_CALL, Kick, KickId, State, TeamId, UserId
from bot.core.outbox_message import DELIVER_WITHIN, OutboxMessage, messages_due_for
from bot.core.ports import VersionConflict
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
    message_from,
    message_row,
    target_rows,
)
from bot.store.schema import drafts, events, kicks, outbox, targets

_DRAFT_LIFETIME = timedelta(days=1)
_MAX_MESSAGES = 100

# One statement, because PostgreSQL would let a move come between two.
_KICKS = select(kicks, targets).select_from(
    kicks.outerjoin(targets, targets.c.kick_id == kicks.c.id)
)

# As text, because SQLAlchemy's own upsert is another one for each database.
_SAVE_DRAFT = text(
    "INSERT INTO drafts (id, created_at, body) VALUES (:id, :created_at, :body) "
    "ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, body = excluded.body",
).bindparams(*(bindparam(one.name, type_=one.type) for one in drafts.c))

# What stands somewhere already stays there, to be changed.
_ENQUEUE = text(
    "INSERT INTO notices (kick_id, kind, since, due_at, version, attempts, channel, ts, doubtful) "
    "VALUES (:kick_id, :kind, :since, :due_at, :version, :attempts, :channel, :ts,"
    " :maybe_delivered) "
    "ON CONFLICT (kick_id, kind) DO UPDATE SET since = excluded.since, due_at = excluded.due_at, "
    "version = notices.version + 1, attempts = excluded.attempts",
).bindparams(*(bindparam(one.key, type_=one.type) for one in outbox.c))


class SqlStore:
    """The `Store` of the core, and what an operator asks of it besides.

    Every write happens as a whole or not at all, and goes on to its end if its caller is
    cancelled. Every call may raise StoreUnavailable. Connections are opened when first needed.
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
        """Bring the tables up to date. StoreUnavailable if a newer program made them."""
        await self._database.write_without_timeout(migrate)

    async def close(self) -> None:
        """Let the work under way end, and close the connections."""
        await self._database.close()

    async def check(self) -> int:
        """Reach the database and read the version of its tables: 0 if it has none yet.

        StoreUnavailable if a newer program made them.
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
            first = await self._one(kicks.c.idempotency_key == kick.idempotency_key)
            if first is None:
                raise
            return first

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        """Store the move, with its events, if the kick still is `before`; else VersionConflict.

        ValueError unless `after` is of the next version, and where it owes something without an
        event that says when; LookupError for a kick that was never added.
        """
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError(f"kick {before.number}: a move raises its version by one")
        due_messages = _messages_due(before.state, after, events)
        await self._database.write(lambda db: _transition(db, before, after, events, due_messages))
        return after

    async def get_kick(self, kick: KickId) -> Kick | None:
        """Read a kick."""
        return await self._one(kicks.c.id == kick)

    async def by_number(self, number: int) -> Kick | None:
        """Read the kick that people call by this number."""
        return await self._one(kicks.c.number == number)

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        """List the kicks whose `due_at` has come, oldest first."""
        return await self._kicks(and_(kicks.c.due_at <= now, *self._own()), kicks.c.due_at)

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        """List the notices of a kick that are not delivered yet."""
        return await self._messages(outbox.c.kick_id == kick, outbox.c.due_at.is_not(None))

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        """List the notices whose `due_at` has come, oldest first, 100 at most."""
        own = select(kicks.c.id).where(kicks.c.id == outbox.c.kick_id, *self._own())
        return await self._messages(outbox.c.due_at <= now, own.exists())

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        """Store what became of a notice if it still is `before`, and return `after` itself.

        Otherwise return the notice as it is by now; LookupError if there is none.
        """
        return await self._database.write_autocommit(lambda db: _update_message(db, before, after))

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
                kicks.c.state.not_in(ENDED_WITHOUT_CALL),
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

    async def record_event(self, event: Event) -> None:
        """Keep an event that belongs to no move."""
        row = event_row(event) | self._origin
        await self._database.write_autocommit(lambda db: _insert_events(db, row))

    async def save_draft(self, draft: Draft) -> None:
        """Keep the draft that a review shows, in the place of one of the same id, for a day."""
        await self._database.write(lambda db: _save_draft(db, draft))

    async def get_draft(self, draft_id: str) -> Draft | None:
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

    async def _messages(self, *which: ColumnElement[bool]) -> list[OutboxMessage]:
        order = (outbox.c.due_at, outbox.c.kick_id, outbox.c.kind)
        wanted = select(outbox).where(*which).order_by(*order).limit(_MAX_MESSAGES)
        return [message_from(row) for row in await self._rows(wanted)]

    async def _rows(self, wanted: Select[*tuple[Any, ...]]) -> Sequence[Row]:
        return await self._database.read(lambda db: _rows(db, wanted))


async def _rows(db: AsyncConnection, wanted: Select[*tuple[Any, ...]]) -> Sequence[Row]:
    return (await db.execute(wanted)).mappings().all()


async def _insert(db: AsyncConnection, kick: Kick, event: Event) -> Kick:
    number = await db.scalar(insert(kicks).returning(kicks.c.number), kick_row(kick))
    if kick.targets:
        await db.execute(insert(targets), target_rows(kick))
    await _insert_events(db, event_row(event, kick))
    await _enqueue(db, _messages_due(None, kick, [event]))
    return replace(kick, number=number)


async def _transition(
    db: AsyncConnection,
    before: Kick,
    after: Kick,
    events_of_it: Iterable[Event],
    due_messages: Iterable[OutboxMessage],
) -> None:
    still = (
        kicks.c.id == before.id,
        kicks.c.state == before.state,
        kicks.c.version == before.version,
    )
    changed = await db.execute(update(kicks).where(*still), kick_row(after))
    if changed.rowcount != 1:
        raise VersionConflict(await _existing(db, before.id))
    await _update_targets(db, before, after)
    await _insert_events(db, *(event_row(one, after) for one in events_of_it))
    await _enqueue(db, due_messages)


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


def _messages_due(
    before: State | None, after: Kick, events_of_it: Sequence[Event]
) -> list[OutboxMessage]:
    kinds = sorted(messages_due_for(before, after))
    if kinds and not events_of_it:
        raise ValueError(f"kick {after.number}: what is owed from now on needs an event")
    return [
        OutboxMessage(after.id, kind, events_of_it[-1].at, events_of_it[-1].at + DELIVER_WITHIN)
        for kind in kinds
    ]


async def _enqueue(db: AsyncConnection, due_messages: Iterable[OutboxMessage]) -> None:
    for message in due_messages:
        await db.execute(_ENQUEUE, message_row(message))


async def _update_message(
    db: AsyncConnection, before: OutboxMessage, after: OutboxMessage
) -> OutboxMessage:
    named = (outbox.c.kick_id == before.kick_id, outbox.c.kind == before.kind)
    still = outbox.c.version == before.version
    changed = await db.execute(update(outbox).where(*named, still), message_row(after))
    if changed.rowcount == 1:
        return after
    rows = await _rows(db, select(outbox).where(*named))
    if not rows:
        raise LookupError(f"kick {before.kick_id} never owed its {before.kind}")
    return message_from(rows[0])


async def _save_draft(db: AsyncConnection, draft: Draft) -> None:
    old = drafts.c.created_at < draft.created_at - _DRAFT_LIFETIME
    await db.execute(delete(drafts).where(old))
    await db.execute(_SAVE_DRAFT, draft_row(draft))
