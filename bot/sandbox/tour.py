"""The journey that the demo plays: a moderator removes two people, step by step."""

from collections.abc import Callable, Sequence

from bot.sandbox.place import Place
from bot.sandbox.realtimekit.calls import Call

CHANNEL = "C0LIVE"


class NotSo(Exception):
    """Something the tour was about to say did not happen."""


class Tour:
    """Plays one kick as a person would; `say` gets what the person sees, and each HTTP call."""

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place = place
        self._maya = place.slack.person("U0MAYA")
        self._say = say
        self._told = 0

    async def play(self) -> None:
        """Play it; raises NotSo, or what a Person raises, if something did not happen."""
        await self._open()
        await self._choose()
        await self._review()
        await self._kick()

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
        maya = self._maya
        self._step("She presses Kick:")
        await maya.submit()
        posted = await maya.until(lambda sees: sees.messages(CHANNEL))
        await maya.until(lambda sees: "✓ kicked" in str(sees.modal))
        self._show()
        self._step("Everybody in #live-ops sees:")
        self._say(_indented(maya.read(posted[-1])))
        self._verify()

    def _verify(self) -> None:
        cast = self._place.cast
        wanted = {cast.mallory.id, cast.three_tabs.id}
        kicked = [effect.participant.id for effect in self._place.rooms.world.kicks]
        if sorted(kicked) != sorted(wanted):
            raise NotSo(f"RealtimeKit saw {kicked} go, not {wanted}")
        still = {person.id for person in self._place.rooms.world.who_is_in(cast.ama)} & wanted
        if still:
            raise NotSo(f"{still} are still in the meeting")
        problems = [*self._place.slack.problems, *self._place.rooms.problems]
        if problems:
            raise NotSo(f"a stand-in complains: {problems}")
        self._say("\nBoth are out of the meeting, by one call each; nobody else was touched.")

    def _step(self, text: str) -> None:
        self._say(f"\n── {text}")

    def _show(self) -> None:
        self._say(_indented(str(self._maya.modal)))
        calls = self._place.rooms.calls[self._told :]
        self._told += len(calls)
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
