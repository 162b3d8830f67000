"""The operations of RealtimeKit. Each takes a request that keeps to the contract."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.sandbox.realtimekit.contract import ApiRequest, BadRequestError
from tests.sandbox.realtimekit.faults import RequestFaults
from tests.sandbox.realtimekit.listing import Page, Texts, is_between, select, session_matches
from tests.sandbox.realtimekit.models import Participant, Peer, Session
from tests.sandbox.realtimekit.responses import (
    ApiResponse,
    internal_error,
    no_active_session,
    not_found,
    success,
)
from tests.sandbox.realtimekit.rows import (
    kicked_row,
    meeting_row,
    peer_row,
    preset_row,
    record_row,
    session_row,
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
    "get-presets": "presets",
    "GetActiveSession": "active-session",
    "KickPartcipants": "kick",
}
"""Maps the contract's operation ids, with its spelling, to the names that faults use (`op`)."""


class UnsupportedError(Exception):
    """The contract allows this request, but the stand-in does not support it."""


class Operations:
    """Carries out requests on the world, with the faults that apply."""

    def __init__(self, world: World, app_id: str) -> None:
        self._world = world
        self._app_id = app_id
        self._by_name: Mapping[str, Callable[[ApiRequest, RequestFaults], ApiResponse]] = {
            "sessions": self._sessions,
            "session": self._session,
            "participants": self._participants,
            "meetings": self._meetings,
            "meeting": self._meeting,
            "records": self._records,
            "record": self._record,
            "presets": self._presets,
            "active-session": self._active_session,
            "kick": self._kick,
        }

    def run(self, name: str | None, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        """Carry out an operation. Raises BadRequestError or UnsupportedError."""
        if name is None:
            raise UnsupportedError("the whole operation")
        if request.path["app_id"] != self._app_id:
            # The response to an unknown app is not documented.
            return not_found("app", request.path["app_id"])
        return self._by_name[name](request, faults)

    def _sessions(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        at = faults.list_time(self._world.clock())
        if faults.is_applied("empty_sessions"):
            return _list_response("sessions", Page(), [], faults)
        known = [
            session
            for session in self._world.sessions
            if session.started_at <= at and session_matches(session, request.query, at)
        ]
        keys: dict[str, Callable[[Session], Any]] = {
            "createdAt": lambda session: session.started_at,
            "minutesConsumed": lambda session: (session.ended_at or at) - session.started_at,
        }
        page = select(known, request, faults, _session_texts, keys)
        rows = [session_row(session, at, self._app_id) for session in page.rows]
        return _list_response("sessions", page, rows, faults)

    def _session(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        _refuse_unsupported(request, include_breakout_rooms=True)
        at = faults.list_time(self._world.clock())
        session = self._world.session(request.path["session_id"])
        if session is None or session.started_at > at:
            return not_found("session", request.path["session_id"])
        return success(session_row(session, at, self._app_id))

    def _participants(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        _refuse_unsupported(request, include_peer_events=True, view="consolidated")
        at = faults.list_time(self._world.clock())
        session = self._world.session(request.path["session_id"])
        if session is None or session.started_at > at:
            return not_found("session", request.path["session_id"])
        if faults.is_starting(session.started_at, at):
            return internal_error()
        if faults.is_applied("empty_participants"):
            return _list_response("participants", Page(), [], faults)
        keys: dict[str, Callable[[Peer], Any]] = {
            "joinedAt": lambda peer: peer.joined_at,
            "duration": lambda peer: (peer.left_at or at) - peer.joined_at,
        }
        texts = _texts_without_user_id if faults.is_applied("search_by_peer_id") else _peer_texts
        page = select(session.joined_by(at), request, faults, texts, keys)
        rows = [peer_row(peer, at) for peer in page.rows]
        faults.change_peer_rows(rows)
        return _list_response("participants", page, rows, faults)

    def _meetings(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        status = request.query.get("status")
        known = [
            meeting
            for meeting in self._world.meetings
            if status in {None, "ACTIVE" if meeting.active else "INACTIVE"}
            and is_between(meeting.created_at, request.query)
        ]
        page = select(known, request, faults, lambda meeting: ((meeting.id,), meeting.title))
        return _list_response(None, page, list(map(meeting_row, page.rows)), faults)

    def _meeting(self, request: ApiRequest, _: RequestFaults) -> ApiResponse:
        if "name" in request.query:
            raise UnsupportedError("name, which the contract lists and does not explain")
        meeting = self._world.meeting(request.path["meeting_id"])
        if meeting is None:
            return not_found("meeting", request.path["meeting_id"])
        return success(meeting_row(meeting))

    def _records(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        meeting = self._world.meeting(request.path["meeting_id"])
        if meeting is None:
            return not_found("meeting", request.path["meeting_id"])
        # The contract has no search here.
        page = select(self._world.records(meeting), request, faults, lambda _: ((), None))
        return _list_response(None, page, list(map(record_row, page.rows)), faults)

    def _record(self, request: ApiRequest, _: RequestFaults) -> ApiResponse:
        record = self._world.participant(request.path["participant_id"])
        if record is None or record.meeting.id != request.path["meeting_id"]:
            return not_found("user", request.path["participant_id"])
        return success(record_row(record))

    def _presets(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        page = select(self._world.presets, request, faults, lambda one: ((one.id,), one.name))
        return _list_response(None, page, list(map(preset_row, page.rows)), faults)

    def _active_session(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        at = faults.list_time(self._world.clock())
        session = self._live_session(request)
        if session is None or session.started_at > at:
            return no_active_session(request.path["meeting_id"])
        if faults.is_starting(session.started_at, at):
            return internal_error()
        return success(session_row(session, at, self._app_id))

    def _kick(self, request: ApiRequest, faults: RequestFaults) -> ApiResponse:
        session = self._live_session(request)
        if session is None:
            return no_active_session(request.path["meeting_id"])
        if faults.is_starting(session.started_at, self._world.clock()):
            return internal_error()
        found, missing = _find_present(session, request.body)
        if missing and not (found and faults.is_applied("partial")):
            # The response to several ids, some of them unknown, is not documented.
            return not_found("user", missing[0])
        has_peer_ids = faults.is_applied("kick_answers_peer_ids")
        rows = []
        for effect in filter(None, map(self._world.kick, found)):
            items = effect.peers if has_peer_ids else [effect.participant]
            rows += [kicked_row(effect.participant, item.id) for item in items]
        return success({"action": "kick", "participants": rows})

    def _live_session(self, request: ApiRequest) -> Session | None:
        meeting = self._world.meeting(request.path["meeting_id"])
        return self._world.live_session(meeting) if meeting else None


def _find_present(session: Session, body: Mapping[str, Any]) -> tuple[list[Participant], list[str]]:
    """Return the participants that the ids of a kick name, each once, and the ids not found."""
    found: dict[str, Participant] = {}
    missing: list[str] = []
    present = [peers[0].participant for peers in session.present.values()]
    for field, attribute in (("participant_ids", "id"), ("custom_participant_ids", "custom_id")):
        ids: list[str] = body.get(field, [])
        if len(set(ids)) < len(ids):
            # The response to an id given twice is not documented.
            raise BadRequestError(f'"{field}" contains a duplicate value')
        for wanted in ids:
            matching = [person for person in present if getattr(person, attribute) == wanted]
            found.update({person.id: person for person in matching})
            if not matching:
                missing.append(wanted)
    return list(found.values()), missing


def _session_texts(session: Session) -> Texts:
    return (session.id, session.meeting.id), session.meeting.title


def _peer_texts(peer: Peer) -> Texts:
    participant = peer.participant
    return (peer.id, participant.id, participant.custom_id), participant.name


def _texts_without_user_id(peer: Peer) -> Texts:
    return (peer.id, peer.participant.custom_id), peer.participant.name


def _list_response(
    key: str | None, page: Page, rows: list[dict[str, Any]], faults: RequestFaults
) -> ApiResponse:
    """Return a list. Without a key the rows are `data` itself."""
    if faults.is_applied("no_paging"):
        return success(rows if key is None else {key: rows})
    if key is None:
        return success(rows, paging=page.paging())
    if faults.is_applied("paging_inside_data"):
        return success({key: rows, "paging": page.paging()})
    return success({key: rows}, paging=page.paging())


def _refuse_unsupported(request: ApiRequest, **unsupported: Any) -> None:
    for name, value in unsupported.items():
        if request.query.get(name) == value:
            raise UnsupportedError(f"{name}={value}")
