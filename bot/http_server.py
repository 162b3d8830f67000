"""The HTTP server: `/healthz`, and in HTTP mode the requests of Slack, verified before use."""

import asyncio
import errno
import logging
import os
import re
import resource
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDictProxy
from pydantic import SecretStr
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import Clock as SignatureClock
from slack_sdk.signature import SignatureVerifier

from bot.core.ports import Clock
from bot.transports import StartupError, dispatch

logger = logging.getLogger(__name__)

EVENTS = "/slack/events"
# Bytes. Slack allows 250 kB for a view, and it grows when it is encoded for a form.
MAX_BODY = 512 * 1024
MAX_SSL_CHECK = 200  # bytes
BODY_TIMEOUT = 10.0  # seconds
# Seconds for a connection to be idle, or for the head of a request. Proxies close idle connections
# after 60 to 90 s. If the bot closed them earlier, a request could get lost.
IDLE_TIMEOUT = 100.0
LINGERING = 5.0  # seconds to read the rest of a body that nobody wants
MAX_CONNECTIONS = 128  # so strangers can make the bot hold at most 64 MB of bodies
# Connections that asyncio accepts in one turn of the event loop, before any can be closed.
_ACCEPTED_AT_ONCE = 16
_KERNEL_QUEUE = 128
_TIMESTAMP = re.compile("[0-9]{1,12}")
UNREADABLE = "the request can't be read"
_REFUSED = (
    "a request to %s was refused: its signature is missing, wrong or too old. If it came from"
    " Slack, look at SLACK_SIGNING_SECRET and at the clock"
)


@dataclass(frozen=True, slots=True)
class SlackRequests:
    """Answers the requests of Slack. Nothing reads a body before its signature is verified.

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """

    app: AsyncApp
    verifier: SignatureVerifier

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer 401 without a valid signature, and 400 if the request can't be read."""
        body = await _body(request)
        # Slack tests a URL's certificate with these fields, which its docs do not call signed.
        if len(body) < MAX_SSL_CHECK and b"ssl_check=1" in body.split(b"&"):
            return web.Response()
        if not self._is_signed(request.headers, body):
            logger.warning(_REFUSED, EVENTS)
            return web.Response(status=401, text="the signature is not valid")
        answer = await dispatch(
            self.app, body=body.decode(), query=request.query_string, headers={**request.headers}
        )
        return await to_aiohttp_response(answer)

    def _is_signed(self, headers: CIMultiDictProxy[str], body: bytes) -> bool:
        timestamps = headers.getall("X-Slack-Request-Timestamp", [])
        signatures = headers.getall("X-Slack-Signature", [])
        if len(timestamps) != 1 or len(signatures) != 1 or not signatures[0].isascii():
            return False
        if not _TIMESTAMP.fullmatch(timestamps[0]):
            return False
        try:
            return self.verifier.is_valid(body, timestamps[0], signatures[0])
        except UnicodeDecodeError:
            raise web.HTTPBadRequest(text=UNREADABLE) from None


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(headers={"Connection": "close"}) from None
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
        raise web.HTTPBadRequest(text=UNREADABLE) from None


class _VerifierClock(SignatureClock):
    """The bot's clock, which other processes share, so that this machine's may be wrong."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()


def slack_requests(app: AsyncApp, secret: SecretStr | None, clock: Clock) -> SlackRequests | None:
    """Return the handler of Slack's requests; None without a signing secret."""
    if secret is None:
        return None
    return SlackRequests(app, SignatureVerifier(secret.get_secret_value(), _VerifierClock(clock)))


async def serve(
    host: str | None,
    port: int,
    health: Callable[[], Awaitable[str]],
    slack: SlackRequests | None,
    stack: AsyncExitStack,
) -> int:
    """Serve `/healthz`, and Slack's requests if given, until the stack ends. Returns the port.

    Without a host, listen on all interfaces, with IPv4 and IPv6. Raises StartupError.
    """

    async def healthz(_: web.Request) -> web.Response:
        problem = await health()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    site = web.Application(client_max_size=MAX_BODY)
    site.router.add_get("/healthz", healthz)
    if slack:
        site.router.add_post(EVENTS, slack.answer)
    runner = web.AppRunner(
        site,
        access_log=None,
        auto_decompress=False,  # the signature is that of the raw body; Slack compresses nothing
        keepalive_timeout=IDLE_TIMEOUT,
        lingering_time=LINGERING,
    )
    logging.getLogger("aiohttp.server").addFilter(_without_junk)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        return await _listen(runner, host, port, stack)
    except OSError as error:
        raise StartupError(f"PORT {port}: {os.strerror(error.errno or 0)}") from error


async def _listen(runner: web.AppRunner, host: str | None, port: int, stack: AsyncExitStack) -> int:
    listening = _bound(host, port)
    server = await asyncio.get_running_loop().create_server(
        _Accepting(runner), sock=listening, backlog=_ACCEPTED_AT_ONCE
    )
    stack.callback(server.close)
    # More may wait in the kernel than are accepted in one turn, so that a burst is not lost.
    listening.listen(_KERNEL_QUEUE)
    return int(listening.getsockname()[1])


class _Accepting:
    """Makes a handler for each new connection. Beyond the limit, the oldest ones are closed.

    So a flood of connections can neither use up the files of the process, nor shut others out.
    """

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The rest of the files is for the database, Slack and RealtimeKit.
        quarter = MAX_CONNECTIONS if files == resource.RLIM_INFINITY else files // 4
        self._limit = min(MAX_CONNECTIONS, quarter)

    def __call__(self) -> RequestHandler:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the server is not running")
        excess = len(server.connections) + 1 - self._limit
        for oldest in server.connections[: max(0, excess)]:
            oldest.force_close()
        return server()


def _bound(host: str | None, port: int) -> socket.socket:
    """Return a socket that is bound. Raises OSError."""
    if host is not None:
        return socket.create_server((host, port))
    try:
        # One socket for IPv4 and IPv6: with two, port 0 would give two ports.
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError) as error:
        # ValueError: this system has no such sockets. Some have IPv6 switched off.
        missing = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
        if isinstance(error, OSError) and error.errno not in missing:
            raise
        return socket.create_server(("", port))


def _without_junk(record: logging.LogRecord) -> bool:
    # aiohttp answers 400 to what is not HTTP, and logs it with a traceback.
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)
