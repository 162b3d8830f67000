"""Faults that a stand-in can play, switched on from outside, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


class UnknownFaultError(ValueError):
    """No fault of this name; the message lists those there are."""


@dataclass(slots=True)
class Fault:
    """One fault, switched on: `how` are its parameters, `left` the requests it still strikes."""

    how: Mapping[str, Any]
    left: int | None


@dataclass(slots=True)
class Faults:
    """The faults of one stand-in; `known` says of each, by name, what the service then does."""

    known: Mapping[str, str]
    _on: dict[str, Fault] = field(default_factory=dict)

    def switch_on(self, name: str, *, times: int | None = None, **how: Any) -> None:
        """Play a fault on the next `times` requests it applies to; None: until off."""
        if name not in self.known:
            raise UnknownFaultError(f"no fault {name!r}; there are {', '.join(sorted(self.known))}")
        self._on[name] = Fault(how, times)

    def switch_off(self, name: str | None = None) -> None:
        """Stop playing one fault, or all."""
        if name is None:
            self._on.clear()
        else:
            self._on.pop(name, None)

    def strike(self, name: str, **where: Any) -> Mapping[str, Any] | None:
        """Return the fault's parameters if it is on and meant here, using up one of its times.

        A parameter that is also in `where` must be equal to it; those in only one don't matter.
        """
        fault = self._on.get(name)
        if fault is None or any(fault.how[key] != where[key] for key in fault.how.keys() & where):
            return None
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                del self._on[name]
        return fault.how

    @property
    def on(self) -> list[str]:
        """The names of those that are on."""
        return sorted(self._on)

    def is_on(self, name: str) -> bool:
        """Tell whether the fault is on, without using it up."""
        return name in self._on

    def routes(self) -> list[web.RouteDef]:
        """HTTP control: GET lists, PUT `{"times": 1, …}` switches one on, DELETE off."""
        return [
            web.get("/sandbox/faults", self._list),
            web.put("/sandbox/faults/{name}", self._put),
            web.delete("/sandbox/faults/{name}", self._delete),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                name: {"what": what, "on": name in self._on}
                for name, what in sorted(self.known.items())
            },
        )

    async def _put(self, request: web.Request) -> web.Response:
        how = await _parameters(request)
        times = how.pop("times", None)
        if times is not None and type(times) is not int:
            raise web.HTTPBadRequest(text="times must be a whole number")
        try:
            self.switch_on(request.match_info["name"], times=times, **how)
        except UnknownFaultError as error:
            raise web.HTTPNotFound(text=str(error)) from error
        return web.json_response({"on": request.match_info["name"]})

    async def _delete(self, request: web.Request) -> web.Response:
        self.switch_off(request.match_info["name"])
        return web.json_response({"off": request.match_info["name"]})


async def _parameters(request: web.Request) -> dict[str, Any]:
    """Read a fault's parameters; an empty body counts as none."""
    try:
        given = await request.json() if request.can_read_body else {}
    except ValueError as error:
        raise web.HTTPBadRequest(text="no JSON") from error
    if not isinstance(given, dict) or "name" in given:
        raise web.HTTPBadRequest(text="send an object, without a name")
    return given
