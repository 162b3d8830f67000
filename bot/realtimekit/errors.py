"""What a reply that is no success means: did it happen? No I/O.

Three shapes of errors are known: RealtimeKit's own, that of the gateway before it, and a bare
message; a 5xx from the edge may be a web page, or nothing at all.
"""

import json
from typing import Any

import httpx

from bot.core.ports import GatewayError, NotFound, OutcomeUnknown, RateLimited, Rejected
from bot.core.text import display
from bot.realtimekit.rate_limit import retry_after

_NO_ROUTE = frozenset({7000, 7003})
_HINTS = {
    401: "the API token is not valid",
    403: "the API token needs the permission Realtime or Realtime Admin, on this account",
}


def error_for(response: httpx.Response) -> GatewayError:
    """Return the error for a reply whose status is not 2xx, in the service's own words."""
    status, body = response.status_code, parse_json(response.content)
    said = error_message(body) or display(response.reason_phrase or "no reason given", 200)
    hint = f" ({_HINTS[status]})" if status in _HINTS else ""
    message = f"HTTP {status}: {said}{hint}"
    match status:
        case 404 if _lacks_route(body):
            return Rejected(f"{message} (check the account id and the app id)")
        case 404:
            return NotFound(message)
        case 429:
            return RateLimited(message, retry_after(response.headers))
        case 408:
            return OutcomeUnknown(message)
    return Rejected(message) if response.is_client_error else OutcomeUnknown(message)


def error_message(body: Any) -> str | None:
    """Find in a reply's JSON what its sender says went wrong, on one line of at most 200."""
    match body:
        case (
            {"error": {"message": str(said)}}
            | {"errors": [{"message": str(said)}, *_]}
            | {"message": str(said)}
        ) if said.strip():
            return display(said, 200)
    return None


def parse_json(body: bytes) -> Any:
    """Read JSON; None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _lacks_route(body: Any) -> bool:
    # The gateway answers 404, too, when the account or the app in the path is none: taken for
    # the service's own 404, a wrong setting would read as "nobody is there".
    match body:
        case {"errors": [{"code": int(code)}, *_]}:
            return code in _NO_ROUTE
    return False
