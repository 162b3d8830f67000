"""The tables for queries: their columns, and how Python values are stored in them.

Constraints and indexes are only in the migrations.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Dialect, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# PostgreSQL's text accepts neither NUL nor half a surrogate pair, but a display name may contain
# both. They are escaped, not replaced: an id must find the same person again, and a repeated
# request must compare equal. The escape starts with the control character SUBSTITUTE (0x1a).
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


class SafeText(TypeDecorator[str]):
    """Any Python text. It is read back unchanged."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Escape what a database rejects. A member of an enumeration becomes its value."""
        if value is None:
            return None
        return _UNSTORABLE.sub(lambda found: f"\x1a{ord(found[0]):04x}", str(value))

    def process_result_value(self, value: str | None, _dialect: Dialect) -> str | None:
        """Undo the escapes."""
        return value and _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware date with microseconds, stored as ISO 8601 in UTC.

    All have the same width, so that the order of the texts is the order of the dates.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> str | None:
        """Return a date as text. Raises ValueError if it has no time zone."""
        return iso(value) if value else None

    def process_result_value(self, value: str | None, _dialect: Dialect) -> datetime | None:
        """Return the date."""
        return parse_iso(value)


class SafeJson(TypeDecorator[Any]):
    """Plain data, stored as JSON. Dates in it are read back as text."""

    # Not PostgreSQL's own JSON type: it rejects the same characters as its text does.
    impl = SafeText
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str:
        """Return the data as JSON."""
        # Without escapes: `loads` would join two escaped halves of a surrogate pair into one.
        return json.dumps(value, default=iso, ensure_ascii=False)

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Return the data."""
        return json.loads(value or "null")


def iso(value: datetime) -> str:
    """Return an aware date as ISO 8601 in UTC. Raises ValueError if it has no time zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def parse_iso(value: str | None) -> datetime | None:
    """Return the date of a text that `iso` made."""
    return datetime.fromisoformat(value) if value else None


_METADATA = MetaData()


def _columns(kind: type[TypeEngine[Any]], names: str, **keys: str) -> Iterator[Column[Any]]:
    """Yield columns of one type. `keys` has the fields whose column has another name.

    The names of the columns never change, because older versions of the program use them.
    """
    for name in names.split():
        yield Column(name, kind, key=keys.get(name, name))


kicks = Table(
    "kicks",
    _METADATA,
    *_columns(Integer, "number version repeats"),
    *_columns(SafeText, "id key team_id app_id channel_id", key="idempotency_key"),
    *_columns(SafeText, "meeting_id meeting_title session_id requester reason state"),
    *_columns(SafeText, "approver owner refusal"),
    *_columns(UtcDateTime, "created_at expires_at decided_at lease_until done_at due_at"),
)

targets = Table(
    "targets",
    _METADATA,
    *_columns(Integer, "position"),
    *_columns(SafeText, "kick_id participant_id custom_id name preset"),
    *_columns(Boolean, "live checked", checked="protection_checked"),
    *_columns(UtcDateTime, "called_at back_at", back_at="rejoined_at"),
    *_columns(SafeJson, "peers"),
    *_columns(SafeText, "outcome why detail", why="outcome_reason"),
)

events = Table(
    "events",
    _METADATA,
    *_columns(Integer, "id times", times="count"),
    *_columns(SafeText, "team_id app_id kick_id what actor note tally", what="kind"),
    *_columns(UtcDateTime, "at last_at"),
)

outbox = Table(
    "notices",
    _METADATA,
    *_columns(SafeText, "kick_id kind channel ts"),
    *_columns(UtcDateTime, "since due_at"),
    *_columns(Integer, "version attempts"),
    *_columns(Boolean, "doubtful", doubtful="maybe_delivered"),
)

drafts = Table(
    "drafts",
    _METADATA,
    *_columns(SafeText, "id"),
    *_columns(UtcDateTime, "created_at"),
    *_columns(SafeJson, "body"),
)

schema_version = Table("schema_version", _METADATA, Column("version", Integer))
