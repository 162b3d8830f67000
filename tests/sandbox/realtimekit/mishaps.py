"""Faults of the way there and back: what is played instead of, before or after an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

from tests.sandbox.faults import Faults
from tests.sandbox.realtimekit import gateway, replies
from tests.sandbox.realtimekit.replies import Reply


class Delivery(Enum):
    """How an answer reaches the client, or doesn't."""

    WHOLE = auto()
    HALF = auto()
    DRIPPING = auto()
    NEVER = auto()
    RESET = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Mishap:
    """One fault: what it is, whether what was asked is done all the same, and what is answered."""

    what: str
    effect: bool = False
    answer: Callable[[Mapping[str, Any]], Reply] | None = None
    delivery: Delivery = Delivery.WHOLE
    only: str | None = None
    """The one operation it can strike; None: any."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A mishap that strikes a request, with its parameters."""

    mishap: Mishap
    how: Mapping[str, Any]

    @property
    def effect(self) -> bool:
        """Tell whether what was asked is done all the same."""
        return bool(self.how.get("effect", self.mishap.effect))

    def instead_of(self, reply: Reply) -> Reply:
        """Return what is answered where `reply` would have been."""
        return reply if self.mishap.answer is None else self.mishap.answer(self.how)


def _rate_limited(how: Mapping[str, Any]) -> Reply:
    return gateway.too_many(how.get("retry_after"))


def _server_error(how: Mapping[str, Any]) -> Reply:
    return replies.failure(how.get("status", 500), "Internal Server Error")


def _bad_gateway(how: Mapping[str, Any]) -> Reply:
    status = how.get("status", 502)
    return replies.page(status, f"<html><body><h1>Error {status}</h1>Bad gateway</body></html>")


def _empty_body(how: Mapping[str, Any]) -> Reply:
    return Reply(how.get("status", 200), b"", by_service=False)


def _wrong_shape(how: Mapping[str, Any]) -> Reply:
    body = how.get("body", {"result": [{"kicked": "yes"}]})
    return replace(replies.of(200, body), by_service=False)


def _success_false(_: Mapping[str, Any]) -> Reply:
    return replies.of(200, {"success": False, "data": {}})


def _kick_empty(_: Mapping[str, Any]) -> Reply:
    return replies.success({"action": "kick", "participants": []})


def _unknown_format(_: Mapping[str, Any]) -> Reply:
    return replies.page(200, "<html><body>Checking your browser</body></html>")


MISHAPS: Final[Mapping[str, Mishap]] = MappingProxyType(
    {
        "rate_limited": Mishap(
            "429; `retry_after` seconds, or none named",
            answer=_rate_limited,
        ),
        "unauthorized": Mishap("401: the token is none", answer=lambda _: gateway.unauthorized()),
        "forbidden": Mishap("403: the token may not do this", answer=lambda _: gateway.forbidden()),
        "server_error": Mishap("`status` (500) in the service's shape", answer=_server_error),
        "bad_gateway": Mishap("`status` (502) with a web page", answer=_bad_gateway),
        "unknown_format": Mishap("200 with a web page", answer=_unknown_format),
        "empty_body": Mishap(
            "`status` (200) with nothing, after the effect", effect=True, answer=_empty_body
        ),
        "wrong_shape": Mishap(
            "200 with JSON of another shape (`body`), after the effect",
            effect=True,
            answer=_wrong_shape,
        ),
        "success_false": Mishap("200 that says success: false", answer=_success_false),
        "kick_empty": Mishap("a kick is answered with nobody", answer=_kick_empty, only="kick"),
        "truncated": Mishap(
            "half of the JSON, after the effect", effect=True, delivery=Delivery.HALF
        ),
        "dripping": Mishap(
            "byte by byte, `seconds` (0.1) apart; `endless` if so, after the effect",
            effect=True,
            delivery=Delivery.DRIPPING,
        ),
        "hang": Mishap("no answer, ever", delivery=Delivery.NEVER),
        "reset_before": Mishap(
            "the connection is reset once the request was read", delivery=Delivery.RESET
        ),
        "reset_after": Mishap(
            "the connection is reset after the effect", effect=True, delivery=Delivery.RESET
        ),
        "closed_before": Mishap(
            "the connection is closed once the request was read", delivery=Delivery.CLOSED
        ),
        "closed_after": Mishap(
            "the connection is closed after the effect", effect=True, delivery=Delivery.CLOSED
        ),
    }
)
"""By name, in the order in which one is picked when several are on. `effect` overrides each."""

SLOW: Final = "every answer takes `seconds` (1) longer; `late`: what was asked is done only then"


def strike(faults: Faults, where: Mapping[str, Any]) -> Struck | None:
    """Find the mishap that strikes this request, using up one of its times."""
    for name, mishap in MISHAPS.items():
        if mishap.only is None or mishap.only == where["op"]:
            how = faults.strike(name, **where)
            if how is not None:
                return Struck(mishap, how)
    return None
