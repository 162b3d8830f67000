"""The package can be used without the bot, as its docstring shows."""

import asyncio
import inspect
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import bot.realtimekit
from bot.realtimekit import http_client
from tests.sandbox.realtimekit import RealtimeKitStandIn, weekly_ama

ALLOWED = {"bot.core.ports", "bot.core.roster", "bot.core.text"}


@pytest.fixture
def example(tmp_path: Path) -> Callable[[], object]:
    """Return a function that runs the example of the docstring as a script."""
    _, rest = inspect.cleandoc(bot.realtimekit.__doc__ or "").split("\n\n    ", 1)
    code, _ = rest.split("\n\nEvery error", 1)
    script = tmp_path / "example.py"
    script.write_text(textwrap.dedent(f"    {code}"))
    return partial(runpy.run_path, str(script))


@pytest.mark.services
async def test_the_example_of_the_docstring_kicks(
    example: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    demo = weekly_ama()
    async with RealtimeKitStandIn(demo.world) as stand_in:
        monkeypatch.setattr(bot.realtimekit, "http_client", partial(http_client, stand_in.url))
        monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", stand_in.account_id)
        monkeypatch.setenv("REALTIMEKIT_APP_ID", stand_in.app_id)
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", stand_in.api_token)
        await asyncio.to_thread(example)
        assert demo.mallory not in demo.world.who_is_in(demo.ama)
        assert capsys.readouterr().out == ""
        await asyncio.to_thread(example)
        assert capsys.readouterr().out == "user-9001 is not in Weekly AMA\n"
        assert stand_in.problems == []


def test_every_public_name_is_there() -> None:
    assert all(hasattr(bot.realtimekit, name) for name in bot.realtimekit.__all__)


def test_importing_the_package_imports_neither_the_bot_nor_its_frameworks() -> None:
    code = "import sys, bot.realtimekit; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 - a fixed command
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"slack_bolt", "slack_sdk", "sqlalchemy", "aiohttp"}
    assert not loaded & {"bot.app", "bot.config", "bot.slack", "bot.store"}


def test_the_package_uses_only_values_and_errors_of_the_core() -> None:
    names = set[str]()
    for path in Path(bot.realtimekit.__path__[0]).glob("*.py"):
        lines = path.read_text().splitlines()
        names |= {line.split()[1] for line in lines if line.startswith(("from bot", "import bot"))}
    assert {name for name in names if not name.startswith("bot.realtimekit")} <= ALLOWED
