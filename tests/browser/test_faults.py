"""Every switch for what goes wrong, and what the person at the page then sees."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Scene
from tests.browser.moves import (
    kick,
    last_message,
    modal,
    submit,
    tiles,
    titled,
    to_review,
    type_in,
)
from tests.sandbox.faults import Faults

pytestmark = pytest.mark.asyncio(loop_scope="session")

SETTLED = 60_000  # ms: where the answer is lost, what is seen settles it after up to 20 s
TROUBLE = "We had some trouble connecting. Try again?"


def switch(page: Page, words: str) -> Locator:
    return page.get_by_role("region", name="What goes wrong").get_by_role("switch", name=words)


async def turn_on(page: Page, words: str) -> None:
    await switch(page, words).check()
    await expect(switch(page, words)).to_be_checked()


async def test_a_slow_kick_is_seen_going_on(scene: Scene) -> None:
    page = await scene.open_as()
    await turn_on(page, "The kick takes 5 s")
    await kick(page)
    await expect(modal(page)).to_contain_text("Removing 1 person from Weekly AMA…")
    await expect(modal(page)).to_contain_text("✓ kicked")
    await expect(switch(page, "The kick takes 5 s")).not_to_be_checked()


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("The kick is rate limited (429)", "✗ failed"),
        ("The kick fails (500)", "? unknown"),
        ("The kick works, its answer is lost", "○ gone"),
    ],
)
async def test_a_kick_that_goes_wrong_says_how(scene: Scene, words: str, outcome: str) -> None:
    page = await scene.open_as()
    await turn_on(page, words)
    await kick(page)
    await expect(modal(page)).to_contain_text(f"Mallory — {outcome}", timeout=SETTLED)
    await expect(last_message(page)).to_contain_text(f"Mallory — {outcome}", timeout=SETTLED)
    is_out = not scene.sandbox.realtimekit.world.kicks
    await expect(tiles(page).filter(has_text="Mallory")).to_have_count(1 if is_out else 0)


async def test_a_lagging_list_does_not_offer_who_has_just_come(scene: Scene) -> None:
    page = await scene.open_as()
    region = page.get_by_role("region", name="What goes wrong")
    await region.get_by_label("A switch counts for").select_option("until switched off")
    await turn_on(page, "Lists lag by 10 s")
    await page.get_by_role("textbox", name="Who joins Weekly AMA").fill("Newcomer")
    await page.keyboard.press("Enter")
    await expect(tiles(page).filter(has_text="Newcomer")).to_have_count(1)
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    await form.get_by_role("combobox", name="Who").fill("newco")
    await expect(form.locator(".menu .status")).to_have_text("No results")
    await modal(page).get_by_role("button", name="Close all").click()
    await switch(page, "Lists lag by 10 s").uncheck()
    await type_in(page, "/kick")
    await titled(page, "Kick from a meeting")
    who, options = form.get_by_role("combobox", name="Who"), form.get_by_role("option")
    await who.click()
    async with asyncio.timeout(60):
        while not await options.filter(has_text="Newcomer").count():
            # The bot keeps a list for a moment: who types again a little later is offered them.
            await who.fill("")
            await expect(options.filter(has_text="Tom")).to_have_count(1)
            await who.fill("newco")
            await expect(options.filter(has_text="Tom")).to_have_count(0)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Slack waits 3 s for the bot in vain", "operation_timeout"),
        ("Slack can't reach the bot", "dispatch_failed"),
    ],
)
async def test_where_slack_gets_no_answer_it_says_so_itself(
    scene: Scene, words: str, error: str
) -> None:
    page = await scene.open_as()
    await turn_on(page, words)
    await type_in(page, "/kick")
    said = page.locator("#messages > .only-you")
    await expect(said).to_contain_text(f'/kick failed with the error "{error}"')
    await to_review(page)
    await turn_on_over_modal(page, words, scene)
    await submit(page, "Kick")
    await expect(modal(page).locator(".strip")).to_contain_text(TROUBLE)
    await submit(page, "Kick")
    await expect(modal(page)).to_contain_text("✓ kicked")


async def turn_on_over_modal(page: Page, words: str, scene: Scene) -> None:
    """Switch it on while a modal is open, from the window of somebody else."""
    other = await scene.open_as("U0LEA")
    await turn_on(other, words)
    await expect(switch(page, words)).to_be_checked()


async def test_a_message_whose_button_nobody_answers_says_so(scene: Scene) -> None:
    page = await scene.open_as()
    await kick(page)
    await expect(modal(page)).to_contain_text("✓ kicked")
    await submit(page, "Close")
    await turn_on(page, "Slack can't reach the bot")
    await last_message(page).get_by_role("button", name="Kick again").click()
    await expect(last_message(page).locator(".strip")).to_contain_text(TROUBLE)
    await last_message(page).get_by_role("button", name="Kick again").click()
    await titled(page, "Review")
    await expect(last_message(page).locator(".strip")).to_have_count(0)


async def test_a_new_socket_is_not_noticed(scene: Scene) -> None:
    page = await scene.open_as()
    sockets = set(scene.sandbox.slack.sockets.open)
    await turn_on(page, "Slack asks for a new socket")
    await type_in(page, "/kick help")
    await expect(page.locator("#messages > .only-you")).to_contain_text("kick")
    await scene.sandbox.slack.until(lambda slack: set(slack.sockets.open) - sockets)
    await kick(page)
    await expect(modal(page)).to_contain_text("✓ kicked")


async def flip(page: Page, box: Locator) -> None:
    """Press a switch, and wait until the stand-in has answered for it."""
    async with page.expect_response(lambda answer: answer.request.method in {"PUT", "DELETE"}):
        await box.click()


async def test_every_fault_has_a_switch(scene: Scene) -> None:
    page = await scene.open_as()
    region = page.get_by_role("region", name="What goes wrong")
    await region.get_by_text("Everything else that can go wrong").click()
    await region.get_by_label("A switch counts for").select_option("until switched off")
    services: dict[str, Faults] = {
        "realtimekit": scene.sandbox.realtimekit.faults,
        "slack": scene.sandbox.slack.faults,
    }
    for of, faults in services.items():
        for name, what in faults.known.items():
            row = region.locator(f'[data-key="{of} {name}"]')
            await expect(row).to_contain_text(what)
            for on in ([name], []):
                await flip(page, row.get_by_role("switch"))
                assert faults.on == on
                await expect(row.get_by_role("switch")).to_be_checked(checked=bool(on))


async def test_the_log_shows_each_call_with_the_token_masked(scene: Scene) -> None:
    page = await scene.open_as()
    await turn_on(page, "The kick is rate limited (429)")
    await kick(page)
    await expect(modal(page)).to_contain_text("✗ failed")
    await submit(page, "Close")
    log = page.get_by_role("region", name="What the bot called")
    call = log.get_by_role("listitem").filter(has_text="active-session/kick").first
    await expect(call).to_contain_text("429")
    await call.locator("summary").click()
    await expect(call.locator("pre")).to_contain_text("Authorization: Bearer ***")
    await expect(call.locator("pre")).to_contain_text("participant_ids")
    await log.get_by_text("Slack", exact=True).click()
    await expect(log).to_contain_text("POST /api/views.open")
    secrets = (
        scene.sandbox.realtimekit.api_token,
        scene.sandbox.slack.bot_token,
        scene.sandbox.slack.app_token,
    )
    content = await page.content()
    assert [one for one in secrets if one in content] == []
