"""Clocks for tests: a long sleep of the bot ends at once."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.core.reconciler import TICK_INTERVAL

LONG: Final = 1.7
"""Seconds. A shorter sleep waits for another service, whose time is real."""
A_MOMENT: Final = 0.02
"""Seconds that even a long sleep takes, so that other tasks get their turn."""


class HastyClock:
    """The real time, but a long sleep advances this clock at once, for all who use it.

    Leases, lags and deadlines keep their proportions. A short sleep ends as soon as its time has
    come. The reconciler's sleep takes real time, unless the clock is advanced meanwhile: otherwise
    the reconciler alone would advance the clock without end. While `awake` is not set, long
    sleeps last until it is.
    """

    def __init__(self) -> None:
        self.awake = asyncio.Event()
        self.awake.set()
        self._ahead = timedelta()
        self._later = asyncio.Event()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        """Return seconds that only grow, and as fast as the time."""
        return time.monotonic() + self._ahead.total_seconds()

    async def sync(self) -> bool:
        """Never report a step."""
        return False

    def pass_by(self, seconds: float) -> None:
        """Advance the clock by this many seconds. A negative number does nothing."""
        self._ahead += timedelta(seconds=max(0.0, seconds))
        self._later.set()
        self._later = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for some time to pass, or let it pass at once."""
        until = self.now() + timedelta(seconds=seconds)
        if seconds > LONG and seconds != TICK_INTERVAL:
            await asyncio.sleep(A_MOMENT)
            await self.awake.wait()
            # If two tasks sleep until the same time, it passes only once.
            self.pass_by(self._left(until))
        while (left := self._left(until)) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._later.wait()
            except TimeoutError:
                continue

    def _left(self, until: datetime) -> float:
        return (until - self.now()).total_seconds()


class TirelessClock(HastyClock):
    """The real time, but no sleep takes any time, except the reconciler's."""

    async def sleep(self, seconds: float) -> None:
        """Return at once. For the reconciler, return when its time has come."""
        if seconds == TICK_INTERVAL:
            await super().sleep(seconds)
        else:
            await asyncio.sleep(0)
