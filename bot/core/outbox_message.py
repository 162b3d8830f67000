"""What people are owed: each message about a kick is written down with the move it tells of.

So a message outlives the process that made the move: it stays due until it was delivered, at
least once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.core.kick import ChannelId, Kick, KickId, State

# The process that made a move, or took up a notice, has this long to deliver before another tries.
DELIVER_WITHIN = timedelta(seconds=30)
RETRY_DELAYS = tuple(timedelta(seconds=one) for one in (5, 15, 60, 300, 600))
GIVE_UP_AFTER = timedelta(days=1)


class MessageKind(StrEnum):
    """Whom a notice is for: the approvers, the channel, or whoever asked."""

    CARD = "card"
    RESULT = "result"
    REQUESTER = "word"


_BY_STATE = {
    State.DONE: frozenset({MessageKind.RESULT}),
    State.REFUSED: frozenset({MessageKind.REQUESTER}),
    State.DENIED: frozenset({MessageKind.REQUESTER}),
    State.EXPIRED: frozenset({MessageKind.REQUESTER}),
}


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message about a kick: due until delivered (`due_at` None), then kept for its place.

    `channel` and `ts` say where it stands, once it does: what changes later is changed there.
    `since` is when it was last owed anew; `doubtful`: an earlier attempt may have got through.
    """

    kick_id: KickId
    kind: MessageKind
    since: datetime
    due_at: datetime | None
    version: int = 1
    attempts: int = 0
    channel: ChannelId | None = None
    ts: str | None = None
    maybe_delivered: bool = False

    def leased(self, now: datetime) -> "OutboxMessage":
        """Be the one who delivers it, for a while."""
        return replace(self, version=self.version + 1, due_at=now + DELIVER_WITHIN)

    def delivered(self, channel: ChannelId | None, ts: str | None) -> "OutboxMessage":
        """Be told; it stands there now (None: at no place where it could be changed)."""
        return replace(
            self,
            version=self.version + 1,
            due_at=None,
            channel=channel or self.channel,
            ts=ts or self.ts,
            maybe_delivered=False,
        )

    def moved_to(self, told: "OutboxMessage", now: datetime) -> "OutboxMessage":
        """Stand where an older form of it was just delivered, and be due there: it changed."""
        version = self.version + 1
        return replace(self, version=version, due_at=now, channel=told.channel, ts=told.ts)

    def postponed(
        self, now: datetime, wait: timedelta | None, *, maybe_delivered: bool
    ) -> "OutboxMessage":
        """Be tried again later; `wait` is what Slack asked for, if it did."""
        pause = RETRY_DELAYS[min(self.attempts, len(RETRY_DELAYS) - 1)]
        return replace(
            self,
            version=self.version + 1,
            attempts=self.attempts + 1,
            due_at=now + max(pause, wait or pause),
            maybe_delivered=self.maybe_delivered or maybe_delivered,
        )


def messages_due_for(before: State | None, after: Kick) -> frozenset[MessageKind]:
    """Say what is owed once a kick became `after`; `before` is None for a new one.

    One that is refused as it is asked for is told of at once, by the answer to the asking.
    """
    if before is after.state and after.state is not State.DONE:
        return frozenset()
    if before is None and after.state is State.REFUSED:
        return frozenset()
    card = (
        {MessageKind.CARD}
        if after.approval_requested and after.state is not State.RUNNING
        else set()
    )
    return _BY_STATE.get(after.state, frozenset[MessageKind]()) | card
