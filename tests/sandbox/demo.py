"""`make demo`: starts the stand-ins and the real bot, plays a tour, and serves the page."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.sandbox.page_server import open_page
from tests.sandbox.sandbox import ROOT, Sandbox, open_sandbox
from tests.sandbox.slack import ActionError, TimedOutError
from tests.sandbox.tour import Tour, TourError

UP: Final = re.compile(r"kickbot is up: .*port (\d+)")
START_TIMEOUT: Final = 30.0  # seconds
STOP_TIMEOUT: Final = 25.0  # seconds

INTRODUCTION: Final = """\
This demo starts stand-ins for Slack and RealtimeKit on this machine, and the real bot. It plays two
kicks and prints what the users see. {then}"""
SERVES: Final = "Then it serves a web page on which you can try the bot yourself."
ENDS: Final = "Then it ends."

INSTRUCTIONS: Final = """
The bot and both stand-ins run until Ctrl-C. Try the bot in a browser on this machine:

  {page}

You are Maya, a moderator. "Act as" makes you another user. To remove more than three people within
two minutes you need a second person: open a second window as Mo, and look into #mods. On the right
are the meeting, the faults that you can switch on, and the calls of the bot.

Without a browser: {slack}/sandbox/people, {realtimekit}/sandbox/meetings,
and /sandbox/faults of each service.
"""


class BotProcessError(Exception):
    """The bot's process ended by itself, or was not up in time."""


async def demo(*, http: bool, stay: bool) -> int:
    """Play the tour. Return 0 only if all that it printed is true."""
    _say(INTRODUCTION.format(then=SERVES if stay else ENDS))
    with tempfile.TemporaryDirectory(prefix="kickbot-demo-", ignore_cleanup_errors=True) as folder:
        try:
            async with (
                open_sandbox() as sandbox,
                open_page(sandbox) as page,
                _run_bot(sandbox, Path(folder), http=http) as process,
            ):
                await Tour(sandbox, _say).play()
                if stay:
                    await _stay(sandbox, page, process)
        except (TourError, ActionError, TimedOutError, BotProcessError) as error:
            _say(f"\nThe demo failed: {error}")
            return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


@asynccontextmanager
async def _run_bot(sandbox: Sandbox, folder: Path, *, http: bool) -> AsyncIterator[Process]:
    """Run the bot as a process of its own, which gets only its settings."""
    settings = sandbox.settings(http=http, database_url=f"sqlite:///{folder / 'kickbot.db'}")
    _say(f"\nStarting the bot in {'HTTP mode' if http else 'Socket Mode'}: python -m bot run")
    process = await _start(settings)
    try:
        port, reading = await _wait_until_up(process)
        if http:
            sandbox.slack.deliver_to(f"http://127.0.0.1:{port}/slack/events")
        yield process
    finally:
        await _stop(process)
    await reading


async def _start(settings: Mapping[str, str]) -> Process:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", stderr=PIPE, cwd=ROOT, env={**kept, **settings}
    )


async def _wait_until_up(process: Process) -> tuple[int, asyncio.Task[None]]:
    """Return the bot's port, and a task that reads its log: a full pipe would stop the bot."""
    log = []
    try:
        async with asyncio.timeout(START_TIMEOUT):
            async for line in _read_log(process):
                log.append(line)
                if up := UP.search(line):
                    return int(up[1]), asyncio.create_task(_print_trouble(process))
    except TimeoutError as error:
        raise BotProcessError("the bot was not up in time\n" + "\n".join(log)) from error
    raise BotProcessError("the bot ended at start\n" + "\n".join(log))


async def _read_log(process: Process) -> AsyncIterator[str]:
    if process.stderr is not None:
        async for line in process.stderr:
            yield line.decode(errors="replace").rstrip()


async def _print_trouble(process: Process) -> None:
    async for line in _read_log(process):
        if " INFO " not in line:
            _say(f"    bot: {line}")


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _stay(sandbox: Sandbox, page: str, process: Process) -> None:
    """Print the instructions and wait for Ctrl-C. Raises BotProcessError if the bot ends."""
    slack, realtimekit = sandbox.slack.origin, sandbox.realtimekit.origin
    _say(INSTRUCTIONS.format(page=page, slack=slack, realtimekit=realtimekit))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ended = asyncio.create_task(process.wait())
    ended.add_done_callback(lambda _: stop.set())
    await stop.wait()
    if ended.done():
        raise BotProcessError(f"the bot ended by itself, with exit code {ended.result()}")
    ended.cancel()
