"""The Web API over HTTP: tokens, scopes, faults and the answers' form."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from tests.sandbox.faults import Faults
from tests.sandbox.slack.answers import Answers
from tests.sandbox.slack.arguments import Sent, read
from tests.sandbox.slack.errors import RefusedError
from tests.sandbox.slack.methods import Method
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

RESPONSE_URL = "response_url"

_REFUSALS = {
    "not_in_channel": ({"chat.postMessage", "chat.postEphemeral"}, "not_in_channel"),
    "expired_trigger": ({"views.open", "views.push"}, "expired_trigger_id"),
    "hash_conflict": ({"views.update"}, "hash_conflict"),
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The app's tokens."""

    bot: str
    app: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the bot: method, arguments without the token, answer, connection, and when.

    `at` is when it was answered, in seconds since the epoch. Posts to response URLs are listed as
    method `response_url`. `answer` is None where the connection broke instead.
    """

    method: str
    arguments: Json
    status: int
    answer: Json | None
    connection: str
    at: float = 0

    @property
    def error(self) -> str | None:
        """Slack's error code, if the call was refused."""
        return (self.answer or {}).get("error")


class WebApi:
    """Serves `/api/<method>` and the response URLs, and logs every call."""

    def __init__(
        self,
        workspace: Workspace,
        methods: Mapping[str, Method],
        tokens: Tokens,
        faults: Faults,
    ) -> None:
        self.calls: list[Call] = []
        self._workspace = workspace
        self._methods = methods
        self._tokens = tokens
        self._faults = faults
        self._answers = Answers(workspace)

    def routes(self) -> list[web.RouteDef]:
        """Name the paths served."""
        return [
            web.route("*", "/api/{method}", self._serve_method),
            web.post("/respond/{secret}", self._serve_response_url),
        ]

    async def _serve_method(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        try:
            sent = await read(request)
        except RefusedError as error:
            return self._log(request, name, {}, _refusal(error))
        if broken := await self._break_before(request, name, sent):
            return broken
        try:
            answer = self._run(name, sent)
        except RefusedError as error:
            answer = _refusal(error)
        if self._strikes("broken_after", name, sent) is not None:
            return self._drop(request, name, sent.arguments)
        response = self._log(request, name, sent.arguments, answer)
        response.headers["x-oauth-scopes"] = self._provided()
        return response

    async def _serve_response_url(self, request: web.Request) -> web.Response:
        sent = Sent(await _body(request), is_json=True, token=None)
        if broken := await self._break_before(request, RESPONSE_URL, sent):
            return broken
        try:
            url = self._workspace.response_urls.use(request.match_info["secret"])
        except RefusedError as error:
            return self._log(request, RESPONSE_URL, sent.arguments, _refusal(error), 404)
        try:
            self._answers.reply(url, sent.arguments)
        except RefusedError as error:
            return self._log(request, RESPONSE_URL, sent.arguments, _refusal(error), 400)
        if self._strikes("broken_after", RESPONSE_URL, sent) is not None:
            return self._drop(request, RESPONSE_URL, sent.arguments)
        self._log(request, RESPONSE_URL, sent.arguments, {"ok": True})
        return web.Response(text="ok")

    async def _break_before(
        self,
        request: web.Request,
        name: str,
        sent: Sent,
    ) -> web.Response | None:
        """Play the faults that come before any effect."""
        if (how := self._strikes("slow", name, sent)) is not None:
            await asyncio.sleep(how.get("seconds", 1.0))
        if (how := self._strikes("rate_limited", name, sent)) is not None:
            answer = {"ok": False, "error": "ratelimited"}
            response = self._log(request, name, sent.arguments, answer, 429)
            response.headers["Retry-After"] = str(how.get("retry_after", 1))
            return response
        if self._strikes("server_error", name, sent) is not None:
            self._log(request, name, sent.arguments, None, 500)
            return web.Response(status=500, text="<html>Something is wrong here.</html>")
        if self._strikes("broken_before", name, sent) is not None:
            return self._drop(request, name, sent.arguments)
        return None

    def _run(self, name: str, sent: Sent) -> Json:
        method = self._methods.get(name)
        if method is None:
            raise RefusedError("unknown_method")
        self._authorize(method, sent)
        self._refuse_on_purpose(name, sent)
        given = sent.arguments if method.signature.reads_json or not sent.is_json else {}
        return {"ok": True, **method.run(method.signature.parse(given))}

    def _authorize(self, method: Method, sent: Sent) -> None:
        if not sent.token:
            raise RefusedError("not_authed")
        if sent.token not in {self._tokens.bot, self._tokens.app}:
            raise RefusedError("invalid_auth")
        for fault in ("token_revoked", "account_inactive"):
            if self._faults.strike(fault) is not None:
                raise RefusedError(fault)
        if sent.token != (self._tokens.app if method.is_for_app else self._tokens.bot):
            raise RefusedError("not_allowed_token_type")
        if method.scope not in self._workspace.manifest.scopes | {None}:
            raise RefusedError(
                "missing_scope",
                needed=str(method.scope),
                provided=self._provided(),
            )

    def _refuse_on_purpose(self, name: str, sent: Sent) -> None:
        if (how := self._strikes("refused", name, sent)) is not None:
            raise RefusedError(how.get("error", "internal_error"))
        for fault, (methods, error) in _REFUSALS.items():
            # Without a hash in the call there is nothing to conflict with.
            applies = name in methods and (fault != "hash_conflict" or "hash" in sent.arguments)
            if applies and self._strikes(fault, name, sent) is not None:
                raise RefusedError(error)

    def _strikes(self, fault: str, name: str, sent: Sent) -> Mapping[str, Any] | None:
        return self._faults.strike(fault, method=name, channel=sent.arguments.get("channel"))

    def _provided(self) -> str:
        return ",".join(sorted(self._workspace.manifest.scopes))

    def _drop(self, request: web.Request, name: str, arguments: Json) -> web.Response:
        """Break the connection instead of answering."""
        self._log(request, name, arguments, None, 0)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _log(
        self,
        request: web.Request,
        name: str,
        arguments: Json,
        answer: Json | None,
        status: int = HTTPStatus.OK,
    ) -> web.Response:
        # One address and port on the bot's side is one connection.
        peer = request.transport.get_extra_info("peername") if request.transport else None
        at = self._workspace.clock()
        self.calls.append(Call(name, arguments, status, answer, str(peer), at))
        self._workspace.pulse.beat()
        return web.json_response(answer, status=status or 200)


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _refusal(error: RefusedError) -> Json:
    answer: Json = {"ok": False, "error": error.error, **error.more}
    if error.messages:
        answer["response_metadata"] = {"messages": list(error.messages)}
    if error.error == "invalid_blocks":
        answer["errors"] = [message.removeprefix("[ERROR] ") for message in error.messages]
    return answer
