"""What an error means: did the call take effect, and may it be retried? No I/O.

Replies with an error status have one of three shapes: RealtimeKit's own, that of Cloudflare's API
gateway in front of it, and a bare message. The body of a 5xx may also be a web page or empty.
"""

import json
import logging
import ssl
from typing import Any, Final

import httpx

from bot.core.ports import GatewayError, NotFound, NotSent, OutcomeUnknown, RateLimited, Rejected
from bot.core.text import display
from bot.realtimekit.rate_limit import LocallyRateLimited, retry_after

logger = logging.getLogger(__name__)

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_RETRY_PAUSE: Final = 0.2
_NO_ROUTE: Final = frozenset({7000, 7003})
_HINTS: Final = {
    401: "the API token is not valid",
    403: "the API token needs the permission Realtime or Realtime Admin, on this account",
}


def error_for_exception(error: httpx.HTTPError | ssl.SSLError) -> NotSent | OutcomeUnknown:
    """Return the error for a request that got no whole reply, and log the exception."""
    logger.warning("a call to RealtimeKit broke: %r", error)
    if isinstance(error, _NOT_SENT):
        return NotSent("no connection")
    in_time = not isinstance(error, httpx.TimeoutException)
    return OutcomeUnknown("no whole answer" if in_time else "no answer in time")


def error_for_reply(response: httpx.Response) -> GatewayError:
    """Return the error for a reply whose status is not 2xx. It quotes the service's message."""
    status, body = response.status_code, parse_json(response.content)
    reason = error_message(body) or display(response.reason_phrase or "no reason given", 200)
    hint = f" ({_HINTS[status]})" if status in _HINTS else ""
    message = f"HTTP {status}: {reason}{hint}"
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


def retry_delay(error: RateLimited | NotSent) -> float | None:
    """Return the seconds to wait before a retry, or None if there must be no retry."""
    if isinstance(error, NotSent):
        return _RETRY_PAUSE
    if isinstance(error, LocallyRateLimited) or error.retry_after is None:
        return None
    return error.retry_after + _RETRY_PAUSE


def error_message(body: Any) -> str | None:
    """Return the error message in a reply's JSON, on one line of at most 200 UTF-16 units."""
    match body:
        case (
            {"error": {"message": str(text)}}
            | {"errors": [{"message": str(text)}, *_]}
            | {"message": str(text)}
        ) if text.strip():
            return display(text, 200)
    return None


def parse_json(body: bytes) -> Any:
    """Return the parsed JSON, or None if the body is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _lacks_route(body: Any) -> bool:
    # The gateway also answers 404 if the account or the app in the path does not exist. Without
    # this check, a wrong setting would look like a participant who is not there.
    match body:
        case {"errors": [{"code": int(code)}, *_]}:
            return code in _NO_ROUTE
    return False
