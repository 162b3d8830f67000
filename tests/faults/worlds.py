"""A world: both stand-ins, one bot between them, and one clock for all three."""

import asyncio
import logging
import re
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from bot.app import running
from bot.config import read_settings
from bot.core.policy import Policy
from bot.policy_file import parse_policy
from bot.store import SqlStore
from tests.clocks import HastyClock
from tests.faults.ledger import Tally, audit, is_settled
from tests.faults.weather import SlackTime, calm
from tests.machine import ACKS_WITHIN
from tests.sandbox.realtimekit import Participant, RateLimit, RealtimeKitStandIn, weekly_ama
from tests.sandbox.sandbox import EXAMPLE_POLICY, MANIFEST, Sandbox
from tests.sandbox.slack import SlackStandIn

APPROVALS: Final = "C0MODS"
RECONNECTS_WITHIN: Final = 40.0  # seconds; the SDK checks its socket every ten
SETTLES_WITHIN: Final = 600  # polls
A_LOOK: Final = 0.05  # seconds between polls
IDLE_LOOKS: Final = 5  # polls in which nothing happened, before time is made to pass
STUBBORN: Final = 3  # refusals after which Slack is the cause
WHOLE: Final = 1_000_000

STAND_INS: Final = frozenset({"aiohttp.server"})
"""The loggers of a stand-in that breaks a connection on purpose."""
REFUSED_A_SOCKET: Final = "Failed to run message listeners"
"""What the SDK logs if Slack asks for a new socket and then refuses one."""

_ERRORS: ContextVar[list[str] | None] = ContextVar("_ERRORS", default=None)
_NUMBER = re.compile(r"Kick #(\d+)")


@dataclass(slots=True)
class World:
    """A sandbox with one bot, and the findings there. Each finding is counted once."""

    sandbox: Sandbox
    clock: HastyClock
    store: SqlStore
    tally: Tally
    errors: list[str]
    reported: set[str] = field(default_factory=set)

    def find(self, column: str, words: str, where: str) -> None:
        """Count a finding, unless it was counted before."""
        if words not in self.reported:
            self.reported.add(words)
            self.tally.find(column, f"{words} [{where}]")

    async def settle(self) -> None:
        """Let time pass until every kick has ended and every message is delivered.

        Time passes faster only while nothing happens. A running kick takes real time.
        """
        seen, idle = self._traffic(), 0
        for _ in range(SETTLES_WITHIN):
            if await is_settled(self.store):
                return
            await asyncio.sleep(A_LOOK)
            now = self._traffic()
            idle = idle + 1 if now == seen else 0
            if idle > IDLE_LOOKS:
                # The bot makes longer pauses after each failed attempt.
                self.clock.pass_by(5.0 * 2 ** min(idle - IDLE_LOOKS, 6))
            seen = now

    def _traffic(self) -> tuple[int, int, int]:
        calls = self.sandbox.realtimekit.calls
        unanswered = sum(one.ended_at is None for one in calls)
        return len(self.sandbox.slack.calls), len(calls), unanswered

    async def judge(self, since: "Mark", where: str, *, refreshed: bool = False) -> None:
        """Audit what has happened since the mark. Nothing may be running any more.

        `refreshed`: sockets were replaced. Then the SDK loses an answer now and then.
        """
        kicks = [one for one in await self.store.history(WHOLE) if one.id not in since.kicks]
        report = await audit(self.sandbox, self.store, name=self.tally.name, kicks=kicks)
        for finding in report.findings:
            column, _, words = finding.partition(": ")
            if not self._was_refused(words):
                self.find(column, words, where)
        slack = self.sandbox.slack
        bodies = [str(one.outcome.body) for one in slack.deliveries[since.sent :] if one.outcome]
        promised = {int(one) for body in bodies for one in _NUMBER.findall(body)}
        for number in promised - {one.number for one in kicks} - since.numbers:
            self.find("lost", f"kick #{number} was promised, and is not stored", where)
        for words in self.errors:
            self.find("lost", f"a fault of the bot: {words}", where)
        for words in (*slack.problems, *self.sandbox.realtimekit.problems):
            if not (refreshed and "no answer within" in words):
                self.find("lost", f"a problem of the bot's answers: {words}", where)
        slack.problems.clear()
        self.errors.clear()

    def _was_refused(self, words: str) -> bool:
        """Tell whether a card is missing because Slack refused it several times."""
        about = re.match(r"kick #(\d+): its card was never posted", words)
        asked = f"#{about[1]}:" if about else None
        posts = [
            one
            for one in self.sandbox.slack.calls
            if one.arguments.get("channel") == APPROVALS
            and asked
            and asked in str(one.arguments.get("text"))
        ]
        return len(posts) >= STUBBORN and not any((one.answer or {}).get("ok") for one in posts)

    async def mark(self) -> "Mark":
        """Return a mark of the current state."""
        kicks = await self.store.history(WHOLE)
        return Mark(
            frozenset(one.id for one in kicks),
            frozenset(one.number for one in kicks),
            len(self.sandbox.slack.deliveries),
        )

    async def reconnect(self) -> None:
        """If the bot was refused a new socket, close the old one, as Slack does after a while."""
        slack = self.sandbox.slack
        if slack.http is None and not slack.sockets.open:
            await slack.sockets.close()
            await slack.until(lambda slack: slack.sockets.open, within=RECONNECTS_WITHIN)

    def leave(self, person: Participant) -> None:
        """Let a person leave by themselves."""
        session = self.sandbox.demo.world.live_session(person.meeting)
        for peer in list(session.present.get(person.id, ())) if session else ():
            self.sandbox.demo.world.leave(peer)


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of a world at a moment: its kicks, and the number of payloads from Slack."""

    kicks: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()
    sent: int = 0


class ErrorRecorder(logging.Handler):
    """Records what the bot logs with a traceback. Each is a bug in the bot."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record the error for the world in which it happened."""
        errors = _ERRORS.get()
        if errors is None or record.exc_info is None or record.name in STAND_INS:
            return
        said, error = record.getMessage(), record.exc_info[1]
        if not said.startswith(REFUSED_A_SOCKET):
            errors.append(f"{said}: {type(error).__name__} {error}")


@contextmanager
def listening() -> Iterator[None]:
    """Record the errors that bots log within the context."""
    root, handler = logging.getLogger(), ErrorRecorder(logging.ERROR)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


@asynccontextmanager
async def opened(
    name: str, database: str, *, http: bool = True, **rules: Any
) -> AsyncIterator[World]:
    """Open a world with a bot on this database. Enter it in a task of its own."""
    clock, errors = HastyClock(), list[str]()
    _ERRORS.set(errors)
    demo = weekly_ama(clock.now)
    async with (
        SlackStandIn(MANIFEST, clock=SlackTime(clock), ack_timeout=ACKS_WITHIN) as slack,
        RealtimeKitStandIn(demo.world) as realtimekit,
    ):
        # Other tests check the stand-in's replies. Here that would take a tenth of the time.
        realtimekit.checks_responses = False
        realtimekit.rate_limit = RateLimit(clock.now, limit=WHOLE)
        sandbox = Sandbox(slack, realtimekit, demo)
        settings = read_settings(sandbox.settings(http=http, database_url=database))
        async with running(settings, policy(**rules), clock=clock) as bot:
            if http:
                # The bot compares the time of a signature with the clock of this world.
                transport = slack.deliver_to(f"http://127.0.0.1:{bot.port}/slack/events")
                transport.now = SlackTime(clock)
            store = SqlStore(database)
            try:
                yield World(sandbox, clock, store, Tally(name), errors)
            finally:
                calm(sandbox)
                await store.close()


def policy(**rules: Any) -> Policy:
    """Return the example policy without its quota, which this run does not test."""
    given: dict[str, Any] = tomllib.loads(EXAMPLE_POLICY.read_text(encoding="utf-8"))
    given["rules"] |= {"max_targets": "10000/1s", **rules}
    return parse_policy(given, EXAMPLE_POLICY)
