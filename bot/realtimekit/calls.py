"""RealtimeKit's operations as values: the request, and how its reply is read. No I/O."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from bot.core.ports import Refused
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
from bot.realtimekit import replies
from bot.realtimekit.replies import Page

T = TypeVar("T")

PER_PAGE: Final = 200
"""The most that the rows of a session allow; for other lists no limit is documented."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call: `path` is relative to the app, `read` makes sense of a reply's body."""

    path: str
    read: Callable[[bytes], T]
    method: str = "GET"
    body: bytes | None = None

    @property
    def is_read(self) -> bool:
        """Tell whether it changes nothing."""
        return self.method == "GET"


def live_sessions(search: str, page_no: int) -> Call[Page[Session]]:
    """List live sessions, newest first.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_sessions
    """
    newest_first = {"status": "LIVE", "sort_by": "createdAt", "sort_order": "DESC"}
    return Call(f"/sessions?{_query(search, page_no, newest_first)}", replies.live_sessions)


def meetings(search: str, page_no: int) -> Call[Page[Meeting]]:
    """List meetings.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get
    """
    return Call(f"/meetings?{_query(search, page_no)}", replies.meetings)


def meeting(meeting_id: MeetingId) -> Call[Meeting]:
    """Read a meeting.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_by_id
    """
    return Call(f"/meetings/{segment(meeting_id)}", replies.meeting)


def active_session(meeting_id: MeetingId) -> Call[Session | None]:
    """Read a meeting's active session.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/active-session/methods/get_active_session
    """
    read = partial(replies.active_session, of=meeting_id)
    return Call(f"/meetings/{segment(meeting_id)}/active-session", read)


def participants(session_id: SessionId, search: str, page_no: int) -> Call[Page[Peer]]:
    """List a session's rows, newest first.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_session_participants
    """
    newest_first = {"sort_by": "joinedAt", "sort_order": "DESC"}
    query = _query(search, page_no, newest_first)
    return Call(f"/sessions/{segment(session_id)}/participants?{query}", replies.peers)


def records(meeting_id: MeetingId, page_no: int) -> Call[Page[Participant]]:
    """List a meeting's participant records; this operation has no search.

    https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_participants
    """
    query = _query("", page_no)
    return Call(f"/meetings/{segment(meeting_id)}/participants?{query}", replies.records)


def kick(
    meeting_id: MeetingId,
    participant_ids: Sequence[ParticipantId],
    custom_participant_ids: Sequence[CustomId],
) -> Call[Sequence[str]]:
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
    return Call(path, replies.kicked, "POST", json.dumps(given).encode())


def segment(text: str) -> str:
    """Write an id as one segment of a path.

    Raises Refused for one that would lead elsewhere: dots stay dots however they are encoded.
    """
    if text in {"", ".", ".."}:
        raise Refused(f"{text!r} is no id")
    return quote(text, safe="", errors="replace")


def _query(search: str, page_no: int, more: dict[str, str] | None = None) -> str:
    wanted = {"search": search} if search else {}
    pages = {"page_no": str(page_no), "per_page": str(PER_PAGE)}
    return urlencode({**pages, **wanted, **(more or {})}, errors="replace")
