"""What a RealtimeKit app consists of, in the words of the project's glossary."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(slots=True, eq=False)
class Meeting:
    """A long-lived meeting with an id and a title; people come together in its sessions."""

    id: str
    title: str
    created_at: datetime
    active: bool = True


@dataclass(slots=True, eq=False)
class Participant:
    """A person's record in a meeting; it outlives sessions. Its id is `user_id` in session rows.

    Custom ids are the app's own, and not unique: adding one again makes another record.
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
    """One connection (device or tab) of a participant to a session; its id is its own."""

    id: str
    participant: Participant
    joined_at: datetime
    left_at: datetime | None = None

    def is_in(self, at: datetime) -> bool:
        """Tell whether this connection was open at that time."""
        return self.joined_at <= at and (self.left_at is None or self.left_at > at)


@dataclass(slots=True, eq=False)
class Session:
    """The live run of a meeting, or one that has ended."""

    id: str
    meeting: Meeting
    started_at: datetime
    ended_at: datetime | None = None
    emptied_at: datetime | None = None
    peak: int = 0
    peers: list[Peer] = field(default_factory=list)
    present: dict[str, list[Peer]] = field(default_factory=dict)
    """Open peers by participant id, in the order in which the participants came."""

    def is_live(self, at: datetime) -> bool:
        """Tell whether the session was running at that time."""
        return self.started_at <= at and (self.ended_at is None or self.ended_at > at)

    def peers_by(self, at: datetime) -> list[Peer]:
        """Return the peers that had joined by that time, whether or not they have left."""
        return [peer for peer in self.peers if peer.joined_at <= at]

    def headcount(self, at: datetime) -> int:
        """Count the participants in the session at that time: people, not their tabs."""
        return len({peer.participant.id for peer in self.peers if peer.is_in(at)})


@dataclass(frozen=True, slots=True)
class KickEffect:
    """A participant who was in a session, and was put out of it."""

    at: datetime
    session: Session
    participant: Participant
    peers: tuple[Peer, ...]
