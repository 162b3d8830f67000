"""RealtimeKit's operations as values: the request, and how its reply is read. No I/O."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from bot.core.ports import Rejected
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    Session,
    SessionId,
)
from bot.realtimekit import parsing
from bot.realtimekit.parsing import Page

T = TypeVar("T")

PER_PAGE: Final = 200
"""The most that the rows of a session allow; for other lists no limit is documented."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call: `path` is relative to the app, `read` makes sense of a reply's body."""

    path: str
    read: Callable[[bytes], T]
    method: str = "GET"
    body: bytes | None = None

    @property
    def is_read(self) -> bool:
        """Tell whether it changes nothing."""
        return self.method == "GET"


def live_sessions(search: str, page_no: int) -> Request[Page[Session]]:
    """List live sessions, newest first.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_sessions
    """
    newest_first = {"status": "LIVE", "sort_by": "createdAt", "sort_order": "DESC"}
    return Request(f"/sessions?{_query(search, page_no, newest_first)}", parsing.live_sessions)


def meetings(search: str, page_no: int) -> Request[Page[Meeting]]:
    """List meetings.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get
    """
    return Request(f"/meetings?{_query(search, page_no)}", parsing.meetings)


def meeting(meeting_id: MeetingId) -> Request[Meeting]:
    """Read a meeting.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_by_id
    """
    return Request(f"/meetings/{segment(meeting_id)}", parsing.meeting)


def active_session(meeting_id: MeetingId) -> Request[Session | None]:
    """Read a meeting's active session.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/active-session/methods/get_active_session
    """
    read = partial(parsing.active_session, of=meeting_id)
    return Request(f"/meetings/{segment(meeting_id)}/active-session", read)


def participants(session_id: SessionId, search: str, page_no: int) -> Request[Page[Peer]]:
    """List a session's rows, newest first.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_session_participants
    """
    newest_first = {"sort_by": "joinedAt", "sort_order": "DESC"}
    query = _query(search, page_no, newest_first)
    return Request(f"/sessions/{segment(session_id)}/participants?{query}", parsing.peers)


def records(meeting_id: MeetingId, page_no: int) -> Request[Page[Participant]]:
    """List a meeting's participant records; this operation has no search.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_participants
    """
    query = _query("", page_no)
    return Request(f"/meetings/{segment(meeting_id)}/participants?{query}", parsing.records)


def kick(
    meeting_id: MeetingId,
    participant_ids: Sequence[ParticipantId],
    custom_participant_ids: Sequence[CustomId],
) -> Request[Sequence[str]]:
    """Kick. An empty list is refused by the service, so only a list with ids is sent.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/active-session/methods/kick_participants
    """
    lists = {
        "participant_ids": list(dict.fromkeys(participant_ids)),
        "custom_participant_ids": list(dict.fromkeys(custom_participant_ids)),
    }
    given = {name: ids for name, ids in lists.items() if ids}
    if not given:
        raise ValueError("nobody to kick")
    path = f"/meetings/{segment(meeting_id)}/active-session/kick"
    return Request(path, parsing.kicked, "POST", json.dumps(given).encode())


def segment(text: str) -> str:
    """Write an id as one segment of a path.

    Raises Refused for one that would lead elsewhere: dots stay dots however they are encoded.
    """
    if text in {"", ".", ".."}:
        raise Rejected(f"{text!r} is no id")
    return quote(text, safe="", errors="replace")


def _query(search: str, page_no: int, more: dict[str, str] | None = None) -> str:
    wanted = {"search": search} if search else {}
    pages = {"page_no": str(page_no), "per_page": str(PER_PAGE)}
    return urlencode({**pages, **wanted, **(more or {})}, errors="replace")
