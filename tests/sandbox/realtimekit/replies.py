"""The shapes in which the service and the gateway before it answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is sent; `json` is what `body` says, where that matters."""

    status: int
    body: bytes
    json: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    by_service: bool = True
    """By RealtimeKit rather than by the gateway: its contract holds."""

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        """Return the same with more headers; its own win."""
        return replace(self, headers={**headers, **self.headers})


def of(status: int, body: Any) -> Reply:
    """Answer with JSON."""
    return Reply(status, json.dumps(body).encode(), body)


def success(data: Any, **beside: Any) -> Reply:
    """Answer as the service does when it did what was asked: `data`, not v4's `result`."""
    return of(200, {"success": True, "data": data, **beside})


def failure(status: int, message: str) -> Reply:
    """Answer in the service's shape of errors, whose code is the HTTP status."""
    return of(status, {"success": False, "error": {"code": status, "message": message}})


def bad_request(message: str) -> Reply:
    """Answer to a request that breaks the contract; status and text are not documented."""
    return failure(400, f"BAD_REQUEST {message}")


def gateway(status: int, code: int, message: str, **headers: str) -> Reply:
    """Answer as Cloudflare's gateway does, in v4's shape; RealtimeKit never saw the request."""
    body = {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(of(status, body), headers=named, by_service=False)


def page(status: int, html: str) -> Reply:
    """Answer with a web page, as the edge does when what is behind it is not there."""
    return Reply(status, html.encode(), content_type="text/html", by_service=False)
