"""The stand-in for RealtimeKit's REST API, over real HTTP on loopback."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from tests.sandbox.control import calls_route
from tests.sandbox.faults import Faults
from tests.sandbox.realtimekit import edge, responses
from tests.sandbox.realtimekit.call_log import Call, CallLog
from tests.sandbox.realtimekit.contract import BadRequestError, Contract, Route
from tests.sandbox.realtimekit.control import Control
from tests.sandbox.realtimekit.edge import RateLimit
from tests.sandbox.realtimekit.faults import REALTIMEKIT_FAULTS, RequestFaults, Sending
from tests.sandbox.realtimekit.operations import OPERATIONS, Operations, UnsupportedError
from tests.sandbox.realtimekit.responses import ApiResponse
from tests.sandbox.realtimekit.rows import http_date
from tests.sandbox.realtimekit.sender import NO_DATE, Sender, without_date
from tests.sandbox.realtimekit.world import World
from tests.sandbox.server import LoopbackServer, only_from_loopback

_BASE: Final = "/client/v4"


class RealtimeKitStandIn(LoopbackServer):
    """Serves while entered as an async context. CLOUDFLARE_BASE_URL is set to `url`.

    Requests are checked against the published contract, and so are the stand-in's own responses,
    unless a fault that breaks the contract applies. A response that breaks it is a bug of the
    stand-in: it is listed in `problems` and sent as 500. A request that the contract allows but
    that the stand-in does not support is listed there, too, and answered with 501.

    Turn off `checks_responses` if time is measured: checking 200 rows takes longer than making
    them.
    """

    account_id = "0123456789abcdef0123456789abcdef"
    app_id = "5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b"
    api_token = "sandbox-realtime-token"

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults(REALTIMEKIT_FAULTS)
        self.rate_limit = RateLimit(world.clock)
        self.checks_responses = True
        self.problems: list[str] = []
        self._log = CallLog(world.clock)
        self._contract = Contract.published()
        self._operations = Operations(world, self.app_id)
        self._sender = Sender()
        app = web.Application(middlewares=[only_from_loopback])
        app.on_response_prepare.append(without_date)
        app.add_routes(self.control_routes())
        app.router.add_route("*", "/{path:.*}", self._serve)
        super().__init__(app)

    async def __aexit__(self, *error: object) -> None:
        self._sender.close()
        await super().__aexit__(*error)

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"{self.origin}{_BASE}"

    @property
    def calls(self) -> list[Call]:
        """Every request to the API, in the order of arrival."""
        return self._log.calls

    @property
    def peak(self) -> int:
        """The most calls that were in flight at once."""
        return self._log.peak

    async def until(self, predicate: Callable[[], bool], *, within: float = 30) -> None:
        """Wait until a condition holds. It is checked whenever a call begins or ends.

        Raises TimeoutError after `within` seconds.
        """
        await self._log.changes.until(predicate, within)

    def control_routes(self) -> list[web.RouteDef]:
        """Return the `/sandbox/…` endpoints, which the page's server serves, too."""
        return [
            *self.faults.routes(),
            *Control(self.world).routes(),
            calls_route(self.calls, self.api_token),
        ]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = _parse_leniently(await request.read())
        number = self.connection_number(request)
        call = self._log.begin(
            request.method, request.url.raw_path, dict(request.query), body, number
        )
        try:
            return await self._respond(request, call)
        finally:
            self._log.end(call)

    async def _respond(self, request: web.Request, call: Call) -> web.StreamResponse:
        before, base, path = call.path.partition(_BASE)
        routes = self._contract.routes_at(path) if base and not before else {}
        refusal = self._refuse(request, routes)
        if refusal is not None:
            return await self._send(request, call, refusal)
        route, values = routes[request.method]
        call.op = OPERATIONS.get(route.operation_id)
        return await self._respond_with_faults(request, call, route, values)

    def _refuse(
        self, request: web.Request, routes: Mapping[str, tuple[Route, dict[str, str]]]
    ) -> ApiResponse | None:
        if not routes:
            return edge.no_route(request.path)
        if request.method not in routes:
            return edge.no_method(request.method)
        header = request.headers.get("Authorization")
        refusal = edge.check_authorization(header, self.api_token)
        if refusal is None and routes[request.method][1]["account_id"] != self.account_id:
            refusal = edge.forbidden()
        return refusal or self.rate_limit.refuse()

    async def _respond_with_faults(
        self, request: web.Request, call: Call, route: Route, values: Mapping[str, str]
    ) -> web.StreamResponse:
        context = call.context(values)
        slow = self.faults.apply("slow", **context)
        if slow is not None and slow.get("late"):
            await self._sender.wait(slow.get("seconds", 1))
        faults = RequestFaults(self.faults, context)
        fault, parameters = faults.response_fault() or (None, {})
        response = responses.internal_error()
        if fault is None or parameters.get("effect", fault.effect):
            response = self._run(request, call, route, values, faults)
            self._log.changes.notify()
        if slow is not None and not slow.get("late"):
            await self._sender.wait(slow.get("seconds", 1))
        if fault is None:
            return await self._send(request, call, response)
        if fault.respond is not None:
            response = fault.respond(parameters)
        return await self._send(request, call, response, fault.sending, parameters)

    def _run(
        self,
        request: web.Request,
        call: Call,
        route: Route,
        values: Mapping[str, str],
        faults: RequestFaults,
    ) -> ApiResponse:
        if route.body is not None and request.content_type != "application/json":
            # The status is not documented for this API; 415 is HTTP's own.
            message = "UNSUPPORTED_MEDIA_TYPE the body must be application/json"
            return responses.failure(415, message)
        try:
            asked = route.parse(values, request.query.items(), call.body)
            response = self._operations.run(call.op, asked, faults)
        except BadRequestError as error:
            return responses.bad_request(str(error))
        except UnsupportedError as error:
            return self._report(501, f"{route.operation_id} is not supported: {error}")
        if faults.applied or not self.checks_responses:
            return response
        problem = route.response_error(response.status, response.json)
        return response if problem is None else self._report(500, problem)

    def _report(self, status: int, problem: str) -> ApiResponse:
        self.problems.append(problem)
        return responses.failure(status, f"a problem of the stand-in: {problem}")

    async def _send(
        self,
        request: web.Request,
        call: Call,
        response: ApiResponse,
        sending: Sending = Sending.WHOLE,
        parameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> web.StreamResponse:
        if sending in {Sending.WHOLE, Sending.HALF, Sending.BYTE_BY_BYTE}:
            call.status = response.status
        context = call.context({})
        apart = self.faults.apply("clock_apart", **context)
        offset = timedelta(seconds=apart.get("seconds", 5) if apart else 0)
        has_date = self.faults.apply("no_date", **context) is None
        date = http_date(self.world.clock() + offset) if has_date else NO_DATE
        response = response.shifted(offset)
        response = response.with_headers({**self.rate_limit.headers(), "Date": date})
        return await self._sender.send(request, response, sending, parameters)


def _parse_leniently(body: bytes) -> Any:
    """Return the JSON value, or the text itself if it is not JSON. No operation takes a text."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError:
        return text
