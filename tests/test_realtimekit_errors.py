"""What a reply with an error status means, and what a broken connection means."""

import json
import logging
import ssl

import httpx
import pytest

from bot.realtimekit import (
    GatewayError,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
)
from bot.realtimekit.errors import error_for_exception, error_for_reply

GATEWAY = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}
OWN = {"success": False, "error": {"code": 1, "message": "No user found"}}
STATUSES: list[tuple[int, type[GatewayError]]] = [
    (301, OutcomeUnknown),
    (302, OutcomeUnknown),
    (304, OutcomeUnknown),
    (400, Rejected),
    (401, Rejected),
    (403, Rejected),
    (404, NotFound),
    (405, Rejected),
    (408, OutcomeUnknown),
    (409, Rejected),
    (413, Rejected),
    (418, Rejected),
    (422, Rejected),
    (429, RateLimited),
    (500, OutcomeUnknown),
    (502, OutcomeUnknown),
    (503, OutcomeUnknown),
    (522, OutcomeUnknown),
    (599, OutcomeUnknown),
]
BODIES: list[tuple[bytes, str]] = [
    (json.dumps(OWN).encode(), "No user found"),
    (json.dumps(GATEWAY).encode(), "Authentication error"),
    (b'{"message": "Unauthorized"}', "Unauthorized"),
    (b"<html><body>nginx</body></html>", ""),
    (b"", ""),
    (b"[7]", ""),
    (b'{"error": "text", "errors": [], "message": 7}', ""),
    (b'{"errors": [7], "message": " "}', ""),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize(("body", "message"), BODIES)
def test_what_a_status_means(
    status: int, kind: type[GatewayError], body: bytes, message: str
) -> None:
    error = error_for_reply(httpx.Response(status, content=body))
    assert type(error) is kind
    assert str(error).startswith(f"HTTP {status}: ")
    assert message in str(error)
    assert "html" not in str(error)


@pytest.mark.parametrize("code", [7000, 7003])
def test_a_404_of_the_gateway_is_not_about_a_person(code: int) -> None:
    body = {"success": False, "errors": [{"code": code, "message": "Could not route to /…"}]}
    error = error_for_reply(httpx.Response(404, json=body))
    assert type(error) is Rejected
    assert "check the account id" in str(error)


@pytest.mark.parametrize(("status", "hint"), [(401, "not valid"), (403, "Realtime Admin")])
def test_rejected_credentials_come_with_a_hint(status: int, hint: str) -> None:
    error = error_for_reply(httpx.Response(status, json=GATEWAY))
    assert type(error) is Rejected
    assert hint in str(error)


def test_the_message_of_the_service_is_one_short_line() -> None:
    body = {"error": {"message": "a\n" * 300 + "\ud800"}}
    error = error_for_reply(httpx.Response(500, content=json.dumps(body)))
    assert type(error) is OutcomeUnknown
    assert "\n" not in str(error)
    assert len(str(error)) < 220


def test_a_429_tells_how_long_to_wait() -> None:
    error = error_for_reply(httpx.Response(429, headers={"Retry-After": "7"}))
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("exception", "kind", "message"),
    [
        (httpx.ConnectError("refused"), NotSent, "no connection"),
        (httpx.ConnectTimeout("slow"), NotSent, "no connection"),
        (httpx.PoolTimeout("full"), NotSent, "no connection"),
        (httpx.ReadTimeout("slow"), OutcomeUnknown, "no answer in time"),
        (httpx.WriteTimeout("slow"), OutcomeUnknown, "no answer in time"),
        (httpx.ReadError("reset"), OutcomeUnknown, "no whole answer"),
        (ssl.SSLError("bad record"), OutcomeUnknown, "no whole answer"),
    ],
)
def test_what_a_broken_connection_means(
    exception: httpx.HTTPError | ssl.SSLError,
    kind: type[GatewayError],
    message: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    error = error_for_exception(exception)
    assert (type(error), str(error)) == (kind, message)
    assert repr(exception) in caplog.text
