"""Users, processes that die, and services that fail, interleaved. Every result must be true.

Runs 40 examples, or as many as the environment variable KICKBOT_EXAMPLES says.
"""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.core.approval_service import ApprovalService, ApprovalView
from bot.core.draft import Draft
from bot.core.kick import (
    ENDED_WITHOUT_CALL,
    OPEN,
    TRANSITIONS,
    ChannelId,
    Kick,
    KickId,
    State,
    UserId,
)
from bot.core.kick_service import InstanceIdentity, KickService, SubmitResult
from bot.core.outbox import Outbox
from bot.core.outbox_message import MessageKind
from bot.core.policy import AccountStatus, Grant, Policy, Protected, Role, Rules
from bot.core.ports import DirectoryUnavailable, StoreUnavailable
from bot.core.reconciler import Reconciler
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, Session, SessionId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.core.timing import SEND_WITHIN
from tests.fakes import TEAM
from tests.processes import ManualClock, ProcessTasks, new_loop
from tests.unsteady import Call, UnsteadyDirectory, UnsteadyGateway, UnsteadyNotifier, UnsteadyStore

# A process that dies leaves work that it never started.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")

AVA, BEN, LEA, MAX, EVE = (UserId(f"U{at}") for at in range(1, 6))
LIVE = Session(SessionId("s1"), Meeting(MeetingId("m1"), "Weekly AMA"))
POLICY = Policy(
    (
        Grant(frozenset({AVA, MAX}), frozenset(), Role.MODERATOR),
        Grant(frozenset({BEN}), frozenset(), Role.HELPER),
        Grant(frozenset({LEA}), frozenset(), Role.LEAD),
    ),
    Rules(protected=Protected(frozenset({"host"}))),
    approvals_channel=ChannelId("C2"),
)
GUESTS = ["p1", "p2", "p3"]
EXPECTED = (StoreUnavailable, DirectoryUnavailable)
MESSAGE_FOR = {
    State.DONE: MessageKind.RESULT,
    State.REFUSED: MessageKind.REQUESTER,
    State.DENIED: MessageKind.REQUESTER,
    State.EXPIRED: MessageKind.REQUESTER,
}

sides = st.sampled_from([0, 1])
users = st.sampled_from([LEA, MAX, LEA, MAX, BEN, AVA, EVE])
guests = st.sampled_from(GUESTS)
askers = st.sampled_from([AVA, BEN, BEN, LEA])
lost_calls = st.sampled_from(["lost after", "lost before", "empty", "kicked"])
calls = st.sampled_from(
    ["kicked", "lost after", "lost before", "empty", "refused", "busy", "unsent"]
)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the bot, and its tasks."""

    name: str
    tasks: ProcessTasks
    kick_service: KickService
    approval_service: ApprovalService
    reconciler: Reconciler


class World(RuleBasedStateMachine):
    """Two processes on one store. The gateway and the notifier know what really happened."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = new_loop()
        self.errors: list[BaseException] = []
        self.clock = ManualClock()
        self.store = UnsteadyStore()
        self.gateway = UnsteadyGateway(self.clock, self.store, LIVE)
        self.gateway.on_send, self.gateway.failures = self.must_be_allowed, self.errors
        self.directory = UnsteadyDirectory(self.clock)
        self.notifier = UnsteadyNotifier(self.store)
        self.started = 0
        self.deaths = 0
        self.stalls = 0
        self.asked: list[KickId] = []
        self.seen: dict[tuple[UserId, KickId], tuple[str, ...]] = {}
        self.approved: set[tuple[UserId, KickId]] = set()
        for user in (AVA, BEN, LEA, MAX, EVE):
            self.directory.add(user)
        for guest in GUESTS:
            self.gateway.join(guest)
        self.gateway.join("p1")
        self.clock.advance(60)
        self.processes = [self.process(), self.process()]

    @initialize(lag=st.sampled_from([0, 1, 5, 10]))
    def lag(self, lag: int) -> None:
        self.gateway.lag = timedelta(seconds=lag)

    def process(self) -> Process:
        self.started += 1
        name = f"process {self.started}"
        tasks = ProcessTasks(self.loop, self.errors)
        outbox = Outbox(store=self.store, notifier=self.notifier, clock=self.clock)
        kick_service = KickService(
            identity=InstanceIdentity(TEAM, "app", name),
            policy=POLICY,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            notifier=self.notifier,
            outbox=outbox,
            clock=self.clock,
            spawn=tasks.spawn,
        )
        approval_service = ApprovalService(
            policy=POLICY,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            kick_service=kick_service,
            clock=self.clock,
        )
        reconciler = Reconciler(
            store=self.store,
            kick_service=kick_service,
            outbox=outbox,
            notifier=self.notifier,
            clock=self.clock,
            spawn=tasks.spawn,
        )
        return Process(name, tasks, kick_service, approval_service, reconciler)

    def go_on(self, turns: int) -> None:
        """Let all tasks run for this many turns."""

        async def go() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(go())

    def start(self, side: int, work: Coroutine[object, object, Any]) -> None:
        """Start work in a process. Slack and the store may fail."""
        self.processes[side].tasks.start(work, EXPECTED)

    def kick_at(self, at: int) -> KickId:
        return self.asked[at % len(self.asked)]

    # --- what people do

    @initialize(
        side=sides,
        user=askers,
        whom=st.sets(guests, min_size=1),
        asks=st.booleans(),
        plans=st.lists(calls, max_size=6),
    )
    def begin(
        self, side: int, user: UserId, whom: set[str], *, asks: bool, plans: list[str]
    ) -> None:
        self.gateway.call_plans = plans
        self.ask(side, user, whom, asks=asks, twice=False)

    @precondition(lambda self: len(self.asked) < 3)
    @rule(
        side=sides,
        user=askers,
        whom=st.sets(guests, min_size=1),
        asks=st.booleans(),
        twice=st.booleans(),
    )
    def ask(self, side: int, user: UserId, whom: set[str], *, asks: bool, twice: bool) -> None:
        targets = (
            Target(ParticipantId(one), CustomId(f"c {one}"), f"Name of {one}", "guest")
            for one in sorted(whom)
        )
        draft = Draft(
            id=f"draft {len(self.store.drafts)}",
            team_id=TEAM,
            channel_id=ChannelId("C1"),
            requester=user,
            meeting=LIVE.meeting,
            session_id=LIVE.id,
            targets=tuple(targets),
            reason="spam",
            created_at=self.clock.now(),
            needs_approval=asks,
        )
        self.store.drafts[draft.id] = draft
        for at in (side, 1 - side)[: 2 if twice else 1]:
            self.start(at, self.submit(self.processes[at].kick_service, draft))
        self.go_on(6)

    async def submit(self, kick_service: KickService, draft: Draft) -> None:
        result = await kick_service.submit(draft.id, f"view {draft.id}", draft.requester)
        assert isinstance(result, SubmitResult)
        if result.created:
            kick_service.start(result.kick)

    @invariant()
    def learn_of_requests(self) -> None:
        self.asked = list(self.store.kicks)

    @precondition(lambda self: self.asked)
    @rule(side=sides, user=users, at=st.integers(0, 2), is_fresh=st.booleans())
    def approve(self, side: int, user: UserId, at: int, *, is_fresh: bool) -> None:
        kick = self.kick_at(at)
        self.start(side, self.review_and_approve(side, user, kick, is_fresh=is_fresh))

    @precondition(lambda self: self.asked)
    @rule(user=st.sampled_from([LEA, MAX]), at=st.integers(0, 2))
    def approve_twice(self, user: UserId, at: int) -> None:
        for side, one in ((0, LEA), (1, user)):
            self.approve(side, one, at, is_fresh=True)

    async def review_and_approve(
        self, side: int, user: UserId, kick: KickId, *, is_fresh: bool
    ) -> None:
        approval_service = self.processes[side].approval_service
        if is_fresh or (user, kick) not in self.seen:
            view = await approval_service.open_request(kick, user)
            if isinstance(view, ApprovalView):
                self.seen[user, kick] = view.seen
        self.approved.add((user, kick))
        await approval_service.approve(kick, user, self.seen.get((user, kick), ()))

    @precondition(lambda self: self.asked)
    @rule(side=sides, user=users, at=st.integers(0, 2), is_no=st.booleans())
    def end(self, side: int, user: UserId, at: int, *, is_no: bool) -> None:
        service, kick = self.processes[side].approval_service, self.kick_at(at)
        self.start(side, service.deny(kick, user, "no") if is_no else service.cancel(kick, user))

    @precondition(lambda self: self.asked)
    @rule(side=sides, user=users, at=st.integers(0, 2))
    def check_again(self, side: int, user: UserId, at: int) -> None:
        kick = self.kick_at(at)
        # The button is on the result's message.
        if self.notifier.shown_in(kick, MessageKind.RESULT):
            self.start(side, self.processes[side].kick_service.check_again(kick, user))

    # --- what happens in the meeting

    @rule(guest=guests, what=st.sampled_from(["leaves", "joins", "is renamed", "is promoted"]))
    def guest_changes(self, guest: str, what: str) -> None:
        if what == "joins":
            self.gateway.join(guest)
        elif what == "leaves":
            self.gateway.change(guest, left_at=self.clock.now())
        elif what == "is renamed":
            self.gateway.change(guest, name="The boss")
        else:
            self.gateway.change(guest, preset="host")

    # --- what goes wrong

    @rule(plans=st.lists(calls, min_size=1, max_size=4))
    def calls_go(self, plans: list[str]) -> None:
        self.gateway.call_plans = plans

    @rule(
        reads=st.lists(st.sampled_from(["broken", "empty", "partial", "whole"]), max_size=4),
        messages=st.lists(
            st.sampled_from(["down", "busy", "lost", "slow", "delivered"]), max_size=4
        ),
    )
    def reads_and_messages_go(self, reads: list[str], messages: list[str]) -> None:
        self.gateway.read_plans, self.notifier.plans = reads, messages

    @rule(down=st.integers(0, 2), lost=st.integers(0, 2), only_transitions=st.booleans())
    def store_fails(self, down: int, lost: int, *, only_transitions: bool) -> None:
        self.store.fail(down, lost)
        self.store.fails_only_transitions = only_transitions

    @rule(
        unreadable=st.integers(0, 2),
        user=users,
        standing=st.sampled_from([AccountStatus.MEMBER, AccountStatus.DEACTIVATED]),
    )
    def slack_says(self, unreadable: int, user: UserId, standing: AccountStatus) -> None:
        self.directory.unreadable = unreadable
        self.directory.add(user, standing=standing)

    @rule(side=sides, turns=st.integers(0, 12))
    def die(self, side: int, turns: int) -> None:
        self.go_on(turns)
        dead = self.processes[side].tasks
        self.deaths += not dead.is_quiet
        dead.die()
        # A task may wait for a chain of other tasks, which end one after the other.
        self.go_on(12)
        assert dead.is_quiet
        self.processes[side] = self.process()

    @precondition(lambda self: any(one.state in OPEN for one in self.store.kicks.values()))
    @rule(
        after=st.integers(0, 8),
        what=st.sampled_from(["dies", "dies", "stalls", "sees nothing", "can't write"]),
        plans=st.lists(lost_calls, max_size=3),
    )
    def once_somebody_is_called(self, after: int, what: str, plans: list[str]) -> None:
        self.gateway.call_plans = plans or self.gateway.call_plans
        for _ in range(60):
            caller = self.caller()
            if caller is not None:
                self.go_on(after)
                self.goes_wrong(caller, what)
                return
            self.go_on(1)

    def goes_wrong(self, side: int, what: str) -> None:
        if what == "dies":
            self.die(side, 0)
            self.reconcilers_tick(12)
        elif what == "stalls":
            self.time_passes(16, 0, 1)
        elif what == "sees nothing":
            self.gateway.read_plans = ["empty", "partial", "empty", "partial"]
        else:
            self.store_fails(1, 1, only_transitions=True)

    def caller(self) -> int | None:
        """Return the process that has marked a call and waits for its outcome."""
        owners = [
            kick.owner
            for kick in self.store.kicks.values()
            if kick.state is State.RUNNING
            and any(target.called_at and target.outcome is None for target in kick.targets)
        ]
        return next((at for at in (0, 1) if self.processes[at].name in owners), None)

    # --- what goes on

    @rule(side=sides)
    def tick(self, side: int) -> None:
        self.start(side, self.processes[side].reconciler.tick())

    @rule(turns=st.integers(1, 10))
    def a_little_goes_on(self, turns: int) -> None:
        self.go_on(turns)

    @rule(turns=st.integers(10, 60))
    def much_goes_on(self, turns: int) -> None:
        self.go_on(turns)

    @rule(rounds=st.integers(1, 15))
    def reconcilers_tick(self, rounds: int) -> None:
        for _ in range(rounds):
            for side in (0, 1):
                self.tick(side)
            self.go_on(40)
            self.advance(2)
            self.go_on(40)

    @rule(
        seconds=st.sampled_from([0.1, 1, 2, 3, 5, 6, 9, 15, 31, 61, 600]),
        turns=st.integers(0, 20),
        steps=st.integers(1, 4),
    )
    def time_passes(self, seconds: float, turns: int, steps: int) -> None:
        for _ in range(steps):
            self.stalls += not self.is_quiet()
            self.advance(seconds / steps)
            self.go_on(turns)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.gateway.arrive()

    # --- what must hold

    def must_be_allowed(self, call: Call | None) -> None:
        """Check that a call is allowed, right before it is sent."""
        assert call
        kick = self.store.kicks[call[0]]
        assert kick.state is State.RUNNING
        called_at = kick.target(call[1]).called_at
        assert called_at
        assert self.clock.now() - called_at <= SEND_WITHIN
        assert self.gateway.truth.sent[call] == 0
        needs_two = self.store.drafts[kick.idempotency_key.removeprefix("view ")].needs_approval
        assert kick.approval_requested or (kick.requester in {AVA, LEA} and not needs_two)
        if kick.approval_requested:
            assert kick.approver
            assert kick.approver in {AVA, LEA, MAX}
            assert kick.approver != kick.requester
            assert (kick.approver, kick.id) in self.approved

    @invariant()
    def nothing_broke(self) -> None:
        for fault in self.errors:
            raise fault
        assert {problem for _, problem in self.notifier.problems} <= {
            "the database is locked",
            "the connection broke",
        }

    @invariant()
    def each_target_is_called_at_most_once(self) -> None:
        assert set(self.gateway.truth.sent.values()) <= {1}

    @invariant()
    def every_move_is_in_the_table(self) -> None:
        for versions in self.store.versions.values():
            for old, new in pairwise(versions):
                assert new.state in TRANSITIONS[old.state]
                assert new.version == old.version + 1
                if new.decided_at and new.expires_at:
                    assert new.decided_at < new.expires_at
                for one, other in zip(old.targets, new.targets, strict=True):
                    assert one.outcome in {None, Outcome.UNKNOWN, other.outcome}

    @invariant()
    def every_claim_is_true(self) -> None:
        for kick in self.store.kicks.values():
            for target in kick.targets:
                if target.outcome:
                    self.is_true(target, (kick.id, target.key))

    def is_true(self, target: Target, call: Call) -> None:
        truth = self.gateway.truth
        if target.outcome is Outcome.KICKED:
            assert call in truth.removed
        if target.outcome is Outcome.GONE:
            left = {row.id for row in self.gateway.peers if row.left_at}
            assert {seen.peer_id for seen in target.peers} <= left
            assert target.peers or call in truth.absent
        if target.outcome is Outcome.FAILED:
            assert call not in truth.removed
        if target.outcome_reason in {
            OutcomeReason.NOT_TRIED,
            OutcomeReason.PROTECTED,
            OutcomeReason.UNREACHABLE,
        }:
            assert call not in truth.sent

    @invariant()
    def what_came_to_nothing_called_nobody(self) -> None:
        for kick in self.store.kicks.values():
            if kick.state in ENDED_WITHOUT_CALL:
                assert all(target.called_at is None for target in kick.targets)
                assert not {call for call in self.gateway.truth.sent if call[0] == kick.id}

    # --- the end

    def teardown(self) -> None:
        try:
            self.heal()
            self.come_to_rest()
            self.nothing_broke()
            self.every_claim_is_true()
            for kick in self.store.kicks.values():
                self.has_ended_and_is_shown(kick)
        finally:
            for process in self.processes:
                process.tasks.die()
            self.go_on(12)
            self.loop.close()

    def heal(self) -> None:
        self.gateway.call_plans, self.gateway.read_plans, self.notifier.plans = [], [], []
        self.directory.unreadable = 0
        self.store.fail(0, 0)

    def come_to_rest(self) -> None:
        """Let the reconcilers tick, and time pass, until nothing is due any more."""
        end = self.clock.now() + timedelta(minutes=30)
        while not self.is_at_rest():
            assert self.clock.now() < end
            for side in (0, 1):
                self.tick(side)
            self.go_on(60)
            self.advance(self.until_something_is_due())
            self.go_on(60)

    def is_quiet(self) -> bool:
        return all(process.tasks.is_quiet for process in self.processes)

    def is_at_rest(self) -> bool:
        due = [kick.due_at for kick in self.store.kicks.values()]
        messages = [message.due_at for message in self.store.messages.values()]
        return self.is_quiet() and not self.gateway.late and not any([*due, *messages])

    def until_something_is_due(self) -> float:
        kicks = [kick.due_at for kick in self.store.kicks.values() if kick.due_at]
        messages = [one.due_at for one in self.store.messages.values() if one.due_at]
        now = self.clock.now()
        moments = [*kicks, *messages, *self.clock.wakes, *(late[0] for late in self.gateway.late)]
        later = [moment for moment in moments if moment > now]
        return (min(later) - now).total_seconds() if later else 1

    def has_ended_and_is_shown(self, kick: Kick) -> None:
        assert kick.state in ENDED_WITHOUT_CALL | {State.DONE}
        kind = MESSAGE_FOR.get(kick.state)
        # A kick that was refused at its submit was shown in the reply to the submit.
        if kind and self.store.versions[kick.id] != [kick]:
            shown = self.notifier.shown_in(kick.id, kind)
            assert shown
            assert shown[-1] == kick
            assert len(shown) <= 1 + self.excuses(kick)
        card = self.store.messages.get((kick.id, MessageKind.CARD))
        if card and card.ts:
            assert self.notifier.posted[card.ts] == (MessageKind.CARD, kick)
        if not self.excuses(kick):
            assert self.notifier.shown_in(kick.id, MessageKind.CARD) in ([], [kick])

    def excuses(self, kick: Kick) -> int:
        """Count the events that may have led to a second copy of a message."""
        # A check may have changed the kick before the place of the result was recorded.
        done = [one for one in self.store.versions[kick.id] if one.state is State.DONE]
        failures = self.store.failed + self.notifier.failed
        return self.deaths + self.stalls + failures + len(done[1:])


World.TestCase.settings = settings(
    max_examples=int(os.environ.get("KICKBOT_EXAMPLES", "40")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestWorld = World.TestCase
