"""RealtimeKit behind its gateway: each operation, from a request that keeps to the contract."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.sandbox.realtimekit import replies
from tests.sandbox.realtimekit.contract import Asked, BadRequestError
from tests.sandbox.realtimekit.people import Participant, Peer, Session
from tests.sandbox.realtimekit.quirks import Quirks
from tests.sandbox.realtimekit.replies import Reply
from tests.sandbox.realtimekit.rows import (
    Page,
    kicked_row,
    meeting_row,
    peer_row,
    record_row,
    session_row,
)
from tests.sandbox.realtimekit.selection import (
    in_order,
    is_asked_for,
    is_between,
    page,
    searched,
)
from tests.sandbox.realtimekit.world import World

OPERATIONS: Final[Mapping[str, str]] = {
    "GetSessions": "sessions",
    "GetSessionDetails": "session",
    "GetSessionParticipants": "participants",
    "get_all_meetings": "meetings",
    "get_meeting": "meeting",
    "get_meeting_participants": "records",
    "get_meeting_participant": "record",
    "GetActiveSession": "active-session",
    "KickPartcipants": "kick",
}
"""Those played here: the contract's operation ids, and the names that faults know them by."""


class NotPlayedError(Exception):
    """The contract allows this request, but the stand-in doesn't play it."""


class Service:
    """Answers from the world, with the quirks that are on."""

    def __init__(self, world: World, app_id: str) -> None:
        self._world = world
        self._app_id = app_id
        self._operations: Mapping[str, Callable[[Asked, Quirks], Reply]] = {
            "sessions": self._sessions,
            "session": self._session,
            "participants": self._participants,
            "meetings": self._meetings,
            "meeting": self._meeting,
            "records": self._records,
            "record": self._record,
            "active-session": self._active_session,
            "kick": self._kick,
        }

    def answer(self, operation: str | None, asked: Asked, quirks: Quirks) -> Reply:
        """Do what is asked. May raise BadRequestError or NotPlayedError."""
        if operation is None:
            raise NotPlayedError("the whole operation")
        if asked.path["app_id"] != self._app_id:
            # Not documented; an app that is not there can hold nothing.
            return replies.failure(404, f"No app found with id {asked.path['app_id']}")
        return self._operations[operation](asked, quirks)

    def _sessions(self, asked: Asked, quirks: Quirks) -> Reply:
        at = quirks.seen_at(self._world.clock())
        if quirks.play("empty_sessions") is not None:
            return _listed("sessions", Page.cut([], 1, 1), [], quirks)
        known = [
            session
            for session in self._world.sessions
            if session.started_at <= at and is_asked_for(session, asked.query, at)
        ]
        found = searched(
            known, asked, quirks, lambda one: ((one.id, one.meeting.id), one.meeting.title)
        )
        keys: dict[str, Callable[[Session], Any]] = {
            "createdAt": lambda session: session.started_at,
            "minutesConsumed": lambda session: (session.ended_at or at) - session.started_at,
        }
        shown = page(in_order(found, asked, keys), asked, quirks)
        rows = [session_row(session, at, self._app_id) for session in shown.rows]
        return _listed("sessions", shown, rows, quirks)

    def _session(self, asked: Asked, quirks: Quirks) -> Reply:
        _refuse_unplayed(asked, include_breakout_rooms=True)
        at = quirks.seen_at(self._world.clock())
        session = self._world.session(asked.path["session_id"])
        if session is None or session.started_at > at:
            return _no_session(asked)
        return replies.success(session_row(session, at, self._app_id))

    def _participants(self, asked: Asked, quirks: Quirks) -> Reply:
        _refuse_unplayed(asked, include_peer_events=True, view="consolidated")
        at = quirks.seen_at(self._world.clock())
        session = self._world.session(asked.path["session_id"])
        if session is None or session.started_at > at:
            return _no_session(asked)
        if quirks.starts_slowly(session.started_at, at):
            return _internal_error()
        if quirks.play("empty_participants") is not None:
            return _listed("participants", Page.cut([], 1, 1), [], quirks)
        found = searched(session.peers_by(at), asked, quirks, _texts)
        keys: dict[str, Callable[[Peer], Any]] = {
            "joinedAt": lambda peer: peer.joined_at,
            "duration": lambda peer: (peer.left_at or at) - peer.joined_at,
        }
        shown = page(in_order(found, asked, keys), asked, quirks)
        rows = [peer_row(peer, at) for peer in shown.rows]
        quirks.bend_peer_rows(rows)
        return _listed("participants", shown, rows, quirks)

    def _meetings(self, asked: Asked, quirks: Quirks) -> Reply:
        status = asked.query.get("status")
        known = [
            meeting
            for meeting in self._world.meetings
            if status in {None, "ACTIVE" if meeting.active else "INACTIVE"}
            and is_between(meeting.created_at, asked.query)
        ]
        found = searched(known, asked, quirks, lambda one: ((one.id,), one.title))
        shown = page(in_order(found, asked, {}), asked, quirks)
        return _listed(None, shown, [meeting_row(meeting) for meeting in shown.rows], quirks)

    def _meeting(self, asked: Asked, _: Quirks) -> Reply:
        if "name" in asked.query:
            raise NotPlayedError("name, which the contract lists and does not explain")
        meeting = self._world.meeting(asked.path["meeting_id"])
        return replies.success(meeting_row(meeting)) if meeting else _no_meeting(asked)

    def _records(self, asked: Asked, quirks: Quirks) -> Reply:
        meeting = self._world.meeting(asked.path["meeting_id"])
        if meeting is None:
            return _no_meeting(asked)
        shown = page(in_order(self._world.records(meeting), asked, {}), asked, quirks)
        return _listed(None, shown, [record_row(record) for record in shown.rows], quirks)

    def _record(self, asked: Asked, _: Quirks) -> Reply:
        record = self._world.participant(asked.path["participant_id"])
        if record is None or record.meeting.id != asked.path["meeting_id"]:
            # Only 500 is declared besides 200; 404 is a guess, in the shape of the kick's 404.
            return _no_user(asked.path["participant_id"])
        return replies.success(record_row(record))

    def _active_session(self, asked: Asked, quirks: Quirks) -> Reply:
        at = quirks.seen_at(self._world.clock())
        session = self._live(asked)
        if session is None or session.started_at > at:
            return _no_active_session(asked)
        if quirks.starts_slowly(session.started_at, at):
            return _internal_error()
        return replies.success(session_row(session, at, self._app_id))

    def _kick(self, asked: Asked, quirks: Quirks) -> Reply:
        session = self._live(asked)
        if session is None:
            # Not documented for kicks; this is what reading the active session answers.
            return _no_active_session(asked)
        if quirks.starts_slowly(session.started_at, self._world.clock()):
            return _internal_error()
        found, missing = _find(session, asked.body)
        if missing and not (found and quirks.play("partial") is not None):
            # What several ids, some unknown, do is not documented: none is kicked.
            return _no_user(missing[0])
        by_peer = quirks.play("kick_answers_peer_ids") is not None
        effects = [effect for effect in map(self._world.kick, found) if effect]
        rows = [
            kicked_row(effect.participant, item_id)
            for effect in effects
            for item_id in (
                [peer.id for peer in effect.peers] if by_peer else [effect.participant.id]
            )
        ]
        return replies.success({"action": "kick", "participants": rows})

    def _live(self, asked: Asked) -> Session | None:
        meeting = self._world.meeting(asked.path["meeting_id"])
        return self._world.live_session(meeting) if meeting else None


def _find(session: Session, body: Mapping[str, Any]) -> tuple[list[Participant], list[str]]:
    """Find who is in, by participant ids and custom ids: their union. Peer ids are neither."""
    found: dict[str, Participant] = {}
    missing: list[str] = []
    present = [peers[0].participant for peers in session.present.values()]
    for field, key in (("participant_ids", "id"), ("custom_participant_ids", "custom_id")):
        asked: list[str] = body.get(field, [])
        if len(set(asked)) < len(asked):
            # What the service does with an id given twice is not documented.
            raise BadRequestError(f'"{field}" contains a duplicate value')
        for wanted in asked:
            matching = [person for person in present if getattr(person, key) == wanted]
            found.update({person.id: person for person in matching})
            if not matching:
                missing.append(wanted)
    return list(found.values()), missing


def _texts(peer: Peer) -> tuple[tuple[str, ...], str | None]:
    participant = peer.participant
    return (peer.id, participant.id, participant.custom_id), participant.name


def _listed(key: str | None, page: Page, rows: list[dict[str, Any]], quirks: Quirks) -> Reply:
    if quirks.play("no_paging") is not None:
        return replies.success(rows if key is None else {key: rows})
    if key is None:
        return replies.success(rows, paging=page.paging())
    if quirks.play("paging_inside_data") is not None:
        return replies.success({key: rows, "paging": page.paging()})
    return replies.success({key: rows}, paging=page.paging())


def _refuse_unplayed(asked: Asked, **unplayed: Any) -> None:
    for name, value in unplayed.items():
        if asked.query.get(name) == value:
            raise NotPlayedError(f"{name}={value}")


def _no_active_session(asked: Asked) -> Reply:
    message = f"No active session found for meeting_id {asked.path['meeting_id']}"
    return replies.failure(404, message)


def _no_session(asked: Asked) -> Reply:
    # Nothing but 200 is declared; 404 in the service's shape of errors is the nearest guess.
    return replies.failure(404, f"No session found with id {asked.path['session_id']}")


def _no_meeting(asked: Asked) -> Reply:
    # As above: only 500 is declared besides 200.
    return replies.failure(404, f"No meeting found with id {asked.path['meeting_id']}")


def _no_user(wanted: str) -> Reply:
    return replies.failure(404, f"No user found with id {wanted}")


def _internal_error() -> Reply:
    return replies.failure(500, "Internal Server Error")
