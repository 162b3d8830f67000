"""Tasks in the background."""

import asyncio
import logging
from collections.abc import Coroutine

logger = logging.getLogger(__name__)


class Tasks:
    """Tasks that outlive the requests they came from. The bot waits for them before it exits."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[object, object, object]) -> None:
        """Start the work in a task of its own. Implements `Spawn`."""
        task = asyncio.get_running_loop().create_task(_with_logging(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def count(self) -> int:
        """Return how many tasks have not ended."""
        return len(self._running)

    async def drain(self, seconds: float) -> None:
        """Wait for all tasks, and for those that they start; cancel the rest after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while self._running:
                    await asyncio.wait(self._running)
        except TimeoutError:
            logger.warning("%s tasks did not end in %s s", len(self._running), seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _with_logging(work: Coroutine[object, object, object]) -> None:
    try:
        await work
    except Exception:
        # A bug in the bot. No caller waits for the task, so only the log can report it.
        logger.exception("a task in the background failed")
