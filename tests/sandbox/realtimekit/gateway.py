"""What stands before RealtimeKit: authentication and the request budget of Cloudflare's API."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.sandbox.realtimekit import replies
from tests.sandbox.realtimekit.replies import Reply
from tests.sandbox.realtimekit.world import Clock


@dataclass(slots=True)
class Budget:
    """So many requests per window and token; one more blocks all until a whole window has passed.

    Cloudflare's global limit is the default: 1,200 in five minutes. RealtimeKit's own pages also
    say 3,500; the lower of the two counts here.
    """

    clock: Clock
    limit: int = 1200
    window: timedelta = timedelta(seconds=300)
    _used: int = 0
    _ends: datetime | None = field(default=None)
    _blocked: bool = False

    def refuse(self) -> Reply | None:
        """Count a request; return the 429 if it is one too many."""
        now = self.clock()
        if self._ends is None or now >= self._ends:
            self._used, self._ends, self._blocked = 0, now + self.window, False
        self._used += 1
        if self._used > self.limit and not self._blocked:
            self._blocked, self._ends = True, now + self.window
        return too_many(self._seconds_left()) if self._blocked else None

    def headers(self) -> dict[str, str]:
        """State what is left, in Cloudflare's form."""
        left = max(0, self.limit - self._used)
        seconds = self._seconds_left()
        window = math.ceil(self.window.total_seconds())
        return {
            "Ratelimit": f'"default";r={left};t={seconds}',
            "Ratelimit-Policy": f'"default";q={self.limit};w={window}',
        }

    def _seconds_left(self) -> int:
        ends = self.clock() + self.window if self._ends is None else self._ends
        return max(0, math.ceil((ends - self.clock()).total_seconds()))


def too_many(retry_after: float | None) -> Reply:
    """Answer 429; None: without telling when to come again."""
    headers = {} if retry_after is None else {"Retry_After": f"{retry_after:g}"}
    message = "Please wait and consider throttling your request speed"
    return replies.gateway(429, 971, message, **headers)


def unauthorized() -> Reply:
    """Answer to a token that is none."""
    return replies.gateway(401, 10000, "Authentication error")


def forbidden() -> Reply:
    """Answer to a token without the Realtime permission, or for another account."""
    return replies.gateway(403, 10000, "Authentication error")


def no_route(path: str) -> Reply:
    """Answer to a path that leads nowhere."""
    message = f"Could not route to {path}, perhaps your object identifier is invalid?"
    return replies.gateway(404, 7003, message)


def no_method(method: str) -> Reply:
    """Answer to a path that leads somewhere, by another method."""
    return replies.gateway(405, 7001, f"Method {method} not available for that URI.")


def refuse_authorization(header: str | None, token: str) -> Reply | None:
    """Check the Authorization header; return the refusal, if any."""
    if not header:
        message = "Missing X-Auth-Key, X-Auth-Email or Authorization headers"
        return replies.gateway(400, 9106, message)
    scheme, _, given = header.partition(" ")
    if scheme != "Bearer" or not given:
        return replies.gateway(400, 9106, "Invalid format for Authorization header")
    return None if given == token else unauthorized()
