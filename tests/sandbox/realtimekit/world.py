"""The true state of the simulated RealtimeKit app, without HTTP and without faults."""

import heapq
import itertools
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from tests.sandbox.realtimekit.models import KickEffect, Meeting, Participant, Peer, Preset, Session

Clock = Callable[[], datetime]
"""Returns the time: aware, in UTC."""

KEEP_ALIVE = timedelta(seconds=60)
"""How long a session stays live without participants: `session_keep_alive_time_in_secs`."""


def utc_now() -> datetime:
    """Return the real time."""
    return datetime.now(UTC)


STOCK_PRESETS = (
    "group_call_host",
    "group_call_participant",
    "webinar_presenter",
    "webinar_viewer",
)
"""The presets that a new app has."""


class World:
    """Meetings, participants, sessions and peers, and the kicks that removed a participant.

    The same calls give the same ids. Joins, kicks and reads of sessions first
    apply what is due by now: people come back, and empty sessions end.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        self._changes = 0
        self.kicks: list[KickEffect] = []
        self._random = random.Random(0)  # noqa: S311  # ids that repeat, not secrets
        self._meetings: dict[str, Meeting] = {}
        self._participants: dict[str, Participant] = {}
        self._records: dict[str, list[Participant]] = {}
        self._peers: dict[str, tuple[Session, Peer]] = {}
        self._sessions: dict[str, Session] = {}
        self._live: dict[str, Session] = {}
        self._comebacks: list[tuple[datetime, int, Participant]] = []
        self._sequence: Iterator[int] = itertools.count()
        self.presets = [
            Preset(str(uuid.uuid5(uuid.NAMESPACE_URL, name)), name, clock())
            for name in STOCK_PRESETS
        ]

    # People and meetings

    def add_meeting(self, title: str, *, active: bool = True) -> Meeting:
        """Add a meeting. It is empty, so it has no session."""
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
        """Add a record. The API requires a custom id, so one is generated if none is given."""
        now, new_id = self.clock(), self._new_id()
        custom_id = f"app-{new_id[:8]}" if custom_id is None else custom_id
        participant = Participant(new_id, meeting, custom_id, name, preset, now, now)
        self._participants[participant.id] = participant
        self._records[meeting.id].append(participant)
        return participant

    def rename(self, participant: Participant, name: str | None) -> None:
        """Change the name, in the record and in session rows."""
        self._changes += 1
        participant.name, participant.updated_at = name, self.clock()

    def change_preset(self, participant: Participant, preset: str) -> None:
        """Change the preset, in the record and in session rows."""
        self._changes += 1
        participant.preset, participant.updated_at = preset, self.clock()

    def comes_back(self, participant: Participant, *, after: float = 0, times: int = 1) -> None:
        """Let a participant rejoin `after` seconds after each of the next `times` kicks."""
        self._changes += 1
        participant.comes_back_after = timedelta(seconds=after)
        participant.comebacks_left = times

    # Coming and going

    def join(self, participant: Participant, *, at: datetime | None = None) -> Peer:
        """Connect a participant, and start a session if none is live. A second call adds a tab.

        `at` sets an earlier time of joining.
        """
        self._apply_due()
        return self._join(participant, self.clock() if at is None else at)

    def fill(self, meeting: Meeting, count: int, *, name: str = "Guest") -> list[Participant]:
        """Let `count` new people join. Their names are numbered from 1."""
        crowd = [self.add_participant(meeting, f"{name} {n}") for n in range(1, count + 1)]
        for participant in crowd:
            self.join(participant)
        return crowd

    def leave(self, peer: Peer) -> None:
        """Close one connection. Other tabs of the participant stay."""
        self._apply_due()
        session, _ = self._peers[peer.id]
        self._close(session, [peer], self.clock())

    def kick(self, participant: Participant) -> KickEffect | None:
        """Remove a participant with all tabs. Return None if they are not in the session."""
        self._apply_due()
        session = self._live.get(participant.meeting.id)
        peers = session.present.get(participant.id) if session else None
        if session is None or not peers:
            return None
        now = self.clock()
        effect = KickEffect(now, session, participant, tuple(peers))
        self._close(session, peers, now)
        self.kicks.append(effect)
        self._schedule_comeback(participant, now)
        return effect

    def end_session(self, meeting: Meeting) -> None:
        """End the live session for all its participants."""
        self._apply_due()
        session, now = self._live[meeting.id], self.clock()
        for peers in list(session.present.values()):
            self._close(session, peers, now)
        self._end(session, now)

    # Reading

    @property
    def changes(self) -> int:
        """How many changes there were so far."""
        self._apply_due()
        return self._changes

    @property
    def meetings(self) -> list[Meeting]:
        """All meetings."""
        return list(self._meetings.values())

    @property
    def sessions(self) -> list[Session]:
        """All sessions, live or ended."""
        self._apply_due()
        return list(self._sessions.values())

    def meeting(self, meeting_id: str) -> Meeting | None:
        """Return a meeting, if there is one with this id."""
        return self._meetings.get(meeting_id)

    def session(self, session_id: str) -> Session | None:
        """Return a session, live or ended."""
        self._apply_due()
        return self._sessions.get(session_id)

    def live_session(self, meeting: Meeting) -> Session | None:
        """Return the live session of a meeting, which has at most one."""
        self._apply_due()
        return self._live.get(meeting.id)

    def participant(self, participant_id: str) -> Participant | None:
        """Return a record by its participant id."""
        return self._participants.get(participant_id)

    def records(self, meeting: Meeting) -> list[Participant]:
        """Return all records of a meeting, also of people who are not connected."""
        return list(self._records[meeting.id])

    def peer(self, peer_id: str) -> Peer | None:
        """Return a connection, open or closed."""
        self._apply_due()
        found = self._peers.get(peer_id)
        return found[1] if found else None

    def who_is_in(self, meeting: Meeting) -> list[Participant]:
        """Return the participants who are connected now."""
        session = self.live_session(meeting)
        return [self._participants[key] for key in session.present] if session else []

    # Internals

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

    def _schedule_comeback(self, participant: Participant, kicked_at: datetime) -> None:
        if participant.comes_back_after is not None and participant.comebacks_left > 0:
            participant.comebacks_left -= 1
            due = kicked_at + participant.comes_back_after
            heapq.heappush(self._comebacks, (due, next(self._sequence), participant))

    def _apply_due(self) -> None:
        now = self.clock()
        while self._comebacks and self._comebacks[0][0] <= now:
            due, _, participant = heapq.heappop(self._comebacks)
            self._end_empty_sessions(due)
            self._join(participant, due)
        self._end_empty_sessions(now)

    def _end_empty_sessions(self, now: datetime) -> None:
        for session in list(self._live.values()):
            if session.emptied_at and session.emptied_at + KEEP_ALIVE <= now:
                self._end(session, session.emptied_at + KEEP_ALIVE)
