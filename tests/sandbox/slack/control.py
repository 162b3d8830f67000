"""The `/sandbox/…` endpoints of the Slack stand-in: what users see, and what they do."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web

from tests.sandbox.control import Json, JsonBody, query_int
from tests.sandbox.server import Handler
from tests.sandbox.slack.client.person import Person
from tests.sandbox.slack.delivery.payloads import Payloads
from tests.sandbox.slack.delivery.socket_mode import Sockets
from tests.sandbox.slack.errors import ActionError, FormError
from tests.sandbox.slack.workspace.team import Channel
from tests.sandbox.slack.workspace.workspace import Workspace

MAX_WAIT: Final = 25.0  # seconds

Action = Callable[[Person, JsonBody], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Control:
    """Users over HTTP. An ActionError is answered with 409 and its message."""

    workspace: Workspace
    people: Mapping[str, Person]
    sockets: Sockets
    payloads: Payloads

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get("/sandbox/people", self._list_people),
            web.get("/sandbox/workspace", self._show_workspace),
            web.get("/sandbox/as/{user}", self._show_screen),
            web.post("/sandbox/as/{user}/type-ahead", self._type_ahead),
            *(
                web.post(f"/sandbox/as/{{user}}/{name}", self._acting(action))
                for name, action in _ACTIONS.items()
            ),
            web.post("/sandbox/clock/advance", self._advance_clock),
            web.post("/sandbox/sockets/refresh", self._refresh_sockets),
        ]

    async def _list_people(self, _: web.Request) -> web.Response:
        return web.json_response({"people": self._users()})

    async def _show_workspace(self, _: web.Request) -> web.Response:
        """Show all that has a name."""
        directory, manifest = self.workspace.directory, self.workspace.manifest
        shown = {
            "people": self._users(),
            "bot": asdict(directory.team.bot),
            "groups": [asdict(group) for group in directory.groups.values()],
            "channels": [asdict(channel) for channel in directory.channels.values()],
            "commands": [asdict(command) for command in manifest.commands.values()],
        }
        return web.json_response(shown)

    async def _show_screen(self, request: web.Request) -> web.Response:
        """Show what a user sees; `?after=<changes>` waits until there are more changes."""
        person = self._person(request)
        after = query_int(request, "after")
        changes = self.workspace.changes
        if after is not None:
            with suppress(TimeoutError):
                await changes.until(lambda: changes.count > after, MAX_WAIT)
        return web.json_response(self._screen(person))

    async def _type_ahead(self, request: web.Request) -> web.Response:
        person, body = self._person(request), await JsonBody.read(request)
        try:
            _require_top_view(person, body)
            options = await person.type_ahead(
                body.text("action_id"),
                body.optional_text("query") or "",
                block_id=body.optional_text("block_id"),
            )
        except ActionError as error:
            return _conflict(error)
        return web.json_response({"options": [asdict(option) for option in options]})

    def _acting(self, action: Action) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            person, body = self._person(request), await JsonBody.read(request)
            try:
                _require_top_view(person, body)
                await action(person, body)
            except ActionError as error:
                return _conflict(error)
            return web.json_response(self._screen(person))

        return handle

    async def _advance_clock(self, request: web.Request) -> web.Response:
        self.workspace.clock.advance((await JsonBody.read(request)).number("seconds"))
        return web.json_response({"now": self.workspace.clock()})

    async def _refresh_sockets(self, _: web.Request) -> web.Response:
        await self.sockets.refresh()
        return web.json_response({"sockets": len(self.sockets.open)})

    def _users(self) -> list[Json]:
        return [asdict(person.user) for person in self.people.values()]

    def _person(self, request: web.Request) -> Person:
        person = self.people.get(request.match_info["user"])
        if person is None:
            raise web.HTTPNotFound(text=f"no such user; there are {', '.join(self.people)}")
        return person

    def _screen(self, person: Person) -> Json:
        views = self.workspace.views.stack(person.user.id)
        return {
            "changes": self.workspace.changes.count,
            "user": asdict(person.user),
            "channels": [self._channel(person, channel) for channel in person.channels()],
            "modals": [
                self.payloads.view(view) | {"errors": view.errors, "strip": view.strip}
                for view in views
            ],
            "strips": person.strips,
            "notices": person.notices,
            "rendered": person.screen(),
        }

    def _channel(self, person: Person, channel: Channel) -> Json:
        messages = [
            self.payloads.message(message)
            | {"only_for": message.only_for, "rendered": person.read(message)}
            for message in person.messages(channel.id)
        ]
        notices = [
            {"ts": notice.ts, "text": notice.text}
            for notice in person.channel_notices
            if notice.channel == channel.id
        ]
        return {
            "id": channel.id,
            "name": channel.name,
            "is_im": channel.is_im,
            "is_archived": channel.is_archived,
            "members": channel.members,
            "unread": person.unread(channel.id),
            "messages": messages,
            "notices": notices,
        }


async def _command(person: Person, body: JsonBody) -> None:
    await person.command(body.text("channel"), body.text("text"))


async def _choose(person: Person, body: JsonBody) -> None:
    values, block_id = body.texts("values"), body.optional_text("block_id")
    await person.choose(body.text("action_id"), *values, block_id=block_id)


async def _write(person: Person, body: JsonBody) -> None:
    text, block_id = body.text("text"), body.optional_text("block_id")
    await person.write(body.text("action_id"), text, block_id=block_id)


async def _press(person: Person, body: JsonBody) -> None:
    await person.press(body.text("action_id"), block_id=body.optional_text("block_id"))


async def _click(person: Person, body: JsonBody) -> None:
    action_id, block_id = body.text("action_id"), body.optional_text("block_id")
    for message in person.messages(body.text("channel")):
        if message.ts == body.text("ts"):
            await person.click(message, action_id, block_id=block_id)
            return
    raise ActionError("there is no such message")


async def _say(person: Person, body: JsonBody) -> None:
    await person.say(body.text("channel"), body.text("text"))


async def _read(person: Person, body: JsonBody) -> None:
    person.mark_read(body.text("channel"), body.text("ts"))


_ACTIONS: Final[Mapping[str, Action]] = {
    "command": _command,
    "choose": _choose,
    "write": _write,
    "press": _press,
    "submit": lambda person, _: person.submit(),
    "cancel": lambda person, _: person.cancel(),
    "dismiss": lambda person, _: person.dismiss(),
    "click": _click,
    "say": _say,
    "read": _read,
}


def _require_top_view(person: Person, body: JsonBody) -> None:
    """Raise ActionError if the request names a view that is not the top one."""
    view = body.optional_text("view_id")
    if view is not None and person.modal.id != view:
        raise ActionError("that view is not on top any more")


def _conflict(error: ActionError) -> web.Response:
    errors = error.errors if isinstance(error, FormError) else {}
    return web.json_response({"error": str(error), "errors": errors}, status=409)
