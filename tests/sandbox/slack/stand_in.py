"""The Slack stand-in: its server, its transports and its users."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from aiohttp import web

from tests.sandbox.control import Json, calls_route
from tests.sandbox.faults import Faults
from tests.sandbox.server import LoopbackServer, only_from_loopback
from tests.sandbox.slack.client.person import Person
from tests.sandbox.slack.control import Control
from tests.sandbox.slack.delivery.delivery import (
    ACK_TIMEOUT,
    Delivered,
    Delivery,
    Outcome,
    Transport,
)
from tests.sandbox.slack.delivery.http_mode import SignedHttp
from tests.sandbox.slack.delivery.payloads import Payloads
from tests.sandbox.slack.delivery.socket_mode import Sockets
from tests.sandbox.slack.errors import TimedOutError
from tests.sandbox.slack.faults import SLACK_FAULTS
from tests.sandbox.slack.web_api.methods import Methods
from tests.sandbox.slack.web_api.server import Call, Tokens, WebApi
from tests.sandbox.slack.workspace.interactivity import TRIGGER_LIFETIME
from tests.sandbox.slack.workspace.team import DEMO_TEAM, Channel, Group, Team, User
from tests.sandbox.slack.workspace.workspace import Clock, Workspace

T = TypeVar("T")


class SlackStandIn(LoopbackServer):
    """A strict stand-in for Slack on loopback. It serves while entered as an async context.

    Payloads go to the bot through Socket Mode, or through signed HTTP after `deliver_to`.
    `problems` lists what the bot did wrong in its responses to payloads. `ack_timeout` and
    `trigger_lifetime` are in seconds.
    """

    def __init__(
        self,
        manifest: Path,
        *,
        ack_timeout: float = ACK_TIMEOUT,
        trigger_lifetime: float = TRIGGER_LIFETIME,
        clock: Clock | None = None,
        team: Team = DEMO_TEAM,
    ) -> None:
        self.bot_token = f"xoxb-{secrets.token_hex(12)}"
        self.app_token = f"xapp-1-{team.app_id}-{secrets.token_hex(12)}"
        self.signing_secret = secrets.token_hex(16)
        self.clock = clock or Clock()
        self.workspace = Workspace(team, manifest, self.clock, trigger_lifetime)
        self.faults = Faults(SLACK_FAULTS)
        self._payloads = Payloads(self.workspace)
        self.problems: list[str] = []
        changes = self.workspace.changes
        self.sockets = Sockets(team.app_id, self.faults, changes, self.problems)
        self._http_transports: list[SignedHttp] = []
        self._delivery = Delivery(
            self._transport,
            self.faults,
            changes,
            ack_timeout,
            self.problems,
            self.workspace.manifest.is_interactive,
        )
        self._api = WebApi(
            self.workspace,
            Methods(self.workspace, self._payloads, self.sockets).by_name(),
            Tokens(self.bot_token, self.app_token),
            self.faults,
            self.connection_number,
        )
        self._people: dict[str, Person] = {}
        for user in team.users:
            self.upsert(user)
        super().__init__(self._app())

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[only_from_loopback])
        app.add_routes(self._api.routes())
        app.add_routes([web.get("/link/", self.sockets.connect)])
        app.add_routes(self.control_routes())
        return app

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.workspace.url = self.origin
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.sockets.close()
        for http in self._http_transports:
            await http.close()
        await super().__aexit__(*error)

    def control_routes(self) -> list[web.RouteDef]:
        """Return the `/sandbox/…` endpoints, which the page's server serves, too."""
        return [
            *self.faults.routes(),
            *Control(self.workspace, self._people, self.sockets, self._payloads).routes(),
            calls_route(self.calls, self.bot_token),
        ]

    @property
    def url(self) -> str:
        """The origin of the server's URLs."""
        return self.origin

    @property
    def http(self) -> SignedHttp | None:
        """The HTTP transport in use, if any."""
        return self._http_transports[-1] if self._http_transports else None

    @property
    def api_url(self) -> str:
        """The base URL of the Web API, for SLACK_API_URL."""
        return f"{self.origin}/api/"

    @property
    def ack_timeout(self) -> float:
        """How many seconds the bot has to respond to a payload."""
        return self._delivery.ack_timeout

    @ack_timeout.setter
    def ack_timeout(self, seconds: float) -> None:
        self._delivery.ack_timeout = seconds

    @property
    def calls(self) -> list[Call]:
        """The bot's calls to the Web API and to response URLs, in order. Tests may clear it."""
        return self._api.calls

    @property
    def connections(self) -> int:
        """How many TCP connections `calls` came on."""
        return len({call.connection for call in self.calls})

    @property
    def deliveries(self) -> list[Delivered]:
        """The payloads that were sent to the bot, in order, with its responses."""
        return self._delivery.log

    def person(self, user_id: str) -> Person:
        """Return the person with this id."""
        return self._people[user_id]

    def upsert(self, item: User | Group | Channel) -> None:
        """Add this user, group or channel, or replace the one with the same id."""
        if isinstance(item, User) and item.id not in self._people:
            self._people[item.id] = Person(item.id, self.workspace, self._payloads, self._delivery)
        self.workspace.upsert(item)

    def deliver_to(self, url: str) -> SignedHttp:
        """Deliver by HTTP to this URL from now on. The transport returned can also forge."""
        self._http_transports.append(SignedHttp(url, self.signing_secret))
        return self._http_transports[-1]

    def trigger(self, user_id: str, view_id: str | None = None) -> str:
        """Return a new trigger id, for payloads and calls that a test makes itself."""
        return self.workspace.triggers.create(user_id, view_id)

    async def deliver(self, payload: Json) -> Outcome:
        """Send any payload, such as a repeated or a forged one. The response has no effect."""
        return await self._delivery.send(payload)

    async def until(self, predicate: Callable[[Self], T], within: float = 30) -> T:
        """Wait until the predicate is true, and return its value.

        Raises TimedOutError after `within` seconds.
        """
        try:
            return await self.workspace.changes.until(lambda: predicate(self), within)
        except TimeoutError as error:
            called = ", ".join(call.method for call in self.calls) or "nothing"
            message = f"nothing came within {within} s; the bot called: {called}"
            raise TimedOutError(message) from error

    def _transport(self) -> Transport:
        return self.http or self.sockets
