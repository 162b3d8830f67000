"""The pictures of the README: the five moments that matter, as a run of the page shows them.

`KICKBOT_PICTURES=1 pytest tests/browser/test_pictures.py` puts them into tests/browser/pictures.
"""

import os
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Play
from tests.browser.moves import (
    choose,
    go_to,
    last_message,
    modal,
    submit,
    titled,
    to_review,
    type_in,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEPT = Path(__file__).parent / "pictures"
SMALL = 150_000  # bytes
FRAME = {"width": 1000, "height": 600}
MOMENTS = ("modal", "review", "approval", "result", "meeting")


async def test_the_five_moments_that_matter(play: Play, tmp_path: Path) -> None:
    folder = KEPT if os.environ.get("KICKBOT_PICTURES") else tmp_path

    async def keep(name: str, what: Page | Locator) -> None:
        await what.screenshot(path=folder / f"{name}.png", animations="disabled")

    async with play() as scene:
        page = await scene.open_as(viewport=FRAME, color_scheme="light")
        await type_in(page, "/kick")
        form = await titled(page, "Kick from a meeting")
        await choose(page, "Who", "mal", "Mallory")
        await form.get_by_label("Reason").fill("Spamming links")
        await form.get_by_role("combobox", name="Who").fill("cam")
        await expect(form.get_by_role("option")).to_have_count(2)
        await page.mouse.move(0, 0)
        await keep("modal", form)
        await page.keyboard.press("Escape")
        await choose(page, "Who", "yus", "Yusuf")
        await submit(page, "Review")
        await titled(page, "Review")
        await keep("review", page)
        await submit(page, "Kick")
        await expect(modal(page)).to_contain_text("Yusuf — ✓ kicked")
        await modal(page).get_by_role("button", name="Close all").click()
        await expect(modal(page)).to_be_hidden()
        await keep("result", last_message(page))
        await page.set_viewport_size({"width": FRAME["width"], "height": 1010})
        await keep("meeting", page.locator("#meeting"))

        hal, mo = await scene.open_as("U0HAL"), await scene.open_as("U0MO", color_scheme="light")
        await to_review(hal, "/kick tom shouting at everybody")
        await submit(hal, "Ask for approval")
        await expect(modal(hal)).to_contain_text("waits for a second person")
        await go_to(mo, "#mods")
        await last_message(mo).get_by_role("button", name="Review").click()
        await expect(modal(mo).get_by_role("button", name="Approve")).to_be_visible()
        await keep("approval", modal(mo))

    sizes = {name: (folder / f"{name}.png").stat().st_size for name in MOMENTS}
    assert {name: size for name, size in sizes.items() if size > SMALL} == {}
