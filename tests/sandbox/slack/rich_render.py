"""Rich text as lines of text."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.sandbox.slack.names import Names, date

Json = dict[str, Any]

_RUNS: dict[str, Callable[[Json, Names], str]] = {
    "text": lambda run, _: str(run["text"]),
    "user": lambda run, names: f"@{names.user(run['user_id'])}",
    "usergroup": lambda run, names: names.group(run["usergroup_id"]),
    "channel": lambda run, names: names.channel(run["channel_id"]),
    "broadcast": lambda run, _: f"@{run['range']}",
    "date": lambda run, _: date(run["timestamp"], run["format"]),
    "link": lambda run, _: str(run.get("text", run["url"])),
    "emoji": lambda run, _: f":{run['name']}:",
}


def rich_text(block: Json, names: Names) -> list[str]:
    """Draw a rich_text block."""
    lines = (line for element in block["elements"] for line in _element(element, names))
    return "\n".join(lines).split("\n")


def _element(element: Json, names: Names) -> Iterator[str]:
    if element["type"] == "rich_text_list":
        yield from _bullets(element, names)
    else:
        mark = "> " if element["type"] == "rich_text_quote" else ""
        yield mark + _runs(element, names)


def _bullets(element: Json, names: Names) -> Iterator[str]:
    indent = "  " * element.get("indent", 0)
    for number, item in enumerate(element["elements"], start=1 + element.get("offset", 0)):
        mark = f"{number}." if element["style"] == "ordered" else "•"
        yield f"{indent}{mark} {_runs(item, names)}"


def _runs(element: Json, names: Names) -> str:
    return "".join(_RUNS[run["type"]](run, names) for run in element["elements"])
