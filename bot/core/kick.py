"""A kick: one request to remove targets from one session.

A kick is a frozen value; its methods return a changed copy. `TRANSITIONS` lists what each state
allows. Every transition raises the version by one, so that a store can make the update
conditional on state and version. Updating an outdated value raises an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from bot.core.roster import Meeting, ParticipantKey, Peer, SessionId
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from bot.core.timing import CLAIM_WITHIN, FAR_AHEAD, LEASE, RECOVER_AFTER

KickId = NewType("KickId", str)
UserId = NewType("UserId", str)
TeamId = NewType("TeamId", str)
ChannelId = NewType("ChannelId", str)


class State(StrEnum):
    """How far a kick has come. The values are stored."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN = frozenset({State.WAITING, State.READY, State.RUNNING})
ENDED_WITHOUT_CALL = frozenset({State.REFUSED, State.DENIED, State.CANCELLED, State.EXPIRED})
# The states in which a kick may be stored first, and the methods that lead to the next state.
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


class InvalidTransition(Exception):
    """The state of the kick does not allow this change."""


@dataclass(frozen=True, slots=True)
class Kick:
    """One request to remove targets from one session, with its state and its outcomes.

    `idempotency_key` is the id of the Slack view that was submitted. `number` is what people call
    the kick; 0 until it is stored. `session_id` is None if no session was live. `repeats` is the
    number of the kick that this one retries. `expires_at` is set if an approval was requested;
    `approver` is the user who approved or denied. `refusal` says why a kick ended without a call.
    All dates are aware, in UTC.
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
        """Tell whether `other` asks for the same thing as this kick.

        A session that is not known yet equals any session: it is filled in when a kick is claimed.
        """
        own, others = (
            (kick.requester, kick.meeting.id, {target.key for target in kick.targets}, kick.reason)
            for kick in (self, other)
        )
        return own == others and (self.belongs_to(other.session_id) or other.session_id is None)

    def belongs_to(self, session_id: SessionId | None) -> bool:
        """Tell whether the kick may run in this session; None if no session is live."""
        return self.session_id in {None, session_id}

    @property
    def claimable_until(self) -> datetime:
        """The deadline for claiming a ready kick."""
        return (self.decided_at or self.created_at) + CLAIM_WITHIN

    @property
    def due_at(self) -> datetime | None:
        """When any process should recover the kick; None if it has ended.

        Then a waiting kick has expired, a ready one was not started, and the lease of a running
        one has ended.
        """
        if self.state is State.WAITING:
            return self.expires_at
        if self.state is State.READY:
            return (self.decided_at or self.created_at) + RECOVER_AFTER
        return self.lease_until if self.state is State.RUNNING else None

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether any process should recover the kick: its `due_at` has come.

        A date that lies too far ahead counts as come. A waiting kick may have any deadline, so
        there the date of its request counts.
        """
        if self.due_at is None or self.due_at <= now:
            return self.due_at is not None
        set_at = self.created_at if self.state is State.WAITING else self.due_at
        return min(set_at, self.due_at) > now + FAR_AHEAD

    def is_claimable(self, now: datetime) -> bool:
        """Tell whether the ready kick may still be claimed.

        If its dates lie too far ahead, nobody knows how old it is, and it may not.
        """
        return timedelta() <= self.claimable_until - now <= CLAIM_WITHIN + FAR_AHEAD

    @property
    def has_unknown(self) -> bool:
        """Tell whether it is not known what happened to a target."""
        return any(target.outcome is Outcome.UNKNOWN for target in self.targets)

    @property
    def approval_requested(self) -> bool:
        """Tell whether the kick waits, or waited, for a second person."""
        return self.expires_at is not None

    def approve(self, approver: UserId, now: datetime) -> "Kick":
        """Return the kick as ready.

        Raises InvalidTransition if the approver is the requester, or if the deadline has passed.
        """
        self._require_undecided(approver, now)
        return self._transition("approve", approver=approver, decided_at=now)

    def deny(self, approver: UserId, note: str, now: datetime) -> "Kick":
        """Return the kick as denied. Raises InvalidTransition as `approve` does."""
        self._require_undecided(approver, now)
        return self._transition(
            "deny", approver=approver, decided_at=now, refusal=note, done_at=now
        )

    def cancel(self, now: datetime) -> "Kick":
        """Return the waiting kick as cancelled."""
        return self._transition("cancel", done_at=now)

    def expire_undecided(self, now: datetime) -> "Kick":
        """Return the waiting kick as expired. Raises InvalidTransition if it is not overdue."""
        if not self.is_overdue(now):
            raise InvalidTransition(f"kick {self.number} may still be decided")
        return self._transition("expire_undecided", done_at=now)

    def _require_undecided(self, approver: UserId, now: datetime) -> None:
        if approver == self.requester:
            raise InvalidTransition(f"kick {self.number} cannot be decided by its requester")
        if self.expires_at is None or now >= self.expires_at:
            raise InvalidTransition(f"kick {self.number} was not decided in time")

    def claim(self, owner: str, now: datetime, session_id: SessionId | None) -> "Kick":
        """Return the ready kick as running in this session, leased to `owner`.

        Raises InvalidTransition if it has been ready for more than 60 s, or if it was requested
        for another session.
        """
        if not self.is_claimable(now):
            raise InvalidTransition(f"kick {self.number} was not claimed in time")
        if not self.belongs_to(session_id):
            raise InvalidTransition(f"kick {self.number} belongs to session {self.session_id}")
        lease_until = now + LEASE
        return self._transition(
            "claim", owner=owner, lease_until=lease_until, session_id=session_id
        )

    def refuse(self, refusal: str, now: datetime) -> "Kick":
        """Return the ready kick as refused, before any call."""
        return self._transition("refuse", refusal=refusal, done_at=now)

    def expire_unstarted(self, now: datetime) -> "Kick":
        """Return the ready kick as expired, before any call."""
        return self._transition("expire_unstarted", done_at=now)

    def take_over(self, owner: str, now: datetime) -> "Kick":
        """Return the running kick leased to a new owner, who must not call its targets again.

        Raises InvalidTransition while the lease of the old owner lasts.
        """
        if self.lease_until is not None and not self.is_overdue(now):
            raise InvalidTransition(f"kick {self.number} is leased by another process")
        return self._transition("take_over", owner=owner, lease_until=now + LEASE)

    def renew(self, now: datetime) -> "Kick":
        """Return the running kick with a new lease of the same owner."""
        return self._transition("renew", lease_until=now + LEASE)

    def mark_called(self, target: Target, peers: tuple[Peer, ...], now: datetime) -> "Kick":
        """Return the kick with this target marked as about to be called.

        `peers` are the target's open connections. Raises InvalidTransition if the target was
        marked before, or has an outcome.
        """
        seen = tuple(SeenPeer(peer.id, peer.joined_at) for peer in peers)
        if target.called_at or target.outcome:
            raise InvalidTransition(f"{target.name!r} of kick {self.number} was called before")
        return self._with_target("mark_called", target, replace(target, called_at=now, peers=seen))

    def settle(
        self,
        target: Target,
        outcome: Outcome,
        reason: OutcomeReason,
        detail: str = "",
        rejoined_at: datetime | None = None,
    ) -> "Kick":
        """Return the kick with the outcome of this target.

        Raises InvalidTransition if the target has an outcome already; only unknown may change,
        to gone or failed.
        """
        is_resolved = target.outcome is Outcome.UNKNOWN and outcome in {
            Outcome.GONE,
            Outcome.FAILED,
        }
        if target.outcome and not is_resolved:
            raise InvalidTransition(f"{target.name!r} is {target.outcome} already")
        settled = replace(
            target, outcome=outcome, outcome_reason=reason, detail=detail, rejoined_at=rejoined_at
        )
        return self._with_target("settle", target, settled)

    def finish(self, now: datetime) -> "Kick":
        """Return the running kick as done. Raises InvalidTransition if an outcome is missing."""
        if any(target.outcome is None for target in self.targets):
            raise InvalidTransition(f"kick {self.number} has targets without an outcome")
        return self._transition("finish", done_at=now, lease_until=None)

    def target(self, key: ParticipantKey | None) -> Target:
        """Return the target with this key. Raises LookupError if there is none.

        Older versions stored targets without an id, so several may share the key None. Then one
        without an outcome comes first.
        """
        found = sorted((one for one in self.targets if one.key == key), key=_has_outcome)
        if not found:
            raise LookupError(f"kick {self.number} has no target {key}")
        return found[0]

    def _with_target(self, method: str, old: Target, new: Target) -> "Kick":
        if old not in self.targets:
            raise InvalidTransition(f"{old.name!r} is not a current target of kick {self.number}")
        position = self.targets.index(old)
        targets = (*self.targets[:position], new, *self.targets[position + 1 :])
        return self._transition(method, targets=targets)

    def _transition(self, method: str, **changes: Any) -> "Kick":
        for state, methods in TRANSITIONS[self.state].items():
            if method in methods:
                return replace(self, state=state, version=self.version + 1, **changes)
        raise InvalidTransition(f"kick {self.number} is {self.state}: no {method} is possible")


def _has_outcome(target: Target) -> bool:
    return target.outcome is not None
