"""Work with a database in transactions that nothing interrupts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.ports import StoreDown
from bot.store.engine import WRITES, build, translated, url

T = TypeVar("T")
Work: TypeAlias = Callable[[AsyncConnection], Awaitable[T]]


class Database:
    """Runs work on a connection, each in one transaction: done as a whole or not at all.

    Work whose caller is cancelled goes on to its end. Connections are opened when first needed.
    What the database can't do is StoreDown, after at most about `patience` seconds of waiting.
    """

    def __init__(self, database_url: str, patience: float) -> None:
        database = url(database_url)
        self._engine = build(database, patience)
        self._writer = self._engine.execution_options(**WRITES)
        self._patience = patience
        # SQLite has one writer at a time, and those who wait for it poll; a queue is fair.
        self._queue = asyncio.Lock() if database.get_backend_name() == "sqlite" else None
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        """Do work that changes nothing."""
        return await self._run(self.reading(), work)

    async def write(self, work: Work[T]) -> T:
        """Do work, and commit it unless it raises."""
        return await self._run(self.writing(), work)

    async def close(self) -> None:
        """Let the work under way end, and close the connections."""
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Hold a connection to read from."""
        with translated():
            async with self._engine.connect() as db:
                yield db

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Hold a connection to write to; committed at the end."""
        with translated():
            async with self._turn(), self._writer.begin() as db:
                yield db

    async def _run(self, where: AbstractAsyncContextManager[AsyncConnection], work: Work[T]) -> T:
        # A task of its own, because cancelling a driver midway ends badly: of aiosqlite's
        # connections it leaves some with an open transaction, and so the file locked.
        task = asyncio.create_task(_within(where, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if not self._queue:
            yield
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._queue.acquire()
        except TimeoutError:
            raise StoreDown("too many writes wait for the database") from None
        try:
            yield
        finally:
            self._queue.release()


async def _within(where: AbstractAsyncContextManager[AsyncConnection], work: Work[T]) -> T:
    async with where as db:
        return await work(db)
