"""The socket to Slack is renewed, however long that takes. Meanwhile, the bot is unhealthy."""

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bot import socket_mode
from bot.app import Bot
from bot.health import NOT_CONNECTED
from tests.journeys.conftest import Start
from tests.journeys.steps import kick_calls, result, to_form, to_review
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = pytest.mark.parametrize("transport", ["socket"], indirect=True)

OPEN = "apps.connections.open"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_mode, "PAUSES", (0.02, 0.05))


def asked(sandbox: Sandbox) -> int:
    return [call.method for call in sandbox.slack.calls].count(OPEN)


async def renewed(sandbox: Sandbox, bot: Bot) -> None:
    await sandbox.slack.until(lambda slack: slack.sockets.open)
    while await bot.health():  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("refused", {"error": "internal_error"}),
        ("refused", {"error": "invalid_auth"}),
        ("refused", {"error": "ratelimited"}),
        ("rate_limited", {"retry_after": 86_400}),
        ("server_error", {}),
        ("broken_before", {}),
        ("broken_after", {}),
    ],
    ids=["internal", "auth", "limited", "a-day", "500", "broken-before", "broken-after"],
)
@pytest.mark.parametrize("times", [1, None], ids=["once", "long"])
async def test_a_socket_that_cannot_be_renewed_is_tried_until_it_can(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox,
    bot: Bot,
    maya: Person,
    log: io.StringIO,
    fault: str,
    how: dict[str, Any],
    times: int | None,
) -> None:
    sandbox.slack.sockets.closes_after = 0.05
    sandbox.slack.faults.switch_on(fault, method=OPEN, times=times, **how)
    sandbox.slack.calls.clear()
    await sandbox.slack.sockets.refresh()
    await sandbox.slack.until(lambda _: asked(sandbox) >= (times or 4))
    if times is None:
        assert await bot.health() == NOT_CONNECTED
        sandbox.slack.faults.switch_off()
    await renewed(sandbox, bot)
    await to_form(maya)
    assert "the socket to Slack could not be renewed: " in log.getvalue()
    assert "Traceback" not in log.getvalue()


async def test_a_url_that_opens_no_socket_is_not_tried_again(
    sandbox: Sandbox, bot: Bot, maya: Person, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = sandbox.slack.sockets._tickets
    new_path = type(sandbox.slack.sockets).new_path

    def used(sockets: Any) -> str:
        path = new_path(sockets)
        tickets.clear()
        return path

    monkeypatch.setattr(type(sandbox.slack.sockets), "new_path", used)
    sandbox.slack.calls.clear()
    await sandbox.slack.sockets.refresh()
    await sandbox.slack.until(lambda _: asked(sandbox) >= 3)
    assert await bot.health() == NOT_CONNECTED
    monkeypatch.undo()
    await renewed(sandbox, bot)
    await to_form(maya)
    assert "ticket=" not in log.getvalue()


@pytest.mark.parametrize("closes_after", [0.0, 0.2])
async def test_no_submit_is_lost_around_a_renewal(
    sandbox: Sandbox, start: Start, maya: Person, closes_after: float
) -> None:
    sandbox.slack.sockets.closes_after = closes_after
    async with start():
        await to_review(maya)
        sandbox.slack.faults.switch_on("socket_refresh", times=1)
        await maya.submit()
        assert "✓ kicked" in maya.read(await result(maya))
    assert len(kick_calls(sandbox)) == 1


async def test_stopping_while_the_socket_is_renewed_ends_at_once(
    sandbox: Sandbox, start: Start
) -> None:
    async with start():
        sandbox.slack.faults.switch_on("server_error", method=OPEN)
        sandbox.slack.calls.clear()
        await sandbox.slack.sockets.refresh()
        await sandbox.slack.until(lambda _: asked(sandbox) >= 2)
