"""Values to rows and back; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from operator import itemgetter
from typing import Any

from bot.core.kick import Draft, Event, Kick, Outcome, Seen, State, Target, What, Why
from bot.core.notice import Kind, Notice
from bot.core.roster import Meeting
from bot.store.schema import moment

Row = Mapping[Any, Any]

# These fields are columns of the same name, and of the same type.
_OF_KICK = tuple(one.name for one in fields(Kick) if one.name not in {"meeting", "targets"})
_OF_TARGET = tuple(one.name for one in fields(Target))
_OF_EVENT = tuple(one.name for one in fields(Event))
_OF_NOTICE = tuple(one.name for one in fields(Notice))


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
        "peers": tuple(Seen(one["peer_id"], moment(one["joined_at"])) for one in row["peers"]),
        "outcome": row["outcome"] and Outcome(row["outcome"]),
        "why": row["why"] and Why(row["why"]),
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
    return Event(**values | {"what": What(row["what"])})


def notice_row(notice: Notice) -> dict[str, Any]:
    """Write a notice."""
    return asdict(notice)


def notice_from(row: Row) -> Notice:
    """Read a notice."""
    values = {name: row[name] for name in _OF_NOTICE}
    return Notice(**values | {"kind": Kind(row["kind"])})


def draft_row(draft: Draft) -> dict[str, Any]:
    """Write a draft: short-lived, and only ever read as a whole."""
    return {"id": draft.id, "created_at": draft.created_at, "body": asdict(draft)}


def draft_from(row: Row) -> Draft:
    """Read a draft."""
    body = row["body"]
    targets = (
        one | {"called_at": moment(one["called_at"]), "back_at": moment(one["back_at"])}
        for one in body["targets"]
    )
    values = body | {
        "created_at": row["created_at"],
        "meeting": Meeting(**body["meeting"]),
        "targets": tuple(map(_target, targets)),
    }
    return Draft(**values)
