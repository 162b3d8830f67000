"""Stores in memory: one that works, and one whose calls fail on request."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeVar

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import ENDED_WITHOUT_CALL, Kick, KickId, TeamId, UserId
from bot.core.outbox_message import DELIVER_WITHIN, MessageKind, OutboxMessage, messages_due_for
from bot.core.ports import StoreUnavailable, VersionConflict
from bot.core.roster import MeetingId

T = TypeVar("T")
StoreCall: TypeAlias = EventKind | str | None


class MemoryStore:
    """A `Store` in memory, with what the command line reads besides."""

    def __init__(self) -> None:
        self.kicks: dict[KickId, Kick] = {}
        self.log: list[Event] = []
        self.drafts: dict[str, Draft] = {}
        self.messages: dict[tuple[KickId, MessageKind], OutboxMessage] = {}

    async def time(self) -> datetime:
        return datetime.now(UTC)

    async def add(self, kick: Kick, event: Event) -> Kick:
        for first in self.kicks.values():
            if first.idempotency_key == kick.idempotency_key:
                return first
        numbered = replace(kick, number=len(self.kicks) + 1)
        self._put(None, numbered, event)
        return numbered

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError("a transition raises the version by one")
        if messages_due_for(before.state, after) and not events:
            raise ValueError("messages need an event")
        current = self.kicks[before.id]
        if (current.state, current.version) != (before.state, before.version):
            raise VersionConflict(current)
        self._put(before, after, *events)
        return after

    def _put(self, before: Kick | None, after: Kick, *events: Event) -> None:
        self.kicks[after.id] = after
        self.log += [replace(event, kick_id=after.id) for event in events]
        for kind in messages_due_for(before.state if before else None, after):
            at = events[-1].at
            new = OutboxMessage(after.id, kind, at, at + DELIVER_WITHIN)
            old = self.messages.get((after.id, kind))
            if old:
                new = replace(old, since=at, due_at=new.due_at, version=old.version + 1, attempts=0)
            self.messages[after.id, kind] = new

    async def get_kick(self, kick: KickId) -> Kick | None:
        return self.kicks.get(kick)

    async def by_number(self, number: int) -> Kick | None:
        return next((kick for kick in self.kicks.values() if kick.number == number), None)

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        overdue = [kick for kick in self.kicks.values() if kick.is_overdue(now)]
        numbers = [number for _, number in sorted((one.due_at, one.number) for one in overdue)]
        return [kick for number in numbers if (kick := await self.by_number(number))]

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        return [message for message in self._by_age() if message.kick_id == kick]

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        return [one for one in self._by_age() if one.is_overdue(now)][:100]

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        key = (before.kick_id, before.kind)
        if self.messages[key].version != before.version:
            return replace(self.messages[key])  # a database returns an equal object, not the same
        self.messages[key] = after
        return after

    def _by_age(self) -> Sequence[OutboxMessage]:
        due = [one for one in self.messages.values() if one.due_at]
        return sorted(due, key=lambda one: (one.due_at, one.kick_id, one.kind))

    async def history(self, limit: int) -> Sequence[Kick]:
        return list(reversed(self.kicks.values()))[:limit]

    async def events(self, kick: KickId) -> Sequence[Event]:
        return [event for event in self.log if event.kick_id == kick]

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        counted = [
            kick
            for kick in self.kicks.values()
            if kick.requester == requester and kick.state not in ENDED_WITHOUT_CALL
            if before is None or kick.number < before
        ]
        return [sum(len(kick.targets) for kick in counted if kick.created_at >= at) for at in since]

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        kicks = reversed(self.kicks.values())
        here = (kick for kick in kicks if (kick.team_id, kick.channel_id) == (team, channel))
        return next((kick.meeting.id for kick in here), None)

    async def record_event(self, event: Event) -> None:
        for position, before in enumerate(self.log):
            if event.kind is EventKind.REFUSED and self._tally(before) == self._tally(event):
                count = before.count + event.count
                self.log[position] = replace(before, count=count, last_at=event.at)
                return
        self.log.append(event)

    def _tally(self, event: Event) -> tuple[object, ...]:
        hour = event.at.replace(minute=0, second=0, microsecond=0)
        kick = event.kick_id if event.kick_id in self.kicks else None
        return event.kind, hour, event.actor, event.note, kick

    async def save_draft(self, draft: Draft) -> None:
        oldest = draft.created_at - timedelta(days=1)
        kept = {one.id: one for one in self.drafts.values() if one.created_at >= oldest}
        self.drafts = kept | {draft.id: draft}

    async def get_draft(self, draft_id: str) -> Draft | None:
        return self.drafts.get(draft_id)


class FlakyStore(MemoryStore):
    """A store whose calls fail as often as a test says.

    `down` counts the calls that fail before they have an effect, `lost` those that fail after it.
    The keys are names of methods; for `transition`, the kind of the first event, or None if there
    is no event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down: Counter[StoreCall] = Counter()
        self.lost: Counter[StoreCall] = Counter()
        self.failed = 0

    async def _call(self, key: StoreCall, operation: Coroutine[Any, Any, T]) -> T:
        try:
            await asyncio.sleep(0)
            if self._fails(self.down, key):
                raise StoreUnavailable("the database is locked")
            result = await operation
            await asyncio.sleep(0)
            if self._fails(self.lost, key):
                raise StoreUnavailable("the connection broke")
            return result
        finally:
            operation.close()

    def _fails(self, failures: Counter[StoreCall], key: StoreCall) -> bool:
        if failures[key] <= 0:
            return False
        failures[key] -= 1
        self.failed += 1
        return True

    async def add(self, kick: Kick, event: Event) -> Kick:
        return await self._call("add", super().add(kick, event))

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        kind = events[0].kind if events else None
        return await self._call(kind, super().transition(before, after, *events))

    async def get_kick(self, kick: KickId) -> Kick | None:
        return await self._call("get_kick", super().get_kick(kick))

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        return await self._call("overdue_kicks", super().overdue_kicks(now))

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        return await self._call("pending_messages", super().pending_messages(kick))

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        return await self._call("overdue_messages", super().overdue_messages(now))

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        return await self._call("update_message", super().update_message(before, after))

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        counts = super().recent_targets(requester, *since, before=before)
        return await self._call("recent_targets", counts)

    async def record_event(self, event: Event) -> None:
        await self._call("record_event", super().record_event(event))

    async def get_draft(self, draft_id: str) -> Draft | None:
        return await self._call("get_draft", super().get_draft(draft_id))
