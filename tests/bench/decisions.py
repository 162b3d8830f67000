"""Decisions on one PostgreSQL: CPU for each, and what more processes add."""

import asyncio
import time
from contextlib import AsyncExitStack

from tests.bench.slack import MO, Slack
from tests.bench.stage import Bot, Stage
from tests.bench.table import Row

IN_FLIGHT = 16
PROCESSES = 4
RESULT = "chat.postMessage"


async def decisions(stage: Stage) -> list[Row]:
    """Approve many requests with one process, and with four."""
    await stage.stub.change(crowds=[{"size": 10, "name": "Guest {:06d}"}])
    rate, cpu = await _decide(stage, 1)
    rates, _ = await _decide(stage, PROCESSES)
    note = f"{rates:.0f} / {rate:.0f} a second"
    return [
        Row("CPU per decision, PostgreSQL", cpu * 1000, 7, "ms"),
        Row("decisions, 4 processes / 1, PostgreSQL", rates / rate, 1.7, "", note, at_least=True),
    ]


async def _decide(stage: Stage, processes: int) -> tuple[float, float]:
    """Return the decisions in a second, and the CPU seconds for each."""
    database, count = stage.postgres(), stage.size.decisions
    async with AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(stage.bot(database)) for _ in range(processes)]
        slacks = [Slack(stage, bot.url) for bot in bots]
        views = [await _requested(slacks[at % processes], at) for at in range(count)]
        before, since, began = _cpu(bots), await stage.stub.change(), time.monotonic()
        remaining = iter([(slacks[at % processes], view) for at, view in enumerate(views)])
        sent = 0

        async def decide() -> None:
            nonlocal sent
            for slack, view in remaining:
                sent += 1
                await slack.post(view)
                # As many are open at any time as there are of these tasks.
                await stage.stub.wait(since, RESULT, sent - IN_FLIGHT + 1)

        await asyncio.gather(*(decide() for _ in range(IN_FLIGHT)))
        last = await stage.stub.wait(since, RESULT, count)
        await asyncio.sleep(1)
        return count / (last.at - began), (_cpu(bots) - before) / count


async def _requested(slack: Slack, at: int) -> str:
    """Return the form of the submit that approves a new request."""
    view, _, _ = await slack.look(await slack.request(0, at % 10))
    return slack.submitted(view, MO)


def _cpu(bots: list[Bot]) -> float:
    return sum(bot.process.cpu() for bot in bots)
