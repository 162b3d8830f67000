"""The responses of RealtimeKit and of Cloudflare's edge in front of it, before they are sent."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.sandbox.realtimekit.rows import iso


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response. `json` is the value that `body` encodes, if the contract is to be checked."""

    status: int
    body: bytes
    json: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> "ApiResponse":
        """Return a copy with more headers. The response's own values win."""
        return replace(self, headers={**headers, **self.headers})

    def shifted(self, offset: timedelta) -> "ApiResponse":
        """Return a copy in whose JSON every date is later by `offset`."""
        if not offset or self.json is None:
            return self
        body = _DATE.sub(lambda found: _shift(found, offset), self.body.decode())
        return replace(self, body=body.encode(), json=json.loads(body))


_DATE = re.compile(r"(?<=\")[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z")


def _shift(date: re.Match[str], offset: timedelta) -> str:
    return iso(datetime.fromisoformat(date[0]) + offset)


def json_response(status: int, body: Any) -> ApiResponse:
    """Return a response with a JSON body."""
    return ApiResponse(status, json.dumps(body).encode(), body)


def html_response(status: int, html: str) -> ApiResponse:
    """Return a web page, as the edge sends when the service behind it does not answer."""
    return ApiResponse(status, html.encode(), content_type="text/html")


def success(data: Any, **beside: Any) -> ApiResponse:
    """Return the service's success: `data`, not the `result` of Cloudflare's v4 API."""
    return json_response(200, {"success": True, "data": data, **beside})


def failure(status: int, message: str) -> ApiResponse:
    """Return the service's error, whose code is the HTTP status."""
    error = {"code": status, "message": message}
    return json_response(status, {"success": False, "error": error})


def bad_request(message: str) -> ApiResponse:
    """Return the error for a request that breaks the contract. Its text is not documented."""
    return failure(400, f"BAD_REQUEST {message}")


def not_found(kind: str, wanted: str) -> ApiResponse:
    """Return the error for an unknown id.

    For most operations the contract declares only 200 and 500, so the status is a guess, in the
    form that is documented for the kick.
    """
    return failure(404, f"No {kind} found with id {wanted}")


def no_active_session(meeting_id: str) -> ApiResponse:
    """Return the error for a meeting without a live session. For a kick, this is a guess."""
    return failure(404, f"No active session found for meeting_id {meeting_id}")


def internal_error(status: int = 500) -> ApiResponse:
    """Return the service's own failure."""
    return failure(status, "Internal Server Error")


def edge_error(
    status: int, code: int, message: str, headers: Mapping[str, str] | None = None
) -> ApiResponse:
    """Return an error of the edge, in the form of Cloudflare's v4 API. The service was not asked.

    https://developers.cloudflare.com/fundamentals/api/troubleshooting/
    """
    errors = [{"code": code, "message": message}]
    body = {"success": False, "errors": errors, "messages": [], "result": None}
    return replace(json_response(status, body), headers=headers or {})
