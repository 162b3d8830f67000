"""Reads are shared by all callers that wait, and their results are kept for a while."""

import asyncio
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from pydantic import SecretStr

from bot.core.ports import MeetingGateway
from bot.realtimekit import (
    App,
    CachedGateway,
    CustomId,
    MeetingId,
    OutcomeUnknown,
    ParticipantId,
    RealtimeKit,
    SessionId,
    http_client,
)
from bot.realtimekit.rate_limit import may_use_reserve
from bot.realtimekit.shared_reads import SharedReads
from tests.sandbox.realtimekit import DemoData, RealtimeKitStandIn, weekly_ama

HOURS = 3600.0


class Source:
    """Reads that end once `go` is set. The n-th returns n, or raises `error`."""

    def __init__(self) -> None:
        self.numbers: Iterator[int] = count(1)
        self.started = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, _key: str) -> int:
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
    """Let every task run until it waits for something that the test controls."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_callers_that_wait_share_one_read() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    callers = [asyncio.create_task(shared.get(source.read, "key")) for _ in range(20)]
    await settle()
    source.go.set()
    assert await asyncio.gather(*callers) == [1] * 20
    assert await shared.get(source.read, "key") == 1


async def test_reads_with_other_arguments_are_separate() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.go.set()
    assert await shared.get(source.read, "one") == 1
    assert await shared.get(source.read, "other") == 2


async def test_an_old_result_is_dropped() -> None:
    source, shared = Source(), SharedReads(0.0, 48)
    source.go.set()
    assert await shared.get(source.read, "key") == 1
    await settle()
    assert await shared.get(source.read, "key") == 2
    await settle()
    assert not shared._cached


async def test_only_the_newest_results_are_kept() -> None:
    source, shared = Source(), SharedReads(HOURS, 2)
    source.go.set()
    for key in ("a", "b", "c"):
        await shared.get(source.read, key)
    assert list(shared._cached) == [(source.read, ("b",)), (source.read, ("c",))]
    assert await shared.get(source.read, "c") == 3


async def test_a_cancelled_caller_does_not_cancel_the_read_for_the_others() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    first, second = (asyncio.create_task(shared.get(source.read, "key")) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    source.go.set()
    assert await second == 1
    assert first.cancelled()
    assert (source.started, source.cancelled) == (1, 0)


async def test_an_error_goes_to_all_callers_that_wait_and_is_not_kept() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.error = OutcomeUnknown("HTTP 500")
    callers = [asyncio.create_task(shared.get(source.read, "key")) for _ in range(3)]
    await settle()
    source.go.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert answers == [source.error] * 3
    source.error = None
    assert await shared.get(source.read, "key") == 2


async def test_an_error_that_no_caller_waits_for_is_not_logged() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.error = OutcomeUnknown("HTTP 500")
    caller = asyncio.create_task(shared.get(source.read, "key"))
    await settle()
    caller.cancel()
    await settle()
    source.go.set()
    await settle()
    assert not shared._running


async def test_a_fresh_read_is_a_new_one_and_replaces_the_old_one() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    old = asyncio.create_task(shared.get(source.read, "key"))
    await settle()
    fresh = asyncio.create_task(shared.get(source.read, "key", fresh=True))
    await settle()
    joined = asyncio.create_task(shared.get(source.read, "key"))
    await settle()
    source.go.set()
    assert [await old, await fresh, await joined] == [1, 2, 2]
    assert await shared.get(source.read, "key") == 2
    assert await shared.get(source.read, "key", fresh=True) == 3
    assert await shared.get(source.read, "key") == 3


async def test_all_who_read_fresh_at_once_share_a_read_that_has_not_begun() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    source.go.set()
    assert await shared.get(source.read, "key") == 1
    callers = [shared.get(source.read, "key", fresh=True) for _ in range(20)]
    assert await asyncio.gather(*callers) == [2] * 20


async def test_a_fresh_read_does_not_wait_for_one_that_hangs() -> None:
    hanging, source, shared = Source(), Source(), SharedReads(HOURS, 48)
    sources = iter([hanging, source])

    async def read() -> int:
        return await next(sources).read("key")

    old = asyncio.create_task(shared.get(read))
    await settle()
    source.go.set()
    assert await shared.get(read, fresh=True) == 1
    hanging.go.set()
    assert await old == 1


async def test_long_reads_begin_in_turn_and_all_who_ask_meanwhile_share_the_next() -> None:
    source, shared = Source(), SharedReads(HOURS, 48, in_turn=True)
    first = asyncio.create_task(shared.get(source.read, "key", fresh=True))
    await settle()
    later = []
    for _ in range(5):
        later.append(asyncio.create_task(shared.get(source.read, "key", fresh=True)))
        await settle()
    assert source.started == 1
    source.go.set()
    assert [await first, *[await one for one in later]] == [1] + [2] * 5


async def test_a_long_read_begins_although_the_one_before_failed() -> None:
    failing, source = Source(), Source()
    sources, shared = iter([failing, source]), SharedReads(HOURS, 48, in_turn=True)

    async def read() -> int:
        return await next(sources).read("key")

    first = asyncio.create_task(shared.get(read, fresh=True))
    await settle()
    second = asyncio.create_task(shared.get(read, fresh=True))
    failing.error = OutcomeUnknown("HTTP 500")
    failing.go.set()
    source.go.set()
    with pytest.raises(OutcomeUnknown):
        await first
    assert await second == 1


@pytest.mark.parametrize(
    ("fresh", "in_turn", "may"),
    [(False, False, False), (True, False, True), (True, True, False), (False, True, False)],
)
async def test_only_fresh_short_reads_may_use_what_is_kept_for_kicks(
    *, fresh: bool, in_turn: bool, may: bool
) -> None:
    async def read() -> bool:
        return may_use_reserve.get()

    assert await SharedReads(HOURS, 48, in_turn).get(read, fresh=fresh) is may
    assert may_use_reserve.get() is False


async def test_an_old_read_that_fails_late_does_not_replace_a_fresh_one() -> None:
    late, source, shared = Source(), Source(), SharedReads(HOURS, 48)
    sources = iter([late, source])

    async def read() -> int:
        return await next(sources).read("key")

    old = asyncio.create_task(shared.get(read))
    await settle()
    source.go.set()
    assert await shared.get(read, fresh=True) == 1
    late.error = OutcomeUnknown("HTTP 500")
    late.go.set()
    with pytest.raises(OutcomeUnknown):
        await old
    assert await shared.get(read) == 1


async def test_closing_cancels_the_running_reads() -> None:
    source, shared = Source(), SharedReads(HOURS, 48)
    caller = asyncio.create_task(shared.get(source.read, "key"))
    await settle()
    await shared.aclose()
    assert source.cancelled == 1
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not shared._cached
    await shared.aclose()


def client(stand_in: RealtimeKitStandIn, http: httpx.AsyncClient) -> RealtimeKit:
    app = App(stand_in.account_id, stand_in.app_id, SecretStr(stand_in.api_token))
    return RealtimeKit(http, app)


def ops(stand_in: RealtimeKitStandIn) -> list[str | None]:
    return [call.op for call in stand_in.calls]


@pytest.mark.services
async def test_the_port_over_real_http() -> None:
    demo: DemoData = weekly_ama()
    async with (
        RealtimeKitStandIn(demo.world) as stand_in,
        http_client(stand_in.url) as http,
    ):
        cached = CachedGateway(client(stand_in, http))
        gateway: MeetingGateway = cached
        (session,) = await gateway.live_sessions()
        everybody = len(demo.world.who_is_in(demo.ama))
        assert (session.meeting.title, session.people) == ("Weekly AMA", everybody)
        meeting = MeetingId(demo.ama.id)
        assert await gateway.active_session(meeting) == session
        assert await gateway.active_session(MeetingId(demo.team_sync.id)) is None
        assert [found.id for found in await gateway.meetings("team")] == [demo.team_sync.id]
        assert (await gateway.meeting(meeting)).title == "Weekly AMA"
        texts = [f"participant:{demo.mallory.id}", "custom:user-2210", "staff-priya", "nobody"]
        records = await gateway.records(meeting, texts)
        assert {one.custom_id for one in records} == {"user-9001", "user-2210", "staff-priya"}
        roster = await gateway.roster(session.id)
        assert roster.live[0].id == demo.three_tabs.id
        assert len(roster.live[0].open_peers) == 3
        mallory = ParticipantId(demo.mallory.id)
        async with gateway.kick_slot() as kick:
            assert await kick(meeting, participant_ids=[mallory, mallory]) == [mallory]
        async with gateway.kick_slot() as kick:
            kicked = await kick(meeting, custom_participant_ids=[CustomId("user-2210")])
            assert kicked == [demo.three_tabs.id]
        assert (await gateway.roster(session.id)) is roster
        assert gateway.cached_roster(session.id) is roster
        fresh = await gateway.find(session.id, [f"participant:{mallory}"], fresh=True)
        gone = fresh.by_id(mallory)
        assert gone
        assert not gone.open_peers
        await cached.aclose()
        assert stand_in.problems == []


@pytest.mark.services
async def test_ten_moderators_cost_one_read() -> None:
    demo = weekly_ama()
    async with (
        RealtimeKitStandIn(demo.world) as stand_in,
        http_client(stand_in.url) as http,
    ):
        gateway = CachedGateway(client(stand_in, http))
        session = demo.world.live_session(demo.ama)
        assert session
        rosters = await asyncio.gather(*(gateway.roster(SessionId(session.id)) for _ in range(10)))
        assert len({id(roster) for roster in rosters}) == 1
        assert ops(stand_in) == ["participants"]
        await gateway.aclose()
