"""Cloudflare's edge in front of RealtimeKit: routing, authentication and the rate limit."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.sandbox.realtimekit.responses import ApiResponse, edge_error
from tests.sandbox.realtimekit.world import Clock


@dataclass(slots=True)
class RateLimit:
    """Allows `limit` requests in a window. One more blocks all requests for another whole window.

    The default is Cloudflare's global limit of 1,200 requests in 300 s, per
    https://developers.cloudflare.com/fundamentals/api/reference/limits/. RealtimeKit's own pages
    also name 3,500; the stand-in uses the lower number.
    """

    clock: Clock
    limit: int = 1200
    window: timedelta = timedelta(seconds=300)
    _used: int = 0
    _ends: datetime | None = None
    _blocked: bool = False

    def refuse(self) -> ApiResponse | None:
        """Count a request. Return the 429 if it is one too many."""
        now = self.clock()
        if self._ends is None or now >= self._ends:
            self._used, self._ends, self._blocked = 0, now + self.window, False
        self._used += 1
        if self._used > self.limit and not self._blocked:
            self._blocked, self._ends = True, now + self.window
        return too_many_requests(self._seconds_left()) if self._blocked else None

    def headers(self) -> dict[str, str]:
        """Return the headers that state what is left in the window."""
        left = max(0, self.limit - self._used)
        window = math.ceil(self.window.total_seconds())
        return {
            "Ratelimit": f'"default";r={left};t={self._seconds_left()}',
            "Ratelimit-Policy": f'"default";q={self.limit};w={window}',
        }

    def _seconds_left(self) -> int:
        ends = self.clock() + self.window if self._ends is None else self._ends
        return max(0, math.ceil((ends - self.clock()).total_seconds()))


def too_many_requests(retry_after: float | None) -> ApiResponse:
    """Return the 429, without Retry-After for None."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    message = "Please wait and consider throttling your request speed"
    return edge_error(429, 971, message, headers)


def unauthorized() -> ApiResponse:
    """Return the error for an unknown token."""
    return edge_error(401, 10000, "Authentication error")


def forbidden() -> ApiResponse:
    """Return the error for a token without the Realtime permission, or of another account."""
    return edge_error(403, 10000, "Authentication error")


def no_route(path: str) -> ApiResponse:
    """Return the error for an unknown path."""
    message = f"Could not route to {path}, perhaps your object identifier is invalid?"
    return edge_error(404, 7003, message)


def no_method(method: str) -> ApiResponse:
    """Return the error for a known path with another method."""
    return edge_error(405, 7001, f"Method {method} not available for that URI.")


def check_authorization(header: str | None, token: str) -> ApiResponse | None:
    """Return the error for a wrong Authorization header, or None."""
    if not header:
        message = "Missing X-Auth-Key, X-Auth-Email or Authorization headers"
        return edge_error(400, 9106, message)
    scheme, _, given = header.partition(" ")
    if scheme != "Bearer" or not given:
        return edge_error(400, 9106, "Invalid format for Authorization header")
    return None if given == token else unauthorized()
