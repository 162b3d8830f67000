"""Start after a crash and with wrong settings, and stop."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.check import check
from bot.config import read_settings
from bot.core.event import EventKind
from bot.core.kick import State
from bot.core.target import Outcome, OutcomeReason
from bot.core.timing import LEASE
from bot.transports import StartupError
from tests.clocks import HastyClock
from tests.journeys.conftest import Start, database_of
from tests.journeys.leftovers import asked, leave_done, leave_ready, leave_running
from tests.journeys.steps import (
    LEFT,
    ONE_TRANSPORT,
    STILL,
    Running,
    join_database_threads,
    kick_calls,
    process,
    record,
    result,
    stored,
    to_review,
)
from tests.sandbox.sandbox import EXAMPLE_POLICY, Sandbox
from tests.sandbox.slack import Person

# After another process died


async def test_a_kick_that_nobody_took_up_for_a_minute_lapses_and_its_asker_hears_so(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    await leave_ready(sqlite_url, asked(sandbox, sandbox.demo.mallory, ago=61))
    async with start():
        await maya.until(lambda sees: sees.dm())
        told = maya.read(maya.dm()[-1])
        assert "It was not carried out within a minute, so it lapsed." in told
        assert "#1" in told
    assert (await stored(sqlite_url)).state is State.EXPIRED
    assert maya.messages("C0LIVE") == []
    assert kick_calls(sandbox) == []


AN_HOUR_AHEAD = -3600.0
"""Rows of a process whose clock was an hour fast. It was set before the next process started."""


@ONE_TRANSPORT
async def test_a_kick_from_the_future_lapses_at_once(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    await leave_ready(sqlite_url, asked(sandbox, sandbox.demo.mallory, ago=AN_HOUR_AHEAD))
    async with start():
        await maya.until(lambda sees: sees.dm())
        assert "so it lapsed." in maya.read(maya.dm()[-1])
    assert (await stored(sqlite_url)).state is State.EXPIRED
    assert kick_calls(sandbox) == []


@ONE_TRANSPORT
async def test_a_lease_from_the_future_is_over(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    kick = asked(sandbox, sandbox.demo.mallory, ago=AN_HOUR_AHEAD)
    await leave_running(sandbox, sqlite_url, kick)
    async with start():
        assert "Mallory — ✗ failed: not tried" in maya.read(await result(maya))
    assert kick_calls(sandbox) == []


@ONE_TRANSPORT
async def test_a_result_that_is_due_in_the_future_is_posted_at_once(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    kick = asked(sandbox, sandbox.demo.mallory, ago=AN_HOUR_AHEAD)
    await leave_done(sandbox, sqlite_url, kick)
    async with start():
        assert "Mallory — ✓ kicked" in maya.read(await result(maya))


async def test_a_kick_just_asked_for_is_carried_out_by_the_next_process(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    await leave_ready(sqlite_url, asked(sandbox, sandbox.demo.mallory, ago=5))
    async with start():
        assert "Mallory — ✓ kicked" in maya.read(await result(maya))
    assert (await stored(sqlite_url)).state is State.DONE
    assert len(kick_calls(sandbox)) == 1


async def test_a_kick_of_a_process_that_died_is_settled_by_evidence_and_never_called_again(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    tom, ana = sandbox.demo.crowd[:2]
    kick = asked(sandbox, sandbox.demo.mallory, tom, ana, ago=30)
    await leave_running(sandbox, sqlite_url, kick, "Mallory", "Tom")
    sandbox.demo.world.kick(sandbox.demo.mallory)
    async with start(clock=HastyClock()):
        posted = maya.read(await result(maya))
        assert f"Mallory — {LEFT}" in posted
        assert f"Tom — {STILL}" in posted
        assert "Ana — ✗ failed: not tried: the bot stopped before" in posted
        assert "Kick again" in posted
    done = await stored(sqlite_url)
    assert done.state is State.DONE
    assert [(one.name, one.outcome, one.outcome_reason) for one in done.targets] == [
        ("Mallory", Outcome.GONE, OutcomeReason.LEFT),
        ("Tom", Outcome.FAILED, OutcomeReason.STILL_THERE),
        ("Ana", Outcome.FAILED, OutcomeReason.NOT_TRIED),
    ]
    assert EventKind.TAKEN_OVER in [one.kind for one in await record(sqlite_url)]
    assert kick_calls(sandbox) == []


async def test_what_a_dead_process_did_stays_unknown_where_nothing_proves_it(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    await leave_running(
        sandbox, sqlite_url, asked(sandbox, sandbox.demo.mallory, ago=30), "Mallory"
    )
    sandbox.realtimekit.faults.switch_on("empty_participants")
    async with start(clock=HastyClock()):
        posted = maya.read(await result(maya))
        assert "Mallory — ? unknown: RealtimeKit's answer was lost" in posted
    assert kick_calls(sandbox) == []


async def test_a_finished_kick_is_told_no_second_time(
    sandbox: Sandbox, maya: Person, start: Start
) -> None:
    async with start():
        await to_review(maya)
        await maya.submit()
        message = await result(maya)
    async with start():
        await maya.command("C0LIVE", "/kick tom spam")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert [one.ts for one in maya.messages("C0LIVE")] == [message.ts]
    assert len(kick_calls(sandbox)) == 1


async def test_a_review_that_was_open_over_a_restart_can_still_be_sent(
    sandbox: Sandbox, maya: Person, start: Start
) -> None:
    async with start():
        await to_review(maya)
    async with start():
        await maya.submit()
        assert "Mallory — ✓ kicked" in maya.read(await result(maya))
        await maya.until(lambda sees: "✓ kicked" in sees.modal)


async def test_kick_again_works_in_a_message_from_before_a_restart(
    sandbox: Sandbox, maya: Person, start: Start
) -> None:
    sandbox.demo.world.comes_back(sandbox.demo.mallory)
    async with start():
        await to_review(maya)
        await maya.submit()
        message = await result(maya)
    async with start():
        await maya.click(message, "kick_again")
        await maya.until(lambda sees: sees.modal.submit == "Kick" and "Mallory" in sees.modal)


# The bot as a process, as an operator starts it


@asynccontextmanager
async def operated(
    sandbox: Sandbox, transport: str, sqlite_url: str, **more: str
) -> AsyncIterator[Running]:
    """Run `python -m bot run` with environment variables only."""
    settings = sandbox.settings(http=transport == "http", database_url=sqlite_url)
    async with process(settings | more, "run") as bot:
        port = await bot.up()
        if transport == "http":
            sandbox.slack.deliver_to(f"http://127.0.0.1:{port}/slack/events")
        yield bot


async def test_a_bot_told_to_stop_finishes_the_calls_it_has_sent(
    sandbox: Sandbox, maya: Person, transport: str, sqlite_url: str
) -> None:
    async with operated(sandbox, transport, sqlite_url) as bot:
        await to_review(maya)
        sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=0.5)
        await maya.submit()
        await sandbox.realtimekit.until(lambda: bool(kick_calls(sandbox)))
        assert await bot.stop() == 0
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))
    assert "Mallory — ✓ kicked" in maya.modal
    assert (await stored(sqlite_url)).state is State.DONE
    assert len(kick_calls(sandbox)) == 1
    assert [line for line in bot.said if " INFO " not in line] == []
    await maya.command("C0LIVE", "/kick")
    assert maya.notices == ['/kick failed with the error "dispatch_failed"']


async def test_a_bot_that_is_killed_is_survived_by_its_kick(
    sandbox: Sandbox, maya: Person, start: Start, transport: str, sqlite_url: str
) -> None:
    async with operated(sandbox, transport, sqlite_url) as bot:
        await to_review(maya)
        sandbox.realtimekit.faults.switch_on("hang", op="kick", times=1, effect=True)
        await maya.submit()
        await sandbox.realtimekit.until(lambda: bool(sandbox.demo.world.kicks))
        await bot.kill()
    clock = HastyClock()
    clock.pass_by(LEASE.total_seconds())
    async with start(clock=clock):
        posted = maya.read(await result(maya))
        assert f"Mallory — {LEFT}" in posted
    assert len(kick_calls(sandbox)) == 1


@pytest.mark.parametrize("transport", ["socket"], indirect=True)
async def test_no_secret_is_written_anywhere(
    sandbox: Sandbox, maya: Person, transport: str, sqlite_url: str
) -> None:
    async with operated(sandbox, transport, sqlite_url, LOG_LEVEL="DEBUG") as bot:
        sandbox.realtimekit.faults.switch_on("forbidden", op="kick")
        await to_review(maya)
        await maya.submit()
        await result(maya)
        await bot.stop()
    written = bot.text + await asyncio.to_thread(stored_text, database_of(sqlite_url))
    response_url = f"{sandbox.slack.url}/respond/"
    secrets = [
        sandbox.slack.bot_token,
        sandbox.slack.app_token,
        sandbox.realtimekit.api_token,
        response_url,
    ]
    assert "kickbot is up" in written
    assert "spamming links" in written
    assert [one for one in secrets if one in written] == []


def stored_text(database: Path) -> str:
    """Return the content of a database's files as text."""
    files = database.parent.glob(f"{database.name}*")
    return "".join(one.read_bytes().decode("latin1") for one in files)


@ONE_TRANSPORT
async def test_a_revoked_token_ends_the_start_with_a_sentence(
    sandbox: Sandbox, transport: str, sqlite_url: str
) -> None:
    sandbox.slack.faults.switch_on("token_revoked")
    async with process(sandbox.settings(http=True, database_url=sqlite_url), "run") as bot:
        assert await bot.ended() == 1
    [line] = bot.said
    assert "SLACK_BOT_TOKEN (auth.test: token_revoked)" in line


# Errors at the start


@ONE_TRANSPORT
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("account_inactive", "refuses SLACK_BOT_TOKEN (auth.test: account_inactive)"),
        ("server_error", "Slack can't be reached or refuses SLACK_BOT_TOKEN"),
        ("broken_before", "Slack can't be reached or refuses SLACK_BOT_TOKEN"),
    ],
)
async def test_a_bot_that_slack_does_not_know_does_not_start(
    sandbox: Sandbox, start: Start, fault: str, words: str
) -> None:
    sandbox.slack.faults.switch_on(fault)
    with pytest.raises(StartupError, match=re.escape(words)):
        async with start():
            pass


@ONE_TRANSPORT
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SLACK_BOT_TOKEN", "xoxb-wrong", "SLACK_BOT_TOKEN (auth.test: invalid_auth)"),
        ("SLACK_APP_TOKEN", "xapp-wrong", "Slack refuses SLACK_APP_TOKEN"),
        ("SLACK_API_URL", "http://127.0.0.1:1/api/", "Slack can't be reached"),
        ("DATABASE_URL", "sqlite:////nowhere/at/all.db", "DATABASE_URL: "),
        ("DATABASE_URL", "mysql://somewhere/kickbot", "DATABASE_URL: "),
        ("DATABASE_URL", "no url", "DATABASE_URL: "),
    ],
)
async def test_a_bot_with_a_setting_that_leads_nowhere_does_not_start(
    sandbox: Sandbox, start: Start, name: str, value: str, words: str
) -> None:
    with pytest.raises(StartupError, match=re.escape(words)):
        async with start(**{name: value}):
            pass
    join_database_threads()


@ONE_TRANSPORT
async def test_a_port_that_is_taken_is_named(sandbox: Sandbox, start: Start) -> None:
    async with start() as first:
        with pytest.raises(StartupError, match=f"PORT {first.port}: "):
            async with start(PORT=f"{first.port}"):
                pass


def run(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> int:
    """Run `kickbot run` with these settings. It must exit at once."""
    for name in ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "DYNO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return main(["run"])


GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_SIGNING_SECRET": "secret-2",
    "CLOUDFLARE_API_TOKEN": "token-3",
    "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
    "REALTIMEKIT_APP_ID": "5a4d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b",
    "KICKBOT_POLICY": str(EXAMPLE_POLICY),
}
BAD_SETTINGS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "nothing set": (
        dict.fromkeys(GOOD, ""),
        (
            "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing",
            "SLACK_BOT_TOKEN: is missing",
            "CLOUDFLARE_API_TOKEN: is missing",
            "CLOUDFLARE_ACCOUNT_ID: is missing",
            "REALTIMEKIT_APP_ID: is missing",
        ),
    ),
    "no way to Slack": (
        {"SLACK_SIGNING_SECRET": ""},
        ("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing",),
    ),
    "tokens in each other's place": (
        {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"},
        (
            "SLACK_BOT_TOKEN: should start with xoxb-",
            "SLACK_APP_TOKEN: should start with xapp-",
        ),
    ),
    "malformed": (
        {"PORT": "high", "LOG_LEVEL": "LOUD", "KICKBOT_COMMAND": "kick", "SLACK_API_URL": "slack"},
        ("PORT: ", "LOG_LEVEL: ", "KICKBOT_COMMAND: ", "SLACK_API_URL: "),
    ),
    "a disk that is lost daily": ({"DYNO": "web.1"}, ("DATABASE_URL: a dyno's disk is lost",)),
    "Bolt's own variables": (
        {"SLACK_CLIENT_ID": "1", "SLACK_CLIENT_SECRET": "secret-4"},
        ("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: unset them",),
    ),
}


@pytest.mark.parametrize(("given", "faults"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_all_that_is_wrong_with_the_settings_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: Mapping[str, str],
    faults: tuple[str, ...],
) -> None:
    assert run(monkeypatch, GOOD | dict(given)) == 2
    said = capsys.readouterr().err
    assert [fault for fault in faults if fault not in said] == []
    assert len(said.splitlines()) == len(faults)
    assert not re.search(r"Traceback|secret-\d|token-3|pydantic", said)


BAD_POLICY = """
approvals = "C0MODS"
[[grant]]
who = ["maya", "#mods"]
role = "boss"
[[grant]]
role = "helper"
[rules]
second_person = "sometimes"
bulk = 0
expires = "soon"
max_targets = "many"
protected = { preset = ["host"] }
"""


def test_all_that_is_wrong_with_the_policy_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(BAD_POLICY)
    assert run(monkeypatch, GOOD | {"KICKBOT_POLICY": str(path)}) == 2
    said = capsys.readouterr().err
    places = [line.removeprefix(f"{path}: ").partition(": ")[0] for line in said.splitlines()]
    assert sorted(places) == [
        "approvals",
        "grant[1].role",
        "grant[1].who[1]",
        "grant[1].who[2]",
        "grant[2].who",
        "rules.bulk",
        "rules.expires",
        "rules.max_targets",
        "rules.protected.preset",
        "rules.second_person",
    ]


@pytest.mark.parametrize("text", [None, "", "[[grant", "grant = 1"])
def test_a_policy_that_can_not_be_read_keeps_the_bot_from_starting(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str | None,
) -> None:
    path = tmp_path / "policy.toml"
    if text is not None:
        path.write_text(text)
    assert run(monkeypatch, GOOD | {"KICKBOT_POLICY": str(path)}) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{path}: ")
    assert "Traceback" not in said


# kickbot check


async def test_check_says_ok_of_each_part_and_ends_well(sandbox: Sandbox, sqlite_url: str) -> None:
    settings = sandbox.settings(http=True, database_url=sqlite_url)
    async with process(settings, "check") as bot:
        assert await bot.ended() == 0
    notes = [line for line in bot.said if line.startswith("note ")]
    assert all(line.startswith("note   policy: ") for line in notes)
    assert [line.split(":")[0] for line in bot.said if line not in notes] == [
        f"ok     {part}"
        for part in ("settings", "policy", "database", "slack", "cloudflare", "presets", "clock")
    ]


@dataclass(frozen=True)
class Bad:
    """A mistake in the settings or a fault of a stand-in, and the line that reports it."""

    line: str
    settings: Mapping[str, str] = field(default_factory=dict)
    play: Callable[[Sandbox], None] = lambda _: None


def at_slack(fault: str) -> Callable[[Sandbox], None]:
    return lambda sandbox: sandbox.slack.faults.switch_on(fault)


def at_realtimekit(fault: str) -> Callable[[Sandbox], None]:
    return lambda sandbox: sandbox.realtimekit.faults.switch_on(fault)


def without_scope(sandbox: Sandbox) -> None:
    manifest = sandbox.slack.workspace.manifest
    sandbox.slack.workspace.manifest = replace(manifest, scopes=manifest.scopes - {"users:read"})


INSTALL = "install the app again and copy the bot token"
PERMISSION = "CLOUDFLARE_API_TOKEN needs the permission Realtime, for this account and app"
BAD_CHECKS = {
    "a missing setting": Bad(
        "settings: REALTIMEKIT_APP_ID: is missing", {"REALTIMEKIT_APP_ID": ""}
    ),
    "no policy": Bad("can't be read: No such file", {"KICKBOT_POLICY": "/nowhere/policy.toml"}),
    "no database": Bad("Is DATABASE_URL right?", {"DATABASE_URL": "sqlite:////nowhere/at/all.db"}),
    "no url": Bad("database: DATABASE_URL: ", {"DATABASE_URL": "no url"}),
    "a revoked token": Bad(
        f"slack: auth.test: token_revoked: {INSTALL}", play=at_slack("token_revoked")
    ),
    "a wrong token": Bad(
        f"slack: auth.test: invalid_auth: {INSTALL}", {"SLACK_BOT_TOKEN": "xoxb-wrong"}
    ),
    "a scope too few": Bad("slack: missing scopes users:read: add them", play=without_scope),
    "another token": Bad(PERMISSION, {"CLOUDFLARE_API_TOKEN": "wrong"}),
    "another account": Bad(PERMISSION, {"CLOUDFLARE_ACCOUNT_ID": "f" * 32}),
    "another app": Bad("cloudflare: HTTP 404: No app found", {"REALTIMEKIT_APP_ID": "another-app"}),
    "no permission": Bad(PERMISSION, play=at_realtimekit("forbidden")),
    "a service that fails": Bad("cloudflare: HTTP 500", play=at_realtimekit("server_error")),
    "a rate limit": Bad("cloudflare: HTTP 429", play=at_realtimekit("rate_limited")),
    "nothing there": Bad("cloudflare: ", {"CLOUDFLARE_BASE_URL": "http://127.0.0.1:1/client/v4"}),
}


@pytest.mark.parametrize("bad", BAD_CHECKS.values(), ids=BAD_CHECKS.keys())
async def test_check_says_what_is_wrong_and_the_next_step(
    sandbox: Sandbox, sqlite_url: str, bad: Bad
) -> None:
    settings = sandbox.settings(http=True, database_url=sqlite_url) | dict(bad.settings)
    bad.play(sandbox)
    found = [str(finding) async for finding in check(lambda: read_settings(settings))]
    join_database_threads()
    [wrong] = [line for line in found if line.startswith("WRONG")]
    assert bad.line in wrong
    assert "xoxb-" not in wrong


async def test_check_names_every_fault_of_a_policy(
    sandbox: Sandbox, sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(BAD_POLICY)
    settings = sandbox.settings(http=True, database_url=sqlite_url) | {"KICKBOT_POLICY": str(path)}
    found = [str(finding) async for finding in check(lambda: read_settings(settings))]
    assert len([line for line in found if line.startswith("WRONG  policy: ")]) == 10
    assert len([line for line in found if line.startswith("ok ")]) == 5
