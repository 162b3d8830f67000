"""The tour of the demo: a moderator removes two people, then a helper asks to remove one."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.sandbox.realtimekit import Call, Participant
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Message, Person

CHANNEL: Final = "C0LIVE"
APPROVALS: Final = "C0MODS"


class TourError(Exception):
    """Something that the tour was about to print is not true."""


class Tour:
    """Plays two kicks. `say` gets what the users see, and each call to RealtimeKit."""

    def __init__(self, sandbox: Sandbox, say: Callable[[str], None]) -> None:
        self._sandbox = sandbox
        self._maya = sandbox.slack.person("U0MAYA")
        self._hal = sandbox.slack.person("U0HAL")
        self._mo = sandbox.slack.person("U0MO")
        self._olu = next(one for one in sandbox.demo.crowd if one.name == "Olu")
        self._say = say
        self._calls_shown = 0

    async def play(self) -> None:
        """Play the tour. Raises TourError, or an error of Person, if something does not happen."""
        await self._open_form()
        await self._fill_in_form()
        await self._kick()
        await self._request()
        await self._approve(await self._read_card())
        for person in (self._maya, self._hal, self._mo):
            await person.dismiss()

    async def _open_form(self) -> None:
        self._step("Maya, a moderator, types in #live-ops:  /kick")
        await self._maya.command(CHANNEL, "/kick")
        await self._maya.until(lambda sees: sees.modal.title == "Kick from a meeting")
        self._show_modal(self._maya)

    async def _fill_in_form(self) -> None:
        maya, demo = self._maya, self._sandbox.demo
        chosen = []
        for typed, person in (("mal", demo.mallory), ("yus", demo.three_tabs)):
            self._step(f"She types “{typed}” into Who, and the menu offers:")
            options = await maya.type_ahead("who", typed)
            self._say("".join(f"    {one.text} ({one.description})\n" for one in options).rstrip())
            chosen += [one for one in options if one.text == person.name]
            await maya.choose("who", *chosen)
        await maya.write("reason", "Spamming links")
        self._step("She chooses both, and gives a reason:")
        self._show_modal(maya)
        self._step("She presses Review:")
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        self._show_modal(maya)

    async def _kick(self) -> None:
        maya, demo = self._maya, self._sandbox.demo
        self._step("She presses Kick:")
        await maya.submit()
        posted = await maya.until(lambda sees: sees.messages(CHANNEL))
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        self._show_modal(maya)
        self._step("All members of #live-ops see:")
        self._show_message(maya, posted[-1])
        self._verify(demo.mallory, demo.three_tabs)
        self._say("\nBoth are out of the meeting, by one call each. No call named anybody else.")

    async def _request(self) -> None:
        hal = self._hal
        self._step("Hal, a helper, needs approval. He types:  /kick olu shouting at everybody")
        await hal.command(CHANNEL, "/kick olu shouting at everybody")
        await hal.until(lambda sees: sees.modal.submit == "Ask for approval")
        self._show_modal(hal)
        self._step("He presses Ask for approval:")
        await hal.submit()
        await hal.until(lambda sees: "waits for a second person" in sees.modal)
        self._show_modal(hal)

    async def _read_card(self) -> Message:
        self._step("All members of #mods see:")
        (card,) = await self._mo.until(lambda sees: sees.messages(APPROVALS))
        self._show_message(self._mo, card)
        return card

    async def _approve(self, card: Message) -> None:
        mo = self._mo
        self._step("Mo, a moderator, presses Review, and sees the request as it is now:")
        await mo.click(card, "review_request")
        await mo.until(lambda sees: sees.modal.submit == "Approve")
        self._show_modal(mo)
        self._step("He presses Approve:")
        await mo.submit()
        await mo.until(lambda sees: "✓ kicked" in sees.modal)
        self._show_modal(mo)
        await self._show_results()

    async def _show_results(self) -> None:
        self._step("Hal's modal is still open. It shows the result:")
        await self._hal.until(lambda sees: "✓ kicked" in sees.modal)
        self._show_modal(self._hal)
        self._step("All members of #live-ops see the result, and the card in #mods shows it, too:")
        posted = await self._hal.until(lambda sees: sees.messages(CHANNEL)[1:])
        self._show_message(self._hal, posted[-1])
        (card,) = await self._mo.until(
            lambda sees: [one for one in sees.messages(APPROVALS) if "✓ kicked" in sees.read(one)]
        )
        self._show_message(self._mo, card)
        if "[ Review ]" in self._mo.read(card):
            raise TourError("the card still asks for a review")
        self._verify(self._sandbox.demo.mallory, self._sandbox.demo.three_tabs, self._olu)
        self._say("\nOlu is out too, by one call, after a moderator approved. Hal alone could not.")

    def _verify(self, *kicked: Participant) -> None:
        """Check that only these were kicked, by one call each, and that nothing went wrong."""
        sandbox, world = self._sandbox, self._sandbox.realtimekit.world
        names = {one.id: one.name for one in kicked}
        found = [effect.participant.id for effect in world.kicks]
        if sorted(found) != sorted(names):
            raise TourError(f"RealtimeKit removed {found}, not {names}")
        still = {person.id for person in world.who_is_in(sandbox.demo.ama)} & set(names)
        if still:
            raise TourError(f"{still} are still in the meeting")
        if problems := [*sandbox.slack.problems, *sandbox.realtimekit.problems]:
            raise TourError(f"a stand-in reports problems: {problems}")

    def _step(self, text: str) -> None:
        self._say(f"\n── {text}")

    def _show_message(self, person: Person, message: Message) -> None:
        self._say(_indent(person.read(message)))

    def _show_modal(self, person: Person) -> None:
        self._say(_indent(str(person.modal)))
        calls = self._sandbox.realtimekit.calls[self._calls_shown :]
        self._calls_shown += len(calls)
        self._say(_calls(calls))


def _calls(calls: Sequence[Call]) -> str:
    if not calls:
        return "    (no call to RealtimeKit)"
    return "\n".join(f"    → RealtimeKit: {_call(call)}" for call in calls)


def _call(call: Call) -> str:
    path = call.path.partition("/realtime/kit/")[2].partition("/")[2]
    sent = f" {call.body}" if call.body else ""
    return f"{call.method} …/{path}{sent} → {call.status}"


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
