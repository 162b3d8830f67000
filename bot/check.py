"""`kickbot check`: finds mistakes in the installation before a moderator does."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from bot.clock import (
    DATABASE,
    OFF,
    REALTIMEKIT,
    SLACK,
    Differences,
    ahead_of,
    monotonic,
    off,
)
from bot.config import Settings, SettingsError
from bot.core.policy import Policy
from bot.core.ports import GatewayError, Rejected, StoreUnavailable
from bot.core.text import display
from bot.policy_file import PolicyError, notes, read_policy, unknown_presets, warnings
from bot.realtimekit import App, RealtimeKit, http_client
from bot.slack.api import (
    ORG_WIDE,
    SCOPES,
    UNREACHABLE,
    SlackCallError,
    auth_test,
    http_session,
    scopes,
    web_client,
)
from bot.store import SqlStore

DETAIL_LIMIT = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the output: what was checked, and the result.

    If the mark is WRONG, `detail` says what to do next. A note is not an error, but the operator
    should think about it.
    """

    about: str
    detail: str
    mark: Literal["ok", "note", "WRONG"] = "ok"

    def __str__(self) -> str:
        # Names and messages of services must not control the terminal.
        return f"{self.mark:5}  {self.about}: {display(self.detail, DETAIL_LIMIT)}"


async def check(read: Callable[[], Settings]) -> AsyncIterator[CheckResult]:
    """Yield the results for settings, policy, database, Slack, Cloudflare and the clock.

    `read` returns the settings. Each service gets one call, which changes nothing. If the policy
    protects presets, Cloudflare gets a second one.
    """
    try:
        settings = read()
    except SettingsError as error:
        for problem in error.problems:
            yield CheckResult("settings", problem, "WRONG")
        return
    mode = "Socket Mode" if settings.slack_app_token else "HTTP mode"
    yield CheckResult("settings", f"complete, {mode}")
    for warning in settings.warnings:
        yield CheckResult("settings", warning, "note")
    policy = None
    try:
        policy = read_policy(settings.policy_file)
    except PolicyError as error:
        for problem in error.problems:
            yield CheckResult("policy", f"{settings.policy_file}: {problem}", "WRONG")
    for result in _policy(policy) if policy else ():
        yield result
    clocks = _Clocks()
    yield await _database(settings, clocks)
    yield await _slack(settings, clocks)
    for result in await _cloudflare(settings, policy, clocks):
        yield result
    if clocks.ahead:
        yield clocks.result()


class _Clocks(Differences):
    """Remembers how far this machine's clock is ahead of each other clock."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: dict[str, timedelta] = {}

    def report(self, whose: str, ahead: timedelta) -> None:
        self.ahead[whose] = ahead

    def result(self) -> CheckResult:
        """Return the line about the clock. The bot works with a wrong one, so it is a note."""
        wrong = [off(whose, ahead) for whose, ahead in self.ahead.items() if abs(ahead) > OFF]
        if wrong:
            step = "set this machine's clock, or the other one"
            return CheckResult("clock", f"{', '.join(wrong)}: {step}", "note")
        return CheckResult("clock", f"agrees with {', '.join(self.ahead)}")


def _policy(policy: Policy) -> Iterator[CheckResult]:
    users = frozenset[str]().union(*(grant.users for grant in policy.grants))
    counts = f"to users: {len(users)}, to groups: {len(policy.groups)}"
    yield CheckResult("policy", f"grants: {len(policy.grants)}, {counts}")
    for warning in [*warnings(policy), *notes(policy)]:
        yield CheckResult("policy", warning, "note")
    if policy.approvals_channel:
        # Reading it would need one more scope, which is for all channels.
        step = f"invite the bot to {policy.approvals_channel}; whether it is there can't be read"
        yield CheckResult("policy", f"approvals_channel: {step}", "note")


async def _database(settings: Settings, clocks: _Clocks) -> CheckResult:
    try:
        store = SqlStore(settings.database_url.get_secret_value())
    except ValueError as error:
        return CheckResult("database", f"DATABASE_URL: {error}", "WRONG")
    try:
        version = await store.check()
        asked_at = monotonic()
        now = await store.time()
        clocks.report(DATABASE, ahead_of(now, monotonic() - asked_at, precision=0.001))
    except StoreUnavailable as error:
        return CheckResult("database", f"{error}. Is DATABASE_URL right?", "WRONG")
    finally:
        await store.close()
    return CheckResult("database", f"reached, tables at version {version}")


async def _slack(settings: Settings, clocks: _Clocks) -> CheckResult:
    async with http_session() as session:
        client = web_client(
            settings.slack_bot_token.get_secret_value(), settings.slack_api, session
        )
        try:
            asked_at = monotonic()
            reply = await auth_test(client)
        except SlackCallError as error:
            if error.code == ORG_WIDE:
                return CheckResult("slack", error.code, "WRONG")
            is_away = error.maybe_applied or error.code == UNREACHABLE
            step = "try again" if is_away else "install the app again and copy the bot token"
            return CheckResult("slack", f"{error}: {step}", "WRONG")
        clocks.report_date(SLACK, reply.headers, asked_at)
    if missing := SCOPES - scopes(reply):
        step = "add them under OAuth & Permissions, then install the app again"
        return CheckResult("slack", f"missing scopes {', '.join(sorted(missing))}: {step}", "WRONG")
    return CheckResult("slack", f"workspace {reply['team']}, scopes complete")


async def _cloudflare(
    settings: Settings, policy: Policy | None, clocks: _Clocks
) -> list[CheckResult]:
    account = App(
        settings.cloudflare_account_id, settings.realtimekit_app_id, settings.cloudflare_api_token
    )
    async with http_client(f"{settings.cloudflare_base_url}") as http:
        clocks.compare(http, REALTIMEKIT)
        realtimekit = RealtimeKit(http, account)
        try:
            live = await realtimekit.live_sessions()
        except Rejected as error:
            step = "CLOUDFLARE_API_TOKEN needs the permission Realtime, for this account and app"
            return [CheckResult("cloudflare", f"{error}: {step}", "WRONG")]
        except GatewayError as error:
            step = "try again, and look at CLOUDFLARE_BASE_URL and REALTIMEKIT_APP_ID"
            return [CheckResult("cloudflare", f"{error}: {step}", "WRONG")]
        reached = CheckResult("cloudflare", f"reached, live sessions listed: {len(live)}")
        if policy is None or not policy.rules.protected.presets:
            return [reached]
        return [reached, *await _presets(realtimekit, policy)]


async def _presets(realtimekit: RealtimeKit, policy: Policy) -> list[CheckResult]:
    try:
        presets = await realtimekit.presets()
    except GatewayError as error:
        detail = f"{error}: whether the app has the protected presets can't be told"
        return [CheckResult("presets", detail, "note")]
    if problems := unknown_presets(policy, presets):
        return [CheckResult("presets", problem, "WRONG") for problem in problems]
    return [CheckResult("presets", "the app has all that the policy protects")]


async def warn_about_presets(realtimekit: RealtimeKit, policy: Policy) -> None:
    """Log what `check` says about the presets that the policy protects, unless all is well."""
    if policy.rules.protected.presets:
        for result in await _presets(realtimekit, policy):
            if result.mark != "ok":
                logger.warning("%s: %s", result.about, result.detail)
