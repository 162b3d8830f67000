"""Races between users, between a user and a deadline, and between processes."""

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
LOOKS = 0.2  # the share of requests that the requester also opens, just after the decision
SLOW, TRIES = "The bot's database", 5
Lane = tuple[Person, Person, Person]
"""The requester, and two users who may decide."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a user does with a request: the label of the button, when, and how many clicks."""

    person: Person
    deed: str
    after: float = 0.0  # seconds from the moment that counts
    taps: int = 1


async def duel(stage: Stage, kick: Kick, *moves: Move, at: datetime | None = None) -> list[Told]:
    """Let users act on one request, around the moment `at` (None: at once).

    All have opened the request before. A user who only looks opens it when the first of the others
    reads that it is decided. If no user clicks twice, one of their payloads is delivered again.
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
    """Open a request that was just decided. Its card may still have the button."""
    await stage.watch.view(first.person, lambda modal: BY in modal or _is_answer(modal))
    await move.person.click(card, REVIEW_REQUEST, force=True)
    return await _told(stage, kick, move, card)


async def _open(stage: Stage, move: Move, card: Message) -> bool:
    """Open a request up to the deciding button. Return False if it is decided already."""
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
    """Return the action ids of the buttons, by label. The submit has none."""
    elements = [one for block in modal.blocks for one in block.get("elements", ())]
    buttons = [one for one in elements if one["type"] == "button"]
    named = {one["text"]["text"]: one["action_id"] for one in buttons}
    return {**named, modal.submit: ""} if modal.submit else named


def _is_answer(modal: Modal) -> bool:
    """Tell whether a view shows the end of a request."""
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
    """Deliver a recent payload of one of these users again."""
    ids = {one.user.id for one in people}
    recent = stage.sandbox.slack.deliveries[-500:]
    theirs = [one for one in recent if one.payload["user"]["id"] in ids]
    await stage.sandbox.slack.deliver(stage.rng.choice(theirs).payload)


async def _told(stage: Stage, kick: Kick, move: Move, card: Message) -> Told:
    """Wait until the user sees the end of the request, and close the view.

    If the view says that the database was too slow, the user presses the button again.
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
    """A race that is over: its kicks, and what users read about them."""

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
    """Run `cases` races. The lanes run concurrently. All requests exist from the start."""
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
    """Approve requests just as they expire."""
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
    """Return lanes with users who are not in the lanes `after`."""
    numbers = range(3 * len(after), 3 * (len(after) + count), 3)
    return [(stage.person(n), stage.person(n + 1), stage.person(n + 2)) for n in numbers]


async def races_of_people(stage: Stage, *, cases: int, some: int, lanes: int) -> list[Raced]:
    """Let two users approve each of `cases` requests. Race approval with cancel and deny, too."""
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
    """Wait until nothing is running any more, and audit the races."""
    await settled(stage.store)
    return [await judge(stage, one.name, one.kicks, one.told) for one in raced]


# All of it


LANES = 12


async def run(seed: int, requests: int = 2000) -> list[Tally]:
    """Run all races. `requests` scales the number of all cases."""
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
