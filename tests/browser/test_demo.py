"""`make demo`: it plays its journey, prints an address, stays up."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE

import pytest
from playwright.async_api import Browser, expect

from tests.browser.moves import PATIENCE, kick, modal, removed
from tests.sandbox.sandbox import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESS = re.compile(r"^ +(http://127\.0\.0\.1:\d+/)$")


async def test_the_printed_address_is_a_page_with_a_history(browser: Browser) -> None:
    command = [sys.executable, "-m", "tests.sandbox"]
    demo = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
    assert demo.stdout is not None
    try:
        async with asyncio.timeout(90):
            async for line in demo.stdout:
                if found := ADDRESS.match(line.decode()):
                    break
        assert found is not None
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        await page.goto(found[1])
        await expect(page.locator("#messages > article")).to_have_count(2)
        await expect(modal(page)).to_be_hidden()
        await kick(page, "/kick tom spam")
        await expect(modal(page)).to_contain_text("Tom — ✓ kicked")
        await expect(removed(page)).to_have_count(4)
        await context.close()
    finally:
        demo.send_signal(signal.SIGTERM)
        await demo.stdout.read()
        assert await demo.wait() == 0
