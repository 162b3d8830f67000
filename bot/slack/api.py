"""One way to call Slack's Web API, and one error that says whether it may have happened."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

TOO_MANY = 429  # the status of a call turned away at the gate
MAX_RETRY_AFTER = 30  # seconds that a call may be told to wait
KEEPALIVE = 300  # seconds that an idle connection is kept
SCOPES = frozenset({"chat:write", "commands", "usergroups:read", "users:read"})
UNREACHABLE = "Slack can't be reached"
# "It's possible some aspect of the operation succeeded before the error was raised."
# https://docs.slack.dev/reference/methods/chat.postMessage#errors
MAYBE_APPLIED = frozenset({"fatal_error", "internal_error"})
TRANSIENT = frozenset({UNREACHABLE, "ratelimited", "service_unavailable", "request_timeout"})
# Over a body that is no JSON object slack_sdk stumbles, with errors of its own or of Python's.
UNUSABLE = (aiohttp.ClientError, SlackClientError, TimeoutError, AttributeError, ValueError)
CALL_TIMEOUT = aiohttp.ClientTimeout(total=10)


class SlackCallError(Exception):
    """A call to Slack failed; `code` is Slack's own; `maybe`: it may have happened all the same.

    `wait` are the seconds that a 429 asked for, if it said.
    """

    def __init__(
        self, method: str, code: str, *, maybe: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code
        self.maybe_applied = maybe
        self.retry_after = wait

    @property
    def is_transient(self) -> bool:
        """Tell whether the same call may well succeed later."""
        return self.maybe_applied or self.code in TRANSIENT


class _WaitIfShort(AsyncRateLimitErrorRetryHandler):
    """Waits as long as a 429 asks, unless nobody would wait that long.

    It is the only retry: the default handler re-sends a post whose connection broke after it was
    read, which shows as two messages.
    """

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if response is None or response.status_code != TOO_MANY:
            return False
        waits = [value for name, value in response.headers.items() if name.lower() == "retry-after"]
        return all(wait[0].isdigit() and int(wait[0]) <= MAX_RETRY_AFTER for wait in waits)


def http_session() -> aiohttp.ClientSession:
    """Open the one session for Slack: connections are kept between calls."""
    connector = aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE)
    return aiohttp.ClientSession(connector=connector, timeout=CALL_TIMEOUT)


def web_client(
    token: str, base_url: str, session: aiohttp.ClientSession, *, patient: bool = True
) -> AsyncWebClient:
    """Make a client of the Web API; one that is not patient fails at once where a 429 says wait."""
    waiting: list[AsyncRetryHandler] = [_WaitIfShort(max_retry_count=2)] if patient else []
    return AsyncWebClient(token, base_url=base_url, session=session, retry_handlers=waiting)


async def post_json(client: AsyncWebClient, method: str, **arguments: Any) -> Mapping[str, Any]:
    """Call a method that takes JSON; raises SlackCallError."""
    return await _sent(client, method, json=arguments)


async def post_form(client: AsyncWebClient, method: str, **arguments: str) -> Mapping[str, Any]:
    """Call a method that takes form fields only, as those that read do; raises SlackCallError."""
    return await _sent(client, method, params=arguments)


async def scopes(client: AsyncWebClient) -> tuple[str, frozenset[str]]:
    """Ask which workspace the token is for, and which scopes it has; raises SlackCallError.

    https://docs.slack.dev/reference/methods/auth.test (the scopes come in a header).
    """
    reply = await _reply(client, "auth.test")
    granted = (one.strip() for one in str(reply.headers.get("x-oauth-scopes", "")).split(","))
    return str(reply["team"]), frozenset(filter(None, granted))


async def respond(client: AsyncWebClient, url: str, body: Mapping[str, Any]) -> None:
    """Post to a response_url, over the session that the client has; raises SlackCallError."""
    if client.session is None:
        raise SlackCallError("response_url", "the client has no session")
    try:
        async with client.session.post(url, json=body) as reply:
            words = await reply.text()
    except aiohttp.ClientConnectorError as error:
        raise SlackCallError("response_url", UNREACHABLE) from error
    except UNUSABLE as error:
        raise SlackCallError("response_url", _broken(error), maybe=True) from error
    if reply.status >= 500:  # noqa: PLR2004 - where errors of the server begin
        raise SlackCallError("response_url", f"HTTP {reply.status}", maybe=True)
    if not reply.ok:
        raise SlackCallError("response_url", f"HTTP {reply.status} {words[:200]}")


async def _sent(client: AsyncWebClient, method: str, **how: Any) -> Mapping[str, Any]:
    data = (await _reply(client, method, **how)).data
    return data if isinstance(data, dict) else {}


async def _reply(client: AsyncWebClient, method: str, **how: Any) -> AsyncSlackResponse:
    try:
        return await client.api_call(method, **how)
    except SlackApiError as error:
        raise _failed(method, error) from error
    except aiohttp.ClientConnectorError as error:
        raise SlackCallError(method, UNREACHABLE) from error
    except UNUSABLE as error:
        raise SlackCallError(method, _broken(error), maybe=True) from error


def _wait(response: AsyncSlackResponse) -> float | None:
    asked = str(response.headers.get("Retry-After", ""))
    return float(asked) if asked.isdigit() else None


def _broken(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the connection broke" if isinstance(error, aiohttp.ClientError) else "no usable answer"


def _failed(method: str, error: SlackApiError) -> SlackCallError:
    response = error.response
    data = getattr(response, "data", None)
    if isinstance(data, dict) and data.get("error"):
        details = data.get("response_metadata", {}).get("messages", [])
        words = " ".join([str(data["error"]), *details])
        return SlackCallError(
            method, words, maybe=data["error"] in MAYBE_APPLIED, wait=_wait(response)
        )
    status = getattr(response, "status_code", None) or getattr(response, "status", "?")
    if status == TOO_MANY:
        return SlackCallError(method, "ratelimited", wait=_wait(response))
    return SlackCallError(method, f"HTTP {status}", maybe=True)
