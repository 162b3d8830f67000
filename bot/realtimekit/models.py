"""RealtimeKit's replies as pydantic models, and how they become the core's values. No I/O.

The models are lenient where the service is sloppy. Fields may be absent or null, dates may be
`"null"` or end in a stray quote, and the length of a list may stand in two places or nowhere.
They are strict where a guess could be wrong: a reply of another shape, or a `left_at` that is not
a date, raises OutcomeUnknown.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

from pydantic import (
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

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
from bot.realtimekit.errors import error_message, parse_json
from bot.realtimekit.fields import MAX_NAME, Count, Date, cut_custom_id, cut_preset, parse_left_at
from bot.realtimekit.paging import Page

logger = logging.getLogger(__name__)

Data = TypeVar("Data")
Parsed = TypeVar("Parsed", bound=BaseModel)


class Model(BaseModel):
    """A part of a reply. Its errors do not quote the input, which may be a person's name."""

    model_config = ConfigDict(hide_input_in_errors=True)


class MeetingRow(Model):
    """A meeting."""

    id: MeetingId
    title: str | None = None

    def to_meeting(self) -> Meeting:
        """Return the meeting. If it has no title, its id is the title."""
        return Meeting(self.id, (self.title or self.id)[:MAX_NAME])


class SessionRow(Model):
    """A session. `associated_id` is the id of its meeting."""

    id: SessionId | None = None
    associated_id: MeetingId | None = None
    meeting_display_name: str | None = None
    status: str | None = None
    live_participants: Count = None
    ended_at: Date = None

    @property
    def is_live(self) -> bool:
        """Whether neither the status nor a date says that the session has ended."""
        return self.status in {"LIVE", None} and self.ended_at is None

    def to_session(self) -> Session | None:
        """Return the session, or None if an id is missing."""
        if not (self.id and self.associated_id):
            return None
        title = (self.meeting_display_name or self.associated_id)[:MAX_NAME]
        return Session(self.id, Meeting(self.associated_id, title), self.live_participants)


class PeerRow(Model):
    """A connection. `id` is a peer id, and `user_id` is the id of its participant.

    A row without ids counts, too: if it were dropped, a participant could seem to have left.
    """

    id: PeerId | None = None
    user_id: ParticipantId | None = None
    custom_participant_id: CustomId | None = None
    display_name: str | None = None
    preset_name: str | None = None
    joined_at: Date = None
    left_at: Any = None


class RecordRow(Model):
    """The record of a participant in a meeting."""

    id: ParticipantId
    name: str | None = None
    custom_participant_id: CustomId | None = None
    preset_name: str | None = None

    def to_participant(self) -> Participant:
        """Return the participant, without peers."""
        name, preset = (self.name or "")[:MAX_NAME], cut_preset(self.preset_name)
        return Participant(self.id, cut_custom_id(self.custom_participant_id), name, preset)


class PresetRow(Model):
    """A preset of the app."""

    name: str | None = None


class KickedRow(Model):
    """A kicked participant. Whether `id` is a participant id or a peer id is not documented."""

    id: str | None = None


class Sessions(Model):
    """The data of a page of sessions."""

    sessions: list[SessionRow]


class Peers(Model):
    """The data of a page of connections."""

    participants: list[PeerRow]


class Kicked(Model):
    """The data of the reply to a kick."""

    participants: list[KickedRow] | None = None


class Reply(Model, Generic[Data]):
    """The reply to a call that succeeded. Absent `data` counts as null."""

    success: Literal[True]
    data: Data = Field(None, validate_default=True)
    outer_total: Count = Field(None, validation_alias=AliasPath("paging", "total_count"))
    inner_total: Count = Field(None, validation_alias=AliasPath("data", "paging", "total_count"))

    @property
    def total(self) -> int | None:
        """How many rows the whole list has, if the reply says so."""
        return self.inner_total if self.outer_total is None else self.outer_total


def parse_meeting(body: bytes) -> Meeting:
    """Return a meeting."""
    return _parse(Reply[MeetingRow], body).data.to_meeting()


def parse_meetings(body: bytes) -> Page[Meeting]:
    """Return a page of meetings."""
    reply = _parse(Reply[list[MeetingRow]], body)
    return Page([row.to_meeting() for row in reply.data], len(reply.data), reply.total)


def parse_sessions(body: bytes) -> Page[Session]:
    """Return a page of sessions. Its rows are those that are live and have both ids.

    The other sessions cannot be kicked from. Their meetings can still be found by title.
    """
    reply = _parse(Reply[Sessions], body)
    live = [row.to_session() for row in reply.data.sessions if row.is_live]
    rows = [session for session in live if session]
    return Page(rows, len(reply.data.sessions), reply.total)


def parse_active_session(body: bytes, meeting: MeetingId) -> Session | None:
    """Return the active session of a meeting, or None if it is over.

    Raises OutcomeUnknown for a session without an id and for one of another meeting: None would
    wrongly say that the meeting is empty.
    """
    row = _parse(Reply[SessionRow], body).data
    if row.associated_id not in {meeting, None}:
        raise OutcomeUnknown("a broken reply: the session of another meeting")
    if not row.is_live:
        return None
    row.associated_id = meeting
    session = row.to_session()
    if session is None:
        raise OutcomeUnknown("a broken reply: a session without an id")
    return session


def parse_peers(body: bytes) -> Page[Peer]:
    """Return a page of the connections of a session. Some of them may have left.

    Raises OutcomeUnknown if a `left_at` is neither empty nor a date.
    """
    reply = _parse(Reply[Peers], body)
    rows = [
        Peer(
            row.id or PeerId(""),
            row.user_id or None,
            cut_custom_id(row.custom_participant_id),
            (row.display_name or "")[:MAX_NAME],
            cut_preset(row.preset_name),
            row.joined_at,
            parse_left_at(row.left_at),
        )
        for row in reply.data.participants
    ]
    return Page(rows, len(rows), reply.total)


def parse_records(body: bytes) -> Page[Participant]:
    """Return a page of the participant records of a meeting, without peers."""
    reply = _parse(Reply[list[RecordRow]], body)
    rows = [row.to_participant() for row in reply.data]
    return Page(rows, len(rows), reply.total)


def parse_record(body: bytes, participant: ParticipantId) -> Participant:
    """Return a participant record, without peers. Raises OutcomeUnknown for one of another id."""
    record = _parse(Reply[RecordRow], body).data
    if record.id.casefold() != participant.casefold():
        raise OutcomeUnknown("a broken reply: the record of another participant")
    return record.to_participant()


def parse_presets(body: bytes) -> Page[str]:
    """Return a page of the names of the app's presets."""
    reply = _parse(Reply[list[PresetRow]], body)
    return Page([row.name for row in reply.data if row.name], len(reply.data), reply.total)


def parse_kicked(body: bytes) -> Sequence[str]:
    """Return the ids that the reply to a kick names, possibly none."""
    data = _parse(Reply[Kicked | None], body).data
    rows = data.participants if data and data.participants else []
    return [row.id for row in rows if row.id]


def _parse(model: type[Parsed], body: bytes) -> Parsed:
    try:
        return _validated(model, body)
    except (ValueError, RecursionError) as error:
        logger.warning("a reply of RealtimeKit can't be read: %s", display(str(error), 200))
        reason = error_message(parse_json(body))
        raise OutcomeUnknown(f"a broken reply: {reason}" if reason else "a broken reply") from error


def _validated(model: type[Parsed], body: bytes) -> Parsed:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.errors()[0]["type"] != "json_invalid":
            raise
    # Half a surrogate pair in one name makes pydantic reject the whole page.
    mended = json.dumps(json.loads(body.decode(errors="replace")), ensure_ascii=False)
    return model.model_validate_json(mended.encode(errors="replace"))
