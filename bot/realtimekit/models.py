"""The shapes of RealtimeKit's replies: only the fields in use, read as leniently as they are sent.

Where the published schema lets a field be absent, it may be absent here, except for `success`.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)


def _or_none(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


Count = Annotated[NonNegativeInt | None, WrapValidator(_or_none)]


class Shape(BaseModel):
    """A part of a reply. Its errors don't quote what they found: it may be a person's name."""

    model_config = ConfigDict(hide_input_in_errors=True)


class Paging(Shape):
    """How long a list is."""

    total_count: Count = None


MaybePaging = Annotated[Paging | None, WrapValidator(_or_none)]


class Reply(Shape):
    """What all replies to calls that succeeded have in common."""

    success: Literal[True]
    paging: MaybePaging = None


class MeetingRow(Shape):
    """A meeting."""

    id: str
    title: str | None = None


class SessionRow(Shape):
    """A session; `associated_id` is its meeting's."""

    id: str | None = None
    associated_id: str | None = None
    meeting_display_name: str | None = None
    status: str | None = None
    live_participants: Count = None
    ended_at: Any = None


class PeerRow(Shape):
    """A connection; `id` is a peer id, `user_id` a participant id."""

    id: str | None = None
    user_id: str | None = None
    custom_participant_id: str | None = None
    display_name: str | None = None
    preset_name: str | None = None
    joined_at: Any = None
    left_at: Any = None


class RecordRow(Shape):
    """A participant's record in a meeting."""

    id: str
    name: str | None = None
    custom_participant_id: str | None = None
    preset_name: str | None = None


class KickedRow(Shape):
    """Someone who was kicked; whether `id` is a participant's or a peer's is not documented."""

    id: str | None = None


class Sessions(Shape):
    """The data of a list of sessions."""

    sessions: list[SessionRow]
    paging: MaybePaging = None


class Peers(Shape):
    """The data of a list of a session's connections."""

    participants: list[PeerRow]
    paging: MaybePaging = None


class Kicked(Shape):
    """The data of a reply to a kick."""

    participants: list[KickedRow] | None = None


class MeetingReply(Reply):
    """A reply with a meeting."""

    data: MeetingRow


class MeetingsReply(Reply):
    """A reply with a page of meetings."""

    data: list[MeetingRow]


class SessionReply(Reply):
    """A reply with a session."""

    data: SessionRow


class SessionsReply(Reply):
    """A reply with a page of sessions."""

    data: Sessions


class PeersReply(Reply):
    """A reply with a page of connections."""

    data: Peers


class RecordsReply(Reply):
    """A reply with a page of records."""

    data: list[RecordRow]


class KickReply(Reply):
    """A reply to a kick."""

    data: Kicked | None = None
