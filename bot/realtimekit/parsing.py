"""How RealtimeKit's replies are read. No I/O.

Leniently where the service is sloppy: fields may be absent or null, dates may be `"null"` or end
in a stray quote, paging may stand in two places or nowhere. Strictly where a guess would lie: a
reply of another shape, and a `left_at` that can't be read, are broken replies: they raise
OutcomeUnknown.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from bot.core.ports import OutcomeUnknown
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    PeerId,
    Session,
    SessionId,
)
from bot.core.text import display
from bot.realtimekit import models
from bot.realtimekit.errors import error_message, parse_json

logger = logging.getLogger(__name__)

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list: its rows of use, how many it had, and how many the whole list has.

    `total` is None if the reply does not say.
    """

    rows: Sequence[T]
    size: int
    total: int | None


def meeting(body: bytes) -> Meeting:
    """Read a meeting."""
    return _meeting(_parse(models.MeetingReply, body).data)


def meetings(body: bytes) -> Page[Meeting]:
    """Read a page of meetings."""
    reply = _parse(models.MeetingsReply, body)
    return Page([_meeting(row) for row in reply.data], len(reply.data), _total(reply.paging))


def live_sessions(body: bytes) -> Page[Session]:
    """Read a page of sessions; of use are those that are live, and have ids.

    Without its own or its meeting's id nobody can be kicked from a session; its meeting can
    still be found by title.
    """
    reply = _parse(models.SessionsReply, body)
    sessions = (_session(row) for row in reply.data.sessions if _is_live(row))
    rows = [session for session in sessions if session]
    return Page(rows, len(reply.data.sessions), _total(reply.paging, reply.data.paging))


def active_session(body: bytes, of: MeetingId) -> Session | None:
    """Read the active session of a meeting; None if it is over by now.

    One without an id, or of another meeting, is a broken reply: None would say that nobody is in.
    """
    row = _parse(models.SessionReply, body).data
    if row.associated_id not in {of, None}:
        raise OutcomeUnknown("a broken reply: the session of another meeting")
    if not _is_live(row):
        return None
    session = _session(row.model_copy(update={"associated_id": of}))
    if session is None:
        raise OutcomeUnknown("a broken reply: a session without an id")
    return session


def peers(body: bytes) -> Page[Peer]:
    """Read a page of a session's rows: each is one connection, live or not."""
    reply = _parse(models.PeersReply, body)
    rows = [_peer(row) for row in reply.data.participants]
    return Page(rows, len(rows), _total(reply.paging, reply.data.paging))


def records(body: bytes) -> Page[Participant]:
    """Read a page of a meeting's participant records."""
    reply = _parse(models.RecordsReply, body)
    return Page([_record(row) for row in reply.data], len(reply.data), _total(reply.paging))


def kicked(body: bytes) -> Sequence[str]:
    """Read whom the reply to a kick names, possibly nobody: all but `success` is optional in it."""
    data = _parse(models.KickReply, body).data
    rows = data.participants if data and data.participants else []
    return [row.id for row in rows if row.id]


def _parse(model: type[Model], body: bytes) -> Model:
    try:
        return _validated(model, body)
    except (ValueError, RecursionError) as error:
        logger.warning("a reply of RealtimeKit can't be read: %s", display(_first(error), 200))
        said = error_message(parse_json(body))
        raise OutcomeUnknown(f"a broken reply: {said}" if said else "a broken reply") from error


def _validated(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.errors()[0]["type"] != "json_invalid":
            raise
    # Half a surrogate pair in one person's name makes pydantic refuse the whole page.
    mended = json.dumps(json.loads(body.decode(errors="replace")), ensure_ascii=False)
    return model.model_validate_json(mended.encode(errors="replace"))


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _total(*pagings: models.Paging | None) -> int | None:
    totals = (paging.total_count for paging in pagings if paging)
    return next((total for total in totals if total is not None), None)


def _meeting(row: models.MeetingRow) -> Meeting:
    return Meeting(MeetingId(row.id), row.title or row.id)


def _session(row: models.SessionRow) -> Session | None:
    if not (row.id and row.associated_id):
        return None
    title = row.meeting_display_name or row.associated_id
    meeting = Meeting(MeetingId(row.associated_id), title)
    return Session(SessionId(row.id), meeting, row.live_participants)


def _is_live(row: models.SessionRow) -> bool:
    return row.status in {"LIVE", None} and _date(row.ended_at) is None


def _peer(row: models.PeerRow) -> Peer:
    left_at = _date(row.left_at)
    if left_at is None and not _is_blank(row.left_at):
        raise OutcomeUnknown("a broken reply: a left_at that is no date")
    return Peer(
        # Every field may be absent. Without this row someone who is in might look gone.
        PeerId(row.id or ""),
        ParticipantId(row.user_id) if row.user_id else None,
        CustomId(row.custom_participant_id) if row.custom_participant_id else None,
        row.display_name or "",
        row.preset_name,
        _date(row.joined_at),
        left_at,
    )


def _record(row: models.RecordRow) -> Participant:
    custom_id = CustomId(row.custom_participant_id) if row.custom_participant_id else None
    return Participant(ParticipantId(row.id), custom_id, row.name or "", row.preset_name)


def _date(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value.strip('" '))
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip('" ') in {"", "null"})
