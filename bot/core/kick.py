"""A kick: one request to remove targets from one session. Frozen values; moves return new ones.

The states are a table, `TRANSITIONS`. Every transition raises the version by one, so that a store
can make it conditional on state and version. Updating an outdated value raises an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from bot.core.roster import (
    CustomId,
    Meeting,
    ParticipantId,
    ParticipantKey,
    Peer,
    PeerId,
    SessionId,
    participant_key,
)

KickId = NewType("KickId", str)
UserId = NewType("UserId", str)
TeamId = NewType("TeamId", str)
ChannelId = NewType("ChannelId", str)

CLAIM_WITHIN = timedelta(seconds=60)
# A ready kick is in the hands of the process that stored it; after this long, in anybody's.
RECOVER_AFTER = timedelta(seconds=5)
LEASE = timedelta(seconds=15)
RENEW_EVERY = timedelta(seconds=5)
LIST_LAG = timedelta(seconds=12)
# A call is sent this soon after its mark or not at all, and then has the client's deadline of 8 s:
# together the longest after the mark that a call of a process that died can have had an effect.
SEND_WITHIN = timedelta(seconds=2)
MAX_CALL_TIME = SEND_WITHIN + timedelta(seconds=8)


class State(StrEnum):
    """Where a kick stands."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


# What a kick may be when it is stored, and which methods move it from where to where.
INITIAL_STATES = (State.REFUSED, State.WAITING, State.READY)
TRANSITIONS: Mapping[State, Mapping[State, tuple[str, ...]]] = {
    State.WAITING: {
        State.READY: ("approve",),
        State.DENIED: ("deny",),
        State.CANCELLED: ("cancel",),
        State.EXPIRED: ("expire_undecided",),
    },
    State.READY: {
        State.RUNNING: ("claim",),
        State.REFUSED: ("refuse",),
        State.EXPIRED: ("expire_unstarted",),
    },
    State.RUNNING: {
        State.RUNNING: ("mark_called", "settle", "renew", "take_over"),
        State.DONE: ("finish",),
    },
    State.DONE: {State.DONE: ("settle",)},
    State.REFUSED: {},
    State.DENIED: {},
    State.CANCELLED: {},
    State.EXPIRED: {},
}
OPEN = frozenset({State.WAITING, State.READY, State.RUNNING})
ENDED_WITHOUT_CALL = frozenset({State.REFUSED, State.DENIED, State.CANCELLED, State.EXPIRED})


class Outcome(StrEnum):
    """What became of one target; `unknown` is an answer, not a gap."""

    KICKED = "kicked"
    GONE = "gone"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutcomeReason(StrEnum):
    """What an outcome rests on."""

    CONFIRMED = "confirmed"  # the reply named one participant
    NOT_FOUND = "not found"  # 404, seen before, not there now
    LEFT = "left"  # every connection of theirs has left
    NOBODY = "nobody"  # 404, and never seen
    NOT_TRIED = "not tried"  # the process ended before the call
    PROTECTED = "protected"  # the policy spares them, as they are now
    STILL_THERE = "still there"  # a connection from before the call is open long after it
    NO_ANSWER = "no answer"  # the answer was lost
    EMPTY_ANSWER = "empty answer"  # success, naming nobody
    REFUSED = "refused"  # RealtimeKit refused our credentials or input
    BUSY = "busy"  # RealtimeKit asked to wait
    UNREACHABLE = "unreachable"  # the call was never sent


class InvalidTransition(Exception):
    """The kick's state does not allow this move."""


@dataclass(frozen=True, slots=True)
class SeenPeer:
    """A connection as it stood before the call."""

    peer_id: PeerId
    joined_at: datetime | None


@dataclass(frozen=True, slots=True)
class Target:
    """A participant chosen to be kicked, as shown when chosen, and what became of them.

    `live`: shown as being in the session. `checked`: whether the policy spares them could be
    read. `called_at` and `peers` are set before the call is sent; one never marked so was never
    called.
    """

    participant_id: ParticipantId | None
    custom_id: CustomId | None
    name: str
    preset: str | None = None
    live: bool = True
    protection_checked: bool = True
    called_at: datetime | None = None
    peers: tuple[SeenPeer, ...] = ()
    outcome: Outcome | None = None
    outcome_reason: OutcomeReason | None = None
    detail: str = ""
    rejoined_at: datetime | None = None

    @property
    def key(self) -> ParticipantKey | None:
        """What tells two targets of a kick apart."""
        return participant_key(self.participant_id, self.custom_id)


@dataclass(frozen=True, slots=True)
class Kick:
    """One request to remove targets from one session, with its state and its outcomes.

    `key` is the id of the view it was sent from; `number` (0 until stored) is the name people
    use; `session_id` is None where no session was seen live; `repeats` is the number of the kick
    that this one does again. `expires_at` is set where a second person was asked; `approver` is
    whoever decided, also by denying. `refusal` says why a kick came to nothing. Dates are aware,
    in UTC.
    """

    id: KickId
    idempotency_key: str
    team_id: TeamId
    app_id: str
    channel_id: ChannelId
    meeting: Meeting
    session_id: SessionId | None
    requester: UserId
    reason: str
    targets: tuple[Target, ...]
    created_at: datetime
    state: State
    version: int = 1
    number: int = 0
    repeats: int | None = None
    expires_at: datetime | None = None
    approver: UserId | None = None
    decided_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    refusal: str = ""
    done_at: datetime | None = None

    def same_request(self, other: "Kick") -> bool:
        """Tell whether `other` asks for the same thing; the same view may ask it only once.

        One asked for where no session was seen is given its session when it is claimed.
        """
        sessions = {self.session_id, other.session_id}
        return _request_key(self) == _request_key(other) and (
            len(sessions) == 1 or None in sessions
        )

    @property
    def claimable_until(self) -> datetime:
        """When a ready kick lapses."""
        return (self.decided_at or self.created_at) + CLAIM_WITHIN

    @property
    def due_at(self) -> datetime | None:
        """When any process should take it up: it expired, was not begun, or its owner is silent."""
        if self.state is State.WAITING:
            return self.expires_at
        if self.state is State.READY:
            return (self.decided_at or self.created_at) + RECOVER_AFTER
        return self.lease_until if self.state is State.RUNNING else None

    @property
    def approval_requested(self) -> bool:
        """Tell whether a second person was asked for it."""
        return self.expires_at is not None

    def approve(self, approver: UserId, now: datetime) -> "Kick":
        """Let a waiting kick be carried out.

        Raises InvalidTransition for the requester, and once the deadline has come.
        """
        self._require_undecided(approver, now)
        return self._transition(State.READY, approver=approver, decided_at=now)

    def deny(self, approver: UserId, note: str, now: datetime) -> "Kick":
        """End a waiting kick by somebody's no. Raises InvalidTransition as `approve` does."""
        self._require_undecided(approver, now)
        changes = {"approver": approver, "decided_at": now, "refusal": note, "done_at": now}
        return self._transition(State.DENIED, **changes)

    def cancel(self, now: datetime) -> "Kick":
        """Take a waiting kick back."""
        return self._transition(State.CANCELLED, done_at=now)

    def expire_undecided(self, now: datetime) -> "Kick":
        """End a waiting kick that nobody decided; raises InvalidTransition before its deadline."""
        self._require_state(State.WAITING)
        if self.expires_at is None or now < self.expires_at:
            raise InvalidTransition(f"kick {self.number} may still be decided")
        return self._transition(State.EXPIRED, done_at=now)

    def _require_undecided(self, by: UserId, now: datetime) -> None:
        self._require_state(State.WAITING)
        if by == self.requester:
            raise InvalidTransition(f"kick {self.number} is not decided by whoever asked for it")
        if self.expires_at is None or now >= self.expires_at:
            raise InvalidTransition(f"kick {self.number} was not decided in time")

    def claim(self, owner: str, now: datetime, session_id: SessionId | None) -> "Kick":
        """Take a ready kick, for as long as a lease lasts, into the session it was shown in.

        Raises InvalidTransition when it is not ready, has been so for longer than a minute, or was
        shown in another session.
        """
        self._require_state(State.READY)
        if now > self.claimable_until:
            raise InvalidTransition(f"kick {self.number} was not claimed in time")
        if self.session_id not in {None, session_id}:
            raise InvalidTransition(f"kick {self.number} belongs to session {self.session_id}")
        changes = {"owner": owner, "lease_until": now + LEASE, "session_id": session_id}
        return self._transition(State.RUNNING, **changes)

    def refuse(self, why: str, now: datetime) -> "Kick":
        """Refuse a ready kick after all: nothing was called."""
        return self._transition(State.REFUSED, refusal=why, done_at=now)

    def expire_unstarted(self, now: datetime) -> "Kick":
        """Let a ready kick that nobody took up in time expire: nothing was called."""
        self._require_state(State.READY)
        return self._transition(State.EXPIRED, done_at=now)

    def take_over(self, owner: str, now: datetime) -> "Kick":
        """Go on with the kick of a process that died: to read what happened, never to call.

        Raises InvalidTransition while its owner's lease lasts.
        """
        self._require_state(State.RUNNING)
        if self.lease_until is not None and now < self.lease_until:
            raise InvalidTransition(f"kick {self.number} is in the hands of a process that lives")
        return self._transition(State.RUNNING, owner=owner, lease_until=now + LEASE)

    def renew(self, now: datetime) -> "Kick":
        """Hold on to a running kick for another lease."""
        self._require_state(State.RUNNING)
        return self._transition(State.RUNNING, lease_until=now + LEASE)

    def mark_called(self, target: Target, peers: tuple[Peer, ...], now: datetime) -> "Kick":
        """Note that the call for this target is about to be sent, and who it was seen as."""
        seen = tuple(SeenPeer(peer.id, peer.joined_at) for peer in peers)
        if target.called_at or target.outcome:
            raise InvalidTransition(f"{target.name!r} of kick {self.number} was called before")
        return self._with_target(target, replace(target, called_at=now, peers=seen))

    def settle(
        self,
        target: Target,
        outcome: Outcome,
        why: OutcomeReason,
        detail: str = "",
        back_at: datetime | None = None,
    ) -> "Kick":
        """Give a target its outcome; a given one may only change from unknown to gone or failed."""
        changeable = target.outcome is None or (
            target.outcome is Outcome.UNKNOWN and outcome in {Outcome.GONE, Outcome.FAILED}
        )
        if not changeable:
            raise InvalidTransition(f"{target.name!r} is {target.outcome}, and stays so")
        done = replace(
            target, outcome=outcome, outcome_reason=why, detail=detail, rejoined_at=back_at
        )
        return self._with_target(target, done)

    def finish(self, now: datetime) -> "Kick":
        """End a running kick all of whose targets have an outcome."""
        self._require_state(State.RUNNING)
        if any(target.outcome is None for target in self.targets):
            raise InvalidTransition(f"kick {self.number} has targets without an outcome")
        return self._transition(State.DONE, done_at=now, lease_until=None)

    def target(self, named: ParticipantKey | None) -> Target:
        """Find a target by its key, as it stands now."""
        return next(target for target in self.targets if target.key == named)

    def _with_target(self, old: Target, new: Target) -> "Kick":
        if old not in self.targets:
            raise InvalidTransition(f"{old.name!r} is no target of kick {self.number} as it stands")
        targets = tuple(new if target == old else target for target in self.targets)
        return self._transition(self.state, targets=targets)

    def _require_state(self, state: State) -> None:
        # The table lets a running kick run on, and a done one be settled: not every move does.
        if self.state is not state:
            raise InvalidTransition(f"kick {self.number} is {self.state}, not {state}")

    def _transition(self, to: State, **changes: Any) -> "Kick":
        if to not in TRANSITIONS[self.state]:
            raise InvalidTransition(f"kick {self.number} is {self.state}: it can't become {to}")
        return replace(self, state=to, version=self.version + 1, **changes)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a review shows and its submit will ask for; kept by the store under the view's name.

    `asks`: its submit says that a second person is asked.
    """

    id: str
    team_id: TeamId
    channel_id: ChannelId
    requester: UserId
    meeting: Meeting
    session_id: SessionId | None
    targets: tuple[Target, ...]
    reason: str
    created_at: datetime
    repeats: int | None = None
    needs_approval: bool = False


class EventKind(StrEnum):
    """What an event tells of a kick."""

    ASKED = "asked"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    CLAIMED = "claimed"
    TAKEN_OVER = "taken over"
    CALLED = "called"
    SETTLED = "settled"
    EXPIRED = "expired"
    FINISHED = "finished"
    DELIVERY_FAILED = "not told"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the record: who (None: the bot itself) did what when, and how it went.

    A refusal that came before there was a kick has no `kick_id`.
    """

    at: datetime
    kind: EventKind
    actor: UserId | None
    note: str = ""
    kick_id: KickId | None = None


def evidence(
    target: Target,
    peers_now: tuple[Peer, ...],
    read_at: datetime,
    ended_at: datetime,
) -> tuple[Outcome, OutcomeReason, datetime | None] | None:
    """Conclude from a later read of the session what a call with a lost answer did, or None.

    `peers_now` are this participant's rows in a read begun at `read_at`; the call ended, or must
    have ended, at `ended_at`. An empty list or a missing row proves nothing, nor does a row that
    says neither which it is nor how old. A connection opened after the call says that they came
    back, and when; one from before it that is still open 12 s after its end, when the service's
    own lag (about 10 s) is over, says that the call had no effect.
    """
    if target.called_at is None or not target.peers:
        return None
    seen = {peer.peer_id for peer in target.peers}
    if not all(seen):
        return None
    now_open = [peer for peer in peers_now if peer.left_at is None]
    if any(peer.id in seen or _joined_before(peer, target.called_at) for peer in now_open):
        late = read_at - ended_at >= LIST_LAG
        return (Outcome.FAILED, OutcomeReason.STILL_THERE, None) if late else None
    back = [peer.joined_at for peer in now_open if peer.joined_at]
    if len(back) < len(now_open) or not seen.issubset(peer.id for peer in peers_now):
        return None
    return Outcome.GONE, OutcomeReason.LEFT, max(back, default=None)


def _request_key(kick: Kick) -> tuple[object, ...]:
    people = frozenset(target.key for target in kick.targets)
    return (kick.requester, kick.meeting.id, people, kick.reason)


def _joined_before(peer: Peer, moment: datetime) -> bool:
    # RealtimeKit's dates are cut to milliseconds.
    return peer.joined_at is not None and peer.joined_at + timedelta(milliseconds=1) <= moment
