"""A message of the transactional outbox: stored with the transition that it reports.

So the message survives the process that made the transition. It is pending until it has been
delivered at least once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.core.kick import ChannelId, Kick, KickId, State
from bot.core.timing import FAR_AHEAD

# The lease of the process that stored or leased a message. After that, another process delivers.
DELIVER_WITHIN = timedelta(seconds=30)
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 600))
# Slack may ask to wait for longer, but is then asked again.
LONGEST_DELAY = RETRY_DELAYS[-1]
GIVE_UP_AFTER = timedelta(days=1)


class MessageKind(StrEnum):
    """Who a message is for: the approvers, the channel or the requester. The values are stored."""

    CARD = "card"
    RESULT = "result"
    REQUESTER = "word"


_KIND_BY_STATE = {
    State.DONE: MessageKind.RESULT,
    State.REFUSED: MessageKind.REQUESTER,
    State.DENIED: MessageKind.REQUESTER,
    State.EXPIRED: MessageKind.REQUESTER,
}


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message about a kick. It stays in the outbox after delivery, so that it can be edited.

    `due_at` is None if it is delivered. `since` is when it was last queued. `channel` and `ts`
    say where it was posted. `maybe_delivered`: an earlier attempt failed, but may have posted it.
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

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether any process should deliver the message: its `due_at` has come.

        A date so far ahead that no delay explains it was stored by a clock that was ahead, and
        counts as come.
        """
        return self.due_at is not None and not (
            now < self.due_at <= now + LONGEST_DELAY + FAR_AHEAD
        )

    def leased(self, now: datetime) -> "OutboxMessage":
        """Return the message leased to this process, for `DELIVER_WITHIN`."""
        return self._next(due_at=now + DELIVER_WITHIN)

    def delivered(self, channel: ChannelId | None, ts: str | None) -> "OutboxMessage":
        """Return the message as delivered, and where it was posted; None if it can't be edited."""
        channel, ts = channel or self.channel, ts or self.ts
        return self._next(due_at=None, channel=channel, ts=ts, maybe_delivered=False)

    def moved_to(self, posted: "OutboxMessage", now: datetime) -> "OutboxMessage":
        """Return the message with the place where an older version was posted, due for an edit."""
        return self._next(due_at=now, channel=posted.channel, ts=posted.ts)

    def postponed(
        self, now: datetime, retry_after: timedelta | None, *, maybe_delivered: bool
    ) -> "OutboxMessage":
        """Return the message due again later; `retry_after` is what Slack asked for, or None."""
        delay = RETRY_DELAYS[min(self.attempts, len(RETRY_DELAYS) - 1)]
        return self._next(
            attempts=self.attempts + 1,
            due_at=now + min(max(delay, retry_after or delay), LONGEST_DELAY),
            maybe_delivered=self.maybe_delivered or maybe_delivered,
        )

    def _next(self, **changes: Any) -> "OutboxMessage":
        return replace(self, version=self.version + 1, **changes)


def messages_due_for(before: State | None, after: Kick) -> frozenset[MessageKind]:
    """Return the messages that become due when a kick changes from the state `before` to `after`.

    `before` is None for a new kick. A new kick that is refused needs no message: the requester
    sees the refusal in the reply to the submit.
    """
    if before is after.state and after.state is not State.DONE:
        return frozenset()
    if before is None and after.state is State.REFUSED:
        return frozenset()
    has_card = after.approval_requested and after.state is not State.RUNNING
    kinds = (_KIND_BY_STATE.get(after.state), MessageKind.CARD if has_card else None)
    return frozenset(kind for kind in kinds if kind)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of one attempt to deliver a message.

    If it was delivered, `channel` and `ts` say where; None if it cannot be edited later. If not,
    the message is tried again, after `retry_after` if Slack said so. `maybe_delivered`: Slack may
    have posted it although the attempt failed.
    """

    delivered: bool
    channel: ChannelId | None = None
    ts: str | None = None
    retry_after: timedelta | None = None
    maybe_delivered: bool = False
    error: str = ""
