"""What users see, as text."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.slack import Person, SlackStandIn

pytestmark = pytest.mark.services

MANIFEST = Path(__file__).parents[1] / "manifest.yml"
Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str, about: str) -> Json:
    return {"text": plain(text), "value": text, "description": plain(about)}


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(MANIFEST) as stand_in:
        yield stand_in


@pytest.fixture
def client(slack: SlackStandIn) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


@pytest.fixture
def maya(slack: SlackStandIn) -> Person:
    return slack.person("U0MAYA")


async def test_a_message(client: AsyncWebClient, maya: Person) -> None:
    runs = [
        {"type": "user", "user_id": "U0MO"},
        {"type": "text", "text": " of "},
        {"type": "usergroup", "usergroup_id": "S0MODS"},
        {"type": "text", "text": " in "},
        {"type": "channel", "channel_id": "C0LIVE"},
        {"type": "text", "text": " at "},
        {"type": "date", "timestamp": 8100, "format": "{time}"},
        {"type": "emoji", "name": "wave"},
        {"type": "link", "url": "https://example.com", "text": "here"},
        {"type": "broadcast", "range": "here"},
    ]
    item = {"type": "rich_text_section", "elements": [{"type": "text", "text": "<@U0MO>"}]}
    blocks: list[Json] = [
        {"type": "header", "text": plain("Kick 42")},
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_section", "elements": runs},
                {"type": "rich_text_list", "style": "ordered", "elements": [item, item]},
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "why"}]},
            ],
        },
        {"type": "divider"},
        {
            "type": "context",
            "elements": [
                {
                    "type": "mrkdwn",
                    "text": "&lt;b&gt; <!date^8100^{date_num} {time}|x> <https://a|b>",
                },
                {"type": "mrkdwn", "text": "<!here> <!subteam^S0MODS> <#C0LIVE> <!date^x>"},
            ],
        },
        {
            "type": "actions",
            "elements": [
                {"type": "button", "text": plain("Review"), "action_id": "review"},
                {
                    "type": "overflow",
                    "action_id": "more",
                    "options": [{"text": plain("x"), "value": "x"}],
                },
            ],
        },
    ]
    await client.chat_postMessage(channel="C0LIVE", text="x", blocks=blocks)
    (message,) = maya.messages("live-ops")
    assert maya.read(message).split("\n") == [
        "kickbot:",
        "  # Kick 42",
        "  @Mo of @mods in #live-ops at 02:15:wave:here@here",
        "  1. <@U0MO>",
        "  2. <@U0MO>",
        "  > why",
        "  ────────────────────",
        "  <b> 1970-01-01 02:15 b  @here @mods #live-ops @date^x",
        "  [ Review ]  [ … ]",
    ]


async def test_a_modal(slack: SlackStandIn, client: AsyncWebClient, maya: Person) -> None:
    options = [option("Spam", "links"), option("Other", "say which")]
    view = {
        "type": "modal",
        "title": plain("Kick"),
        "submit": plain("Review"),
        "close": plain("Back"),
        "blocks": [
            {
                "type": "section",
                "fields": [plain("one"), plain("two")],
                "accessory": {
                    "type": "static_select",
                    "action_id": "where",
                    "options": options,
                    "initial_option": options[0],
                },
            },
            {
                "type": "input",
                "label": plain("Why"),
                "hint": plain("Shown in the channel"),
                "optional": True,
                "element": {"type": "radio_buttons", "action_id": "why", "options": options},
            },
            {
                "type": "input",
                "label": plain("Who"),
                "element": {
                    "type": "external_select",
                    "action_id": "who",
                    "placeholder": plain("Type a name"),
                },
            },
        ],
    }
    await client.views_open(trigger_id=slack.trigger("U0MAYA"), view=view)
    await maya.choose("why", "Other", force=True)
    assert maya.modal.lines() == [
        "┌ Kick",
        "│ one",
        "│ two",
        "│   [Spam (links) ▾]",
        "│ Why (optional)",
        "│   ○ Spam (links)  ◉ Other (say which)",
        "│   Shown in the channel",
        "│ Who",
        "│   [Type a name ⌕]",
        "└ [ Back ]  [ Review ]",
    ]
    assert maya.screen().endswith("[ Back ]  [ Review ]")
