"""Calls of the Web API: their results, and whether a failed call may have had an effect."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.api import (
    SlackCallError,
    _ShortWaitRetryHandler,
    auth_test,
    post_form,
    post_json,
    post_response,
    scopes,
    web_client,
)

pytestmark = pytest.mark.services

Json = dict[str, Any]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Slack:
    """A server that gives prepared answers in turn, and repeats the last one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str]] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, await request.text()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def said(body: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    """Prepare an answer. Anything but text is sent as JSON."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None

    async def answer(_: web.Request) -> web.StreamResponse:
        content = json.dumps(body).encode() if raw is None else raw
        all_headers = {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return web.Response(body=content, status=status, headers=all_headers)

    return answer


async def hung_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def slow(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    app = web.Application()
    runner = web.AppRunner(app, handler_cancellation=True)
    server = Slack("")
    app.router.add_route("*", "/{path:.*}", server.serve)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield server
    await runner.cleanup()


@pytest.fixture
async def client(slack: Slack) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield web_client("xoxb-secret", slack.url, session)


@pytest.fixture
async def hasty_client(slack: Slack) -> AsyncIterator[AsyncWebClient]:
    slack.answers = [slow]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as session:
        yield web_client("xoxb-secret", slack.url, session)


FAILURES = [
    (said({"ok": False, "error": "channel_not_found"}), "channel_not_found", False),
    (
        said(
            {
                "ok": False,
                "error": "invalid_arguments",
                "response_metadata": {"messages": ["[ERROR] too long [json-pointer:/view]"]},
            }
        ),
        "invalid_arguments [ERROR] too long [json-pointer:/view]",
        False,
    ),
    (said({"ok": False, "error": "internal_error"}), "internal_error", True),
    (said({"ok": False, "error": "fatal_error"}), "fatal_error", True),
    (said({"ok": False, "error": "service_unavailable"}, 503), "service_unavailable", False),
    (said("<html>Oops</html>", 500, "text/html"), "HTTP 500", True),
    (said("<html>Oops</html>", 502, "text/html"), "HTTP 502", True),
    (said("upstream went away", 503, "text/plain"), "HTTP 503", True),
    (said("<html>Login</html>", 200, "text/html"), "HTTP 200", True),
    (said('{"ok": tr'), "HTTP 200", True),
    (said(""), "HTTP 200", True),
    (said("fine", 200, "text/plain"), "no usable answer", True),
    (said(["ok"]), "no usable answer", True),
    (said(b'{"ok": "\xff"}'), "no usable answer", True),
    (hung_up, "the connection broke", True),
]


@pytest.mark.parametrize(("answer", "code", "maybe"), FAILURES)
async def test_a_call_that_failed_says_how_and_whether_it_may_have_happened(
    slack: Slack, client: AsyncWebClient, answer: Answer, code: str, *, maybe: bool
) -> None:
    slack.answers = [answer]
    with pytest.raises(SlackCallError) as raised:
        await post_json(client, "chat.postMessage", channel="C0LIVE", text="x")
    assert (raised.value.code, raised.value.maybe_applied) == (code, maybe)
    assert str(raised.value) == f"chat.postMessage: {code}"
    assert "secret" not in repr(raised.value)
    assert len(slack.asked) == 1


async def test_an_answer_that_takes_too_long_may_have_happened(
    hasty_client: AsyncWebClient,
) -> None:
    with pytest.raises(SlackCallError, match="no answer in time") as posted:
        await post_json(hasty_client, "chat.postMessage", channel="C0LIVE", text="x")
    with pytest.raises(SlackCallError, match="no answer in time") as answered:
        await post_response(hasty_client, hasty_client.base_url, {})
    assert posted.value.maybe_applied
    assert answered.value.maybe_applied


async def test_a_call_that_was_never_sent_did_not_happen(slack: Slack) -> None:
    async with aiohttp.ClientSession() as session:
        client = web_client("xoxb-secret", "http://127.0.0.1:1/", session)
        with pytest.raises(SlackCallError, match="Slack can't be reached") as posted:
            await post_json(client, "chat.postMessage", channel="C0LIVE", text="x")
        with pytest.raises(SlackCallError, match="Slack can't be reached") as answered:
            await post_response(client, "http://127.0.0.1:1/", {})
    assert not posted.value.maybe_applied
    assert not answered.value.maybe_applied


async def test_a_call_sends_json_and_a_question_sends_a_form(
    slack: Slack, client: AsyncWebClient
) -> None:
    slack.answers = [said({"ok": True, "ts": "1.2"})]
    assert await post_json(client, "chat.postMessage", channel="C0") == {"ok": True, "ts": "1.2"}
    assert (await post_form(client, "users.info", user="U0"))["ok"]
    (posted, body), (read, _) = slack.asked
    assert (posted, json.loads(body)) == ("/chat.postMessage", {"channel": "C0"})
    assert read == "/users.info"


async def test_a_429_is_waited_for_and_sent_again(
    slack: Slack, client: AsyncWebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)  # what slack_sdk adds to the wait
    wait = said({"ok": False, "error": "ratelimited"}, 429, Retry_After="0")
    slack.answers = [wait, wait, said({"ok": True})]
    await post_json(client, "chat.postMessage", channel="C0")
    assert len(slack.asked) == 3
    slack.answers = [wait]
    with pytest.raises(SlackCallError, match="ratelimited") as raised:
        await post_json(client, "chat.postMessage", channel="C0")
    assert not raised.value.maybe_applied
    assert len(slack.asked) == 6


LIMITED = {"ok": False, "error": "ratelimited"}


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        (LIMITED, {"Retry-After": "7"}, 7.0),
        (LIMITED, {"retry_after": "120"}, 120.0),
        (LIMITED, {"Retry-After": "soon"}, None),
        (LIMITED, {"Retry-After": "-1"}, None),
        (LIMITED, {}, None),
        ("Too many requests", {"Retry-After": "7", "kind": "text/html"}, 7.0),
    ],
)
async def test_a_client_that_is_not_patient_says_at_once_how_long_to_wait(
    slack: Slack, body: object, headers: dict[str, str], wait: float | None
) -> None:
    slack.answers = [said(body, 429, **headers)]
    async with aiohttp.ClientSession() as session:
        client = web_client("xoxb-secret", slack.url, session, retries=False)
        with pytest.raises(SlackCallError, match="ratelimited") as raised:
            await post_json(client, "chat.postMessage", channel="C0")
    assert raised.value.retry_after == wait
    assert raised.value.is_transient
    assert not raised.value.maybe_applied
    assert len(slack.asked) == 1


@pytest.mark.parametrize(
    ("code", "maybe", "passes"),
    [
        ("ratelimited", False, True),
        ("service_unavailable", False, True),
        ("request_timeout", False, True),
        ("Slack can't be reached", False, True),
        ("HTTP 500", True, True),
        ("internal_error", True, True),
        ("not_in_channel", False, False),
        ("is_archived", False, False),
        ("restricted_action", False, False),
    ],
)
def test_what_may_well_succeed_later_is_told_from_what_will_not(
    code: str, *, maybe: bool, passes: bool
) -> None:
    failed = SlackCallError("chat.postMessage", code, maybe_applied=maybe)
    assert failed.is_transient is passes
    assert failed.retry_after is None


@pytest.mark.parametrize(
    ("status", "headers", "retried"),
    [
        (429, {"Retry-After": "1"}, True),
        (429, {"retry-after": "30"}, True),
        (429, {"Retry-After": "31"}, False),
        (429, {"Retry-After": "soon"}, False),
        (429, {"Retry-After": "-1"}, False),
        (429, {}, True),
        (500, {"Retry-After": "1"}, False),
        (200, {}, False),
    ],
)
async def test_only_a_429_that_names_a_short_wait_is_retried(
    status: int, headers: Mapping[str, Any], *, retried: bool
) -> None:
    request = HttpRequest(method="POST", url="https://slack.com/api/x", headers={})
    response = HttpResponse(status_code=status, headers=dict(headers))
    handler = _ShortWaitRetryHandler(max_retry_count=2)
    may = await handler.can_retry_async(state=RetryState(), request=request, response=response)
    assert may is retried


async def test_a_broken_connection_is_never_retried() -> None:
    request = HttpRequest(method="POST", url="https://slack.com/api/x", headers={})
    broken = aiohttp.ServerDisconnectedError()
    handler = _ShortWaitRetryHandler(max_retry_count=2)
    assert not await handler.can_retry_async(state=RetryState(), request=request, error=broken)


async def test_the_scopes_come_from_the_header(slack: Slack, client: AsyncWebClient) -> None:
    reply = {"ok": True, "team": "Acme", "team_id": "T1"}
    slack.answers = [said(reply, x_oauth_scopes="chat:write, commands"), said(reply)]
    assert scopes(await auth_test(client)) == {"chat:write", "commands"}
    assert scopes(await auth_test(client)) == set()


@pytest.mark.parametrize(("answer", "code"), [case[:2] for case in FAILURES])
async def test_a_token_that_cannot_be_tested_says_why(
    slack: Slack, client: AsyncWebClient, answer: Answer, code: str
) -> None:
    slack.answers = [answer]
    with pytest.raises(SlackCallError, match=r"^auth\.test: ") as raised:
        await auth_test(client)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("answer", "code", "maybe"),
    [
        (said({"ok": False, "error": "used_url"}, 404), 'HTTP 404 {"ok": false', False),
        (said("x" * 10_000, 400, "text/html"), "HTTP 400 xxx", False),
        (said("<html>Oops</html>", 500, "text/html"), "HTTP 500", True),
        (hung_up, "the connection broke", True),
    ],
)
async def test_an_answer_by_response_url_that_failed_says_how(
    slack: Slack, client: AsyncWebClient, answer: Answer, code: str, *, maybe: bool
) -> None:
    slack.answers = [answer]
    with pytest.raises(SlackCallError) as raised:
        await post_response(client, slack.url, {"text": "x"})
    assert raised.value.code.startswith(code)
    assert len(raised.value.code) < 300
    assert raised.value.maybe_applied is maybe
    assert len(slack.asked) == 1


async def test_an_answer_by_response_url_goes_over_the_clients_own_session(
    slack: Slack, client: AsyncWebClient
) -> None:
    slack.answers = [said("ok", 200, "text/plain")]
    await post_response(client, f"{slack.url}respond/1", {"text": "x"})
    assert slack.asked == [("/respond/1", '{"text": "x"}')]
    with pytest.raises(SlackCallError, match="no session"):
        await post_response(AsyncWebClient("xoxb-secret"), slack.url, {})
