"""Several processes change one kick, each from the version it knows. The store lets one win."""

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.core.event import Event, EventKind
from bot.core.kick import TRANSITIONS, ChannelId, InvalidTransition, Kick, KickId, State, UserId
from bot.core.ports import VersionConflict
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, SessionId
from bot.core.target import Outcome, OutcomeReason, Target
from tests.fakes import NOW, TEAM, peer
from tests.stores import MemoryStore

T = TypeVar("T")

S1, S2 = SessionId("s1"), SessionId("s2")
TARGETS = (
    Target(ParticipantId("p1"), CustomId("c1"), "mallory"),
    Target(None, CustomId("c2"), "troll"),
    Target(ParticipantId("p3"), None, "bot"),
)
ENDED = {State.DONE, State.REFUSED, State.DENIED, State.CANCELLED, State.EXPIRED}

DEADLINE = NOW + timedelta(minutes=10)

actors = st.sampled_from(["one", "two", "three"])
users = st.sampled_from([UserId("U1"), UserId("U2"), UserId("U3")])
places = st.integers(0, len(TARGETS) - 1)
outcomes = st.sampled_from(Outcome)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, and return its result."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("it waited")


class Processes(RuleBasedStateMachine):
    """Each process knows a version that may be outdated. The store has the current one."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.known: dict[str, Kick] = {}
        self.history: list[Kick] = []
        self.calls: Counter[int] = Counter()
        self.now = NOW

    @initialize(
        state=st.sampled_from([State.READY, State.READY, State.WAITING]),
        session=st.sampled_from([S1, None]),
        claimed=st.booleans(),
    )
    def ask(self, state: State, session: SessionId | None, *, claimed: bool) -> None:
        kick = Kick(
            id=KickId("k1"),
            idempotency_key="view 1",
            team_id=TEAM,
            app_id="app",
            channel_id=ChannelId("C1"),
            meeting=Meeting(MeetingId("m1"), "Weekly AMA"),
            session_id=session,
            requester=UserId("U1"),
            reason="spam",
            targets=TARGETS,
            created_at=NOW,
            state=state,
            expires_at=DEADLINE if state is State.WAITING else None,
        )
        stored = at_once(self.store.add(kick, Event(NOW, EventKind.ASKED, UserId("U1"))))
        self.known = dict.fromkeys(("one", "two", "three"), stored)
        self.history = [stored]
        if claimed:
            self.claim("one", S1, learn=True)

    @property
    def stored(self) -> Kick:
        return self.store.kicks[KickId("k1")]

    def move(self, actor: str, change: Callable[[Kick], Kick], *, learn: bool = True) -> bool:
        """Try a transition from the known version. A failure may tell the actor the current one."""
        before = self.known[actor]
        try:
            after = change(before)
            moved = at_once(
                self.store.transition(before, after, Event(self.now, EventKind.SETTLED, None))
            )
        except InvalidTransition:
            return False
        except VersionConflict as error:
            if error.current != self.stored:
                raise
            if learn:
                self.known[actor] = error.current
            return False
        self.known[actor] = moved
        self.history.append(moved)
        return True

    @rule(seconds=st.integers(1, 50) | st.just(600))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(actor=actors)
    def look(self, actor: str) -> None:
        self.known[actor] = self.stored

    @rule(actor=actors, user=users, learn=st.booleans())
    def approve(self, actor: str, user: UserId, *, learn: bool) -> None:
        self.move(actor, lambda kick: kick.approve(user, self.now), learn=learn)

    @rule(actor=actors, user=users)
    def deny(self, actor: str, user: UserId) -> None:
        self.move(actor, lambda kick: kick.deny(user, "no", self.now))

    @rule(actor=actors)
    def cancel(self, actor: str) -> None:
        self.move(actor, lambda kick: kick.cancel(self.now))

    @rule(actor=actors)
    def expire(self, actor: str) -> None:
        self.move(actor, lambda kick: kick.expire_undecided(self.now))

    @rule(actor=actors, learn=st.booleans())
    def renew(self, actor: str, *, learn: bool) -> None:
        self.move(actor, lambda kick: kick.renew(self.now), learn=learn)

    @rule(actor=actors, session=st.sampled_from([S1, S1, S2, None]), learn=st.booleans())
    def claim(self, actor: str, session: SessionId | None, *, learn: bool) -> None:
        self.move(actor, lambda kick: kick.claim(actor, self.now, session), learn=learn)

    @rule(actor=actors, learn=st.booleans())
    def take_over(self, actor: str, *, learn: bool) -> None:
        held = self.stored.lease_until
        if self.move(actor, lambda kick: kick.take_over(actor, self.now), learn=learn):
            assert held
            assert self.now >= held

    @rule(actor=actors)
    def refuse(self, actor: str) -> None:
        self.move(actor, lambda kick: kick.refuse("no", self.now))

    @rule(actor=actors)
    def expire_unstarted(self, actor: str) -> None:
        self.move(actor, lambda kick: kick.expire_unstarted(self.now))

    @rule(actor=actors, at=places, learn=st.booleans())
    def call(self, actor: str, at: int, *, learn: bool) -> None:
        rows = (peer(f"e{at}", f"p{at}"),)

        def mark(kick: Kick) -> Kick:
            return kick.mark_called(kick.targets[at], rows, self.now)

        # Only the process that stored the mark sends the call.
        if self.move(actor, mark, learn=learn):
            self.calls[at] += 1

    @rule(actor=actors, at=places, outcome=outcomes, learn=st.booleans())
    def settle(self, actor: str, at: int, outcome: Outcome, *, learn: bool) -> None:
        def give(kick: Kick) -> Kick:
            return kick.settle(kick.targets[at], outcome, OutcomeReason.LEFT)

        self.move(actor, give, learn=learn)

    @rule(actor=actors, outcome=outcomes)
    def settle_everybody(self, actor: str, outcome: Outcome) -> None:
        for at in range(len(TARGETS)):
            self.settle(actor, at, outcome, learn=True)

    @rule(actor=actors, learn=st.booleans())
    def finish(self, actor: str, *, learn: bool) -> None:
        self.move(actor, lambda kick: kick.finish(self.now), learn=learn)

    @precondition(lambda self: self.history)
    @invariant()
    def the_store_holds_what_was_moved_last(self) -> None:
        assert self.stored == self.history[-1]

    @invariant()
    def each_target_is_called_at_most_once(self) -> None:
        assert all(count == 1 for count in self.calls.values())

    @invariant()
    def whoever_was_called_is_marked_so(self) -> None:
        for at in self.calls:
            assert self.stored.targets[at].called_at

    @invariant()
    def every_move_is_in_the_table_and_raises_the_version_by_one(self) -> None:
        for old, new in zip(self.history, self.history[1:], strict=False):
            assert new.state in TRANSITIONS[old.state]
            assert new.version == old.version + 1

    @invariant()
    def a_request_is_decided_once_in_time_and_by_somebody_else(self) -> None:
        for old, new in zip(self.history, self.history[1:], strict=False):
            if old.state is State.WAITING and new.approver:
                assert new.state in {State.READY, State.DENIED}
                assert new.approver != new.requester
                assert new.decided_at
                assert new.decided_at < DEADLINE
            elif old.state is State.WAITING:
                assert new.state in {State.CANCELLED, State.EXPIRED}
                assert new.done_at
                assert new.state is State.CANCELLED or new.done_at >= DEADLINE
            else:
                assert (new.approver, new.decided_at) == (old.approver, old.decided_at)

    @invariant()
    def what_waited_runs_only_with_an_approver(self) -> None:
        for kick in self.history:
            if kick.approval_requested and kick.state in {State.READY, State.RUNNING, State.DONE}:
                assert kick.approver

    @invariant()
    def a_kick_is_claimed_once_and_in_time(self) -> None:
        pairs = zip(self.history, self.history[1:], strict=False)
        claims = [
            (old, new)
            for old, new in pairs
            if old.state is State.READY and new.state is State.RUNNING
        ]
        assert len(claims) <= 1
        for old, new in claims:
            assert old.session_id in {None, new.session_id}
            assert new.lease_until
            assert new.lease_until <= old.claimable_until + timedelta(seconds=15)

    @invariant()
    def what_has_ended_stays_as_it_is_but_for_what_was_unknown(self) -> None:
        for old, new in zip(self.history, self.history[1:], strict=False):
            if old.state in ENDED:
                assert (old.state, new.state) == (State.DONE, State.DONE)
                assert replace(new, version=old.version, targets=old.targets) == old

    @invariant()
    def outcomes_stay_but_unknown_may_become_gone_or_failed(self) -> None:
        for old, new in zip(self.history, self.history[1:], strict=False):
            for one, other in zip(old.targets, new.targets, strict=True):
                if one.outcome is Outcome.UNKNOWN and other.outcome is not Outcome.UNKNOWN:
                    assert other.outcome in {Outcome.GONE, Outcome.FAILED}
                elif one.outcome:
                    assert other == one

    @invariant()
    def marks_and_people_stay(self) -> None:
        for old, new in zip(self.history, self.history[1:], strict=False):
            assert [one.key for one in old.targets] == [one.key for one in new.targets]
            for one, other in zip(old.targets, new.targets, strict=True):
                if one.called_at:
                    assert (other.called_at, other.peers) == (one.called_at, one.peers)

    @invariant()
    def a_kick_is_done_when_every_target_has_an_outcome(self) -> None:
        for kick in self.history:
            if kick.state is State.DONE:
                assert all(target.outcome for target in kick.targets)

    @invariant()
    def nobody_is_called_or_settled_before_the_kick_runs(self) -> None:
        for kick in self.history:
            if kick.state not in {State.RUNNING, State.DONE}:
                assert kick.targets == TARGETS


TestProcesses = Processes.TestCase
