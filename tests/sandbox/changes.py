"""A counter of changes that tasks can wait on, so that nothing has to poll."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """Counts the changes of one stand-in and wakes the tasks that wait for one."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def notify(self) -> None:
        """Count one change and wake every waiting task."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, predicate: Callable[[], T | None], within: float) -> T:
        """Return the first true value of `predicate`, which is called again after each change.

        Raises TimeoutError after `within` seconds.
        """
        async with asyncio.timeout(within):
            while True:
                if value := predicate():
                    return value
                await self._next.wait()
