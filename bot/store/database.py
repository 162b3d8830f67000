"""Connections to SQLite or PostgreSQL, and work on them in transactions."""

import asyncio
import re
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from math import ceil
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.core.ports import StoreUnavailable
from bot.store.errors import translated_errors
from bot.store.queue import Queue

# If the server does not enforce its own timeout, the work is cancelled after the timeout times
# this factor.
_CANCEL_FACTOR = 1.25

# PostgreSQL allows 100 connections by default, and reserves 3 for superusers. Ten processes take
# at most 10 * (4 + 4) = 80. The other 17 are for `kickbot log`, an operator, and a process that
# starts before the old one has ended.
_OPTIONS = {"pool_size": 4, "max_overflow": 4, "hide_parameters": True}
_CONNECTIONS = 8
# What nobody waits for uses some of them, so that a crowd of it does not delay an ack or a call.
_PATIENT_CONNECTIONS = 4
_SILENT = "the database does not answer (see that the server is well)"
_LOCKED = "too many writes wait for the database"

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}

# The server's clock, also within a transaction. For SQLite, that of this machine.
_TIME = {
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
    "postgresql": "SELECT clock_timestamp()",
}

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers do not wait for the writer
    "PRAGMA synchronous = FULL",  # committed data survives a loss of power
    "PRAGMA foreign_keys = ON",  # off by default, and per connection
)
_BEGIN_IMMEDIATE = "kickbot_begin_immediate"

# PostgreSQL settings. The second one ends the transaction of a process that hangs within it, so
# that its locks do not block other processes.
_TIMEOUT_SETTINGS = ("statement_timeout", "idle_in_transaction_session_timeout")

T = TypeVar("T")
Work: TypeAlias = Callable[[AsyncConnection], Awaitable[T]]
_Connecting: TypeAlias = AbstractAsyncContextManager[AsyncConnection]


class Database:
    """Runs work on a connection, each in a transaction of its own.

    If the caller is cancelled, the work continues to its end. Connections are opened when first
    needed. Every call may raise StoreUnavailable, after about `timeout` seconds. If a server does
    not answer by then, the work is cancelled, which may take some seconds more.
    """

    def __init__(self, database_url: str, timeout: float) -> None:
        database = url(database_url)
        is_sqlite = database.get_backend_name() == "sqlite"
        self._timeout = timeout
        # The pool would raise an error if its connections are in use for too long.
        self._queue = Queue(_CONNECTIONS, timeout, _SILENT)
        self._patient_queue = Queue(_PATIENT_CONNECTIONS, timeout, _SILENT)
        # SQLite has one writer at a time, and waiting writers poll. A queue is fair.
        self._write_queues = (Queue(1, timeout, _LOCKED),) if is_sqlite else ()
        # A SQLite file is not a server that could stop answering.
        self._cancel_after = None if is_sqlite else timeout * _CANCEL_FACTOR
        if is_sqlite:
            self._engine = _sqlite_engine(database, timeout)
            self._writer = self._engine.execution_options(**{_BEGIN_IMMEDIATE: True})
            self._autocommit = self._writer
        else:
            # A single statement needs no transaction around it: that costs two more round trips.
            self._engine = self._autocommit = _postgresql_engine(database, timeout)
            # Conditional updates need this level. With a stricter default, the loser of a race
            # would get a serialization failure, not the current row.
            self._writer = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._running: set[asyncio.Task[Any]] = set()

    async def read(self, work: Work[T], *, urgent: bool = False) -> T:
        """Run work that changes nothing, and return its result."""
        queues = self._queues(urgent=urgent)
        try:
            return await self._run(queues, self.reading(), work, self._cancel_after)
        except StoreUnavailable as error:
            if not getattr(error.__cause__, "connection_invalidated", False):
                raise
        # The server closed the connection as it was used. A read does no harm twice.
        return await self._run(queues, self.reading(), work, self._cancel_after)

    async def write(self, work: Work[T], *, urgent: bool = False) -> T:
        """Run work, commit it unless it raises, and return its result."""
        queues = self._queues(*self._write_queues, urgent=urgent)
        return await self._run(queues, self._writing(self._writer), work, self._cancel_after)

    async def write_autocommit(self, work: Work[T], *, urgent: bool = False) -> T:
        """Run work with a single writing statement, which commits by itself."""
        queues = self._queues(*self._write_queues, urgent=urgent)
        return await self._run(queues, self._writing(self._autocommit), work, self._cancel_after)

    async def write_without_timeout(self, work: Work[T]) -> T:
        """Run work that may take long, and commit it unless it raises."""
        queues = self._queues(*self._write_queues, urgent=True)
        return await self._run(queues, self._writing(self._writer), work, None)

    def _queues(self, *writing: Queue, urgent: bool) -> list[Queue]:
        return [*(() if urgent else (self._patient_queue,)), *writing, self._queue]

    async def time(self) -> datetime:
        """Return the time of the database's clock, aware, in UTC."""
        query = _TIME[self._engine.dialect.name]
        value = await self.read(lambda db: _scalar(db, query))
        return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(
            UTC
        )

    async def close(self) -> None:
        """Wait for running work, and close the connections."""
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection to read from."""
        with translated_errors():
            async with self._engine.connect() as db:
                yield db

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection to write to, and commit at the end."""
        async with _turn(self._write_queues), self._writing(self._writer) as db:
            yield db

    @asynccontextmanager
    async def _writing(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with translated_errors():
            async with engine.begin() as db:
                yield db

    async def _run(
        self,
        queues: Sequence[Queue],
        connecting: _Connecting,
        work: Work[T],
        cancel_after: float | None,
    ) -> T:
        loop = asyncio.get_running_loop()
        late = loop.create_future()

        def give_up() -> None:
            # psycopg can be cancelled: it cancels the statement, or closes the connection.
            task.cancel()
            if not late.done():
                late.set_result(None)

        async def in_turn() -> T:
            async with _turn(queues):
                if cancel_after:
                    loop.call_later(cancel_after, give_up)
                async with connecting as db:
                    return await work(db)

        # In a task of its own: if aiosqlite is cancelled halfway, some of its connections keep an
        # open transaction, and the file stays locked.
        task = asyncio.create_task(in_turn())
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task, late}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() or task.cancelled():
            raise StoreUnavailable(_SILENT)
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        # Read the exception, or asyncio complains if the caller was cancelled.
        if not task.cancelled():
            task.exception()


@asynccontextmanager
async def _turn(queues: Sequence[Queue]) -> AsyncIterator[None]:
    """Wait in these queues, one after the other, and leave them at the end."""
    async with AsyncExitStack() as stack:
        for queue in queues:
            await stack.enter_async_context(queue)
        yield


async def _scalar(db: AsyncConnection, query: str) -> Any:
    return (await db.exec_driver_sql(query)).scalar_one()


def url(database_url: str) -> URL:
    """Return a DATABASE_URL with the driver that this store uses.

    Raises ValueError if the store can't use it. The message does not contain the password.
    """
    try:
        given = make_url(database_url)
    except (ArgumentError, ValueError):
        # The message of these errors may quote the URL, and with it the password.
        raise ValueError("this is not the URL of a database") from None
    if re.match("[^:/]+://[^:/]*+:[^@]*@.*@", database_url):
        # The rest of the password would count as the host, and be quoted as such.
        raise ValueError("write each @ in the user and the password as %40")
    driver = _DRIVERS.get(given.drivername)
    if not driver:
        known = ", ".join(f"{name}://" for name in _DRIVERS)
        raise ValueError(f"{given.drivername}:// is none of {known}")
    in_memory = ":memory:" in (given.database or ":memory:") or given.query.get("mode") == "memory"
    if given.drivername == "sqlite" and in_memory:
        raise ValueError("SQLite needs a file, as in sqlite:///kickbot.db: memory forgets kicks")
    return given.set(drivername=driver)


def _postgresql_engine(database: URL, timeout: float) -> AsyncEngine:
    milliseconds = ceil(timeout * 1000)
    engine = create_async_engine(
        database,
        isolation_level="AUTOCOMMIT",
        pool_timeout=timeout,
        # The server may vanish without closing the connection. The user timeout is for data that
        # it did not acknowledge, the keepalives are for its reply.
        connect_args={
            "connect_timeout": ceil(timeout),
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": ceil(timeout / 2),
            "keepalives_interval": 1,
            "keepalives_count": ceil(timeout / 2),
        },
        **_OPTIONS,
    )

    def set_timeouts(connection: Any, _record: object) -> None:
        # Not in `options` of the connection: poolers reject them, and DATABASE_URL may have some.
        cursor = connection.cursor()
        for setting in _TIMEOUT_SETTINGS:
            cursor.execute(f"SET {setting} = {milliseconds}")
        cursor.close()
        connection.commit()

    event.listen(engine.sync_engine, "connect", set_timeouts)
    event.listen(engine.sync_engine, "checkout", _check_open)
    return engine


def _check_open(connection: Any, _record: object, _proxy: object) -> None:
    # A server that closes an idle connection leaves something to read. This look costs nothing,
    # while a ping would cost a round trip each time. Then the pool connects again.
    poll = select.poll()
    poll.register(connection.driver_connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError("the server closed the connection")


def _sqlite_engine(database: URL, timeout: float) -> AsyncEngine:
    engine = create_async_engine(
        database, pool_timeout=timeout, connect_args={"timeout": timeout}, **_OPTIONS
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    # The driver would begin a transaction by itself, but too late for a lock. `_begin` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    # Take the write lock at once: SQLite does not let a reader wait for it later. A read is one
    # statement, which sees one state of the database anyway.
    if connection.get_execution_options().get(_BEGIN_IMMEDIATE):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
