"""Values to rows and back; pure."""

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

# Each of these fields is a column with that key, and of the same type.
_OF_KICK = tuple(one.name for one in fields(Kick) if one.name not in {"meeting", "targets"})
_OF_TARGET = tuple(one.name for one in fields(Target))
_OF_EVENT = tuple(one.name for one in fields(Event))
_OF_NOTICE = tuple(one.name for one in fields(OutboxMessage))


def kick_row(kick: Kick) -> dict[str, Any]:
    """Write a kick and when it is due; not its targets, nor its number: the database gives that."""
    row = {name: getattr(kick, name) for name in _OF_KICK if name != "number"}
    meeting = {"meeting_id": kick.meeting.id, "meeting_title": kick.meeting.title}
    return row | meeting | {"due_at": kick.due_at}


def target_rows(kick: Kick) -> list[dict[str, Any]]:
    """Write the targets of a kick, in their order."""
    return [
        {"kick_id": kick.id, "position": position} | asdict(target)
        for position, target in enumerate(kick.targets)
    ]


def kicks_from(rows: Iterable[Row]) -> list[Kick]:
    """Read kicks, each from its rows side by side: one per target, or one without."""
    return [_kick(list(group)) for _, group in groupby(rows, key=itemgetter("number"))]


def _kick(rows: Sequence[Row]) -> Kick:
    row = rows[0]
    values = {name: row[name] for name in _OF_KICK}
    values |= {
        "meeting": Meeting(row["meeting_id"], row["meeting_title"]),
        "targets": tuple(_target(one) for one in rows if one["position"] is not None),
        "state": State(row["state"]),
    }
    return Kick(**values)


def _target(row: Row) -> Target:
    values = {name: row[name] for name in _OF_TARGET}
    values |= {
        "peers": tuple(
            SeenPeer(one["peer_id"], parse_iso(one["joined_at"])) for one in row["peers"]
        ),
        "outcome": row["outcome"] and Outcome(row["outcome"]),
        "outcome_reason": row["outcome_reason"] and OutcomeReason(row["outcome_reason"]),
    }
    return Target(**values)


def event_row(event: Event, kick: Kick | None = None) -> dict[str, Any]:
    """Write an event; one that came with a kick belongs to it, whatever it says itself."""
    row = asdict(event)
    if kick:
        row |= {"kick_id": kick.id, "team_id": kick.team_id, "app_id": kick.app_id}
    return row


def event_from(row: Row) -> Event:
    """Read an event."""
    values = {name: row[name] for name in _OF_EVENT}
    return Event(**values | {"kind": EventKind(row["kind"])})


def message_row(notice: OutboxMessage) -> dict[str, Any]:
    """Write a notice."""
    return asdict(notice)


def message_from(row: Row) -> OutboxMessage:
    """Read a notice."""
    values = {name: row[name] for name in _OF_NOTICE}
    return OutboxMessage(**values | {"kind": MessageKind(row["kind"])})


def draft_row(draft: Draft) -> dict[str, Any]:
    """Write a draft. It is short-lived, and is only read as a whole."""
    body = _renamed(asdict(draft), _DRAFT_NAMES)
    body["targets"] = [_renamed(one, _TARGET_NAMES) for one in body["targets"]]
    return {"id": draft.id, "created_at": draft.created_at, "body": body}


def draft_from(row: Row) -> Draft:
    """Read a draft."""
    body = _renamed(row["body"], _inverse(_DRAFT_NAMES))
    stored = (_renamed(one, _inverse(_TARGET_NAMES)) for one in body["targets"])
    chosen = (
        one | {name: parse_iso(one[name]) for name in ("called_at", "rejoined_at")}
        for one in stored
    )
    values = body | {
        "created_at": row["created_at"],
        "meeting": Meeting(**body["meeting"]),
        "targets": tuple(map(_target, chosen)),
    }
    return Draft(**values)


# A draft is JSON. Its stored names are those of the columns, so that older drafts stay readable.
_DRAFT_NAMES = {"needs_approval": "asks"}
_TARGET_NAMES = {column.key: column.name for column in targets.c}


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}
