"""The composition root: builds the bot in layers, runs it, and waits for open work at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from slack_bolt.async_app import AsyncApp

from bot.check import warn_about_presets
from bot.config import Settings
from bot.core.approval_service import ApprovalService
from bot.core.kick import UserId
from bot.core.kick_service import InstanceIdentity, KickService
from bot.core.outbox import Outbox
from bot.core.policy import Policy
from bot.core.ports import Clock
from bot.core.reconciler import Reconciler
from bot.core.review_service import ReviewService
from bot.health import Health, watched
from bot.http_server import serve, slack_requests
from bot.resources import Resources, open_resources
from bot.slack.api import ResponseUrls
from bot.slack.directory import SlackDirectory
from bot.slack.handlers.approval import ApprovalHandlers
from bot.slack.handlers.kick import KickHandlers
from bot.slack.handlers.result import ResultHandlers
from bot.slack.listeners import Listeners
from bot.slack.modals import KickModals, Modals
from bot.slack.notifier import SlackNotifier
from bot.socket_mode import connected, socket_client
from bot.transports import bolt_app

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
        resources = await open_resources(settings, clock, stack)
        slack = _build_slack(resources, policy)
        services = _build_services(resources, slack, policy, settings.realtimekit_app_id)
        app = bolt_app(resources.client, resources.authorized)
        _register(app, settings.command, resources, slack, services)
        socket = await socket_client(settings.slack_app_token, app, resources.client, stack)
        # After the drain: the last refusals are stored.
        stack.push_async_callback(services.kick.flush_refusals)
        # Entered before the transports, so left after them: no new work comes during the drain.
        stack.push_async_callback(resources.tasks.drain, DRAIN_TIMEOUT)
        await stack.enter_async_context(_reconciling(services.reconciler))
        if socket:
            await stack.enter_async_context(connected(socket))
        token = await stack.enter_async_context(watched(resources.client))
        health = Health(resources.store, socket, token)
        secret = None if socket else settings.slack_signing_secret
        requests = slack_requests(app, secret, resources.clock)
        port = await serve(settings.host, settings.port, health, requests, stack)
        resources.tasks.spawn(warn_about_presets(resources.realtimekit, policy))
        yield Bot(port, health)


# The second layer: Slack, as the services see it. The first one is in resources.py.


@dataclass(frozen=True, slots=True)
class _Slack:
    directory: SlackDirectory
    modals: Modals
    kick_modals: KickModals
    notifier: SlackNotifier


def _build_slack(resources: Resources, policy: Policy) -> _Slack:
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


def _build_services(resources: Resources, slack: _Slack, policy: Policy, app_id: str) -> _Services:
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
    app: AsyncApp, command: str, resources: Resources, slack: _Slack, services: _Services
) -> None:
    spawn, clock = resources.tasks.spawn, resources.clock
    kick = KickHandlers(
        team=resources.team,
        command_name=command,
        review_service=services.review,
        kick_service=services.kick,
        modals=slack.modals,
        kick_modals=slack.kick_modals,
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
        enterprise=resources.authorized.enterprise_id,
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
