"""A world for the state machine over the flow: it fails as told, and knows what is true.

Everything waits before and after it has an effect, so that a process can die at either point and
others get their turn in between. Time passes only when the machine says so.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, UserId
from bot.core.outbox_message import MessageKind, OutboxMessage
from bot.core.policy import GroupId, Membership
from bot.core.ports import (
    Delivery,
    DirectoryUnavailable,
    GatewayError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StoreUnavailable,
)
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    ParticipantKey,
    Peer,
    PeerId,
    Roster,
    Session,
    SessionId,
)
from tests.fakes import FakeClock, FakePeople, MemoryStore

T = TypeVar("T")
Mark = tuple[KickId, ParticipantKey | None]

CALL_LIMIT = timedelta(seconds=8)


async def turn(times: int = 1) -> None:
    """Let others go on; whoever dies may die here."""
    for _ in range(times):
        await asyncio.sleep(0)


class Time(FakeClock):
    """Time that the machine lets pass; whoever sleeps wakes up then."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + timedelta(seconds=seconds), future))
        await future

    def pass_by(self, seconds: float) -> None:
        super().pass_by(seconds)
        awake = [future for when, future in self._sleepers if when <= self.time]
        self._sleepers = [one for one in self._sleepers if one[0] > self.time]
        for future in awake:
            if not future.done():
                future.set_result(None)

    @property
    def wakes(self) -> list[datetime]:
        """List when somebody who still sleeps wakes up."""
        return [when for when, future in self._sleepers if not future.done()]


# --- processes

_OWNER: ContextVar["Tasks | None"] = ContextVar("owner", default=None)


class Tasks:
    """The tasks of one process, and all that those start; they die together."""

    def __init__(self, loop: asyncio.AbstractEventLoop, faults: list[BaseException]) -> None:
        self._loop = loop
        self._faults = faults
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Start what nobody waits for; that it fails is a fault of the bot."""
        self.start(work, ())

    def start(
        self, work: Coroutine[object, object, Any], expected: tuple[type[Exception], ...]
    ) -> asyncio.Task[Any]:
        """Start something that may fail in these ways."""
        context = copy_context()
        context.run(_OWNER.set, self)
        task = self._loop.create_task(work, context=context)
        task.add_done_callback(lambda done: self._ended(done, expected))
        return task

    def _ended(self, task: asyncio.Task[Any], expected: tuple[type[Exception], ...]) -> None:
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, expected):
            self._faults.append(error)

    def die(self) -> None:
        """Be killed: nothing of it goes on."""
        for task in self._running:
            task.cancel()

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self._running

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Count a task as one of these."""
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that knows of each task whose it is."""

    def make(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        task = asyncio.Task(work, loop=loop, **options)
        context = options.get("context")
        owner = context.get(_OWNER) if context else _OWNER.get()
        if owner:
            owner.keep(task)
        return task

    loop = asyncio.new_event_loop()
    loop.set_task_factory(make)  # type: ignore[arg-type] # typeshed wants a Future factory
    return loop


# --- the store


class Store(MemoryStore):
    """Fails as told, before or after it did something; keeps every form of every kick."""

    def __init__(self) -> None:
        super().__init__()
        self.down = 0
        self.lost = 0
        self.fails_only_moves = False
        self.failed = 0
        self.forms: dict[KickId, list[Kick]] = defaultdict(list)
        self.marks: dict[asyncio.Task[Any] | None, Mark] = {}

    async def _use(self, use: Callable[[], Awaitable[T]], *, moves: bool = False) -> T:
        await turn()
        fails = moves or not self.fails_only_moves
        if fails and self.down:
            self.down -= 1
            self.failed += 1
            raise StoreUnavailable("the database is locked")
        result = await use()
        await turn()
        if fails and self.lost:
            self.lost -= 1
            self.failed += 1
            raise StoreUnavailable("the connection broke")
        return result

    async def add(self, kick: Kick, event: Event) -> Kick:
        return await self._use(lambda: self._added(kick, event))

    async def _added(self, kick: Kick, event: Event) -> Kick:
        stored = await super().add(kick, event)
        self.forms[stored.id] = self.forms[stored.id] or [stored]
        return stored

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        return await self._use(lambda: self._moved(before, after, *events), moves=True)

    async def _moved(self, before: Kick, after: Kick, *events: Event) -> Kick:
        moved = await super().transition(before, after, *events)
        self.forms[moved.id].append(moved)
        if events and events[0].kind is EventKind.CALLED:
            pairs = zip(before.targets, after.targets, strict=True)
            [marked] = [new for old, new in pairs if new != old]
            self.marks[asyncio.current_task()] = (moved.id, marked.key)
        return moved

    async def get_kick(self, kick: KickId) -> Kick | None:
        return await self._use(lambda: MemoryStore.get_kick(self, kick))

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        return await self._use(lambda: MemoryStore.overdue_kicks(self, now))

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        return await self._use(lambda: MemoryStore.pending_messages(self, kick))

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        return await self._use(lambda: MemoryStore.overdue_messages(self, now))

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        return await self._use(lambda: MemoryStore.update_message(self, before, after))

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        return await self._use(
            lambda: MemoryStore.recent_targets(self, requester, *since, before=before)
        )

    async def record_event(self, event: Event) -> None:
        await self._use(lambda: MemoryStore.record_event(self, event))

    async def get_draft(self, draft_id: str) -> Draft | None:
        return await self._use(lambda: MemoryStore.get_draft(self, draft_id))


# --- the meeting


@dataclass(slots=True)
class Truth:
    """What really became of the calls, by the kick and target they were sent for."""

    sent: Counter[Mark] = field(default_factory=Counter)
    removed: set[Mark] = field(default_factory=set)
    absent: set[Mark] = field(default_factory=set)


class Rooms:
    """One meeting, and people who come and go; the list of them lags.

    `plans` say how the next calls go, `looks` how the next reads of the list do; what is not
    planned goes well. `on_send` is told of each call before it is sent.
    """

    def __init__(self, clock: Time, store: Store, session: Session) -> None:
        self.session = session
        self.truth = Truth()
        self.rows: list[Peer] = []
        self.lag = timedelta()
        self.plans: list[str] = []
        self.looks: list[str] = []
        self.on_send: Callable[[Mark | None], None] = lambda _: None
        self.faults: list[BaseException] = []
        self._clock = clock
        self._store = store
        # Requests of processes that died, which get through nevertheless.
        self.late: list[tuple[datetime, str, Mark]] = []

    def join(self, one: str, **changes: Any) -> None:
        """Let somebody open another connection."""
        row = Peer(
            PeerId(f"e{len(self.rows)}"),
            ParticipantId(one),
            CustomId(f"c {one}"),
            f"Name of {one}",
            "guest",
            self._clock.now(),
            None,
        )
        self.rows.append(replace(row, **changes))

    def change(self, one: str, **changes: Any) -> bool:
        """Change every open connection of somebody; tell whether there was one."""
        found = False
        for at, row in enumerate(self.rows):
            if row.participant_id == one and row.left_at is None:
                self.rows[at] = replace(row, **changes)
                found = True
        return found

    def arrive(self) -> None:
        """Let those requests get through whose time has come."""
        due = [one for one in self.late if one[0] <= self._clock.now()]
        self.late = [one for one in self.late if one[0] > self._clock.now()]
        for when, wanted, mark in due:
            self._effect(wanted, mark, when)

    def _effect(self, wanted: str, mark: Mark, when: datetime) -> bool:
        found = self.change(wanted, left_at=when)
        (self.truth.removed if found else self.truth.absent).add(mark)
        return found

    def _shown(self) -> Iterable[Peer]:
        for row in self.rows:
            is_told = row.left_at and row.left_at + self.lag <= self._clock.now()
            yield row if is_told else replace(row, left_at=None)

    async def _look(self) -> str:
        await turn()
        plan = self.looks.pop(0) if self.looks else "whole"
        if plan == "broken":
            raise OutcomeUnknown("500")
        return plan

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        await self._look()
        return self.session if fresh or meeting == self.session.meeting.id else None

    async def roster(self, session: SessionId, *, fresh: bool = False) -> Roster:
        plan = await self._look()
        rows = list(self._shown()) if fresh and session == self.session.id else []
        if plan == "empty":
            rows = []
        elif plan == "partial":
            rows = rows[1:]
        await turn()
        return Roster(rows)

    async def records(self, meeting: MeetingId, *, fresh: bool = False) -> Sequence[Participant]:
        await self._look()
        if not fresh or meeting != self.session.meeting.id:
            return []
        people = {row.participant_id: row for row in self.rows}.values()
        return [Participant(row.participant_id, row.custom_id, row.name, "guest") for row in people]

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        ids: list[str] = [*participant_ids, *custom_participant_ids]
        [wanted] = ids
        if meeting != self.session.meeting.id:
            raise NotFound("no such meeting")
        plan = self.plans.pop(0) if self.plans else "kicked"
        if plan == "unsent":
            raise NotSent("no route")
        mark = self._marked()
        self.truth.sent[mark] += 1
        return await self._answer(plan, wanted, mark, self._clock.now() + CALL_LIMIT)

    def _marked(self) -> Mark:
        """Find out which kick calls here; that it must not is a fault, which its flow may hide."""
        mark = self._store.marks.get(asyncio.current_task())
        try:
            self.on_send(mark)
        except AssertionError as error:
            self.faults.append(error)
        return mark or (KickId("none"), None)

    async def _answer(
        self, plan: str, wanted: str, mark: Mark, deadline: datetime
    ) -> Sequence[str]:
        nothing: dict[str, GatewayError] = {
            "refused": Rejected("no"),
            "busy": RateLimited("later", 3),
            "lost before": OutcomeUnknown("reset"),
        }
        try:
            await turn(3)
        except asyncio.CancelledError:
            if plan not in nothing:
                self.late.append((deadline, wanted, mark))
            raise
        if self._clock.now() > deadline:
            raise OutcomeUnknown("no answer within 8 s")
        if plan in nothing:
            raise nothing[plan]
        found = self._effect(wanted, mark, self._clock.now())
        await turn()
        if plan == "lost after" or self._clock.now() > deadline:
            raise OutcomeUnknown("reset")
        if not found:
            raise NotFound(f"No user found with id {wanted}")
        return [] if plan == "empty" else [wanted]

    async def live_sessions(self) -> Sequence[Session]:
        return [self.session]

    async def meetings(self, search: str) -> Sequence[Meeting]:
        return [self.session.meeting] if search else []

    async def meeting(self, meeting: MeetingId) -> Meeting:
        if meeting != self.session.meeting.id:
            raise NotFound("no such meeting")
        return self.session.meeting


# --- Slack


class People(FakePeople):
    """Slack users, who can't be read so many times."""

    def __init__(self, clock: Time) -> None:
        super().__init__(clock)
        self.unreadable = 0

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        await turn()
        if self.unreadable:
            self.unreadable -= 1
            raise DirectoryUnavailable("timeout")
        return await super().membership(user, fresh=fresh)

    async def members(self, group: GroupId) -> Sequence[UserId]:
        await turn()
        return await super().members(group)


class Notices:
    """Slack, as far as messages go: what stands where, and what was shown of the kick there.

    `plans` say how the next deliveries go. A card is posted only while its request waits, as the
    bot's own does.
    """

    def __init__(self) -> None:
        self.plans: list[str] = []
        self.failed = 0
        self.stands: dict[str, tuple[MessageKind, Kick]] = {}
        self.troubles: list[tuple[Kick, str]] = []
        self.shown: list[Kick] = []

    def watched_kicks(self) -> tuple[KickId, ...]:
        return ()

    async def update_modals(self, kick: Kick) -> None:
        await turn()
        self.shown.append(kick)

    async def report_problem(self, kick: Kick, words: str) -> None:
        await turn()
        self.troubles.append((kick, words))

    async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
        await turn()
        if notice.kind is MessageKind.CARD and not notice.ts and kick.state is not State.WAITING:
            return Delivery(delivered=True)
        plan = self.plans.pop(0) if self.plans else "told"
        if plan not in {"told", "slow"}:
            self.failed += 1
        if plan in {"down", "busy"}:
            wait = timedelta(seconds=20) if plan == "busy" else None
            return Delivery(delivered=False, retry_after=wait, error=plan)
        ts = notice.ts or f"{len(self.stands)}.0"
        self.stands[ts] = (notice.kind, kick)
        await turn(20 if plan == "slow" else 1)
        if plan == "lost":
            return Delivery(delivered=False, maybe_delivered=True, error=plan)
        return Delivery(delivered=True, channel=ChannelId("C1"), ts=ts)

    def told(self, kick: KickId, kind: MessageKind) -> list[Kick]:
        """List how a kick stands in the messages of a kind, one for each message."""
        return [one for other, one in self.stands.values() if (other, one.id) == (kind, kick)]
