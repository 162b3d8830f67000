"""Small stand-ins for the ports, held to the same contract as what they stand for."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import ENDED_WITHOUT_CALL, Kick, KickId, State, TeamId, UserId
from bot.core.outbox_message import DELIVER_WITHIN, MessageKind, OutboxMessage, messages_due_for
from bot.core.policy import AccountStatus, GroupId, Membership
from bot.core.ports import (
    Delivery,
    DirectoryUnavailable,
    NotFound,
    StoreUnavailable,
    VersionConflict,
)
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    PeerId,
    Roster,
    Session,
    SessionId,
)


class MemoryStore:
    """The `Store` port, and what an operator asks of one, in memory."""

    def __init__(self) -> None:
        self.kicks: dict[KickId, Kick] = {}
        self.log: list[Event] = []
        self.drafts: dict[str, Draft] = {}
        self.messages: dict[tuple[KickId, MessageKind], OutboxMessage] = {}

    async def add(self, kick: Kick, event: Event) -> Kick:
        for first in self.kicks.values():
            if first.idempotency_key == kick.idempotency_key:
                return first
        self.kicks[kick.id] = stored = replace(kick, number=len(self.kicks) + 1)
        self.log.append(replace(event, kick_id=kick.id))
        self._enqueue(None, stored, event)
        return stored

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError("a move raises the version by one")
        if messages_due_for(before.state, after) and not events:
            raise ValueError("what is owed needs an event")
        current = self.kicks[before.id]
        if (current.state, current.version) != (before.state, before.version):
            raise VersionConflict(current)
        self.kicks[after.id] = after
        self.log += [replace(event, kick_id=after.id) for event in events]
        self._enqueue(before.state, after, *events)
        return after

    def _enqueue(self, before: State | None, after: Kick, *events: Event) -> None:
        for kind in messages_due_for(before, after):
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
        due = [(kick.due_at, kick.number) for kick in self.kicks.values() if kick.due_at]
        numbers = [number for due_at, number in sorted(due) if due_at <= now]
        return [kick for number in numbers if (kick := await self.by_number(number))]

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        return [one for one in self._by_age() if one.kick_id == kick]

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        return [one for one in self._by_age() if one.due_at and one.due_at <= now][:100]

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        name = (before.kick_id, before.kind)
        if self.messages[name].version != before.version:
            return replace(self.messages[name])  # as from a database: equal, never the same
        self.messages[name] = after
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
        self.log.append(event)

    async def save_draft(self, draft: Draft) -> None:
        oldest = draft.created_at - timedelta(days=1)
        kept = {one.id: one for one in self.drafts.values() if one.created_at >= oldest}
        self.drafts = kept | {draft.id: draft}

    async def get_draft(self, draft_id: str) -> Draft | None:
        return self.drafts.get(draft_id)


NOW = datetime(2026, 3, 29, 1, 59, 59, 500_000, UTC)
TEAM = TeamId("T1")


def peer(
    one: str,
    participant_id: str | None = None,
    custom_id: str | None = None,
    *,
    name: str = "Ann",
    preset: str | None = "guest",
    joined: float | None = -60.0,
    left: float | None = None,
) -> Peer:
    """Make a row of a session; `joined` and `left` are seconds from NOW."""
    return Peer(
        PeerId(one),
        ParticipantId(participant_id) if participant_id else None,
        CustomId(custom_id) if custom_id else None,
        name,
        preset,
        after(joined),
        after(left),
    )


def after(seconds: float | None) -> datetime | None:
    """Tell a moment by its distance from NOW."""
    return None if seconds is None else NOW + timedelta(seconds=seconds)


class FakeClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)


class FakeRooms:
    """RealtimeKit with a world that a test arranges.

    `rows` are the session rows, `faults` are raised by name of the read, one per read.
    `on_kick` is what a kick of an id does and answers; `sent` lists the ids that were sent,
    `reads` what was read and whether it had to be fresh.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.sessions: dict[MeetingId, Session] = {}
        self.titles: dict[MeetingId, Meeting] = {}
        self.rows: dict[SessionId, list[Peer]] = {}
        self.kept_records: dict[MeetingId, list[Participant]] = {}
        self.faults: dict[str, list[Exception]] = {}
        self.on_kick: Callable[[str], Sequence[str]] = self.remove
        self.on_roster: Callable[[SessionId], Sequence[Peer]] = self.rows_of
        self.reads: list[tuple[str, bool]] = []
        self.sent: list[str] = []
        self.sent_to: set[MeetingId] = set()

    def go_live(self, session: Session, *rows: Peer) -> None:
        """Begin a session, with these rows."""
        self.sessions[session.meeting.id] = session
        self.rows[session.id] = list(rows)

    def rows_of(self, session: SessionId) -> Sequence[Peer]:
        """Show the rows as they are."""
        return self.rows.get(session, [])

    def remove(self, wanted: str) -> Sequence[str]:
        """Do what a kick does: end every connection of theirs."""
        found = False
        for rows in self.rows.values():
            for at, row in enumerate(rows):
                if wanted in (row.participant_id, row.custom_id) and row.left_at is None:
                    rows[at] = replace(row, left_at=self._clock.now())
                    found = True
        if not found:
            raise NotFound(f"No user found with id {wanted}")
        return [wanted]

    async def live_sessions(self) -> Sequence[Session]:
        self._read("live_sessions")
        return list(self.sessions.values())

    async def meetings(self, search: str) -> Sequence[Meeting]:
        self._read("meetings")
        return [one for one in self.titles.values() if search in one.title]

    async def meeting(self, meeting: MeetingId) -> Meeting:
        self._read("meeting")
        if meeting not in self.titles:
            raise NotFound("no such meeting")
        return self.titles[meeting]

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        self._read("active_session", fresh=fresh)
        return self.sessions.get(meeting)

    async def roster(self, session: SessionId, *, fresh: bool = False) -> Roster:
        self._read("roster", fresh=fresh)
        return Roster(self.on_roster(session))

    async def records(self, meeting: MeetingId, *, fresh: bool = False) -> Sequence[Participant]:
        self._read("records", fresh=fresh)
        return self.kept_records.get(meeting, [])

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        ids: list[str] = [*participant_ids, *custom_participant_ids]
        wanted = ids.pop()
        if ids:
            raise ValueError("one id per call")
        self.sent.append(wanted)
        self.sent_to.add(meeting)
        await asyncio.sleep(0)
        return self.on_kick(wanted)

    def _read(self, name: str, *, fresh: bool = False) -> None:
        self.reads.append((name, fresh))
        if self.faults.get(name):
            raise self.faults[name].pop(0)


class FakePeople:
    """Slack users: who they are now, and what was `cached` of them before."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.now: dict[UserId, Membership] = {}
        self.cached: dict[UserId, Membership] = {}
        self.down = ""
        self.late = timedelta()
        self.asked: list[bool] = []

    def add(
        self, user: UserId, *groups: GroupId, standing: AccountStatus = AccountStatus.MEMBER
    ) -> Membership:
        """Make somebody known, as of now."""
        member = Membership(user, TEAM, standing, frozenset(groups), self._clock.now())
        self.now[user] = self.cached[user] = member
        return member

    def cached_membership(self, user: UserId) -> Membership | None:
        return self.cached.get(user)

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        self.asked.append(fresh)
        if self.down:
            raise DirectoryUnavailable(self.down)
        self.cached[user] = replace(self.now[user], read_at=self._clock.now() - self.late)
        return self.cached[user]

    async def members(self, group: GroupId) -> Sequence[UserId]:
        if self.down:
            raise DirectoryUnavailable(self.down)
        return [user for user, one in self.now.items() if group in one.groups]


class FakeNotices:
    """Keeps what was shown and delivered, and what the store held at that moment.

    `answers` are what the next deliveries come to; after them each is told, where it stands or at
    a place of its own.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.shown: list[Kick] = []
        self.troubles: list[tuple[Kick, str]] = []
        self.delivered: list[tuple[OutboxMessage, Kick]] = []
        self.results: list[tuple[Kick, Kick]] = []
        self.answers: list[Delivery] = []
        self.open_views: list[KickId] = []

    def watched_kicks(self) -> Sequence[KickId]:
        return tuple(self.open_views)

    async def update_modals(self, kick: Kick) -> None:
        self.shown.append(kick)

    async def report_problem(self, kick: Kick, words: str) -> None:
        self.troubles.append((kick, words))

    async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
        self.delivered.append((notice, kick))
        if notice.kind is not MessageKind.CARD:
            self.results.append((kick, self._store.kicks[kick.id]))
        await asyncio.sleep(0)
        if self.answers:
            return self.answers.pop(0)
        if notice.ts:
            return Delivery(delivered=True)
        return Delivery(delivered=True, channel=kick.channel_id, ts=f"{len(self.delivered)}.0")

    def kinds(self) -> list[MessageKind]:
        """List what was delivered, or tried to be."""
        return [notice.kind for notice, _ in self.delivered]


class FlakyStore(MemoryStore):
    """A store that fails as often as told: before it writes what, or after, its answer lost.

    None stands for what no event tells of: a lease that is renewed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down: Counter[EventKind | None] = Counter()
        self.lost: Counter[EventKind | None] = Counter()

    async def add(self, kick: Kick, event: Event) -> Kick:
        return await self._flaky(event.kind, super().add(kick, event))

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        what = events[0].kind if events else None
        return await self._flaky(what, super().transition(before, after, *events))

    async def _flaky(self, what: EventKind | None, write: Coroutine[object, object, Kick]) -> Kick:
        await asyncio.sleep(0)
        if self.down[what] > 0:
            self.down[what] -= 1
            write.close()
            raise StoreUnavailable("the database is locked")
        stored = await write
        if self.lost[what] > 0:
            self.lost[what] -= 1
            raise StoreUnavailable("the connection broke")
        return stored


class FakeSpawn:
    """Work that was started, and runs when a test says so."""

    def __init__(self) -> None:
        self.works: list[Coroutine[object, object, None]] = []

    def __call__(self, work: Coroutine[object, object, None]) -> None:
        self.works.append(work)

    async def finish(self) -> None:
        """Run all of it, side by side, and what that starts."""
        while self.works:
            works, self.works = self.works, []
            await asyncio.gather(*works)
