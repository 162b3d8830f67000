"""Connections to SQLite or PostgreSQL, set up alike. Their errors become StoreUnavailable."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.core.ports import StoreUnavailable

_WRITES = {"kickbot_writes": True}
# PostgreSQL lets in 100, of which it keeps 3 for superusers. Ten processes take 10 * (4 + 4) = 80
# at most; the other 17 are for `kickbot log`, an operator and a process that starts before the old
# one ended.
_POOL = {"pool_size": 4, "max_overflow": 4}

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",  # readers do not wait for the writer
    "PRAGMA synchronous = FULL",  # what was committed survives a loss of power
    "PRAGMA foreign_keys = ON",  # off by default, and per connection
)

# In PostgreSQL; the second so that a process that stands still within a write keeps nobody waiting.
_LIMITED = ("statement_timeout", "idle_in_transaction_session_timeout")

_UNREACHED = "see that the server runs and that DATABASE_URL names its host and port"
_RESTARTED = "if the server restarts, try again in a moment"
_LOCKED = "it is overloaded, or something keeps its tables locked"
_CROWDED = "run fewer processes, or raise its max_connections"

# A part of what a driver says, and what helps.
_ADVICE = {
    "is locked": "another process keeps the file to itself",
    "is full": "free some space where the database is kept",
    "unable to open": "see that the folder exists and that this process may write to it",
    "readonly": "see that this process may write to the file and its folder",
    "malformed": "restore a backup",
    "not a database": "DATABASE_URL names a file of another kind",
    "Is the server running": _UNREACHED,
    "timeout expired": _UNREACHED,
    "starting up": _RESTARTED,
    "shutting down": _RESTARTED,
    "closed the connection": _RESTARTED,
    "due to administrator": _RESTARTED,
    "statement timeout": _LOCKED,
    "lock timeout": _LOCKED,
    "too many clients": _CROWDED,
    "connection slots": _CROWDED,
    "authentication": "see that DATABASE_URL has the right user and password",
    "permission denied": "give the database's user the right to create and write tables",
}


def url(database_url: str) -> URL:
    """Name the driver that goes with a DATABASE_URL.

    Raises ValueError for one that this store can't use, in words without the password.
    """
    try:
        given = make_url(database_url)
    except (ArgumentError, ValueError):
        # What these say may quote the URL, and with it the password.
        raise ValueError("this is not the URL of a database") from None
    driver = _DRIVERS.get(given.drivername)
    if not driver:
        known = ", ".join(f"{one}://" for one in _DRIVERS)
        raise ValueError(f"{given.drivername}:// is none of {known}")
    if given.drivername == "sqlite" and _in_memory(given):
        raise ValueError("SQLite needs a file, as in sqlite:///kickbot.db: memory forgets kicks")
    return given.set(drivername=driver)


def _in_memory(given: URL) -> bool:
    return ":memory:" in (given.database or ":memory:") or given.query.get("mode") == "memory"


def create_engine(database: URL, patience: float) -> AsyncEngine:
    """Build an engine; it connects when first used.

    `patience` is how long, in seconds, a call waits for a lock, a free connection or a server.
    """
    if database.get_backend_name() == "sqlite":
        return _sqlite(database, patience)
    return _postgresql(database, patience)


def writing_engine(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine as writes need it; it shares the connections of the one given."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**_WRITES)
    # Conditional updates rely on it: under a stricter default the loser of a race would be told
    # of a failed serialization, not of who won.
    return engine.execution_options(isolation_level="READ COMMITTED")


def autocommit_engine(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine for single writes: in PostgreSQL these need no transaction around them."""
    return writing_engine(engine) if engine.dialect.name == "sqlite" else engine


def _postgresql(database: URL, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        database,
        hide_parameters=True,
        # A transaction around a single statement is two more ways to the server.
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        pool_timeout=patience,
        connect_args=_until_given_up(patience),
        **_POOL,
    )

    def limit(connection: Any, _record: object) -> None:
        # Not by `options` of the connection: poolers refuse them, and DATABASE_URL may have some.
        cursor = connection.cursor()
        for setting in _LIMITED:
            cursor.execute(f"SET {setting} = {ceil(patience * 1000)}")
        cursor.close()
        connection.commit()

    event.listen(engine.sync_engine, "connect", limit)
    return engine


def _until_given_up(patience: float) -> dict[str, int]:
    # A server that is gone without a word: the user timeout is for what it did not acknowledge,
    # the keepalives for the answer to what it did.
    half = ceil(patience / 2)
    return {
        "connect_timeout": ceil(patience),
        "tcp_user_timeout": ceil(patience * 1000),
        "keepalives_idle": half,
        "keepalives_interval": 1,
        "keepalives_count": half,
    }


def _sqlite(database: URL, patience: float) -> AsyncEngine:
    engine = create_async_engine(
        database,
        hide_parameters=True,
        pool_timeout=patience,
        connect_args={"timeout": patience},
        **_POOL,
    )
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, too late for a lock: `_begin` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    # At once, because who reads first and asks for the write lock later can't wait for it.
    # Reads are single statements, which see one state of the database anyway.
    if _WRITES.items() <= connection.get_execution_options().items():
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what a driver raises into StoreUnavailable; a broken constraint stays what it is."""
    try:
        yield
    except IntegrityError:
        raise
    except NoConnectionFree as error:
        raise StoreUnavailable("every connection to the database is in use for too long") from error
    except DBAPIError as error:
        raise StoreUnavailable(_words(str(error.orig))) from error


def _words(said: str) -> str:
    first = said.strip().partition("\n")[0]
    advice = next((advice for sign, advice in _ADVICE.items() if sign in said), "")
    return f"the database says: {first}" + (f" ({advice})" if advice else "")
