from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.kick import (
    ENDED_WITHOUT_CALL,
    INITIAL_STATES,
    OPEN,
    TRANSITIONS,
    ChannelId,
    InvalidTransition,
    Kick,
    KickId,
    State,
    UserId,
)
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, PeerId, SessionId
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from bot.core.timing import CLAIM_WITHIN, LEASE, MAX_CALL_TIME, RECOVER_AFTER, SEND_WITHIN
from tests.fakes import NOW, TEAM, after, peer

SECOND = timedelta(seconds=1)
S1, S2 = SessionId("s1"), SessionId("s2")
MALLORY = Target(ParticipantId("p1"), CustomId("c1"), "mallory")
TROLL = Target(None, CustomId("c2"), "troll")
READY = Kick(
    id=KickId("k1"),
    idempotency_key="view 1",
    team_id=TEAM,
    app_id="app",
    channel_id=ChannelId("C1"),
    meeting=Meeting(MeetingId("m1"), "Weekly AMA"),
    session_id=S1,
    requester=UserId("U1"),
    reason="spam",
    targets=(MALLORY, TROLL),
    created_at=NOW,
    state=State.READY,
    number=7,
)
DEADLINE = NOW + timedelta(minutes=10)
WAITING = replace(READY, state=State.WAITING, expires_at=DEADLINE)
LEA = UserId("U2")
RUNNING = READY.claim("one", NOW, S1)
SETTLED = RUNNING.settle(MALLORY, Outcome.KICKED, OutcomeReason.CONFIRMED).settle(
    TROLL, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER
)
DONE = SETTLED.finish(NOW)


def in_state(state: State) -> Kick:
    """Return a kick in this state, with outcomes if the state needs them."""
    kick = DONE if state is State.DONE else RUNNING
    return replace(kick, state=state, expires_at=DEADLINE)


# --- transitions


def test_the_moves_are_those_of_the_design() -> None:
    design = """
        waiting -> ready denied cancelled expired
        ready -> running refused expired
        running -> running done
        done -> done
        refused ->
        denied ->
        cancelled ->
        expired ->
    """
    rows = (line.split("->") for line in design.strip().splitlines())
    designed = {State(old.strip()): {State(one) for one in new.split()} for old, new in rows}
    assert {old: set(moves) for old, moves in TRANSITIONS.items()} == designed


def test_a_kick_is_stored_first_as_refused_waiting_or_ready() -> None:
    assert set(INITIAL_STATES) == {State.REFUSED, State.WAITING, State.READY}


CHANGE: dict[str, Callable[[Kick], Kick]] = {
    "approve": lambda kick: kick.approve(LEA, NOW),
    "deny": lambda kick: kick.deny(LEA, "not now", NOW),
    "cancel": lambda kick: kick.cancel(NOW),
    "expire_undecided": lambda kick: kick.expire_undecided(DEADLINE),
    "claim": lambda kick: kick.claim("two", NOW, S1),
    "refuse": lambda kick: kick.refuse("no", NOW),
    "expire_unstarted": lambda kick: kick.expire_unstarted(NOW),
    "mark_called": lambda kick: kick.mark_called(TROLL, (), NOW),
    "settle": lambda kick: kick.settle(kick.target(TROLL.key), Outcome.GONE, OutcomeReason.LEFT),
    "renew": lambda kick: kick.renew(NOW),
    "take_over": lambda kick: kick.take_over("two", NOW + LEASE),
    "finish": lambda kick: kick.finish(NOW),
}
LEGAL = {
    (name, old): new
    for old, moves in TRANSITIONS.items()
    for new, names in moves.items()
    for name in names
}


def test_every_move_of_the_table_is_tried() -> None:
    assert {name for name, _ in LEGAL} == set(CHANGE)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", CHANGE)
def test_each_move_is_made_from_its_own_states_and_no_other(name: str, state: State) -> None:
    kick = in_state(state)
    if name == "finish" and state is State.RUNNING:
        kick = SETTLED
    if (name, state) in LEGAL:
        moved = CHANGE[name](kick)
        assert moved.state is LEGAL[name, state]
        assert moved.version == kick.version + 1
    else:
        with pytest.raises(InvalidTransition, match=r"kick 7|'troll'"):
            CHANGE[name](kick)


def test_a_kick_is_open_or_done_or_came_to_nothing() -> None:
    assert OPEN | {State.DONE} | ENDED_WITHOUT_CALL == set(State)
    assert not OPEN & ENDED_WITHOUT_CALL
    assert {state for state in TRANSITIONS if not TRANSITIONS[state]} == ENDED_WITHOUT_CALL


# --- a second person

EDGE = timedelta(microseconds=1)


def decisions(by: UserId, now: datetime) -> list[Callable[[Kick], Kick]]:
    return [lambda kick: kick.approve(by, now), lambda kick: kick.deny(by, "", now)]


@pytest.mark.parametrize(
    ("now", "in_time"), [(NOW, True), (DEADLINE - EDGE, True), (DEADLINE, False)]
)
def test_at_the_deadline_a_decision_loses_and_expiry_wins(now: datetime, *, in_time: bool) -> None:
    if in_time:
        assert WAITING.approve(LEA, now).state is State.READY
        assert WAITING.deny(LEA, "", now).state is State.DENIED
        with pytest.raises(InvalidTransition, match="may still be decided"):
            WAITING.expire_undecided(now)
    else:
        for decide in decisions(LEA, now):
            with pytest.raises(InvalidTransition, match="not decided in time"):
                decide(WAITING)
        assert WAITING.expire_undecided(now).done_at == now


@pytest.mark.parametrize("now", [NOW, DEADLINE])
def test_whoever_asked_decides_nothing(now: datetime) -> None:
    for decide in decisions(WAITING.requester, now):
        with pytest.raises(InvalidTransition, match="cannot be decided by its requester"):
            decide(WAITING)


def test_a_request_without_a_deadline_is_never_decided() -> None:
    kick = replace(WAITING, expires_at=None)
    for decide in decisions(LEA, NOW):
        with pytest.raises(InvalidTransition, match="in time"):
            decide(kick)
    with pytest.raises(InvalidTransition, match="may still be"):
        kick.expire_undecided(DEADLINE)
    assert kick.cancel(NOW).state is State.CANCELLED


def test_a_decision_says_whose_it_was_and_when() -> None:
    approved = WAITING.approve(LEA, NOW + SECOND)
    assert (approved.approver, approved.decided_at) == (LEA, NOW + SECOND)
    assert (approved.done_at, approved.refusal, approved.expires_at) == (None, "", DEADLINE)
    denied = WAITING.deny(LEA, "not now", NOW + SECOND)
    assert (denied.approver, denied.decided_at) == (LEA, NOW + SECOND)
    assert (denied.done_at, denied.refusal) == (NOW + SECOND, "not now")


def test_what_is_taken_back_or_expires_was_decided_by_nobody() -> None:
    for ended in (WAITING.cancel(DEADLINE), WAITING.expire_undecided(DEADLINE)):
        assert (ended.approver, ended.decided_at, ended.done_at) == (None, None, DEADLINE)


@pytest.mark.parametrize("state", State)
def test_a_second_person_was_asked_where_there_is_a_deadline(state: State) -> None:
    assert in_state(state).approval_requested
    assert not replace(in_state(state), expires_at=None).approval_requested


# --- when a kick is due


def test_each_state_is_due_by_its_own_clock() -> None:
    decided = WAITING.approve(LEA, NOW + 300 * SECOND)
    due = {kick.state: kick.due_at for kick in (WAITING, decided, RUNNING)}
    assert due == {
        State.WAITING: DEADLINE,
        State.READY: NOW + 300 * SECOND + RECOVER_AFTER,
        State.RUNNING: NOW + LEASE,
    }
    assert READY.due_at == NOW + RECOVER_AFTER


@pytest.mark.parametrize("state", sorted(set(State) - OPEN))
def test_what_has_ended_is_never_due(state: State) -> None:
    assert in_state(state).due_at is None


def test_a_kick_is_due_only_for_what_it_may_become() -> None:
    for kick in (WAITING, READY, RUNNING):
        assert kick.due_at
    assert WAITING.expire_undecided(DEADLINE).state is State.EXPIRED
    assert READY.claim("two", NOW + RECOVER_AFTER, S1).owner == "two"
    assert RUNNING.take_over("two", NOW + LEASE).owner == "two"


def test_a_call_has_ended_before_anybody_else_may_take_over() -> None:
    assert SEND_WITHIN < MAX_CALL_TIME < LEASE


# --- claiming


@pytest.mark.parametrize(("age", "in_time"), [(0, True), (59.9, True), (60, True), (60.001, False)])
def test_a_kick_is_claimed_within_a_minute_or_not_at_all(age: float, *, in_time: bool) -> None:
    now = NOW + timedelta(seconds=age)
    if in_time:
        assert READY.claim("one", now, S1).state is State.RUNNING
    else:
        with pytest.raises(InvalidTransition, match="in time"):
            READY.claim("one", now, S1)


def test_the_minute_counts_from_the_decision_where_there_was_one() -> None:
    decided = replace(READY, decided_at=NOW + 300 * SECOND)
    assert decided.claimable_until == NOW + 300 * SECOND + CLAIM_WITHIN
    assert decided.claim("one", NOW + 350 * SECOND, S1).owner == "one"


@pytest.mark.parametrize(("ahead", "is_claimable"), [(-61, False), (-60, True), (45, True)])
def test_a_kick_from_the_future_is_not_claimed(ahead: float, *, is_claimable: bool) -> None:
    kick = replace(READY, created_at=NOW + ahead * SECOND)
    assert kick.is_claimable(NOW) is is_claimable
    assert not replace(kick, created_at=NOW + 46 * SECOND).is_claimable(NOW)


@pytest.mark.parametrize(
    ("shown", "now", "claimed"),
    [(S1, S1, S1), (None, S2, S2), (None, None, None), (S1, S2, None), (S1, None, None)],
)
def test_a_kick_never_reaches_into_another_session_than_was_shown(
    shown: SessionId | None, now: SessionId | None, claimed: SessionId | None
) -> None:
    kick = replace(READY, session_id=shown)
    if shown in {None, now}:
        assert kick.claim("one", NOW, now).session_id == claimed
    else:
        with pytest.raises(InvalidTransition, match="belongs to session s1"):
            kick.claim("one", NOW, now)


def test_claiming_and_taking_over_set_owner_and_lease() -> None:
    assert (RUNNING.owner, RUNNING.lease_until) == ("one", NOW + LEASE)
    taken = RUNNING.take_over("two", NOW + LEASE)
    assert (taken.owner, taken.lease_until) == ("two", NOW + 2 * LEASE)
    assert taken.targets == RUNNING.targets


@pytest.mark.parametrize("who", ["one", "two"])
def test_a_kick_is_taken_over_by_nobody_while_its_lease_lasts(who: str) -> None:
    for now in (NOW, NOW + LEASE - EDGE):
        with pytest.raises(InvalidTransition, match="leased by another process"):
            RUNNING.take_over(who, now)
    assert replace(RUNNING, lease_until=None).take_over(who, NOW).owner == who


def test_renewing_holds_on_to_a_kick_and_changes_nothing_else() -> None:
    renewed = RUNNING.renew(NOW + SECOND)
    assert renewed == replace(RUNNING, version=3, lease_until=NOW + SECOND + LEASE)


def test_a_running_kick_is_claimed_by_nobody_else() -> None:
    with pytest.raises(InvalidTransition, match="is running"):
        RUNNING.claim("two", NOW, S1)


# --- finishing


def test_a_refused_kick_says_why_and_when() -> None:
    refused = READY.refuse("no role", NOW + SECOND)
    assert (refused.state, refused.refusal, refused.done_at) == (
        State.REFUSED,
        "no role",
        NOW + SECOND,
    )


def test_a_lapsed_kick_has_an_end() -> None:
    assert READY.expire_unstarted(NOW + SECOND).done_at == NOW + SECOND


def test_a_kick_ends_when_every_target_has_an_outcome() -> None:
    with pytest.raises(InvalidTransition, match="without an outcome"):
        RUNNING.settle(MALLORY, Outcome.KICKED, OutcomeReason.CONFIRMED).finish(NOW)
    assert (DONE.state, DONE.done_at, DONE.lease_until) == (State.DONE, NOW, None)


def test_a_kick_ends_once() -> None:
    with pytest.raises(InvalidTransition, match="is done"):
        DONE.finish(NOW + SECOND)


# --- targets


def test_a_target_is_marked_with_the_connections_it_was_seen_as() -> None:
    rows = (peer("e1", "p1", joined=-5), peer("e2", "p1", joined=None))
    marked = RUNNING.mark_called(MALLORY, rows, NOW + SECOND).target(MALLORY.key)
    assert marked.called_at == NOW + SECOND
    assert marked.peers == (SeenPeer(PeerId("e1"), after(-5)), SeenPeer(PeerId("e2"), None))


def test_a_target_is_called_once() -> None:
    marked = RUNNING.mark_called(MALLORY, (), NOW)
    with pytest.raises(InvalidTransition, match="called before"):
        marked.mark_called(marked.target(MALLORY.key), (), NOW + SECOND)


def test_a_target_with_an_outcome_is_not_called() -> None:
    spared = RUNNING.settle(MALLORY, Outcome.FAILED, OutcomeReason.PROTECTED)
    with pytest.raises(InvalidTransition, match="called before"):
        spared.mark_called(spared.target(MALLORY.key), (), NOW)


@pytest.mark.parametrize("target", [MALLORY, replace(TROLL, custom_id=CustomId("c9"))])
def test_a_target_as_it_stood_before_is_no_target_now(target: Target) -> None:
    moved = RUNNING.mark_called(MALLORY, (), NOW)
    with pytest.raises(InvalidTransition, match="not a current target"):
        moved.mark_called(target, (), NOW)
    with pytest.raises(InvalidTransition, match="not a current target"):
        moved.settle(target, Outcome.GONE, OutcomeReason.LEFT)


@pytest.mark.parametrize("old", Outcome)
@pytest.mark.parametrize("new", Outcome)
@pytest.mark.parametrize("done", [False, True])
def test_only_what_is_unknown_may_change_and_only_to_gone_or_failed(
    old: Outcome, new: Outcome, *, done: bool
) -> None:
    kick = RUNNING.settle(MALLORY, old, OutcomeReason.NO_ANSWER).settle(
        TROLL, Outcome.GONE, OutcomeReason.LEFT
    )
    kick = kick.finish(NOW) if done else kick
    target = kick.target(MALLORY.key)
    if old is Outcome.UNKNOWN and new in {Outcome.GONE, Outcome.FAILED}:
        assert kick.settle(target, new, OutcomeReason.LEFT).target(MALLORY.key).outcome is new
    else:
        with pytest.raises(InvalidTransition, match="already"):
            kick.settle(target, new, OutcomeReason.LEFT)


def test_an_outcome_keeps_what_it_rests_on() -> None:
    settled = RUNNING.settle(MALLORY, Outcome.GONE, OutcomeReason.LEFT, "reset", after(5))
    target = settled.target(MALLORY.key)
    assert (target.outcome_reason, target.detail, target.rejoined_at) == (
        OutcomeReason.LEFT,
        "reset",
        after(5),
    )
    assert settled.target(TROLL.key) == TROLL


def test_versions_rise_by_one_with_every_move() -> None:
    assert [READY.version, RUNNING.version, SETTLED.version, DONE.version] == [1, 2, 4, 5]


def test_moves_leave_the_old_value_as_it_was() -> None:
    assert (READY.state, RUNNING.targets) == (State.READY, (MALLORY, TROLL))


# --- the same request


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (RUNNING, True),
        (DONE, True),
        (replace(READY, id=KickId("k2"), number=8, created_at=NOW + SECOND), True),
        (replace(READY, targets=(TROLL, MALLORY)), True),
        (replace(READY, targets=(MALLORY,)), False),
        (replace(READY, targets=(MALLORY, replace(TROLL, custom_id=CustomId("c3")))), False),
        (replace(READY, requester=UserId("U2")), False),
        (replace(READY, reason="rude"), False),
        (replace(READY, meeting=Meeting(MeetingId("m2"), "Weekly AMA")), False),
        (replace(READY, meeting=Meeting(MeetingId("m1"), "renamed")), True),
        (replace(READY, session_id=S2), False),
        (replace(READY, session_id=None), True),
    ],
)
def test_the_same_request_asks_for_the_same_people_there_for_the_same_reason(
    other: Kick, *, same: bool
) -> None:
    assert READY.same_request(other) is same
    assert other.same_request(READY) is same


def test_a_request_stays_the_same_when_claiming_gives_it_a_session() -> None:
    asked = replace(READY, session_id=None)
    assert asked.claim("one", NOW, S2).same_request(asked)
