"""Pieces of Block Kit. Text that people wrote stands only in literal elements, never in mrkdwn.

Limits: https://docs.slack.dev/reference/block-kit
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bot.core.text import display, truncate

Block = dict[str, Any]
Element = dict[str, Any]

OPTION_LIMIT = 75
OPTIONS_LIMIT = 100
SECTION_LIMIT = 3000
TITLE_LIMIT = 24


def plain(text: str, limit: int = SECTION_LIMIT) -> Element:
    """Make a text object in which nothing is a mention, a link or an emoji code."""
    return {"type": "plain_text", "text": truncate(whole(text), limit), "emoji": False}


def whole(text: str) -> str:
    """Mend what no UTF-8 can carry: half of a surrogate pair, which JSON may hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escape(text: str) -> str:
    """Make text safe where Slack insists on mrkdwn: no mention, no link.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return whole(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def section(text: str, accessory: Element | None = None) -> Block:
    """Make a paragraph."""
    block: Block = {"type": "section", "text": plain(text)}
    return {**block, "accessory": accessory} if accessory else block


def context(text: str) -> Block:
    """Make a small grey paragraph."""
    return {"type": "context", "elements": [plain(text)]}


def button(text: str, action_id: str, value: str) -> Element:
    """Make a button."""
    return {
        "type": "button",
        "text": plain(text, OPTION_LIMIT),
        "action_id": action_id,
        "value": value,
    }


def option(text: str, value: str, description: str = "") -> Element:
    """Make an option of a menu."""
    made: Element = {"text": plain(display(text, OPTION_LIMIT), OPTION_LIMIT), "value": value}
    return {**made, "description": plain(description, OPTION_LIMIT)} if description else made


def input_block(
    block_id: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    """Make a question; answers keep through an update while block_id and action_id stay."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label),
        "element": element,
        "optional": optional,
    }
    return {**block, "hint": plain(hint)} if hint else block


def words(text: str, *, bold: bool = False) -> Element:
    """Make a literal piece of rich text."""
    made: Element = {"type": "text", "text": whole(text)}
    return {**made, "style": {"bold": True}} if bold else made


def user(user_id: str) -> Element:
    """Name a Slack user; rich text in a message mentions them, as nothing else here does."""
    return {"type": "user", "user_id": user_id}


def moment(date: datetime) -> Element:
    """Show a time of day, in the reader's own time zone."""
    fallback = f"{date:%H:%M} UTC"
    return {
        "type": "date",
        "timestamp": int(date.timestamp()),
        "format": "{time}",
        "fallback": fallback,
    }


def rich(*parts: Block) -> Block:
    """Make a block of rich text out of lines and bullets."""
    return {"type": "rich_text", "elements": list(parts)}


def line(*elements: Element) -> Block:
    """Make a line of rich text."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(items: Iterable[Sequence[Element]]) -> Block:
    """Make a bulleted list of rich text."""
    return {
        "type": "rich_text_list",
        "style": "bullet",
        "elements": [line(*item) for item in items],
    }


def modal(
    title: str,
    blocks: Sequence[Block],
    *,
    callback_id: str,
    close: str = "Close",
    closes_all: bool = False,
    submit: str | None = None,
    external_id: str | None = None,
    metadata: str = "",
) -> dict[str, Any]:
    """Make a view; with `closes_all` its Close also closes the views under it."""
    view: dict[str, Any] = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, TITLE_LIMIT),
        "close": plain(close, TITLE_LIMIT),
        "blocks": list(blocks),
        "private_metadata": metadata,
    }
    if closes_all:
        view["clear_on_close"] = True
    if submit:
        view["submit"] = plain(submit, TITLE_LIMIT)
    if external_id:
        view["external_id"] = external_id
    return view
