"""What is really true in the RealtimeKit app that the stand-in plays. No HTTP, no faults."""

import heapq
import itertools
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from tests.sandbox.realtimekit.people import KickEffect, Meeting, Participant, Peer, Session

Clock = Callable[[], datetime]
"""Tells the time, aware, in UTC."""

KEEP_ALIVE = timedelta(seconds=60)
"""A session outlives its last participant by this: `session_keep_alive_time_in_secs`, default."""


def utc_now() -> datetime:
    """Tell the real time."""
    return datetime.now(UTC)


class World:
    """Meetings, participants, sessions and peers, and the kicks that took effect.

    The same seed and the same calls give the same ids. What time alone brings about (people who
    come back, sessions that end after the last one left) is brought up to date on every look.
    """

    def __init__(
        self, clock: Clock = utc_now, *, seed: int = 0, keep_alive: timedelta = KEEP_ALIVE
    ) -> None:
        self.clock = clock
        self._changes = 0
        self.kicks: list[KickEffect] = []
        self._keep_alive = keep_alive
        self._random = random.Random(seed)  # noqa: S311  # ids that repeat, not secrets
        self._meetings: dict[str, Meeting] = {}
        self._participants: dict[str, Participant] = {}
        self._records: dict[str, list[Participant]] = {}
        self._peers: dict[str, tuple[Session, Peer]] = {}
        self._sessions: dict[str, Session] = {}
        self._live: dict[str, Session] = {}
        self._comebacks: list[tuple[datetime, int, Participant]] = []
        self._tie_breaks: Iterator[int] = itertools.count()

    # People and meetings

    def add_meeting(self, title: str, *, active: bool = True) -> Meeting:
        """Make a meeting. Nobody is in it yet, so it has no session."""
        self._changes += 1
        meeting = Meeting(self._new_id(), title, self.clock(), active)
        self._meetings[meeting.id] = meeting
        self._records[meeting.id] = []
        return meeting

    def add_participant(
        self,
        meeting: Meeting,
        name: str | None,
        preset: str = "group_call_participant",
        custom_id: str | None = None,
    ) -> Participant:
        """Make a record. The API requires a custom id, so one is made up where none is given."""
        now, new_id = self.clock(), self._new_id()
        custom_id = f"app-{new_id[:8]}" if custom_id is None else custom_id
        participant = Participant(new_id, meeting, custom_id, name, preset, now, now)
        self._participants[participant.id] = participant
        self._records[meeting.id].append(participant)
        return participant

    def rename(self, participant: Participant, name: str | None) -> None:
        """Change the name, in the record and in the rows of sessions."""
        self._changes += 1
        participant.name, participant.updated_at = name, self.clock()

    def change_preset(self, participant: Participant, preset: str) -> None:
        """Change the preset, in the record and in the rows of sessions."""
        self._changes += 1
        participant.preset, participant.updated_at = preset, self.clock()

    def comes_back(self, participant: Participant, *, after: float = 0, times: int = 1) -> None:
        """Let them rejoin by themselves, `after` seconds after each of the next `times` kicks."""
        self._changes += 1
        participant.comes_back_after = timedelta(seconds=after)
        participant.comebacks_left = times

    # Coming and going

    def join(self, participant: Participant, *, at: datetime | None = None) -> Peer:
        """Connect; starts a session where none is live. Again while connected: another tab.

        `at` backdates, for people who have been there for a while.
        """
        self._catch_up()
        return self._join(participant, self.clock() if at is None else at)

    def fill(self, meeting: Meeting, count: int, *, name: str = "Guest") -> list[Participant]:
        """Let that many new people join, numbered from 1."""
        crowd = [self.add_participant(meeting, f"{name} {n}") for n in range(1, count + 1)]
        for participant in crowd:
            self.join(participant)
        return crowd

    def leave(self, peer: Peer) -> None:
        """Close one connection; other tabs of the same participant stay."""
        self._catch_up()
        session, _ = self._peers[peer.id]
        self._close(session, [peer], self.clock())

    def kick(self, participant: Participant) -> KickEffect | None:
        """Put a participant out, with all tabs: kicks are per user. None: they were not in."""
        self._catch_up()
        session = self._live.get(participant.meeting.id)
        peers = session.present.get(participant.id) if session else None
        if session is None or not peers:
            return None
        now = self.clock()
        effect = KickEffect(now, session, participant, tuple(peers))
        self._close(session, peers, now)
        self.kicks.append(effect)
        self._plan_comeback(participant, now)
        return effect

    def end_session(self, meeting: Meeting) -> None:
        """End the live session, for everybody in it."""
        self._catch_up()
        session, now = self._live[meeting.id], self.clock()
        for peers in list(session.present.values()):
            self._close(session, peers, now)
        self._end(session, now)

    # Looking

    @property
    def changes(self) -> int:
        """How often anything has changed up to now."""
        self._catch_up()
        return self._changes

    @property
    def meetings(self) -> list[Meeting]:
        """All meetings."""
        return list(self._meetings.values())

    @property
    def sessions(self) -> list[Session]:
        """All sessions, live or ended."""
        self._catch_up()
        return list(self._sessions.values())

    def meeting(self, meeting_id: str) -> Meeting | None:
        """Find a meeting."""
        return self._meetings.get(meeting_id)

    def session(self, session_id: str) -> Session | None:
        """Find a session, live or ended."""
        self._catch_up()
        return self._sessions.get(session_id)

    def live_session(self, meeting: Meeting) -> Session | None:
        """Find the meeting's one live session."""
        self._catch_up()
        return self._live.get(meeting.id)

    def participant(self, participant_id: str) -> Participant | None:
        """Find a record by participant id."""
        return self._participants.get(participant_id)

    def records(self, meeting: Meeting) -> list[Participant]:
        """All records of a meeting, in it or not."""
        return list(self._records[meeting.id])

    def peer(self, peer_id: str) -> Peer | None:
        """Find a connection, open or closed."""
        self._catch_up()
        found = self._peers.get(peer_id)
        return found[1] if found else None

    def who_is_in(self, meeting: Meeting) -> list[Participant]:
        """Everybody who is really connected now."""
        session = self.live_session(meeting)
        return [self._participants[key] for key in session.present] if session else []

    # What follows from the above

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _join(self, participant: Participant, at: datetime) -> Peer:
        session = self._live.get(participant.meeting.id) or self._start(participant.meeting, at)
        session.started_at = min(session.started_at, at)
        peer = Peer(self._new_id(), participant, at)
        session.peers.append(peer)
        session.present.setdefault(participant.id, []).append(peer)
        session.peak = max(session.peak, len(session.present))
        session.emptied_at = None
        self._peers[peer.id] = (session, peer)
        self._changes += 1
        return peer

    def _start(self, meeting: Meeting, at: datetime) -> Session:
        session = Session(self._new_id(), meeting, at)
        self._sessions[session.id] = self._live[meeting.id] = session
        return session

    def _close(self, session: Session, peers: list[Peer], at: datetime) -> None:
        self._changes += 1
        for peer in list(peers):
            if peer.left_at is not None:
                continue
            peer.left_at = at
            tabs = session.present[peer.participant.id]
            tabs.remove(peer)
            if not tabs:
                del session.present[peer.participant.id]
        if not session.present and session.emptied_at is None:
            session.emptied_at = at

    def _end(self, session: Session, at: datetime) -> None:
        self._changes += 1
        session.ended_at = at
        del self._live[session.meeting.id]

    def _plan_comeback(self, participant: Participant, kicked_at: datetime) -> None:
        if participant.comes_back_after is not None and participant.comebacks_left > 0:
            participant.comebacks_left -= 1
            due = kicked_at + participant.comes_back_after
            heapq.heappush(self._comebacks, (due, next(self._tie_breaks), participant))

    def _catch_up(self) -> None:
        now = self.clock()
        while self._comebacks and self._comebacks[0][0] <= now:
            due, _, participant = heapq.heappop(self._comebacks)
            self._end_the_empty(due)
            self._join(participant, due)
        self._end_the_empty(now)

    def _end_the_empty(self, now: datetime) -> None:
        for session in list(self._live.values()):
            if session.emptied_at and session.emptied_at + self._keep_alive <= now:
                self._end(session, session.emptied_at + self._keep_alive)
