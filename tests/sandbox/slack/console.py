"""The people of the stand-in by HTTP: for curl, and for a page to try the bot in."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from aiohttp import web

from tests.sandbox.queries import number
from tests.sandbox.slack.errors import CannotError, IncompleteError
from tests.sandbox.slack.exhibit import Exhibit
from tests.sandbox.slack.person import Person
from tests.sandbox.slack.sockets import Sockets
from tests.sandbox.slack.web_api import Call
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LONGEST_WAIT = 25.0


class Given:
    """What a request to act carries; anything missing or malformed is answered 400."""

    def __init__(self, given: Json) -> None:
        self._given = given

    @classmethod
    async def read(cls, request: web.Request) -> Self:
        """Read a request's JSON object; an empty body counts as an empty one."""
        if not request.can_read_body:
            return cls({})
        # A form that another site submits can't have this type.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send JSON")
        try:
            given = await request.json()
        except ValueError as error:
            raise web.HTTPBadRequest(text="no JSON") from error
        if not isinstance(given, dict):
            raise web.HTTPBadRequest(text="send an object")
        return cls(given)

    def __call__(self, name: str) -> str:
        """Return a text that must be there."""
        value = self._given.get(name)
        if not isinstance(value, str):
            raise web.HTTPBadRequest(text=f"{name} must be a text")
        return value

    def maybe(self, name: str) -> str | None:
        """Return a text that may be left out."""
        return self(name) if name in self._given else None

    def words(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self._given.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise web.HTTPBadRequest(text=f"{name} must be a list of texts")
        return value

    def number(self, name: str) -> float:
        """Return a number."""
        value = self._given.get(name)
        if not isinstance(value, int | float):
            raise web.HTTPBadRequest(text=f"{name} must be a number")
        return float(value)


Act = Callable[[Person, Given], Awaitable[None]]


class Console:
    """Thin wrappers over Person. A person's CannotError is answered 409 with its words."""

    def __init__(
        self,
        workspace: Workspace,
        people: Mapping[str, Person],
        sockets: Sockets,
        calls: Sequence[Call],
    ) -> None:
        self._workspace = workspace
        self._people = people
        self._sockets = sockets
        self._exhibit = Exhibit(workspace, people, calls)

    def routes(self) -> list[web.RouteDef]:
        """Name the paths served."""
        acts: dict[str, Act] = {
            "command": lambda person, given: person.command(given("channel"), given("text")),
            "choose": lambda person, given: person.choose(
                given("action_id"),
                *given.words("values"),
                block_id=given.maybe("block_id"),
            ),
            "write": lambda person, given: person.write(
                given("action_id"),
                given("text"),
                block_id=given.maybe("block_id"),
            ),
            "press": lambda person, given: person.press(
                given("action_id"),
                block_id=given.maybe("block_id"),
            ),
            "submit": lambda person, _: person.submit(),
            "cancel": lambda person, _: person.cancel(),
            "dismiss": lambda person, _: person.dismiss(),
            "click": _click,
            "say": _say,
            "read": _read,
        }
        return [
            web.get("/sandbox/people", self._list_people),
            web.get("/sandbox/workspace", self._show_workspace),
            web.get("/sandbox/calls", self._list_calls),
            web.get("/sandbox/as/{user}", self._see),
            web.post("/sandbox/as/{user}/type-ahead", self._type_ahead),
            *(
                web.post(f"/sandbox/as/{{user}}/{name}", self._doing(act))
                for name, act in acts.items()
            ),
            web.post("/sandbox/clock/advance", self._advance),
            web.post("/sandbox/sockets/refresh", self._refresh),
        ]

    async def _list_people(self, _: web.Request) -> web.Response:
        users = [dataclasses.asdict(person.user) for person in self._people.values()]
        return web.json_response({"people": users})

    async def _show_workspace(self, _: web.Request) -> web.Response:
        return web.json_response(self._exhibit.workspace())

    async def _list_calls(self, request: web.Request) -> web.Response:
        """List what the bot asked of the Web API; with `?last=<n>`, the newest n."""
        return web.json_response({"calls": self._exhibit.calls(number(request, "last"))})

    async def _see(self, request: web.Request) -> web.Response:
        """Show what a person sees; with `?after=<beat>`, wait for a change since then."""
        person = self._person(request)
        after = number(request, "after")
        if after is not None:
            await self._change_since(after)
        return web.json_response(self._exhibit.sight(person))

    async def _change_since(self, beat: int) -> None:
        pulse = self._workspace.pulse
        try:
            await pulse.until(lambda: pulse.beats > beat, LONGEST_WAIT)
        except TimeoutError:
            return  # nothing has changed: an answer, too

    async def _type_ahead(self, request: web.Request) -> web.Response:
        given, person = await Given.read(request), self._person(request)
        try:
            _see_on_top(person, given)
            options = await person.type_ahead(
                given("action_id"),
                given.maybe("query") or "",
                block_id=given.maybe("block_id"),
            )
        except CannotError as error:
            return _cannot(error)
        return web.json_response({"options": [dataclasses.asdict(option) for option in options]})

    def _doing(self, act: Act) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            person = self._person(request)
            given = await Given.read(request)
            try:
                _see_on_top(person, given)
                await act(person, given)
            except CannotError as error:
                return _cannot(error)
            return web.json_response(self._exhibit.sight(person))

        return handle

    async def _advance(self, request: web.Request) -> web.Response:
        self._workspace.clock.advance((await Given.read(request)).number("seconds"))
        return web.json_response({"now": self._workspace.clock()})

    async def _refresh(self, _: web.Request) -> web.Response:
        await self._sockets.refresh()
        return web.json_response({"sockets": len(self._sockets.open)})

    def _person(self, request: web.Request) -> Person:
        person = self._people.get(request.match_info["user"])
        if person is None:
            raise web.HTTPNotFound(text=f"nobody here; there are {', '.join(self._people)}")
        return person


def _see_on_top(person: Person, given: Given) -> None:
    """See that the view that is meant, if one is, is the one on top."""
    view = given.maybe("view_id")
    if view is not None and person.modal.id != view:
        raise CannotError("that view is not on top any more")


async def _click(person: Person, given: Given) -> None:
    for message in person.messages(given("channel")):
        if message.ts == given("ts"):
            await person.click(message, given("action_id"), block_id=given.maybe("block_id"))
            return
    raise CannotError("there is no such message")


async def _say(person: Person, given: Given) -> None:
    await person.say(given("channel"), given("text"))


async def _read(person: Person, given: Given) -> None:
    person.mark_read(given("channel"), given("ts"))


def _cannot(error: CannotError) -> web.Response:
    complaints = error.complaints if isinstance(error, IncompleteError) else {}
    return web.json_response({"error": str(error), "complaints": complaints}, status=409)
