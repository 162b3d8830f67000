"""What the `/sandbox/…` endpoints of both stand-ins share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from aiohttp import web

Json = dict[str, Any]
T = TypeVar("T")


def query_int(request: web.Request, name: str) -> int | None:
    """Return a whole number of the query, or None if it is missing. Answers 400 to other values."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text)


def newest(items: Sequence[T], count: int | None) -> Sequence[T]:
    """Return the last `count` items, or all of them for None."""
    return items if count is None else items[max(0, len(items) - count) :]


class LoggedCall(Protocol):
    """A call in the log of a stand-in."""

    def as_json(self) -> Json:
        """Return the call as the page shows it."""


def calls_route(calls: Sequence[LoggedCall], secret: str) -> web.RouteDef:
    """Return the endpoint that lists the bot's calls, with `?last=<n>` only the newest n.

    `secret` is masked wherever it appears.
    """

    async def list_calls(request: web.Request) -> web.Response:
        numbered = newest(list(enumerate(calls)), query_int(request, "last"))
        shown = [call.as_json() | {"number": number} for number, call in numbered]
        text = json.dumps({"calls": shown}).replace(secret, "***")
        return web.json_response(text=text)

    return web.get("/sandbox/calls", list_calls)


@dataclass(frozen=True, slots=True)
class JsonBody:
    """The JSON object in a request. Its methods answer 400 to a missing or wrong value."""

    values: Json

    @classmethod
    async def read(cls, request: web.Request) -> Self:
        """Read the body; an empty one counts as an empty object.

        Answers 400 if it is not a JSON object, and 415 if the content type is not JSON: an HTML
        form on another site cannot send that type.
        """
        text = await request.text()
        try:
            values = json.loads(text) if text else {}
        except ValueError as error:
            raise web.HTTPBadRequest(text="the body is not JSON") from error
        if not isinstance(values, dict):
            raise web.HTTPBadRequest(text="the body must be a JSON object")
        if text and request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="the content type must be application/json")
        return cls(values)

    def text(self, name: str) -> str:
        """Return a string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise web.HTTPBadRequest(text=f"{name} must be a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string, or None if it is missing."""
        return self.text(name) if name in self.values else None

    def texts(self, name: str) -> list[str]:
        """Return a list of strings."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise web.HTTPBadRequest(text=f"{name} must be a list of strings")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number, or `default` if it is missing and there is a default."""
        value: Any = self.values.get(name, default)
        if type(value) not in {int, float}:
            raise web.HTTPBadRequest(text=f"{name} must be a number")
        return float(value)

    def whole_number(self, name: str, default: T) -> int | T:
        """Return a whole number, or `default` if it is missing."""
        if name not in self.values:
            return default
        value = self.values[name]
        if type(value) is not int:  # a boolean is an int, too
            raise web.HTTPBadRequest(text=f"{name} must be a whole number")
        return value
