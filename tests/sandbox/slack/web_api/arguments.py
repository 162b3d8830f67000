"""The arguments of a Web API call: where Slack finds them, and their types.

https://docs.slack.dev/apis/web-api/
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.sandbox.control import Json
from tests.sandbox.slack.errors import ApiError

Parse = Callable[[Any], Any]

_FORM_TYPES: Final = {"application/x-www-form-urlencoded", "multipart/form-data"}


def text(value: Any) -> str:
    """Return a string. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must provide a string")  # noqa: TRY004 - one type for all
    return value


def flag(value: Any) -> bool:
    """Return a boolean, which a form has as a text. Raises ValueError."""
    written = {"true": True, "1": True, "false": False, "0": False}
    known = value if isinstance(value, bool) else written.get(str(value))
    if known is None:
        raise ValueError("must provide a boolean")
    return known


def structure(value: Any) -> Any:
    """Return JSON, which a form has as a text. Block Kit's validation refuses other texts."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


# slack_sdk sends the team's id with every call, if it knows it.
_ALWAYS: Final[Mapping[str, Parse]] = {"team_id": text}


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments of a method, with their types. `reads_json`: it accepts a JSON body."""

    required: Mapping[str, Parse] = field(default_factory=dict)
    optional: Mapping[str, Parse] = field(default_factory=dict)
    reads_json: bool = True

    def parse(self, given: Mapping[str, Any]) -> Json:
        """Return the typed arguments. Raises ApiError with all errors.

        Slack ignores many unknown arguments. A misspelled one is a mistake, so this refuses it.
        """
        known = {**_ALWAYS, **self.required, **self.optional}
        errors = [f"missing required field: {name}" for name in self.required - given.keys()]
        errors += [f"invalid additional property: {name}" for name in given.keys() - known]
        parsed: Json = {}
        for name in known.keys() & given.keys():
            try:
                parsed[name] = known[name](given[name])
            except ValueError as error:
                errors.append(f"{error} [json-pointer:/{name}]")
        if errors:
            raise ApiError("invalid_arguments", [f"[ERROR] {error}" for error in errors])
        return parsed


@dataclass(frozen=True, slots=True)
class Given:
    """What a request carries: the arguments, whether they are JSON, and the token."""

    arguments: Json
    is_json: bool
    token: str | None


async def read(request: web.Request) -> Given:
    """Return a request's arguments and token. Raises ApiError."""
    arguments: Json = dict(request.query)
    is_json = request.content_type == "application/json"
    if is_json:
        arguments |= await _read_json(request)
    elif request.content_type in _FORM_TYPES:
        arguments |= dict(await request.post())
    elif request.can_read_body:
        raise ApiError("invalid_post_type")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token_argument = arguments.pop("token", None)
    if scheme == "Bearer":
        return Given(arguments, is_json, token)
    # Slack reads a token from a form, but not from JSON.
    return Given(arguments, is_json, None if is_json else token_argument)


async def _read_json(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise ApiError("invalid_json") from error
    if not isinstance(body, dict):
        raise ApiError("json_not_object")
    return body
