"""Ways in which the service is said to break its own contract: off unless switched on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from tests.sandbox.faults import Faults

QUIRKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "left_at_null": "left_at is null while a peer is connected",
        "left_at_string_null": 'left_at is the string "null" while a peer is connected',
        "frozen_left_at": "left_at never appears: those who left look connected",
        "stray_quote_dates": "joined_at ends in a stray quote, as in a published example",
        "absent_fields": "`fields` are absent; by default all that the contract lets be absent",
        "no_paging": "lists come without paging",
        "paging_inside_data": "paging of sessions and their participants is inside data",
        "capped_pages": "pages have at most `limit` rows, whatever was asked for",
        "search_exact": "search matches whole names and titles only",
        "lagging_list": "sessions and who is in them are shown as they were `seconds` ago",
        "session_starting": "500 until a session has run for `seconds`",
        "empty_sessions": "success with an empty list of sessions, whatever is true",
        "empty_participants": "success with an empty list of people, whatever is true",
        "kick_answers_peer_ids": "a kick is answered with peer ids, one item per connection",
        "partial": "a kick of several removes those found, rather than none if one is not",
    }
)

_OPTIONAL: Final = (
    "custom_participant_id",
    "display_name",
    "preset_name",
    "duration",
    "created_at",
    "updated_at",
)


class Quirks:
    """The quirks of one request."""

    def __init__(self, faults: Faults, where: Mapping[str, Any]) -> None:
        self._faults = faults
        self._where = where
        self.played = False

    def play(self, name: str) -> Mapping[str, Any] | None:
        """Return the quirk's parameters if this request has it."""
        how = self._faults.strike(name, **self._where)
        self.played = self.played or how is not None
        return how

    def seen_at(self, now: datetime) -> datetime:
        """Tell as of when lists are shown."""
        lag = self.play("lagging_list")
        return now - timedelta(seconds=lag.get("seconds", 10)) if lag is not None else now

    def starts_slowly(self, started_at: datetime, now: datetime) -> bool:
        """Tell whether a session is too young to be shown."""
        how = self.play("session_starting")
        return how is not None and now - started_at < timedelta(seconds=how.get("seconds", 10))

    def bend_peer_rows(self, rows: list[dict[str, Any]]) -> None:
        """Break rows of a session's participants."""
        if self.play("frozen_left_at") is not None:
            _without(rows, ("left_at",))
        if self.play("left_at_null") is not None:
            _default(rows, "left_at", None)
        if self.play("left_at_string_null") is not None:
            _default(rows, "left_at", "null")
        if self.play("stray_quote_dates") is not None:
            for row in rows:
                row["joined_at"] += '"'
        absent = self.play("absent_fields")
        if absent is not None:
            _without(rows, absent.get("fields", _OPTIONAL))


def _without(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    for row in rows:
        for name in names:
            row.pop(name, None)


def _default(rows: list[dict[str, Any]], name: str, value: str | None) -> None:
    for row in rows:
        row.setdefault(name, value)
