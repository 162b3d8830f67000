"""A fair queue in front of the connections to the database."""

import asyncio
from math import inf

from bot.core.ports import StoreUnavailable


class Queue:
    """Lets `size` users in at a time, in the order in which they came.

    The wait has no limit while others leave well: then the database is only busy. If nobody has
    left well for `timeout` seconds, the database is in trouble, and whoever waits gets
    StoreUnavailable with `problem`.
    """

    def __init__(self, size: int, timeout: float, problem: str) -> None:
        self._slots = asyncio.Semaphore(size)
        self._timeout = timeout
        self._problem = problem
        self._last_well = -inf

    async def __aenter__(self) -> None:
        """Wait for a turn."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        loop = asyncio.get_running_loop()
        came = loop.time()
        turn = asyncio.ensure_future(self._slots.acquire())
        try:
            while not turn.done():
                left = max(came, self._last_well) + self._timeout - loop.time()
                if left <= 0:
                    raise StoreUnavailable(self._problem)  # noqa: TRY301 - the turn is given back below
                await asyncio.wait({turn}, timeout=left)
        except BaseException:
            if turn.done():
                self._slots.release()
            else:
                turn.cancel()
            raise

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Let the next one in."""
        if not isinstance(error, StoreUnavailable | asyncio.CancelledError):
            self._last_well = asyncio.get_running_loop().time()
        self._slots.release()
