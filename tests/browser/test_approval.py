"""A second person, at two pages that are open as two people."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Scene
from tests.browser.moves import go_to, last_message, modal, submit, tiles, titled, to_review

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def ask(page: Page) -> None:
    """Ask for a kick, as somebody who may not kick alone."""
    await to_review(page, "/kick tom shouting")
    await submit(page, "Ask for approval")
    await expect(modal(page)).to_contain_text("waits for a second person")


async def test_one_asks_and_another_approves_live(scene: Scene) -> None:
    hal, mo = await scene.open_as("U0HAL"), await scene.open_as("U0MO")
    await ask(hal)
    mods = mo.get_by_role("navigation", name="Channels").get_by_role("button", name="#mods")
    await expect(mods).to_contain_text("1 unread")
    await mods.click()
    await expect(mods).not_to_contain_text("unread")
    card = last_message(mo)
    await expect(card).to_contain_text("@Hal asks to remove 1 person from Weekly AMA")
    await expect(card.locator(".mention")).to_have_text(["@Hal", "@mods"])
    await card.get_by_role("button", name="Review").click()
    view = await titled(mo, "Kick #1")
    await expect(view).to_contain_text("Tom")
    await submit(mo, "Approve")
    await expect(modal(mo)).to_contain_text("Tom — ✓ kicked")
    await expect(modal(hal)).to_contain_text("Tom — ✓ kicked")
    await expect(card).to_contain_text("✓ kicked")
    await expect(card.get_by_role("button", name="Review")).to_have_count(0)
    await expect(tiles(hal).filter(has_text="Tom")).to_have_count(0)
    await expect(last_message(hal)).to_contain_text("Approved by @Mo")


async def test_a_denial_takes_a_note_on_a_view_of_its_own(scene: Scene) -> None:
    hal, mo = await scene.open_as("U0HAL"), await scene.open_as("U0MO")
    await ask(hal)
    await go_to(mo, "#mods")
    await last_message(mo).get_by_role("button", name="Review").click()
    await titled(mo, "Kick #1")
    await modal(mo).get_by_role("button", name="Deny").click()
    await expect(modal(mo).get_by_role("button", name="Deny", exact=True)).to_be_visible()
    await modal(mo).get_by_role("textbox").fill("Talk to them first")
    await submit(mo, "Deny")
    await expect(modal(hal)).to_contain_text("Talk to them first")
    await expect(last_message(mo).get_by_role("button")).to_have_count(0)
    assert scene.sandbox.realtimekit.world.kicks == []


async def test_taking_a_request_back_is_asked_once_more(scene: Scene) -> None:
    hal = await scene.open_as("U0HAL")
    await ask(hal)
    question = hal.locator("#confirm")
    for answer in ("Escape", "button"):
        await modal(hal).get_by_role("button", name="Cancel request").click()
        await expect(question).to_be_visible()
        if answer == "Escape":
            await hal.keyboard.press("Escape")
        else:
            await question.get_by_role("button").first.click()
        await expect(question).to_be_hidden()
        await expect(modal(hal)).to_contain_text("waits for a second person")
    await modal(hal).get_by_role("button", name="Cancel request").click()
    await question.get_by_role("button", name="Cancel request").click()
    await expect(modal(hal)).not_to_contain_text("waits for a second person")
    assert scene.sandbox.realtimekit.world.kicks == []


async def test_who_may_not_decide_is_told_so_and_nobody_else_is(scene: Scene) -> None:
    hal, stan = await scene.open_as("U0HAL"), await scene.open_as("U0STAN")
    await ask(hal)
    await go_to(stan, "#mods")
    await last_message(stan).get_by_role("button", name="Review").click()
    await expect(modal(stan)).to_contain_text("The policy gives you no role.")
    await submit(hal, "Close")
    await go_to(hal, "#mods")
    await expect(last_message(hal).get_by_role("button", name="Review")).to_be_visible()
    await expect(modal(hal)).to_be_hidden()
