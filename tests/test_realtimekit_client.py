"""The client over a transport that answers at once: requests, errors, retries, rate limit."""

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bot.realtimekit import (
    App,
    CustomId,
    GatewayError,
    MeetingId,
    NotFound,
    NotSent,
    OutcomeUnknown,
    ParticipantId,
    RateLimit,
    RateLimited,
    RealtimeKit,
    Rejected,
    SessionId,
    http_client,
)
from tests.sandbox.realtimekit.contract import Contract

TOKEN = "cf-token-that-opens-nothing"
APP = App("0123456789abcdef0123456789abcdef", "5a4d0b0c-6f0e-4c58-9a54", SecretStr(TOKEN))
AMA = MeetingId("3a1d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b")
SESSION = SessionId("9e1d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b")
MALLORY = ParticipantId("813432c7-3c5a-45e2-9acf-eef7061c7584")
KICKED = {"success": True, "data": {"action": "kick", "participants": [{"id": MALLORY}]}}

Answer = httpx.Response | Exception


class Service:
    """Gives the answers in turn and repeats the last one. Records the requests."""

    def __init__(self, *answers: Answer | Callable[[httpx.Request], Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer if isinstance(answer, httpx.Response | Exception) else answer(request)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def sent(self) -> list[str]:
        return [request.method for request in self.requests]


class FakeTime:
    """A clock that moves only while a test or the client sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def client(service: Service, time: FakeTime | None = None, **options: Any) -> RealtimeKit:
    transport = httpx.MockTransport(service)
    http = httpx.AsyncClient(transport=transport, base_url="https://api.example/client/v4")
    time = time or FakeTime()
    return RealtimeKit(http, APP, rate_limit=RateLimit(clock=time), sleep=time.sleep, **options)


def ok(body: Any = KICKED, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=body, headers=headers)


def kick(rtk: RealtimeKit) -> Any:
    return rtk.kick(AMA, participant_ids=[MALLORY])


# Requests


NEWEST = "sort_by=createdAt&sort_order=DESC"
NEWEST_PEERS = "sort_by=joinedAt&sort_order=DESC"


def page_of(rows: Any) -> httpx.Response:
    return ok({"success": True, "data": rows, "paging": {"total_count": 0}})


@pytest.mark.parametrize(
    ("call", "answer", "asked"),
    [
        (
            lambda rtk: rtk.live_sessions(),
            page_of({"sessions": []}),
            "sessions?page_no=1&per_page=200&status=LIVE&" + NEWEST,
        ),
        (
            lambda rtk: rtk.live_sessions("ask me"),
            page_of({"sessions": []}),
            "sessions?page_no=1&per_page=200&search=ask+me&status=LIVE&" + NEWEST,
        ),
        (
            lambda rtk: rtk.meetings("a&b=ö", page_no=2),
            page_of([]),
            "meetings?page_no=2&per_page=200&search=a%26b%3D%C3%B6",
        ),
        (
            lambda rtk: rtk.meeting(AMA),
            ok({"success": True, "data": {"id": AMA, "title": "Weekly AMA"}}),
            f"meetings/{AMA}",
        ),
        (
            lambda rtk: rtk.active_session(AMA),
            ok({"success": True, "data": {"id": SESSION}}),
            f"meetings/{AMA}/active-session",
        ),
        (
            lambda rtk: rtk.participants(SESSION, "mal"),
            page_of({"participants": []}),
            f"sessions/{SESSION}/participants?page_no=1&per_page=200&search=mal&" + NEWEST_PEERS,
        ),
        (
            lambda rtk: rtk.records(AMA),
            page_of([]),
            f"meetings/{AMA}/participants?page_no=1&per_page=200",
        ),
        (
            lambda rtk: rtk.presets(),
            page_of([{"id": "x", "name": "host"}, {"id": "y"}]),
            "presets?page_no=1&per_page=200",
        ),
    ],
)
async def test_reads_send_what_the_contract_allows(
    call: Callable[[RealtimeKit], Any], answer: httpx.Response, asked: str
) -> None:
    service = Service(answer)
    await call(client(service))
    (request,) = service.requests
    path = f"/client/v4/accounts/{APP.account_id}/realtime/kit/{APP.app_id}/{asked}"
    assert (request.method, request.url.raw_path.decode()) == ("GET", path)
    route, found = Contract.published().routes_at(request.url.path.removeprefix("/client/v4"))[
        "GET"
    ]
    route.parse(found, request.url.params.multi_items(), None)


@pytest.mark.parametrize(
    ("ids", "body"),
    [
        ({"participant_ids": [MALLORY, MALLORY]}, {"participant_ids": [MALLORY]}),
        (
            {"custom_participant_ids": [CustomId("b"), CustomId("a"), CustomId("b")]},
            {"custom_participant_ids": ["b", "a"]},
        ),
        (
            {"participant_ids": [MALLORY], "custom_participant_ids": [CustomId("a")]},
            {"participant_ids": [MALLORY], "custom_participant_ids": ["a"]},
        ),
        ({"custom_participant_ids": ["\ud800"]}, {"custom_participant_ids": ["\ud800"]}),
    ],
)
async def test_a_kick_sends_only_the_lists_it_has(ids: dict[str, Any], body: Any) -> None:
    service = Service(ok())
    assert await client(service).kick(AMA, **ids) == [MALLORY]
    (request,) = service.requests
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content) == body
    path = request.url.path.removeprefix("/client/v4")
    route, found = Contract.published().routes_at(path)["POST"]
    route.parse(found, [], json.loads(request.content))


async def test_a_kick_without_ids_is_a_mistake_of_the_caller() -> None:
    service = Service(ok())
    with pytest.raises(ValueError, match="nobody"):
        await client(service).kick(AMA)
    assert service.sent == []


async def test_an_id_stays_one_segment_of_the_path() -> None:
    service = Service(ok())
    await client(service).kick(MeetingId("../a b/ö?#\ud800"), participant_ids=[MALLORY])
    path = service.requests[0].url.raw_path.decode()
    assert path.endswith("/meetings/..%2Fa%20b%2F%C3%B6%3F%23%3F/active-session/kick")


@pytest.mark.parametrize("odd", ["", ".", ".."])
async def test_an_id_that_would_lead_to_another_path_is_rejected(odd: str) -> None:
    service = Service(ok())
    with pytest.raises(Rejected):
        await client(service).meeting(MeetingId(odd))
    assert service.sent == []


# Errors

OWN = {"success": False, "error": {"code": 1, "message": "No user found"}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, OutcomeUnknown),
        (400, Rejected),
        (404, NotFound),
        (408, OutcomeUnknown),
        (429, RateLimited),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
async def test_an_error_status_is_not_retried(status: int, kind: type[GatewayError]) -> None:
    service = Service(httpx.Response(status, json=OWN))
    with pytest.raises(kind, match=f"^HTTP {status}: No user found") as caught:
        await kick(client(service))
    assert type(caught.value) is kind
    assert service.sent == ["POST"]


async def test_only_a_404_means_that_there_is_no_active_session() -> None:
    assert await client(Service(httpx.Response(404, json=OWN))).active_session(AMA) is None
    for status in (400, 500):
        with pytest.raises(GatewayError):
            await client(Service(httpx.Response(status))).active_session(AMA)
    with pytest.raises(NotFound):
        await client(Service(httpx.Response(404, json=OWN))).meeting(AMA)


NOT_SENT = [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout]
MAYBE_SENT = [
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.DecodingError,
    httpx.TooManyRedirects,
    ssl.SSLError,
]


@pytest.mark.parametrize("error", MAYBE_SENT)
async def test_a_request_that_may_have_been_sent_is_not_retried(error: type[Exception]) -> None:
    service = Service(error("it broke"))
    with pytest.raises(OutcomeUnknown, match=r"no (whole answer|answer in time)"):
        await kick(client(service))
    assert service.sent == ["POST"]


@pytest.mark.parametrize("error", NOT_SENT)
async def test_a_request_that_was_not_sent_is_retried_once(error: type[Exception]) -> None:
    service = Service(error(""), ok())
    assert await kick(client(service)) == [MALLORY]
    service = Service(error(""))
    with pytest.raises(NotSent, match="no connection"):
        await kick(client(service))
    assert service.sent == ["POST", "POST"]


async def test_without_time_left_there_is_no_retry() -> None:
    service = Service(httpx.ConnectError(""))
    with pytest.raises(NotSent):
        await kick(client(service, deadline=0.1))
    assert service.sent == ["POST"]


# The rate limit


def too_many(**headers: str) -> httpx.Response:
    return httpx.Response(429, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_a_request_is_retried_after_a_short_429() -> None:
    time, service = FakeTime(), Service(too_many(Retry_After="3"), ok())
    assert await kick(client(service, time)) == [MALLORY]
    assert service.sent == ["POST", "POST"]
    assert sum(time.slept) >= 3


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (too_many(Retry_After="7"), 7),
        (too_many(Retry_After="120"), 120),
        (too_many(Ratelimit='"default";r=0;t=300'), 300),
        (too_many(), None),
    ],
)
async def test_a_long_429_is_an_error_at_once(answer: httpx.Response, wait: float | None) -> None:
    service = Service(answer, ok())
    with pytest.raises(RateLimited) as caught:
        await kick(client(service))
    assert caught.value.retry_after == wait
    assert service.sent == ["POST"]


async def test_a_429_is_retried_only_once() -> None:
    service = Service(too_many(Retry_After="0"))
    with pytest.raises(RateLimited):
        await kick(client(service))
    assert service.sent == ["POST", "POST"]


async def test_nothing_is_sent_while_blocked() -> None:
    time, service = FakeTime(), Service(too_many(Retry_After="300"), ok())
    rtk = client(service, time)
    with pytest.raises(RateLimited):
        await kick(rtk)
    time.seconds += 100
    with pytest.raises(RateLimited) as caught:
        await kick(rtk)
    assert caught.value.retry_after == 200
    with pytest.raises(RateLimited):
        await rtk.active_session(AMA)
    assert service.sent == ["POST"]
    time.seconds += 200
    assert await kick(rtk) == [MALLORY]


async def test_the_last_requests_are_reserved_for_kicks() -> None:
    service = Service(ok(Ratelimit='"default";r=20;t=30'))
    rtk = client(service)
    await kick(rtk)
    with pytest.raises(RateLimited) as caught:
        await rtk.active_session(AMA)
    assert caught.value.retry_after == 30
    await kick(rtk)
    assert service.sent == ["POST", "POST"]


# Lists


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"peer-{number}" if number else None, "user_id": f"p{number}", **more}


async def test_rows_that_come_twice_count_once_and_a_peer_that_left_has_left() -> None:
    left = {"left_at": "2026-10-06T12:00:00Z"}
    rows: Iterable[dict[str, Any]] = [row(1), row(2, **left), row(1, **left), row(2), row(0)]
    service = Service(ok({"success": True, "data": {"participants": [*rows, row(0)]}}))
    peers = (await client(service).participants(SESSION)).rows
    assert [(peer.id, peer.left_at is None) for peer in peers] == [
        ("peer-1", False),
        ("peer-2", False),
        ("", True),
        ("", True),
    ]


async def test_all_pages_of_a_list_are_read() -> None:
    def page(request: httpx.Request) -> httpx.Response:
        start = (int(request.url.params["page_no"]) - 1) * 200
        rows = [{"id": str(number)} for number in range(start, min(start + 200, 450))]
        return ok({"success": True, "data": rows, "paging": {"total_count": 450}})

    service = Service(page)
    assert len((await client(service).records(AMA)).rows) == 450
    assert len(service.sent) == 3


# Requests in flight


class Gate:
    """A transport whose requests wait until the gate opens."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.waiting.append(request.method)
        self.arrived.set()
        await self.open.wait()
        return ok() if request.method == "POST" else ok({"success": True, "data": {"id": "s"}})

    def client(self, **options: Any) -> RealtimeKit:
        http = httpx.AsyncClient(
            transport=httpx.MockTransport(self), base_url="https://api.example"
        )
        return RealtimeKit(http, APP, **options)


async def settle() -> None:
    """Let every task run until it waits for something that the test controls."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_reads_leave_a_slot_for_a_kick() -> None:
    gate = Gate()
    rtk = gate.client()
    reads = [asyncio.create_task(rtk.active_session(AMA)) for _ in range(20)]
    await settle()
    assert gate.waiting == ["GET"] * 7
    kicks = [asyncio.create_task(kick(rtk)) for _ in range(2)]
    await settle()
    assert gate.waiting == ["GET"] * 7 + ["POST"]
    gate.open.set()
    await asyncio.gather(*reads, *kicks)
    assert len(gate.waiting) == 22


async def test_kicks_alone_use_every_slot() -> None:
    gate = Gate()
    rtk = gate.client()
    kicks = [asyncio.create_task(kick(rtk)) for _ in range(25)]
    await settle()
    assert gate.waiting == ["POST"] * 8
    gate.open.set()
    await asyncio.gather(*kicks)


async def test_a_read_without_a_slot_is_not_sent() -> None:
    gate = Gate()
    rtk = gate.client(deadline=1.0)
    reads = (rtk.active_session(AMA) for _ in range(10))
    answers = await asyncio.gather(*reads, return_exceptions=True)
    assert gate.waiting == ["GET"] * 7
    # A transport that reports no progress may have sent the request.
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 7 + [NotSent] * 3


async def test_the_time_of_a_kick_begins_with_its_turn() -> None:
    gate = Gate()
    rtk = gate.client(deadline=0.5)
    answers = await asyncio.gather(*(kick(rtk) for _ in range(25)), return_exceptions=True)
    assert gate.waiting == ["POST"] * 25
    assert [type(answer) for answer in answers] == [OutcomeUnknown] * 25


async def test_a_kick_slot_is_kept_until_it_is_left() -> None:
    gate = Gate()
    rtk = gate.client()
    async with AsyncExitStack() as slots:
        calls = [await slots.enter_async_context(rtk.kick_slot()) for _ in range(8)]
        late = asyncio.create_task(kick(rtk))
        read = asyncio.create_task(rtk.active_session(AMA))
        await settle()
        assert gate.waiting == []
        sent = [asyncio.create_task(calls[0](AMA, participant_ids=[MALLORY]))]
        await settle()
        assert gate.waiting == ["POST"]
    await settle()
    assert gate.waiting == ["POST", "POST", "GET"]
    gate.open.set()
    await asyncio.gather(late, read, *sent)


async def test_a_block_stops_requests_that_wait_for_a_slot() -> None:
    time, gate = FakeTime(), Gate()
    rate_limit = RateLimit(clock=time)
    rtk = gate.client(rate_limit=rate_limit)
    kicks = [asyncio.create_task(kick(rtk)) for _ in range(10)]
    await settle()
    rate_limit.update(too_many(Retry_After="300"))
    gate.open.set()
    answers = await asyncio.gather(*kicks, return_exceptions=True)
    assert [isinstance(answer, RateLimited) for answer in answers] == [False] * 8 + [True] * 2
    assert gate.waiting == ["POST"] * 8


async def test_a_cancelled_call_raises_no_error_of_the_gateway() -> None:
    gate = Gate()
    rtk = gate.client()
    task = asyncio.create_task(kick(rtk))
    await gate.arrived.wait()
    task.cancel("shutting down")
    with pytest.raises(asyncio.CancelledError, match="shutting down"):
        await task


# The token


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tökén", "nul\0"])
def test_a_token_that_cannot_be_sent_is_rejected_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        App("a", "b", SecretStr(token))
    assert not token or token not in str(caught.value)


async def test_the_token_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rtk = client(Service(httpx.ReadError("reset")))
    with pytest.raises(OutcomeUnknown) as caught:
        await kick(rtk)
    shown = [repr(APP), str(APP), repr(rtk), repr(vars(rtk)), repr(rtk._headers), caplog.text]
    error: BaseException | None = caught.value
    while error:
        shown += [repr(error), repr(vars(error)), repr(getattr(error, "request", None))]
        error = error.__cause__ or error.__context__
    assert TOKEN not in "".join(shown)


async def test_the_http_client() -> None:
    async with http_client() as http:
        assert str(http.base_url) == "https://api.cloudflare.com/client/v4/"
        assert http.follow_redirects is False
        assert http.timeout.connect == 3
        assert "authorization" not in http.headers
