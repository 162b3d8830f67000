"""The arguments of a Web API call: where Slack finds them, and what it makes of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.sandbox.slack.errors import RefusedError

Json = dict[str, Any]
Parse = Callable[[Any], Any]

FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}


def text(value: Any) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise ValueError("must provide a string")  # noqa: TRY004 - one kind of complaint
    return value


def flag(value: Any) -> bool:
    """Take a boolean, or one of the ways to write it into a form."""
    written = {"true": True, "1": True, "false": False, "0": False}
    known = value if isinstance(value, bool) else written.get(str(value))
    if known is None:
        raise ValueError("must provide a boolean")
    return known


def structure(value: Any) -> Any:
    """Take JSON, or a string of it; what is no JSON is passed on, for Block Kit to refuse."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


# slack_sdk sends the team with every call of a client that knows it.
_ALWAYS: Mapping[str, Parse] = {"team_id": text}


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments that a method takes, each with how it is read."""

    required: Mapping[str, Parse]
    optional: Mapping[str, Parse]
    reads_json: bool = True

    def parse(self, given: Mapping[str, Any]) -> Json:
        """Return the arguments read, or refuse them all with every complaint there is.

        Slack passes over many an argument it doesn't know; one that is spelled wrong is a
        mistake all the same, and refused here.
        """
        takes = {**_ALWAYS, **self.required, **self.optional}
        complaints = [f"missing required field: {name}" for name in self.required - given.keys()]
        complaints += [f"invalid additional property: {name}" for name in given.keys() - takes]
        parsed: Json = {}
        for name in takes.keys() & given.keys():
            try:
                parsed[name] = takes[name](given[name])
            except ValueError as error:
                complaints.append(f"{error} [json-pointer:/{name}]")
        if complaints:
            raise RefusedError("invalid_arguments", [f"[ERROR] {item}" for item in complaints])
        return parsed


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request carried: its arguments, whether in JSON, and the token."""

    arguments: Json
    is_json: bool
    token: str | None


async def read(request: web.Request) -> Sent:
    """Read a request's query, body and token."""
    given: Json = dict(request.query)
    is_json = request.content_type == "application/json"
    if is_json:
        given |= await _json(request)
    elif request.content_type in FORMS:
        given |= dict(await request.post())
    elif request.can_read_body:
        raise RefusedError("invalid_post_type")
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    in_body = given.pop("token", None)
    if scheme == "Bearer":
        return Sent(given, is_json, bearer)
    # In a JSON body Slack does not look for a token.
    return Sent(given, is_json, None if is_json else in_body)


async def _json(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise RefusedError("invalid_json") from error
    if not isinstance(body, dict):
        raise RefusedError("json_not_object")
    return body
