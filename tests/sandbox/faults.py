"""Faults that a stand-in can play. Tests and the page switch them on by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.sandbox.control import JsonBody


class UnknownFaultError(ValueError):
    """There is no fault of this name. The message lists the names."""


@dataclass(slots=True)
class Fault:
    """A fault that is switched on. `left` is how many requests it still applies to; None: all."""

    parameters: Mapping[str, Any]
    left: int | None


@dataclass(slots=True)
class Faults:
    """The faults of one stand-in. `known` maps each name to what the service then does."""

    known: Mapping[str, str]
    _on: dict[str, Fault] = field(default_factory=dict)

    def switch_on(self, name: str, /, *, times: int | None = None, **parameters: Any) -> None:
        """Play a fault on the next `times` requests that it applies to; None: until switched off.

        Raises UnknownFaultError.
        """
        if name not in self.known:
            raise UnknownFaultError(f"no fault {name!r}; there are {', '.join(sorted(self.known))}")
        self._on[name] = Fault(parameters, times)

    def switch_off(self, name: str | None = None) -> None:
        """Stop playing one fault, or all of them for None."""
        if name is None:
            self._on.clear()
        else:
            self._on.pop(name, None)

    def apply(self, name: str, **context: Any) -> Mapping[str, Any] | None:
        """Return the fault's parameters if it applies to a request, and count the request.

        A parameter that `context` has, too, must be equal there. Otherwise the fault does not
        apply, and the result is None.
        """
        fault = self._on.get(name)
        if fault is None:
            return None
        shared = fault.parameters.keys() & context
        if any(fault.parameters[key] != context[key] for key in shared):
            return None
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                del self._on[name]
        return fault.parameters

    @property
    def on(self) -> list[str]:
        """The names of the faults that are on, sorted."""
        return sorted(self._on)

    def is_on(self, name: str) -> bool:
        """Tell whether a fault is on, without counting a request."""
        return name in self._on

    def routes(self) -> list[web.RouteDef]:
        """Return the HTTP endpoints: GET lists, PUT `{"times": 1, …}` switches on, DELETE off."""
        return [
            web.get("/sandbox/faults", self._list),
            web.put("/sandbox/faults/{name}", self._put),
            web.delete("/sandbox/faults/{name}", self._delete),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        shown = {
            name: {"what": what, "on": name in self._on}
            for name, what in sorted(self.known.items())
        }
        return web.json_response(shown)

    async def _put(self, request: web.Request) -> web.Response:
        body = await JsonBody.read(request)
        times = body.whole_number("times", None)
        parameters = {key: value for key, value in body.values.items() if key != "times"}
        try:
            self.switch_on(request.match_info["name"], times=times, **parameters)
        except UnknownFaultError as error:
            raise web.HTTPNotFound(text=str(error)) from error
        return web.json_response({"on": request.match_info["name"]})

    async def _delete(self, request: web.Request) -> web.Response:
        self.switch_off(request.match_info["name"])
        return web.json_response({"off": request.match_info["name"]})
