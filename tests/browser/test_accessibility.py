"""axe-core finds nothing serious, wherever the job leads; wide and narrow, light and dark."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import WIDE, Play
from tests.browser.moves import choose, go_to, last_message, modal, submit, titled, type_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

NARROW = {"width": 390, "height": 844}


async def serious(page: Page) -> list[str]:
    found = await Axe().run(page)
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}"
        for one in found.response["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize(
    "how",
    [
        {"viewport": WIDE, "color_scheme": "light"},
        {"viewport": NARROW, "color_scheme": "dark"},
    ],
    ids=["wide-light", "narrow-dark"],
)
async def test_nothing_serious_is_found(play: Play, how: dict[str, Any]) -> None:
    async with play(tour=True) as scene:
        page = await scene.open_as(reduced_motion="reduce", **how)
        await page.get_by_text("Everything else that can go wrong").click()
        assert await serious(page) == []
        await go_to(page, "#mods")
        await type_in(page, "/kik")
        await expect(page.locator(".only-you")).to_be_visible()
        assert await serious(page) == []
        await type_in(page, "/kick")
        form = await titled(page, "Kick from a meeting")
        await submit(page, "Review")
        await expect(form.locator(".wrong")).to_have_count(1)
        await choose(page, "Who", "", "Tom")
        await form.get_by_role("combobox", name="Who").fill("a")
        await expect(form.get_by_role("option").first).to_be_visible()
        assert await serious(page) == []
        await form.get_by_label("Reason").fill("Spam")
        await submit(page, "Review")
        await titled(page, "Review")
        assert await serious(page) == []
        await submit(page, "Kick")
        await expect(modal(page)).to_contain_text("✓ kicked")
        assert await serious(page) == []
        await submit(page, "Close")
        await expect(last_message(page)).to_be_visible()


async def test_a_narrow_screen_shows_all_without_scrolling_sideways(play: Play) -> None:
    async with play(tour=True) as scene:
        page = await scene.open_as(viewport=NARROW)
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wider)
        await type_in(page, "/kick")
        await titled(page, "Kick from a meeting")
        assert not await page.evaluate(wider)
        box = await modal(page).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
