"""The rate limit, as the headers of replies report it. No I/O.

Cloudflare allows 1,200 requests in 5 minutes per token. After that it rejects every request for 5
minutes: https://developers.cloudflare.com/fundamentals/api/reference/limits/
"""

import math
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

import httpx

from bot.core.ports import RateLimited
from bot.realtimekit.service_time import parse_http_date

LONGEST_BLOCK: Final = 600.0
"""Seconds. Cloudflare blocks for 5 minutes, so a longer `Retry-After` is tried again before."""

may_use_reserve: ContextVar[bool] = ContextVar("may_use_reserve", default=False)
"""Whether the reads of this context belong to a kick, and so may use the calls kept for kicks."""

_PARAMETER = re.compile(r";\s*([rt])=([0-9]{1,6})")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_TOO_MANY_REQUESTS = 429


class LocallyRateLimited(RateLimited):
    """No effect: the client did not send what the service would have rejected."""


class RateLimit:
    """Decides what may be sent now, from the replies so far.

    Nothing may be sent while the token is blocked. While at most `reserve` requests are left, only
    kicks and their own reads may be sent (`may_use_reserve`): a kick needs about five calls.
    `clock` returns seconds and must be monotonic.
    """

    def __init__(self, reserve: int = 40, clock: Callable[[], float] = time.monotonic) -> None:
        self._reserve = reserve
        self._clock = clock
        self._blocked_until = -math.inf
        self._low_until = -math.inf

    def check(self, *, read: bool) -> None:
        """Raise LocallyRateLimited if a request must not be sent now."""
        now = self._clock()
        wait, problem = self._blocked_until - now, "over the rate limit for another {} s"
        if wait <= 0 and read and not may_use_reserve.get():
            wait, problem = self._low_until - now, "few calls are left for {} s; they are for kicks"
        if wait > 0:
            raise LocallyRateLimited(problem.format(math.ceil(wait)), wait)

    def update(self, response: httpx.Response) -> None:
        """Learn from a reply how many requests are left, and how long a block lasts."""
        now = self._clock()
        limits = quota(response.headers)
        waits = [seconds for left, seconds in limits if left == 0]
        if response.status_code == _TOO_MANY_REQUESTS:
            waits.append(retry_after(response.headers) or 0)
        # Replies can arrive out of order, so an older one must not shorten a block.
        ends = (now + min(wait, LONGEST_BLOCK) for wait in waits)
        self._blocked_until = max([self._blocked_until, *ends])
        if limits:
            low = (seconds for left, seconds in limits if left <= self._reserve)
            self._low_until = now + min(max(low, default=0), LONGEST_BLOCK)


def quota(headers: httpx.Headers) -> list[tuple[int, float]]:
    """Return the limits in `Ratelimit: "default";r=50;t=30`: requests left, seconds to the reset.

    https://developers.cloudflare.com/changelog/2025-09-03-rate-limiting-improvement
    """
    items = [dict(_PARAMETER.findall(item)) for item in headers.get("ratelimit", "").split(",")]
    return [(int(item["r"]), float(item["t"])) for item in items if len(item) == len("rt")]


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that a 429 asks to wait, or None if it does not say."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    # In the service's time: this machine's clock may be off.
    until, now = parse_http_date(value), parse_http_date(headers.get("date", ""))
    if until and now:
        return max(0.0, (until - now).total_seconds())
    return max((seconds for left, seconds in quota(headers) if left == 0), default=None)
