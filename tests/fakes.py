"""Small fakes of the ports. They pass the same contract tests as the real implementations."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.kick import Kick, KickId, TeamId, UserId
from bot.core.outbox_message import Delivery, MessageKind, OutboxMessage
from bot.core.policy import AccountStatus, GroupId, Membership
from bot.core.ports import DirectoryUnavailable, KickCall, NotFound
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
    parse_key,
)
from tests.stores import MemoryStore

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
    """Return a row of a session; `joined` and `left` are seconds from NOW."""
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
    """Return the time this many seconds from NOW."""
    return None if seconds is None else NOW + timedelta(seconds=seconds)


class FakeClock:
    """A clock that advances when `sleep` or `advance` is called.

    `step` sets the store's clock: the monotonic clock does not follow, and `sync` reports it once.
    """

    def __init__(self) -> None:
        self.time = NOW
        self._elapsed = 1000.0
        self._stepped = False

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self._elapsed += seconds

    def step(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self._stepped = True

    async def sync(self) -> bool:
        stepped, self._stepped = self._stepped, False
        return stepped

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


class FakeGateway:
    """RealtimeKit with sessions that a test arranges.

    `rows` are the rows of each session. `cached` are the rosters that were read before. `partial`
    are the keys of people of whom rows may be missing. `searches` lists what rosters were read
    for. `errors` are raised by reads: one for each read of that
    name. `on_kick` is called with the id of each kick, and returns the ids of the reply. `sent`
    lists the ids that were kicked; `reads` lists each read and whether it was fresh. RealtimeKit's
    clock is ahead of the bot's by `service_ahead`, at least and at most; None: not known.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.sessions: dict[MeetingId, Session] = {}
        self.all_meetings: dict[MeetingId, Meeting] = {}
        self.rows: dict[SessionId, list[Peer]] = {}
        self.stored_records: dict[MeetingId, list[Participant]] = {}
        self.errors: dict[str, list[Exception]] = {}
        self.cached: dict[SessionId, Roster] = {}
        self.searches: list[str] = []
        self.partial: set[str] = set()
        self.on_kick: Callable[[str], Sequence[str]] = self.remove
        self.on_roster: Callable[[SessionId], Sequence[Peer]] = self.rows_of
        self.reads: list[tuple[str, bool]] = []
        self.sent: list[str] = []
        self.sent_to: set[MeetingId] = set()
        self.service_ahead: tuple[timedelta, timedelta] | None = (timedelta(), timedelta())

    def go_live(self, session: Session, *rows: Peer) -> None:
        """Start a session with these rows."""
        self.sessions[session.meeting.id] = session
        self.rows[session.id] = list(rows)

    def rows_of(self, session: SessionId) -> Sequence[Peer]:
        """Return the current rows of a session."""
        return self.rows.get(session, [])

    def change(self, wanted: str, **changes: Any) -> bool:
        """Change the open rows with this participant id or custom id. Return whether any exist."""
        found = False
        for rows in self.rows.values():
            for position, row in enumerate(rows):
                if wanted in (row.participant_id, row.custom_id) and row.left_at is None:
                    rows[position] = replace(row, **changes)
                    found = True
        return found

    def remove(self, wanted: str) -> Sequence[str]:
        """Kick successfully: end every connection of this person."""
        if not self.change(wanted, left_at=self._clock.now()):
            raise NotFound(f"No user found with id {wanted}")
        return [wanted]

    async def live_sessions(self) -> Sequence[Session]:
        self._read("live_sessions")
        return list(self.sessions.values())

    async def meetings(self, search: str) -> Sequence[Meeting]:
        self._read("meetings")
        return [meeting for meeting in self.all_meetings.values() if search in meeting.title]

    async def meeting(self, meeting: MeetingId) -> Meeting:
        self._read("meeting")
        if meeting not in self.all_meetings:
            raise NotFound("no such meeting")
        return self.all_meetings[meeting]

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        self._read("active_session", fresh=fresh)
        return self.sessions.get(meeting)

    async def roster(self, session: SessionId, search: str = "") -> Roster:
        self._read("roster")
        self.searches.append(search)
        return Roster(self.on_roster(session), self.partial & {search})

    def cached_roster(self, session: SessionId) -> Roster | None:
        return self.cached.get(session)

    async def find(
        self,
        session: SessionId,
        texts: Collection[str],
        *,
        fresh: bool = False,
        as_evidence: bool = False,
    ) -> Roster:
        self._read("find", fresh=fresh)
        wanted, rows = ids_in(texts), self.on_roster(session)
        if not as_evidence:
            rows = [one for one in rows if wanted & {one.participant_id, one.custom_id, one.id}]
        return Roster(rows, self.partial)

    async def records(
        self, meeting: MeetingId, texts: Collection[str], *, fresh: bool = False
    ) -> Sequence[Participant]:
        self._read("records", fresh=fresh)
        records = self.stored_records.get(meeting, [])
        return [one for one in records if ids_in(texts) & {one.id, one.custom_id}]

    @asynccontextmanager
    async def kick_slot(self) -> AsyncIterator[KickCall]:
        yield self.kick

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

    def service_time(self, moment: datetime) -> tuple[datetime, datetime] | None:
        if self.service_ahead is None:
            return None
        least, most = self.service_ahead
        return moment + least, moment + most

    def _read(self, name: str, *, fresh: bool = False) -> None:
        self.reads.append((name, fresh))
        if self.errors.get(name):
            raise self.errors[name].pop(0)


def ids_in(texts: Collection[str]) -> set[str | None]:
    """Return the ids in keys and in pasted texts."""
    return {part for text in texts for part in parse_key(text) or (text,) if part}


class FakeDirectory:
    """Slack users: `now` are their current memberships, `cached` those that were read before.

    If `error` is set, every read fails with it. `read_delay` makes each membership older. `reads`
    lists for each read of a membership whether it was fresh.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.now: dict[UserId, Membership] = {}
        self.cached: dict[UserId, Membership] = {}
        self.error = ""
        self.read_delay = 0.0  # seconds
        self.reads: list[bool] = []

    def add(
        self, user: UserId, *groups: GroupId, standing: AccountStatus = AccountStatus.MEMBER
    ) -> Membership:
        """Add or replace a user, as current and as cached."""
        member = Membership(user, TEAM, standing, frozenset(groups), self._clock.monotonic())
        self.now[user] = self.cached[user] = member
        return member

    def cached_membership(self, user: UserId) -> Membership | None:
        return self.cached.get(user)

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        self.reads.append(fresh)
        if self.error:
            raise DirectoryUnavailable(self.error)
        read_at = self._clock.monotonic() - self.read_delay
        self.cached[user] = replace(self.now[user], read_at=read_at)
        return self.cached[user]

    async def members(self, group: GroupId) -> Sequence[UserId]:
        if self.error:
            raise DirectoryUnavailable(self.error)
        return [user for user, member in self.now.items() if group in member.groups]


class FakeNotifier:
    """Records what was shown and delivered, and the stored kick at that moment.

    `results` pairs each kick that was delivered with the stored one. `deliveries` are the results
    of the next deliveries. After them, each delivery succeeds: a posted message is edited, and
    any other is posted.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.shown: list[Kick] = []
        self.problems: list[tuple[Kick, str]] = []
        self.delivered: list[tuple[OutboxMessage, Kick]] = []
        self.results: list[tuple[Kick, Kick]] = []
        self.deliveries: list[Delivery] = []
        self.watched: list[KickId] = []

    def watched_kicks(self) -> Sequence[KickId]:
        return tuple(self.watched)

    async def update_modals(self, kick: Kick) -> None:
        self.shown.append(kick)

    async def report_problem(self, kick: Kick, problem: str) -> None:
        self.problems.append((kick, problem))

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        self.delivered.append((message, kick))
        if message.kind is not MessageKind.CARD:
            self.results.append((kick, self._store.kicks[kick.id]))
        await asyncio.sleep(0)
        if self.deliveries:
            return self.deliveries.pop(0)
        if message.ts:
            return Delivery(delivered=True)
        return Delivery(delivered=True, channel=kick.channel_id, ts=f"{len(self.delivered)}.0")

    def kinds(self) -> list[MessageKind]:
        """Return the kinds of the messages whose delivery was tried."""
        return [message.kind for message, _ in self.delivered]


class FakeSpawn:
    """Collects work, and runs it when a test says so."""

    def __init__(self) -> None:
        self.pending: list[Coroutine[object, object, object]] = []

    def __call__(self, work: Coroutine[object, object, object]) -> None:
        self.pending.append(work)

    async def finish(self) -> None:
        """Run all work concurrently, and then the work that it has spawned."""
        while self.pending:
            pending, self.pending = self.pending, []
            await asyncio.gather(*pending)
