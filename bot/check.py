"""`kickbot check`: finds mistakes in the installation before a moderator does."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from bot.config import Settings, SettingsError
from bot.core.policy import Policy
from bot.core.ports import GatewayError, Rejected, StoreUnavailable
from bot.policy_file import PolicyError, read_policy, warnings
from bot.realtimekit import App, RealtimeKit, http_client
from bot.slack.api import SCOPES, UNREACHABLE, SlackCallError, http_session, scopes, web_client
from bot.store import SqlStore


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the output: what was checked, and the result.

    If it is `wrong`, `detail` says what to do next. A `note` is not an error, but the operator
    should think about it.
    """

    about: str
    detail: str
    wrong: bool = False
    note: bool = False

    def __str__(self) -> str:
        mark = "WRONG" if self.wrong else "note" if self.note else "ok"
        return f"{mark:5}  {self.about}: {self.detail}"


async def check(read: Callable[[], Settings]) -> AsyncIterator[CheckResult]:
    """Yield the results for settings, policy, database, Slack and Cloudflare.

    `read` returns the settings. Each service gets one call, which changes nothing.
    """
    try:
        settings = read()
    except SettingsError as error:
        for problem in error.problems:
            yield CheckResult("settings", problem, wrong=True)
        return
    mode = "Socket Mode" if settings.slack_app_token else "HTTP mode"
    yield CheckResult("settings", f"complete, {mode}")
    for result in _policy(settings):
        yield result
    yield await _database(settings)
    yield await _slack(settings)
    yield await _cloudflare(settings)


def _policy(settings: Settings) -> list[CheckResult]:
    try:
        policy = read_policy(settings.policy_file)
    except PolicyError as error:
        return [
            CheckResult("policy", f"{settings.policy_file}: {problem}", wrong=True)
            for problem in error.problems
        ]
    return [CheckResult("policy", _summary(policy)), *_notes(policy)]


def _notes(policy: Policy) -> Iterator[CheckResult]:
    for warning in warnings(policy):
        yield CheckResult("policy", warning, note=True)
    if policy.approvals_channel:
        # Reading it would need one more scope, which is for all channels.
        step = f"invite the bot to {policy.approvals_channel}; whether it is there can't be read"
        yield CheckResult("policy", f"approvals_channel: {step}", note=True)


def _summary(policy: Policy) -> str:
    users = len(frozenset[str]().union(*(grant.users for grant in policy.grants)))
    return f"grants: {len(policy.grants)}, to users: {users}, to groups: {len(policy.groups)}"


async def _database(settings: Settings) -> CheckResult:
    try:
        store = SqlStore(settings.database_url.get_secret_value())
    except ValueError as error:
        return CheckResult("database", f"DATABASE_URL: {error}", wrong=True)
    try:
        version = await store.check()
    except StoreUnavailable as error:
        return CheckResult("database", f"{error}. Is DATABASE_URL right?", wrong=True)
    finally:
        await store.close()
    return CheckResult("database", f"reached, tables at version {version}")


async def _slack(settings: Settings) -> CheckResult:
    async with http_session() as session:
        client = web_client(
            settings.slack_bot_token.get_secret_value(), settings.slack_api, session
        )
        try:
            team, granted = await scopes(client)
        except SlackCallError as error:
            is_away = error.maybe_applied or error.code == UNREACHABLE
            step = "try again" if is_away else "install the app again and copy the bot token"
            return CheckResult("slack", f"{error}: {step}", wrong=True)
    if missing := SCOPES - granted:
        step = "add them under OAuth & Permissions, then install the app again"
        return CheckResult(
            "slack", f"missing scopes {', '.join(sorted(missing))}: {step}", wrong=True
        )
    return CheckResult("slack", f"workspace {team}, scopes complete")


async def _cloudflare(settings: Settings) -> CheckResult:
    account = App(
        settings.cloudflare_account_id, settings.realtimekit_app_id, settings.cloudflare_api_token
    )
    async with http_client(f"{settings.cloudflare_base_url}") as http:
        try:
            live = await RealtimeKit(http, account).live_sessions()
        except Rejected as error:
            step = "CLOUDFLARE_API_TOKEN needs the permission Realtime, for this account and app"
            return CheckResult("cloudflare", f"{error}: {step}", wrong=True)
        except GatewayError as error:
            step = "try again, and look at CLOUDFLARE_BASE_URL and REALTIMEKIT_APP_ID"
            return CheckResult("cloudflare", f"{error}: {step}", wrong=True)
    return CheckResult("cloudflare", f"reached, live sessions listed: {len(live)}")
