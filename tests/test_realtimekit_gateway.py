"""Reads are shared by all who wait, and kept for a while."""

import asyncio
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from pydantic import SecretStr

from bot.core.ports import MeetingGateway, OutcomeUnknown
from bot.core.roster import CustomId, MeetingId, ParticipantId, SessionId
from bot.realtimekit import App, CachedGateway, RealtimeKit, http_client
from bot.realtimekit.gateway import SharedReads
from tests.sandbox.realtimekit.cast import Cast, weekly_ama
from tests.sandbox.realtimekit.server import RealtimeKitStandIn

HOURS = 3600.0


class Source:
    """Reads that end when told to: the n-th returns n, or raises."""

    def __init__(self) -> None:
        self.numbers: Iterator[int] = count(1)
        self.started = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def read(self) -> int:
        number = next(self.numbers)
        self.started = number
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return number


async def settle() -> None:
    """Let every task run until it waits for something that a test controls."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_wait_share_one_read() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    callers = [asyncio.create_task(shared.get("key", source.read)) for _ in range(20)]
    await settle()
    source.go.set()
    assert await asyncio.gather(*callers) == [1] * 20
    assert await shared.get("key", source.read) == 1


async def test_different_things_are_read_separately() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.go.set()
    assert await shared.get("one", source.read) == 1
    assert await shared.get("other", source.read) == 2


async def test_a_read_is_dropped_when_it_is_old() -> None:
    source, shared = Source(), SharedReads(0.0, 48)
    source.go.set()
    assert await shared.get("key", source.read) == 1
    await settle()
    assert await shared.get("key", source.read) == 2
    await settle()
    assert not shared._kept


async def test_only_so_many_are_kept_the_newest() -> None:
    source, shared = Source(), SharedReads(HOURS, 2)
    source.go.set()
    for key in ("a", "b", "c"):
        await shared.get(key, source.read)
    assert list(shared._kept) == ["b", "c"]
    assert await shared.get("c", source.read) == 3


async def test_a_caller_who_is_cancelled_takes_the_read_from_nobody() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    first, second = (asyncio.create_task(shared.get("key", source.read)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    source.go.set()
    assert await second == 1
    assert first.cancelled()
    assert (source.started, source.cancelled) == (1, 0)


async def test_an_error_goes_to_all_who_wait_and_is_not_kept() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.error = OutcomeUnknown("HTTP 500")
    callers = [asyncio.create_task(shared.get("key", source.read)) for _ in range(3)]
    await settle()
    source.go.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert answers == [source.error] * 3
    source.error = None
    assert await shared.get("key", source.read) == 2


async def test_an_error_that_nobody_waits_for_is_no_noise() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.error = OutcomeUnknown("HTTP 500")
    caller = asyncio.create_task(shared.get("key", source.read))
    await settle()
    caller.cancel()
    await settle()
    source.go.set()
    await settle()
    assert not shared._running


async def test_a_fresh_read_joins_none_that_began_before_and_replaces_it() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    old = asyncio.create_task(shared.get("key", source.read))
    await settle()
    fresh = asyncio.create_task(shared.get("key", source.read, fresh=True))
    await settle()
    joined = asyncio.create_task(shared.get("key", source.read))
    await settle()
    source.go.set()
    assert [await old, await fresh, await joined] == [1, 2, 2]
    assert await shared.get("key", source.read) == 2
    assert await shared.get("key", source.read, fresh=True) == 3
    assert await shared.get("key", source.read) == 3


async def test_an_old_read_that_ends_late_does_not_replace_a_fresh_one() -> None:
    late, source, shared = Source(), Source(), SharedReads(0.0, 48)
    old = asyncio.create_task(shared.get("key", late.read))
    await settle()
    source.go.set()
    fresh = asyncio.create_task(shared.get("key", source.read, fresh=True))
    late.error = OutcomeUnknown("HTTP 500")
    late.go.set()
    assert await fresh == 1
    with pytest.raises(OutcomeUnknown):
        await old


async def test_closing_ends_the_reads_under_way() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    caller = asyncio.create_task(shared.get("key", source.read))
    await settle()
    await shared.aclose()
    assert source.cancelled == 1
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not shared._kept
    await shared.aclose()


def client(stand_in: RealtimeKitStandIn, http: httpx.AsyncClient) -> RealtimeKit:
    app = App(stand_in.account_id, stand_in.app_id, SecretStr(stand_in.api_token))
    return RealtimeKit(http, app)


def ops(stand_in: RealtimeKitStandIn) -> list[str | None]:
    return [call.op for call in stand_in.calls]


@pytest.mark.services
async def test_the_port_over_real_http() -> None:
    cast: Cast = weekly_ama()
    async with (
        RealtimeKitStandIn(cast.world) as stand_in,
        http_client(stand_in.url) as http,
    ):
        shared = CachedGateway(client(stand_in, http))
        rooms: MeetingGateway = shared
        (session,) = await rooms.live_sessions()
        everybody = len(cast.world.who_is_in(cast.ama))
        assert (session.meeting.title, session.people) == ("Weekly AMA", everybody)
        meeting = MeetingId(cast.ama.id)
        assert await rooms.active_session(meeting) == session
        assert await rooms.active_session(MeetingId(cast.team_sync.id)) is None
        assert [found.id for found in await rooms.meetings("team")] == [cast.team_sync.id]
        assert (await rooms.meeting(meeting)).title == "Weekly AMA"
        assert len(await rooms.records(meeting)) == everybody
        roster = await rooms.roster(session.id)
        assert roster.live[0].id == cast.three_tabs.id
        assert len(roster.live[0].open_peers) == 3
        mallory = ParticipantId(cast.mallory.id)
        assert await rooms.kick(meeting, participant_ids=[mallory, mallory]) == [mallory]
        assert await rooms.kick(meeting, custom_participant_ids=[CustomId("user-2210")]) == [
            cast.three_tabs.id
        ]
        assert (await rooms.roster(session.id)) is roster
        fresh = await rooms.roster(session.id, fresh=True)
        gone = fresh.by_id(mallory)
        assert gone
        assert not gone.open_peers
        await shared.aclose()
        assert stand_in.problems == []


@pytest.mark.services
async def test_ten_moderators_cost_one_read() -> None:
    cast = weekly_ama()
    async with (
        RealtimeKitStandIn(cast.world) as stand_in,
        http_client(stand_in.url) as http,
    ):
        rooms = CachedGateway(client(stand_in, http))
        session = cast.world.live_session(cast.ama)
        assert session
        rosters = await asyncio.gather(*(rooms.roster(SessionId(session.id)) for _ in range(10)))
        assert len({id(roster) for roster in rosters}) == 1
        assert ops(stand_in) == ["participants"]
        await rooms.aclose()
