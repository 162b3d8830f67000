"""`python -m tests.bench`: measure the bot, and print a table of figures and targets."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from platform import machine, python_version
from typing import Final
from uuid import uuid4

import psycopg

from tests.bench.acks import acks, writes
from tests.bench.client import client
from tests.bench.crowds import calls, typing
from tests.bench.decisions import decisions
from tests.bench.logs import log
from tests.bench.processes import idle, start
from tests.bench.stage import Size, Stage, opened
from tests.bench.table import Row, table
from tests.bench.taps import taps
from tests.conftest import _postgres

Benchmark = Callable[[Stage], Awaitable[list[Row]]]
BENCHMARKS: Final[dict[str, Benchmark]] = {
    one.__name__: one
    for one in (client, acks, writes, taps, calls, typing, log, decisions, start, idle)
}


async def measure(names: Sequence[str], folder: Path, size: Size, server: object) -> list[Row]:
    """Run these benchmarks and return their rows. `server` is a PostgreSQL server."""
    rows = []
    async with opened(folder, lambda: new_database(server), size) as stage:
        for name in names:
            began = time.monotonic()
            rows += await BENCHMARKS[name](stage)
            sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return rows


def new_database(server: object) -> str:
    """Return the URL of a new database of this server."""
    get_uri = getattr(server, "get_uri")  # noqa: B009 - the package has no types
    name = f"bench_{uuid4().hex}"
    with psycopg.connect(get_uri(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
    return str(get_uri(database=name))


def main() -> int:
    """Measure what was asked for, and print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="this benchmark alone")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each figure")
    given = parser.parse_args()
    began = time.monotonic()
    names = [given.only] if given.only else list(BENCHMARKS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kickbot-bench-")))
        server = stack.enter_context(_postgres())
        rows = asyncio.run(measure(names, folder, Size(rounds=given.rounds), server))
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    when, where = f"{datetime.now(UTC):%Y-%m-%d}", f"Python {python_version()}, {machine()}"
    took = f"{when}: {os.cpu_count()} cores, {where}, {minutes} min {seconds} s."
    sys.stdout.write(f"{table(rows)}\n\n{took}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
