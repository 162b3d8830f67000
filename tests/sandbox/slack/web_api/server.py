"""The Web API over HTTP: tokens, scopes, faults, response URLs and the log of calls."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from tests.sandbox.control import Json
from tests.sandbox.faults import Faults
from tests.sandbox.slack.delivery.responses import Responses
from tests.sandbox.slack.errors import ApiError
from tests.sandbox.slack.web_api.arguments import Given, read
from tests.sandbox.slack.web_api.methods import Method
from tests.sandbox.slack.workspace.workspace import Workspace

RESPONSE_URL: Final = "response_url"

_ERROR_FAULTS: Final = {
    "not_in_channel": ({"chat.postMessage", "chat.postEphemeral"}, "not_in_channel"),
    "expired_trigger": ({"views.open", "views.push"}, "expired_trigger_id"),
    "hash_conflict": ({"views.update"}, "hash_conflict"),
}
"""For some faults, the methods that it applies to and the error code."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The app's tokens."""

    bot: str
    app: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the bot: the method, and the arguments without the token.

    A post to a response URL has the method `response_url`. `answer` is the response's JSON, or None
    if the connection broke, and then `status` is 0. `at` is when it was answered, in seconds since
    the epoch.
    """

    method: str
    arguments: Json
    status: int
    answer: Json | None
    connection: int
    at: float = 0

    @property
    def error(self) -> str | None:
        """Slack's error code, if the call was refused."""
        return (self.answer or {}).get("error")

    def as_json(self) -> Json:
        """Return the call for the page, without the token and a response URL's secret part."""
        is_response = self.method == RESPONSE_URL
        return {
            "method": "POST",
            "path": "/respond/***" if is_response else f"/api/{self.method}",
            "body": self.arguments,
            "status": self.status or None,
            "error": self.error,
            "token": None if is_response else "***",
            "ended_at": datetime.fromtimestamp(self.at, UTC).isoformat(),
        }


@dataclass(frozen=True, slots=True)
class WebApi:
    """Serves `/api/<method>` and the response URLs. `calls` logs all calls."""

    workspace: Workspace
    methods: Mapping[str, Method]
    tokens: Tokens
    faults: Faults
    connection_number: Callable[[web.Request], int]
    calls: list[Call] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.route("*", "/api/{method}", self._serve_method),
            web.post("/respond/{secret}", self._serve_response_url),
        ]

    async def _serve_method(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        try:
            given = await read(request)
        except ApiError as error:
            return self._answer(request, name, {}, _error_answer(error))
        if failed := await self._fail_before(request, name, given.arguments):
            return failed
        try:
            answer = self._run(name, given)
        except ApiError as error:
            answer = _error_answer(error)
        if self._applies("broken_after", name, given.arguments) is not None:
            return self._abort(request, name, given.arguments)
        response = self._answer(request, name, given.arguments, answer)
        response.headers["x-oauth-scopes"] = self._granted_scopes()
        return response

    async def _serve_response_url(self, request: web.Request) -> web.Response:
        body = await _read_body(request)
        if failed := await self._fail_before(request, RESPONSE_URL, body):
            return failed
        try:
            url = self.workspace.response_urls.use(request.match_info["secret"])
        except ApiError as error:
            return self._answer(request, RESPONSE_URL, body, _error_answer(error), 404)
        try:
            Responses(self.workspace).to_response_url(url, body)
        except ApiError as error:
            return self._answer(request, RESPONSE_URL, body, _error_answer(error), 400)
        if self._applies("broken_after", RESPONSE_URL, body) is not None:
            return self._abort(request, RESPONSE_URL, body)
        self._answer(request, RESPONSE_URL, body, {"ok": True})
        return web.Response(text="ok")

    async def _fail_before(
        self, request: web.Request, name: str, arguments: Json
    ) -> web.Response | None:
        """Play the faults that apply before the call has an effect."""
        if (given := self._applies("slow", name, arguments)) is not None:
            await asyncio.sleep(given.get("seconds", 1.0))
        if (given := self._applies("rate_limited", name, arguments)) is not None:
            answer = {"ok": False, "error": "ratelimited"}
            response = self._answer(request, name, arguments, answer, 429)
            response.headers["Retry-After"] = str(given.get("retry_after", 1))
            return response
        if self._applies("server_error", name, arguments) is not None:
            self._answer(request, name, arguments, None, 500)
            return web.Response(status=500, text="<html>Something is wrong here.</html>")
        if self._applies("broken_before", name, arguments) is not None:
            return self._abort(request, name, arguments)
        return None

    def _run(self, name: str, given: Given) -> Json:
        method = self.methods.get(name)
        if method is None:
            raise ApiError("unknown_method")
        self._authorize(method, given.token)
        self._raise_error_faults(name, given.arguments)
        is_read = method.signature.reads_json or not given.is_json
        arguments = method.signature.parse(given.arguments if is_read else {})
        done = method.run(arguments)
        bare = self._applies("bare_ok", name, given.arguments) is not None
        return {"ok": True} if bare else {"ok": True, **done}

    def _authorize(self, method: Method, token: str | None) -> None:
        if not token:
            raise ApiError("not_authed")
        if token not in {self.tokens.bot, self.tokens.app}:
            raise ApiError("invalid_auth")
        for fault in ("token_revoked", "account_inactive"):
            if self.faults.apply(fault) is not None:
                raise ApiError(fault)
        if token != (self.tokens.app if method.takes_app_token else self.tokens.bot):
            raise ApiError("not_allowed_token_type")
        if method.scope not in self.workspace.manifest.scopes | {None}:
            granted = self._granted_scopes()
            raise ApiError("missing_scope", needed=str(method.scope), provided=granted)

    def _raise_error_faults(self, name: str, arguments: Json) -> None:
        if (given := self._applies("refused", name, arguments)) is not None:
            raise ApiError(given.get("error", "internal_error"))
        for fault, (methods, error) in _ERROR_FAULTS.items():
            # A call without a hash cannot conflict.
            is_meant = name in methods and (fault != "hash_conflict" or "hash" in arguments)
            if is_meant and self._applies(fault, name, arguments) is not None:
                raise ApiError(error)

    def _applies(self, fault: str, name: str, arguments: Json) -> Mapping[str, Any] | None:
        return self.faults.apply(fault, method=name, channel=arguments.get("channel"))

    def _granted_scopes(self) -> str:
        return ",".join(sorted(self.workspace.manifest.scopes))

    def _abort(self, request: web.Request, name: str, arguments: Json) -> web.Response:
        """Break the connection. aiohttp needs a response, but cannot send it any more."""
        self._answer(request, name, arguments, None, 0)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _answer(
        self,
        request: web.Request,
        name: str,
        arguments: Json,
        answer: Json | None,
        status: int = 200,
    ) -> web.Response:
        """Log a call and return the response to it."""
        number, at = self.connection_number(request), self.workspace.clock()
        self.calls.append(Call(name, arguments, status, answer, number, at))
        self.workspace.changes.notify()
        return web.json_response(answer, status=status or 200)


async def _read_body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _error_answer(error: ApiError) -> Json:
    answer: Json = {"ok": False, "error": error.error, **error.more}
    if error.messages:
        answer["response_metadata"] = {"messages": list(error.messages)}
    if error.error == "invalid_blocks":
        answer["errors"] = [message.removeprefix("[ERROR] ") for message in error.messages]
    return answer
