"""The page in a real browser: the system's Chromium, driven by Playwright, on loopback only."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Response, async_playwright

from bot.app import running
from bot.config import read_settings
from tests.browser.moves import PATIENCE
from tests.journeys.conftest import example_policy
from tests.machine import ACKS_WITHIN
from tests.sandbox.page_server import open_page
from tests.sandbox.sandbox import Sandbox, open_sandbox
from tests.sandbox.tour import Tour

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
WIDE = {"width": 1280, "height": 860}

NOTES_GAPS = """
    const note = () => {
      for (const gap of document.querySelectorAll("[data-gap]")) window.noteGap(gap.dataset.gap);
    };
    new MutationObserver(note).observe(document, { childList: true, subtree: true });
"""
# What a stand-in refuses is a part of the tests, and so is a sandbox that has gone.
EXPECTED = ("Failed to load resource", "WebSocket connection to")

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start the browser, once; the tests in it are skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip(f"no browser here ({' or '.join(NAMES)}); on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        nowhere_else = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        async with await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[nowhere_else]
        ) as started:
            yield started


@dataclass(frozen=True, slots=True)
class Scene:
    """A sandbox, a bot in it, and the page; `open_as` opens a window as somebody."""

    sandbox: Sandbox
    url: str
    open_as: Open


Play = Callable[..., Any]


@pytest.fixture
def play(browser: Browser, sqlite_url: str) -> Play:
    """Return how to open a scene: with rules of the policy changed, or after the demo's tour."""

    @asynccontextmanager
    async def played(
        rules: Mapping[str, Any] | None = None, *, tour: bool = False
    ) -> AsyncIterator[Scene]:
        async with AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(open_sandbox(ack_timeout=ACKS_WITHIN))
            url = await stack.enter_async_context(open_page(sandbox))
            environment = sandbox.settings(http=False, database_url=sqlite_url)
            policy = example_policy(**{"second_person": "bulk", **(rules or {})})
            await stack.enter_async_context(running(read_settings(environment), policy))
            if tour:
                await Tour(sandbox, lambda _: None).play()
            yield Scene(sandbox, url, _opening(browser, url, stack))
            assert sandbox.slack.problems == sandbox.realtimekit.problems == []

    return played


@pytest_asyncio.fixture(loop_scope="session")
async def scene(play: Play) -> AsyncIterator[Scene]:
    """Open a scene as `make demo` shows it, without its journey."""
    async with play() as opened:
        yield opened


def _opening(browser: Browser, url: str, stack: AsyncExitStack) -> Open:
    async def open_as(user: str = "U0MAYA", *, gaps: Sequence[str] = (), **how: Any) -> Page:
        context = await browser.new_context(**{"viewport": WIDE, "locale": "en-US", **how})
        stack.push_async_callback(context.close)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        seen = _watch(page)
        await page.expose_function("noteGap", seen.note_gap)
        await page.add_init_script(NOTES_GAPS)
        stack.callback(_see_it_clean, seen, gaps)
        await page.goto(f"{url}?as={user}")
        await page.locator("body[data-ready]").wait_for()
        return page

    return open_as


@dataclass
class Watched:
    """What a page asked for, what went wrong in it, and what it could not draw."""

    urls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    def note_gap(self, gap: str) -> None:
        """Note that something of this type was on the page."""
        self.gaps.append(gap)


def _watch(page: Page) -> Watched:
    seen = Watched()

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(EXPECTED):
            seen.errors.append(message.text)

    def look(answer: Response) -> None:
        if answer.status >= 500 or answer.status == 400:
            seen.errors.append(f"{answer.status} {answer.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.urls.append(request.url))
    page.on("response", look)
    return seen


def _see_it_clean(seen: Watched, gaps: Sequence[str]) -> None:
    """See that a page had no errors, asked nobody but this machine, and could draw it all."""
    assert seen.errors == []
    hosts = {urlsplit(one).hostname for one in seen.urls if not one.startswith("data:")}
    assert hosts == {"127.0.0.1"}
    assert sorted(set(seen.gaps)) == sorted(gaps)
