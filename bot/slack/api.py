"""Calls to Slack: the Web API and response URLs, with one error for both."""

import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.core.kick import UserId
from bot.core.ports import Clock

logger = logging.getLogger(__name__)

SCOPES = frozenset({"chat:write", "commands", "usergroups:read", "users:read"})
CALL_TIMEOUT = aiohttp.ClientTimeout(total=10)
KEEPALIVE = 300  # seconds that an idle connection stays open
MAX_RETRY_AFTER = 30  # seconds; a call that has to wait longer fails
TOO_MANY_REQUESTS = 429
UNREACHABLE = "Slack can't be reached"
# "It's possible some aspect of the operation succeeded before the error was raised."
# https://docs.slack.dev/reference/methods/chat.postMessage#errors
MAYBE_APPLIED = frozenset({"fatal_error", "internal_error"})
TRANSIENT = frozenset({UNREACHABLE, "ratelimited", "service_unavailable", "request_timeout"})
# https://docs.slack.dev/reference/methods/auth.test#errors
_TOKEN_REFUSED = frozenset({"account_inactive", "invalid_auth", "token_expired", "token_revoked"})
APP_REMOVED = (
    "The app was removed from this workspace, or its token was revoked. Tell the bot's operator."
)
ORG_WIDE = (
    "the app is installed for a whole Enterprise Grid organization, which Kickbot does not"
    " support: install it to one workspace"
)
# If a body is no JSON object, slack_sdk raises its own errors, or errors of Python.
_UNUSABLE = (aiohttp.ClientError, SlackClientError, TimeoutError, AttributeError, ValueError)

# https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
RESPONSE_URL_USES = 5
RESPONSE_URL_LIFETIME = 30 * 60  # seconds
MAX_RESPONSE_URLS = 1000
MAX_URLS_PER_USER = 50


T = TypeVar("T")


class SlackCallError(Exception):
    """A call to Slack failed. `code` is Slack's own error code, or says what broke.

    `maybe_applied`: Slack may have applied the call. `retry_after`: the seconds that a 429 asked
    to wait, or None.
    """

    def __init__(
        self,
        method: str,
        code: str,
        *,
        maybe_applied: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{method}: {code}")
        self.code = code
        self.maybe_applied = maybe_applied
        self.retry_after = retry_after

    @property
    def is_token_refused(self) -> bool:
        """Whether Slack refuses the token, such as after the app was removed."""
        return self.code in _TOKEN_REFUSED

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed later."""
        return self.maybe_applied or self.code in TRANSIENT


class _ShortWaitRetryHandler(AsyncRateLimitErrorRetryHandler):
    """Waits as long as a 429 asks, up to MAX_RETRY_AFTER. No other failure is retried.

    slack_sdk's default handler sends a post again if its connection broke after Slack had read
    it. People would see two messages.
    """

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if response is None or response.status_code != TOO_MANY_REQUESTS:
            return False
        waits = [value for name, value in response.headers.items() if name.lower() == "retry-after"]
        return all(wait[0].isdigit() and int(wait[0]) <= MAX_RETRY_AFTER for wait in waits)


def http_session() -> aiohttp.ClientSession:
    """Return the one session for Slack. It keeps connections between calls."""
    connector = aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE)
    return aiohttp.ClientSession(connector=connector, timeout=CALL_TIMEOUT)


def web_client(
    token: str, base_url: str, session: aiohttp.ClientSession, *, retries: bool = True
) -> AsyncWebClient:
    """Return a client of the Web API. Without `retries`, a 429 fails at once."""
    handlers: list[AsyncRetryHandler] = (
        [_ShortWaitRetryHandler(max_retry_count=2)] if retries else []
    )
    return AsyncWebClient(token, base_url=base_url, session=session, retry_handlers=handlers)


async def post_json(client: AsyncWebClient, method: str, **arguments: Any) -> Mapping[str, Any]:
    """Call a method that accepts JSON. Raises SlackCallError."""
    return await _data(client, method, json=arguments)


async def post_form(client: AsyncWebClient, method: str, **arguments: str) -> Mapping[str, Any]:
    """Call a method that accepts form fields only, as most reads do. Raises SlackCallError."""
    return await _data(client, method, params=arguments)


def required(reply: Mapping[str, Any], method: str, name: str, kind: type[T]) -> T:
    """Return a field of a reply. Raises SlackCallError if it is missing, or of another type."""
    value = reply.get(name)
    if isinstance(value, kind):
        return value
    # Slack said ok, so it has probably applied the call.
    raise SlackCallError(method, f"no usable answer: no {name}", maybe_applied=True)


async def auth_test(client: AsyncWebClient) -> AsyncSlackResponse:
    """Return whose token it is, with the headers of the reply. Raises SlackCallError."""
    reply = await _reply(client, "auth.test")
    data = reply.data if isinstance(reply.data, dict) else {}
    if data.get("is_enterprise_install"):
        raise SlackCallError("auth.test", ORG_WIDE)
    required(data, "auth.test", "team_id", str)
    required(data, "auth.test", "team", str)
    return reply


def scopes(reply: AsyncSlackResponse) -> frozenset[str]:
    """Return the scopes of a token, from the reply of `auth_test`.

    https://docs.slack.dev/reference/methods/auth.test (the scopes come in a header).
    """
    granted = (one.strip() for one in str(reply.headers.get("x-oauth-scopes", "")).split(","))
    return frozenset(filter(None, granted))


@dataclass(slots=True)
class _ResponseUrl:
    user: UserId
    url: str = field(repr=False)
    expires_at: float  # by the monotonic clock
    uses_left: int = RESPONSE_URL_USES


@dataclass(frozen=True, slots=True)
class ResponseUrls:
    """The response URLs that may still be used, each under an id that a modal can carry.

    They are secrets, so they stay in memory.
    """

    client: AsyncWebClient
    clock: Clock
    _urls: OrderedDict[str, _ResponseUrl] = field(init=False, default_factory=OrderedDict)

    def register(self, user: UserId, url: str) -> str:
        """Remember a user's response URL, and return an id for it."""
        response_id = uuid4().hex
        expires_at = self.clock.monotonic() + RESPONSE_URL_LIFETIME
        self._urls[response_id] = _ResponseUrl(user, url, expires_at)
        counts = Counter(known.user for known in self._urls.values())
        if counts[user] > MAX_URLS_PER_USER:
            self._forget_oldest(user)
        elif len(self._urls) > MAX_RESPONSE_URLS:
            # Whoever has most loses one, so that nobody pushes out those of the others.
            self._forget_oldest(counts.most_common(1)[0][0])
        return response_id

    def _forget_oldest(self, user: UserId) -> None:
        del self._urls[next(name for name, known in self._urls.items() if known.user == user)]

    async def respond(
        self, response_id: str, message: Mapping[str, Any], *, in_channel: bool
    ) -> SlackCallError | None:
        """Send a message to the channel, or to the user only. Returns what failed, if it did."""
        known = self._urls.get(response_id)
        if known is None or known.uses_left <= 0 or self.clock.monotonic() >= known.expires_at:
            return SlackCallError("response_url", "used up, or too old")
        known.uses_left -= 1
        kind = "in_channel" if in_channel else "ephemeral"
        body = {**message, "response_type": kind, "replace_original": False}
        try:
            await post_response(self.client, known.url, body)
        except SlackCallError as error:
            logger.warning("a response URL could not be used: %s", error)
            return error
        return None

    async def send_ephemeral(self, response_id: str, message: Mapping[str, Any]) -> None:
        """Send a message that only the user sees. If that fails, send a direct message."""
        known = self._urls.get(response_id)
        if await self.respond(response_id, message, in_channel=False) is None or known is None:
            return
        try:
            await post_json(self.client, "chat.postMessage", channel=known.user, **message)
        except SlackCallError as error:
            logger.error("%s was not told: %s (%s)", known.user, message["text"], error)  # noqa: TRY400 - no traceback needed


async def post_response(client: AsyncWebClient, url: str, body: Mapping[str, Any]) -> None:
    """Send a message through a response URL. Raises SlackCallError."""
    if client.session is None:
        raise SlackCallError("response_url", "the client has no session")
    try:
        async with client.session.post(url, json=body) as reply:
            text = await reply.text()
    except aiohttp.ClientConnectorError as error:
        raise SlackCallError("response_url", UNREACHABLE) from error
    except _UNUSABLE as error:
        raise SlackCallError("response_url", _describe(error), maybe_applied=True) from error
    if reply.status >= 500:  # noqa: PLR2004 - where server errors begin
        raise SlackCallError("response_url", f"HTTP {reply.status}", maybe_applied=True)
    if not reply.ok:
        raise SlackCallError("response_url", f"HTTP {reply.status} {text[:200]}")


async def _data(client: AsyncWebClient, method: str, **arguments: Any) -> Mapping[str, Any]:
    data = (await _reply(client, method, **arguments)).data
    return data if isinstance(data, dict) else {}


async def _reply(client: AsyncWebClient, method: str, **arguments: Any) -> AsyncSlackResponse:
    try:
        return await client.api_call(method, **arguments)
    except SlackApiError as error:
        raise _error(method, error) from error
    except aiohttp.ClientConnectorError as error:
        raise SlackCallError(method, UNREACHABLE) from error
    except _UNUSABLE as error:
        raise SlackCallError(method, _describe(error), maybe_applied=True) from error


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the connection broke" if isinstance(error, aiohttp.ClientError) else "no usable answer"


def _error(method: str, error: SlackApiError) -> SlackCallError:
    response = error.response
    asked = str(getattr(response, "headers", {}).get("Retry-After", ""))
    wait = float(asked) if asked.isdigit() else None
    data = getattr(response, "data", None)
    if isinstance(data, dict) and data.get("error"):
        metadata = data.get("response_metadata")
        details = metadata.get("messages") if isinstance(metadata, dict) else None
        code = " ".join(map(str, [data["error"], *(details if isinstance(details, list) else [])]))
        applied = data["error"] in MAYBE_APPLIED
        return SlackCallError(method, code, maybe_applied=applied, retry_after=wait)
    status = getattr(response, "status_code", None) or getattr(response, "status", "?")
    if status == TOO_MANY_REQUESTS:
        return SlackCallError(method, "ratelimited", retry_after=wait)
    return SlackCallError(method, f"HTTP {status}", maybe_applied=True)
