"""What people wait for between two taps, if each remote call takes 100 ms."""

import asyncio

from tests.bench.slack import MO, Reply, Slack, first
from tests.bench.stage import Stage
from tests.bench.table import Row, milliseconds

DELAY = 0.1  # seconds


async def taps(stage: Stage) -> list[Row]:
    """Measure submit → kick, the look at a request, and approve → kick."""
    await stage.stub.change(crowds=[{"size": 10, "name": "Guest {:06d}"}], delay=DELAY)
    acks: list[Reply] = []
    kicks, looks, approvals = [], [], []
    async with stage.bot() as bot:
        slack = Slack(stage, bot.url)
        since = await stage.stub.change()
        acks.append(await slack.post(slack.command()))
        await stage.stub.calls(since, "views.update", 1)
        for _ in range(stage.size.rounds):
            view, formed, _ = await slack.review(0, 3)
            since = await stage.stub.change()
            submitted = await slack.post(slack.submitted(view))
            calls = await stage.stub.calls(since, "chat.postMessage", 1)
            kicks.append(first(calls, "kick") - submitted.began)
            # What this round did after its answer must not run beside the next step.
            await asyncio.sleep(3 * DELAY)
            kick = await slack.request(0, 3)
            await asyncio.sleep(3 * DELAY)
            view, looked, calls = await slack.look(kick)
            looks.append(first(calls, "views.update") - looked.began)
            since = await stage.stub.change()
            approved = await slack.post(slack.submitted(view, MO))
            calls = await stage.stub.calls(since, "chat.postMessage", 1)
            approvals.append(first(calls, "kick") - approved.began)
            await asyncio.sleep(3 * DELAY)
            acks += [formed, submitted, looked, approved]
    await stage.stub.change(delay=0)
    late = sum(one.seconds >= DELAY for one in acks)
    return [
        milliseconds("submit → kick, at 100 ms a call", 125, kicks),
        milliseconds("look at a request, at 100 ms a call", 215, looks),
        milliseconds("approve → kick, at 100 ms a call", 240, approvals),
        Row("acks that waited for a remote call", late, 0, note=f"of {len(acks)}, the first too"),
    ]
