"""A world for the state machine of the kick service: it fails on request, and knows the truth.

Every call yields before and after its effect, so that a process can die at either point, and other
tasks can run in between. Time advances only when the machine says so.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, UserId
from bot.core.outbox_message import Delivery, MessageKind, OutboxMessage
from bot.core.policy import GroupId, Membership
from bot.core.ports import (
    DirectoryUnavailable,
    GatewayError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from bot.core.roster import (
    CustomId,
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
from tests.fakes import FakeDirectory, FakeGateway, FakeNotifier, ids_in
from tests.processes import ManualClock, turn
from tests.stores import FlakyStore, StoreCall

Call = tuple[KickId, ParticipantKey | None]

CALL_LIMIT = timedelta(seconds=8)
ANY = "any"


# --- the store


class UnsteadyStore(FlakyStore):
    """Fails the next calls, whichever they are, and records every version of every kick.

    `down` and `lost` count failures under the key ANY. `calls` names the call that each task has
    marked last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fails_only_transitions = False
        self.versions: dict[KickId, list[Kick]] = defaultdict(list)
        self.calls: dict[asyncio.Task[Any] | None, Call] = {}

    def fail(self, down: int, lost: int) -> None:
        """Let this many calls fail before, and after, they have an effect."""
        self.down[ANY], self.lost[ANY] = down, lost

    def _fails(self, failures: Counter[StoreCall], key: StoreCall) -> bool:
        is_transition = key is None or isinstance(key, EventKind)
        if self.fails_only_transitions and not is_transition:
            return False
        return super()._fails(failures, ANY)

    def _put(self, before: Kick | None, after: Kick, *events: Event) -> None:
        super()._put(before, after, *events)
        self.versions[after.id].append(after)
        if before and events and events[0].kind is EventKind.CALLED:
            pairs = zip(before.targets, after.targets, strict=True)
            [marked] = [new for old, new in pairs if new != old]
            self.calls[asyncio.current_task()] = (after.id, marked.key)


# --- the meeting


@dataclass(slots=True)
class Truth:
    """What really happened with each call."""

    sent: Counter[Call] = field(default_factory=Counter)
    removed: set[Call] = field(default_factory=set)
    absent: set[Call] = field(default_factory=set)


class UnsteadyGateway(FakeGateway):
    """One meeting whose participants come and go, and whose list lags.

    `call_plans` and `read_plans` say how the next calls and the next reads of the list go; after
    them, all goes well. `on_send` is called before each call is sent.
    """

    def __init__(self, clock: ManualClock, store: UnsteadyStore, session: Session) -> None:
        super().__init__(clock)
        self.go_live(session)
        self.session = session
        self.truth = Truth()
        self.lag = timedelta()
        self.call_plans: list[str] = []
        self.read_plans: list[str] = []
        self.on_send: Callable[[Call | None], None] = lambda _: None
        self.failures: list[BaseException] = []
        self._store = store
        # The requests of processes that died. They may have an effect until their time limit.
        self.late: list[tuple[datetime, str, Call]] = []

    @property
    def peers(self) -> list[Peer]:
        """All rows of the session."""
        return self.rows[self.session.id]

    def join(self, person: str) -> None:
        """Open another connection of a person."""
        self.peers.append(
            Peer(
                PeerId(f"e{len(self.peers)}"),
                ParticipantId(person),
                CustomId(f"c {person}"),
                f"Name of {person}",
                "guest",
                self._clock.now(),
                None,
            )
        )

    def arrive(self) -> None:
        """Let the late requests have their effect whose time has come."""
        due = [request for request in self.late if request[0] <= self._clock.now()]
        self.late = [request for request in self.late if request[0] > self._clock.now()]
        for when, person, call in due:
            self._remove(person, call, when)

    def _remove(self, person: str, call: Call, when: datetime) -> bool:
        found = self.change(person, left_at=when)
        (self.truth.removed if found else self.truth.absent).add(call)
        return found

    def _listed(self) -> Iterable[Peer]:
        for row in self.peers:
            left_is_listed = row.left_at and row.left_at + self.lag <= self._clock.now()
            yield row if left_is_listed else replace(row, left_at=None)

    async def _next_plan(self) -> str:
        await turn()
        plan = self.read_plans.pop(0) if self.read_plans else "whole"
        if plan == "broken":
            raise OutcomeUnknown("500")
        return plan

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        await self._next_plan()
        return await super().active_session(meeting, fresh=fresh)

    async def find(
        self,
        session: SessionId,
        texts: Collection[str],
        *,
        fresh: bool = False,
        as_evidence: bool = False,
    ) -> Roster:
        plan = await self._next_plan()
        rows = list(self._listed()) if fresh and session == self.session.id else []
        if plan == "empty":
            rows = []
        elif plan == "partial":
            rows = rows[1:]
        await turn()
        wanted = ids_in(texts)
        return Roster(
            row for row in rows if as_evidence or wanted & {row.participant_id, row.custom_id}
        )

    async def records(
        self, meeting: MeetingId, texts: Collection[str], *, fresh: bool = False
    ) -> Sequence[Participant]:
        await self._next_plan()
        if not fresh or meeting != self.session.meeting.id:
            return []
        people = {row.participant_id: row for row in self.peers}.values()
        records = (
            Participant(one.participant_id, one.custom_id, one.name, "guest") for one in people
        )
        return [one for one in records if ids_in(texts) & {one.id, one.custom_id}]

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        ids: list[str] = [*participant_ids, *custom_participant_ids]
        [person] = ids
        if meeting != self.session.meeting.id:
            raise NotFound("no such meeting")
        plan = self.call_plans.pop(0) if self.call_plans else "kicked"
        if plan == "unsent":
            raise NotSent("no route")
        call = self._current_call()
        self.truth.sent[call] += 1
        return await self._reply(plan, person, call, self._clock.now() + CALL_LIMIT)

    def _current_call(self) -> Call:
        """Return which call this task sends. Record an error if it must not send it."""
        call = self._store.calls.get(asyncio.current_task())
        try:
            self.on_send(call)
        except AssertionError as error:
            self.failures.append(error)
        return call or (KickId("none"), None)

    async def _reply(self, plan: str, person: str, call: Call, deadline: datetime) -> Sequence[str]:
        without_effect: dict[str, GatewayError] = {
            "refused": Rejected("no"),
            "busy": RateLimited("later", 3),
            "lost before": OutcomeUnknown("reset"),
        }
        try:
            await turn(3)
        except asyncio.CancelledError:
            if plan not in without_effect:
                self.late.append((deadline, person, call))
            raise
        if self._clock.now() > deadline:
            raise OutcomeUnknown("no answer within 8 s")
        if plan in without_effect:
            raise without_effect[plan]
        found = self._remove(person, call, self._clock.now())
        await turn()
        if plan == "lost after" or self._clock.now() > deadline:
            raise OutcomeUnknown("reset")
        if not found:
            raise NotFound(f"No user found with id {person}")
        return [] if plan == "empty" else [person]


# --- Slack


class UnsteadyDirectory(FakeDirectory):
    """Slack users. The next `unreadable` reads of a membership fail."""

    unreadable = 0

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        await turn()
        if self.unreadable:
            self.unreadable -= 1
            raise DirectoryUnavailable("timeout")
        return await super().membership(user, fresh=fresh)

    async def members(self, group: GroupId) -> Sequence[UserId]:
        await turn()
        return await super().members(group)


class UnsteadyNotifier(FakeNotifier):
    """Slack's messages: `posted` has the kind of each message and the kick that it shows.

    `plans` say how the next deliveries go. Like the bot's own notifier, it posts a card only
    while its request is waiting.
    """

    def __init__(self, store: UnsteadyStore) -> None:
        super().__init__(store)
        self.plans: list[str] = []
        self.failed = 0
        self.posted: dict[str, tuple[MessageKind, Kick]] = {}

    async def update_modals(self, kick: Kick) -> None:
        await turn()
        await super().update_modals(kick)

    async def report_problem(self, kick: Kick, problem: str) -> None:
        await turn()
        await super().report_problem(kick, problem)

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        await turn()
        if message.kind is MessageKind.CARD and not message.ts and kick.state is not State.WAITING:
            return Delivery(delivered=True)
        plan = self.plans.pop(0) if self.plans else "delivered"
        if plan not in {"delivered", "slow"}:
            self.failed += 1
        if plan in {"down", "busy"}:
            retry_after = timedelta(seconds=20) if plan == "busy" else None
            return Delivery(delivered=False, retry_after=retry_after, error=plan)
        ts = message.ts or f"{len(self.posted)}.0"
        self.posted[ts] = (message.kind, kick)
        await turn(20 if plan == "slow" else 1)
        if plan == "lost":
            return Delivery(delivered=False, maybe_delivered=True, error=plan)
        return Delivery(delivered=True, channel=ChannelId("C1"), ts=ts)

    def shown_in(self, kick: KickId, kind: MessageKind) -> list[Kick]:
        """Return the kick that each posted message of this kind shows."""
        return [shown for other, shown in self.posted.values() if (other, shown.id) == (kind, kick)]
