"""Waiting for something to change, without asking again and again."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Pulse:
    """Beats whenever something has changed; `beats` counts, so that a page can ask since when."""

    def __init__(self) -> None:
        self.beats = 0
        self._next = asyncio.Event()

    def beat(self) -> None:
        """Wake everyone who waits."""
        self.beats += 1
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, predicate: Callable[[], T | None], patience: float) -> T:
        """Return the first truthy value of the predicate, or raise TimeoutError."""
        async with asyncio.timeout(patience):
            while True:
                if value := predicate():
                    return value
                await self._next.wait()
