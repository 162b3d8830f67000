"""Races: people against people, people against a deadline, and processes against each other."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from bot.core.kick import Kick, KickId
from bot.slack.views.card import REVIEW_REQUEST
from tests.conftest import _postgres as postgres
from tests.faults.judge import BY, Told, judge, settled
from tests.faults.ledger import Tally
from tests.faults.owners import race_owners
from tests.faults.stage import Stage, stage
from tests.sandbox.realtimekit import Participant
from tests.sandbox.slack import Message, Modal, Person

# Duels


APPROVE, DENY, CANCEL, LOOK = "Approve", "Deny", "Cancel request", "look"
LOOKS = 0.2  # of the requests are also looked at by whoever asked, just too late
SLOW, TRIES = "The bot's database", 5
Lane = tuple[Person, Person, Person]
"""Who asks, and two who may decide."""


@dataclass(frozen=True, slots=True)
class Move:
    """What somebody does about a request: by the button's words, when, and how often they tap."""

    person: Person
    deed: str
    after: float = 0.0  # seconds from the moment that counts
    taps: int = 1


async def duel(stage: Stage, kick: Kick, *moves: Move, at: datetime | None = None) -> list[Told]:
    """Let people act on one request, around a moment (None: at once).

    Everyone has the request before them when it begins; who only looks comes when the first of
    them reads that it is decided. Where nobody taps twice, something that one of them tapped is
    delivered once more while it goes on.
    """
    card = await stage.watch.card(kick.id)
    if card is None:
        return [Told(kick.id, move.person, None) for move in moves]
    acting = [move for move in moves if move.deed != LOOK]
    ready = await asyncio.gather(*(_open(stage, move, card) for move in acting))
    at = at or datetime.now(UTC)
    acts = (_act(move, at) for move, is_ready in zip(acting, ready, strict=True) if is_ready)
    await asyncio.gather(*acts)
    if all(move.taps == 1 for move in acting):
        await _redeliver(stage, *(move.person for move in acting))
    told = (_told(stage, kick, move, card) for move in acting)
    late = (_look(stage, kick, move, card, acting[0]) for move in moves if move.deed == LOOK)
    return list(await asyncio.gather(*late, *told))


async def _look(stage: Stage, kick: Kick, move: Move, card: Message, first: Move) -> Told:
    """Look at a request that was just decided: the card may still have its button."""
    await stage.watch.view(first.person, lambda modal: BY in modal or _is_answer(modal))
    await move.person.click(card, REVIEW_REQUEST, force=True)
    return await _told(stage, kick, move, card)


async def _open(stage: Stage, move: Move, card: Message) -> bool:
    """Open a request up to the button that counts; False where it is decided by then."""
    await move.person.click(card, REVIEW_REQUEST, force=True)
    shown = await stage.watch.view(
        move.person, lambda modal: _is_answer(modal) or move.deed in _buttons(modal)
    )
    if shown is None or move.deed not in _buttons(shown):
        return False
    if move.deed != DENY:
        return True
    await move.person.press(_buttons(shown)[DENY])
    return await stage.watch.view(move.person, lambda modal: modal.submit == DENY) is not None


def _buttons(modal: Modal) -> dict[str, str]:
    """Name what can be pressed, by its words; the submit has no action."""
    elements = [one for block in modal.blocks for one in block.get("elements", ())]
    buttons = [one for one in elements if one["type"] == "button"]
    named = {one["text"]["text"]: one["action_id"] for one in buttons}
    return {**named, modal.submit: ""} if modal.submit else named


def _is_answer(modal: Modal) -> bool:
    """Tell whether a view says what came of a request, and promises nothing more."""
    return not _buttons(modal) and not any(line.endswith("…") for line in modal.lines())


async def _act(move: Move, at: datetime) -> None:
    later = (at - datetime.now(UTC)).total_seconds() + move.after
    await asyncio.sleep(max(0.0, later))
    person = move.person
    taps = (
        person.press(_buttons(person.modal)[CANCEL]) if move.deed == CANCEL else person.submit()
        for _ in range(move.taps)
    )
    await asyncio.gather(*taps)


async def _redeliver(stage: Stage, *people: Person) -> None:
    """Deliver once more something that one of these people did a moment ago."""
    ids = {one.user.id for one in people}
    recent = stage.sandbox.slack.deliveries[-500:]
    theirs = [one for one in recent if one.payload["user"]["id"] in ids]
    await stage.sandbox.slack.deliver(stage.rng.choice(theirs).payload)


async def _told(stage: Stage, kick: Kick, move: Move, card: Message) -> Told:
    """Wait until somebody can read what came of it, and let them close the view.

    Who reads that the database was too slow to say looks at the card again, as it says.
    """
    person = move.person
    shown = await stage.watch.view(person, _is_answer)
    for _ in range(TRIES):
        if shown is None or SLOW not in shown:
            break
        await person.dismiss()
        if await _open(stage, move, card):
            await _act(move, datetime.now(UTC))
        shown = await stage.watch.view(person, _is_answer)
    strips, person.strips[:] = tuple(person.strips), []
    if shown is None and person.stack:
        strips += (f"left with {person.modal}",)
    told = Told(kick.id, person, str(shown) if shown else None, strips)
    await person.dismiss()
    return told


# Whole races


Moves = Callable[[Lane, random.Random], list[Move]]


@dataclass(frozen=True, slots=True)
class Raced:
    """A race that is over: what was asked, and what people were told."""

    name: str
    kicks: Sequence[KickId]
    told: Sequence[Told]


def both_approve(lane: Lane, rng: random.Random) -> list[Move]:
    twice = rng.choice(lane)
    moves = [Move(one, APPROVE, taps=2 if one is twice else 1) for one in lane[1:]]
    return moves if rng.random() >= LOOKS else [*moves, Move(lane[0], LOOK)]


def approve_or_cancel(lane: Lane, rng: random.Random) -> list[Move]:
    return [Move(lane[1], APPROVE, _late(rng)), Move(lane[0], CANCEL, _late(rng))]


def approve_or_deny(lane: Lane, rng: random.Random) -> list[Move]:
    return [Move(lane[1], APPROVE, _late(rng)), Move(lane[2], DENY, _late(rng))]


def _late(rng: random.Random) -> float:
    return rng.choice((0.0, rng.uniform(0, 0.1)))


async def race(
    stage: Stage, name: str, moves: Moves, *, cases: int, lanes: Sequence[Lane]
) -> Raced:
    """Race so many times, side by side; all requests are there from the start."""
    few = asyncio.Semaphore(8)

    async def asked(lane: Lane, target: Participant) -> Kick:
        async with few:
            return await stage.ask(stage.kick(lane[0], target))

    asking = [
        asyncio.create_task(asked(lanes[number % len(lanes)], one))
        for number, one in enumerate(stage.crowd(cases))
    ]

    async def run(number: int) -> list[Told]:
        told = []
        for task in asking[number :: len(lanes)]:
            told += await duel(stage, await task, *moves(lanes[number], stage.rng))
        return told

    told = await asyncio.gather(*map(run, range(len(lanes))))
    return Raced(name, [task.result().id for task in asking], list(chain(*told)))


async def race_against_time(stage: Stage, *, cases: int, lanes: Sequence[Lane]) -> Raced:
    """Approve as the time of a request runs out."""
    kicks: list[KickId] = []
    crowd = iter(stage.crowd(cases))

    async def run(lane: Lane) -> list[Told]:
        told = []
        for target in crowd:
            asked = stage.kick(lane[0], target, wait=stage.rng.uniform(4, 6))
            kick = await stage.ask(asked)
            kicks.append(kick.id)
            move = Move(lane[1], APPROVE, stage.rng.uniform(-0.3, 0.1))
            told += await duel(stage, kick, move, at=kick.expires_at)
        return told

    told = await asyncio.gather(*map(run, lanes))
    return Raced("approve or expire", kicks, list(chain(*told)))


def lanes_of(stage: Stage, count: int, *, after: Sequence[Lane] = ()) -> list[Lane]:
    """Take people for so many lanes, other ones than in the lanes before."""
    numbers = range(3 * len(after), 3 * (len(after) + count), 3)
    return [(stage.person(n), stage.person(n + 1), stage.person(n + 2)) for n in numbers]


async def races_of_people(stage: Stage, *, cases: int, some: int, lanes: int) -> list[Raced]:
    """Let two approve each of `cases` requests, and some others be taken back or denied."""
    both = lanes_of(stage, lanes)
    cancel = lanes_of(stage, max(lanes // 8, 1), after=both)
    deny = lanes_of(stage, len(cancel), after=both + cancel)
    raced = await asyncio.gather(
        race(stage, "two approve", both_approve, cases=cases, lanes=both),
        race(stage, "approve or cancel", approve_or_cancel, cases=some, lanes=cancel),
        race(stage, "approve or deny", approve_or_deny, cases=some, lanes=deny),
    )
    return list(raced)


async def judge_all(stage: Stage, raced: Iterable[Raced]) -> list[Tally]:
    """Wait until all has come to rest, and judge it."""
    await settled(stage.store)
    return [await judge(stage, one.name, one.kicks, one.told) for one in raced]


# All of it


LANES = 12


async def run(seed: int, requests: int = 2000) -> list[Tally]:
    """Run all races; with fewer requests there are fewer of the others, too."""
    some, few = max(requests // 40, 4), max(requests // 80, 3)
    with postgres() as server:
        async with stage(server, people=3 * (LANES + LANES // 4), seed=seed) as crowded:
            await crowded.start(4)
            raced = await races_of_people(crowded, cases=requests, some=some, lanes=LANES)
            tallies = await judge_all(crowded, raced)
        async with (
            stage(server, people=6 * LANES, seed=seed) as timed,
            stage(server, people=3, seed=seed) as owned,
        ):
            await timed.start(4)
            in_time, owners = await asyncio.gather(
                race_against_time(timed, cases=some, lanes=lanes_of(timed, 2 * LANES)),
                race_owners(owned, held=3, cases=few, owners=3, spread=3),
            )
            return [*tallies, *await judge_all(timed, [in_time]), owners]
