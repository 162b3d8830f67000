"""What strangers on the network can do: nothing, and little of it is logged."""

import asyncio
import copy
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import pytest

from bot import http_server
from bot.app import Bot
from bot.logs import FloodFilter, LineFormatter
from tests.clocks import HastyClock
from tests.journeys.conftest import Start
from tests.journeys.steps import to_form
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person
from tests.sandbox.slack.delivery.http_mode import payload_form, signature

HTTP = pytest.mark.parametrize("transport", ["http"], indirect=True)
SOCKET = pytest.mark.parametrize("transport", ["socket"], indirect=True)
FORGED = "\n2026-01-01 00:00:00,000 INFO kick 1: done\x1b[2J\u202e"
SECRET = "/respond/"


class Answer(NamedTuple):
    status: int
    text: str


@pytest.fixture(params=[logging.INFO, logging.DEBUG], ids=["info", "debug"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Return what the bot logs, with the level of all libraries set, too."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(FloodFilter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(request.param)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@asynccontextmanager
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def post(bot: Bot, body: bytes, headers: Any = None) -> Answer:
    url = f"http://127.0.0.1:{bot.port}/slack/events"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    given = [*form.items(), *(headers.items() if isinstance(headers, dict) else headers or [])]
    async with http() as session, session.post(url, data=io.BytesIO(body), headers=given) as reply:
        return Answer(reply.status, await reply.text())


def signed(sandbox: Sandbox, body: bytes, stamp: str | None = None) -> dict[str, str]:
    stamp = stamp or str(int(datetime.now(UTC).timestamp()))
    mark = signature(sandbox.slack.signing_secret, stamp, body.decode("utf-8", "replace"))
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": mark}


def lines(log: io.StringIO) -> list[str]:
    return log.getvalue().splitlines()


def nothing_leaked(log: io.StringIO) -> None:
    text = log.getvalue()
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert SECRET not in text
    assert "hush" not in text
    assert all(line.startswith(("20", "    ")) for line in lines(log))


@HTTP
async def test_the_log_tells_nothing_of_a_request_that_is_not_signed(
    sandbox: Sandbox, start: Start, maya: Person, log: io.StringIO
) -> None:
    async with start() as bot:
        await to_form(maya)
        sent = sandbox.slack.deliveries[-1]
        body = urlencode(payload_form(sent.kind, sent.payload) | {"x": "hush" + FORGED}).encode()
        before = len(lines(log))
        for _ in range(100):
            assert (await post(bot, body)).status == 401
        new = lines(log)[before:]
        refused = [line for line in new if "was refused: its signature" in line]
        assert 1 <= len(refused) <= 20
        nothing_leaked(log)


@HTTP
@pytest.mark.parametrize(
    "broken",
    [
        b"payload={",
        b"payload=%5B1%5D",
        b"payload=5",
        b"payload=" + b"%5B" * 20_000,
        b'{"team": 5, "user": 5}',
        b"\xff\xfe",
        b'payload={"type":"block_actions","actions":[{}],"x":"hush"}',
        b'payload={"type":"block_actions","actions":5,"response_url":"https:\\/\\/h\\/hush"}',
        b'payload={"type":"view_submission","view":{}}',
        b'payload={"type":"view_submission","view":7}',
        b'payload={"type":"block_suggestion","action_id":["hush"]}',
        b'payload={"type":"shortcut","callback_id":"hush","response_url":"https://x/hush"}',
    ],
)
async def test_what_cannot_be_read_is_answered_without_a_traceback(
    sandbox: Sandbox, start: Start, log: io.StringIO, broken: bytes
) -> None:
    async with start() as bot:
        assert (await post(bot, broken)).status in {400, 401}
        assert (await post(bot, broken, signed(sandbox, broken))).status in {200, 400, 401, 404}
    nothing_leaked(log)


def without(payload: Any) -> Iterator[Any]:
    """Yield the payload without each of its fields, at all levels."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            yield {other: payload[other] for other in payload if other != key}
            yield payload | {key: 5}
            for changed in without(value):
                yield payload | {key: changed}
    elif isinstance(payload, list):
        for place, value in enumerate(payload):
            for changed in without(value):
                yield [*payload[:place], changed, *payload[place + 1 :]]


async def test_a_payload_that_lacks_any_field_is_answered_and_not_quoted(
    sandbox: Sandbox, start: Start, maya: Person, log: io.StringIO, transport: str
) -> None:
    async with start():
        await to_form(maya)
        await maya.type_ahead("who", "mal")
        seen = [copy.deepcopy(one.payload) for one in sandbox.slack.deliveries]
        for payload in seen:
            payload.pop("view", {}).pop("blocks", None)
        if transport == "socket":
            # What can't be answered is not acked: the user sees that nothing came back.
            sandbox.slack.ack_timeout = 2
        broken = [other for payload in seen for other in without(payload)]
        await asyncio.gather(*(sandbox.slack.deliver(one) for one in broken))
        problems = "\n".join(sandbox.slack.problems)
        assert " 500 " not in problems
        sandbox.slack.problems.clear()
        await to_form(sandbox.slack.person("U0LEA"))
    nothing_leaked(log)


async def test_what_a_user_types_forges_no_line(
    sandbox: Sandbox, start: Start, maya: Person, log: io.StringIO
) -> None:
    async with start():
        await maya.command("C0LIVE", f"/kick help {FORGED}")
        await maya.command("C0LIVE", f"/kick mallory {FORGED}")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
    nothing_leaked(log)


async def test_a_command_without_a_field_is_answered_in_words(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_form(maya)
    broken = copy.deepcopy(sandbox.slack.deliveries[0].payload)
    del broken["trigger_id"]
    outcome = await sandbox.slack.deliver(broken)
    assert "could not read what Slack sent" in json.dumps(outcome.body)


class Header(NamedTuple):
    what: str
    headers: list[tuple[str, str]]


@HTTP
async def test_only_what_slack_signed_just_now_is_taken(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    body = b"ssl=no"
    now = int(datetime.now(UTC).timestamp())

    def headers(stamp: str, mark: str | None = None) -> list[tuple[str, str]]:
        made = signature(sandbox.slack.signing_secret, stamp, body.decode())
        return [("X-Slack-Request-Timestamp", stamp), ("X-Slack-Signature", mark or made)]

    good, other = headers(str(now)), headers(str(now - 1))
    empty = signature("", str(now), body.decode())
    cases = [
        headers(str(now - 301)),
        headers(str(now + 310)),
        headers(str(now), empty),
        headers(str(now), good[1][1].replace("v0=", "v1=")),
        headers(str(now), good[1][1].upper()),
        headers(str(now), "v0=é"),
        headers("soon"),
        headers(f"+{now}"),
        headers(f"{now}_0"[:-2] + "_0"),
        headers("9" * 5000),
        headers(""),
        good[:1],
        good[1:],
        [*good, other[1]],
        [other[1], *good],
        [*good, good[0]],
    ]
    async with start() as bot:
        assert (await post(bot, body, good)).status == 404  # Bolt's answer: no such listener
        for case in cases:
            assert (await post(bot, body, case)).status == 401, case


@HTTP
async def test_a_machine_whose_clock_is_wrong_is_served_by_the_bots_clock(
    sandbox: Sandbox, start: Start
) -> None:
    clock = HastyClock()
    async with start(clock=clock) as bot:
        clock.pass_by(3600)
        ahead = str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))
        assert (await post(bot, b"a=b", signed(sandbox, b"a=b", ahead))).status == 404
        assert (await post(bot, b"a=b", signed(sandbox, b"a=b"))).status == 401


@HTTP
async def test_bodies_have_a_limit_and_gzip_is_not_unpacked(sandbox: Sandbox, start: Start) -> None:
    async with start() as bot:
        huge = b"a=" + b"b" * http_server.MAX_BODY
        assert (await post(bot, huge, signed(sandbox, huge))).status == 413
        zipped = signed(sandbox, b"a=b") | {"Content-Encoding": "gzip"}
        assert (await post(bot, b"a=b", zipped)).status == 404
        assert (await post(bot, b"token=x&ssl_check=1")).status == 200


async def raw(bot: Bot, sent: bytes) -> bytes:
    """Send bytes, and return what comes until the bot closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bot.port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


@HTTP
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"POST /slack/ev", b""),
        (b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", b" 408 "),
        (b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", b" 404 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b" 200 "),
        (b"hush\x1b[2J\r\n\r\n", b" 400 "),
        (
            b"POST /slack/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nhush\r\n",
            b" 400 ",
        ),
    ],
    ids=["silent", "half-head", "half-body", "half-body-elsewhere", "idle", "no-http", "chunks"],
)
async def test_slow_and_broken_requests_are_ended(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
    sent: bytes,
    answer: bytes,
) -> None:
    for name in ("IDLE_TIMEOUT", "BODY_TIMEOUT", "LINGERING"):
        monkeypatch.setattr(http_server, name, 0.2)
    async with start() as bot:
        assert answer in await raw(bot, sent)
    nothing_leaked(log)


async def test_the_oldest_connections_make_room_for_new_ones(
    start: Start, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 10)
    async with start() as bot:
        held = []
        for _ in range(50):
            reader, writer = await asyncio.open_connection("127.0.0.1", bot.port)
            writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\n")
            held.append((reader, writer))
        url = f"http://127.0.0.1:{bot.port}/healthz"
        async with http() as session, session.get(url) as reply:
            assert await reply.text() == "ok"
        await asyncio.gather(*(reader.read() for reader, _ in held[:40]))
        for _, writer in held:
            writer.close()
    assert len(lines(log)) < 100
    nothing_leaked(log)


@pytest.mark.parametrize(
    ("transport", "port"), [("http", ""), ("socket", "0")], indirect=["transport"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_the_port_is_open_with_ipv4_and_ipv6(start: Start, host: str, port: str) -> None:
    if host == "[::1]" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    url = f"http://{host}"
    async with start() as bot, http() as session, session.get(f"{url}:{bot.port}/healthz") as reply:
        assert reply.status == 200
