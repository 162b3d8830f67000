"""The process: how fast it starts, what it holds, and what idle time costs."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator

from tests.bench.slack import Slack
from tests.bench.stage import Stage
from tests.bench.table import Row, ratio

IMPORT = "import slack_bolt.async_app; print(open('/proc/self/statm').read().split()[1])"
SETTLES = 3.0  # seconds
IN_FLIGHT = 8


async def start(stage: Stage) -> list[Row]:
    """Start the bot until its first ack, on both databases, and look at its memory."""
    await stage.stub.change(crowds=[{"size": 10, "name": "Guest {:06d}"}])
    databases = {"SQLite": stage.sqlite_url(), "PostgreSQL": stage.postgres()}
    for url in databases.values():
        # Later starts find the tables there, as most starts of an operator do.
        await _start(stage, url)
    await stage.python(IMPORT)
    imports, memory = [], []
    starts: dict[str, list[tuple[float, float]]] = {name: [] for name in databases}
    for _ in range(stage.size.rounds):
        seconds, pages = await stage.python(IMPORT)
        imports.append(seconds)
        memory.append(int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6)
        for name, url in databases.items():
            starts[name].append(await _start(stage, url))
    limits = {"SQLite": (1.8, 1.8), "PostgreSQL": (2.1, 2.0)}
    rows = []
    for name, figures in starts.items():
        times, held = zip(*figures, strict=True)
        what = f"start → first ack / import of Bolt, {name}"
        rows.append(ratio(what, limits[name][0], times, imports))
        what = f"idle memory / import of Bolt, {name}"
        rows.append(ratio(what, limits[name][1], held, memory, unit="MB"))
    return rows


async def _start(stage: Stage, database: str) -> tuple[float, float]:
    async with stage.bot(database) as bot:
        slack = Slack(stage, bot.url)
        await slack.post(slack.command())
        took = time.monotonic() - bot.process.began
        await asyncio.sleep(min(SETTLES, stage.size.idle))
        return took, bot.process.memory()


async def idle(stage: Stage) -> list[Row]:
    """Let the bot idle, and then send it many commands."""
    await stage.stub.change(crowds=[{"size": 10, "name": "Guest {:06d}"}])
    async with stage.bot() as bot:
        slack = Slack(stage, bot.url)
        since = await stage.stub.change()
        await slack.post(slack.command())
        await stage.stub.calls(since, "views.update", 1)
        await slack.kick(0, 3)
        before, cpu = await stage.stub.connections(), bot.process.cpu()
        await asyncio.sleep(stage.size.idle)
        cpu = bot.process.cpu() - cpu
        await slack.kick(0, 4)
        opened = await stage.stub.connections() - before
        grown = await _grown(slack, bot.process.memory)
    seconds, commands = f"{stage.size.idle:g} s", f"{stage.size.commands:,}"
    return [
        Row(f"new connections for a kick after {seconds} of idling", opened, 0),
        Row("CPU while idle", 100 * cpu / stage.size.idle, 0.5, "%"),
        Row(f"growth in the second half of {commands} commands", grown, 2, "MB"),
    ]


async def _grown(slack: Slack, memory: Callable[[], float]) -> float:
    """Return by how many MB the bot grows during the second half of many commands."""
    held = []
    for _ in range(2):
        remaining = iter(range(slack.stage.size.commands // 2))

        async def send(remaining: Iterator[int] = remaining) -> None:
            for _ in remaining:
                await slack.post(slack.command(user="U0STRANGER"))

        await asyncio.gather(*(send() for _ in range(IN_FLIGHT)))
        await asyncio.sleep(min(SETTLES, slack.stage.size.idle))
        held.append(memory())
    return held[1] - held[0]
