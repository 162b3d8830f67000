"""The journey that the demo plays: a moderator removes two people, then a helper asks for one."""

from collections.abc import Callable, Sequence

from tests.sandbox.place import Place
from tests.sandbox.realtimekit.calls import Call
from tests.sandbox.realtimekit.people import Participant
from tests.sandbox.slack import Message, Person

CHANNEL = "C0LIVE"
APPROVALS = "C0MODS"


class NotSo(Exception):
    """Something the tour was about to say did not happen."""


class Tour:
    """Plays two kicks as people would; `say` gets what they see, and each HTTP call."""

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place = place
        self._maya = place.slack.person("U0MAYA")
        self._hal = place.slack.person("U0HAL")
        self._mo = place.slack.person("U0MO")
        self._olu = next(one for one in place.cast.crowd if one.name == "Olu")
        self._say = say
        self._told_calls = 0

    async def play(self) -> None:
        """Play it; raises NotSo, or what a Person raises, if something did not happen."""
        await self._open()
        await self._choose()
        await self._review()
        await self._kick()
        await self._ask()
        await self._approve(await self._card())
        for person in (self._maya, self._hal, self._mo):
            await person.dismiss()

    async def _open(self) -> None:
        self._step("Maya, a moderator, types in #live-ops:  /kick")
        await self._maya.command(CHANNEL, "/kick")
        await self._maya.until(lambda sees: sees.modal.title == "Kick from a meeting")
        self._show()

    async def _choose(self) -> None:
        maya, cast = self._maya, self._place.cast
        chosen = []
        for typed, person in (("mal", cast.mallory), ("yus", cast.three_tabs)):
            self._step(f"She types “{typed}” into Who, and is offered:")
            options = await maya.type_ahead("who", typed)
            self._say("".join(f"    {one.text} ({one.description})\n" for one in options).rstrip())
            chosen += [one for one in options if one.text == person.name]
            await maya.choose("who", *chosen)
        await maya.write("reason", "Spamming links")
        self._step("She picks both, and says why:")
        self._show()

    async def _review(self) -> None:
        self._step("She presses Review:")
        await self._maya.submit()
        await self._maya.until(lambda sees: sees.modal.submit == "Kick")
        self._show()

    async def _kick(self) -> None:
        maya, cast = self._maya, self._place.cast
        self._step("She presses Kick:")
        await maya.submit()
        posted = await maya.until(lambda sees: sees.messages(CHANNEL))
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        self._show()
        self._step("Everybody in #live-ops sees:")
        self._read(maya, posted[-1])
        self._verify(cast.mallory, cast.three_tabs)
        self._say("\nBoth are out of the meeting, by one call each; nobody else was touched.")

    async def _ask(self) -> None:
        hal = self._hal
        self._step("Hal, a helper, may only ask. He types:  /kick olu shouting at everybody")
        await hal.command(CHANNEL, "/kick olu shouting at everybody")
        await hal.until(lambda sees: sees.modal.submit == "Ask for approval")
        self._show(hal)
        self._step("He presses Ask for approval:")
        await hal.submit()
        await hal.until(lambda sees: "waits for a second person" in sees.modal)
        self._show(hal)

    async def _card(self) -> Message:
        self._step("Everybody in #mods sees:")
        (card,) = await self._mo.until(lambda sees: sees.messages(APPROVALS))
        self._read(self._mo, card)
        return card

    async def _approve(self, card: Message) -> None:
        mo = self._mo
        self._step("Mo, a moderator, presses Review, and is shown how it stands now:")
        await mo.click(card, "review_request")
        await mo.until(lambda sees: sees.modal.submit == "Approve")
        self._show(mo)
        self._step("He presses Approve:")
        await mo.submit()
        await mo.until(lambda sees: "✓ kicked" in sees.modal)
        self._show(mo)
        await self._told()

    async def _told(self) -> None:
        """Show that all who should hear of it did, and that there is nothing left to press."""
        self._step("Hal hears of it in the window he left open:")
        await self._hal.until(lambda sees: "✓ kicked" in sees.modal)
        self._show(self._hal)
        self._step("Everybody in #live-ops sees, and in #mods the card says so too:")
        posted = await self._hal.until(lambda sees: sees.messages(CHANNEL)[1:])
        self._read(self._hal, posted[-1])
        (card,) = await self._mo.until(
            lambda sees: [one for one in sees.messages(APPROVALS) if "✓ kicked" in sees.read(one)]
        )
        self._read(self._mo, card)
        if "[ Review ]" in self._mo.read(card):
            raise NotSo("the card still asks for a review")
        self._verify(self._place.cast.mallory, self._place.cast.three_tabs, self._olu)
        self._say("\nOlu is out too, by one call, after a moderator's yes; Hal alone could not.")

    def _verify(self, *wanted: Participant) -> None:
        """Check that these are out by one call each, nobody else, and that nothing went wrong."""
        world = self._place.realtimekit.world
        named = {one.id: one.name for one in wanted}
        kicked = [effect.participant.id for effect in world.kicks]
        if sorted(kicked) != sorted(named):
            raise NotSo(f"RealtimeKit saw {kicked} go, not {named}")
        still = {person.id for person in world.who_is_in(self._place.cast.ama)} & set(named)
        if still:
            raise NotSo(f"{still} are still in the meeting")
        problems = [*self._place.slack.problems, *self._place.realtimekit.problems]
        if problems:
            raise NotSo(f"a stand-in complains: {problems}")

    def _step(self, text: str) -> None:
        self._say(f"\n── {text}")

    def _read(self, person: Person, message: Message) -> None:
        self._say(_indented(person.read(message)))

    def _show(self, person: Person | None = None) -> None:
        self._say(_indented(str((person or self._maya).modal)))
        calls = self._place.realtimekit.calls[self._told_calls :]
        self._told_calls += len(calls)
        self._say(_calls(calls))


def _calls(calls: Sequence[Call]) -> str:
    if not calls:
        return "    (no call to RealtimeKit)"
    return "\n".join(f"    → RealtimeKit: {_call(call)}" for call in calls)


def _call(call: Call) -> str:
    path = call.path.partition("/realtime/kit/")[2].partition("/")[2]
    sent = f" {call.body}" if call.body else ""
    return f"{call.method} …/{path}{sent} → {call.status}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
