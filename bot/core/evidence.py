"""What a later read of the session proves about a call whose reply was lost."""

from datetime import datetime, timedelta

from bot.core.roster import Peer
from bot.core.target import Outcome, OutcomeReason, Target

# How long the list of a session may be out of date: about 10 s were measured, plus a margin.
LIST_LAG = timedelta(seconds=12)
# RealtimeKit cuts dates to milliseconds.
_DATE_PRECISION = timedelta(milliseconds=1)


def evidence(
    target: Target, peers_now: tuple[Peer, ...], read_at: datetime, ended_at: datetime
) -> tuple[Outcome, OutcomeReason, datetime | None] | None:
    """Return the outcome of a call, its reason, and when the person rejoined; or None.

    None means that the read is not evidence. `peers_now` are the rows of this participant, read
    at `read_at` or later. The call ended, or must have ended, at `ended_at`.

    An empty list or a missing row is not evidence. Neither is a row with no peer id and no join
    time. If every connection from before the call has left, the person is gone; a connection
    that joined after the call shows that they rejoined. If a connection from before the call is
    still open 12 s after its end (longer than the list lags), the call had no effect.
    """
    if target.called_at is None or not target.peers:
        return None
    seen = {peer.peer_id for peer in target.peers}
    if not all(seen):
        return None
    now_open = [peer for peer in peers_now if peer.left_at is None]
    if any(peer.id in seen or _joined_before(peer, target.called_at) for peer in now_open):
        is_certain = read_at - ended_at >= LIST_LAG
        return (Outcome.FAILED, OutcomeReason.STILL_THERE, None) if is_certain else None
    rejoined = [peer.joined_at for peer in now_open if peer.joined_at]
    if len(rejoined) < len(now_open) or not seen.issubset(peer.id for peer in peers_now):
        return None
    return Outcome.GONE, OutcomeReason.LEFT, max(rejoined, default=None)


def _joined_before(peer: Peer, moment: datetime) -> bool:
    return peer.joined_at is not None and peer.joined_at + _DATE_PRECISION <= moment
