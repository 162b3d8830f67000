"""Block Kit helpers. People's text goes into literal elements only, never into mrkdwn.

Limits: https://docs.slack.dev/reference/block-kit
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.core.text import display, truncate

Block = dict[str, Any]
Element = dict[str, Any]
Modal = dict[str, Any]
Message = Mapping[str, Any]

# Stored in messages and open modals of earlier versions: the values must stay.
TEXT_MODAL = "kick_note"
CANCEL_REQUEST = "cancel_request"
KICK_AGAIN = "kick_again"
CHECK_AGAIN = "check_again"

OPTION_LIMIT = 75
MAX_OPTIONS = 100
SECTION_LIMIT = 3000
TITLE_LIMIT = 24
NOTIFICATION_LIMIT = 500


def plain_text(text: str, limit: int = SECTION_LIMIT) -> Element:
    """Return a text object in which nothing is a mention, a link or an emoji code."""
    return {"type": "plain_text", "text": truncate(valid_unicode(text), limit), "emoji": False}


def valid_unicode(text: str) -> str:
    """Replace halves of surrogate pairs: JSON can hold them, UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escape(text: str) -> str:
    """Escape text where Slack accepts mrkdwn only, so that it can't mention or link.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return valid_unicode(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def section(text: str, accessory: Element | None = None) -> Block:
    """Return a paragraph."""
    block: Block = {"type": "section", "text": plain_text(text)}
    return {**block, "accessory": accessory} if accessory else block


def context(text: str) -> Block:
    """Return a small grey paragraph."""
    return {"type": "context", "elements": [plain_text(text)]}


def actions(*buttons: Element) -> Block:
    """Return a row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def button(text: str, action_id: str, value: str) -> Element:
    """Return a button."""
    label = plain_text(text, OPTION_LIMIT)
    return {"type": "button", "text": label, "action_id": action_id, "value": value}


def again_buttons(kick_id: str, *, has_unknown: bool) -> list[Element]:
    """Return *Kick again*, and *Check again* if an outcome is unknown."""
    buttons = [button("Kick again", KICK_AGAIN, kick_id)]
    return [*buttons, button("Check again", CHECK_AGAIN, kick_id)] if has_unknown else buttons


def cancel_button(kick_id: str) -> Element:
    """Return the button with which a requester cancels a request, after a confirmation."""
    return {
        **button("Cancel request", CANCEL_REQUEST, kick_id),
        "style": "danger",
        "confirm": {
            "title": plain_text("Cancel request"),
            "text": plain_text("Nobody will be removed by it."),
            "confirm": plain_text("Cancel request"),
            "deny": plain_text("Keep it"),
        },
    }


def option(text: str, value: str, description: str = "") -> Element:
    """Return an option of a menu."""
    label = plain_text(display(text, OPTION_LIMIT), OPTION_LIMIT)
    made: Element = {"text": label, "value": value}
    return {**made, "description": plain_text(description, OPTION_LIMIT)} if description else made


def text_input(action_id: str, max_length: int, *, multiline: bool = False) -> Element:
    """Return a field to type into."""
    return {
        "type": "plain_text_input",
        "action_id": action_id,
        "multiline": multiline,
        "max_length": max_length,
    }


def search_menu(kind: str, action_id: str, placeholder: str) -> Element:
    """Return a menu whose options the bot searches, from the first click on."""
    shown = plain_text(placeholder)
    return {"type": kind, "action_id": action_id, "placeholder": shown, "min_query_length": 0}


def input_block(
    block_id: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    """Return a question. Slack keeps its answer in an update while both ids stay the same."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label),
        "element": element,
        "optional": optional,
    }
    return {**block, "hint": plain_text(hint)} if hint else block


def rich_text(*parts: Block) -> Block:
    """Return a block of rich text, made of lines and lists."""
    return {"type": "rich_text", "elements": list(parts)}


def line(*elements: Element) -> Block:
    """Return a line of rich text."""
    return {"type": "rich_text_section", "elements": list(elements)}


def bullets(items: Iterable[Sequence[Element]]) -> Block:
    """Return a bulleted list of rich text."""
    lines = [line(*item) for item in items]
    return {"type": "rich_text_list", "style": "bullet", "elements": lines}


def text(content: str, *, bold: bool = False) -> Element:
    """Return a literal piece of rich text."""
    made: Element = {"type": "text", "text": valid_unicode(content)}
    return {**made, "style": {"bold": True}} if bold else made


def user(user_id: str) -> Element:
    """Return a mention of a Slack user. In a message, Slack notifies them."""
    return {"type": "user", "user_id": user_id}


def time_of_day(date: datetime) -> Element:
    """Return a time that Slack shows in the reader's time zone."""
    seconds, fallback = int(date.timestamp()), f"{date:%H:%M} UTC"
    return {"type": "date", "timestamp": seconds, "format": "{time}", "fallback": fallback}


def person(name: str, details: str = "", rejoined_at: datetime | None = None) -> list[Element]:
    """Return a name in bold, then details, then when the person came back."""
    made = [text(name, bold=True), *([text(details)] if details else [])]
    if rejoined_at:
        made += [text(", came back "), time_of_day(rejoined_at)]
    return made


def headline(user_id: str, deed: str, place: str, rest: str) -> Block:
    """Return the line that says which user did what, in which meeting."""
    return line(user(user_id), text(deed), text(place, bold=True), text(rest))


def waiting_time(since: datetime, until: datetime | None) -> Block:
    """Return the line that says since when a request waits, and until when."""
    end = [text(", until "), time_of_day(until)] if until else []
    return line(text("Waits since "), time_of_day(since), *end)


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
) -> Modal:
    """Return a modal. With `closes_all`, its close button also closes the modals under it."""
    view: Modal = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain_text(title, TITLE_LIMIT),
        "close": plain_text(close, TITLE_LIMIT),
        "blocks": list(blocks),
        "private_metadata": metadata,
    }
    if closes_all:
        view["clear_on_close"] = True
    if submit:
        view["submit"] = plain_text(submit, TITLE_LIMIT)
    if external_id:
        view["external_id"] = external_id
    return view


def text_modal(
    title: str, content: str, *, external_id: str | None = None, metadata: str = ""
) -> Modal:
    """Return a modal that only shows a text: for loading, for a refusal, or for a failure."""
    shown = [section(content)]
    return modal(title, shown, callback_id=TEXT_MODAL, external_id=external_id, metadata=metadata)


def message(summary: str, blocks: Sequence[Block]) -> Message:
    """Return a message. `summary` is what a notification shows and a screen reader reads."""
    # Cut before escaping: escaping can make five characters of one.
    return {"text": escape(truncate(summary, NOTIFICATION_LIMIT)), "blocks": list(blocks)}


def text_message(content: str) -> Message:
    """Return a message that is only a text."""
    return message(content, [section(content)])
