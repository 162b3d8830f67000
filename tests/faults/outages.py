"""Outages of the store: a locked file, a full database, a server that is killed.

Each begins at a stage of a kick, and ends again. Users who act meanwhile must get a clear error.
When the store is back, every kick must end with a true result.
"""

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    closing,
    contextmanager,
)
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql

from bot.slack.views import card
from tests.conftest import _postgres
from tests.faults.blackouts import LOCKED_FOR, down, full, limited, locked
from tests.faults.humans import Act, Human, Presser, Requester, Wish, unanswered, with_button
from tests.faults.ledger import Tally
from tests.faults.weather import calm
from tests.faults.worlds import APPROVALS, WHOLE, Mark, World, listening, opened
from tests.sandbox.realtimekit import Participant
from tests.sandbox.slack import Message

LOCKED, FULL, RESTARTED = "file locked", "database full", "server restarted"
ROUNDS: Final = 6  # of concurrent kicks, each with a server that is killed meanwhile
PATIENCE: Final = 12.0  # seconds that users wait for an answer
PAUSE: Final = 1.0  # seconds in which users read an error before they try again
CLEAR_WORDS: Final = "The bot's database"
UNKNOWN_HERE: Final = "is not known here; the bot looks again by itself"
LIVE: Final = "C0LIVE"

Outage = Callable[[], AbstractAsyncContextManager[None]]

# Stages


class Steady(Human):
    """A user who does nothing twice, and nothing by mistake."""

    def inclined(self, chance: float) -> bool:
        """Return False, unless it is certain."""
        return chance >= 1


@dataclass(slots=True)
class Scene:
    """One world and one outage in it: the actions of users, and the errors that were found."""

    world: World
    outage: Outage
    is_full: bool = False
    acts: list[Act] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def human(self, user: str) -> Human:
        """Return a patient user, who does nothing twice."""
        person = self.world.sandbox.slack.person(user)
        return Steady(self.world.sandbox, person, random.Random(user), PATIENCE, PAUSE, self.acts)  # noqa: S311 - draws that repeat, not secrets

    def wish(self, count: int = 1, **how: Any) -> Wish:
        """Let people join, and return the wish to kick them."""
        return Wish(LIVE, crowd(self.world, count), "spamming links", by_form=count > 1, **how)

    async def sees(self, human: Human, words: str, where: str) -> None:
        """Check that a user sees these words."""
        if not await human.see(lambda: words in human.person.screen()):
            self.wrong.append(f"{where}: {words!r} is not among what {human.person.screen()}")


def crowd(world: World, count: int) -> list[Participant]:
    """Let people with unique names join the meeting."""
    app, ama = world.sandbox.demo.world, world.sandbox.demo.ama
    names = [f"Mallory-{len(app.records(ama)) + one}" for one in range(count)]
    people = [app.add_participant(ama, name) for name in names]
    for one in people:
        app.join(one)
    return people


async def before_the_submit(scene: Scene) -> None:
    """Begin the outage while a user reads the review."""
    maya, wish = scene.human("U0MAYA"), scene.wish()
    await maya.do("types the command", maya.person.command(LIVE, wish.line))
    await maya.see(lambda: maya.top is not None and bool(maya.top.submit))
    async with scene.outage():
        await maya.submit("presses Kick")
        await scene.sees(maya, CLEAR_WORDS, "submit")
    await maya.close()
    await Requester(maya, wish, lambda: None).go()


async def while_it_runs(scene: Scene) -> None:
    """Begin the outage when the first call has arrived at RealtimeKit."""
    maya, sandbox = scene.human("U0MAYA"), scene.world.sandbox
    sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=0.5)
    # The bot retries each failed write for some seconds, one after the other.
    await Requester(maya, scene.wish(2 if scene.is_full else 5), lambda: None).go()
    await sandbox.realtimekit.until(
        lambda: any(one.op == "kick" for one in sandbox.realtimekit.calls)
    )
    async with scene.outage():
        await sandbox.realtimekit.until(
            lambda: all(one.ended_at for one in sandbox.realtimekit.calls)
        )
        if scene.is_full:
            await scene.sees(maya, UNKNOWN_HERE, "execution")


async def while_it_is_decided(scene: Scene) -> None:
    """Begin the outage while an approver reads the request."""
    hal, lea = scene.human("U0HAL"), scene.human("U0LEA")
    await Requester(hal, scene.wish(), lambda: None).go()
    find = partial(_card, scene.world, "U0LEA")
    await lea.see(lambda: find() is not None)
    presser = Presser(lea, find, card.REVIEW_REQUEST)

    async def decide_in_vain(_: object) -> bool:
        async with scene.outage():
            await lea.submit("presses Approve")
            await lea.see(lambda: not lea.waits)
            await scene.sees(lea, CLEAR_WORDS, "decision")
        await lea.close()
        return True

    await presser.go(decide_in_vain)
    await Presser(lea, find, card.REVIEW_REQUEST).go(partial(_approve, lea))


async def while_it_is_told(scene: Scene) -> None:
    """Begin the outage while the result is being posted."""
    maya, slack = scene.human("U0MAYA"), scene.world.sandbox.slack
    slack.faults.switch_on("slow", method="chat.postMessage", seconds=1.0, times=1)
    await Requester(maya, scene.wish(), lambda: None).go()
    await slack.until(lambda _: not slack.faults.is_on("slow"))
    async with scene.outage():
        await slack.until(lambda slack: slack.calls[-1].method == "chat.postMessage")


STAGES: Final = (before_the_submit, while_it_runs, while_it_is_decided, while_it_is_told)
Stage = Callable[[Scene], Any]


async def _approve(lea: Human, _: object) -> bool:
    await lea.submit("presses Approve")
    return not (lea.top and lea.top.submit)


def _card(world: World, user: str) -> Message | None:
    cards = with_button(world.sandbox.slack.person(user), APPROVALS, card.REVIEW_REQUEST)
    return next(iter(cards), None)


async def _judged(scene: Scene, where: str) -> Tally:
    """Wait until nothing is running any more, and audit the world."""
    world = scene.world
    calm(world.sandbox)
    await world.settle()
    for words in (*scene.wrong, *unanswered(scene.acts, world.sandbox)):
        world.find("lost", words, where)
    await world.judge(Mark(), where)
    world.tally.cases += 1
    return world.tally


# Cases


async def with_a_file(
    stage: Stage, name: str, pages: dict[str, int], seconds: float = LOCKED_FOR
) -> Tally:
    """Play a stage on SQLite, with a file that is locked for a while, or full."""
    where = f"{name}, {stage.__name__}"
    with tempfile.TemporaryDirectory(prefix="kickbot-") as folder:
        file = file_in(folder)
        async with opened(name, f"sqlite:///{file}", second_person="never") as world:
            scene = Scene(world, partial(locked, file, seconds))
            if name == FULL:
                scene = Scene(world, partial(full, file, pages, world.store), is_full=True)
            await stage(scene)
            tally = await _judged(scene, where)
        for words in _half_done(file):
            tally.find("lost", f"{words} [{where}]")
    return tally


def file_in(folder: Path | str) -> Path:
    """Return the path of the database as SQLite writes it."""
    return Path(folder).resolve() / "kickbot.db"


def _half_done(file: Path) -> list[str]:
    """Return kicks without targets or events, targets without a kick, and damage to the file."""
    checks = {
        "a kick has no target": "SELECT id FROM kicks WHERE id NOT IN"
        " (SELECT kick_id FROM targets)",
        "a kick has no event": "SELECT id FROM kicks WHERE id NOT IN"
        " (SELECT kick_id FROM events WHERE kick_id IS NOT NULL)",
        "the file is broken": "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
        "a row has lost what it belongs to": "SELECT * FROM pragma_foreign_key_check",
    }
    with closing(sqlite3.connect(file)) as database:
        found = {what: database.execute(query).fetchall() for what, query in checks.items()}
    return [f"{what}: {rows}" for what, rows in found.items() if rows]


@contextmanager
def _database(server: Any) -> Iterator[str]:
    name = f"outages_{uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield server.get_uri(database=name)
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def with_a_server(stage: Stage, server: Any) -> Tally:
    """Play a stage on PostgreSQL, with a server that is killed and started again."""
    with _database(server) as database:
        async with opened(RESTARTED, database, second_person="never") as world:
            scene = Scene(world, partial(down, server))
            await stage(scene)
            return await _judged(scene, f"{RESTARTED}, {stage.__name__}")


async def under_load(server: Any, seed: int, rounds: int = ROUNDS) -> Tally:
    """Let several users kick at once, again and again, while the server is killed."""
    rng = random.Random(seed)  # noqa: S311 - draws that repeat, not secrets
    with _database(server) as database:
        async with opened(RESTARTED, database, http=False, second_person="never") as world:
            scene = Scene(world, partial(down, server, 0.5))
            for _ in range(rounds):
                await asyncio.gather(_everybody(scene), _dies(scene, rng.uniform(0.02, 0.6)))
            tally = await _judged(scene, f"{RESTARTED} under load, --seed {seed}")
            tally.cases = len(await world.store.history(WHOLE))
            return tally


async def _dies(scene: Scene, after: float) -> None:
    await asyncio.sleep(after)
    async with scene.outage():
        pass


async def _everybody(scene: Scene) -> None:
    scene.world.sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=0.2)
    wishes = {user: scene.wish(count) for user, count in USERS.items()}
    await asyncio.gather(
        *(Requester(scene.human(user), wish, lambda: None).go() for user, wish in wishes.items())
    )
    lea, find = scene.human("U0LEA"), partial(_card, scene.world, "U0LEA")
    await Presser(lea, find, card.REVIEW_REQUEST).go(partial(_approve, lea))
    for user in (*USERS, "U0LEA"):
        await scene.human(user).close()


USERS: Final = {"U0MAYA": 2, "U0MO": 1, "U0MIA": 3, "U0HAL": 1}
"""How many people each user kicks in each round under load."""


async def run(
    seed: int = 1, *, stages: Sequence[Stage] = STAGES, rounds: int = ROUNDS
) -> list[Tally]:
    """Play every outage at every stage. Those of the server come one after the other."""
    with listening(), limited() as pages, _postgres() as server:
        files = asyncio.gather(
            *(
                asyncio.create_task(with_a_file(stage, name, pages))
                for name in (LOCKED, FULL)
                for stage in stages
            )
        )
        restarts = [await asyncio.create_task(with_a_server(stage, server)) for stage in stages]
        restarts.append(await asyncio.create_task(under_load(server, seed, rounds)))
        tallies = [*restarts, *await files]
    return [
        sum((one for one in tallies if one.name == name), Tally(name))
        for name in (RESTARTED, LOCKED, FULL)
    ]
