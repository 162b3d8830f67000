"""Views and messages as lines of text, the way a person would see them."""

import re
from typing import Any

from tests.sandbox.slack.chat import Message
from tests.sandbox.slack.directory import Directory
from tests.sandbox.slack.form import EXTERNAL, MULTI, Form, Used
from tests.sandbox.slack.names import Names, date
from tests.sandbox.slack.rich_render import rich_text
from tests.sandbox.slack.views import View

Json = dict[str, Any]

_MARKUP = re.compile(r"<([^<>]+)>")
_DATE = re.compile(r"!date\^(-?\d{1,11})\^([^^]+)")


class Renderer:
    """Draws with the names of one workspace."""

    def __init__(self, directory: Directory) -> None:
        self._names = Names(directory)

    def view(self, view: View) -> list[str]:
        """Draw a modal: title, blocks, errors, and its buttons."""
        content = view.content
        lines = [f"┌ {content['title']['text']}"]
        lines += [f"│ ⚠ {view.strip}"] if view.strip else []
        for block in view.blocks:
            error = view.errors.get(block["block_id"])
            lines += [f"│ {line}" for line in self._block(block, view.form)]
            lines += [f"│   ✗ {error}"] if error else []
        submit = [f"[ {content['submit']['text']} ]"] if "submit" in content else []
        close = content.get("close", {"text": "Cancel" if submit else "Close"})["text"]
        return [*lines, f"└ {'  '.join([f'[ {close} ]', *submit])}"]

    def message(self, message: Message) -> list[str]:
        """Draw a message: its blocks, or its text if it has none."""
        author = self._names.user(message.author)
        mark = "  (only visible to you)" if message.only_for else ""
        lines = [line for block in message.blocks for line in self._block(block, Form())]
        lines = lines or self.mrkdwn(message.text).split("\n")
        edited = [" (edited)"] if message.is_edited else []
        return [f"{author}:{mark}", *(f"  {line}" for line in [*lines, *edited])]

    def mrkdwn(self, text: str) -> str:
        """Show markup as a reader sees it: mentions as names, links as words."""
        shown = _MARKUP.sub(lambda found: self._reference(found[1]), text)
        for escaped, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
            shown = shown.replace(escaped, character)
        return shown

    def _reference(self, inner: str) -> str:
        target, _, label = inner.partition("|")
        if found := _DATE.match(target):
            return date(int(found[1]), found[2])
        if target.startswith("!subteam^"):
            return label or self._names.group(target.removeprefix("!subteam^"))
        if target.startswith("@"):
            return f"@{self._names.user(target[1:])}"
        if target.startswith("#"):
            return self._names.channel(target[1:])
        return f"@{target[1:]}" if target.startswith("!") else label or target

    def _block(self, block: Json, form: Form) -> list[str]:
        kind = block["type"]
        if kind == "section":
            return self._section(block, form)
        if kind == "input":
            return self._input(block, form)
        if kind == "rich_text":
            return rich_text(block, self._names)
        return [self._line(block, form)]

    def _line(self, block: Json, form: Form) -> str:
        match block["type"]:
            case "header":
                return f"# {block['text']['text']}"
            case "context":
                return "  ".join(self._text(item) for item in block["elements"])
            case "actions":
                return "  ".join(self._used(block, item, form) for item in block["elements"])
            case _:
                return "─" * 20

    def _section(self, block: Json, form: Form) -> list[str]:
        texts = [block["text"]] if "text" in block else []
        lines = [
            line
            for text in [*texts, *block.get("fields", ())]
            for line in self._text(text).split("\n")
        ]
        accessory = block.get("accessory")
        return [*lines, f"  {self._used(block, accessory, form)}"] if accessory else lines

    def _input(self, block: Json, form: Form) -> list[str]:
        optional = " (optional)" if block.get("optional") else ""
        hint = [f"  {block['hint']['text']}"] if "hint" in block else []
        shown = self._used(block, block["element"], form)
        return [f"{block['label']['text']}{optional}", f"  {shown}", *hint]

    def _used(self, block: Json, element: Json, form: Form) -> str:
        kind = element["type"]
        if kind == "button":
            return f"[ {element['text']['text']} ]"
        if kind == "overflow":
            return "[ … ]"
        value = form.value(Used(block, element))
        if kind in {"radio_buttons", "checkboxes"}:
            return self._ticks(element, value)
        if kind == "plain_text_input":
            return f"[{value or _placeholder(element)}]"
        chosen = value if kind in MULTI else [value] if value else []
        names = ", ".join(self._option(option) for option in chosen)
        return f"[{names or _placeholder(element)} {'⌕' if kind in EXTERNAL else '▾'}]"

    def _ticks(self, element: Json, value: Any) -> str:
        chosen = value if isinstance(value, list) else [value]
        on, off = ("☑", "☐") if element["type"] == "checkboxes" else ("◉", "○")
        return "  ".join(
            f"{on if option in chosen else off} {self._option(option)}"
            for option in element["options"]
        )

    def _option(self, option: Json) -> str:
        about = option.get("description")
        text = self._text(option["text"])
        return f"{text} ({self._text(about)})" if about else text

    def _text(self, text: Json) -> str:
        return self.mrkdwn(text["text"]) if text["type"] == "mrkdwn" else str(text["text"])


def _placeholder(element: Json) -> str:
    return str(element.get("placeholder", {}).get("text", "")) or "…"
