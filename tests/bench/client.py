"""The RealtimeKit client alone, in this process, beside bare httpx."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from statistics import median

import httpx
from pydantic import SecretStr

from bot.realtimekit import App, GatewayError, MeetingId, ParticipantId, RealtimeKit, http_client
from tests.bench.stage import Stage
from tests.bench.stub import KIT
from tests.bench.table import Row, ratio

MEETING, GUEST = MeetingId("m0"), ParticipantId("a")
TARGETS, IN_FLIGHT, DELAY = 25, 8, 0.05
Call = Callable[[], Awaitable[object]]


async def client(stage: Stage) -> list[Row]:
    """Measure one kick call, 25 of them at once, and what a failure makes the client do."""
    await stage.stub.change(crowds=[{"size": 10, "name": "Guest {:06d}"}])
    headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}
    async with (
        http_client(stage.stub.url) as http,
        httpx.AsyncClient(base_url=stage.stub.url + KIT, headers=headers) as bare,
    ):
        kit = RealtimeKit(http, App("a", "app", SecretStr("token")))
        body = {"participant_ids": [GUEST]}

        async def ours() -> object:
            return await kit.kick(MEETING, participant_ids=[GUEST])

        async def others() -> object:
            return (await bare.post("/meetings/m0/active-session/kick", json=body)).json()

        rows = await _one(stage, ours, others)
        rows.append(await _many(stage, ours))
        rows += await _failing(stage, ours)
    return rows


async def _one(stage: Stage, ours: Call, others: Call) -> list[Row]:
    cpu: tuple[list[float], list[float]] = ([], [])
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(stage.size.rounds):
        for at, call in enumerate((ours, others)):
            began, each = time.process_time(), []
            for _ in range(stage.size.requests * 4):
                since = time.monotonic()
                await call()
                each.append(time.monotonic() - since)
            cpu[at].append((time.process_time() - began) / len(each))
            taken[at].append(median(each))
    return [
        ratio("one kick call, CPU / bare httpx", 1.15, *cpu),
        ratio("one kick call, time / bare httpx", 1.15, *taken),
    ]


async def _many(stage: Stage, ours: Call) -> Row:
    await stage.stub.change(delay=DELAY)
    taken = []
    for _ in range(stage.size.rounds):
        began = time.monotonic()
        await asyncio.gather(*(ours() for _ in range(TARGETS)))
        taken.append(time.monotonic() - began)
    await stage.stub.change(delay=0)
    least = [-(-TARGETS // IN_FLIGHT) * DELAY] * len(taken)
    return ratio("25 kick calls at 50 ms, 8 in flight / (waves · delay)", 1.3, taken, least)


async def _failing(stage: Stage, ours: Call) -> list[Row]:
    posts, longest = [], 0.0
    faults = ("500", "reset", "hang") if stage.size.idle > 1 else ("500", "reset")
    for fault in faults:
        since, began = await stage.stub.change(fault=fault), time.monotonic()
        with suppress(GatewayError):
            await ours()
        longest = max(longest, time.monotonic() - began)
        posts.append(sum(one.name == "kick" for one in await stage.stub.calls(since)))
    await stage.stub.change(fault="")
    kinds = ", ".join(faults)
    return [
        Row(f"posts of one kick call that fails ({kinds})", max(posts), 1),
        Row("the longest answer of these", longest, 10, "s"),
    ]
