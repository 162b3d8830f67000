"""What the bot asks of its log again and again, with a short log and a long one."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from statistics import median

from bot.core.kick import TeamId
from bot.store import SqlStore
from tests.bench.stage import Stage
from tests.bench.stub import TEAM
from tests.bench.table import Row

LOOKS = 15

# Kicks that have ended, with a target and a delivered result each. Both databases know this SQL.
_NUMBERS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
"""
_ENDED = (
    """
INSERT INTO kicks (id, key, team_id, app_id, channel_id, meeting_id, meeting_title, session_id,
  requester, reason, created_at, state, version, refusal, done_at)
""",
    """
SELECT 'k' || i, 'v' || i, '{team}', 'app', 'C' || (i % 50), 'm' || (i % 9), 'Weekly', 's1',
  'U' || (i % 97), 'spam', '2024-01-01T00:00:00.' || (100000 + i % 900000) || '+00:00', 'done', 4,
  '', '2024-01-01T00:00:01.000000+00:00' FROM n
""",
    """
INSERT INTO targets (kick_id, position, participant_id, name, live, checked, peers, outcome, why,
  detail)
""",
    "SELECT 'k' || i, 0, 'p' || i, 'Guest', true, true, '[]', 'kicked', 'confirmed', '' FROM n",
    "INSERT INTO notices (kick_id, kind, since, version, attempts, doubtful)",
    "SELECT 'k' || i, 'result', '2024-01-01T00:00:01.000000+00:00', 1, 0, false FROM n",
)


def ended_kicks(count: int) -> list[str]:
    """Return statements that add so many kicks to empty tables, one statement for each table."""
    pairs = zip(_ENDED[::2], _ENDED[1::2], strict=True)
    return [(into + _NUMBERS + rows).format(count=count, team=TEAM) for into, rows in pairs]


async def log(stage: Stage) -> list[Row]:
    """Time the reconciler's reads on SQLite, with a short log and a long one."""
    looks = [await _looks(stage, count) for count in stage.size.logs]
    short, long = (f"{count:,}" for count in stage.size.logs)
    rows = [
        Row(f"the reconciler's look, {count} kicks (SQLite)", median(taken) * 1000, 2, "ms")
        for count, taken in zip((short, long), looks, strict=True)
    ]
    growth = median(looks[1]) / median(looks[0])
    return [*rows, Row(f"the same, {long} kicks / {short}", growth, 1.3)]


async def _looks(stage: Stage, count: int) -> list[float]:
    url = stage.sqlite_url()
    store = SqlStore(url, team_id=TeamId(TEAM), app_id="app")
    await store.start()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        for statement in ended_kicks(count):
            database.execute(statement)
        database.commit()
    taken = []
    try:
        for _ in range(LOOKS):
            began = time.monotonic()
            await store.overdue_kicks(datetime.now(UTC))
            await store.overdue_messages(datetime.now(UTC))
            taken.append(time.monotonic() - began)
    finally:
        await store.close()
    return taken
