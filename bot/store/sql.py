"""The store, in SQL."""
# ruff: noqa: D102 - `Store` documents its methods

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.exc import IntegrityError

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import ENDED_WITHOUT_CALL, Kick, KickId, State, TeamId, UserId
from bot.core.outbox_message import LONGEST_DELAY, OutboxMessage, messages_due_for
from bot.core.ports import Store
from bot.core.roster import MeetingId
from bot.core.timing import FAR_AHEAD
from bot.store.database import Database
from bot.store.migrations import migrate, version
from bot.store.rows import Row, draft_from, event_from, kicks_from, message_from
from bot.store.schema import drafts, events, kicks, outbox, targets
from bot.store.writes import (
    SELECT_KICK,
    SELECT_KICKS,
    count_event,
    fetch,
    insert_events,
    insert_kick,
    save_draft,
    update_kick,
    update_message,
)

_MAX_MESSAGES = 100


class SqlStore(Store):
    """Implements `Store`, and what the command line reads besides.

    Each write is one transaction, and continues to its end if the caller is cancelled. Every call
    may raise StoreUnavailable. Connections are opened when first needed. Under load, calls wait
    for their turn; those for which an ack or a kick waits come first.

    `team_id` and `app_id` are stored with events that belong to no kick. Overdue work is listed
    for this team and app only, so that two bots can share a database. `timeout` is how many
    seconds a call waits for a lock, a free connection or a server.
    """

    def __init__(
        self,
        database_url: str,
        *,
        team_id: TeamId | None = None,
        app_id: str | None = None,
        timeout: float = 5,
    ) -> None:
        self._database = Database(database_url, timeout)
        self._instance = {"team_id": team_id, "app_id": app_id}

    async def start(self) -> None:
        """Create or migrate the tables.

        Raises StoreUnavailable also if a newer program made them.
        """
        await self._database.write_without_timeout(migrate)

    async def close(self) -> None:
        """Wait for running work, and close the connections."""
        await self._database.close()

    async def check(self) -> int:
        """Return the version of the tables; 0 if there are none.

        Raises StoreUnavailable also if a newer program made them.
        """
        return await self._database.read(version)

    async def time(self) -> datetime:
        return await self._database.time()

    async def add(self, kick: Kick, event: Event) -> Kick:
        """Store a new kick. Numbers rise, but a repeated submit may leave a gap."""
        try:
            return await self._database.write_autocommit(
                lambda db: insert_kick(db, kick, event), urgent=True
            )
        except IntegrityError:
            # Another process may add the same kick between a query and an insert. So insert, and
            # let the constraint decide.
            first = await self._kick(kicks.c.idempotency_key == kick.idempotency_key)
            if first is None:
                raise
            return first

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError(f"kick {before.number}: a transition raises its version by one")
        if messages_due_for(before.state, after) and not events:
            raise ValueError(f"kick {after.number}: its messages need an event")
        return await self._database.write(
            lambda db: update_kick(db, before, after, events), urgent=True
        )

    async def get_kick(self, kick: KickId) -> Kick | None:
        rows = await self._database.read(lambda db: fetch(db, SELECT_KICK, {"the_kick": kick}))
        return next(iter(kicks_from(rows)), None)

    async def by_number(self, number: int) -> Kick | None:
        """Return the kick with this number; None if there is none."""
        return await self._kick(kicks.c.number == number)

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        far = now + FAR_AHEAD
        is_due = or_(
            kicks.c.due_at <= now,
            # As `Kick.is_overdue`.
            and_(
                kicks.c.due_at > far,
                or_(kicks.c.state != State.WAITING, kicks.c.created_at > far),
            ),
        )
        return await self._kicks(and_(is_due, *self._own()), kicks.c.due_at)

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        return await self._messages(outbox.c.kick_id == kick, outbox.c.due_at.is_not(None))

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        own = select(kicks.c.id).where(kicks.c.id == outbox.c.kick_id, *self._own())
        is_due = or_(outbox.c.due_at <= now, outbox.c.due_at > now + LONGEST_DELAY + FAR_AHEAD)
        # The index has only those that have a date, and SQLite must be told.
        return await self._messages(outbox.c.due_at.is_not(None), is_due, own.exists())

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        return await self._database.write_autocommit(lambda db: update_message(db, before, after))

    async def history(self, limit: int) -> Sequence[Kick]:
        """Return the newest kicks, newest first."""
        newest = select(kicks.c.number).order_by(kicks.c.number.desc()).limit(limit)
        return (await self._kicks(kicks.c.number.in_(newest)))[::-1]

    async def events(self, kick: KickId) -> Sequence[Event]:
        """Return the events of a kick, oldest first."""
        query = select(events).where(events.c.kick_id == kick).order_by(events.c.id)
        return [event_from(row) for row in await self._fetch(query)]

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        counts = (
            func.count().filter(kicks.c.created_at >= moment).label(f"since_{position}")
            for position, moment in enumerate(since)
        )
        query = (
            select(*counts)
            .select_from(targets.join(kicks, targets.c.kick_id == kicks.c.id))
            .where(
                kicks.c.requester == requester,
                kicks.c.created_at >= min(since),
                kicks.c.state.not_in(ENDED_WITHOUT_CALL),
            )
        )
        if before is not None:
            query = query.where(kicks.c.number < before)
        (row,) = await self._fetch(query, urgent=True)
        return tuple(row.values())

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        newest = (
            select(kicks.c.meeting_id)
            .where(kicks.c.team_id == team, kicks.c.channel_id == channel)
            .order_by(kicks.c.number.desc())
            .limit(1)
        )
        return await self._database.read(lambda db: db.scalar(newest))

    async def record_event(self, event: Event) -> None:
        row = asdict(event) | self._instance
        write = count_event if event.kind is EventKind.REFUSED else insert_events
        await self._database.write_autocommit(lambda db: write(db, row))

    async def save_draft(self, draft: Draft) -> None:
        await self._database.write(lambda db: save_draft(db, draft))

    async def get_draft(self, draft_id: str) -> Draft | None:
        rows = await self._fetch(select(drafts).where(drafts.c.id == draft_id), urgent=True)
        return draft_from(rows[0]) if rows else None

    def _own(self) -> list[ColumnElement[bool]]:
        return [kicks.c[name] == value for name, value in self._instance.items() if value]

    async def _kick(self, condition: ColumnElement[bool]) -> Kick | None:
        return next(iter(await self._kicks(condition)), None)

    async def _kicks(
        self, condition: ColumnElement[bool], *order: ColumnElement[Any]
    ) -> list[Kick]:
        query = SELECT_KICKS.where(condition)
        query = query.order_by(*order, kicks.c.number, targets.c.position)
        return kicks_from(await self._fetch(query))

    async def _messages(self, *conditions: ColumnElement[bool]) -> list[OutboxMessage]:
        order = (outbox.c.due_at, outbox.c.kick_id, outbox.c.kind)
        query = select(outbox).where(*conditions).order_by(*order).limit(_MAX_MESSAGES)
        return [message_from(row) for row in await self._fetch(query)]

    async def _fetch(
        self, query: Select[*tuple[Any, ...]], *, urgent: bool = False
    ) -> Sequence[Row]:
        return await self._database.read(lambda db: fetch(db, query), urgent=urgent)
