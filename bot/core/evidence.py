"""What a later read of the session proves about a call whose reply was lost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.roster import Peer, Roster
from bot.core.target import Outcome, OutcomeReason, Target

# When to read the session for the last time after a call. About 10 s were measured until its list
# shows an event, but nothing promises that.
LIST_LAG = timedelta(seconds=12)
# RealtimeKit may carry out a call for some time after the bot has given up waiting for the reply.
LATE_EFFECT = timedelta(seconds=2)
# RealtimeKit cuts dates to milliseconds.
_DATE_PRECISION = timedelta(milliseconds=1)

CallWindow = tuple[datetime, datetime]
"""When a call began at the earliest, and ended at the latest, on RealtimeKit's clock."""


Proof = tuple[Outcome, OutcomeReason, datetime | None]
"""An outcome, its reason, and when the person rejoined."""

_LISTED = {
    OutcomeReason.NOT_FOUND: OutcomeReason.NOT_FOUND_LISTED,
    OutcomeReason.NO_ANSWER: OutcomeReason.STILL_LISTED,
    OutcomeReason.EMPTY_ANSWER: OutcomeReason.STILL_LISTED,
}


@dataclass(slots=True)
class UnresolvedCall:
    """A call whose reply does not say what happened, and when it ended or must have ended.

    `listed_after`: how long after its end the last read still showed the person as connected.
    """

    reason: OutcomeReason
    detail: str
    ended_at: datetime
    listed_after: timedelta | None = None

    def judge(
        self,
        target: Target,
        roster: Roster,
        read_at: datetime,
        service_time: Callable[[datetime], tuple[datetime, datetime] | None],
    ) -> Proof | None:
        """Return what a read proves, and remember whether it shows the person as connected.

        `read_at`: when the read began, on the bot's clock. `service_time` gives the earliest and
        the latest time of RealtimeKit's clock for a time of the bot's, as known after the read.
        """
        called_at = target.called_at
        # A date in the future is from a clock that was ahead. Nothing can be compared with it.
        begun = service_time(called_at) if called_at and called_at <= read_at else None
        ended = service_time(self.ended_at)
        window = (begun[0], ended[1]) if begun and ended else None
        proof = evidence(target, roster, window)
        if self.reason in {OutcomeReason.NOT_FOUND, OutcomeReason.NOT_FOUND_LISTED}:
            proof = _after_not_found(target, roster, proof)
        seen = {peer.peer_id for peer in target.peers}
        is_listed = any(
            peer.id in seen or window is None or not _joined_after(peer, window[1])
            for peer in _peers(target, roster)
            if peer.left_at is None
        )
        self.listed_after = read_at - self.ended_at if is_listed else None
        return None if target.key in roster.partial else proof

    def unknown(self) -> tuple[OutcomeReason, str]:
        """Return the reason and the detail of an unknown outcome, after all reads."""
        if self.listed_after is None:
            return self.reason, self.detail
        return _LISTED[self.reason], f"{max(0, int(self.listed_after.total_seconds()))} s"


def _after_not_found(target: Target, roster: Roster, proof: Proof | None) -> Proof | None:
    """Return what a read proves after a 404, given what it would prove after a lost reply.

    The 404 says that nobody was there to kick, so the person had left. A row that stays open
    contradicts it, or never shows that they left: then nobody knows.
    """
    peers = _peers(target, roster)
    has_left = bool(peers) and all(peer.left_at for peer in peers)
    if has_left and {peer.peer_id for peer in target.peers} <= {peer.id for peer in peers}:
        return Outcome.GONE, OutcomeReason.NOT_FOUND, None
    if proof and proof[0] is Outcome.GONE:
        return Outcome.GONE, OutcomeReason.NOT_FOUND, proof[2]
    return None


def evidence(target: Target, roster: Roster, window: CallWindow | None) -> Proof | None:
    """Return the outcome of a call, its reason, and when the person rejoined; or None.

    None means that the read proves nothing. `roster` was read after the call. Without `window`,
    RealtimeKit's clock is not known, so its dates can't be compared with the call.

    An empty list or a missing row proves nothing. Neither does a row with no peer id and no join
    time, nor a connection of which it is uncertain whether it joined before or after the call.
    If every connection from before the call has left, the person is gone; a connection that
    joined after the call shows that they rejoined. If a connection from before the call is still
    open in a list that shows a later event, the call had no effect.
    """
    seen = {peer.peer_id for peer in target.peers}
    if window is None or not seen or not all(seen):
        return None
    begun, ended = window
    peers_now = _peers(target, roster)
    now_open = [peer for peer in peers_now if peer.left_at is None]
    if any(peer.id in seen or _joined_before(peer, begun) for peer in now_open):
        is_certain = _shows(roster, ended + LATE_EFFECT) and roster.shows_leaves
        return (Outcome.FAILED, OutcomeReason.STILL_THERE, None) if is_certain else None
    rejoined = [peer.joined_at for peer in now_open if _joined_after(peer, ended)]
    if len(rejoined) < len(now_open) or not seen.issubset(peer.id for peer in peers_now):
        return None
    # A list that ends before the call may lack a connection that was opened before the call.
    if not _shows(roster, begun - _DATE_PRECISION):
        return None
    return Outcome.GONE, OutcomeReason.LEFT, max(filter(None, rejoined), default=None)


def _peers(target: Target, roster: Roster) -> tuple[Peer, ...]:
    people = roster.find(target.key) if target.key else ()
    return tuple(peer for person in people for peer in person.peers)


def _joined_after(peer: Peer, moment: datetime) -> bool:
    return peer.joined_at is not None and peer.joined_at > moment


def _joined_before(peer: Peer, moment: datetime) -> bool:
    return peer.joined_at is not None and peer.joined_at + _DATE_PRECISION <= moment


def _shows(roster: Roster, moment: datetime) -> bool:
    return roster.latest is not None and roster.latest > moment
