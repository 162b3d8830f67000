"""What a process has of its own: the real clock, and work that outlives a request."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime

logger = logging.getLogger(__name__)


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Tell the time, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Tasks:
    """Work that outlives the request that asked for it: owned here, so that it can be drained."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Start work."""
        task = asyncio.get_running_loop().create_task(_reported(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def drain(self, seconds: float) -> None:
        """Wait for all work, and for what that starts; cancel what is not done in time."""
        try:
            async with asyncio.timeout(seconds):
                while self._running:
                    await asyncio.wait(self._running)
        except TimeoutError:
            logger.warning("%s tasks did not end in %s s", len(self._running), seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _reported(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except Exception:
        # A fault of our own; there is nobody else who could hear of it.
        logger.exception("work in the background failed")
