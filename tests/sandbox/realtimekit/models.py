"""The things that a RealtimeKit app consists of. The names are those of the REST API."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(slots=True, eq=False)
class Meeting:
    """A long-lived meeting with an id and a title. People meet in its sessions."""

    id: str
    title: str
    created_at: datetime
    active: bool = True


@dataclass(slots=True, eq=False)
class Preset:
    """What a participant may do in a meeting. Records and rows name it."""

    id: str
    name: str
    created_at: datetime


@dataclass(slots=True, eq=False)
class Participant:
    """A person's record in a meeting, which outlives sessions. Session rows call its id `user_id`.

    The custom id is the app's own and not unique: adding it again makes another record.
    """

    id: str
    meeting: Meeting
    custom_id: str
    name: str | None
    preset: str
    created_at: datetime
    updated_at: datetime
    comes_back_after: timedelta | None = None
    comebacks_left: int = 0


@dataclass(slots=True, eq=False)
class Peer:
    """One connection of a participant to a session: a device or a browser tab."""

    id: str
    participant: Participant
    joined_at: datetime
    left_at: datetime | None = None

    def is_connected(self, at: datetime) -> bool:
        """Tell whether the connection was open at that time."""
        return self.joined_at <= at and (self.left_at is None or self.left_at > at)


@dataclass(slots=True, eq=False)
class Session:
    """A run of a meeting, live or ended. `peak` is the most participants at once.

    `present` maps participant ids to open peers, in the order in which the participants came.
    """

    id: str
    meeting: Meeting
    started_at: datetime
    ended_at: datetime | None = None
    emptied_at: datetime | None = None
    peak: int = 0
    peers: list[Peer] = field(default_factory=list)
    present: dict[str, list[Peer]] = field(default_factory=dict)

    def is_live(self, at: datetime) -> bool:
        """Tell whether the session was live at that time."""
        return self.started_at <= at and (self.ended_at is None or self.ended_at > at)

    def joined_by(self, at: datetime) -> list[Peer]:
        """Return the peers that had joined by that time, including those that have left."""
        return [peer for peer in self.peers if peer.joined_at <= at]

    def live_participants(self, at: datetime) -> int:
        """Count the participants at that time. Several tabs of one participant count once."""
        return len({peer.participant.id for peer in self.peers if peer.is_connected(at)})


@dataclass(frozen=True, slots=True)
class KickEffect:
    """A kick that removed a participant with these peers from a session."""

    at: datetime
    session: Session
    participant: Participant
    peers: tuple[Peer, ...]
