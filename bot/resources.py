"""The first layer of the bot: what it talks to."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import REALTIMEKIT, SLACK, Differences, StoreClock, monotonic
from bot.config import Settings
from bot.core.kick import TeamId
from bot.core.ports import Clock, StoreUnavailable
from bot.realtimekit import App, CachedGateway, RealtimeKit, http_client
from bot.slack.api import (
    ORG_WIDE,
    SlackCallError,
    auth_test,
    http_session,
    web_client,
)
from bot.store import SqlStore
from bot.tasks import Tasks
from bot.transports import StartupError

STORE_TIMEOUT = 2.0  # seconds; a submit is stored before its ack, for which Slack waits 3 s


@dataclass(frozen=True, slots=True)
class Resources:
    """Connections, time and tasks. `posting` fails at once when Slack limits the rate."""

    client: AsyncWebClient
    posting: AsyncWebClient
    authorized: AuthorizeResult
    team: TeamId
    store: SqlStore
    realtimekit: RealtimeKit
    gateway: CachedGateway
    clock: Clock
    tasks: Tasks


async def open_resources(
    settings: Settings, clock: Clock | None, stack: AsyncExitStack
) -> Resources:
    """Open all of them, until the stack ends. Raises StartupError."""
    session = await stack.enter_async_context(http_session())
    token = settings.slack_bot_token.get_secret_value()
    client = web_client(token, settings.slack_api, session)
    differences = Differences()
    authorized, http = await asyncio.gather(
        _authorize(client, token, differences),
        # It reads all certificates that this machine trusts, which takes 20 ms.
        asyncio.to_thread(http_client, f"{settings.cloudflare_base_url}"),
    )
    await stack.enter_async_context(http)
    team = TeamId(authorized.team_id or "")
    store = await _open_store(settings, team, stack)
    clock = clock or await _store_clock(store, differences)
    realtimekit = _realtimekit(settings, http, clock, differences)
    return Resources(
        client=client,
        posting=web_client(token, settings.slack_api, session, retries=False),
        authorized=authorized,
        team=team,
        store=store,
        realtimekit=realtimekit,
        gateway=_open_gateway(realtimekit, stack),
        clock=clock,
        tasks=Tasks(),
    )


async def _authorize(
    client: AsyncWebClient, token: str, differences: Differences
) -> AuthorizeResult:
    asked_at = monotonic()
    try:
        reply = await auth_test(client)
    except SlackCallError as error:
        if error.code == ORG_WIDE:
            raise StartupError(f"SLACK_BOT_TOKEN: {ORG_WIDE}.") from error
        raise StartupError(
            f"Slack can't be reached or refuses SLACK_BOT_TOKEN ({error}): see `kickbot check`."
        ) from error
    differences.report_date(SLACK, reply.headers, asked_at)
    return AuthorizeResult(
        enterprise_id=reply.get("enterprise_id"),
        team_id=reply["team_id"],
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


async def _store_clock(store: SqlStore, differences: Differences) -> StoreClock:
    try:
        return await StoreClock.started(store.time, differences)
    except StoreUnavailable as error:
        raise StartupError(f"DATABASE_URL: {error}") from error


def _realtimekit(
    settings: Settings, http: httpx.AsyncClient, clock: Clock, differences: Differences
) -> RealtimeKit:
    differences.compare(http, REALTIMEKIT)
    account = App(
        settings.cloudflare_account_id, settings.realtimekit_app_id, settings.cloudflare_api_token
    )
    return RealtimeKit(http, account, now=clock.now)


def _open_gateway(realtimekit: RealtimeKit, stack: AsyncExitStack) -> CachedGateway:
    gateway = CachedGateway(realtimekit)
    stack.push_async_callback(gateway.aclose)
    return gateway
