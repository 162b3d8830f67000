"""The stand-in as a whole: its server, its transports and its people."""

import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.sandbox.faults import Faults
from tests.sandbox.loopback import only_from_here
from tests.sandbox.slack import cast as casting
from tests.sandbox.slack.cast import Cast, Channel, Group, User
from tests.sandbox.slack.console import Console
from tests.sandbox.slack.delivery import ACK_LIMIT, Delivered, Delivery, Outcome, Transport
from tests.sandbox.slack.errors import WaitedInVainError
from tests.sandbox.slack.known_faults import KNOWN_FAULTS
from tests.sandbox.slack.methods import Methods
from tests.sandbox.slack.payloads import Payloads
from tests.sandbox.slack.person import Person
from tests.sandbox.slack.signed_http import SignedHttp
from tests.sandbox.slack.sockets import Sockets
from tests.sandbox.slack.tickets import TRIGGER_LIFE
from tests.sandbox.slack.web_api import Call, Tokens, WebApi
from tests.sandbox.slack.workspace import Clock, Workspace

Json = dict[str, Any]
T = TypeVar("T")


class SlackStandIn:
    """A strict stand-in for Slack on a loopback port, and the people who use it.

    Payloads go through Socket Mode, or by signed HTTP after `deliver_to`. `calls` lists what the
    bot asked of the Web API, `deliveries` what it was sent, `problems` what it did wrong in its
    answers. An async context manager; it serves from entering it until leaving it.
    """

    def __init__(
        self,
        manifest: Path,
        *,
        cast: Cast = casting.DEFAULT,
        ack_limit: float = ACK_LIMIT,
        trigger_life: float = TRIGGER_LIFE,
        clock: Clock | None = None,
        port: int = 0,
        bot_token: str | None = None,
        app_token: str | None = None,
        signing_secret: str | None = None,
    ) -> None:
        self.bot_token = bot_token or f"xoxb-{secrets.token_hex(12)}"
        self.app_token = app_token or f"xapp-1-{cast.app_id}-{secrets.token_hex(12)}"
        self.signing_secret = signing_secret or secrets.token_hex(16)
        self.clock = clock or Clock()
        self.workspace = Workspace(cast, manifest, self.clock, trigger_life)
        self.faults = Faults(KNOWN_FAULTS)
        self.problems: list[str] = []
        pulse = self.workspace.pulse
        self.sockets = Sockets(cast.app_id, self.faults, pulse, self.problems)
        self._http_transports: list[SignedHttp] = []
        self._delivery = Delivery(
            self._transport,
            self.faults,
            pulse,
            ack_limit,
            self.problems,
            is_interactive=self.workspace.manifest.is_interactive,
        )
        self._methods = Methods(self.workspace, Payloads(self.workspace), self.sockets)
        self._api = WebApi(
            self.workspace,
            self._methods.table(),
            Tokens(self.bot_token, self.app_token),
            self.faults,
        )
        self._people: dict[str, Person] = {}
        for user in cast.users:
            self.recast(user)
        self._port = port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[only_from_here])
        app.add_routes(self._api.routes())
        app.add_routes([web.get("/link/", self.sockets.connect)])
        app.add_routes(self.control())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.workspace.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.sockets.close()
        for http in self._http_transports:
            await http.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def control(self) -> list[web.RouteDef]:
        """List what the sandbox is controlled by, for a server of its own to serve, too."""
        console = Console(self.workspace, self._people, self.sockets, self._api.calls)
        return [*console.routes(), *self.faults.routes()]

    @property
    def url(self) -> str:
        """Where the server listens."""
        return self.workspace.url

    @property
    def http(self) -> SignedHttp | None:
        """The HTTP transport in use, if any."""
        return self._http_transports[-1] if self._http_transports else None

    @property
    def api_url(self) -> str:
        """The base URL of the Web API, for SLACK_API_URL."""
        return f"{self.url}/api/"

    @property
    def ack_limit(self) -> float:
        """How many seconds the bot has to answer a payload."""
        return self._delivery.ack_limit

    @ack_limit.setter
    def ack_limit(self, seconds: float) -> None:
        self._delivery.ack_limit = seconds

    @property
    def calls(self) -> list[Call]:
        """What the bot asked for, in order; clear it to begin anew."""
        return self._api.calls

    @property
    def connections(self) -> int:
        """How many TCP connections the calls came on."""
        return len({call.connection for call in self.calls})

    @property
    def deliveries(self) -> list[Delivered]:
        """What was sent to the bot, in order, with what it answered."""
        return self._delivery.log

    def person(self, user_id: str) -> Person:
        """Return the person with this id."""
        return self._people[user_id]

    def recast(self, part: User | Group | Channel) -> None:
        """Put this person, group or channel in the place of the one with the same id, or add it."""
        if isinstance(part, User) and part.id not in self._people:
            self._people[part.id] = Person(part.id, self.workspace, self._delivery)
        self.workspace.recast(part)

    def deliver_to(self, url: str) -> SignedHttp:
        """Deliver by HTTP to this URL from now on; the transport returned can also forge."""
        self._http_transports.append(SignedHttp(url, self.signing_secret))
        return self._http_transports[-1]

    def trigger(self, user_id: str, view_id: str | None = None) -> str:
        """Return a new trigger id, for payloads and calls made up by hand."""
        return self.workspace.triggers.give(user_id, view_id)

    async def deliver(self, payload: Json) -> Outcome:
        """Deliver any payload, such as a replayed or a forged one; nobody sees the answer."""
        return await self._delivery.send(payload)

    async def until(
        self,
        predicate: Callable[["SlackStandIn"], T],
        timeout: float = 30,  # noqa: ASYNC109 - how long to wait is part of the promise
    ) -> T:
        """Wait until something is so, and return the predicate's truthy value."""
        try:
            return await self.workspace.pulse.until(lambda: predicate(self), timeout)
        except TimeoutError as error:
            called = ", ".join(call.method for call in self.calls) or "nothing"
            raise WaitedInVainError(f"waited {timeout} s in vain; called: {called}") from error

    def _transport(self) -> Transport:
        return self.http or self.sockets
