"""The stage of the races: several processes of the bot on one PostgreSQL, and many users.

Each process has a socket of its own, so that the clicks of two users reach different processes.
"""

import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, SessionId
from bot.core.target import Target
from bot.slack.views.card import REVIEW_REQUEST
from bot.store import SqlStore
from tests.journeys.steps import Running, process
from tests.machine import ACKS_WITHIN
from tests.sandbox.realtimekit import Participant, RateLimit
from tests.sandbox.sandbox import Sandbox, open_sandbox
from tests.sandbox.slack import ApiError, Channel, Message, Modal, Person, SlackStandIn, User

APPROVALS, LIVE = "C0MODS", "C0LIVE"
PATIENCE = 60.0  # seconds until a wait fails
IN_A_MEETING = 8
PLENTY = 900_000

POLICY = """\
approvals_channel = "{channel}"

[[grant]]
who  = {who}
role = "moderator"

[rules]
second_person = "always"
max_targets   = "{plenty}/1s"
"""


class Watch:
    """Reads each call of the bot once, and wakes the users who wait for a card or a view.

    There are thousands of calls and dozens of users. If each user read every call, this would take
    more time than the bot itself.
    """

    def __init__(self, slack: SlackStandIn) -> None:
        self._slack = slack
        self._seen = 0
        self._cards: defaultdict[str, asyncio.Future[Message]] = defaultdict(_future)
        self._views: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def run(self) -> None:
        while True:
            await self._slack.until(lambda slack: len(slack.calls) > self._seen, within=3600)
            fresh = self._slack.calls[self._seen :]
            self._seen += len(fresh)
            for call in fresh:
                self._look(call.method, call.arguments, call.answer or {})

    def _look(self, method: str, arguments: dict[str, Any], answer: dict[str, Any]) -> None:
        if method == "chat.postMessage" and arguments.get("channel") == APPROVALS and answer["ok"]:
            self._found(answer["ts"])
        elif method.startswith("views.") and answer.get("ok"):
            # The view may be closed by now.
            with suppress(ApiError):
                user = self._slack.workspace.views.find(answer["view"]["id"]).user
                self._views.pop(user, asyncio.Event()).set()

    def _found(self, ts: str) -> None:
        message = self._slack.workspace.chat.find(APPROVALS, ts)
        if message and (value := _value_of(message)) and not self._cards[value].done():
            self._cards[value].set_result(message)

    async def card(self, kick: KickId) -> Message | None:
        """Wait for the card of a kick. Return None if it does not come."""
        done, _ = await asyncio.wait({self._cards[kick]}, timeout=PATIENCE)
        return done.pop().result() if done else None

    async def view(self, person: Person, fits: Callable[[Modal], bool]) -> Modal | None:
        """Wait until the top modal fits. Return None if it never does."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (person.stack and fits(person.modal)):
                    await self._views[person.user.id].wait()
        except TimeoutError:
            return None
        return person.modal


def _future() -> asyncio.Future[Message]:
    return asyncio.get_running_loop().create_future()


def _value_of(message: Message) -> str | None:
    buttons = (one for block in message.blocks for one in block.get("elements", ()))
    return next((one["value"] for one in buttons if one.get("action_id") == REVIEW_REQUEST), None)


@dataclass(frozen=True, slots=True)
class Stage:
    """A sandbox with several processes of the bot, and users who act concurrently."""

    sandbox: Sandbox
    store: SqlStore
    database: str
    environment: dict[str, str]
    watch: Watch
    rng: random.Random
    crew: AsyncExitStack

    async def start(self, count: int, *, module: str = "bot", **settings: str) -> list[Running]:
        """Start processes of the bot, and wait until they are up."""
        environment = self.environment | settings
        bots = [
            await self.crew.enter_async_context(process(environment, "run", module=module))
            for _ in range(count)
        ]
        await asyncio.gather(*(bot.up() for bot in bots))
        return bots

    def person(self, number: int) -> Person:
        """Return one of the users who may decide."""
        return self.sandbox.slack.person(_user(number).id)

    def crowd(self, count: int) -> list[Participant]:
        """Let people join small meetings, which stay live after they were kicked."""
        world = self.sandbox.demo.world
        crowd: list[Participant] = []
        while len(crowd) < count:
            meeting = world.add_meeting(f"Meeting {len(world.meetings)}")
            world.join(world.add_participant(meeting, "Host", "group_call_host"))
            crowd += world.fill(meeting, min(IN_A_MEETING, count - len(crowd)))
        return crowd

    def kick(
        self,
        requester: Person,
        *people: Participant,
        wait: float = 3600,
        ago: float = 60,
        state: State = State.WAITING,
    ) -> Kick:
        """Return a new kick of this requester."""
        now = datetime.now(UTC)
        meeting = people[0].meeting
        session = self.sandbox.demo.world.live_session(meeting)
        assert session is not None
        return Kick(
            id=KickId(uuid4().hex),
            idempotency_key=uuid4().hex,
            team_id=TeamId("T0KICK"),
            app_id=self.sandbox.realtimekit.app_id,
            channel_id=ChannelId(LIVE),
            meeting=Meeting(MeetingId(meeting.id), meeting.title),
            session_id=SessionId(session.id),
            requester=UserId(requester.user.id),
            reason="spamming links",
            targets=tuple(_target(one) for one in people),
            created_at=now - timedelta(seconds=ago),
            state=state,
            expires_at=now + timedelta(seconds=wait) if state is State.WAITING else None,
        )

    async def ask(self, kick: Kick) -> Kick:
        """Store a kick. Its card is due at once."""
        event = Event(datetime.now(UTC) - timedelta(seconds=60), EventKind.ASKED, kick.requester)
        return await self.store.add(kick, event)


def _target(one: Participant) -> Target:
    return Target(ParticipantId(one.id), CustomId(one.custom_id), one.name or "", one.preset)


def _user(number: int) -> User:
    return User(f"U1{number:03}", f"Ann {number}")


@asynccontextmanager
async def stage(server: Any, *, people: int, seed: int) -> AsyncIterator[Stage]:
    """Open a sandbox on an empty database. All its users may decide."""
    name = f"races_{uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = server.get_uri(database=name)
    store = SqlStore(database, timeout=60)
    async with open_sandbox(ack_timeout=ACKS_WITHIN) as sandbox, AsyncExitStack() as crew:
        folder = Path(crew.enter_context(tempfile.TemporaryDirectory(prefix="kickbot-")))
        # Other tests check the responses against the contract. That takes longer than making them.
        sandbox.realtimekit.checks_responses = False
        sandbox.realtimekit.rate_limit = RateLimit(sandbox.demo.world.clock, limit=PLENTY)
        environment = sandbox.settings(http=False, database_url=database)
        environment |= {"KICKBOT_POLICY": str(_policy(sandbox.slack, folder, people))}
        await store.start()
        crew.push_async_callback(store.close)
        watch = Watch(sandbox.slack)
        watching = asyncio.create_task(watch.run())
        try:
            rng = random.Random(seed)  # noqa: S311 - a game, no secret
            yield Stage(sandbox, store, database, environment, watch, rng, crew)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


def _policy(slack: SlackStandIn, folder: Path, people: int) -> Path:
    users = [_user(number) for number in range(people)]
    for user in users:
        slack.upsert(user)
    members = tuple(user.id for user in users)
    slack.upsert(Channel(APPROVALS, "mods", members, bot_is_member=True))
    slack.upsert(Channel(LIVE, "live-ops", members, bot_is_member=True))
    policy = folder / "policy.toml"
    policy.write_text(
        POLICY.format(channel=APPROVALS, who=list(members), plenty=PLENTY), encoding="utf-8"
    )
    return policy
