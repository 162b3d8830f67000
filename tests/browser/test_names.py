"""Names that would be markup, mentions, other people's words or very long are only names."""

import pytest
from playwright.async_api import Locator, Page, expect

from bot.core.text import display
from tests.browser.conftest import Play, Scene
from tests.browser.moves import (
    go_to,
    last_message,
    modal,
    submit,
    titled,
    type_in,
)
from tests.sandbox.realtimekit import HOSTILE_NAME, open_meeting

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = {
    "html": "<img src=x onerror='window.broken=1'><script>window.broken=1</script>",
    "channel": "<!channel> *bold* `code` <https://evil.example|click>",
    "rtl": "\u202egpj.exe\u202c מלורי",
    "long": "Mallory " * 1250,
    "of-the-demo": HOSTILE_NAME,
}


async def assert_literal(page: Page, where: Locator, name: str) -> None:
    """See that a name is shown as the bot shows it, up to where it is cut, and as nothing else."""
    await assert_as_it_is(page, where, display(name, 40))


async def assert_as_it_is(page: Page, where: Locator, name: str) -> None:
    await expect(where).to_contain_text(" ".join(name.split())[:30])
    assert await page.evaluate("window.broken") is None
    assert await where.locator("img, script, a, code").count() == 0
    await expect(where.locator(".mention").filter(has_text="channel")).to_have_count(0)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_everywhere_a_name_is_shown(play: Play, name: str) -> None:
    async with play({"second_person": "always"}) as scene:
        await _follow(scene, name)


async def _follow(scene: Scene, name: str) -> None:
    """Follow somebody of this name, in a meeting of this title, through all that shows them."""
    world = scene.sandbox.realtimekit.world
    title = name[:200]
    meeting = open_meeting(world, title, ["Host", name])
    page, mo = await scene.open_as(), await scene.open_as("U0MO")
    meetings = page.locator("#meetings > article").last
    await assert_as_it_is(page, meetings.locator(".tile").last, name)
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    await form.get_by_role("combobox", name="Meeting").click()
    option = modal(page).get_by_role("option").filter(has_text="· 2 live")
    await assert_literal(page, option, title)
    who = form.get_by_role("combobox", name="Who")
    shown = await who.get_attribute("id") or ""
    await option.click()
    # The bot replaces this field with that of the chosen meeting. A click before that is lost.
    await expect(who).not_to_have_attribute("id", shown)
    await who.click()
    option = modal(page).get_by_role("option").first
    await assert_literal(page, option, name)
    await option.click()
    await assert_literal(page, form.get_by_role("list", name="Chosen"), name)
    await form.get_by_label("Reason").fill(name[:400])
    await submit(page, "Review")
    await titled(page, "Review")
    await assert_literal(page, modal(page), name)
    await submit(page, "Ask for approval")
    await expect(modal(page)).to_contain_text("waits for a second person")
    await assert_literal(page, modal(page), name)
    await go_to(mo, "#mods")
    await assert_literal(mo, last_message(mo), name)
    await last_message(mo).get_by_role("button", name="Review").click()
    await titled(mo, "Kick #1")
    await assert_literal(mo, modal(mo), name)
    await submit(mo, "Approve")
    await expect(modal(mo)).to_contain_text("✓ kicked")
    await assert_literal(mo, modal(mo), name)
    await submit(page, "Close")
    await expect(last_message(page)).to_contain_text("✓ kicked")
    await assert_literal(page, last_message(page), name)
    await assert_as_it_is(page, meetings.locator(".removed"), name)
    assert [one.id for one in world.who_is_in(meeting)] == [world.records(meeting)[0].id]


async def test_what_somebody_says_is_no_markup_of_the_page(scene: Scene) -> None:
    page = await scene.open_as()
    await type_in(page, NAMES["html"])
    await expect(last_message(page)).to_contain_text("<img src=x")
    assert await page.evaluate("window.broken") is None
    assert await last_message(page).locator("img, script").count() == 0
    for typed in ("<!date^x^{date}|y> <!channel>", "*a* " * 10_000):
        await type_in(page, typed)
        await expect(last_message(page)).to_contain_text(typed.replace("*", "")[:20])
        await expect(last_message(page).locator(".mention")).to_have_count(0)
