"""Steps that journeys share."""

import asyncio
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Final, TypeVar

import pytest

from bot.core.event import Event
from bot.core.kick import Kick
from bot.core.outbox_message import MessageKind, OutboxMessage
from bot.store import SqlStore
from tests.sandbox.realtimekit import Call
from tests.sandbox.sandbox import ROOT, Sandbox
from tests.sandbox.slack import Message, Option, Person

T = TypeVar("T")

ONE_TRANSPORT: Final = pytest.mark.parametrize("transport", ["http"], indirect=True)
"""For what happens behind the listeners. Each kind of request goes through both transports in
test_kick, test_form, test_approval, test_again, test_lean, test_restart and test_slack_faults."""
STILL: Final = "✗ failed: still there: the kick had no effect"
LISTED: Final = "? unknown: RealtimeKit did not confirm the kick, and still lists them "
LEFT: Final = "○ gone: left since, but RealtimeKit did not confirm the kick"


async def to_review(person: Person, line: str = "/kick mallory spamming links") -> None:
    """Type a command with a person and a reason, and wait for the review."""
    await person.command("C0LIVE", line)
    await person.until(lambda sees: sees.modal.title == "Review")


async def to_form(person: Person, line: str = "/kick", channel: str = "C0LIVE") -> None:
    """Type the command, and wait for the form."""
    await person.command(channel, line)
    await person.until(lambda sees: sees.modal.title == "Kick from a meeting")


async def result(person: Person, channel: str = "C0LIVE") -> Message:
    """Wait for the next message in a channel that was empty."""
    return (await person.until(lambda sees: sees.messages(channel)[-1:]))[0]


def public(person: Person, channel: str = "C0LIVE") -> list[Message]:
    """Return the messages in a channel that all members see."""
    return [one for one in person.messages(channel) if one.only_for is None]


async def direct_message(person: Person) -> str:
    """Wait for a direct message of the bot, and return its text."""
    return person.read((await person.until(lambda sees: sees.dm()))[-1])


@asynccontextmanager
async def reading(sqlite_url: str) -> AsyncIterator[SqlStore]:
    """Open the database beside the bot, to read it."""
    store = SqlStore(sqlite_url)
    try:
        yield store
    finally:
        await store.close()


async def stored(sqlite_url: str, number: int = 1) -> Kick:
    """Return a kick from the database."""
    async with reading(sqlite_url) as store:
        return await _numbered(store, number)


async def _numbered(store: SqlStore, number: int) -> Kick:
    found = await store.by_number(number)
    assert found is not None
    return found


async def record(sqlite_url: str, number: int = 1) -> list[Event]:
    """Return the events of a kick from the database."""
    async with reading(sqlite_url) as store:
        kick = await _numbered(store, number)
        return list(await store.events(kick.id))


async def undelivered(
    sqlite_url: str, kind: MessageKind = MessageKind.RESULT, attempts: int = 1
) -> OutboxMessage:
    """Wait until the delivery of a message about the first kick failed this many times."""

    def is_undelivered(pending: Sequence[OutboxMessage]) -> list[OutboxMessage]:
        return [one for one in pending if (one.kind, one.attempts) == (kind, attempts)]

    return (await _messages_when(sqlite_url, is_undelivered))[0]


async def all_delivered(sqlite_url: str) -> None:
    """Wait until no message about the first kick is pending."""
    await _messages_when(sqlite_url, lambda pending: not pending)


async def _messages_when(sqlite_url: str, predicate: Callable[[Sequence[OutboxMessage]], T]) -> T:
    async with reading(sqlite_url) as store, asyncio.timeout(30):
        kick = await _numbered(store, 1)
        while not (found := predicate(await store.pending_messages(kick.id))):  # noqa: ASYNC110 - a database tells nobody that it changed
            await asyncio.sleep(0.02)
        return found


def kick_calls(sandbox: Sandbox) -> list[Call]:
    """Return the kick calls that reached RealtimeKit."""
    return [call for call in sandbox.realtimekit.calls if call.op == "kick"]


def assert_in_plain_words(sandbox: Sandbox) -> None:
    """Check that no user sees technical text, such as a class name or a traceback."""
    everybody = [sandbox.slack.person(user.id) for user in sandbox.slack.workspace.team.users]
    inside = re.compile(r'Traceback|File "|[a-z]Error\b|Exception|object at 0x|httpx|aiohttp')
    found = [line for one in everybody for line in one.screen().split("\n") if inside.search(line)]
    assert found == []


async def choose(person: Person, *names: str, reason: str = "spamming links") -> None:
    """Open the form, choose the people by name, and go to the review."""
    await to_form(person)
    await pick(person, *names)
    await person.write("reason", reason)
    await person.submit()
    await person.until(lambda sees: sees.modal.title == "Review" and sees.modal.submit)


async def pick(person: Person, *names: str) -> None:
    """Choose people by name in the form, one search after the other."""
    picked: list[Option] = []
    for name in names:
        offered = await person.type_ahead("who", name)
        picked += [option for option in offered if option.text == name]
        await person.choose("who", *picked)


def refusals(sqlite_url: str) -> list[tuple[str, str]]:
    """Return the refusals in the audit log. Call this when the bot has stopped."""
    asked = "SELECT actor, note, times FROM events WHERE what = 'refused' ORDER BY id"
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database:
        rows = database.execute(asked)
        return [(str(actor), str(note)) for actor, note, times in rows for _ in range(times)]


def kicks_stored(sqlite_url: str) -> list[str]:
    """Return the states of all kicks."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database:
        rows = database.execute("SELECT state FROM kicks ORDER BY number")
        return [str(state) for (state,) in rows]


class Running:
    """A process of the bot, as an operator would start it. `said` are the lines it wrote."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[str] = []
        self._process = process
        self._reading = asyncio.create_task(self._read())
        self._more = asyncio.Event()

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    async def up(self) -> int:
        """Wait until the bot is up. Return its port."""
        while not (found := re.search(r"kickbot is up: .*, port (\d+)", self.text)):
            assert not self._reading.done(), self.text
            self._more.clear()
            await self._more.wait()
        return int(found[1])

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the exit code."""
        await self._reading
        return await self._process.wait()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.said.append(line.decode().rstrip("\n"))
            self._more.set()
        self._more.set()


@asynccontextmanager
async def process(
    environment: Mapping[str, str],
    *arguments: str,
    module: str = "bot",
    python: Sequence[str] = (sys.executable,),
) -> AsyncIterator[Running]:
    """Run a command line with only these variables and those that Python needs."""
    started = await asyncio.create_subprocess_exec(
        *python,
        "-m",
        module,
        *arguments,
        env={"PYTHONPATH": str(ROOT), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Running(started)
    try:
        yield running
    finally:
        await running.kill()


def join_database_threads() -> None:
    """Wait for the threads of failed connections: they fail if the event loop is closed."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(5)
