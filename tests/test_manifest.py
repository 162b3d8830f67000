"""The manifest: valid, and asking for no more than the bot needs."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.app import running
from bot.config import read_settings
from bot.policy_file import read_policy
from bot.slack.api import SCOPES
from tests.clocks import HastyClock
from tests.sandbox.realtimekit import RealtimeKitStandIn, weekly_ama
from tests.sandbox.sandbox import EXAMPLE_POLICY, MANIFEST, Sandbox
from tests.sandbox.slack import SlackStandIn

pytestmark = pytest.mark.services

SCHEMA = Path(__file__).parent / "slack-manifest.schema.json"


def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    return loaded


def test_the_manifest_is_valid_by_slacks_own_schema() -> None:
    jsonschema.validate(manifest(), json.loads(SCHEMA.read_text()))


def test_it_asks_for_the_scopes_that_the_bot_names() -> None:
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == SCOPES
    assert "user" not in manifest()["oauth_config"]["scopes"]


def test_it_is_a_socket_mode_app_with_one_command_and_a_messages_tab() -> None:
    found = manifest()
    assert [one["command"] for one in found["features"]["slash_commands"]] == ["/kick"]
    assert found["features"]["app_home"]["messages_tab_enabled"]
    assert found["settings"]["interactivity"]["is_enabled"]
    assert found["settings"]["socket_mode_enabled"]


@asynccontextmanager
async def place_with(
    folder: Path, change: Callable[[dict[str, Any]], None]
) -> AsyncIterator[tuple[Sandbox, HastyClock]]:
    """Open a sandbox whose Slack knows an edited manifest, with the bot running in it."""
    edited = manifest()
    change(edited)
    file = folder / "manifest.yml"
    file.write_text(yaml.safe_dump(edited))
    demo, clock = weekly_ama(), HastyClock()
    async with SlackStandIn(file) as slack, RealtimeKitStandIn(demo.world) as realtimekit:
        sandbox = Sandbox(slack, realtimekit, demo)
        settings = sandbox.settings(http=False, database_url=f"sqlite:///{folder / 'k.db'}")
        policy = read_policy(EXAMPLE_POLICY)
        async with running(read_settings(settings), policy, clock=clock):
            yield sandbox, clock


def without(scope: str) -> Callable[[dict[str, Any]], None]:
    return lambda edited: edited["oauth_config"]["scopes"]["bot"].remove(scope)


@pytest.mark.parametrize(
    ("scope", "user", "method"),
    [
        ("users:read", "U0MAYA", "users.info"),
        ("usergroups:read", "U0MO", "usergroups.users.list"),
    ],
)
async def test_without_a_reading_scope_nobody_can_be_known(
    tmp_path: Path, scope: str, user: str, method: str
) -> None:
    async with place_with(tmp_path, without(scope)) as (sandbox, _):
        person = sandbox.slack.person(user)
        await person.command("C0LIVE", "/kick mallory spam")
        await person.until(lambda sees: f"({method}: missing_scope)" in sees.modal)


async def test_without_chat_write_a_late_result_reaches_no_channel(tmp_path: Path) -> None:
    async with place_with(tmp_path, without("chat:write")) as (sandbox, clock):
        maya = sandbox.slack.person("U0MAYA")
        await maya.command("C0LIVE", "/kick mallory spam")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await clock.sleep(30 * 60)
        await maya.submit()
        words = "The channel could not be told (missing_scope)."
        await maya.until(lambda sees: words in sees.modal)
        assert maya.messages("C0LIVE") == []


async def test_without_the_command_nobody_can_type_it(tmp_path: Path) -> None:
    def change(edited: dict[str, Any]) -> None:
        edited["features"]["slash_commands"] = []

    async with place_with(tmp_path, change) as (sandbox, _):
        maya = sandbox.slack.person("U0MAYA")
        await maya.command("C0LIVE", "/kick")
        assert "/kick is not a valid command." in maya.notices[0]


async def test_without_the_messages_tab_nobody_can_be_written_to(tmp_path: Path) -> None:
    def change(edited: dict[str, Any]) -> None:
        edited["features"]["app_home"]["messages_tab_enabled"] = False

    async with place_with(tmp_path, change) as (sandbox, clock):
        maya = sandbox.slack.person("U0MAYA")
        await maya.command("C0QUIET", "/kick mallory spam")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await clock.sleep(30 * 60)
        await maya.submit()
        await maya.until(lambda sees: "invite the bot there" in sees.modal)
        await sandbox.slack.until(
            lambda slack: "messages_tab_disabled" in [call.error for call in slack.calls]
        )
        assert maya.dm() == []
