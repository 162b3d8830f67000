"""Socket Mode: the socket to Slack, and how it is renewed.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import chain, repeat

import aiohttp
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.api import SlackCallError, post_form
from bot.transports import StartupError, dispatch

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0  # seconds
PING_INTERVAL = 10.0  # seconds; a socket that answered no ping for four times this is stale
PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)  # seconds between attempts; the last one is repeated
_FAILURES = (SlackCallError, aiohttp.ClientError, OSError)


class SocketClient(SocketModeClient):
    """Slack's client, but a socket that can't be renewed is tried again until it can.

    slack_sdk tries a failed renewal only when the old socket has closed, tries a URL that can be
    used once again and again, and closes the old socket first. This opens the new one first, so
    acks are never without a socket. While it tries, `is_connected` is false.
    """

    renewing = False
    _connected_at = -math.inf

    async def issue_new_wss_url(self) -> str:
        """Return a URL for one connection. Raises SlackCallError."""
        # slack_sdk would wait as long as a 429 asks, however long that is.
        reply = await post_form(self.web_client, "apps.connections.open", token=self.app_token)
        return str(reply.get("url"))

    async def is_connected(self) -> bool:
        """Return whether Slack can reach the bot through this socket."""
        return not self.renewing and await super().is_connected()

    async def connect(self) -> None:
        """Connect once. The old socket stays open. Raises SlackCallError, ClientError, OSError."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            url = await self.issue_new_wss_url()
            session = await self.aiohttp_client_session.ws_connect(
                url, autoping=False, heartbeat=self.ping_interval, proxy=self.proxy
            )
        self.current_session = session
        self.stale, self.last_ping_pong_time = False, None
        # Those of the old socket end by themselves when they see that it is not the current one.
        self.current_session_monitor = asyncio.ensure_future(self.monitor_current_session())
        self.message_receiver = asyncio.ensure_future(self.receive_messages())
        self._connected_at = time.monotonic()

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - slack_sdk calls it so
        """Renew the socket, however long that takes; without `force`, only if it is broken."""
        async with self.connect_operation_lock:
            if not force and await self.is_connected():
                return
            old, self.renewing = self.current_session, True
            await self._renew()
            self.renewing = False
        if old is not None:
            with suppress(*_FAILURES):
                await old.close()

    async def _renew(self) -> None:
        if time.monotonic() - self._connected_at < PAUSES[0]:
            # Slack may refuse each socket at once, such as if there are too many.
            await asyncio.sleep(PAUSES[0])
        pauses = chain(PAUSES, repeat(PAUSES[-1]))
        while self.auto_reconnect_enabled:
            try:
                await self.connect()
            except _FAILURES as error:
                logger.warning("the socket to Slack could not be renewed: %s", _describe(error))
                await asyncio.sleep(next(pauses))
            else:
                return


def _describe(error: Exception) -> str:
    # An error of aiohttp quotes the URL, which is secret.
    return f"{error}" if isinstance(error, SlackCallError) else type(error).__name__


async def socket_client(
    token: SecretStr | None, app: AsyncApp, client: AsyncWebClient, stack: AsyncExitStack
) -> SocketClient | None:
    """Return the client of Socket Mode, not yet connected; None without a token.

    It closes with the stack.
    """
    if token is None:
        return None
    socket = SocketClient(
        token.get_secret_value(),
        logger=app.logger,
        web_client=client,
        ping_interval=PING_INTERVAL,
    )
    if client.session is not None:
        await socket.aiohttp_client_session.close()
        socket.aiohttp_client_session = client.session

    async def handle(to: AsyncBaseSocketModeClient, sent: SocketModeRequest) -> None:
        answer = await dispatch(
            app, mode="socket_mode", body=sent.payload, headers=build_headers(sent)
        )
        await send_async_response(to, sent, answer, time.time())

    socket.socket_mode_request_listeners.append(handle)
    stack.push_async_callback(socket.close)
    return socket


@asynccontextmanager
async def connected(socket: SocketClient) -> AsyncIterator[None]:
    """Connect Socket Mode for the time of the context. Raises StartupError."""
    try:
        await socket.connect()
    except SlackCallError as error:
        if error.is_transient:
            raise StartupError(f"Slack's Socket Mode can't be reached ({error}).") from error
        raise StartupError(f"Slack refuses SLACK_APP_TOKEN ({error}).") from error
    except (aiohttp.ClientError, OSError) as error:
        raise StartupError(
            f"Slack's Socket Mode can't be reached ({type(error).__name__})."
        ) from error
    try:
        yield
    finally:
        socket.auto_reconnect_enabled = False
        if socket.current_session is not None:
            await socket.current_session.close()
