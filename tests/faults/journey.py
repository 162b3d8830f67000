"""A journey of the storm: a requested kick, who decides, what follows, and the faults meanwhile.

All of this is drawn from the seed before the journey begins.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bot.core.kick import Kick, State
from bot.core.target import Outcome
from bot.slack.views import approval, blocks, card
from tests.faults.humans import Act, Human, Presser, Requester, Wish, with_button
from tests.faults.weather import PlannedFault, draw, draw_costly, draw_for_a_kick
from tests.faults.worlds import A_LOOK, APPROVALS, World
from tests.sandbox.realtimekit import Participant
from tests.sandbox.slack import Message, Modal

ON_ITS_WAY: Final = frozenset({State.READY, State.RUNNING})
OUTLASTS: Final = 300  # polls; the longest that a kick may be ready or running
EXPIRES: Final = 600.0  # seconds until a request expires
A_STEP: Final = 20.0  # seconds that pass at once, so that the reconciler ticks in between
DECIDERS: Final = ("U0MAYA", "U0MO", "U0MIA", "U0LEA")
STRANGERS: Final = ("U0STAN", "U0GUS", "U0XEN", "U0HAL")
FEW, MANY = 0.2, 0.4  # shares
COSTLY_ONES, REPLAYED, MEDDLERS = 0.02, 0.1, 0.15

MOMENTS: Final = ("command", "kick", "decision", "after")
"""The moments of a journey at which faults begin."""


@dataclass(slots=True)
class Journey:
    """One requested kick, with the faults that happen during it."""

    number: int
    seed: int
    requester: str
    wish: Wish
    decision: str
    faults: dict[str, list[PlannedFault]]
    habits: random.Random
    acts: list[Act] = field(default_factory=list)
    struck: set[str] = field(default_factory=set)

    @classmethod
    def drawn(cls, number: int, seed: int, world: World) -> "Journey":
        """Return a random journey. Its people join the meeting."""
        rng = random.Random(f"{seed}/{number}")  # noqa: S311 - draws that repeat, not secrets
        requester = rng.choice(("U0MAYA", "U0MAYA", "U0MO", "U0LEA", "U0HAL"))
        decision = rng.choice(("approve",) * 5 + ("deny", "cancel", "late", "expire", "forget"))
        faults: dict[str, list[PlannedFault]] = {moment: [] for moment in MOMENTS}
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
            faults[rng.choice(MOMENTS)].append(draw(rng))
        for _ in range(rng.choice((0, 1, 1, 2))):
            faults["kick"].append(draw_for_a_kick(rng))
        if rng.random() < COSTLY_ONES:
            faults["kick"].append(draw_costly(rng))
        wish = _wish(world, requester, number, rng)
        return cls(number, seed, requester, wish, decision, faults, rng)

    def __str__(self) -> str:
        faults = [f"{moment}: {fault}" for moment in MOMENTS for fault in self.faults[moment]]
        people = len(self.wish.people)
        what = f"{self.requester} {self.wish.line[:40]!r} of {people}, then {self.decision}"
        return f"journey {self.number}: {what}; {', '.join(faults) or 'no faults'}"

    def human(self, world: World, user: str) -> Human:
        """Return a user with the habits of this journey."""
        rng = random.Random(f"{self.seed}/{self.number}/{user}")  # noqa: S311 - as above
        person = world.sandbox.slack.person(user)
        return Human(world.sandbox, person, rng, rng.choice((1.0, 3.0, 5.0)), acts=self.acts)

    def strike(self, world: World, moment: str) -> None:
        """Switch on the faults of this moment, the first time that it comes."""
        if moment not in self.struck:
            self.struck.add(moment)
            for fault in self.faults[moment]:
                fault.strike(world.sandbox)

    async def go(self, world: World) -> None:
        """Play the journey to its end."""
        self.strike(world, "command")
        human = self.human(world, self.requester)
        requester = Requester(human, self.wish, lambda: self.strike(world, "kick"))
        await requester.go()
        if requester.is_sent:
            await self._replay(world)
            await _outlast(world)
            self.strike(world, "decision")
            await self._decide(world)
            await _outlast(world)
            self.strike(world, "after")
            await self._afterwards(world)
            await _outlast(world)

    async def _replay(self, world: World) -> None:
        """Sometimes deliver the last submit once more, as in a replay attack."""
        sent = [one.payload for one in world.sandbox.slack.deliveries]
        submits = [one for one in sent if one.get("type") == "view_submission"]
        if submits and self.habits.random() < REPLAYED:
            await world.sandbox.slack.deliver(submits[-1])

    async def _decide(self, world: World) -> None:
        kick = await self._newest(world)
        if kick is None or kick.state is not State.WAITING or self.decision == "forget":
            return
        if self.decision == "expire":
            await _pass_by(world, EXPIRES)
            return
        await self._somebody_else(world, kick)
        deciders = [one for one in DECIDERS if one != self.requester]
        user = self.requester if self.decision == "cancel" else self.habits.choice(deciders)
        human = self.human(world, user)
        if (
            self.decision == "cancel"
            and human.top
            and blocks.CANCEL_REQUEST in human.top.action_ids
        ):
            await human.do("takes it back", human.person.press(blocks.CANCEL_REQUEST))
        await human.close()
        presser = Presser(human, partial(self._card, world, user, kick), card.REVIEW_REQUEST)
        await human.see(lambda: self._card(world, user, kick) is not None)
        await presser.go(partial(self._answer, world, human))

    async def _somebody_else(self, world: World, kick: Kick) -> None:
        """Sometimes let a user press the button who may not decide."""
        if self.habits.random() < MEDDLERS:
            user = self.habits.choice([one for one in STRANGERS if one != self.requester])
            human = self.human(world, user)
            find = partial(self._card, world, user, kick)
            await Presser(human, find, card.REVIEW_REQUEST).go()

    def _card(self, world: World, user: str, kick: Kick) -> Message | None:
        cards = with_button(world.sandbox.slack.person(user), APPROVALS, card.REVIEW_REQUEST)
        return next((one for one in cards if f"#{kick.number}:" in one.text), None)

    async def _answer(self, world: World, human: Human, modal: Modal) -> bool:
        """Approve, deny or cancel in the modal of a request. Return whether it is decided."""
        self._people_change(world)
        if self.decision == "late":
            await _pass_by(world, EXPIRES)
        for word in (approval.DENY, blocks.CANCEL_REQUEST):
            if word in modal.action_ids and self.decision in {"deny", "cancel"}:
                await human.do(f"presses {word}", human.person.press(word))
        if human.top and human.top.submit:
            await human.submit(f"presses {human.top.submit}")
        return not (human.top and human.top.submit)

    def _people_change(self, world: World) -> None:
        """Sometimes let a target change the name or the preset, or leave, before the decision."""
        one = self.habits.choice(self.wish.people)
        match self.habits.randrange(8):
            case 0:
                world.sandbox.demo.world.rename(one, f"{one.name} (new)")
            case 1:
                world.sandbox.demo.world.change_preset(one, "group_call_host")
            case 2:
                world.leave(one)

    async def _afterwards(self, world: World) -> None:
        """Sometimes press *Check again* or *Kick again* under the result."""
        kick = await self._newest(world)
        if kick is None or kick.state is not State.DONE:
            return
        offered = [blocks.KICK_AGAIN] if self.habits.random() < MANY else []
        if any(one.outcome is Outcome.UNKNOWN for one in kick.targets):
            offered.insert(0, blocks.CHECK_AGAIN)
        for action_id in offered:
            user = self.habits.choice((self.requester, "U0LEA"))
            human = self.human(world, user)
            find = partial(self._result, world, user, action_id)
            await human.see(partial(_is_there, find))
            await Presser(human, find, action_id).go(partial(self._confirm, human))

    def _result(self, world: World, user: str, action_id: str) -> Message | None:
        person = world.sandbox.slack.person(user)
        if self.wish.channel not in {one.id for one in person.channels()}:
            return None
        return next(iter(with_button(person, self.wish.channel, action_id)), None)

    async def _confirm(self, human: Human, _: Modal) -> bool:
        await human.submit("presses Kick again")
        return not (human.top and human.top.submit)

    async def _newest(self, world: World) -> Kick | None:
        newest = await world.store.history(1)
        return newest[0] if newest and newest[0].requester == self.requester else None


def _is_there(find: Callable[[], Message | None]) -> bool:
    return find() is not None


def _wish(world: World, requester: str, number: int, rng: random.Random) -> Wish:
    person = world.sandbox.slack.person(requester)
    channels = [one.id for one in person.channels() if not one.is_archived and one.id != APPROVALS]
    people = _crowd(world, number, rng)
    return Wish(
        channel=rng.choice(["C0LIVE"] * len(channels) + channels),
        people=people,
        reason=rng.choice(("spamming links", "spam: <!channel> & *more*", "x" * 300)),
        by_form=len(people) > 1 or rng.random() < MANY,
        by_id=rng.random() < FEW,
        closes_early=rng.random() < FEW,
    )


def _crowd(world: World, number: int, rng: random.Random) -> list[Participant]:
    """Let the targets join. Some have several tabs, and some rejoin after a kick."""
    app, crowd = world.sandbox.demo.world, []
    for position in range(rng.choice((1, 1, 1, 2, 4, 5))):
        name = f"Mallory-{number:04}{'abcde'[position]}"
        one = app.add_participant(world.sandbox.demo.ama, name, custom_id=f"user-{name}")
        for _ in range(rng.choice((1, 1, 3))):
            app.join(one)
        if rng.random() < FEW:
            app.comes_back(one, after=rng.choice((0, 1, 15)), times=rng.choice((1, 3)))
        crowd.append(one)
    return crowd


async def _outlast(world: World) -> None:
    """Wait until the newest kick is neither ready nor running."""
    for _ in range(OUTLASTS):
        newest = await world.store.history(1)
        if not newest or newest[0].state not in ON_ITS_WAY:
            return
        await asyncio.sleep(A_LOOK)


async def _pass_by(world: World, seconds: float) -> None:
    """Let time pass in steps, so that the reconciler ticks in between."""
    for _ in range(round(seconds / A_STEP)):
        world.clock.pass_by(A_STEP)
        await asyncio.sleep(A_LOOK)
