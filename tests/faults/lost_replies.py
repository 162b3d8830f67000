"""Lost replies, while RealtimeKit's clock is apart from the bot's and its lists are late.

People reload, leave and come back around the call, and bystanders come and go. The faults of the
lists and of the clock last for a whole world, as they would with a real service.
"""

import asyncio
import random
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bot.core.kick import State
from bot.slack.views.blocks import CHECK_AGAIN
from tests.faults.humans import Human, Presser, Requester, Wish, with_button
from tests.faults.ledger import Tally
from tests.faults.weather import calm
from tests.faults.worlds import World, listening, opened
from tests.sandbox.realtimekit import Participant

ON_TIME, LATE, FROZEN = "clock apart", "clock apart, list late", "clock apart, left_at never shown"
OFFSETS: Final = (-300, -5, 5, 300)  # seconds
LAGS: Final = (3, 8, 11, 15, 30, 60)  # seconds
IN_A_WORLD: Final = 8
SETTLED: Final = 65  # seconds after which even the latest list shows who joined
A_STEP: Final = 0.01  # seconds between two deeds of the bystanders

Fault = tuple[str, Mapping[str, Any]]
LOST: Final[Sequence[Fault]] = (
    ("reset_before", {}),
    ("reset_after", {}),
    ("closed_after", {}),
    ("server_error", {"effect": True}),
    ("server_error", {"effect": False}),
    ("server_error", {"status": 404}),
    ("kick_empty", {"effect": True}),
    ("kick_empty", {"effect": False}),
    ("truncated", {"effect": True}),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One kick. `ago`: seconds between what the target does unseen and the call."""

    lost: Fault
    deed: str
    ago: float
    back_after: float | None
    crowd: str
    checks_after: float

    @classmethod
    def drawn(cls, rng: random.Random) -> "Case":
        """Return a random case."""
        return cls(
            rng.choice(LOST),
            rng.choice(("stays", "stays", "reloads", "leaves")),
            rng.choice((0.0, 0.3, 1.5, 6.0)),
            rng.choice((None, None, 0.2, 1.0, 3.0, 10.0)),
            rng.choice(("quiet", "joins", "leaves", "both")),
            rng.choice((1.0, 10.0, 60.0, 300.0)),
        )


async def _play(world: World, case: Case, number: int) -> None:
    """Play a case, wait until nothing is running any more, and audit it."""
    since, app, ama = await world.mark(), world.sandbox.demo.world, world.sandbox.demo.ama
    target = app.add_participant(ama, f"Mallory {number}", custom_id=f"user-{number}")
    for _ in range(1 + number % 2):
        app.join(target)
    if case.back_after is not None:
        app.comes_back(target, after=case.back_after)
    world.clock.pass_by(SETTLED)

    def at_review() -> None:
        _surprise(world, case, target)
        name, how = case.lost
        world.sandbox.realtimekit.faults.switch_on(name, op="kick", times=1, **how)

    human = _human(world, "U0MAYA")
    wish = Wish("C0LIVE", [target], "spam", by_form=True, by_id=True)
    bystanders = asyncio.create_task(_come_and_go(world, case.crowd, number))
    await Requester(human, wish, at_review).go()
    await world.settle()
    await _check_again(world, case)
    bystanders.cancel()
    with suppress(asyncio.CancelledError):
        await bystanders
    world.sandbox.realtimekit.faults.switch_off(case.lost[0])
    await world.judge(since, f"{world.tally.name}, {world.sandbox.realtimekit.faults.on}, {case}")
    world.tally.cases += 1
    await human.close()


def _surprise(world: World, case: Case, target: Participant) -> None:
    """Let the target do what the list may not show before the call."""
    if case.deed != "stays":
        world.leave(target)
    if case.deed == "reloads":
        world.sandbox.demo.world.join(target)
    world.clock.pass_by(case.ago)


async def _come_and_go(world: World, crowd: str, number: int) -> None:
    """Let bystanders join and leave once the call has ended, until this is cancelled.

    During the call, time must not pass faster than the bot works.
    """
    calls = world.sandbox.realtimekit.calls
    earlier = len(calls)
    await world.sandbox.realtimekit.until(
        lambda: any(call.op == "kick" and call.ended_at for call in calls[earlier:])
    )
    app, inside = world.sandbox.demo.world, list[Participant]()
    while crowd != "quiet":
        await asyncio.sleep(A_STEP)
        world.clock.pass_by(0.3)
        if crowd in {"joins", "both"} or not inside:
            inside.append(app.add_participant(world.sandbox.demo.ama, f"Guest of {number}"))
            app.join(inside[-1])
        if crowd in {"leaves", "both"}:
            world.leave(inside.pop())
        if len(inside) > 5:
            crowd = "leaves"


async def _check_again(world: World, case: Case) -> None:
    """Press *Check again* some time later, if the result offers it."""
    (kick,) = await world.store.history(1)
    human = _human(world, "U0LEA")
    find = partial(_offered, world, human, kick.number)
    if kick.state is State.DONE and find():
        world.clock.pass_by(case.checks_after)
        await Presser(human, find, CHECK_AGAIN).go()
        await world.settle()
    await human.close()


def _offered(world: World, human: Human, number: int) -> Any:
    found = with_button(human.person, "C0LIVE", CHECK_AGAIN)
    return next((one for one in found if f"Kick #{number} " in one.text), None)


def _human(world: World, user: str) -> Human:
    steady = random.Random(1)  # noqa: S311 - habits that repeat
    return Human(world.sandbox, world.sandbox.slack.person(user), steady, patience=10)


async def _world(name: str, offset: int, seed: int, cases: int) -> Tally:
    """Play some cases one after the other, in a world with lasting faults."""
    rng = random.Random(f"{seed}/{name}/{offset}")  # noqa: S311 - draws that repeat, not secrets
    with tempfile.TemporaryDirectory(prefix="kickbot-") as folder:
        database = f"sqlite:///{Path(folder) / 'kickbot.db'}"
        async with opened(name, database, second_person="never") as world:
            faults = world.sandbox.realtimekit.faults
            faults.switch_on("clock_apart", seconds=offset)
            if name == FROZEN:
                faults.switch_on("frozen_left_at")
            for number in range(cases):
                if name == LATE:
                    faults.switch_on("lagging_list", seconds=rng.choice(LAGS))
                await _play(world, Case.drawn(rng), number)
            calm(world.sandbox)
    return world.tally


async def run(
    seed: int = 1,
    *,
    names: Sequence[str] = (ON_TIME, LATE, FROZEN),
    offsets: Sequence[int] = OFFSETS,
    cases: int = IN_A_WORLD,
) -> list[Tally]:
    """Play this many cases for each offset of RealtimeKit's clock, with each kind of list."""
    with listening():
        worlds = [(name, offset) for name in names for offset in offsets]
        tallies = await asyncio.gather(
            *(asyncio.create_task(_world(*one, seed, cases)) for one in worlds)
        )
    return [sum((one for one in tallies if one.name == name), Tally(name)) for name in names]
