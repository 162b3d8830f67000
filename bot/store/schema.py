"""The tables as queries see them: names, and how Python values are written into them.

Constraints and indexes are stated once, where they are made: in the migrations.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, Dialect, Integer, Text, column, table
from sqlalchemy.types import TypeDecorator

# PostgreSQL's text takes neither NUL nor half a surrogate pair, and a display name may hold both.
# They are escaped, not replaced: ids must find the same person again, and the same request sent
# twice must compare equal. The escape is the control character made for it, SUBSTITUTE.
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")


class Words(TypeDecorator[str]):
    """Any Python text whatsoever; comes back as it was."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what a database refuses; an enumeration's member becomes its plain value."""
        del dialect
        if value is None:
            return None
        return _UNSTORABLE.sub(lambda found: f"\x1a{ord(found[0]):04x}", str(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo the escapes."""
        del dialect
        return value and _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class Moment(TypeDecorator[datetime]):
    """An aware date, to the microsecond, as ISO 8601 in UTC.

    All have the same width, so text order is time order on both databases, and whoever looks
    into the tables by hand can read them.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write a date; ValueError for one without a time zone."""
        del dialect
        return iso(value) if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read a date."""
        del dialect
        return moment(value)


class Json(TypeDecorator[Any]):
    """Plain data with dates in it, which come back as text."""

    # Not the databases' own JSON: PostgreSQL's refuses the same characters as its text does.
    impl = Words
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write the data."""
        del dialect
        # Raw, because `loads` would join two escaped halves of a surrogate pair into one.
        return json.dumps(value, default=iso, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read the data."""
        del dialect
        return json.loads(value or "null")


def iso(value: datetime) -> str:
    """Write an aware date; ValueError for one without a time zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def moment(value: str | None) -> datetime | None:
    """Read what `iso` wrote."""
    return datetime.fromisoformat(value) if value else None


kicks = table(
    "kicks",
    column("number", Integer),
    column("id", Words),
    column("key", Words),
    column("team_id", Words),
    column("app_id", Words),
    column("channel_id", Words),
    column("meeting_id", Words),
    column("meeting_title", Words),
    column("session_id", Words),
    column("requester", Words),
    column("reason", Words),
    column("created_at", Moment),
    column("state", Words),
    column("version", Integer),
    column("repeats", Integer),
    column("expires_at", Moment),
    column("approver", Words),
    column("decided_at", Moment),
    column("owner", Words),
    column("lease_until", Moment),
    column("refusal", Words),
    column("done_at", Moment),
    column("due_at", Moment),
)

targets = table(
    "targets",
    column("kick_id", Words),
    column("position", Integer),
    column("participant_id", Words),
    column("custom_id", Words),
    column("name", Words),
    column("preset", Words),
    column("live", Boolean),
    column("checked", Boolean),
    column("called_at", Moment),
    column("peers", Json),
    column("outcome", Words),
    column("why", Words),
    column("detail", Words),
    column("back_at", Moment),
)

events = table(
    "events",
    column("id", Integer),
    column("team_id", Words),
    column("app_id", Words),
    column("kick_id", Words),
    column("at", Moment),
    column("what", Words),
    column("actor", Words),
    column("note", Words),
)

notices = table(
    "notices",
    column("kick_id", Words),
    column("kind", Words),
    column("since", Moment),
    column("due_at", Moment),
    column("version", Integer),
    column("attempts", Integer),
    column("channel", Words),
    column("ts", Words),
    column("doubtful", Boolean),
)

drafts = table(
    "drafts",
    column("id", Words),
    column("created_at", Moment),
    column("body", Json),
)

schema_version = table("schema_version", column("version", Integer))
