"""The stand-in for RealtimeKit's REST API, over real HTTP on loopback."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from aiohttp import web

from tests.sandbox.faults import Faults
from tests.sandbox.loopback import only_from_here
from tests.sandbox.queries import newest
from tests.sandbox.realtimekit import gateway, mishaps, replies
from tests.sandbox.realtimekit.calls import Call, CallLog
from tests.sandbox.realtimekit.contract import BadRequestError, Contract, Route
from tests.sandbox.realtimekit.control import Control
from tests.sandbox.realtimekit.delivery import Postman
from tests.sandbox.realtimekit.gateway import Budget
from tests.sandbox.realtimekit.listener import Listener
from tests.sandbox.realtimekit.mishaps import MISHAPS, SLOW, Delivery
from tests.sandbox.realtimekit.quirks import QUIRKS, Quirks
from tests.sandbox.realtimekit.replies import Reply
from tests.sandbox.realtimekit.service import OPERATIONS, NotPlayedError, Service
from tests.sandbox.realtimekit.world import Clock, World

_BASE: Final = "/client/v4"

FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {**QUIRKS, **{name: mishap.what for name, mishap in MISHAPS.items()}, "slow": SLOW}
)
"""All that can be switched on, and what the service then does. Each can be narrowed to `op`,
`meeting_id`, `session_id`, `page_no` or the one `participant_id` of a kick."""


class RealtimeKitStandIn:
    """Serves while entered as an async context; `url` is what CLOUDFLARE_BASE_URL is set to.

    Requests are held against the published contract, and so are the stand-in's own replies, unless
    a quirk that breaks it is on: a reply that does is a bug here, listed in `problems`, and goes
    out as 500. So is a request that the contract allows and that is not played here.
    """

    def __init__(
        self,
        world: World,
        *,
        account_id: str = "0123456789abcdef0123456789abcdef",
        app_id: str = "5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b",
        token: str = "sandbox-realtime-token",  # noqa: S107  # opens nothing but this stand-in
        clock: Clock | None = None,
    ) -> None:
        self.world = world
        self.account_id = account_id
        self.app_id = app_id
        self.api_token = token
        self.faults = Faults(FAULTS)
        self.budget = Budget(clock or world.clock)
        self.checks_replies = True
        """Turn off where time is measured: checking 200 rows takes longer than making them."""
        self.problems: list[str] = []
        self._log = CallLog(clock or world.clock)
        self._contract = Contract.published()
        self._service = Service(world, app_id)
        self._postman = Postman()
        self._listener = Listener(self._app())

    @property
    def url(self) -> str:
        """Where the API is served."""
        return f"{self.origin}{_BASE}"

    @property
    def origin(self) -> str:
        """Where /sandbox/ is served."""
        return self._listener.origin

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        return self._listener.connections

    @property
    def calls(self) -> list[Call]:
        """Every request to the API, in the order of arrival."""
        return self._log.calls

    @property
    def peak(self) -> int:
        """The most calls that were in flight at once."""
        return self._log.peak

    async def until(self, predicate: Callable[[], bool], *, within: float = 30) -> None:
        """Wait until it holds; it is tried again whenever a call begins or ends.

        Raises TimeoutError if that takes longer than `within` seconds.
        """
        await self._log.until(predicate, within=within)

    async def pause(self) -> None:
        """Cut all connections and refuse new ones, as if nothing were there."""
        await self._listener.pause()

    async def resume(self) -> None:
        """Serve again after a pause, where it was."""
        await self._listener.resume()

    async def disconnect(self) -> None:
        """Cut the connections there are, idle or not; new ones are welcome."""
        await self._listener.disconnect()

    def control(self) -> list[web.RouteDef]:
        """List what the sandbox is controlled by, for a server of its own to serve, too."""
        return Control(self.world, self.faults, self._show_calls).routes()

    async def __aenter__(self) -> Self:
        await self._listener.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._postman.close()
        await self._listener.close()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[only_from_here])
        app.add_routes(self.control())
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = _loosely_read(await request.read())
        number = self._listener.number_of(request)
        call = self._log.begin(
            request.method, request.url.raw_path, dict(request.query), body, number
        )
        try:
            return await self._answer(request, call)
        finally:
            self._log.end(call)

    async def _answer(self, request: web.Request, call: Call) -> web.StreamResponse:
        base, found_base, rest = call.path.partition(_BASE)
        found = self._contract.at(rest) if found_base and not base else {}
        refusal = self._refuse(request, found)
        if refusal is not None:
            return await self._send(request, call, refusal)
        route, path = found[request.method]
        call.op = OPERATIONS.get(route.operation_id)
        where = call.where(path)
        slow = self.faults.strike("slow", **where)
        if slow is not None and slow.get("late"):
            await self._postman.wait(slow.get("seconds", 1))
        struck = mishaps.strike(self.faults, where)
        reply = replies.failure(500, "Internal Server Error")
        if struck is None or struck.effect:
            reply = self._perform(request, call, route, path, where)
            self._log.changed()
        if slow is not None and not slow.get("late"):
            await self._postman.wait(slow.get("seconds", 1))
        if struck is None:
            return await self._send(request, call, reply)
        return await self._send(
            request, call, struck.instead_of(reply), struck.mishap.delivery, struck.how
        )

    def _refuse(
        self, request: web.Request, found: Mapping[str, tuple[Route, dict[str, str]]]
    ) -> Reply | None:
        if not found:
            return gateway.no_route(request.path)
        if request.method not in found:
            return gateway.no_method(request.method)
        authorization = request.headers.get("Authorization")
        refusal = gateway.refuse_authorization(authorization, self.api_token)
        if refusal is None and found[request.method][1]["account_id"] != self.account_id:
            refusal = gateway.forbidden()
        return refusal or self.budget.refuse()

    def _perform(
        self,
        request: web.Request,
        call: Call,
        route: Route,
        path: Mapping[str, str],
        where: Mapping[str, Any],
    ) -> Reply:
        quirks = Quirks(self.faults, where)
        if route.body is not None and request.content_type != "application/json":
            # Not documented for this API; 415 is what HTTP has for it.
            return replies.failure(415, "UNSUPPORTED_MEDIA_TYPE the body must be application/json")
        try:
            asked = route.asked(path, request.query.items(), call.body)
            reply = self._service.answer(call.op, asked, quirks)
        except BadRequestError as error:
            return replies.bad_request(str(error))
        except NotPlayedError as error:
            return self._own_bug(501, f"{route.operation_id} is not played here: {error}")
        if quirks.played or not self.checks_replies:
            return reply
        broken = route.broken_by(reply.status, reply.json)
        return reply if broken is None else self._own_bug(500, broken)

    def _own_bug(self, status: int, problem: str) -> Reply:
        self.problems.append(problem)
        return replies.failure(status, f"a problem of the stand-in: {problem}")

    async def _send(
        self,
        request: web.Request,
        call: Call,
        reply: Reply,
        delivery: Delivery = Delivery.WHOLE,
        how: Mapping[str, Any] = MappingProxyType({}),
    ) -> web.StreamResponse:
        if delivery in {Delivery.WHOLE, Delivery.HALF, Delivery.DRIPPING}:
            call.status = reply.status
        stated = reply.with_headers(self.budget.headers())
        return await self._postman.deliver(request, stated, delivery, how)

    def _show_calls(self, last: int | None) -> dict[str, Any]:
        calls = self.calls
        shown = {
            "calls": [calls[at].as_json() | {"number": at} for at in newest(len(calls), last)],
            "connections": self.connections,
            "peak": self.peak,
            "problems": self.problems,
        }
        # The token is not logged; a client that put it in a path or a query is not helped by us.
        masked = json.dumps(shown).replace(self.api_token, "***")
        return dict(json.loads(masked))


def _loosely_read(body: bytes) -> Any:
    """Read JSON; what is none stays text, which no operation takes."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError:
        return text
