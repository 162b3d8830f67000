"""The audit log: what happened with a kick, one event at a time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.core.kick import KickId, UserId


class EventKind(StrEnum):
    """What happened. The values are stored."""

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
    """One entry of the audit log: what happened, when, and who did it (None: the bot itself).

    `kick_id` is None for a refusal that came before a kick was stored. If a user was refused the
    same thing several times within an hour, that is one entry: `count` says how often, `at` is
    the first time, and `last_at` the last one.
    """

    at: datetime
    kind: EventKind
    actor: UserId | None
    note: str = ""
    kick_id: KickId | None = None
    count: int = 1
    last_at: datetime | None = None
