"""`make demo`: the stand-ins, the real bot started as an operator would, and a journey."""

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

from tests.sandbox.front import open_page
from tests.sandbox.place import HOME, Place, open_place
from tests.sandbox.slack import CannotError, WaitedInVainError
from tests.sandbox.tour import NotSo, Tour

UP = re.compile(r"kickbot is up: .*port (\d+)")
STARTS_WITHIN = 30.0
STOPS_WITHIN = 25.0


class NotUp(Exception):
    """The bot ended by itself, or said nothing for too long when it started."""


async def demo(*, http: bool, stay: bool) -> int:
    """Play the journey; return 0 only if everything it printed really happened."""
    folder = Path(tempfile.mkdtemp(prefix="kickbot-demo-"))
    try:
        async with (
            open_place() as place,
            open_page(place) as page,
            _bot(place, folder, http=http) as process,
        ):
            await Tour(place, _say).play()
            if stay:
                await _stay(place, page, process)
    except (NotSo, CannotError, WaitedInVainError, NotUp) as error:
        _say(f"\nThe demo failed: {error}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


@asynccontextmanager
async def _bot(place: Place, folder: Path, *, http: bool) -> AsyncIterator[Process]:
    """Run the bot as a process of its own that knows nothing but its environment."""
    settings = place.settings(http=http, database_url=f"sqlite:///{folder / 'kickbot.db'}")
    _say(f"Starting the bot in {'HTTP mode' if http else 'Socket Mode'}: python -m bot run")
    process = await _started(settings)
    try:
        port, reading = await _is_up(process)
        if http:
            place.slack.deliver_to(f"http://127.0.0.1:{port}/slack/events")
        yield process
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
        raise NotUp("the bot was not up in time\n" + "\n".join(said)) from error
    raise NotUp("the bot ended at start\n" + "\n".join(said))


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


async def _stay(place: Place, page: str, process: Process) -> None:
    _say(HOW_TO_GO_ON.format(page=page, slack=place.slack.url, rooms=place.realtimekit.origin))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ended = asyncio.create_task(process.wait())
    ended.add_done_callback(lambda _: stop.set())
    await stop.wait()
    if ended.done():
        raise NotUp(f"the bot ended by itself, with exit code {ended.result()}")
    ended.cancel()


HOW_TO_GO_ON = """
The bot and both stand-ins stay up until Ctrl-C. Try it yourself, in a browser on this machine:

  {page}

You are Maya, a moderator; "Act as" makes you somebody else. More than three people within two
minutes take a second person: open a second window as Mo, and look into #mods. On the right are
the meeting, all that can be made to go wrong, and the calls the bot made.

The same without a browser: {slack}/sandbox/people, {rooms}/sandbox/meetings,
and each service's /sandbox/faults.
"""
