"""What the bot asks of its log again and again is found by an index, however long the log is."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from bot.core.kick import TeamId, UserId
from bot.store import SqlStore
from tests.bench.logs import ended_kicks
from tests.bench.stub import TEAM

COUNT = 20_000  # enough that PostgreSQL prefers an index to reading all rows
STEPS = COUNT // 4  # of SQLite's machine, which needs several for each row that it reads
NOW = datetime(2024, 6, 1, tzinfo=UTC)
QUESTIONS: dict[str, Callable[[SqlStore], Awaitable[Any]]] = {
    "kicks_by_due": lambda store: store.overdue_kicks(NOW),
    "notices_by_due": lambda store: store.overdue_messages(NOW),
    "kicks_by_requester": lambda store: store.recent_targets(UserId("U1"), NOW, NOW),
    "kicks_by_channel": lambda store: store.last_meeting(TeamId(TEAM), "C1"),
}


def fill(url: str) -> Callable[[str, Any], str]:
    """Add ended kicks to a database. Returns a function that explains a statement."""
    if url.startswith("sqlite"):
        database = sqlite3.connect(url.removeprefix("sqlite:///"))
        with closing(database):
            for statement in ended_kicks(COUNT):
                database.execute(statement)
            database.commit()
        return lambda statement, values: _sqlite_plan(url, statement, values)
    with psycopg.connect(url, autocommit=True) as db:
        for statement in (*ended_kicks(COUNT), "ANALYZE"):
            db.execute(statement)
    return lambda statement, values: _postgresql_plan(url, statement, values)


def _sqlite_plan(url: str, statement: str, values: Any) -> str:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        rows = database.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        steps: list[int] = []
        database.set_progress_handler(lambda: steps.append(1), STEPS)
        database.execute(statement, values).fetchall()
    assert not steps, rows
    return "\n".join(str(row[3]) for row in rows)


def _postgresql_plan(url: str, statement: str, values: Any) -> str:
    with psycopg.connect(url) as db:
        rows = db.execute(f"EXPLAIN {statement}", values).fetchall()
    return "\n".join(str(row[0]) for row in rows)


@pytest.mark.parametrize(
    "database", ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.services)]
)
@pytest.mark.parametrize("index", QUESTIONS)
async def test_the_log_is_read_by_an_index(
    index: str, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(database)
    store = SqlStore(url, team_id=TeamId(TEAM), app_id="app")
    asked: list[tuple[str, Any]] = []
    try:
        await store.start()
        explain = fill(url)
        event.listen(
            store._database._engine.sync_engine,
            "before_cursor_execute",
            lambda _db, _cursor, statement, values, *_: asked.append((statement, values)),
        )
        await QUESTIONS[index](store)
    finally:
        await store.close()
    plans = [explain(*one) for one in asked if one[0].startswith("SELECT")]
    assert len(plans) == 1
    assert index in plans[0]
    assert "SCAN kicks" not in plans[0]
    assert "SCAN targets" not in plans[0]
    assert "Seq Scan" not in plans[0]
