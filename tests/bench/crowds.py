"""What a crowd costs: type-ahead, and RealtimeKit calls."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from tests.bench.bare import MAX_OPTIONS
from tests.bench.slack import HAL, MAYA, Impossible, Slack
from tests.bench.stage import Call, Stage
from tests.bench.stub import participant_id
from tests.bench.table import Row, ratio

GUESTS, ONE_NAME = "Guest {:06d} of the bench", "Alex Doe"
TYPED = {"distinct": ("g", "gues", "guest 00", "bench"), "one": ("a", "alex", "x d", "doe")}
PAGE = 200
IN_FLIGHT = 7  # a page is read first; the others follow, so many at a time
DELAY = 0.02  # seconds
KEY = 0.25  # seconds from key to key
SIX = 6
BUDGET = 1200  # calls in five minutes


async def typing(stage: Stage) -> list[Row]:
    """Search among many people: warm, cold, and for a while."""
    size, rounds = stage.size.crowd, stage.size.rounds
    distinct = {"size": size, "name": GUESTS}
    crowds = [distinct, {"size": size, "name": ONE_NAME}, *[distinct] * (2 * rounds + 1)]
    await stage.stub.change(crowds=crowds)
    async with stage.bot() as bot:
        slack = Slack(stage, bot.url)
        rows = [*await _warm(slack, 0, "distinct"), *await _warm(slack, 1, "one")]
        rows.append(await _for_a_while(slack))
        await stage.stub.change(delay=DELAY)
        rows += await _cold(slack, range(2, 2 + rounds))
        rows.append(await _shared(slack, 2 + rounds))
        rows.append(await _stalls(slack, range(3 + rounds, 3 + 2 * rounds)))
        await stage.stub.change(delay=0)
    return rows


async def _warm(slack: Slack, meeting: int, names: str) -> list[Row]:
    await slack.post(slack.typed("", meeting))
    ours, bare = [], []
    for _ in range(slack.stage.size.rounds):
        url = f"{slack.stage.bare}/options/{names}"
        ours.append(median([await _key(slack, text, meeting) for text in TYPED[names] * 3]))
        bare.append(median([await _key(slack, text, meeting, url) for text in TYPED[names] * 3]))
    what = f"type-ahead per key, {slack.stage.size.crowd} people, {names} name"
    what += "s" if names == "distinct" else ""
    return [
        Row(what, median(ours) * 1000, 3, "ms"),
        ratio(f"{what} / the same without Bolt", 3, ours, bare),
    ]


async def _key(slack: Slack, text: str, meeting: int, url: str = "") -> float:
    reply = await slack.post(slack.typed(text, meeting), url)
    expected = min(MAX_OPTIONS, slack.stage.size.crowd)
    if len(reply.body["options"]) != expected and not url:
        raise Impossible(f"{len(reply.body['options'])} options for {text!r}")
    return reply.seconds


async def _for_a_while(slack: Slack) -> Row:
    stage = slack.stage
    await slack.post(slack.typed("", 0))
    since = await stage.stub.change()
    until, keys = time.monotonic() + stage.size.typing, 0
    while time.monotonic() < until:
        await slack.post(slack.typed(TYPED["distinct"][keys % 4], 0))
        keys += 1
        await asyncio.sleep(KEY)
    calls = _of_realtimekit(await stage.stub.calls(since))
    what = f"RealtimeKit calls in {stage.size.typing:g} s of typing, {stage.size.crowd} people"
    return Row(what, calls, 12, note=f"{keys} keys, after the first read")


async def _cold(slack: Slack, meetings: Sequence[int]) -> list[Row]:
    waves = 1 + -(-(slack.stage.size.crowd // PAGE - 1) // IN_FLIGHT)
    taken = [await _key(slack, "g", meeting) for meeting in meetings]
    what = f"cold read of {slack.stage.size.crowd} people at 20 ms a page / (waves · delay)"
    least = [waves * DELAY] * len(taken)
    return [ratio(what, 1.6, taken, least)]


async def _shared(slack: Slack, meeting: int) -> Row:
    since = await slack.stage.stub.change()
    await asyncio.gather(*(_key(slack, "g", meeting) for _ in range(SIX)))
    pages = sum(one.name == "participants" for one in await slack.stage.stub.calls(since))
    what = "pages read while six people type at once, cold / pages"
    needed = -(-slack.stage.size.crowd // PAGE)
    return Row(what, pages / needed, 1, note=f"{pages} / {needed}")


async def _stalls(slack: Slack, meetings: Sequence[int]) -> Row:
    """Measure how long a request waits that needs no work, while a crowd is read."""
    longest = []
    for meeting in meetings:
        reading = asyncio.create_task(_key(slack, "g", meeting))
        waits = []
        while not reading.done():
            began = time.monotonic()
            async with slack.stage.http.get(f"{slack.url}/none") as reply:
                await reply.read()
            waits.append(time.monotonic() - began)
        await reading
        longest.append((max(waits) - median(waits)) * 1000)
    what = f"longest stall of the event loop while {slack.stage.size.crowd} people are read"
    note = f"of {len(longest)} reads: {min(longest):.0f}-{max(longest):.0f}"
    return Row(what, median(longest), 20, "ms", note)


async def calls(stage: Stage) -> list[Row]:
    """Count RealtimeKit calls, from the command to the result; typing is not counted."""
    slack = Slack(stage, "")
    kicks = [await _count(slack, size, approved=False) for size in stage.size.crowds]
    approved = [await _count(slack, size, approved=True) for size in stage.size.crowds]
    sizes = [f"{size:,}" for size in stage.size.crowds]
    at = stage.size.crowds.index(stage.size.crowd)
    each = kicks[at]
    rows = [
        *(Row(f"RealtimeKit calls per kick, {size} people", count, 8)
          for size, count in zip(sizes, kicks, strict=True)),
        *(Row(f"RealtimeKit calls per approved request, {size} people", count, 10)
          for size, count in zip(sizes, approved, strict=True)),
    ]  # fmt: skip
    within = BUDGET // each if each else None
    what = f"kicks in five minutes within {BUDGET:,} calls, {sizes[at]} people"
    rows.append(Row(what, within, 120, note="computed from the calls per kick", at_least=True))
    return rows


async def _count(slack: Slack, size: int, *, approved: bool) -> int | None:
    """Return the calls of one kick by a bot that has just started; None if it is impossible."""
    stage, at = slack.stage, size // 2
    crowds = [{"size": 10, "name": GUESTS}, {"size": size, "name": GUESTS}]
    await stage.stub.change(crowds=crowds)
    async with stage.bot() as bot:
        slack.url = bot.url
        await slack.option(1, at)
        since = await stage.stub.change()
        await slack.post(slack.command(user=HAL if approved else MAYA))
        await stage.stub.calls(since, "views.update", 1)
        try:
            if approved:
                view, _, _ = await slack.look(await slack.request(1, at))
                await slack.post(slack.submitted(view, "U0MO"))
                made = await stage.stub.calls(since, "chat.postMessage", 2)
            else:
                made = await slack.kick(1, at, since=since)
        except (Impossible, TimeoutError):
            return None
    kicked = [one.body["participant_ids"] for one in made if one.name == "kick"]
    if kicked != [[participant_id(1, at)]]:
        raise RuntimeError(f"the wrong kick: {kicked}")
    return _of_realtimekit(made)


def _of_realtimekit(made: Sequence[Call]) -> int:
    return sum(one.service == "realtimekit" for one in made)
