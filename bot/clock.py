"""The one time that all processes share: the store's, carried by the monotonic clock.

No wall clock of a process decides about the work of another one. Leases, deadlines and due dates
are in the store's time. Within a process, a monotonic clock measures.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Self

logger = logging.getLogger(__name__)

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


def ahead_of(date_header: str | None, round_trip: float) -> timedelta | None:
    """Return how far this machine's clock is ahead of a service, by the `Date` of its reply.

    Call it when the reply has just come, `round_trip` seconds after the request. The `Date` has
    whole seconds, so the result is exact to one second and half of the round trip. None: the
    reply has no usable `Date`. https://www.rfc-editor.org/rfc/rfc9110#field.date
    """
    try:
        date = parsedate_to_datetime(date_header or "")
    except ValueError:
        return None
    theirs = date if date.tzinfo else date.replace(tzinfo=UTC)
    return wall_time() - timedelta(seconds=round_trip / 2) - (theirs + timedelta(seconds=0.5))


class StoreClock:
    """The time of the store. Implements `Clock`.

    `read` asks the store for its time, and may raise StoreUnavailable. Between two readings, the
    time is carried by the monotonic clock. `wall` is this machine's clock, which is only compared.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[datetime]],
        *,
        monotonic: Callable[[], float] = monotonic,
        wall: Callable[[], datetime] = wall_time,
    ) -> None:
        self._read = read
        self._wall = wall
        self._reported = timedelta()
        self._anchor: tuple[datetime, float] | None = None
        self._error = timedelta()  # of the anchor, at most
        self.monotonic = monotonic

    @classmethod
    async def started(cls, read: Callable[[], Awaitable[datetime]]) -> Self:
        """Return a clock that has read the time. Raises StoreUnavailable."""
        clock = cls(read)
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
        self._report()
        return is_step

    def _at(self, moment: float) -> datetime:
        if self._anchor is None:
            raise RuntimeError("the clock was not started")
        read, at = self._anchor
        return read + timedelta(seconds=moment - at)

    def _report(self) -> None:
        """Log how far this machine's clock is off, once for each difference."""
        ahead = self._wall() - self.now()
        if abs(ahead - self._reported) <= OFF:
            return
        self._reported = ahead
        seconds = ahead.total_seconds()
        if abs(ahead) > OFF:
            logger.warning("this machine's clock is %+.0f s off the database's: set it", seconds)
        else:
            logger.info("this machine's clock agrees with the database's again")
