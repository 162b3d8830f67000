"""Clocks under which nothing waits long: what the bot would sleep through passes at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.core.reconciler import TICK_INTERVAL

LONG: Final = 1.7
"""Seconds. A shorter sleep waits for another service, whose time is real."""
A_MOMENT: Final = 0.02
"""Seconds that even a long sleep takes, so that other tasks get their turn."""


class HastyClock:
    """The real time, but a long sleep makes it later at once, for everything on this clock.

    Leases, lags and deadlines keep their proportions. A short sleep ends as soon as its time has
    come. The reconciler sleeps for ever again: its sleep takes its time, unless the time is made
    later meanwhile. While `awake` is not set, long sleeps last until it is.
    """

    def __init__(self) -> None:
        self.awake = asyncio.Event()
        self.awake.set()
        self._ahead = timedelta()
        self._later = asyncio.Event()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC) + self._ahead

    def pass_by(self, seconds: float) -> None:
        """Make it later by so many seconds; less than none is none."""
        self._ahead += timedelta(seconds=max(0.0, seconds))
        self._later.set()
        self._later = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for some time to pass, or make it pass."""
        until = self.now() + timedelta(seconds=seconds)
        if seconds > LONG and seconds != TICK_INTERVAL:
            await asyncio.sleep(A_MOMENT)
            await self.awake.wait()
            # Two tasks that sleep until the same time make it pass once.
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
    """The real time, but no sleep takes any, except the reconciler's."""

    async def sleep(self, seconds: float) -> None:
        """Return at once; for the reconciler, when its time has come."""
        if seconds == TICK_INTERVAL:
            await super().sleep(seconds)
        else:
            await asyncio.sleep(0)
