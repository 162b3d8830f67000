"""The app is removed from the workspace while the bot runs."""

import asyncio
import logging

import pytest

from bot import health
from bot.app import Bot
from bot.health import REFUSED
from bot.slack.api import APP_REMOVED
from tests.journeys.conftest import Start
from tests.journeys.steps import ONE_TRANSPORT, to_form
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TOKEN_CHECK_INTERVAL", 0.02)


async def becomes(bot: Bot, problem: str) -> None:
    while await bot.health() != problem:  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("code", ["account_inactive", "token_revoked", "invalid_auth"])
@ONE_TRANSPORT
async def test_a_removed_app_is_unhealthy_and_loud_until_it_works_again(
    sandbox: Sandbox, bot: Bot, maya: Person, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    sandbox.slack.faults.switch_on("refused", error=code)
    await becomes(bot, REFUSED)
    sandbox.slack.calls.clear()
    await sandbox.slack.until(lambda slack: len(slack.calls) > 3)
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert [code in one.getMessage() for one in errors] == [True]
    await maya.command("C0LIVE", "/kick")
    await maya.until(
        lambda sees: [one for one in sees.messages("C0LIVE") if APP_REMOVED in sees.read(one)]
    )
    assert not any("again" in maya.read(one) for one in maya.messages("C0LIVE"))
    sandbox.slack.faults.switch_off()
    await becomes(bot, "")
    await to_form(maya)


@ONE_TRANSPORT
async def test_a_review_after_the_removal_says_what_to_do(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    async with start():
        await maya.command("C0LIVE", "/kick")
        await maya.until(lambda sees: sees.modal.title == "Kick from a meeting")
        sandbox.slack.faults.switch_on("refused", error="account_inactive", method="users.info")
        mo = sandbox.slack.person("U0MO")
        await mo.command("C0LIVE", "/kick")
        await mo.until(lambda sees: APP_REMOVED in sees.modal)
        assert "Try again" not in mo.modal
