"""`kickbot check`: what an operator can find out before anybody types the command."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from bot.config import BadSettings, Settings
from bot.core.policy import Policy
from bot.core.ports import Refused, RoomsError, StoreDown
from bot.policy_file import BadPolicy, read_policy, warnings
from bot.realtimekit import App, RealtimeKit, http_client
from bot.slack.api import SCOPES, UNREACHABLE, SlackFailed, http_session, scopes, web_client
from bot.store import SqlStore


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, and what is wrong with the next step, or nothing.

    With `note` it is nothing wrong, but for somebody to think of.
    """

    about: str
    detail: str
    wrong: bool = False
    note: bool = False

    def __str__(self) -> str:
        mark = "WRONG" if self.wrong else "note" if self.note else "ok"
        return f"{mark:5}  {self.about}: {self.detail}"


async def check(read: Callable[[], Settings]) -> AsyncIterator[Finding]:
    """Look at settings, policy, database, Slack and Cloudflare: one call each, nothing changed."""
    try:
        settings = read()
    except BadSettings as error:
        for fault in error.faults:
            yield Finding("settings", fault, wrong=True)
        return
    mode = "Socket Mode" if settings.slack_app_token else "HTTP mode"
    yield Finding("settings", f"complete, {mode}")
    for finding in _policy(settings):
        yield finding
    yield await _database(settings)
    yield await _slack(settings)
    yield await _cloudflare(settings)


def _policy(settings: Settings) -> list[Finding]:
    try:
        policy = read_policy(settings.policy_file)
    except BadPolicy as error:
        return [
            Finding("policy", f"{settings.policy_file}: {fault}", wrong=True)
            for fault in error.faults
        ]
    return [Finding("policy", _described(policy)), *_notes(policy)]


def _notes(policy: Policy) -> Iterator[Finding]:
    for warning in warnings(policy):
        yield Finding("policy", warning, note=True)
    if policy.approvals_channel:
        # Reading it would take a scope more, for every channel there is.
        step = f"invite the bot to {policy.approvals_channel}; whether it is there can't be read"
        yield Finding("policy", f"approvals_channel: {step}", note=True)


def _described(policy: Policy) -> str:
    users = len(frozenset[str]().union(*(grant.users for grant in policy.grants)))
    return f"grants: {len(policy.grants)}, to users: {users}, to groups: {len(policy.groups)}"


async def _database(settings: Settings) -> Finding:
    try:
        store = SqlStore(settings.database_url.get_secret_value())
    except ValueError as error:
        return Finding("database", f"DATABASE_URL: {error}", wrong=True)
    try:
        version = await store.check()
    except StoreDown as error:
        return Finding("database", f"{error}. Is DATABASE_URL right?", wrong=True)
    finally:
        await store.close()
    return Finding("database", f"reached, tables at version {version}")


async def _slack(settings: Settings) -> Finding:
    async with http_session() as session:
        client = web_client(
            settings.slack_bot_token.get_secret_value(), settings.slack_api, session
        )
        try:
            team, granted = await scopes(client)
        except SlackFailed as error:
            away = error.maybe or error.code == UNREACHABLE
            step = "try again" if away else "install the app again and copy the bot token"
            return Finding("slack", f"{error}: {step}", wrong=True)
    if missing := SCOPES - granted:
        step = "add them under OAuth & Permissions, then install the app again"
        return Finding("slack", f"missing scopes {', '.join(sorted(missing))}: {step}", wrong=True)
    return Finding("slack", f"workspace {team}, scopes complete")


async def _cloudflare(settings: Settings) -> Finding:
    account = App(
        settings.cloudflare_account_id, settings.realtimekit_app_id, settings.cloudflare_api_token
    )
    async with http_client(f"{settings.cloudflare_base_url}") as http:
        try:
            live = await RealtimeKit(http, account).live_sessions()
        except Refused as error:
            step = "CLOUDFLARE_API_TOKEN needs the permission Realtime, for this account and app"
            return Finding("cloudflare", f"{error}: {step}", wrong=True)
        except RoomsError as error:
            step = "try again, and look at CLOUDFLARE_BASE_URL and REALTIMEKIT_APP_ID"
            return Finding("cloudflare", f"{error}: {step}", wrong=True)
    return Finding("cloudflare", f"reached, live sessions listed: {len(live)}")
