"""The whole job at the page: once by mouse, once by keyboard alone."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Scene
from tests.browser.moves import (
    CROSS,
    choose,
    composer,
    last_message,
    modal,
    removed,
    submit,
    tiles,
    titled,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


def kicked(scene: Scene) -> list[str | None]:
    return [effect.participant.name for effect in scene.sandbox.realtimekit.world.kicks]


async def test_by_mouse(scene: Scene) -> None:
    page = await scene.open_as("U0MAYA")
    await composer(page).click()
    await page.keyboard.type("/k")
    await page.get_by_role("option", name="/kick").click()
    await page.get_by_role("button", name="Send").click()
    form = await titled(page, "Kick from a meeting")
    await choose(page, "Who", "mal", "Mallory")
    await choose(page, "Who", "", "Tom")
    tokens = form.get_by_role("list", name="Chosen").get_by_role("listitem")
    await expect(tokens).to_have_text([f"Mallory{CROSS}", f"Tom{CROSS}"])
    await form.get_by_role("button", name="Remove Tom").click()
    await expect(tokens).to_have_text([f"Mallory{CROSS}"])
    await form.get_by_label("Reason").click()
    await page.keyboard.type("Spamming links")
    await submit(page, "Review")
    review = await titled(page, "Review")
    await expect(review).to_contain_text("1 person to remove from Weekly AMA")
    await submit(page, "Kick")
    await expect(modal(page)).to_contain_text("Mallory — ✓ kicked")
    await expect(last_message(page)).to_contain_text("@Maya removed 1 person from Weekly AMA")
    await expect(last_message(page)).to_contain_text("Reason: Spamming links")
    await expect(tiles(page).filter(has_text="Mallory")).to_have_count(0)
    await submit(page, "Close")
    await expect(modal(page)).to_be_hidden()
    assert kicked(scene) == ["Mallory"]
    await removed(page).get_by_role("button", name="Let Mallory rejoin").click()
    await expect(tiles(page).filter(has_text="Mallory")).to_have_count(1)
    await expect(removed(page)).to_have_count(0)


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("named => document.activeElement.textContent === named", name):
            return
    raise AssertionError(f"no Tab leads to {name}")


async def test_by_keyboard(scene: Scene) -> None:
    page = await scene.open_as("U0MAYA")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await composer(page).evaluate("field => field === document.activeElement"):
            break
    await page.keyboard.type("/k")
    await page.keyboard.press("Enter")
    await expect(composer(page)).to_have_value("/kick ")
    await page.keyboard.press("Enter")
    form = await titled(page, "Kick from a meeting")
    who = form.get_by_role("combobox", name="Who")
    await expect(who).to_be_focused()
    await page.keyboard.type("mal")
    await expect(form.get_by_role("option")).to_contain_text(["Mallory"])
    await page.keyboard.press("Enter")
    chosen = form.get_by_role("list", name="Chosen").get_by_role("listitem")
    await expect(chosen).to_have_text([f"Mallory{CROSS}"])
    await page.keyboard.press("ArrowDown")
    await expect(form.get_by_role("option").first).to_be_visible()
    await page.keyboard.press("Escape")  # closes the list, not the modal
    await expect(form.get_by_role("option")).to_have_count(0)
    await page.keyboard.press("Backspace")
    await expect(chosen).to_have_count(0)
    await page.keyboard.type("mallo")
    await expect(form.get_by_role("option")).to_contain_text(["Mallory"])
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(chosen).to_have_text([f"Mallory{CROSS}"])
    for _ in range(2):
        await page.keyboard.press("Tab")
    await expect(form.get_by_label("Reason")).to_be_focused()
    await page.keyboard.type("Spamming links")
    await tab_to(page, "Review")
    await page.keyboard.press("Enter")
    await titled(page, "Review")
    await tab_to(page, "Kick")
    await page.keyboard.press("Space")
    await expect(modal(page)).to_contain_text("Mallory — ✓ kicked")
    await page.keyboard.press("Escape")
    await expect(modal(page)).to_be_hidden()
    await expect(composer(page)).to_be_focused()
    assert scene.sandbox.slack.person("U0MAYA").stack == []
    assert kicked(scene) == ["Mallory"]


async def test_the_focus_stays_in_a_modal_and_returns(scene: Scene) -> None:
    page = await scene.open_as("U0MAYA")
    await composer(page).fill("/kick")
    await composer(page).press("Enter")
    await titled(page, "Kick from a meeting")
    strays = """() => {
      const active = document.activeElement;
      return active !== document.body && !document.getElementById("modal").contains(active);
    }"""
    seen = set()
    for key in ["Tab"] * 15 + ["Shift+Tab"] * 15:
        await page.keyboard.press(key)
        assert not await page.evaluate(strays)
        seen.add(await page.evaluate("document.activeElement.tagName"))
    assert {"INPUT", "TEXTAREA", "BUTTON"} <= seen
    await modal(page).get_by_role("button", name="Close all").click()
    await expect(modal(page)).to_be_hidden()
    await expect(composer(page)).to_be_focused()
