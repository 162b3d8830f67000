"""The tables for queries: their columns, and how Python values are stored in them.

Constraints and indexes are only in the migrations.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Column, Dialect, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

# PostgreSQL's text accepts neither NUL nor half a surrogate pair, but a display name may contain
# both. They are escaped, not replaced: an id must find the same person again, and a repeated
# request must compare equal. The escape starts with the control character SUBSTITUTE (0x1a).
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


class SafeText(TypeDecorator[str]):
    """Any Python text. It is read back unchanged."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what a database rejects. A member of an enumeration becomes its value."""
        del dialect
        if value is None:
            return None
        return _UNSTORABLE.sub(lambda found: f"\x1a{ord(found[0]):04x}", str(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo the escapes."""
        del dialect
        return value and _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware date with microseconds, stored as ISO 8601 in UTC.

    All have the same width, so that the order of the texts is the order of the dates.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return a date as text. Raises ValueError if it has no time zone."""
        del dialect
        return iso(value) if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the date."""
        del dialect
        return parse_iso(value)


class SafeJson(TypeDecorator[Any]):
    """Plain data, stored as JSON. Dates in it are read back as text."""

    # Not PostgreSQL's own JSON type: it rejects the same characters as its text does.
    impl = SafeText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Return the data as JSON."""
        del dialect
        # Without escapes: `loads` would join two escaped halves of a surrogate pair into one.
        return json.dumps(value, default=iso, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the data."""
        del dialect
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

# `key` is the name of the field if the column has another one. The names of the columns never
# change, because older versions of the program use them.
kicks = Table(
    "kicks",
    _METADATA,
    Column("number", Integer),
    Column("id", SafeText),
    Column("key", SafeText, key="idempotency_key"),
    Column("team_id", SafeText),
    Column("app_id", SafeText),
    Column("channel_id", SafeText),
    Column("meeting_id", SafeText),
    Column("meeting_title", SafeText),
    Column("session_id", SafeText),
    Column("requester", SafeText),
    Column("reason", SafeText),
    Column("created_at", UtcDateTime),
    Column("state", SafeText),
    Column("version", Integer),
    Column("repeats", Integer),
    Column("expires_at", UtcDateTime),
    Column("approver", SafeText),
    Column("decided_at", UtcDateTime),
    Column("owner", SafeText),
    Column("lease_until", UtcDateTime),
    Column("refusal", SafeText),
    Column("done_at", UtcDateTime),
    Column("due_at", UtcDateTime),
)

targets = Table(
    "targets",
    _METADATA,
    Column("kick_id", SafeText),
    Column("position", Integer),
    Column("participant_id", SafeText),
    Column("custom_id", SafeText),
    Column("name", SafeText),
    Column("preset", SafeText),
    Column("live", Boolean),
    Column("checked", Boolean, key="protection_checked"),
    Column("called_at", UtcDateTime),
    Column("peers", SafeJson),
    Column("outcome", SafeText),
    Column("why", SafeText, key="outcome_reason"),
    Column("detail", SafeText),
    Column("back_at", UtcDateTime, key="rejoined_at"),
)

events = Table(
    "events",
    _METADATA,
    Column("id", Integer),
    Column("team_id", SafeText),
    Column("app_id", SafeText),
    Column("kick_id", SafeText),
    Column("at", UtcDateTime),
    Column("what", SafeText, key="kind"),
    Column("actor", SafeText),
    Column("note", SafeText),
)

outbox = Table(
    "notices",
    _METADATA,
    Column("kick_id", SafeText),
    Column("kind", SafeText),
    Column("since", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("version", Integer),
    Column("attempts", Integer),
    Column("channel", SafeText),
    Column("ts", SafeText),
    Column("doubtful", Boolean, key="maybe_delivered"),
)

drafts = Table(
    "drafts",
    _METADATA,
    Column("id", SafeText),
    Column("created_at", UtcDateTime),
    Column("body", SafeJson),
)

schema_version = Table("schema_version", _METADATA, Column("version", Integer))
