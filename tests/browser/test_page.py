"""The page itself: what it keeps, what it shows of Block Kit, and what it does not know."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Play, Scene
from tests.browser.moves import (
    CROSS,
    choose,
    composer,
    go_to,
    kick,
    last_message,
    modal,
    submit,
    tiles,
    titled,
    to_review,
    type_in,
)
from tests.sandbox.page_server import open_page
from tests.sandbox.slack import MessageContent
from tests.sandbox.slack.block_kit import validate_blocks, validate_view

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_reload_in_the_middle_loses_nothing(scene: Scene) -> None:
    page = await scene.open_as()
    await type_in(page, "/kick")
    await titled(page, "Kick from a meeting")
    await choose(page, "Who", "mal", "Mallory")
    await modal(page).get_by_label("Reason").press_sequentially("Spamming")
    await expect(modal(page).get_by_label("Reason")).to_have_value("Spamming")
    await scene.sandbox.slack.until(
        lambda slack: "Spamming" in slack.person("U0MAYA").modal.values.values()
    )
    await page.reload()
    form = await titled(page, "Kick from a meeting")
    await expect(form.get_by_role("list", name="Chosen")).to_contain_text("Mallory")
    await expect(form.get_by_label("Reason")).to_have_value("Spamming")
    await submit(page, "Review")
    await titled(page, "Review")
    await page.reload()
    await titled(page, "Review")
    await submit(page, "Kick")
    await expect(modal(page)).to_contain_text("✓ kicked")
    await page.reload()
    await expect(modal(page)).to_contain_text("✓ kicked")
    await expect(last_message(page)).to_contain_text("✓ kicked")


async def test_after_the_demos_journey_the_page_opens_on_a_history(play: Play) -> None:
    async with play(tour=True) as scene:
        page = await scene.open_as()
        messages = page.locator("#messages > article")
        await expect(messages).to_have_count(2)
        await expect(messages.first).to_contain_text("@Maya removed 2 people")
        await expect(modal(page)).to_be_hidden()
        await go_to(page, "#mods")
        await expect(messages).to_have_count(1)


async def test_back_keeps_the_form_and_another_meeting_empties_who(scene: Scene) -> None:
    page = await scene.open_as()
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    chosen = form.get_by_role("list", name="Chosen").get_by_role("listitem")
    await choose(page, "Who", "mal", "Mallory")
    await form.get_by_label("Reason").fill("Spam")
    await submit(page, "Review")
    await titled(page, "Review")
    await submit(page, "Back")
    await titled(page, "Kick from a meeting")
    await expect(chosen).to_have_text([f"Mallory{CROSS}"])
    await expect(form.get_by_label("Reason")).to_have_value("Spam")
    await form.get_by_role("button", name="Another meeting").click()
    await expect(form.get_by_role("combobox", name="Meeting")).to_be_visible()
    await expect(chosen).to_have_count(0)
    await expect(form.get_by_label("Reason")).to_have_value("Spam")


async def test_an_answer_that_is_wrong_is_told_at_its_question(scene: Scene) -> None:
    page = await scene.open_as()
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    await submit(page, "Review")
    error = form.get_by_role("alert").filter(has_text="complete this required field")
    await expect(error).to_have_count(1)
    await expect(form.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    await form.get_by_label("Reason").fill("Spam")
    await submit(page, "Review")
    await expect(form).to_contain_text("Choose at least one person, or paste an id below.")
    await choose(page, "Who", "mal", "Mallory")
    await submit(page, "Review")
    await titled(page, "Review")


async def test_escape_closes_one_view_and_the_cross_all(scene: Scene) -> None:
    page = await scene.open_as()
    for close, left in (("Escape", 1), ("cross", 0)):
        await type_in(page, "/kick")
        await titled(page, "Kick from a meeting")
        await choose(page, "Who", "mal", "Mallory")
        await modal(page).get_by_label("Reason").fill("Spam")
        await submit(page, "Review")
        await titled(page, "Review")
        if close == "Escape":
            await page.keyboard.press("Escape")
            await titled(page, "Kick from a meeting")
        else:
            await modal(page).get_by_role("button", name="Close all").click()
            await expect(modal(page)).to_be_hidden()
        assert len(scene.sandbox.slack.person("U0MAYA").stack) == left
        await modal(page).get_by_role("button", name="Cancel").click() if left else None
        await expect(modal(page)).to_be_hidden()


async def test_a_troll_comes_back_by_itself(scene: Scene) -> None:
    page = await scene.open_as()
    troll = tiles(page).filter(has_text="Mallory")
    await troll.get_by_role("button", name="comes back").click()
    pressed = troll.get_by_role("button", name="comes back")
    await expect(pressed).to_have_attribute("aria-pressed", "true")
    await kick(page)
    await expect(modal(page)).to_contain_text("✓ kicked")
    await expect(troll).to_have_count(0)
    await expect(troll).to_have_count(1)
    await submit(page, "Close")
    await troll.get_by_role("button", name="leave").click()
    await expect(troll).to_have_count(0)


async def test_an_archived_channel_takes_no_message_and_a_typo_is_told(scene: Scene) -> None:
    page = await scene.open_as()
    await go_to(page, "#old-ops")
    await expect(composer(page)).to_be_disabled()
    await go_to(page, "#live-ops")
    await type_in(page, "/kik mallory")
    await expect(page.locator(".only-you")).to_contain_text("/kik is not a valid command")


async def test_acting_as_somebody_else_is_one_choice_away(scene: Scene) -> None:
    page = await scene.open_as()
    await page.get_by_label("Act as").select_option("Gus (guest)")
    await page.get_by_role("button", name="Switch").click()
    await expect(page).to_have_title("Gus · Kickbot sandbox")
    await page.locator("body[data-ready]").wait_for()
    await type_in(page, "/kick")
    await expect(modal(page)).to_contain_text("Your Slack account is a guest")
    await submit(page, "Close")
    await type_in(page, "/kick")
    whisper = last_message(page)
    await expect(whisper).to_contain_text("Only visible to you")
    await expect(whisper).to_contain_text("Your Slack account is a guest")


async def test_what_is_typed_survives_what_goes_on_meanwhile(scene: Scene) -> None:
    page = await scene.open_as()
    world, ama = scene.sandbox.realtimekit.world, scene.sandbox.demo.ama
    put = scene.sandbox.slack.workspace.chat.put
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    reason = form.get_by_label("Reason")
    await reason.focus()
    words = "Spamming links again"
    for letter in words:
        await page.keyboard.type(letter)
        put("C0LIVE", MessageContent("Somebody talks"))
        world.join(world.add_participant(ama, f"Newcomer {letter}"))
    await expect(reason).to_be_focused()
    await expect(reason).to_have_value(words)
    await choose(page, "Who", "mal", "Mallory")
    await choose(page, "Who", "tom", "Tom")
    cross = form.get_by_role("button", name="Remove Mallory")
    await cross.focus()
    for _ in range(5):
        put("C0LIVE", MessageContent("Somebody talks on"))
        await expect(last_message(page)).to_contain_text("Somebody talks on")
        await expect(cross).to_be_focused()
    await page.keyboard.press("Enter")
    tokens = form.get_by_role("list", name="Chosen").get_by_role("listitem")
    await expect(tokens).to_have_text([f"Tom{CROSS}"])
    maya = scene.sandbox.slack.person("U0MAYA")
    await maya.until(lambda sees: words in sees.modal.values.values())


async def test_enter_before_the_answer_picks_nobody(scene: Scene) -> None:
    page = await scene.open_as()
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    options = form.get_by_role("option")
    await form.get_by_role("combobox", name="Who").click()
    await expect(options).to_have_count(12)
    await page.keyboard.type("mallory")
    await page.keyboard.press("Enter")
    await expect(options).to_have_count(1)
    chosen = form.get_by_role("list", name="Chosen").get_by_role("listitem")
    await expect(chosen).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(chosen).to_have_text([f"Mallory{CROSS}"])


async def test_what_lies_beside_an_open_list_can_be_clicked(scene: Scene) -> None:
    page = await scene.open_as()
    await type_in(page, "/kick")
    form = await titled(page, "Kick from a meeting")
    await form.get_by_role("combobox", name="Who").click()
    await expect(form.get_by_role("option").first).to_be_visible()
    other = form.get_by_role("button", name="Another meeting")
    await other.click(delay=100)
    await expect(form.get_by_role("combobox", name="Meeting")).to_be_visible()
    await form.get_by_role("combobox", name="Meeting").click()
    await expect(form.get_by_role("option").first).to_be_visible()
    await form.get_by_text("Live", exact=True).click()
    await expect(form.get_by_role("option").first).to_be_visible()


async def test_the_focus_is_never_nowhere(scene: Scene) -> None:
    page = await scene.open_as()
    channels = page.get_by_role("navigation", name="Channels")
    await channels.get_by_role("button", name="#mods").focus()
    await page.keyboard.press("Enter")
    await expect(channels.get_by_role("button", name="#mods")).to_be_focused()
    await tiles(page).nth(1).get_by_role("button", name="leave").focus()
    await page.keyboard.press("Enter")
    await expect(tiles(page).filter(has_text="Tom")).to_have_count(0)
    await expect(tiles(page).nth(1).get_by_role("button", name="leave")).to_be_focused()
    await type_in(page, "/kick")
    await titled(page, "Kick from a meeting")
    await page.reload()
    await titled(page, "Kick from a meeting")
    await submit(page, "Cancel")
    await expect(composer(page)).to_be_focused()


async def test_a_draft_waits_in_its_channel(scene: Scene) -> None:
    page = await scene.open_as()
    await composer(page).fill("Half a thought")
    await go_to(page, "#quiet")
    await expect(composer(page)).to_have_value("")
    await go_to(page, "#live-ops")
    await expect(composer(page)).to_have_value("Half a thought")
    await composer(page).press("Enter")
    await expect(last_message(page)).to_contain_text("Half a thought")


async def test_it_says_when_the_sandbox_is_gone_and_mends_itself(scene: Scene) -> None:
    page = await scene.open_as()
    async with open_page(scene.sandbox) as url:
        await page.goto(url)
        await page.locator("body[data-ready]").wait_for()
    await expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    async with open_page(scene.sandbox, port=urlsplit(url).port or 0):
        await expect(page.locator("#gone")).to_be_hidden()
        await to_review(page)
        await page.goto(scene.url)


# Block Kit

RUNS: list[dict[str, Any]] = [
    {"type": "text", "text": "bold", "style": {"bold": True, "italic": True, "strike": True}},
    {"type": "text", "text": "code", "style": {"code": True}},
    {"type": "user", "user_id": "U0MO"},
    {"type": "usergroup", "usergroup_id": "S0MODS"},
    {"type": "channel", "channel_id": "C0MODS"},
    {"type": "broadcast", "range": "here"},
    {"type": "date", "timestamp": 1_700_000_000, "format": "{date} at {time}"},
    {"type": "link", "url": "https://example.com/", "text": "a link"},
    {"type": "emoji", "name": "wave"},
]
BUTTON = {
    "type": "button",
    "text": {"type": "plain_text", "text": "Press"},
    "action_id": "press",
    "value": "1",
}
MESSAGE: list[dict[str, Any]] = [
    {"type": "header", "text": {"type": "plain_text", "text": "A header"}},
    {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "*bold* _it_ ~no~ `c` <@U0MO> &lt;b&gt;"},
    },
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "<https://example.com|a field>"}]},
    {"type": "section", "text": {"type": "plain_text", "text": "*as it is*"}, "accessory": BUTTON},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "small <!date^0^{date}|x>"}]},
    {
        "type": "rich_text",
        "elements": [
            {"type": "rich_text_section", "elements": RUNS},
            {
                "type": "rich_text_list",
                "style": "ordered",
                "elements": [{"type": "rich_text_section", "elements": RUNS[:1]}],
            },
            {"type": "rich_text_quote", "elements": RUNS[:1]},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "pre"}]},
        ],
    },
]


async def test_messages_are_drawn_block_by_block(scene: Scene) -> None:
    page = await scene.open_as()
    scene.sandbox.slack.workspace.chat.put(
        "C0LIVE", MessageContent("said", validate_blocks(MESSAGE))
    )
    said = last_message(page)
    await expect(said.get_by_role("heading", name="A header")).to_be_visible()
    await expect(said.locator(".section").first).to_have_text("bold it no c @Mo <b>")
    await expect(said.locator("strong").filter(has_text="bold").first).to_be_visible()
    await expect(said.get_by_role("link", name="a field")).to_have_attribute(
        "rel", "noopener noreferrer"
    )
    await expect(said).to_contain_text("*as it is*")
    await expect(said.locator(".context")).to_have_text("small January 1, 1970")
    mentions = ["@Mo", "@Mo", "@mods", "#mods", "@here"]
    await expect(said.locator(".mention")).to_have_text(mentions)
    await expect(said.locator("ol > li, blockquote, pre")).to_have_count(3)


def _options(*names: str) -> list[dict[str, Any]]:
    return [{"text": {"type": "plain_text", "text": one}, "value": one.lower()} for one in names]


def _input(name: str, element: dict[str, Any], **more: Any) -> dict[str, Any]:
    label = {"type": "plain_text", "text": name}
    return {
        "type": "input",
        "block_id": name.lower(),
        "label": label,
        "element": {"action_id": name.lower(), **element},
        **more,
    }


VIEW: dict[str, Any] = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "All there is"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        _input("Colour", {"type": "radio_buttons", "options": _options("Red", "Blue")}),
        _input("Extras", {"type": "checkboxes", "options": _options("One", "Two", "Three")}),
        _input("Size", {"type": "static_select", "options": _options("Small", "Large")}),
        _input("Several", {"type": "multi_static_select", "options": _options("Ann", "Ben")}),
        _input(
            "Words",
            {"type": "plain_text_input", "multiline": True, "max_length": 20},
            hint={"type": "plain_text", "text": "A few"},
            optional=True,
        ),
        {"type": "actions", "block_id": "acts", "elements": [BUTTON]},
    ],
}


async def test_every_element_of_a_form_can_be_filled_in(scene: Scene) -> None:
    page = await scene.open_as()
    maya = scene.sandbox.slack.person("U0MAYA")
    scene.sandbox.slack.workspace.views.open("U0MAYA", validate_view(VIEW))
    form = await titled(page, "All there is")
    await form.get_by_role("radiogroup", name="Colour").get_by_label("Blue").check()
    extras = form.get_by_role("group", name="Extras")
    await extras.get_by_label("One").check()
    await extras.get_by_label("Three").check()
    await extras.get_by_label("One").uncheck()
    await form.get_by_role("combobox", name="Size").select_option("Large")
    await choose(page, "Several", "b", "Ben")
    await choose(page, "Several", "", "Ann")
    await form.get_by_label("Words").fill("x" * 30)
    values = {
        "colour": "blue",
        "extras": ["three"],
        "size": "large",
        "several": ["ben", "ann"],
        "words": "x" * 20,
    }
    await maya.until(lambda sees: sees.modal.values == values)
    await expect(form.get_by_text("A few", exact=True)).to_be_visible()
    await form.get_by_role("button", name="Press").click()
    await expect(modal(page)).to_contain_text("older version")


async def test_what_the_page_cannot_draw_is_seen(play: Play) -> None:
    async with play() as scene:
        page = await scene.open_as(gaps=["overflow", "video"])
        menu = {"type": "overflow", "action_id": "more", "options": _options("One", "Two")}
        text = {"type": "plain_text", "text": "A section"}
        blocks = validate_blocks([{"type": "section", "text": text, "accessory": menu}])
        put = scene.sandbox.slack.workspace.chat.put
        put("C0LIVE", MessageContent("said", blocks))
        await expect(last_message(page)).to_contain_text("This page can't draw: overflow")
        put("C0LIVE", MessageContent("said", [{"type": "video", "block_id": "v"}]))
        await expect(last_message(page)).to_contain_text("This page can't draw: video")
