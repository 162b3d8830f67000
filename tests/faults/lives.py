"""A bot that may be killed: a real process in a sandbox of its own, started again after a kill."""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from bot.core.kick import OPEN, Kick
from bot.store import SqlStore
from tests.faults import mortal
from tests.faults.walks import PATIENCE, Walk
from tests.machine import ACKS_WITHIN
from tests.sandbox.sandbox import Sandbox, open_sandbox
from tests.sandbox.slack import ActionError, TimedOutError

POLICY = """\
approvals_channel = "C0MODS"

[[grant]]
who  = ["S0MODS", "U0MAYA"]
role = "moderator"

[[grant]]
who  = ["U0HAL"]
role = "helper"

[rules]
"""
KILLED, CANT_START = -signal.SIGKILL, 1
STARTS = 5
TRIES = 3
LOOK_EVERY = 0.5  # seconds between reads of the store
NOTICED_WITHIN = 3.0  # seconds until a death is noticed

# Forked from a process that has imported everything, so that a start does not take a second.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests.faults.mortal",
        "bot.app",
        # Modules that these import at their first use.
        "anyio._backends._asyncio",
        "certifi",
        "httpcore",
        "psycopg",
        "slack_bolt.listener_matcher.async_builtins",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.aiosqlite",
    ]
)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a bot lives: a folder for its files, and an empty database."""

    folder: Path
    database_url: str

    @property
    def effects(self) -> Path:
        """The file that records the bot's effects."""
        return self.folder / "effects"

    @property
    def says(self) -> Path:
        """The log file of the bot."""
        return self.folder / "log"


class Turn:
    """A turn to be busy. It limits how many bots work at once, so that each is fast enough.

    A bot that only waits leaves its turn to another one.
    """

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._mine = False

    async def take(self) -> None:
        """Wait for a turn."""
        if not self._mine:
            await self._turns.acquire()
            self._mine = True

    def leave(self) -> None:
        """Leave the turn to another bot."""
        if self._mine:
            self._mine = False
            self._turns.release()


class Life:
    """The lives of one bot: it is started, and started again after it was killed."""

    def __init__(
        self, sandbox: Sandbox, home: Home, walk: Walk, turn: Turn, dies: str = ""
    ) -> None:
        self.sandbox = sandbox
        # This store only observes. Its timeout is not what the test is about.
        self.store = SqlStore(home.database_url, timeout=PATIENCE)
        self.died = asyncio.Event()
        self._home = home
        self._walk = walk
        self._turn = turn
        self._dies = dies
        self._process: BaseProcess | None = None
        self._began_again = False

    # What a walk can read

    async def kick(self) -> Kick | None:
        """Return the newest kick; None if there is none."""
        return next(iter(await self.store.history(1)), None)

    async def until(self, holds: Callable[[Kick], bool]) -> Kick:
        """Wait until this holds for the newest kick, and return it."""
        self._turn.leave()
        async with asyncio.timeout(PATIENCE):
            # Another process changes the kick, so poll.
            while not ((kick := await self.kick()) and holds(kick)):  # noqa: ASYNC110 - see above
                await asyncio.sleep(LOOK_EVERY)
        await self._turn.take()
        return kick

    async def is_over(self) -> bool:
        """Tell whether the newest kick has ended."""
        kick = await self.kick()
        return kick is None or kick.state not in OPEN

    async def back(self) -> None:
        """Wait until the bot is up again after its death."""
        # An open socket may still be the one of the old process.
        await self.sandbox.slack.until(lambda _: self._began_again, PATIENCE)
        await self.sandbox.slack.until(lambda slack: slack.sockets.open, PATIENCE)

    # The process

    async def live(self) -> None:
        """Start the bot, and start it again after it was killed."""
        await self._live_once(mortal_=True)
        self.died.set()
        await self.sandbox.slack.until(lambda slack: not slack.sockets.open, PATIENCE)
        self._began_again = True
        await self._live_once(mortal_=False)
        raise RuntimeError("the bot was killed twice")

    async def _live_once(self, *, mortal_: bool) -> None:
        """Run the bot until it is killed. If it can't start, start it again."""
        code: int | None = CANT_START
        for _ in range(STARTS):
            if code != CANT_START:
                break
            await self._start(mortal_=mortal_)
            code = await self._ended()
        if code != KILLED:
            raise RuntimeError(f"the bot ended by itself ({code}): {self._home.says.read_text()}")

    async def _start(self, *, mortal_: bool) -> None:
        home = self._home
        policy = home.folder / "policy.toml"
        rules = [f"{name} = {value}" for name, value in self._walk.rules.items()]
        policy.write_text(POLICY + "\n".join(rules))
        settings = self.sandbox.settings(http=False, database_url=home.database_url)
        own = {"KICKBOT_POLICY": str(policy), "LOG_LEVEL": "INFO"}
        told = {mortal.EFFECTS: str(home.effects), mortal.DIES: self._dies} if mortal_ else {}
        process = FORKS.Process(
            target=mortal.child,
            args=(settings | own | told, str(home.says)),
            kwargs={"mortal": mortal_},
        )
        process.start()
        self._process = process

    async def _ended(self) -> int | None:
        process = self._process
        assert process is not None
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process.sentinel)
        process.join()
        return process.exitcode

    def kill(self) -> None:
        """Kill the current process, as `kill -9` would."""
        if self._process and self._process.is_alive():
            self._process.kill()

    async def close(self) -> None:
        """Stop the bot, and do not start it again."""
        self.kill()
        if self._process:
            self._process.join()
            self._process.close()
        await self.store.close()

    # The walk

    async def walk(self) -> None:
        """Do the walk. If the bot dies, do it again from the beginning."""
        await self.sandbox.slack.until(
            lambda slack: slack.sockets.open or self.died.is_set(), PATIENCE
        )
        if not await self._walked_unharmed():
            await self.back()
            await self._turn.take()
            await self._walk_again()
        self._turn.leave()

    async def _walk_again(self) -> None:
        """Do the walk again, more than once if the machine is slow."""
        for _ in range(TRIES - 1):
            with suppress(ActionError, TimedOutError):
                await self._walk.people(self)
                return
        await self._walk.people(self)

    async def _walked_unharmed(self) -> bool:
        walking = asyncio.ensure_future(self._walk.people(self))
        dying = asyncio.ensure_future(self.died.wait())
        try:
            await asyncio.wait({walking, dying}, return_when=asyncio.FIRST_COMPLETED)
            return walking.done() and await self._came_through(walking, dying)
        finally:
            for task in (walking, dying):
                task.cancel()
            await asyncio.gather(walking, dying, return_exceptions=True)

    async def _came_through(self, walking: Awaitable[None], dying: Awaitable[object]) -> bool:
        try:
            await walking
        except (ActionError, TimedOutError):
            # An error that the death caused may come before the death is noticed.
            with suppress(TimeoutError):
                async with asyncio.timeout(NOTICED_WITHIN):
                    await dying
            if self.died.is_set():
                return False
            await self._walk_again()
        return not self.died.is_set()


@asynccontextmanager
async def life(
    home: Home, walk: Walk, turns: asyncio.Semaphore, dies: str = ""
) -> AsyncIterator[Life]:
    """Open a sandbox, and run a bot in it. At the end, this raises the errors of the bot."""
    turn = Turn(turns)
    await turn.take()
    async with open_sandbox(ack_timeout=ACKS_WITHIN) as sandbox:
        led = Life(sandbox, home, walk, turn, dies)
        try:
            async with asyncio.TaskGroup() as tasks:
                also = [tasks.create_task(led.live())]
                if walk.prepare:
                    also.append(tasks.create_task(walk.prepare(led)))
                yield led
                for task in also:
                    task.cancel()
        finally:
            turn.leave()
            await led.close()
