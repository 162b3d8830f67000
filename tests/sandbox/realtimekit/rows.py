"""The JSON rows of RealtimeKit's responses, as of a given time."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from tests.sandbox.realtimekit.models import Meeting, Participant, Peer, Preset, Session


def iso(time: datetime) -> str:
    """Format a time as the service does: UTC, with milliseconds and Z."""
    text = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def http_date(time: datetime) -> str:
    """Format a time as the `Date` header does: in whole seconds."""
    return format_datetime(time.astimezone(UTC), usegmt=True)


def meeting_row(meeting: Meeting) -> dict[str, Any]:
    """Return the row of a meeting."""
    return {
        "id": meeting.id,
        "title": meeting.title,
        "status": "ACTIVE" if meeting.active else "INACTIVE",
        "created_at": iso(meeting.created_at),
        "updated_at": iso(meeting.created_at),
        "record_on_start": False,
        "live_stream_on_start": False,
        "persist_chat": False,
        "summarize_on_end": False,
        "session_keep_alive_time_in_secs": 60,
    }


def preset_row(preset: Preset) -> dict[str, Any]:
    """Return the row of a preset in the list, which has no permissions."""
    date = iso(preset.created_at)
    return {"id": preset.id, "name": preset.name, "created_at": date, "updated_at": date}


def record_row(participant: Participant) -> dict[str, Any]:
    """Return the row of a participant's record. Here the name may be null."""
    return {
        "id": participant.id,
        "name": participant.name,
        "picture": None,
        "custom_participant_id": participant.custom_id,
        "preset_name": participant.preset,
        "created_at": iso(participant.created_at),
        "updated_at": iso(participant.updated_at),
    }


def session_row(session: Session, at: datetime, app_id: str) -> dict[str, Any]:
    """Return the row of a session. `ended_at` is absent while it is live."""
    live = session.is_live(at)
    until = at if live else session.ended_at or at
    row = {
        "id": session.id,
        "associated_id": session.meeting.id,
        "meeting_display_name": session.meeting.title,
        "type": "meeting",
        "status": "LIVE" if live else "ENDED",
        "live_participants": session.live_participants(at) if live else 0,
        "max_concurrent_participants": session.peak,
        "minutes_consumed": _minutes(session.started_at, until),
        "organization_id": app_id,
        "started_at": iso(session.started_at),
        "created_at": iso(session.started_at),
        "updated_at": iso(until),
    }
    return row if live else {**row, "ended_at": iso(until)}


def peer_row(peer: Peer, at: datetime) -> dict[str, Any]:
    """Return the row of a connection: `id` is the peer id, `user_id` the participant id.

    `left_at` is absent while connected. Its value is then not documented.
    """
    participant = peer.participant
    row = {
        "id": peer.id,
        "user_id": participant.id,
        "custom_participant_id": participant.custom_id,
        "preset_name": participant.preset,
        "joined_at": iso(peer.joined_at),
        "duration": _minutes(peer.joined_at, at if peer.is_connected(at) else peer.left_at or at),
        "created_at": iso(peer.joined_at),
        "updated_at": iso(peer.joined_at),
    }
    if participant.name is not None:
        row["display_name"] = participant.name
    if peer.left_at is not None and peer.left_at <= at:
        row["left_at"] = row["updated_at"] = iso(peer.left_at)
    return row


def kicked_row(participant: Participant, item_id: str) -> dict[str, Any]:
    """Return an item of a kick's response. The contract leaves open whose id `item_id` is."""
    row = {
        "id": item_id,
        "created_at": iso(participant.created_at),
        "updated_at": iso(participant.updated_at),
    }
    return row if participant.name is None else {**row, "name": participant.name}


def _minutes(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() / 60, 3)
