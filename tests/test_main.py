"""The command line: exit codes and messages, which show no secret."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.__main__ import main
from bot.core.roster import Meeting, MeetingId
from tests.journeys.steps import result, to_review
from tests.machine import ACKS_WITHIN
from tests.sandbox.sandbox import EXAMPLE_POLICY, ROOT, Sandbox, open_sandbox
from tests.sandbox.slack import DEMO_TEAM
from tests.test_config import GOOD
from tests.test_log import fill, kick

pytestmark = pytest.mark.services

NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(ack_timeout=ACKS_WITHIN) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SLACK_", "CLOUDFLARE_", "KICKBOT_", "REALTIMEKIT_")):
            monkeypatch.delenv(name)
    for name in ("DATABASE_URL", "PORT", "LOG_LEVEL", "DYNO"):
        monkeypatch.delenv(name, raising=False)


def put(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("command", ["run", "log"])
def test_bad_settings_end_in_2_and_are_all_named(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.splitlines() == [
        "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing",
        "SLACK_BOT_TOKEN: is missing",
        "CLOUDFLARE_API_TOKEN: is missing",
        "CLOUDFLARE_ACCOUNT_ID: is missing",
        "REALTIMEKIT_APP_ID: is missing",
    ]


def test_a_bad_policy_ends_in_2_with_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('colour = "red"\n')
    put(monkeypatch, GOOD | {"KICKBOT_POLICY": str(file)})
    assert main(["run"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{file}: grant: is missing",
        f"{file}: colour: no such key",
    ]


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["log", "first"], ["run", "--fast"], ["log", "1", "2"]]
)
def test_a_command_that_there_is_not_ends_in_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: kickbot" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("run", "check", "log"))


async def test_check_ends_in_0_where_all_is_well_and_in_1_where_not(
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    sqlite_url: str,
) -> None:
    put(monkeypatch, sandbox.settings(http=False, database_url=sqlite_url))
    assert await asyncio.to_thread(main, ["check"]) == 0
    printed = capsys.readouterr().out
    assert "ok     cloudflare: " in printed
    assert "WRONG" not in printed
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hush")
    assert await asyncio.to_thread(main, ["check"]) == 1
    captured = capsys.readouterr()
    assert "WRONG  slack: auth.test: invalid_auth" in captured.out
    assert "hush" not in captured.out + captured.err


def test_check_ends_in_1_where_nothing_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 1
    assert capsys.readouterr().out.count("WRONG  settings: ") == 5


def test_log_takes_a_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    put(monkeypatch, GOOD | {"DATABASE_URL": sqlite_url})
    assert main(["log", "7"]) == 0
    assert capsys.readouterr().out == "There are no kicks yet.\n"


async def log_of(url: str, **how: Any) -> tuple[int | None, str]:
    """Run `kickbot log` in a process of its own. Returns the exit code and what it printed."""
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "log"),
        env=GOOD | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        **{"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT} | how,
    )
    printed = await bot.communicate()
    return bot.returncode, "".join(one.decode() for one in printed if one)


async def test_log_prints_names_that_the_terminal_has_no_letters_for(sqlite_url: str) -> None:
    await fill(sqlite_url, kick(meeting=Meeting(MeetingId("m"), "Żółw 🐢")))
    code, printed = await log_of(sqlite_url)
    assert code == 0
    assert "[\\u017b\\xf3\\u0142w \\U0001f422]" in printed


async def test_log_into_a_closed_pipe_ends_without_a_traceback(sqlite_url: str) -> None:
    await fill(sqlite_url, kick())
    reading, writing = os.pipe()
    os.close(reading)
    code, printed = await log_of(sqlite_url, stdout=writing, stderr=asyncio.subprocess.PIPE)
    os.close(writing)
    assert (code, printed) == (1, "")


def test_a_slack_out_of_reach_ends_in_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = {"KICKBOT_POLICY": str(EXAMPLE_POLICY), "SLACK_API_URL": NOWHERE}
    put(monkeypatch, GOOD | policy)
    assert main(["run"]) == 1
    error = capsys.readouterr().err
    assert "(auth.test: Slack can't be reached): see `kickbot check`." in error
    assert "secret" not in error


async def start(
    environment: dict[str, str], *, max_files: int = 1024
) -> asyncio.subprocess.Process:
    """Start the bot in a process of its own, with this environment."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f'ulimit -n {max_files}; exec "$0" -m bot run', sys.executable),
        env=clean | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_run_does_the_job_until_sigterm_and_prints_no_secret(
    sandbox: Sandbox, sqlite_url: str
) -> None:
    settings = sandbox.settings(http=False, database_url=sqlite_url) | {"LOG_LEVEL": "DEBUG"}
    bot = await start(settings)
    try:
        await sandbox.slack.until(lambda slack: slack.sockets.open)
        maya = sandbox.slack.person("U0MAYA")
        await to_review(maya)
        await maya.submit()
        assert "✓ kicked" in maya.read(await result(maya))
    finally:
        bot.send_signal(signal.SIGTERM)
        printed = (await bot.communicate())[0].decode()
    assert bot.returncode == 0
    assert "kickbot is up: Socket Mode" in printed
    assert "stopping: no more work is taken" in printed
    secrets = ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "CLOUDFLARE_API_TOKEN"]
    assert [name for name in secrets if settings[name] in printed] == []
    assert "/respond/" not in printed


async def started(bot: asyncio.subprocess.Process) -> tuple[int, str]:
    """Wait until the bot is up. Returns its port, and what it printed."""
    assert bot.stdout
    printed = ""
    while "kickbot is up" not in printed:
        line = await bot.stdout.readline()
        assert line, printed
        printed += line.decode()
    return int(printed.rsplit(maxsplit=1)[1]), printed


async def test_half_sent_requests_do_not_make_the_bot_deaf_or_talkative(
    sandbox: Sandbox, sqlite_url: str
) -> None:
    settings = sandbox.settings(http=False, database_url=sqlite_url)
    bot = await start(settings, max_files=128)
    held = []
    try:
        port, _ = await started(bot)
        for _ in range(400):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\n")
            held.append((reader, writer))
        old = sandbox.slack.sockets.open[0]
        await sandbox.slack.sockets.refresh()
        await sandbox.slack.until(
            lambda slack: slack.sockets.open and old not in slack.sockets.open
        )
        await to_review(sandbox.slack.person("U0MAYA"))
    finally:
        bot.send_signal(signal.SIGTERM)
        printed = (await bot.communicate())[0].decode()
        for _, writer in held:
            writer.close()
    assert bot.returncode == 0
    assert len(printed.splitlines()) < 50
    assert "Traceback" not in printed


async def test_a_flood_of_unsigned_requests_writes_few_lines_and_none_of_its_own(
    sandbox: Sandbox, sqlite_url: str
) -> None:
    bot = await start(sandbox.settings(http=True, database_url=sqlite_url))
    try:
        port, _ = await started(bot)
        url = f"http://127.0.0.1:{port}/slack/events"
        forged = b"payload=\n2026-01-01 00:00:00,000 INFO forged\x1b[2J" + b"x" * 100_000
        async with aiohttp.ClientSession() as session:
            for _ in range(300):
                async with session.post(url, data=forged) as reply:
                    assert reply.status == 401
    finally:
        bot.send_signal(signal.SIGTERM)
        printed = (await bot.communicate())[0].decode()
    assert 1 <= printed.count("its signature is missing, wrong or too old") <= 20
    assert len(printed) < 10_000
    assert "forged" not in printed


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-hush"}, "refuses SLACK_BOT_TOKEN (auth.test: invalid_auth)"),
        ({"SLACK_APP_TOKEN": "xapp-hush"}, "Slack refuses SLACK_APP_TOKEN"),
        ({"DATABASE_URL": "hush"}, "DATABASE_URL: this is not the URL of a database"),
        ({"DATABASE_URL": "postgresql://u:p@hush@127.0.0.1:1/d"}, "DATABASE_URL: write each @ in"),
    ],
    ids=["bot-token", "app-token", "database", "password"],
)
async def test_a_bot_that_cannot_start_says_why_in_one_line_and_ends_in_1(
    sandbox: Sandbox, sqlite_url: str, changed: dict[str, str], words: str
) -> None:
    bot = await start(sandbox.settings(http=False, database_url=sqlite_url) | changed)
    printed = (await bot.communicate())[0].decode()
    assert bot.returncode == 1
    assert words in printed
    assert "Traceback" not in printed
    assert "hush" not in printed


async def test_an_org_wide_installation_is_named_as_unsupported(sqlite_url: str) -> None:
    async with open_sandbox(team=replace(DEMO_TEAM, is_org_wide=True)) as sandbox:
        bot = await start(sandbox.settings(http=False, database_url=sqlite_url))
        printed = (await bot.communicate())[0].decode()
    assert bot.returncode == 1
    assert "SLACK_BOT_TOKEN: the app is installed for a whole Enterprise Grid org" in printed
    assert "Traceback" not in printed


async def test_a_port_in_use_is_named(sandbox: Sandbox, sqlite_url: str) -> None:
    taken = await asyncio.start_server(lambda _reader, _writer: None, "0.0.0.0", 0)  # noqa: S104 - as the bot binds
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        bot = await start(sandbox.settings(http=True, database_url=sqlite_url, port=port))
        printed = (await bot.communicate())[0].decode()
    assert bot.returncode == 1
    assert f"PORT {port}: " in printed
    assert "Address already in use" in printed
    assert "Traceback" not in printed
