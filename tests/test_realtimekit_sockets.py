"""The client over real sockets: what is sent, how often, and what a lost answer means."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from bot.realtimekit import (
    App,
    GatewayError,
    MeetingId,
    NotSent,
    OutcomeUnknown,
    ParticipantId,
    RateLimited,
    RealtimeKit,
    SessionId,
    http_client,
)
from tests.sandbox.realtimekit import (
    Meeting,
    Participant,
    RealtimeKitStandIn,
    lone_meeting,
    weekly_ama,
)

pytestmark = pytest.mark.services

DEADLINE = 0.4
ANY_APP = App("a", "b", SecretStr("token"))


class Stage:
    """The stand-in with people in a meeting, and a client for it."""

    def __init__(self, stand_in: RealtimeKitStandIn, rtk: RealtimeKit, meeting: Meeting) -> None:
        self.stand_in = stand_in
        self.rtk = rtk
        self.meeting = MeetingId(meeting.id)
        self.person: Participant = stand_in.world.who_is_in(meeting)[0]
        session = stand_in.world.live_session(meeting)
        self.session = SessionId(session.id if session else "")

    async def kick(self) -> object:
        return await self.rtk.kick(self.meeting, participant_ids=[ParticipantId(self.person.id)])

    @property
    def kicks(self) -> int:
        return sum(call.op == "kick" for call in self.stand_in.calls)


@asynccontextmanager
async def on_stage(people: int = 3, deadline: float = 8.0) -> AsyncIterator[Stage]:
    world = lone_meeting(people=people)
    async with (
        RealtimeKitStandIn(world) as stand_in,
        http_client(stand_in.url) as http,
    ):
        app = App(stand_in.account_id, stand_in.app_id, SecretStr(stand_in.api_token))
        yield Stage(stand_in, RealtimeKit(http, app, deadline=deadline), world.meetings[0])
        assert stand_in.problems == []


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        "reset_before",
        "reset_after",
        "closed_before",
        "closed_after",
        "server_error",
        "bad_gateway",
        "truncated",
        "empty_body",
        "wrong_shape",
        "success_false",
        "unknown_format",
    ],
)
async def test_a_kick_whose_answer_is_lost_is_sent_once(fault: str, *, warm: bool) -> None:
    async with on_stage() as stage:
        if warm:
            await stage.rtk.active_session(stage.meeting)
        stage.stand_in.faults.switch_on(fault)
        with pytest.raises(OutcomeUnknown):
            await stage.kick()
        assert stage.kicks == 1


@pytest.mark.parametrize("fault", ["hang", "dripping"])
async def test_the_deadline_holds_for_the_whole_call(fault: str) -> None:
    async with on_stage(deadline=DEADLINE) as stage:
        # With "dripping", each byte arrives within the read timeout, without an end.
        stage.stand_in.faults.switch_on(fault, endless=True)
        with pytest.raises(OutcomeUnknown, match="no answer within"):
            await stage.kick()
        assert stage.kicks == 1


async def test_after_a_lost_answer_the_next_call_works() -> None:
    async with on_stage() as stage:
        stage.stand_in.faults.switch_on("reset_before", times=1)
        with pytest.raises(OutcomeUnknown):
            await stage.kick()
        assert await stage.kick() == [stage.person.id]


async def test_a_kick_is_retried_after_a_short_429() -> None:
    async with on_stage() as stage:
        stage.stand_in.faults.switch_on("rate_limited", times=1, retry_after=0)
        assert await stage.kick() == [stage.person.id]
        assert stage.kicks == 2


async def test_over_the_rate_limit_nothing_more_is_sent() -> None:
    async with on_stage() as stage:
        stage.stand_in.rate_limit.limit = 22
        await stage.rtk.active_session(stage.meeting)
        await stage.kick()
        with pytest.raises(RateLimited, match="for kicks"):
            await stage.rtk.active_session(stage.meeting)
        stage.stand_in.rate_limit.limit = 3
        with pytest.raises(GatewayError):
            await stage.kick()
        with pytest.raises(RateLimited, match="rate limit"):
            await stage.kick()
        assert len(stage.stand_in.calls) == 3


@pytest.mark.parametrize(
    "quirk",
    [
        "left_at_null",
        "left_at_string_null",
        "stray_quote_dates",
        "absent_fields",
        "no_paging",
        "paging_inside_data",
        "capped_pages",
    ],
)
async def test_all_rows_are_read_from_a_sloppy_service(quirk: str) -> None:
    async with on_stage(people=450) as stage:
        stage.stand_in.faults.switch_on(quirk)
        peers = (await stage.rtk.participants(stage.session)).rows
        assert len({peer.id for peer in peers}) == 450
        assert all(peer.left_at is None for peer in peers)
        assert stage.stand_in.peak <= 7


async def test_calls_share_the_connections() -> None:
    async with on_stage() as stage:
        for _ in range(3):
            reads = [stage.rtk.active_session(stage.meeting) for _ in range(20)]
            await asyncio.gather(*reads)
        await stage.kick()
        assert stage.stand_in.connections <= 7
        assert stage.stand_in.peak <= 7


async def test_neither_httpx_nor_httpcore_logs_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with on_stage() as stage:
        await stage.kick()
        assert "send_request_headers" in caplog.text
        assert stage.stand_in.api_token not in caplog.text


# Before the first byte


@asynccontextmanager
async def accepting(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Accept connections and call `talk` for each; yield the port."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def refused_port() -> int:
    async with accepting(lambda _reader, _writer: asyncio.sleep(0)) as port:
        return port


@asynccontextmanager
async def client_of(url: str, deadline: float = 8.0) -> AsyncIterator[RealtimeKit]:
    async with http_client(url) as http:
        yield RealtimeKit(http, ANY_APP, deadline=deadline)


async def kick(rtk: RealtimeKit) -> object:
    return await rtk.kick(MeetingId("m"), participant_ids=[ParticipantId("p")])


async def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    port = await refused_port()
    async with client_of(f"http://127.0.0.1:{port}") as rtk:
        with pytest.raises(NotSent, match="no connection"):
            await kick(rtk)


async def test_a_connection_that_never_opens_means_that_nothing_was_sent() -> None:
    with socket.socket() as deaf, socket.socket() as first:
        deaf.bind(("127.0.0.1", 0))
        # The server never accepts. One connection fills its queue, so the next one hangs.
        deaf.listen(0)
        first.connect(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with client_of(url, deadline=DEADLINE) as rtk:
            with pytest.raises(NotSent, match="not sent within"):
                await kick(rtk)


async def test_a_handshake_that_does_not_end_is_retried_once() -> None:
    done = asyncio.Event()
    connections = 0

    async def say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await done.wait()

    async with accepting(say_nothing) as port:
        async with http_client(f"https://127.0.0.1:{port}") as http:
            http.timeout = httpx.Timeout(5, connect=0.1)
            with pytest.raises(NotSent, match="no connection"):
                await kick(RealtimeKit(http, ANY_APP))
        done.set()
    assert connections == 2


async def test_a_server_that_closes_at_the_handshake_means_that_nothing_was_sent() -> None:
    async def close(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with accepting(close) as port, client_of(f"https://127.0.0.1:{port}") as rtk:
        with pytest.raises(NotSent):
            await kick(rtk)


async def test_a_reply_that_is_not_http_is_no_answer() -> None:
    posts: list[bytes] = []

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        posts.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()

    async with accepting(babble) as port, client_of(f"http://127.0.0.1:{port}") as rtk:
        with pytest.raises(OutcomeUnknown, match="no whole answer"):
            await kick(rtk)
    assert len(posts) == 1


async def test_reads_that_wait_behind_a_hanging_service_are_not_sent() -> None:
    async with on_stage(deadline=2.0) as stage:
        # The first call imports modules. Without it, the calls below could start so far apart that
        # the first one ends early enough for another to get its slot.
        await stage.rtk.active_session(stage.meeting)
        stage.stand_in.faults.switch_on("hang")
        reads = (stage.rtk.active_session(stage.meeting) for _ in range(9))
        answers = await asyncio.gather(*reads, return_exceptions=True)
        assert [type(answer) for answer in answers] == [OutcomeUnknown] * 7 + [NotSent] * 2
        assert len(stage.stand_in.calls) == 8


async def test_kicks_that_wait_for_their_turn_are_sent_in_their_turn() -> None:
    async with on_stage(people=20, deadline=1.0) as stage:
        people = stage.stand_in.world.who_is_in(stage.stand_in.world.meetings[0])
        stage.stand_in.faults.switch_on("slow", op="kick", seconds=0.6)
        kicks = [
            stage.rtk.kick(stage.meeting, participant_ids=[ParticipantId(one.id)]) for one in people
        ]
        reads = [stage.rtk.participants(stage.session) for _ in range(20)]
        answers, _ = await asyncio.gather(
            asyncio.gather(*kicks), asyncio.gather(*reads, return_exceptions=True)
        )
        assert answers == [[one.id] for one in people]
        assert stage.kicks == 20
        assert stage.stand_in.peak <= 8


class Suspended:
    """The clock of a machine that is suspended for an hour, after it was read `reads` times."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def __call__(self) -> datetime:
        self.reads -= 1
        return datetime.now(UTC) + timedelta(hours=self.reads < 0)


@pytest.mark.parametrize("warm", [False, True])
async def test_a_machine_that_was_suspended_sends_no_old_kick(*, warm: bool) -> None:
    async with on_stage() as stage:
        if warm:
            await stage.rtk.active_session(stage.meeting)
        # The time is read for the limit, before the request, and right before the first byte.
        stage.rtk._now = Suspended(reads=2)
        with pytest.raises(NotSent, match="too late"):
            await stage.kick()
        assert stage.kicks == 0
        assert await stage.kick() == [stage.person.id]


async def test_the_sessions_of_the_demo_are_found() -> None:
    demo = weekly_ama()
    async with RealtimeKitStandIn(demo.world) as stand_in, http_client(stand_in.url) as http:
        app = App(stand_in.account_id, stand_in.app_id, SecretStr(stand_in.api_token))
        (session,) = await RealtimeKit(http, app).live_sessions("weekly")
        assert session.meeting.id == demo.ama.id
