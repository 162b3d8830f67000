"""Checks of what the bot sends against Block Kit. They refuse it as Slack does."""

import copy
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tests.sandbox.control import Json
from tests.sandbox.slack.block_kit.blocks import Message, Modal
from tests.sandbox.slack.block_kit.objects import Options
from tests.sandbox.slack.errors import ApiError

M = TypeVar("M", bound=BaseModel)

MAX_VIEW_BYTES: Final = 250_000
# Slack limits the text in all blocks of a message. It documents 12,000 characters, but refuses
# 11,341 (https://github.com/slackapi/bolt-js/issues/2867). This limit is below both.
MAX_MESSAGE_TEXT: Final = 10_000

_MESSAGES: Final = {
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
"""Slack's messages, by pydantic's type of error."""


def validate_view(view: object) -> Json:
    """Return the view with all ids filled in. Raises ApiError as views.open would answer."""
    code = "invalid_arguments"
    if not isinstance(view, dict):
        raise ApiError(code, ["[ERROR] must provide an object [json-pointer:/view]"])
    if len(json.dumps(view, ensure_ascii=False).encode()) > MAX_VIEW_BYTES:
        raise ApiError("view_too_large")
    _validate(Modal, view, code, "/view")
    _require_unique_ids(view["blocks"], code, "/view")
    return view | {"blocks": _with_ids(view["blocks"])}


def validate_blocks(blocks: object) -> list[Json]:
    """Return a message's blocks with all ids filled in. Raises ApiError as Slack would answer."""
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    _validate(Message, {"blocks": blocks}, "invalid_blocks")
    _require_unique_ids(blocks, "invalid_blocks")
    if sum(map(len, _texts(blocks))) > MAX_MESSAGE_TEXT:
        raise ApiError("msg_blocks_too_long")
    return _with_ids(blocks)


def validate_options(response: object) -> list[Json]:
    """Return the options in the response to a block_suggestion, without groups. Raises ApiError."""
    options = _validate(Options, response, "invalid_options")
    return [option.model_dump(exclude_none=True) for option in options.all_options()]


def elements_of(block: Json) -> list[Json]:
    """Return the interactive elements of a block."""
    match block:
        case {"type": "section", "accessory": dict(accessory)}:
            return [accessory]
        case {"type": "actions", "elements": list(elements)}:
            return elements
        case {"type": "input", "element": dict(element)}:
            return [element]
        case _:
            return []


def _validate(model: type[M], value: object, code: str, pointer: str = "") -> M:
    """Return the parsed value. `pointer` is the JSON pointer to the value itself."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        messages = [
            f"[ERROR] {_message(detail)} [json-pointer:{pointer}{_pointer(detail, value)}]"
            for detail in error.errors(include_url=False)
        ]
        raise ApiError(code, messages) from error


def _require_unique_ids(blocks: list[Json], code: str, pointer: str = "") -> None:
    messages = [
        f"Block ID needs to be unique: {block_id} [json-pointer:{pointer}/blocks]"
        for block_id in _duplicates(blocks, "block_id")
    ]
    focused = 0
    for number, block in enumerate(blocks):
        elements = elements_of(block)
        focused += sum(element.get("focus_on_load", False) for element in elements)
        messages += [
            f"`action_id` already exists: {action_id} [json-pointer:{pointer}/blocks/{number}]"
            for action_id in _duplicates(elements, "action_id")
        ]
    if focused > 1:
        messages.append(f"only one element can have focus_on_load [json-pointer:{pointer}/blocks]")
    if messages:
        raise ApiError(code, [f"[ERROR] {message}" for message in messages])


def _duplicates(items: Iterable[Json], name: str) -> list[str]:
    counts = Counter(item[name] for item in items if name in item)
    return [value for value, count in counts.items() if count > 1]


def _with_ids(blocks: list[Json]) -> list[Json]:
    filled = copy.deepcopy(blocks)
    for block in filled:
        block.setdefault("block_id", secrets.token_urlsafe(6))
        for element in elements_of(block):
            element.setdefault("action_id", secrets.token_urlsafe(6))
    return filled


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


def _message(detail: ErrorDetails) -> str:
    template = _MESSAGES.get(detail["type"])
    if template is None:
        return detail["msg"]
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
    """Return the JSON pointer of an error, without the tags that pydantic adds for unions."""
    path = list(detail["loc"])
    if detail["type"] in {"missing", "extra_forbidden"}:
        path.pop()
    pointer = ""
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        else:
            continue
        pointer += f"/{step}"
    return pointer
