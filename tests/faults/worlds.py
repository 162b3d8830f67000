"""A world: both stand-ins, one bot between them, and one hasty time for all three."""

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
RECONNECTS_WITHIN: Final = 40.0  # seconds; the SDK looks every ten
SETTLES_WITHIN: Final = 600  # looks
A_LOOK: Final = 0.05  # seconds between looks
IDLE_LOOKS: Final = 5  # looks in which nothing happened, until time is made to pass
STUBBORN: Final = 3  # refusals after which it is Slack's doing
WHOLE: Final = 1_000_000

STAND_INS: Final = frozenset({"aiohttp.server"})
"""Who logs when a stand-in breaks a connection as it was told to."""
REFUSED_A_SOCKET: Final = "Failed to run message listeners"
"""What the SDK logs where Slack asks for a new socket and then refuses to give one."""

_STUMBLED: ContextVar[list[str] | None] = ContextVar("_STUMBLED", default=None)
_NUMBER = re.compile(r"Kick #(\d+)")


@dataclass(slots=True)
class World:
    """A sandbox with one bot in it, and what was found there; findings are told once."""

    sandbox: Sandbox
    clock: HastyClock
    store: SqlStore
    tally: Tally
    stumbled: list[str]
    heard: set[str] = field(default_factory=set)

    def find(self, column: str, words: str, where: str) -> None:
        """Count a finding, unless it was told before."""
        if words not in self.heard:
            self.heard.add(words)
            self.tally.find(column, f"{words} [{where}]")

    async def settle(self) -> None:
        """Let time pass until every kick has ended and everything owed was delivered.

        Only while nothing happens: a kick that is carried out is in nobody's haste.
        """
        seen, idle = self._traffic(), 0
        for _ in range(SETTLES_WITHIN):
            if await is_settled(self.store):
                return
            await asyncio.sleep(A_LOOK)
            now = self._traffic()
            idle = idle + 1 if now == seen else 0
            if idle > IDLE_LOOKS:
                # The longer nothing comes of it, the longer the pauses are that the bot makes.
                self.clock.pass_by(5.0 * 2 ** min(idle - IDLE_LOOKS, 6))
            seen = now

    def _traffic(self) -> tuple[int, int, int]:
        calls = self.sandbox.realtimekit.calls
        unanswered = sum(one.ended_at is None for one in calls)
        return len(self.sandbox.slack.calls), len(calls), unanswered

    async def judge(self, since: "Mark", where: str, *, refreshed: bool = False) -> None:
        """Audit what has happened since; all of it must have come to rest.

        `refreshed`: sockets were replaced, which costs the SDK an answer now and then.
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
        for words in self.stumbled:
            self.find("lost", f"a fault of the bot: {words}", where)
        for words in (*slack.problems, *self.sandbox.realtimekit.problems):
            if not (refreshed and "no answer within" in words):
                self.find("lost", f"a problem of the bot's answers: {words}", where)
        slack.problems.clear()
        self.stumbled.clear()

    def _was_refused(self, words: str) -> bool:
        """Tell whether a card is missing because Slack refused it again and again."""
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
        """Remember how far it came."""
        kicks = await self.store.history(WHOLE)
        return Mark(
            frozenset(one.id for one in kicks),
            frozenset(one.number for one in kicks),
            len(self.sandbox.slack.deliveries),
        )

    async def reconnect(self) -> None:
        """Close what a bot left open that was refused a new socket, as Slack does after a while."""
        slack = self.sandbox.slack
        if slack.http is None and not slack.sockets.open:
            await slack.sockets.close()
            await slack.until(lambda slack: slack.sockets.open, within=RECONNECTS_WITHIN)

    def leave(self, person: Participant) -> None:
        """Let somebody leave by themselves."""
        session = self.sandbox.demo.world.live_session(person.meeting)
        for peer in list(session.present.get(person.id, ())) if session else ():
            self.sandbox.demo.world.leave(peer)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a world had come: the kicks there were, and how much Slack had delivered."""

    kicks: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()
    sent: int = 0


class Stumbles(logging.Handler):
    """Notes what the bot logs with a traceback: a fault of its own, whatever came of it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Note it for the world in which it happened."""
        stumbled = _STUMBLED.get()
        if stumbled is None or record.exc_info is None or record.name in STAND_INS:
            return
        said, error = record.getMessage(), record.exc_info[1]
        if not said.startswith(REFUSED_A_SOCKET):
            stumbled.append(f"{said}: {type(error).__name__} {error}")


@contextmanager
def listening() -> Iterator[None]:
    """Note what bots stumble over meanwhile; what else they log is nobody's business here."""
    root, handler = logging.getLogger(), Stumbles(logging.ERROR)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


@asynccontextmanager
async def opened(
    name: str, database: str, *, http: bool = True, **rules: Any
) -> AsyncIterator[World]:
    """Open a world in which a bot runs on this database; to be entered in a task of its own."""
    clock, stumbled = HastyClock(), list[str]()
    _STUMBLED.set(stumbled)
    demo = weekly_ama(clock.now)
    async with (
        SlackStandIn(MANIFEST, clock=SlackTime(clock), ack_timeout=ACKS_WITHIN) as slack,
        RealtimeKitStandIn(demo.world) as realtimekit,
    ):
        # Checking the stand-in's own replies is done elsewhere, and takes a tenth of the time.
        realtimekit.checks_responses = False
        realtimekit.rate_limit = RateLimit(clock.now, limit=WHOLE)
        sandbox = Sandbox(slack, realtimekit, demo)
        settings = read_settings(sandbox.settings(http=http, database_url=database))
        async with running(settings, policy(**rules), clock=clock) as bot:
            if http:
                slack.deliver_to(f"http://127.0.0.1:{bot.port}/slack/events")
            store = SqlStore(database)
            try:
                yield World(sandbox, clock, store, Tally(name), stumbled)
            finally:
                calm(sandbox)
                await store.close()


def policy(**rules: Any) -> Policy:
    """Make the example policy without its quota, which is not what is tried here."""
    given: dict[str, Any] = tomllib.loads(EXAMPLE_POLICY.read_text(encoding="utf-8"))
    given["rules"] |= {"max_targets": "10000/1s", **rules}
    return parse_policy(given, EXAMPLE_POLICY)
