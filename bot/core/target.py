"""A target: one person that a kick should remove, and their outcome."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.core.roster import CustomId, ParticipantId, ParticipantKey, PeerId, participant_key


class Outcome(StrEnum):
    """What happened to one target. The values are stored."""

    KICKED = "kicked"
    GONE = "gone"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutcomeReason(StrEnum):
    """What an outcome is based on. The values are stored."""

    CONFIRMED = "confirmed"  # the reply named one participant
    NOT_FOUND = "not found"  # 404, although they were seen before; not in the session now
    LEFT = "left"  # every connection that they had before the call has left
    NOBODY = "nobody"  # 404, and they were never seen in the session
    NOT_TRIED = "not tried"  # the call was never started
    NO_ID = "no id"  # RealtimeKit could not be told whom to remove
    PROTECTED = "protected"  # the policy protects them by now
    STILL_THERE = "still there"  # a read that shows later events shows them connected
    STILL_LISTED = "still listed"  # no valid reply, and the last read may be older than the call
    NOT_FOUND_LISTED = "not found but listed"  # 404, and the last read shows them connected
    NO_ANSWER = "no answer"  # the reply was lost
    EMPTY_ANSWER = "empty answer"  # the reply reports success, but names no participant
    REFUSED = "refused"  # RealtimeKit rejected the bot's credentials or input
    BUSY = "busy"  # RealtimeKit is over its rate limit
    UNREACHABLE = "unreachable"  # the call was never sent


@dataclass(frozen=True, slots=True)
class SeenPeer:
    """A connection as it was read before the call."""

    peer_id: PeerId
    joined_at: datetime | None


@dataclass(frozen=True, slots=True)
class Target:
    """A participant as they were when they were chosen, and their outcome.

    `live`: they were in the session. `protection_checked`: preset and custom id were known, as
    far as the policy protects by them. `called_at` and `peers` are set before the call is sent;
    a target without `called_at` was never called.
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
    def presets(self) -> frozenset[str]:
        """The preset that is known of them, if there is one."""
        return frozenset([self.preset] if self.preset else [])

    @property
    def custom_ids(self) -> frozenset[CustomId]:
        """The custom id that is known of them, if there is one."""
        return frozenset([self.custom_id] if self.custom_id else [])

    @property
    def key(self) -> ParticipantKey | None:
        """The key that tells the targets of a kick apart."""
        return participant_key(self.participant_id, self.custom_id)
