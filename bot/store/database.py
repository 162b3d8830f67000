"""Work with a database in transactions that nothing interrupts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.core.ports import StoreUnavailable
from bot.store.engine import (
    autocommit_engine,
    create_engine,
    translated_errors,
    url,
    writing_engine,
)

# A server that does not even give up by itself gets this much more than the patience.
_LEEWAY = 1.25

T = TypeVar("T")
Work: TypeAlias = Callable[[AsyncConnection], Awaitable[T]]
Where: TypeAlias = AbstractAsyncContextManager[AsyncConnection]


class Database:
    """Runs work on a connection: each is done as a whole or not at all.

    Work whose caller is cancelled goes on to its end. Connections are opened when first needed.
    What the database can't do raises StoreUnavailable, after at most about `patience` seconds.
    Work of a server that does not answer by then is called off, which may take some seconds more.
    """

    def __init__(self, database_url: str, patience: float) -> None:
        database = url(database_url)
        self._engine = create_engine(database, patience)
        self._writer = writing_engine(self._engine)
        self._single = autocommit_engine(self._engine)
        self._patience = patience
        sqlite = database.get_backend_name() == "sqlite"
        # SQLite has one writer at a time, and those who wait for it poll; a queue is fair.
        self._queue = asyncio.Lock() if sqlite else None
        # Its file is not a server that could fall silent.
        self._limit = None if sqlite else patience * _LEEWAY
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T]) -> T:
        """Do work that changes nothing."""
        return await self._run(self.reading(), work, self._limit)

    async def write(self, work: Work[T]) -> T:
        """Do work, and commit it unless it raises."""
        return await self._run(self.writing(), work, self._limit)

    async def write_autocommit(self, work: Work[T]) -> T:
        """Do work of which one statement writes: that is done as a whole by itself."""
        return await self._run(self.writing(self._single), work, self._limit)

    async def write_without_timeout(self, work: Work[T]) -> T:
        """Do work that may take long, and commit it unless it raises."""
        return await self._run(self.writing(), work, None)

    async def close(self) -> None:
        """Let the work under way end, and close the connections."""
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Hold a connection to read from."""
        with translated_errors():
            async with self._engine.connect() as db:
                yield db

    @asynccontextmanager
    async def writing(self, by: AsyncEngine | None = None) -> AsyncIterator[AsyncConnection]:
        """Hold a connection to write to; committed at the end."""
        with translated_errors():
            async with self._write_lock(), (by or self._writer).begin() as db:
                yield db

    async def _run(self, where: Where, work: Work[T], limit: float | None) -> T:
        # A task of its own, because cancelling a driver midway ends badly: of aiosqlite's
        # connections it leaves some with an open transaction, and so the file locked.
        task = asyncio.create_task(_within(where, work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        if limit:
            # psycopg bears it: it calls the statement off, or closes the connection.
            asyncio.get_running_loop().call_later(limit, task.cancel)
        done, _ = await asyncio.wait({task}, timeout=limit)
        if not done or task.cancelled():
            raise StoreUnavailable("the database does not answer (see that the server is well)")
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        # Looked at, because the caller may be gone, and asyncio would complain.
        if not task.cancelled():
            task.exception()

    @asynccontextmanager
    async def _write_lock(self) -> AsyncIterator[None]:
        if not self._queue:
            yield
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._queue.acquire()
        except TimeoutError:
            raise StoreUnavailable("too many writes wait for the database") from None
        try:
            yield
        finally:
            self._queue.release()


async def _within(where: Where, work: Work[T]) -> T:
    async with where as db:
        return await work(db)
