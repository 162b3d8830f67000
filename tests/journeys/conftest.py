"""Journeys: the whole bot over loopback, in both transports, against the stand-ins."""

import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app import Bot, running
from bot.config import read_settings
from bot.core.policy import Policy
from bot.core.ports import Clock
from bot.policy_file import parse_policy
from tests.clocks import HastyClock
from tests.machine import ACKS_WITHIN
from tests.sandbox.sandbox import EXAMPLE_POLICY, Sandbox, open_sandbox
from tests.sandbox.slack import Person

Start = Callable[..., AbstractAsyncContextManager[Bot]]


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(ack_timeout=ACKS_WITHIN) as opened:
        yield opened
        assert opened.slack.problems == []
        assert opened.realtimekit.problems == []


def example_policy(**rules: Any) -> Policy:
    """Return the example policy with changed rules. Without `second_person`, it is "never"."""
    given: dict[str, Any] = tomllib.loads(EXAMPLE_POLICY.read_text())
    given["rules"] |= {"second_person": "never"} | rules
    return parse_policy(given, EXAMPLE_POLICY)


@pytest.fixture
def start(sandbox: Sandbox, transport: str, sqlite_url: str) -> Start:
    """Return a function that starts the bot, with changed rules of the policy and settings.

    Moderators need no approval, unless a journey passes the rule `second_person`. Helpers always
    need one.
    """

    @asynccontextmanager
    async def started(
        rules: Mapping[str, Any] | None = None, *, clock: Clock | None = None, **settings: str
    ) -> AsyncIterator[Bot]:
        http = transport == "http"
        environment = sandbox.settings(http=http, database_url=sqlite_url) | settings
        policy = example_policy(**rules or {})
        if clock:
            # The bot compares the clock of RealtimeKit with its own.
            sandbox.demo.world.clock = clock.now
        async with running(read_settings(environment), policy, clock=clock) as bot:
            if http:
                http_mode = sandbox.slack.deliver_to(f"http://127.0.0.1:{bot.port}/slack/events")
                if clock:
                    # The time passes for Slack, too.
                    http_mode.now = lambda: clock.now().timestamp()
            yield bot

    return started


@pytest.fixture
def maya(sandbox: Sandbox) -> Person:
    return sandbox.slack.person("U0MAYA")


@pytest.fixture
def mo(sandbox: Sandbox) -> Person:
    return sandbox.slack.person("U0MO")


@pytest.fixture
def lea(sandbox: Sandbox) -> Person:
    return sandbox.slack.person("U0LEA")


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
async def hasty(start: Start, clock: HastyClock) -> AsyncIterator[HastyClock]:
    """Run the bot on `clock`."""
    async with start(clock=clock):
        yield clock


@pytest.fixture
async def bot(start: Start) -> AsyncIterator[Bot]:
    async with start() as running_bot:
        yield running_bot


def database_of(sqlite_url: str) -> Path:
    """Return the file of an SQLite database."""
    return Path(sqlite_url.removeprefix("sqlite:///"))
