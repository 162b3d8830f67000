"""`kickbot check`: one line for each result, with the next step if something is wrong."""

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bot.check import check
from bot.config import read_settings
from bot.store import SqlStore
from tests.faults.skewed import AHEAD
from tests.journeys.steps import process
from tests.sandbox.sandbox import MANIFEST, Sandbox, open_sandbox
from tests.sandbox.slack import DEMO_TEAM, SlackStandIn

pytestmark = pytest.mark.services

NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as opened:
        yield opened


TITLES = (
    "grant[3].meetings: whoever names meetings decides which fit 'Weekly*'; to be safe, name"
    " meetings by id"
)
INVITE = "approvals_channel: invite the bot to C0MODS; whether it is there can't be read"


async def lines(
    sandbox: Sandbox, url: str, changed: Mapping[str, str] | None = None, *, http: bool = False
) -> list[str]:
    """Run `check`, and return its results. None of them may show a secret."""
    settings = sandbox.settings(http=http, database_url=url) | dict(changed or {})
    found = [str(one) async for one in check(lambda: read_settings(settings))]
    secrets = [settings["SLACK_BOT_TOKEN"], settings["CLOUDFLARE_API_TOKEN"], "hush"]
    assert not any(secret in line for secret in secrets for line in found)
    return found


@pytest.mark.parametrize(("http", "mode"), [(False, "Socket Mode"), (True, "HTTP mode")])
async def test_a_good_installation_is_ok_throughout(
    sandbox: Sandbox, sqlite_url: str, *, http: bool, mode: str
) -> None:
    assert await lines(sandbox, sqlite_url, http=http) == [
        f"ok     settings: complete, {mode}",
        "ok     policy: grants: 3, to users: 3, to groups: 1",
        f"note   policy: {TITLES}",
        f"note   policy: {INVITE}",
        "ok     database: reached, tables at version 0",
        "ok     slack: workspace kickbot-sandbox, scopes complete",
        "ok     cloudflare: reached, live sessions listed: 1",
        "ok     presets: the app has all that the policy protects",
        "ok     clock: agrees with the database's, Slack's, RealtimeKit's",
    ]
    # No call changes anything.
    assert [call.method for call in sandbox.slack.calls] == ["auth.test"]
    assert [(call.method, call.op) for call in sandbox.realtimekit.calls] == [
        ("GET", "sessions"),
        ("GET", "presets"),
    ]


async def test_a_protected_preset_that_the_app_does_not_have_is_wrong(
    sandbox: Sandbox, sqlite_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    protected = 'protected = { presets = ["Group_Call_Host ", "boss"] }'
    grant = '[[grant]]\nwho = ["U0MAYA"]\nrole = "moderator"\n'
    file.write_text(f"{grant}[rules]\n{protected}\n")
    found = await lines(sandbox, sqlite_url, {"KICKBOT_POLICY": str(file)})
    assert found[-2] == (
        "WRONG  presets: rules.protected.presets: the app has no preset 'boss', so it protects"
        " nobody; the app has: group_call_host, group_call_participant, webinar_presenter,"
        " webinar_viewer"
    )
    sandbox.realtimekit.faults.switch_on("server_error", op="presets")
    found = await lines(sandbox, sqlite_url, {"KICKBOT_POLICY": str(file)})
    assert found[-2].startswith("note   presets: HTTP 500")


async def test_a_database_that_was_used_shows_its_version(
    sandbox: Sandbox, sqlite_url: str
) -> None:
    store = SqlStore(sqlite_url)
    await store.start()
    await store.close()
    found = await lines(sandbox, sqlite_url)
    assert found[4].startswith("ok     database: reached, tables at version ")
    assert not found[4].endswith(" 0")


async def test_bad_settings_end_it_with_a_line_for_each() -> None:
    found = [str(one) async for one in check(lambda: read_settings({"PORT": "x"}))]
    assert "WRONG  settings: SLACK_BOT_TOKEN: is missing" in found
    assert len(found) == 6
    assert all(line.startswith("WRONG  settings: ") for line in found)


async def test_a_bad_policy_does_not_hide_the_rest(
    sandbox: Sandbox, sqlite_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[[grant]]\nwho = ["maya"]\nrole = "boss"\n')
    found = await lines(sandbox, sqlite_url, {"KICKBOT_POLICY": str(file)})
    assert [line[:5] for line in found] == ["ok   ", "WRONG", "WRONG", *["ok   "] * 4]
    assert found[1].startswith(f"WRONG  policy: {file}: grant[1].who[1]: 'maya' is no Slack id")


async def test_what_the_policy_may_be_wrong_about_is_noted_and_not_wrong(
    sandbox: Sandbox, sqlite_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    grant = '[[grant]]\nwho = ["U0MAYA"]\nrole = "moderator"\n'
    file.write_text(f'approvals_channel = "C0MODS"\n{grant}[rules]\nsecond_person = "bulk"\n')
    found = await lines(sandbox, sqlite_url, {"KICKBOT_POLICY": str(file)})
    wants = '"bulk" wants a second person for more than 3; only one may decide'
    assert found[1:4] == [
        "ok     policy: grants: 1, to users: 1, to groups: 0",
        f"note   policy: rules.second_person: {wants}",
        f"note   policy: {INVITE}",
    ]
    assert [line[:5] for line in found[4:]] == ["ok   "] * 4


async def test_without_an_approvals_channel_there_is_nobody_to_invite(
    sandbox: Sandbox, sqlite_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[[grant]]\nwho = ["U0MAYA"]\nrole = "moderator"\n')
    found = await lines(sandbox, sqlite_url, {"KICKBOT_POLICY": str(file)})
    assert [line[:5] for line in found] == ["ok   "] * 6


@pytest.mark.parametrize(
    ("name", "value", "at", "words"),
    [
        ("DATABASE_URL", "oracle://u:hush@h/d", 4, "database: DATABASE_URL: oracle:// is none of"),
        ("DATABASE_URL", "hush", 4, "database: DATABASE_URL: this is not the URL of a database"),
        ("DATABASE_URL", "postgresql://u:p@hush@127.0.0.1:1/d", 4, "each @ in the user and the pa"),
        ("DATABASE_URL", "sqlite:////no/where/x.db", 4, "Is DATABASE_URL right?"),
        ("SLACK_BOT_TOKEN", "xoxb-hush", 5, "auth.test: invalid_auth: install the app again"),
        ("SLACK_API_URL", NOWHERE, 5, "slack: auth.test: Slack can't be reached: try again"),
        ("CLOUDFLARE_API_TOKEN", "hush", 6, "CLOUDFLARE_API_TOKEN needs the permission Realtime"),
        ("CLOUDFLARE_BASE_URL", NOWHERE, 6, "cloudflare: "),
    ],
)
async def test_what_is_wrong_is_said_with_the_next_step_and_the_rest_is_checked(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox, sqlite_url: str, name: str, value: str, at: int, words: str
) -> None:
    found = await lines(sandbox, sqlite_url, {name: value})
    assert [line.startswith("WRONG") for line in found] == [at == one for one in range(len(found))]
    assert words in found[at]


@pytest.mark.parametrize("ahead", ["90", "-3600"])
async def test_a_clock_that_is_off_is_noted(
    sandbox: Sandbox, postgres_url: str, ahead: str
) -> None:
    settings = sandbox.settings(http=False, database_url=postgres_url) | {AHEAD: ahead}
    async with process(settings, "check", module="tests.faults.skewed") as checking:
        assert await checking.ended() == 0
    [line] = [line for line in checking.said if "clock" in line]
    whose = "the database's|Slack's|RealtimeKit's"
    found = re.findall(rf"([+-]\d+) s off ({whose})", line)
    assert line.startswith("note   clock: ")
    assert [name for _, name in found] == whose.split("|")
    assert [float(off) for off, _ in found] == [pytest.approx(float(ahead), abs=10)] * 3


async def test_a_file_that_is_no_database_is_said_to_be_none(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "kickbot.db"
    file.write_text("a shopping list, and not a database at all\n" * 100)
    found = await lines(sandbox, f"sqlite:///{file}")
    assert found[4].startswith("WRONG  database: ")
    assert "another kind" in found[4]


async def test_a_database_of_a_newer_program_is_refused(
    sandbox: Sandbox, sqlite_url: str, tmp_path: Path
) -> None:
    store = SqlStore(sqlite_url)
    await store.start()
    await store.close()
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as database:
        database.execute("INSERT INTO schema_version VALUES (999)")
    database.close()
    assert (await lines(sandbox, sqlite_url))[4].startswith("WRONG  database: ")


async def test_an_org_wide_installation_is_named_as_unsupported(sqlite_url: str) -> None:
    async with open_sandbox(team=replace(DEMO_TEAM, is_org_wide=True)) as sandbox:
        found = await lines(sandbox, sqlite_url)
    words = "WRONG  slack: the app is installed for a whole Enterprise Grid org"
    assert [line.startswith(words) for line in found if "slack" in line] == [True]


async def test_a_token_sent_unencrypted_is_noted(sandbox: Sandbox, sqlite_url: str) -> None:
    found = await lines(sandbox, sqlite_url, {"SLACK_API_URL": "http://slack.invalid/"})
    assert found[1].startswith("note   settings: SLACK_API_URL: http://")


async def test_missing_scopes_are_named(sandbox: Sandbox, sqlite_url: str, tmp_path: Path) -> None:
    edited = yaml.safe_load(MANIFEST.read_text())
    edited["oauth_config"]["scopes"]["bot"] = ["commands", "chat:write"]
    file = tmp_path / "manifest.yml"
    file.write_text(yaml.safe_dump(edited))
    async with SlackStandIn(file) as slack:
        token = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        found = await lines(sandbox, sqlite_url, token)
    assert found[5] == (
        "WRONG  slack: missing scopes usergroups:read, users:read: add them under"
        " OAuth & Permissions, then install the app again"
    )


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda sandbox: sandbox.slack.faults.switch_on("server_error"), "HTTP 500: try again"),
        (
            lambda sandbox: sandbox.slack.faults.switch_on("token_revoked"),
            "auth.test: token_revoked",
        ),
        (lambda sandbox: sandbox.realtimekit.faults.switch_on("bad_gateway"), "cloudflare: "),
        (lambda sandbox: sandbox.realtimekit.faults.switch_on("forbidden"), "cloudflare: HTTP 403"),
    ],
    ids=["slack-500", "revoked", "cloudflare-502", "cloudflare-403"],
)
async def test_a_service_in_trouble_is_named(
    sandbox: Sandbox, sqlite_url: str, break_it: Callable[[Sandbox], None], words: str
) -> None:
    break_it(sandbox)
    wrong = [line for line in await lines(sandbox, sqlite_url) if line.startswith("WRONG")]
    assert len(wrong) == 1
    assert words in wrong[0]
