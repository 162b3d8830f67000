"""The composition root: builds the bot in layers, runs it, and waits for open work at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
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
from bot.realtimekit import App, CachedGateway, RealtimeKit, http_client
from bot.slack.api import (
    ResponseUrls,
    SlackCallError,
    http_session,
    post_form,
    required,
    web_client,
)
from bot.slack.directory import SlackDirectory
from bot.slack.handlers.approval import ApprovalHandlers
from bot.slack.handlers.kick import KickHandlers
from bot.slack.handlers.result import ResultHandlers
from bot.slack.listeners import Listeners
from bot.slack.modals import KickModals, Modals
from bot.slack.notifier import SlackNotifier
from bot.store import SqlStore
from bot.tasks import SystemClock, Tasks
from bot.transports import Health, StartupError, bolt_app, connected, serve, socket_mode

STORE_TIMEOUT = 2.0  # seconds; a submit is stored before its ack, for which Slack waits 3 s
DRAIN_TIMEOUT = 20.0  # seconds to wait for calls that were sent


@dataclass(frozen=True, slots=True)
class Bot:
    """The running bot: its port, and its health check."""

    port: int
    health: Health


@asynccontextmanager
async def running(
    settings: Settings, policy: Policy, *, clock: Clock | None = None
) -> AsyncIterator[Bot]:
    """Run the bot within the context. Raises StartupError.

    At the end, take no more work and wait up to DRAIN_TIMEOUT for calls that were sent.
    """
    async with AsyncExitStack() as stack:
        resources = await _open_resources(settings, clock or SystemClock(), stack)
        slack = _build_slack(resources, policy)
        services = _build_services(resources, slack, policy, settings.realtimekit_app_id)
        app = bolt_app(settings, resources.client, resources.authorized)
        _register(app, settings.command, resources, slack, services)
        socket = await socket_mode(settings.slack_app_token, app, resources.client, stack)
        # After the drain: the last refusals are stored.
        stack.push_async_callback(services.kick.flush_refusals)
        # Entered before the transports, so left after them: no new work comes during the drain.
        stack.push_async_callback(resources.tasks.drain, DRAIN_TIMEOUT)
        await stack.enter_async_context(_reconciling(services.reconciler))
        if socket:
            await stack.enter_async_context(connected(socket))
        health = Health(resources.store, socket)
        port = await serve(None if socket else app, settings.port, health, stack)
        yield Bot(port, health)


# The first layer: what the bot talks to


@dataclass(frozen=True, slots=True)
class _Resources:
    """Connections, time and tasks. `posting` fails at once when Slack limits the rate."""

    client: AsyncWebClient
    posting: AsyncWebClient
    authorized: AuthorizeResult
    team: TeamId
    store: SqlStore
    gateway: CachedGateway
    clock: Clock
    tasks: Tasks


async def _open_resources(settings: Settings, clock: Clock, stack: AsyncExitStack) -> _Resources:
    session = await stack.enter_async_context(http_session())
    token = settings.slack_bot_token.get_secret_value()
    client = web_client(token, settings.slack_api, session)
    authorized = await _authorize(client, token)
    team = TeamId(authorized.team_id or "")
    return _Resources(
        client=client,
        posting=web_client(token, settings.slack_api, session, retries=False),
        authorized=authorized,
        team=team,
        store=await _open_store(settings, team, stack),
        gateway=await _open_gateway(settings, stack),
        clock=clock,
        tasks=Tasks(),
    )


async def _authorize(client: AsyncWebClient, token: str) -> AuthorizeResult:
    try:
        reply = await post_form(client, "auth.test")
        team = required(reply, "auth.test", "team_id", str)
    except SlackCallError as error:
        raise StartupError(
            f"Slack can't be reached or refuses SLACK_BOT_TOKEN ({error}): see `kickbot check`."
        ) from error
    return AuthorizeResult(
        enterprise_id=reply.get("enterprise_id"),
        team_id=team,
        bot_user_id=reply.get("user_id"),
        bot_id=reply.get("bot_id"),
        bot_token=token,
    )


async def _open_store(settings: Settings, team: TeamId, stack: AsyncExitStack) -> SqlStore:
    url, app_id = settings.database_url.get_secret_value(), settings.realtimekit_app_id
    try:
        store = SqlStore(url, team_id=team, app_id=app_id, timeout=STORE_TIMEOUT)
        stack.push_async_callback(store.close)
        await store.start()
    except (StoreUnavailable, ValueError) as error:
        raise StartupError(f"DATABASE_URL: {error}") from error
    return store


async def _open_gateway(settings: Settings, stack: AsyncExitStack) -> CachedGateway:
    http = await stack.enter_async_context(http_client(f"{settings.cloudflare_base_url}"))
    account = App(
        settings.cloudflare_account_id, settings.realtimekit_app_id, settings.cloudflare_api_token
    )
    gateway = CachedGateway(RealtimeKit(http, account))
    stack.push_async_callback(gateway.aclose)
    return gateway


# The second layer: Slack, as the services see it


@dataclass(frozen=True, slots=True)
class _Slack:
    directory: SlackDirectory
    modals: Modals
    kick_modals: KickModals
    notifier: SlackNotifier


def _build_slack(resources: _Resources, policy: Policy) -> _Slack:
    client, clock = resources.client, resources.clock
    users = frozenset[UserId]().union(*(grant.users for grant in policy.grants))
    responses = ResponseUrls(client, clock)
    modals = Modals(client, responses, clock)
    kick_modals = KickModals(modals)
    return _Slack(
        directory=SlackDirectory(
            client, clock, team=resources.team, groups=policy.groups, named=users
        ),
        modals=modals,
        kick_modals=kick_modals,
        notifier=SlackNotifier(
            resources.posting,
            kick_modals,
            responses,
            approvals_channel=policy.approvals_channel,
            ping=policy.ping,
        ),
    )


# The third layer: the services


@dataclass(frozen=True, slots=True)
class _Services:
    outbox: Outbox
    review: ReviewService
    kick: KickService
    approval: ApprovalService
    reconciler: Reconciler


def _build_services(resources: _Resources, slack: _Slack, policy: Policy, app_id: str) -> _Services:
    store, gateway, clock = resources.store, resources.gateway, resources.clock
    directory, notifier, spawn = slack.directory, slack.notifier, resources.tasks.spawn
    outbox = Outbox(store=store, notifier=notifier, clock=clock)
    kick = KickService(
        identity=InstanceIdentity(resources.team, app_id, uuid4().hex),
        policy=policy,
        gateway=gateway,
        directory=directory,
        store=store,
        notifier=notifier,
        outbox=outbox,
        clock=clock,
        spawn=spawn,
    )
    approval = ApprovalService(
        policy=policy,
        gateway=gateway,
        directory=directory,
        store=store,
        kick_service=kick,
        clock=clock,
    )
    return _Services(
        outbox=outbox,
        review=ReviewService(
            policy=policy, gateway=gateway, directory=directory, store=store, clock=clock
        ),
        kick=kick,
        approval=approval,
        reconciler=Reconciler(
            store=store,
            kick_service=kick,
            outbox=outbox,
            notifier=notifier,
            clock=clock,
            spawn=spawn,
        ),
    )


# The fourth layer: the listeners


def _register(
    app: AsyncApp, command: str, resources: _Resources, slack: _Slack, services: _Services
) -> None:
    spawn, clock = resources.tasks.spawn, resources.clock
    kick = KickHandlers(
        team=resources.team,
        command_name=command,
        review_service=services.review,
        kick_service=services.kick,
        modals=slack.modals,
        kick_modals=slack.kick_modals,
        clock=clock,
        spawn=spawn,
    )
    approvals = ApprovalHandlers(
        approval_service=services.approval,
        outbox=services.outbox,
        client=resources.posting,
        modals=slack.modals,
        kick_modals=slack.kick_modals,
        clock=clock,
        spawn=spawn,
    )
    results = ResultHandlers(kick_service=services.kick, modals=slack.modals, spawn=spawn)
    listeners = Listeners(
        team=resources.team,
        kick_service=services.kick,
        modals=slack.modals,
        spawn=spawn,
        tasks=resources.tasks.count,
    )
    listeners.register(app, command, kick, approvals, results)


@asynccontextmanager
async def _reconciling(reconciler: Reconciler) -> AsyncIterator[None]:
    """Run the reconciler within the context."""
    task = asyncio.create_task(reconciler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
