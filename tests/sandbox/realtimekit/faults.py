"""The faults of the RealtimeKit stand-in.

A contract fault breaks the published contract, as the service is reported to do. A response fault
replaces the response, delays it, or cuts the connection.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

from tests.sandbox.faults import Faults
from tests.sandbox.realtimekit import edge, responses
from tests.sandbox.realtimekit.responses import ApiResponse

_Parameters = Mapping[str, Any]


class Sending(Enum):
    """How a response is sent, if it is sent at all."""

    WHOLE = auto()
    HALF = auto()
    BYTE_BY_BYTE = auto()
    NEVER = auto()
    RESET = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class ResponseFault:
    """`effect`: the operation is carried out. `only`: the one operation that the fault applies to.

    Without `respond`, the operation's own response is sent.
    """

    what: str
    respond: Callable[[_Parameters], ApiResponse] | None = None
    sending: Sending = Sending.WHOLE
    effect: bool = False
    only: str | None = None


def _server_error(given: _Parameters) -> ApiResponse:
    return responses.internal_error(given.get("status", 500))


def _bad_gateway(given: _Parameters) -> ApiResponse:
    status = given.get("status", 502)
    html = f"<html><body><h1>Error {status}</h1>Bad gateway</body></html>"
    return responses.html_response(status, html)


def _wrong_shape(given: _Parameters) -> ApiResponse:
    return responses.json_response(200, given.get("body", {"result": [{"kicked": "yes"}]}))


_RESPONSE_FAULTS: Final[Mapping[str, ResponseFault]] = {
    "rate_limited": ResponseFault(
        "429; `retry_after` seconds, or none named",
        lambda given: edge.too_many_requests(given.get("retry_after")),
    ),
    "unauthorized": ResponseFault("401: the token is unknown", lambda _: edge.unauthorized()),
    "forbidden": ResponseFault("403: the token may not do this", lambda _: edge.forbidden()),
    "server_error": ResponseFault("`status` (500) in the service's own form", _server_error),
    "bad_gateway": ResponseFault("`status` (502) with a web page", _bad_gateway),
    "unknown_format": ResponseFault(
        "200 with a web page",
        lambda _: responses.html_response(200, "<html><body>Checking your browser</body></html>"),
    ),
    "empty_body": ResponseFault(
        "`status` (200) with an empty body, after the effect",
        lambda given: ApiResponse(given.get("status", 200), b""),
        effect=True,
    ),
    "wrong_shape": ResponseFault(
        "200 with other JSON (`body`), after the effect", _wrong_shape, effect=True
    ),
    "success_false": ResponseFault(
        "200 that says success: false",
        lambda _: responses.json_response(200, {"success": False, "data": {}}),
    ),
    "kick_empty": ResponseFault(
        "the response to a kick names no participant",
        lambda _: responses.success({"action": "kick", "participants": []}),
        only="kick",
    ),
    "truncated": ResponseFault(
        "half of the JSON, after the effect", sending=Sending.HALF, effect=True
    ),
    "dripping": ResponseFault(
        "byte by byte, `seconds` (0.1) apart, after the effect; `endless` if true",
        sending=Sending.BYTE_BY_BYTE,
        effect=True,
    ),
    "hang": ResponseFault("no response, ever", sending=Sending.NEVER),
    "reset_before": ResponseFault("the connection is reset, no effect", sending=Sending.RESET),
    "reset_after": ResponseFault(
        "the connection is reset after the effect", sending=Sending.RESET, effect=True
    ),
    "closed_before": ResponseFault("the connection is closed, no effect", sending=Sending.CLOSED),
    "closed_after": ResponseFault(
        "the connection is closed after the effect", sending=Sending.CLOSED, effect=True
    ),
}
"""If several are on, the first in this order applies. The parameter `effect` overrides each."""

REALTIMEKIT_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "left_at_null": "left_at is null while a peer is connected",
        "left_at_string_null": 'left_at is the string "null" while a peer is connected',
        "frozen_left_at": "left_at never appears: people who left look connected",
        "stray_quote_dates": "joined_at ends in a stray quote, as in a published example",
        "absent_fields": "`fields` are absent; by default all that the contract lets be absent",
        "no_paging": "lists come without paging",
        "paging_inside_data": "paging of sessions and their participants is inside data",
        "capped_pages": "pages have at most `limit` rows, whatever was asked for",
        "search_exact": "search matches whole names and titles only",
        "search_substring": "search matches parts of ids, too",
        "search_ignored": "search is ignored: everything is listed",
        "search_by_peer_id": "search takes peer ids, custom ids and names, but no user_id",
        "lagging_list": "sessions and their participants are shown as of `seconds` ago",
        "clock_apart": "all dates and the Date header are later by `seconds` (5); or earlier",
        "no_date": "responses have no Date header",
        "session_starting": "500 until a session has run for `seconds`",
        "empty_sessions": "success with an empty list of sessions, whatever is true",
        "empty_participants": "success with an empty list of people, whatever is true",
        "kick_answers_peer_ids": "the response to a kick has peer ids, one item per connection",
        "partial": "a kick of several removes the people found, even if one is not found",
        "slow": "each response takes `seconds` (1); `late`: the operation is done only then",
        **{name: fault.what for name, fault in _RESPONSE_FAULTS.items()},
    }
)
"""The name of each fault and what the service then does.

Each can be limited to an `op`, `meeting_id`, `session_id`, `page_no`, or to the `participant_id` of
a kick of one person.
"""

_OPTIONAL_FIELDS: Final = (
    "custom_participant_id",
    "display_name",
    "preset_name",
    "duration",
    "created_at",
    "updated_at",
)


@dataclass(slots=True)
class RequestFaults:
    """The faults that apply to one request. `context` is what faults can be limited to.

    `applied`: a contract fault applied, so the response may break the contract.
    """

    faults: Faults
    context: Mapping[str, Any]
    applied: bool = False

    def apply(self, name: str) -> _Parameters | None:
        """Return the parameters of a fault if it applies to this request."""
        parameters = self.faults.apply(name, **self.context)
        self.applied = self.applied or parameters is not None
        return parameters

    def is_applied(self, name: str) -> bool:
        """Tell whether a fault without parameters applies to this request."""
        return self.apply(name) is not None

    def response_fault(self) -> tuple[ResponseFault, _Parameters] | None:
        """Return the response fault that applies to this request, with its parameters."""
        for name, fault in _RESPONSE_FAULTS.items():
            if fault.only in {None, self.context["op"]}:
                parameters = self.faults.apply(name, **self.context)
                if parameters is not None:
                    return fault, parameters
        return None

    def list_time(self, now: datetime) -> datetime:
        """Return the time whose state the lists show."""
        lag = self.apply("lagging_list")
        return now if lag is None else now - timedelta(seconds=lag.get("seconds", 10))

    def is_starting(self, started_at: datetime, now: datetime) -> bool:
        """Tell whether a session is still too young to be shown."""
        given = self.apply("session_starting")
        return given is not None and now - started_at < timedelta(seconds=given.get("seconds", 10))

    def change_peer_rows(self, rows: list[dict[str, Any]]) -> None:
        """Break the rows of a session's participants, in place."""
        if self.is_applied("frozen_left_at"):
            _remove_fields(rows, ("left_at",))
        for name, value in (("left_at_null", None), ("left_at_string_null", "null")):
            if self.is_applied(name):
                for row in rows:
                    row.setdefault("left_at", value)
        if self.is_applied("stray_quote_dates"):
            for row in rows:
                row["joined_at"] += '"'
        absent = self.apply("absent_fields")
        if absent is not None:
            _remove_fields(rows, absent.get("fields", _OPTIONAL_FIELDS))


def _remove_fields(rows: list[dict[str, Any]], names: Iterable[str]) -> None:
    for row in rows:
        for name in names:
            row.pop(name, None)
