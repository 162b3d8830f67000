"""The storm: hundreds of journeys while Slack and RealtimeKit fail at random, from a seed.

Each journey has a random source of its own, so that it can be replayed alone:
`python -m tests.faults.storm --seed N --journey K`.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tests.faults.humans import unanswered
from tests.faults.journey import Journey
from tests.faults.ledger import Tally
from tests.faults.weather import calm
from tests.faults.worlds import World, listening, opened

NAME: Final = "storm"
JOURNEYS: Final = 500
IN_A_WORLD: Final = 8  # journeys one after the other, in one sandbox with one bot
SIDE_BY_SIDE: Final = 12  # worlds at once in each process
PROCESSES: Final = 2
LISTENS: Final = 80  # polls for an answer that is late because Slack asked the bot to wait
HALF: Final = 0.5  # the share of worlds in HTTP mode


async def travel(world: World, journey: Journey) -> None:
    """Play one journey, wait until nothing is running any more, and audit it."""
    since, where = await world.mark(), f"--seed {journey.seed} {journey}"
    await journey.go(world)
    calm(world.sandbox)
    await world.settle()
    for words in await _silence(world, journey):
        world.find("lost", words, where)
    refreshed = any(
        one.name == "socket_refresh" for faults in journey.faults.values() for one in faults
    )
    await world.judge(since, where, refreshed=refreshed)
    world.tally.cases += 1
    for user in {act.person.user.id for act in journey.acts}:
        await journey.human(world, user).close()


async def _silence(world: World, journey: Journey) -> list[str]:
    """Return the actions without an answer. Slack may have asked the bot to wait for a second."""
    for _ in range(LISTENS):
        if not unanswered(journey.acts, world.sandbox):
            break
        await asyncio.sleep(0.1)
    return unanswered(journey.acts, world.sandbox)


async def weather(seed: int, numbers: Sequence[int]) -> Tally:
    """Play journeys one after the other, in a world of their own."""
    rng = random.Random(f"{seed}/{numbers[0] // IN_A_WORLD}/")  # noqa: S311 - as above
    http, second_person = rng.random() < HALF, rng.choice(("never", "bulk", "always"))
    with tempfile.TemporaryDirectory(prefix="kickbot-") as folder:
        database = f"sqlite:///{Path(folder) / 'kickbot.db'}"
        async with opened(NAME, database, http=http, second_person=second_person) as world:
            for number in numbers:
                await world.reconnect()
                await travel(world, Journey.drawn(number, seed, world))
    return world.tally


async def _side_by_side(seed: int, worlds: Sequence[Sequence[int]]) -> Tally:
    few = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(numbers: Sequence[int]) -> Tally:
        async with few:
            return await asyncio.create_task(weather(seed, numbers))

    tallies = await asyncio.gather(*(one(numbers) for numbers in worlds))
    return sum(tallies, Tally(NAME))


def _in_a_process(seed: int, worlds: Sequence[Sequence[int]]) -> Tally:
    with listening():
        return asyncio.run(_side_by_side(seed, worlds))


async def run(
    seed: int = 1,
    journeys: int = JOURNEYS,
    *,
    processes: int = PROCESSES,
    in_a_world: int = IN_A_WORLD,
) -> list[Tally]:
    """Play this many journeys, in several processes at once. One process means this process."""
    numbers = range(journeys)
    worlds = [numbers[at : at + in_a_world] for at in range(0, journeys, in_a_world)]
    if processes == 1:
        with listening():
            return [await _side_by_side(seed, worlds)]
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        parts = [
            loop.run_in_executor(pool, _in_a_process, seed, worlds[at::processes])
            for at in range(processes)
        ]
        return [sum(await asyncio.gather(*parts), Tally(NAME))]


def main() -> int:
    """Play a storm or one of its journeys. Return the exit code: 1 if a fault was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journeys", type=int, default=JOURNEYS)
    parser.add_argument("--journey", type=int, help="play only this one")
    given = parser.parse_args()
    if given.journey is None:
        (tally,) = asyncio.run(run(given.seed, given.journeys))
    else:
        tally = _in_a_process(given.seed, [[given.journey]])
    sys.stdout.writelines(f"{finding}\n" for finding in tally.findings)
    counts = {name: getattr(tally, name) for name in ("lost", "doubled", "misreported")}
    sys.stdout.write(f"{tally.cases} journeys: {counts}, {tally.duplicates} duplicates\n")
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
