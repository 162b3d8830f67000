"""The writes of the store: statements within the transaction of a caller."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.draft import Draft
from bot.core.event import Event
from bot.core.kick import Kick, State
from bot.core.outbox_message import DELIVER_WITHIN, OutboxMessage, messages_due_for
from bot.core.ports import VersionConflict
from bot.store.rows import (
    Row,
    draft_row,
    event_row,
    kick_row,
    kicks_from,
    message_from,
    target_rows,
)
from bot.store.schema import drafts, events, kicks, outbox, targets

DRAFT_LIFETIME = timedelta(days=1)

# One statement for both tables: in PostgreSQL, a transition could be committed between two.
SELECT_KICKS = select(kicks, targets).select_from(
    kicks.outerjoin(targets, targets.c.kick_id == kicks.c.id)
)

# Made once: to build such a statement, and the key under which SQLAlchemy finds its SQL again,
# costs three times the CPU time of executing it. The names of the values are none of a column.
SELECT_KICK = SELECT_KICKS.where(kicks.c.id == bindparam("the_kick")).order_by(targets.c.position)
_UPDATE_KICK = update(kicks).where(
    kicks.c.id == bindparam("the_kick"),
    kicks.c.state == bindparam("old_state"),
    kicks.c.version == bindparam("old_version"),
)
_UPDATE_TARGET = update(targets).where(
    targets.c.kick_id == bindparam("the_kick"), targets.c.position == bindparam("the_position")
)
_UPDATE_MESSAGE = update(outbox).where(
    outbox.c.kick_id == bindparam("the_kick"),
    outbox.c.kind == bindparam("the_kind"),
    outbox.c.version == bindparam("old_version"),
)
_INSERT_EVENTS = insert(events)

# As text, because SQLAlchemy has a different upsert for each database.
_SAVE_DRAFT = text(
    "INSERT INTO drafts (id, created_at, body) VALUES (:id, :created_at, :body) "
    "ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, body = excluded.body",
).bindparams(*(bindparam(column.name, type_=column.type) for column in drafts.c))

# Keep the channel and ts of a message that was already posted, so that it can be edited.
_ENQUEUE = text(
    "INSERT INTO notices (kick_id, kind, since, due_at, version, attempts, channel, ts, doubtful) "
    "VALUES (:kick_id, :kind, :since, :due_at, :version, :attempts, :channel, :ts,"
    " :maybe_delivered) "
    "ON CONFLICT (kick_id, kind) DO UPDATE SET since = excluded.since, due_at = excluded.due_at, "
    "version = notices.version + 1, attempts = excluded.attempts",
).bindparams(*(bindparam(column.key, type_=column.type) for column in outbox.c))


# The id of a kick comes from a button, and may be forged. Only stored kicks have entries of their
# own, or else a user could add as many as they like.
_COUNT_EVENT = text(
    "INSERT INTO events (team_id, app_id, kick_id, at, what, actor, note, times, last_at, tally) "
    "VALUES (:team_id, :app_id, :kick_id, :at, :kind, :actor, :note, :count, :last_at,"
    " :tally || coalesce((SELECT id FROM kicks WHERE id = :kick_id), '')) "
    "ON CONFLICT (tally) DO UPDATE SET times = events.times + excluded.times, "
    "last_at = excluded.at",
).bindparams(*(bindparam(one.key, type_=one.type) for one in events.c if one.key != "id"))


async def fetch(
    db: AsyncConnection, query: Select[*tuple[Any, ...]], values: Row | None = None
) -> Sequence[Row]:
    """Return all rows of a query."""
    return (await db.execute(query, values)).mappings().all()


async def insert_kick(db: AsyncConnection, kick: Kick, event: Event) -> Kick:
    """Insert a kick with its event and its messages, and return it with its number."""
    if db.dialect.name == "postgresql":
        return replace(kick, number=await db.scalar(_one_insert(kick, event)))
    number = await db.scalar(insert(kicks).returning(kicks.c.number), kick_row(kick))
    if kick.targets:
        await db.execute(insert(targets), target_rows(kick))
    await insert_events(db, event_row(event, kick))
    await _enqueue(db, None, kick, [event])
    return replace(kick, number=number)


def _one_insert(kick: Kick, event: Event) -> Select[Any]:
    """Return one statement for all rows of a new kick: a user waits for each round trip."""
    new = insert(kicks).values(kick_row(kick)).returning(kicks.c.number).cte("new")
    messages = _messages(None, kick, [event])
    statement = select(new.c.number)
    for table, rows in (
        (targets, target_rows(kick)),
        (events, [event_row(event, kick)]),
        (outbox, [asdict(message) for message in messages]),
    ):
        if rows:
            statement = statement.add_cte(insert(table).values(rows).cte(f"new_{table.name}"))
    return statement


async def update_kick(
    db: AsyncConnection, before: Kick, after: Kick, events_of_it: Sequence[Event]
) -> Kick:
    """Update a kick, add its events and messages, and return it. Raises as `Store.transition`."""
    same = {"the_kick": before.id, "old_state": before.state, "old_version": before.version}
    updated = await db.execute(_UPDATE_KICK, kick_row(after) | same)
    if updated.rowcount != 1:
        current = kicks_from(await fetch(db, SELECT_KICK, {"the_kick": before.id}))
        if not current:
            raise LookupError(f"kick {before.id} was never added")
        raise VersionConflict(current[0])
    for old, new in zip(target_rows(before), target_rows(after), strict=True):
        if old != new:
            place = {"the_kick": after.id, "the_position": new["position"]}
            await db.execute(_UPDATE_TARGET, new | place)
    await insert_events(db, *(event_row(event, after) for event in events_of_it))
    await _enqueue(db, before.state, after, events_of_it)
    return after


async def insert_events(db: AsyncConnection, *rows: dict[str, Any]) -> None:
    """Insert these rows of events."""
    if rows:
        await db.execute(_INSERT_EVENTS, rows)


async def count_event(db: AsyncConnection, row: dict[str, Any]) -> None:
    """Insert an event, or add it to the entry of the same hour, actor, note and stored kick."""
    hour = f"{row['at'].astimezone(UTC):%Y-%m-%dT%H}"
    same = [row[name] for name in ("team_id", "app_id", "actor", "note")]
    tally = sha256(repr([hour, *same]).encode(errors="replace")).hexdigest()
    await db.execute(_COUNT_EVENT, row | {"tally": tally})


async def _enqueue(
    db: AsyncConnection, before: State | None, after: Kick, events_of_it: Sequence[Event]
) -> None:
    for message in _messages(before, after, events_of_it):
        await db.execute(_ENQUEUE, asdict(message))


def _messages(
    before: State | None, after: Kick, events_of_it: Sequence[Event]
) -> list[OutboxMessage]:
    kinds = sorted(messages_due_for(before, after))
    since = events_of_it[-1].at if kinds else after.created_at
    return [OutboxMessage(after.id, kind, since, since + DELIVER_WITHIN) for kind in kinds]


async def update_message(
    db: AsyncConnection, before: OutboxMessage, after: OutboxMessage
) -> OutboxMessage:
    """Update a message of the outbox. Returns and raises as `Store.update_message`."""
    same = {"the_kick": before.kick_id, "the_kind": before.kind, "old_version": before.version}
    updated = await db.execute(_UPDATE_MESSAGE, asdict(after) | same)
    if updated.rowcount == 1:
        return after
    stored = (outbox.c.kick_id == before.kick_id, outbox.c.kind == before.kind)
    current = await fetch(db, select(outbox).where(*stored))
    if not current:
        raise LookupError(f"kick {before.kick_id} has no message {before.kind}")
    return message_from(current[0])


async def save_draft(db: AsyncConnection, draft: Draft) -> None:
    """Insert or replace a draft, and delete the drafts that are older than a day."""
    oldest = draft.created_at - DRAFT_LIFETIME
    await db.execute(delete(drafts).where(drafts.c.created_at < oldest))
    await db.execute(_SAVE_DRAFT, draft_row(draft))
