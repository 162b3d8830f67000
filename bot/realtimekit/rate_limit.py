"""The rate limit, as replies tell of it. No I/O.

Cloudflare counts 1,200 requests in 5 minutes per token; one more, and all are refused for the
next 5 minutes: https://developers.cloudflare.com/fundamentals/api/reference/limits/
"""

import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from bot.core.ports import RateLimited

_PARAMETER = re.compile(r";\s*([rt])=([0-9]{1,6})")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")
_TOO_MANY_REQUESTS = 429


class LocallyRateLimited(RateLimited):
    """Busy by our own count: nothing was sent, so that nothing gets worse."""


class RateLimit:
    """What may be sent now: nothing while blocked; no reads while only `reserve` calls are left.

    The reserve is for kicks. `clock` tells seconds, from any start.
    """

    def __init__(self, reserve: int = 20, clock: Callable[[], float] = time.monotonic) -> None:
        self._reserve = reserve
        self._clock = clock
        self._blocked_until = -math.inf
        self._short_until = -math.inf

    def check(self, *, read: bool) -> None:
        """Raise Held if a call must not be sent now."""
        now = self._clock()
        if now < self._blocked_until:
            wait = self._blocked_until - now
            raise LocallyRateLimited(f"over the rate limit for another {math.ceil(wait)} s", wait)
        if read and now < self._short_until:
            wait = self._short_until - now
            raise LocallyRateLimited(
                f"few calls are left for {math.ceil(wait)} s; they are for kicks", wait
            )

    def update(self, response: httpx.Response) -> None:
        """Learn from a reply how many calls are left, and until when there are none."""
        now = self._clock()
        limits = quota(response.headers)
        waits = [seconds for left, seconds in limits if left == 0]
        if response.status_code == _TOO_MANY_REQUESTS:
            waits.append(retry_after(response.headers) or 0)
        # A reply may have been overtaken by the one that blocked us: a block only gets longer.
        self._blocked_until = max([self._blocked_until, *(now + wait for wait in waits)])
        if limits:
            short = (seconds for left, seconds in limits if left <= self._reserve)
            self._short_until = now + max(short, default=0)


def quota(headers: httpx.Headers) -> list[tuple[int, float]]:
    """Read `Ratelimit: "default";r=50;t=30`: of each limit, calls left and seconds to its reset.

    https://developers.cloudflare.com/changelog/2025-09-03-rate-limiting-improvement
    """
    items = [dict(_PARAMETER.findall(item)) for item in headers.get("ratelimit", "").split(",")]
    return [(int(item["r"]), float(item["t"])) for item in items if len(item) == len("rt")]


def retry_after(headers: httpx.Headers) -> float | None:
    """Tell for how many seconds a 429 asks to send nothing; None if it does not say."""
    said = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(said):
        return float(said)
    until = _date(said)
    if until is not None:
        # By the service's own clock, so that ours need not be right.
        now = _date(headers.get("date", "")) or datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    return max((seconds for left, seconds in quota(headers) if left == 0), default=None)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
