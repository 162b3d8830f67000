"""The composition root: builds everything once, runs it, and drains it when told to stop."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.core.approval_service import ApprovalService
from bot.core.kick import TeamId, UserId
from bot.core.kick_service import InstanceIdentity, KickService
from bot.core.outbox import Outbox
from bot.core.policy import Policy
from bot.core.ports import Clock, StoreUnavailable
from bot.core.reconciler import Reconciler
from bot.core.review_service import ReviewService
from bot.policy_file import warnings
from bot.realtimekit import App, CachedGateway, RealtimeKit, http_client
from bot.slack.api import SlackCallError, http_session, post_form, web_client
from bot.slack.channel import SlackNotices
from bot.slack.decisions import Decisions
from bot.slack.directory import SlackDirectory
from bot.slack.listeners import Listeners
from bot.slack.screens import Screens
from bot.slack.windows import Origins, Windows
from bot.store import SqlStore
from bot.tasks import SystemClock, Tasks

logger = logging.getLogger(__name__)

STORE_TIMEOUT = 2.0  # seconds; a submit writes before its ack, which has three
CONNECT_TIMEOUT = 30.0  # seconds
DRAIN_TIMEOUT = 20.0  # seconds that calls already sent are waited for
SOCKET_CHECK_INTERVAL = 10.0  # seconds between looks at the socket
MAX_FAILED_CHECKS = 12  # looks without a connection after which a fresh process has better chances


class StartupError(Exception):
    """Something the bot needs is not there; the message says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Bot:
    """The running bot: where it listens, and how it is."""

    port: int
    health: Callable[[], Coroutine[object, object, str]]


@asynccontextmanager
async def running(
    settings: Settings, policy: Policy, *, clock: Clock | None = None
) -> AsyncIterator[Bot]:
    """Run the bot as long as the context lasts; then take no more work, and drain.

    Raises StartupError.
    """
    async with AsyncExitStack() as stack:
        tasks = Tasks()
        session = await stack.enter_async_context(http_session())
        token = settings.slack_bot_token.get_secret_value()
        client = web_client(token, settings.slack_api, session)
        authorized = await _authorize(client, token)
        team = TeamId(authorized.team_id or "")
        store = await _store(settings, team, stack)
        gateway = await _rooms(settings, stack)
        reconciler, listeners = _house(
            settings,
            policy,
            client,
            web_client(token, settings.slack_api, session, patient=False),
            team=team,
            store=store,
            gateway=gateway,
            tasks=tasks,
            clock=clock or SystemClock(),
        )
        app = _bolt(settings, client, authorized)
        listeners.register(app)
        socket = await _socket(settings, app, client, stack)
        # Entered before the transports open, so left after them: no new work, then the drain.
        stack.push_async_callback(tasks.drain, DRAIN_TIMEOUT)
        await stack.enter_async_context(_kept(reconciler))
        if socket:
            stack.push_async_callback(_hang_up, socket)
            await _connect(socket)
        health = _Health(store, socket)
        port = await _serve(settings, app, health, stack)
        yield Bot(port, health)


async def _authorize(client: AsyncWebClient, token: str) -> AuthorizeResult:
    try:
        reply = await post_form(client, "auth.test")
    except SlackCallError as error:
        raise StartupError(
            f"Slack can't be reached or refuses SLACK_BOT_TOKEN ({error}): see `kickbot check`."
        ) from error
    return AuthorizeResult(
        enterprise_id=reply.get("enterprise_id"),
        team_id=reply["team_id"],
        bot_user_id=reply.get("user_id"),
        bot_id=reply.get("bot_id"),
        bot_token=token,
    )


async def _store(settings: Settings, team: TeamId, stack: AsyncExitStack) -> SqlStore:
    database = settings.database_url.get_secret_value()
    try:
        app_id = settings.realtimekit_app_id
        store = SqlStore(database, team_id=team, app_id=app_id, timeout=STORE_TIMEOUT)
        stack.push_async_callback(store.close)
        await store.start()
    except (StoreUnavailable, ValueError) as error:
        raise StartupError(f"DATABASE_URL: {error}") from error
    return store


async def _rooms(settings: Settings, stack: AsyncExitStack) -> CachedGateway:
    http = await stack.enter_async_context(http_client(f"{settings.cloudflare_base_url}"))
    account = App(
        settings.cloudflare_account_id, settings.realtimekit_app_id, settings.cloudflare_api_token
    )
    gateway = CachedGateway(RealtimeKit(http, account))
    stack.push_async_callback(gateway.aclose)
    return gateway


@asynccontextmanager
async def _kept(reconciler: Reconciler) -> AsyncIterator[None]:
    """Let the keeper look after what is overdue; it takes up nothing more once this is left."""
    task = asyncio.create_task(reconciler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _house(
    settings: Settings,
    policy: Policy,
    client: AsyncWebClient,
    posting: AsyncWebClient,
    *,
    team: TeamId,
    store: SqlStore,
    gateway: CachedGateway,
    tasks: Tasks,
    clock: Clock,
) -> tuple[Reconciler, Listeners]:
    named = frozenset[UserId]().union(*(grant.users for grant in policy.grants))
    directory = SlackDirectory(client, clock, team=team, groups=policy.groups, named=named)
    windows = Windows(client, clock)
    origins = Origins(client, clock)
    notifier = SlackNotices(
        posting, windows, origins, approvals=policy.approvals_channel, ping=policy.ping
    )
    outbox = Outbox(store=store, notifier=notifier, clock=clock)
    review_service = ReviewService(
        policy=policy, gateway=gateway, directory=directory, store=store, clock=clock
    )
    kick_service = KickService(
        identity=InstanceIdentity(team, settings.realtimekit_app_id, uuid4().hex),
        policy=policy,
        gateway=gateway,
        directory=directory,
        store=store,
        notifier=notifier,
        outbox=outbox,
        clock=clock,
        spawn=tasks.spawn,
    )
    approval_service = ApprovalService(
        policy=policy,
        gateway=gateway,
        directory=directory,
        store=store,
        kick_service=kick_service,
        clock=clock,
    )
    screens = Screens(
        command=settings.command,
        review_service=review_service,
        kick_service=kick_service,
        windows=windows,
        origins=origins,
        clock=clock,
    )
    decisions = Decisions(
        approval_service=approval_service,
        kick_service=kick_service,
        notifier=notifier,
        outbox=outbox,
        windows=windows,
        origins=origins,
        clock=clock,
    )
    listeners = Listeners(
        team=team,
        command=settings.command,
        review_service=review_service,
        kick_service=kick_service,
        screens=screens,
        decisions=decisions,
        notifier=notifier,
        clock=clock,
        spawn=tasks.spawn,
    )
    reconciler = Reconciler(
        store=store,
        kick_service=kick_service,
        outbox=outbox,
        notifier=notifier,
        clock=clock,
        spawn=tasks.spawn,
    )
    return reconciler, listeners


def _bolt(settings: Settings, client: AsyncWebClient, authorized: AuthorizeResult) -> AsyncApp:
    async def authorize() -> AuthorizeResult:
        # Asked once, at start: a call per request would stand before every ack.
        return authorized

    logging.getLogger("slack_bolt.AsyncApp").addFilter(_is_news)
    secret = settings.slack_signing_secret
    return AsyncApp(
        name="kickbot",
        # Without the token, which authorize gives it: with both, Bolt warns that it ignores one.
        client=AsyncWebClient(base_url=client.base_url, session=client.session),
        authorize=authorize,
        signing_secret=secret.get_secret_value() if secret else "",
        # Bolt's default looks for the ack every 10 ms; this answers when the listener returns.
        process_before_response=True,
    )


def _is_news(record: logging.LogRecord) -> bool:
    # Bolt finds SLACK_BOT_TOKEN in the environment by itself, and warns that it makes no use of it.
    return "`token` will be unused" not in str(record.msg)


async def _socket(
    settings: Settings, app: AsyncApp, client: AsyncWebClient, stack: AsyncExitStack
) -> AsyncSocketModeHandler | None:
    """Make the socket's client, over the session there is; it is closed after the drain."""
    if settings.slack_app_token is None or client.session is None:
        return None
    token = settings.slack_app_token.get_secret_value()
    handler = AsyncSocketModeHandler(app, token, web_client=client)
    await handler.client.aiohttp_client_session.close()
    handler.client.aiohttp_client_session = client.session
    stack.push_async_callback(handler.client.close)
    return handler


async def _connect(handler: AsyncSocketModeHandler) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            # connect() would try for ever, also with a token that Slack refuses.
            handler.client.wss_uri = await handler.client.issue_new_wss_url()
            await handler.client.connect()
    except SlackApiError as error:
        raise StartupError(f"Slack refuses SLACK_APP_TOKEN ({error.response['error']}).") from error
    except (aiohttp.ClientError, OSError) as error:
        raise StartupError(
            f"Slack's Socket Mode can't be reached ({type(error).__name__})."
        ) from error


async def _hang_up(handler: AsyncSocketModeHandler) -> None:
    handler.client.auto_reconnect_enabled = False
    await handler.client.disconnect()


class _Health:
    """How the bot is, as /healthz tells it: empty if well, else what is wrong."""

    def __init__(self, store: SqlStore, socket: AsyncSocketModeHandler | None) -> None:
        self._store = store
        self._socket = socket

    async def __call__(self) -> str:
        if self._socket and not await self._socket.client.is_connected():
            return "no connection to Slack"
        try:
            await self._store.check()
        except StoreUnavailable as error:
            return f"database: {error}"
        return ""


async def _serve(settings: Settings, app: AsyncApp, health: _Health, stack: AsyncExitStack) -> int:
    async def healthz(_: web.Request) -> web.Response:
        wrong = await health()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    site = app.web_app("/slack/events") if settings.slack_app_token is None else web.Application()
    site.router.add_get("/healthz", healthz)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        # Platforms route to every interface; one address family, so that port 0 is one port.
        await web.TCPSite(runner, "0.0.0.0", settings.port).start()  # noqa: S104 - as said above
    except OSError as error:
        raise StartupError(f"PORT {settings.port}: {error.strerror}") from error
    return int(runner.addresses[0][1])


async def run(settings: Settings, policy: Policy) -> int:
    """Run the bot until SIGTERM or Ctrl-C; return the exit code. Raises StartupError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for words in warnings(policy):
        logger.warning("policy: %s", words)
    async with running(settings, policy) as bot:
        how = "Socket Mode" if settings.slack_app_token else "HTTP at /slack/events"
        logger.info("kickbot is up: %s, port %s", how, bot.port)
        code = await _watch(bot, stop)
        logger.info("stopping: no more work is taken, calls that were sent are waited for")
    return code


async def _watch(bot: Bot, stop: asyncio.Event) -> int:
    silent = 0
    while silent < MAX_FAILED_CHECKS:
        try:
            async with asyncio.timeout(SOCKET_CHECK_INTERVAL):
                await stop.wait()
        except TimeoutError:
            silent = silent + 1 if await bot.health() == "no connection to Slack" else 0
        else:
            return 0
    logger.critical(
        "no connection to Slack for %.0f s: giving up", MAX_FAILED_CHECKS * SOCKET_CHECK_INTERVAL
    )
    return 1
