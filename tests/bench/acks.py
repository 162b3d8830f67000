"""Acks and writes, each beside the same without the bot."""

import asyncio
from statistics import median

from tests.bench.slack import Slack, first
from tests.bench.stage import Stage
from tests.bench.table import Row, ratio

PAUSE = 0.01  # seconds; the work behind one ack must not delay the next


async def acks(stage: Stage) -> list[Row]:
    """Ack a command over HTTP and over Socket Mode, and open a modal."""
    rows = []
    for people in (10, stage.size.crowd):
        await stage.stub.change(crowds=[{"size": people, "name": "Guest {:06d}"}])
        async with stage.bot() as bot:
            rows += await _http(Slack(stage, bot.url), people)
    async with stage.bot(http=False):
        rows.append(await _socket(stage))
    return rows


async def _http(slack: Slack, people: int) -> list[Row]:
    ours, bare, opened, bare_opened = ([] for _ in range(4))
    await _open(slack)
    for _ in range(slack.stage.size.rounds):
        pairs = [await _open(slack) for _ in range(slack.stage.size.requests)]
        others = [await _bare(slack) for _ in range(slack.stage.size.requests)]
        ours.append(median(one for one, _ in pairs))
        opened.append(median(one for _, one in pairs))
        bare.append(median(one for one, _ in others))
        bare_opened.append(median(one for _, one in others))
    return [
        ratio(f"`/kick` → ack by HTTP, {people} people / bare aiohttp", 2, ours, bare),
        ratio(f"`/kick` → `views.open`, {people} people / bare aiohttp", 2, opened, bare_opened),
    ]


async def _open(slack: Slack) -> tuple[float, float]:
    """Return the seconds to the ack and to `views.open`, after the form is there."""
    since = await slack.stage.stub.change()
    reply = await slack.post(slack.command())
    calls = await slack.stage.stub.calls(since, "views.update", 1)
    await asyncio.sleep(PAUSE)
    return reply.seconds, first(calls, "views.open") - reply.began


async def _bare(slack: Slack) -> tuple[float, float]:
    stage = slack.stage
    ack = await slack.post(slack.command(), f"{stage.bare}/ack")
    await asyncio.sleep(PAUSE)
    since = await stage.stub.change()
    opened = await slack.post(slack.command(), f"{stage.bare}/open")
    calls = await stage.stub.calls(since, "views.open", 1)
    await asyncio.sleep(PAUSE)
    return ack.seconds, first(calls, "views.open") - opened.began


async def _socket(stage: Stage) -> Row:
    figures: dict[str, list[float]] = {"bot": [], "bare": []}
    await stage.stub.connected(*figures)
    payload = Slack(stage, "").command_fields()
    envelope = {"type": "slash_commands", "payload": payload, "accepts_response_payload": True}
    for _ in range(stage.size.rounds):
        for who, medians in figures.items():
            taken = await stage.stub.exchange(who, stage.size.requests, PAUSE, envelope)
            medians.append(median(taken))
    return ratio("`/kick` → ack by Socket Mode / bare aiohttp", 2, *figures.values())


async def writes(stage: Stage) -> list[Row]:
    """Submit a kick, and approve a request."""
    await stage.stub.change(crowds=[{"size": 10, "name": "Guest {:06d}"}])
    submits, bare_writes, approvals, bare_calls = ([] for _ in range(4))
    async with stage.bot() as bot:
        slack = Slack(stage, bot.url)
        await _submit(slack)
        await _approve(slack)
        for _ in range(stage.size.rounds):
            each = range(max(2, stage.size.requests // 4))
            submits.append(median([await _submit(slack) for _ in each]))
            bare_writes.append(median([await _bare_write(slack) for _ in each]))
            approvals.append(median([await _approve(slack) for _ in each]))
            bare_calls.append(median([await _bare_call(slack) for _ in each]))
    return [
        ratio("submit → durable → ack / bare + one write", 4, submits, bare_writes),
        ratio("approve → kick on the wire / bare + one write", 2, approvals, bare_calls),
    ]


async def _submit(slack: Slack) -> float:
    view, _, _ = await slack.review(0, 3)
    since = await slack.stage.stub.change()
    reply = await slack.post(slack.submitted(view))
    await slack.stage.stub.calls(since, "chat.postMessage", 1)
    await asyncio.sleep(PAUSE)
    return reply.seconds


async def _approve(slack: Slack) -> float:
    view, _, _ = await slack.look(await slack.request(0, 3))
    await asyncio.sleep(PAUSE)
    since = await slack.stage.stub.change()
    reply = await slack.post(slack.submitted(view, "U0MO"))
    calls = await slack.stage.stub.calls(since, "chat.postMessage", 1)
    await asyncio.sleep(PAUSE)
    return first(calls, "kick") - reply.began


async def _bare_write(slack: Slack) -> float:
    reply = await slack.post(slack.command(), f"{slack.stage.bare}/write")
    await asyncio.sleep(PAUSE)
    return reply.seconds


async def _bare_call(slack: Slack) -> float:
    since = await slack.stage.stub.change()
    reply = await slack.post(slack.command(), f"{slack.stage.bare}/call")
    calls = await slack.stage.stub.calls(since, "kick", 1)
    await asyncio.sleep(PAUSE)
    return first(calls, "kick") - reply.began
