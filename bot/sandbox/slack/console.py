"""The people of the stand-in by HTTP: for curl, and for a page to try the bot in."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.slack.errors import CannotError
from bot.sandbox.slack.payloads import Payloads
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.sockets import Sockets
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LONGEST_WAIT = 25.0


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


@web.middleware
async def only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of another site sends, and names that merely resolve to this machine."""
    origin = request.headers.get("Origin")
    if not is_loopback(urlsplit(f"//{request.host}").hostname):
        raise web.HTTPForbidden(text="reach this as 127.0.0.1 or localhost")
    if origin is not None and not is_loopback(urlsplit(origin).hostname):
        raise web.HTTPForbidden(text="not for other sites")
    return await handler(request)


class Console:
    """Thin wrappers over Person. A person's CannotError is answered 409 with its words."""

    def __init__(
        self,
        workspace: Workspace,
        people: Mapping[str, Person],
        sockets: Sockets,
    ) -> None:
        self._workspace = workspace
        self._people = people
        self._sockets = sockets
        self._payloads = Payloads(workspace)

    def routes(self) -> list[web.RouteDef]:
        """Name the paths served."""
        acts = {
            "command": lambda person, given: person.command(given["channel"], given["text"]),
            "choose": lambda person, given: person.choose(given["action_id"], *given["values"]),
            "write": lambda person, given: person.write(given["action_id"], given["text"]),
            "press": lambda person, given: person.press(given["action_id"]),
            "submit": lambda person, _: person.submit(),
            "cancel": lambda person, _: person.cancel(),
            "dismiss": lambda person, _: person.dismiss(),
            "click": self._click,
        }
        return [
            web.get("/sandbox/people", self._list_people),
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

    async def _see(self, request: web.Request) -> web.Response:
        """Show what a person sees; with `?after=<beat>`, wait for a change since then."""
        person = self._person(request)
        if "after" in request.query:
            await self._change_since(int(request.query["after"]))
        return web.json_response(self._sight(person))

    async def _change_since(self, beat: int) -> None:
        pulse = self._workspace.pulse
        try:
            await pulse.until(lambda: pulse.beats > beat, LONGEST_WAIT)
        except TimeoutError:
            return  # nothing has changed, and that is an answer, too

    async def _type_ahead(self, request: web.Request) -> web.Response:
        given = await _given(request)
        try:
            options = await self._person(request).type_ahead(
                given["action_id"],
                given.get("query", ""),
            )
        except CannotError as error:
            return _cannot(error)
        return web.json_response({"options": [dataclasses.asdict(option) for option in options]})

    def _doing(self, act: Callable[[Person, Json], Awaitable[None]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            person = self._person(request)
            given = await _given(request)
            try:
                await act(person, given)
            except CannotError as error:
                return _cannot(error)
            except KeyError as error:
                raise web.HTTPBadRequest(text=f"missing: {error}") from error
            return web.json_response(self._sight(person))

        return handle

    async def _click(self, person: Person, given: Json) -> None:
        for message in person.messages(given["channel"]):
            if message.ts == given["ts"]:
                await person.click(message, given["action_id"])
                return
        raise CannotError("there is no such message")

    async def _advance(self, request: web.Request) -> web.Response:
        self._workspace.clock.advance(float((await _given(request))["seconds"]))
        return web.json_response({"now": self._workspace.clock()})

    async def _refresh(self, _: web.Request) -> web.Response:
        await self._sockets.refresh()
        return web.json_response({"sockets": len(self._sockets.open)})

    def _person(self, request: web.Request) -> Person:
        person = self._people.get(request.match_info["user"])
        if person is None:
            raise web.HTTPNotFound(text=f"nobody here; there are {', '.join(self._people)}")
        return person

    def _sight(self, person: Person) -> Json:
        views = self._workspace.views.stack(person.user.id)
        return {
            "beat": self._workspace.pulse.beats,
            "user": dataclasses.asdict(person.user),
            "channels": [
                {
                    "id": channel.id,
                    "name": channel.name,
                    "is_im": channel.is_im,
                    "messages": [
                        self._payloads.message(message)
                        | {"only_for": message.only_for, "rendered": person.read(message)}
                        for message in person.messages(channel.id)
                    ],
                }
                for channel in person.channels()
            ],
            "modals": [
                self._payloads.view(view) | {"errors": view.errors, "strip": view.strip}
                for view in views
            ],
            "strips": person.strips,
            "notices": person.notices,
            "rendered": person.screen(),
        }


async def _given(request: web.Request) -> Json:
    if not request.can_read_body:
        return {}
    # A form that another site submits can't have this type.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON")
    try:
        given = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="no JSON") from error
    if not isinstance(given, dict):
        raise web.HTTPBadRequest(text="send an object")
    return given


def _cannot(error: CannotError) -> web.Response:
    return web.json_response({"error": str(error)}, status=409)
