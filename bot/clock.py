"""The one time that all processes share: the store's, carried by the monotonic clock.

No wall clock of a process decides about the work of another one. Leases, deadlines and due dates
are in the store's time. Within a process, a monotonic clock measures.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx

from bot.realtimekit.service_time import parse_http_date

logger = logging.getLogger(__name__)

DATABASE, SLACK, REALTIMEKIT = "the database's", "Slack's", "RealtimeKit's"
OFF = timedelta(seconds=3)  # a machine's clock that differs by more is reported
# The store's clock is adjusted by less in normal operation. A larger difference is a step.
STEP = timedelta(seconds=1)


def wall_time() -> datetime:
    """Return the time of this machine's clock. It is compared and reported, and decides nothing."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds that only grow. Where the system can, they count while it is suspended."""
    # https://man7.org/linux/man-pages/man2/clock_gettime.2.html: CLOCK_BOOTTIME is Linux only.
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


def ahead_of(theirs: datetime, round_trip: float, precision: float = 1.0) -> timedelta:
    """Return by how much, at least, this machine's clock is ahead of another one.

    Call it when a reply has just come that has the other clock's time, cut to `precision` seconds.
    `round_trip`: the seconds since the request. The other clock was read within that time, so a
    slow reply makes no difference.
    """
    most = wall_time() - theirs
    least = most - timedelta(seconds=round_trip + precision)
    return max(least, min(most, timedelta()))


def off(whose: str, ahead: timedelta) -> str:
    """Say how far this machine's clock is ahead of another one."""
    return f"{ahead.total_seconds():+.0f} s off {whose}"


class Differences:
    """Logs how far this machine's clock is off, once for each other clock and difference."""

    def __init__(self) -> None:
        self._reported: dict[str, timedelta] = {}

    def report(self, whose: str, ahead: timedelta) -> None:
        """Log a difference, unless it is small, or was logged before."""
        if abs(ahead - self._reported.get(whose, timedelta())) <= OFF:
            return
        self._reported[whose] = ahead
        if abs(ahead) > OFF:
            logger.warning("this machine's clock is %s: set it", off(whose, ahead))
        else:
            logger.info("this machine's clock agrees with %s again", whose)

    def report_date(self, whose: str, headers: Mapping[str, str], asked_at: float) -> None:
        """Report the difference that the `Date` of a reply shows; `asked_at` by `monotonic`.

        https://www.rfc-editor.org/rfc/rfc9110#field.date
        """
        if date := parse_http_date(headers.get("date", "")):
            self.report(whose, ahead_of(date, monotonic() - asked_at))

    def compare(self, http: httpx.AsyncClient, whose: str) -> None:
        """Report the difference at each reply that a client gets."""

        async def sent(request: httpx.Request) -> None:
            request.extensions["sent_at"] = monotonic()

        async def answered(response: httpx.Response) -> None:
            self.report_date(whose, response.headers, response.request.extensions["sent_at"])

        http.event_hooks = {"request": [sent], "response": [answered]}


class StoreClock:
    """The time of the store. Implements `Clock`.

    `read` asks the store for its time, and may raise StoreUnavailable. Between two readings, the
    time is carried by the monotonic clock. `wall` is this machine's clock, which is only compared:
    `differences` reports by how much it is off.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[datetime]],
        differences: Differences,
        *,
        monotonic: Callable[[], float] = monotonic,
        wall: Callable[[], datetime] = wall_time,
    ) -> None:
        self._read = read
        self._wall = wall
        self._differences = differences
        self._anchor: tuple[datetime, float] | None = None
        self._error = timedelta()  # of the anchor, at most
        self.monotonic = monotonic

    @classmethod
    async def started(
        cls, read: Callable[[], Awaitable[datetime]], differences: Differences
    ) -> Self:
        """Return a clock that has read the time. Raises StoreUnavailable."""
        clock = cls(read, differences)
        await clock.sync()
        return clock

    def now(self) -> datetime:
        """Return the time of the store, aware, in UTC. Raises RuntimeError before `sync`."""
        return self._at(self.monotonic())

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        await asyncio.sleep(seconds)

    async def sync(self) -> bool:
        """Read the store's time. Return whether its clock was stepped since the last reading.

        The store read its clock between the request and the reply. If the carried time agrees
        with that, it is kept: a slow reply says nothing against it. Raises StoreUnavailable, and
        then the time is carried on.
        """
        asked_at = self.monotonic()
        read = await self._read()
        answered_at = self.monotonic()
        middle, error = (asked_at + answered_at) / 2, timedelta(seconds=answered_at - asked_at) / 2
        if self._anchor is None:
            self._anchor, self._error = (read, middle), error
        difference = read - self._at(middle)
        is_step = abs(difference) > error + self._error + STEP
        if abs(difference) > error:
            self._anchor, self._error = (read, middle), error
        if is_step:
            seconds = difference.total_seconds()
            logger.warning("the clock of the database was set by %+.0f s", seconds)
        self._differences.report(DATABASE, self._wall() - self.now())
        return is_step

    def _at(self, moment: float) -> datetime:
        if self._anchor is None:
            raise RuntimeError("the clock was not started")
        read, at = self._anchor
        return read + timedelta(seconds=moment - at)
