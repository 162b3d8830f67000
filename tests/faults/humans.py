"""Simulated users: they press again if nothing happens, lose patience, and close modals.

What they do depends on what they see, so they can continue after any fault.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bot.slack.views import blocks, form, review
from tests.sandbox.realtimekit import Participant
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import ActionError, Message, Modal, Person, TimedOutError

STEPS = 16  # actions for one kick before a user gives up
TRIES = 3  # times that a user starts from the beginning
Sight = tuple[object, ...]


def sight(person: Person) -> Sight:
    """Return everything that this person sees, for comparison."""
    said = [
        (one.channel, one.ts, one.text, str(one.blocks) if one.is_edited else "")
        for channel in person.channels()
        for one in person.messages(channel.id)
    ]
    views = [(one.id, one.hash, *one.errors.values(), one.strip) for one in person.stack]
    return tuple(said), tuple(views), len(person.strips), len(person.notices)


def is_loading(modal: Modal) -> bool:
    """Tell whether a modal says that it is loading."""
    texts = [block["text"]["text"] for block in modal.blocks if block["type"] == "section"]
    return modal.callback_id == blocks.TEXT_MODAL and any(text.endswith("…") for text in texts)


def with_button(person: Person, channel: str, action_id: str) -> list[Message]:
    """List the messages that offer this button, newest first."""
    return [one for one in reversed(person.messages(channel)) if has_button(one, action_id)]


def has_button(message: Message, action_id: str) -> bool:
    """Tell whether a message has this button."""
    elements = (one for block in message.blocks for one in block.get("elements", ()))
    return any(one.get("action_id") == action_id for one in elements)


@dataclass(slots=True)
class Act:
    """An action of a user.

    `before` is what the user saw at that moment, `calls` the number of calls to Slack until then.
    `answered`: what the user sees changed before they lost patience. `left` are the ids of a view
    that they closed while it was loading.
    """

    person: Person
    what: str
    before: Sight
    calls: int
    answered: bool = False
    left: frozenset[str] = frozenset()


@dataclass(slots=True)
class Human:
    """A user with habits. `acts` are the actions that need an answer.

    `patience` is how many seconds the user waits for an answer, `pause` how long they read it.
    """

    sandbox: Sandbox
    person: Person
    rng: random.Random
    patience: float = 3.0
    pause: float = 0.0
    acts: list[Act] = field(default_factory=list)

    @property
    def top(self) -> Modal | None:
        """The modal on top, if there is one."""
        stack = self.person.stack
        return stack[-1] if stack else None

    @property
    def waits(self) -> bool:
        """Tell whether the modal on top is loading."""
        return self.top is not None and is_loading(self.top)

    def inclined(self, chance: float) -> bool:
        """Return True with this probability."""
        return self.rng.random() < chance

    async def do(self, what: str, *doing: Awaitable[object]) -> bool:
        """Do some things at once. Return whether the user saw a change before losing patience."""
        act = Act(self.person, what, sight(self.person), len(self.sandbox.slack.calls))
        done = await asyncio.gather(*doing, return_exceptions=True)
        errors = [one for one in done if isinstance(one, BaseException)]
        if unexpected := [one for one in errors if not isinstance(one, ActionError)]:
            raise unexpected[0]
        if len(errors) < len(done):
            # Otherwise the client did not allow it, because the view was closed meanwhile.
            self.acts.append(act)
        act.answered = await self.see(lambda: sight(self.person) != act.before)
        return act.answered

    async def see(self, so: Callable[[], bool]) -> bool:
        """Wait for a condition while patience lasts. Return whether it came true."""
        with suppress(TimedOutError):
            return await self.person.until(lambda _: so(), within=self.patience)
        return False

    async def close(self) -> None:
        """Close all modals. This needs no answer."""
        with suppress(ActionError):
            await self.person.dismiss()

    async def give_up(self) -> None:
        """Close modals that are still loading, and record which."""
        if self.acts and self.top and self.waits:
            self.acts[-1].left = frozenset({self.top.id, self.top.external_id})
        await self.close()

    async def submit(self, what: str) -> bool:
        """Submit the modal, sometimes twice. Return whether Slack accepted it."""
        view = self.top.id if self.top else ""
        presses = [self.person.submit()]
        if self.inclined(0.15):
            presses.append(self.person.submit(force=True))
        changed = await self.do(what, *presses)
        return changed and not (self.top and self.top.id == view and self.top.strip)


@dataclass(slots=True)
class Wish:
    """Whom a user wants to kick, why, and how they enter it."""

    channel: str
    people: Sequence[Participant]
    reason: str
    by_form: bool = False
    by_id: bool = False
    closes_early: bool = False

    @property
    def line(self) -> str:
        """The command that the user types, with or without a person and a reason."""
        return "/kick" if self.by_form else f"/kick {self.people[0].name} {self.reason}"


class Requester:
    """A user who requests a kick, from the command to the answer."""

    def __init__(self, human: Human, wish: Wish, at_review: Callable[[], None]) -> None:
        self.human = human
        self.is_sent = False
        self._wish = wish
        self._at_review = at_review
        self._tries = TRIES

    async def go(self) -> None:
        """Continue until the request is submitted, or the user gives up."""
        for _ in range(STEPS):
            if self.is_sent or (self.human.top is None and not self._tries):
                break
            await self._step()
        if self._wish.closes_early:
            await self.human.close()

    async def _step(self) -> None:
        human, top = self.human, self.human.top
        if top is None:
            self._tries -= 1
            await human.do("types the command", human.person.command(*self._typed()))
        elif human.waits:
            if not await human.see(lambda: not human.waits):
                await human.give_up()
        elif top.callback_id == form.FORM:
            await self._fill_in(top)
        elif top.callback_id == review.REVIEW and top.submit:
            await self._confirm()
        else:
            # The modal shows an error, or a result.
            await asyncio.sleep(human.pause)
            await human.close()

    def _typed(self) -> tuple[str, str]:
        return self._wish.channel, self._wish.line

    async def _confirm(self) -> None:
        if self.human.inclined(0.05):
            await self.human.person.cancel()
            return
        self._at_review()
        if await self.human.submit("presses Kick"):
            self.is_sent = self.human.top is None or self.human.top.callback_id == blocks.TEXT_MODAL

    async def _fill_in(self, shown: Modal) -> None:
        person = self.human.person
        with suppress(ActionError):
            if form.MEETING in shown.action_ids and not shown.values.get(form.MEETING):
                await self._choose_meeting()
            await self._choose_people()
            await person.write(form.REASON, self._wish.reason)
            if await self.human.submit("presses Review"):
                return
        if self.human.top and self.human.top.errors:
            await self.human.close()

    async def _choose_meeting(self) -> None:
        title = self._wish.people[0].meeting.title
        offered = await self.human.person.type_ahead(form.MEETING, title)
        before = sight(self.human.person)
        for option in offered:
            if option.value == self._wish.people[0].meeting.id:
                await self.human.person.choose(form.MEETING, option)
                await self.human.see(lambda: sight(self.human.person) != before)
                return

    async def _choose_people(self) -> None:
        person, picked = self.human.person, []
        missing = list(self._wish.people)
        for one in [] if self._wish.by_id else self._wish.people:
            offered = await person.type_ahead(form.WHO, one.name or one.custom_id)
            found = [option for option in offered if one.id in option.value]
            if found:
                picked += found[:1]
                missing.remove(one)
                await person.choose(form.WHO, *picked)
        pasted = [self.human.rng.choice((one.id, one.custom_id)) for one in missing]
        await person.write(form.IDS, "\n".join(pasted))


class Presser:
    """A user who presses a button of a message, and continues with the modal that it opens."""

    def __init__(self, human: Human, find: Callable[[], Message | None], action_id: str) -> None:
        self.human = human
        self.is_done = False
        self._find = find
        self._action_id = action_id
        self._tries = TRIES

    async def go(self, react: Callable[[Modal], Awaitable[bool]] | None = None) -> None:
        """Press it. `react` handles a modal with a submit, and returns whether that was all."""
        for _ in range(STEPS):
            if self.is_done or (self.human.top is None and not await self._press()):
                return
            await self._look(react)

    async def _press(self) -> bool:
        message = self._find()
        if message is None or not self._tries:
            return False
        self._tries -= 1
        click = self.human.person.click
        return await self.human.do(
            f"presses {self._action_id}", click(message, self._action_id)
        ) or bool(self._tries)

    async def _look(self, react: Callable[[Modal], Awaitable[bool]] | None) -> None:
        human, top = self.human, self.human.top
        if top is None:
            # The answer came without a modal. Some users press again.
            self.is_done = human.inclined(0.5)
        elif human.waits:
            if not await human.see(lambda: not human.waits):
                await human.give_up()
        elif react and top.submit:
            self.is_done = await react(top)
        else:
            self.is_done = True
            await human.close()


def unanswered(acts: Sequence[Act], sandbox: Sandbox) -> list[str]:
    """Return the actions without an answer, although Slack would have delivered one."""
    silent = [
        f"{act.person.user.name} {act.what}, and nothing came of it"
        for act in acts
        if not act.answered and sight(act.person) == act.before
        if not {"view", "message"} <= _failed(sandbox, act)
    ]
    silent += [
        f"{act.person.user.name} {act.what}, and closed what was never filled"
        for act in acts
        if act.left and not _was_filled(sandbox, act)
    ]
    last = {act.person.user.id: act for act in acts}
    return silent + [
        f"{act.person.user.name} {act.what}, and sees for ever: {quoted(act.person.modal)}"
        for act in last.values()
        if act.person.stack and is_loading(act.person.modal) and not _is_excused(sandbox, act)
    ]


def _was_filled(sandbox: Sandbox, act: Act) -> bool:
    """Tell whether the bot tried to update a view that the user had closed."""
    names = {"view_id", "external_id"}
    calls = (one for one in sandbox.slack.calls[act.calls :] if one.method == "views.update")
    return any(act.left & {one.arguments.get(name) for name in names} for one in calls)


def _is_excused(sandbox: Sandbox, act: Act) -> bool:
    """Tell whether Slack refused the view, and a message was sent or refused instead."""
    failed = _failed(sandbox, act)
    return "view" in failed and ("message" in failed or sight(act.person)[0] != act.before[0])


def _failed(sandbox: Sandbox, act: Act) -> set[str]:
    """Return which kinds of answers Slack refused since the action."""
    calls = sandbox.slack.calls[act.calls :]
    return {_way(call.method) for call in calls if not (call.answer or {}).get("ok")}


def _way(method: str) -> str:
    ways = {"views": "view", "chat": "message", "response_url": "message"}
    return ways.get(method.partition(".")[0], "")


def quoted(modal: Modal) -> str:
    """Return a modal as one line of text."""
    return " ".join(modal.lines())
