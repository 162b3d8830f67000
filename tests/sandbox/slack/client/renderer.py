"""Views and messages as lines of text, with what a user sees in Slack's client."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.sandbox.control import Json
from tests.sandbox.slack.workspace.chat import Message
from tests.sandbox.slack.workspace.directory import Directory
from tests.sandbox.slack.workspace.form import EXTERNAL, MULTI, Element, Form
from tests.sandbox.slack.workspace.views import View

_MARKUP: Final = re.compile(r"<([^<>]+)>")
_DATE: Final = re.compile(r"!date\^(-?\d{1,11})\^([^^]+)")

_RUNS: Final[dict[str, Callable[[Json, Directory], str]]] = {
    "text": lambda run, _: str(run["text"]),
    "user": lambda run, names: f"@{names.user_name(run['user_id'])}",
    "usergroup": lambda run, names: names.group_name(run["usergroup_id"]),
    "channel": lambda run, names: names.channel_name(run["channel_id"]),
    "broadcast": lambda run, _: f"@{run['range']}",
    "date": lambda run, _: _date(run["timestamp"], run["format"]),
    "link": lambda run, _: str(run.get("text", run["url"])),
    "emoji": lambda run, _: f":{run['name']}:",
}


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders with the names of one workspace."""

    directory: Directory

    def view(self, view: View) -> list[str]:
        """Return the lines of a modal: title, blocks, errors and buttons."""
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
        """Return the lines of a message: its blocks, or its text if it has none."""
        author = self.directory.user_name(message.author)
        mark = "  (only visible to you)" if message.only_for else ""
        lines = [line for block in message.blocks for line in self._block(block, Form())]
        lines = lines or self._mrkdwn(message.text).split("\n")
        edited = [" (edited)"] if message.is_edited else []
        return [f"{author}:{mark}", *(f"  {line}" for line in [*lines, *edited])]

    def _mrkdwn(self, text: str) -> str:
        """Return the text with mentions as names and links as their labels."""
        shown = _MARKUP.sub(lambda found: self._reference(found[1]), text)
        for escaped, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
            shown = shown.replace(escaped, character)
        return shown

    def _reference(self, inner: str) -> str:
        target, _, label = inner.partition("|")
        if found := _DATE.match(target):
            return _date(int(found[1]), found[2])
        if target.startswith("!subteam^"):
            return label or self.directory.group_name(target.removeprefix("!subteam^"))
        if target.startswith("@"):
            return f"@{self.directory.user_name(target[1:])}"
        if target.startswith("#"):
            return self.directory.channel_name(target[1:])
        return f"@{target[1:]}" if target.startswith("!") else label or target

    def _block(self, block: Json, form: Form) -> list[str]:
        match block["type"]:
            case "section":
                return self._section(block, form)
            case "input":
                return self._input(block, form)
            case "rich_text":
                lines = [line for part in block["elements"] for line in self._rich_text(part)]
                return "\n".join(lines).split("\n")
            case _:
                return [self._line(block, form)]

    def _line(self, block: Json, form: Form) -> str:
        match block["type"]:
            case "header":
                return f"# {block['text']['text']}"
            case "context":
                return "  ".join(self._text(item) for item in block["elements"])
            case "actions":
                return "  ".join(self._element(block, item, form) for item in block["elements"])
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
        return [*lines, f"  {self._element(block, accessory, form)}"] if accessory else lines

    def _input(self, block: Json, form: Form) -> list[str]:
        optional = " (optional)" if block.get("optional") else ""
        hint = [f"  {block['hint']['text']}"] if "hint" in block else []
        shown = self._element(block, block["element"], form)
        return [f"{block['label']['text']}{optional}", f"  {shown}", *hint]

    def _rich_text(self, part: Json) -> Iterator[str]:
        if part["type"] != "rich_text_list":
            yield ("> " if part["type"] == "rich_text_quote" else "") + self._runs(part)
            return
        indent = "  " * part.get("indent", 0)
        for number, item in enumerate(part["elements"], start=1 + part.get("offset", 0)):
            mark = f"{number}." if part["style"] == "ordered" else "•"
            yield f"{indent}{mark} {self._runs(item)}"

    def _runs(self, part: Json) -> str:
        return "".join(_RUNS[run["type"]](run, self.directory) for run in part["elements"])

    def _element(self, block: Json, json: Json, form: Form) -> str:
        element = Element(block, json)
        if element.type == "button":
            return f"[ {json['text']['text']} ]"
        if element.type == "overflow":
            return "[ … ]"
        value = form.value(element)
        placeholder = json.get("placeholder", {}).get("text", "") or "…"
        if element.type in {"radio_buttons", "checkboxes"}:
            return self._choices(json, value)
        if element.type == "plain_text_input":
            return f"[{value or placeholder}]"
        chosen = value if element.type in MULTI else [value] if value else []
        names = ", ".join(self._option(option) for option in chosen)
        return f"[{names or placeholder} {'⌕' if element.type in EXTERNAL else '▾'}]"

    def _choices(self, json: Json, value: Any) -> str:
        chosen = value if isinstance(value, list) else [value]
        on, off = ("☑", "☐") if json["type"] == "checkboxes" else ("◉", "○")
        return "  ".join(
            f"{on if option in chosen else off} {self._option(option)}"
            for option in json["options"]
        )

    def _option(self, option: Json) -> str:
        about = option.get("description")
        text = self._text(option["text"])
        return f"{text} ({self._text(about)})" if about else text

    def _text(self, text: Json) -> str:
        return self._mrkdwn(text["text"]) if text["type"] == "mrkdwn" else str(text["text"])


def _date(seconds: int, template: str) -> str:
    """Fill in Slack's date template for a reader in UTC."""
    time = datetime.fromtimestamp(seconds, UTC)
    day = f"{time:%B} {time.day}, {time.year}"
    tokens = {
        "{date_num}": f"{time:%Y-%m-%d}",
        "{date_short_pretty}": day,
        "{date_long_pretty}": day,
        "{date_pretty}": day,
        "{date_short}": day,
        "{date_long}": day,
        "{date}": day,
        "{time_secs}": f"{time:%H:%M:%S}",
        "{time}": f"{time:%H:%M}",
        "{ago}": f"at {time:%H:%M}",
    }
    for token, shown in tokens.items():
        template = template.replace(token, shown)
    return template
