"""Hold what the bot sends against Block Kit, and refuse it the way Slack does."""

import copy
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tests.sandbox.slack.block_kit import Message, Modal
from tests.sandbox.slack.block_model import Options
from tests.sandbox.slack.errors import RefusedError

Json = dict[str, Any]

LARGEST_VIEW = 250_000
# Slack counts all text of a message's blocks: documented as 12,000, refused from 11,341 on in
# the field (slackapi/bolt-js 2867). Kept clear of both.
MOST_TEXT = 10_000

_COMPLAINTS = {
    "string_too_long": "must be less than {over} characters",
    "string_too_short": "must be more than {under} characters",
    "too_long": "no more than {most} items allowed",
    "too_short": "no fewer than {least} items allowed",
    "missing": "missing required field: {name}",
    "extra_forbidden": "invalid additional property: {name}",
    "union_tag_invalid": "unsupported type: {tag}",
    "union_tag_not_found": "missing required field: type",
    "dict_type": "must provide an object",
    "model_type": "must provide an object",
    "model_attributes_type": "must provide an object",
}


def checked_view(view: object) -> Json:
    """Return the view with every id filled in; raise RefusedError as views.* would answer."""
    if not isinstance(view, dict):
        raise RefusedError(
            "invalid_arguments", ["[ERROR] must provide an object [json-pointer:/view]"]
        )
    if len(json.dumps(view, ensure_ascii=False).encode()) > LARGEST_VIEW:
        raise RefusedError("view_too_large")
    try:
        Modal.model_validate(view)
    except ValidationError as error:
        raise RefusedError("invalid_arguments", _messages(error, view, "/view")) from error
    _refuse("invalid_arguments", _clashes(view["blocks"], "/view"))
    return view | {"blocks": _with_ids(view["blocks"])}


def checked_blocks(blocks: object) -> list[Json]:
    """Return a message's blocks with every id filled in, or raise RefusedError."""
    if not isinstance(blocks, list):
        raise RefusedError("invalid_blocks_format")
    try:
        Message.model_validate({"blocks": blocks})
    except ValidationError as error:
        raise RefusedError("invalid_blocks", _messages(error, {"blocks": blocks}, "")) from error
    _refuse("invalid_blocks", _clashes(blocks, ""))
    if sum(map(len, _texts(blocks))) > MOST_TEXT:
        raise RefusedError("msg_blocks_too_long")
    return _with_ids(blocks)


def checked_options(answer: object) -> list[Json]:
    """Return the options in an answer to a type-ahead, flat, or raise RefusedError."""
    try:
        options = Options.model_validate(answer)
    except ValidationError as error:
        raise RefusedError("invalid_options", _messages(error, answer, "")) from error
    return [option.model_dump(exclude_none=True) for option in options.all_options()]


def elements_of(block: Json) -> list[Json]:
    """Give what a person can use in one block."""
    match block:
        case {"type": "section", "accessory": dict(accessory)}:
            return [accessory]
        case {"type": "actions", "elements": list(elements)}:
            return elements
        case {"type": "input", "element": dict(element)}:
            return [element]
        case _:
            return []


def _refuse(error: str, complaints: Sequence[str]) -> None:
    if complaints:
        raise RefusedError(error, [f"[ERROR] {complaint}" for complaint in complaints])


def _clashes(blocks: list[Json], where: str) -> list[str]:
    found = [
        f"Block ID needs to be unique: {block_id} [json-pointer:{where}/blocks]"
        for block_id in _twice(block["block_id"] for block in blocks if "block_id" in block)
    ]
    focused = 0
    for number, block in enumerate(blocks):
        elements = elements_of(block)
        focused += sum(element.get("focus_on_load", False) for element in elements)
        found += [
            f"`action_id` already exists: {action_id} [json-pointer:{where}/blocks/{number}]"
            for action_id in _twice(item["action_id"] for item in elements if "action_id" in item)
        ]
    if focused > 1:
        found.append(f"only one element can have focus_on_load [json-pointer:{where}/blocks]")
    return found


def _twice(ids: Iterator[str]) -> list[str]:
    return [item for item, count in Counter(ids).items() if count > 1]


def _with_ids(blocks: list[Json]) -> list[Json]:
    filled = copy.deepcopy(blocks)
    for block in filled:
        block.setdefault("block_id", _random_id())
        for element in elements_of(block):
            element.setdefault("action_id", _random_id())
    return filled


def _random_id() -> str:
    return secrets.token_urlsafe(6)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)


def _messages(error: ValidationError, value: object, where: str) -> list[str]:
    return [
        f"[ERROR] {_complaint(detail)} [json-pointer:{where}{_pointer(detail, value)}]"
        for detail in error.errors(include_url=False)
    ]


def _complaint(detail: ErrorDetails) -> str:
    template = _COMPLAINTS.get(detail["type"], detail["msg"].replace("{", "{{").replace("}", "}}"))
    context = detail.get("ctx", {})
    return template.format(
        name=detail["loc"][-1] if detail["loc"] else "",
        tag=context.get("tag"),
        most=context.get("max_length", 0),
        least=context.get("min_length", 0),
        over=context.get("max_length", 0) + 1,
        under=context.get("min_length", 0) - 1,
    )


def _pointer(detail: ErrorDetails, value: object) -> str:
    """Give the JSON pointer of an error, without the tags that pydantic adds for unions."""
    path = list(detail["loc"])
    if detail["type"] in {"missing", "extra_forbidden"}:
        path.pop()
    steps = []
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        else:
            continue
        steps.append(f"/{step}")
    return "".join(steps)
