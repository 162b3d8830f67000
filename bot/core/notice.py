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
PAUSES = tuple(timedelta(seconds=one) for one in (5, 15, 60, 300, 600))
GIVE_UP_AFTER = timedelta(days=1)


class Kind(StrEnum):
    """Whom a notice is for: the approvers, the channel, or whoever asked."""

    CARD = "card"
    RESULT = "result"
    WORD = "word"


_BY_STATE = {
    State.DONE: frozenset({Kind.RESULT}),
    State.REFUSED: frozenset({Kind.WORD}),
    State.DENIED: frozenset({Kind.WORD}),
    State.EXPIRED: frozenset({Kind.WORD}),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about a kick: due until delivered (`due_at` None), then kept for its place.

    `channel` and `ts` say where it stands, once it does: what changes later is changed there.
    `since` is when it was last owed anew; `doubtful`: an earlier attempt may have got through.
    """

    kick_id: KickId
    kind: Kind
    since: datetime
    due_at: datetime | None
    version: int = 1
    attempts: int = 0
    channel: ChannelId | None = None
    ts: str | None = None
    doubtful: bool = False

    def taken(self, now: datetime) -> "Notice":
        """Be the one who delivers it, for a while."""
        return replace(self, version=self.version + 1, due_at=now + DELIVER_WITHIN)

    def delivered(self, channel: ChannelId | None, ts: str | None) -> "Notice":
        """Be told; it stands there now (None: at no place where it could be changed)."""
        return replace(
            self,
            version=self.version + 1,
            due_at=None,
            channel=channel or self.channel,
            ts=ts or self.ts,
            doubtful=False,
        )

    def placed(self, told: "Notice", now: datetime) -> "Notice":
        """Stand where an older form of it was just delivered, and be due there: it changed."""
        version = self.version + 1
        return replace(self, version=version, due_at=now, channel=told.channel, ts=told.ts)

    def put_off(self, now: datetime, wait: timedelta | None, *, doubtful: bool) -> "Notice":
        """Be tried again later; `wait` is what Slack asked for, if it did."""
        pause = PAUSES[min(self.attempts, len(PAUSES) - 1)]
        return replace(
            self,
            version=self.version + 1,
            attempts=self.attempts + 1,
            due_at=now + max(pause, wait or pause),
            doubtful=self.doubtful or doubtful,
        )


def owes(before: State | None, after: Kick) -> frozenset[Kind]:
    """Say what is owed once a kick became `after`; `before` is None for a new one.

    One that is refused as it is asked for is told of at once, by the answer to the asking.
    """
    if before is after.state and after.state is not State.DONE:
        return frozenset()
    if before is None and after.state is State.REFUSED:
        return frozenset()
    card = {Kind.CARD} if after.was_asked and after.state is not State.RUNNING else set()
    return _BY_STATE.get(after.state, frozenset[Kind]()) | card
