"""Values of the core as rows of the tables, and back. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from operator import itemgetter
from typing import Any

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import Kick, State
from bot.core.outbox_message import MessageKind, OutboxMessage
from bot.core.roster import Meeting
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from bot.store.schema import parse_iso, targets

Row = Mapping[Any, Any]

# For each of these fields there is a column with the same key and type.
_KICK_FIELDS = tuple(one.name for one in fields(Kick) if one.name not in {"meeting", "targets"})
_TARGET_FIELDS = tuple(one.name for one in fields(Target))
_EVENT_FIELDS = tuple(one.name for one in fields(Event))
_MESSAGE_FIELDS = tuple(one.name for one in fields(OutboxMessage))

# A draft is stored as JSON. Its names are those of the columns, so that older drafts stay
# readable.
_TARGET_COLUMNS = tuple(column for column in targets.c if column.key in _TARGET_FIELDS)


def kick_row(kick: Kick) -> dict[str, Any]:
    """Return the row of a kick, without its number: the database assigns it."""
    row = {name: getattr(kick, name) for name in _KICK_FIELDS if name != "number"}
    meeting = {"meeting_id": kick.meeting.id, "meeting_title": kick.meeting.title}
    return row | meeting | {"due_at": kick.due_at}


def target_rows(kick: Kick) -> list[dict[str, Any]]:
    """Return the rows of a kick's targets, in their order."""
    return [
        {"kick_id": kick.id, "position": position} | asdict(target)
        for position, target in enumerate(kick.targets)
    ]


def kicks_from(rows: Iterable[Row]) -> list[Kick]:
    """Return the kicks of these rows: one row for each target, or one for a kick without any.

    The rows of one kick must be adjacent.
    """
    return [_kick(list(group)) for _, group in groupby(rows, key=itemgetter("number"))]


def _kick(rows: Sequence[Row]) -> Kick:
    row = rows[0]
    values = {name: row[name] for name in _KICK_FIELDS}
    values |= {
        "meeting": Meeting(row["meeting_id"], row["meeting_title"]),
        "targets": tuple(_target(one) for one in rows if one["position"] is not None),
        "state": State(row["state"]),
    }
    return Kick(**values)


def _target(row: Row) -> Target:
    values = {name: row[name] for name in _TARGET_FIELDS}
    values |= {
        "peers": tuple(
            SeenPeer(one["peer_id"], parse_iso(one["joined_at"])) for one in row["peers"]
        ),
        "outcome": row["outcome"] and Outcome(row["outcome"]),
        "outcome_reason": row["outcome_reason"] and OutcomeReason(row["outcome_reason"]),
    }
    return Target(**values)


def event_row(event: Event, kick: Kick) -> dict[str, Any]:
    """Return the row of an event, with the ids of its kick."""
    ids = {"kick_id": kick.id, "team_id": kick.team_id, "app_id": kick.app_id}
    return asdict(event) | ids


def event_from(row: Row) -> Event:
    """Return the event of a row."""
    values = {name: row[name] for name in _EVENT_FIELDS}
    return Event(**values | {"kind": EventKind(row["kind"])})


def message_from(row: Row) -> OutboxMessage:
    """Return the message of a row."""
    values = {name: row[name] for name in _MESSAGE_FIELDS}
    return OutboxMessage(**values | {"kind": MessageKind(row["kind"])})


def draft_row(draft: Draft) -> dict[str, Any]:
    """Return the row of a draft: its id, its date, and the whole draft as plain data."""
    body = asdict(draft)
    body["asks"] = body.pop("needs_approval")
    body["targets"] = [
        {column.name: target[column.key] for column in _TARGET_COLUMNS}
        for target in body["targets"]
    ]
    return {"id": draft.id, "created_at": draft.created_at, "body": body}


def draft_from(row: Row) -> Draft:
    """Return the draft of a row."""
    body = dict(row["body"])
    stored = ({one.key: target[one.name] for one in _TARGET_COLUMNS} for target in body["targets"])
    rows = (
        target | {name: parse_iso(target[name]) for name in ("called_at", "rejoined_at")}
        for target in stored
    )
    values = {
        "created_at": row["created_at"],
        "meeting": Meeting(**body["meeting"]),
        "targets": tuple(map(_target, rows)),
        "needs_approval": body.pop("asks"),
    }
    return Draft(**body | values)
