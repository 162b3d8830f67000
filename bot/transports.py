"""How Slack reaches the bot: Socket Mode or HTTP. Also serves `/healthz`."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.core.ports import StoreUnavailable
from bot.store import SqlStore

CONNECT_TIMEOUT = 30.0  # seconds
NOT_CONNECTED = "no connection to Slack"


class StartupError(Exception):
    """The bot can't start. The message says why, and what to do."""


def bolt_app(settings: Settings, client: AsyncWebClient, authorized: AuthorizeResult) -> AsyncApp:
    """Return Bolt's app, without listeners."""

    async def authorize() -> AuthorizeResult:
        # The bot called auth.test at start. A call for each request would delay every ack.
        return authorized

    logging.getLogger("slack_bolt.AsyncApp").addFilter(_is_news)
    secret = settings.slack_signing_secret
    return AsyncApp(
        name="kickbot",
        # `authorize` gives the token. If this client had a token, Bolt would warn about it.
        client=AsyncWebClient(base_url=client.base_url, session=client.session),
        authorize=authorize,
        signing_secret=secret.get_secret_value() if secret else "",
        # By default, Bolt looks for the ack every 10 ms. This answers when the listener returns.
        process_before_response=True,
    )


def _is_news(record: logging.LogRecord) -> bool:
    # Bolt finds SLACK_BOT_TOKEN in the environment, and warns that it does not use it.
    return "`token` will be unused" not in str(record.msg)


async def socket_mode(
    token: SecretStr | None, app: AsyncApp, client: AsyncWebClient, stack: AsyncExitStack
) -> AsyncSocketModeHandler | None:
    """Return the client of Socket Mode, not yet connected; None without a token.

    It closes with the stack.
    """
    if token is None:
        return None
    handler = AsyncSocketModeHandler(app, token.get_secret_value(), web_client=client)
    if client.session is not None:
        await handler.client.aiohttp_client_session.close()
        handler.client.aiohttp_client_session = client.session
    stack.push_async_callback(handler.client.close)
    return handler


@asynccontextmanager
async def connected(handler: AsyncSocketModeHandler) -> AsyncIterator[None]:
    """Connect Socket Mode for the time of the context. Raises StartupError."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            # connect() alone would retry for ever, even with a token that Slack refuses.
            handler.client.wss_uri = await handler.client.issue_new_wss_url()
            await handler.client.connect()
    except SlackApiError as error:
        raise StartupError(f"Slack refuses SLACK_APP_TOKEN ({error.response['error']}).") from error
    except (aiohttp.ClientError, OSError) as error:
        raise StartupError(
            f"Slack's Socket Mode can't be reached ({type(error).__name__})."
        ) from error
    try:
        yield
    finally:
        handler.client.auto_reconnect_enabled = False
        await handler.client.disconnect()


@dataclass(frozen=True, slots=True)
class Health:
    """Checks whether the bot works, for `/healthz`."""

    store: SqlStore
    socket: AsyncSocketModeHandler | None

    async def __call__(self) -> str:
        """Return what is wrong; empty if nothing is."""
        if self.socket and not await self.socket.client.is_connected():
            return NOT_CONNECTED
        try:
            await self.store.check()
        except StoreUnavailable as error:
            return f"database: {error}"
        return ""


async def serve(app: AsyncApp | None, port: int, health: Health, stack: AsyncExitStack) -> int:
    """Serve `/healthz`, and Bolt's app if given, until the stack ends. Returns the port.

    Raises StartupError.
    """

    async def healthz(_: web.Request) -> web.Response:
        problem = await health()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    site = app.web_app("/slack/events") if app else web.Application()
    site.router.add_get("/healthz", healthz)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        # Platforms route to any interface. With one address family, port 0 gives one port.
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - see above
    except OSError as error:
        raise StartupError(f"PORT {port}: {error.strerror}") from error
    return int(runner.addresses[0][1])
