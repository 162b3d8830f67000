"""`kickbot demo`: the stand-ins, the real bot started as an operator would, and a journey."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bot.sandbox.place import HOME, MANIFEST, Place, open_place
from bot.sandbox.slack import CannotError, WaitedInVainError
from bot.sandbox.tour import NotSo, Tour

UP = re.compile(r"kickbot is up: .*port (\d+)")
STARTS_WITHIN = 30.0
STOPS_WITHIN = 25.0


class DidNotStart(Exception):
    """The bot ended, or said nothing for too long, before it was up."""


async def demo(*, http: bool, stay: bool) -> int:
    """Play the journey; return 0 only if everything it printed really happened."""
    if not MANIFEST.exists():
        _say("The demo reads manifest.yml beside the package: run it from a clone.")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="kickbot-demo-"))
    try:
        async with open_place() as place, _bot(place, folder, http=http):
            await Tour(place, _say).play()
            if stay:
                await _stay(place)
    except (NotSo, CannotError, WaitedInVainError, DidNotStart) as error:
        _say(f"\nThe demo failed: {error}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


@asynccontextmanager
async def _bot(place: Place, folder: Path, *, http: bool) -> AsyncIterator[None]:
    """Run the bot as a process of its own that knows nothing but its environment."""
    settings = place.settings(http=http, database_url=f"sqlite:///{folder / 'kickbot.db'}")
    _say(f"Starting the bot in {'HTTP mode' if http else 'Socket Mode'}: python -m bot run")
    process = await _started(settings)
    try:
        port, reading = await _is_up(process)
        if http:
            place.slack.deliver_to(f"http://127.0.0.1:{port}/slack/events")
        yield
    finally:
        await _stopped(process)
    await reading


async def _started(settings: Mapping[str, str]) -> Process:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", stderr=PIPE, cwd=HOME, env={**kept, **settings}
    )


async def _is_up(process: Process) -> tuple[int, asyncio.Task[None]]:
    said = []
    try:
        async with asyncio.timeout(STARTS_WITHIN):
            async for line in _lines(process):
                said.append(line)
                if up := UP.search(line):
                    # Read on: a full pipe would stop the bot.
                    return int(up[1]), asyncio.create_task(_pass_on(process))
    except TimeoutError as error:
        raise DidNotStart("the bot was not up in time\n" + "\n".join(said)) from error
    raise DidNotStart("the bot ended at start\n" + "\n".join(said))


async def _lines(process: Process) -> AsyncIterator[str]:
    if process.stderr is not None:
        async for line in process.stderr:
            yield line.decode(errors="replace").rstrip()


async def _pass_on(process: Process) -> None:
    async for line in _lines(process):
        if " INFO " not in line:
            _say(f"    bot: {line}")


async def _stopped(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOPS_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _stay(place: Place) -> None:
    _say(HOW_TO_GO_ON.format(slack=place.slack.url, rooms=place.rooms.origin))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


HOW_TO_GO_ON = """
The bot and both stand-ins stay up until Ctrl-C. Act as Maya, the moderator, from another terminal:

  ACT={slack}/sandbox/as/U0MAYA ; JSON='content-type: application/json'
  curl -s -X POST $ACT/command -H "$JSON" -d '{{"channel": "C0LIVE", "text": "/kick tom spam"}}'
  curl -s $ACT                 # what she sees; "rendered" is the text of it
  curl -s -X POST $ACT/submit  # the last tap: Kick

More than three within two minutes take a second person: Mo is U0MO, and the card is in C0MODS.
Who else there is: {slack}/sandbox/people     Who is in the meeting: {rooms}/sandbox/meetings
Break something, here the answer to the next kick:
  FAULTS={rooms}/sandbox/faults
  curl -s -X PUT $FAULTS/reset_after -H "$JSON" -d '{{"op": "kick", "times": 1}}'
All that can be broken: {rooms}/sandbox/faults and {slack}/sandbox/faults
"""
