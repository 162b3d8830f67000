"""Walks: journeys of a kick that can be resumed after the bot died.

A walk looks at the current state, as users would, and does what is left to do.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from bot.core.kick import OPEN, Kick, State
from bot.core.target import Outcome
from bot.slack.views.approval import DENY
from bot.slack.views.blocks import CANCEL_REQUEST, CHECK_AGAIN
from bot.slack.views.card import REVIEW_REQUEST
from tests.faults.ledger import APPROVALS, buttons
from tests.journeys.steps import choose, to_review
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Message, Person

LIVE = "C0LIVE"
PATIENCE = 90.0  # seconds until a wait fails


Doing: TypeAlias = Coroutine[Any, Any, None]


class Scene(Protocol):
    """The environment of a walk."""

    sandbox: Sandbox

    async def kick(self) -> Kick | None:
        """Return the newest kick; None if there is none."""
        ...

    async def until(self, holds: Callable[[Kick], bool]) -> Kick:
        """Wait until this holds for the newest kick, and return it."""
        ...


@dataclass(frozen=True, slots=True)
class Walk:
    """A journey: what people do, the rules of the policy, and the faults switched on before."""

    name: str
    people: Callable[[Scene], Doing]
    rules: Mapping[str, str]
    prepare: Callable[[Scene], Doing] | None = None


async def _ask(scene: Scene, person: Person, *names: str) -> None:
    """Submit a request, unless it is stored already. If the review is still open, submit it."""
    if not _reviews(person):
        if await scene.kick():
            return
        if person.stack:
            await person.dismiss()
        if len(names) > 1:
            await choose(person, *names)
        else:
            await to_review(person, f"/kick {names[0]} spamming links")
            await person.until(lambda sees: sees.modal.submit)
    await person.submit()
    await person.until(lambda sees: sees.modal.title.startswith("Kick #"))


def _reviews(person: Person) -> bool:
    return bool(person.stack) and person.modal.title == "Review" and bool(person.modal.submit)


async def _decide(scene: Scene, person: Person, decide: Callable[[Person], Doing] | None) -> None:
    """Press Review and decide, while the request waits. Without `decide`, expect a refusal."""
    kick = await scene.kick()
    if kick is None or kick.state is not State.WAITING:
        return
    card = (await person.until(_asking, PATIENCE))[-1]
    if person.stack:
        await person.dismiss()
    await person.click(card, REVIEW_REQUEST)
    if decide is None:
        await person.until(lambda sees: "Looking who" not in sees.modal)
        return
    await person.until(lambda sees: sees.modal.title.startswith("Kick #"))
    await decide(person)
    await scene.until(lambda kick: kick.state is not State.WAITING)


def _asking(person: Person) -> Sequence[Message]:
    return [one for one in person.messages(APPROVALS) if buttons(one)]


async def _approve(person: Person) -> None:
    await person.until(lambda sees: sees.modal.submit == "Approve")
    await person.submit()


async def _deny(person: Person) -> None:
    await person.press(DENY)
    await person.until(lambda sees: sees.modal.submit == "Deny")
    await person.write("note", "let them stay")
    await person.submit()


async def _cancel(person: Person) -> None:
    await person.press(CANCEL_REQUEST)


async def _two(scene: Scene) -> None:
    await _ask(scene, scene.sandbox.slack.person("U0MAYA"), "Tom", "Ana")


async def _approved(scene: Scene) -> None:
    await _ask(scene, scene.sandbox.slack.person("U0HAL"), "mallory")
    await _decide(scene, scene.sandbox.slack.person("U0MO"), _approve)


async def _denied(scene: Scene) -> None:
    """Deny a request, after a user without a role has pressed the button."""
    await _ask(scene, scene.sandbox.slack.person("U0MAYA"), "mallory")
    await _decide(scene, scene.sandbox.slack.person("U0STAN"), None)
    await _decide(scene, scene.sandbox.slack.person("U0MO"), _deny)


async def _cancelled(scene: Scene) -> None:
    hal = scene.sandbox.slack.person("U0HAL")
    await _ask(scene, hal, "mallory")
    await _decide(scene, hal, _cancel)


async def _expired(scene: Scene) -> None:
    await _ask(scene, scene.sandbox.slack.person("U0HAL"), "mallory")
    await scene.until(lambda kick: kick.state not in OPEN)


async def _answer_lost(scene: Scene) -> None:
    """Lose the reply to the kick, and from then on all lists of people."""
    realtimekit = scene.sandbox.realtimekit
    # Slow, so that the lists fail before the bot reads them.
    realtimekit.faults.switch_on("slow", op="kick", seconds=0.5)
    realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    # If the bot dies before it calls, this waits until it is cancelled.
    await realtimekit.until(
        lambda: any(call.op == "kick" for call in realtimekit.calls), within=3600
    )
    realtimekit.faults.switch_on("server_error", op="participants")


async def _unknown(scene: Scene) -> None:
    maya = scene.sandbox.slack.person("U0MAYA")
    await _ask(scene, maya, "mallory")
    kick = await scene.until(lambda kick: kick.state not in OPEN)
    if _is_unknown(kick):
        told = (await maya.until(_checkable, PATIENCE))[-1]
        scene.sandbox.realtimekit.faults.switch_off()
        # If nothing happens after the call, no list can prove that it had no effect.
        demo = scene.sandbox.demo
        if session := demo.world.live_session(demo.ama):
            demo.world.leave(session.present[demo.three_tabs.id][0])
        await maya.click(told, CHECK_AGAIN)
        await scene.until(lambda kick: not _is_unknown(kick))


def _is_unknown(kick: Kick) -> bool:
    return any(target.outcome is Outcome.UNKNOWN for target in kick.targets)


def _checkable(person: Person) -> Sequence[Message]:
    return [
        message
        for message in person.messages(LIVE)
        if any(one["action_id"] == CHECK_AGAIN for one in buttons(message))
    ]


ALONE = {"second_person": '"never"'}
TOGETHER = {"second_person": '"always"'}

DIRECT = Walk("two kicked", _two, ALONE)
LOST_ANSWER = Walk("answer lost, checked again", _unknown, ALONE, _answer_lost)
WALKS = (
    DIRECT,
    Walk("asked, approved", _approved, TOGETHER),
    Walk("asked, denied", _denied, TOGETHER),
    Walk("asked, taken back", _cancelled, TOGETHER),
    Walk("asked, expired", _expired, TOGETHER | {"expires": '"2s"'}),
    LOST_ANSWER,
)
