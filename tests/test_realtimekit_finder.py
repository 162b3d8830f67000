"""People are found in a long session with few calls, whatever the service's search does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from bot.core.roster import CustomId, ParticipantKey, Roster
from bot.core.roster import Participant as Found
from bot.realtimekit import App, CachedGateway, OutcomeUnknown, RealtimeKit, SessionId, http_client
from tests.sandbox.realtimekit import Meeting, Participant, RealtimeKitStandIn, World

pytestmark = pytest.mark.services

MODES = (None, "search_exact", "search_substring", "search_ignored", "search_by_peer_id")
"""What the search may be like: whole ids and parts of names, or as a fault of the stand-in says."""


@dataclass
class Stage:
    """A gateway, and the stand-in with people in a meeting."""

    stand_in: RealtimeKitStandIn
    gateway: CachedGateway
    meeting: Meeting
    people: list[Participant]

    @property
    def world(self) -> World:
        return self.stand_in.world

    @property
    def session(self) -> SessionId:
        session = self.world.live_session(self.meeting)
        assert session
        return SessionId(session.id)

    async def find(self, *texts: str, **options: Any) -> Roster:
        return await self.gateway.find(self.session, texts, fresh=True, **options)

    async def menu(self, search: str = "") -> Roster:
        """Return the menu, and let the bot forget its reads. The gateway's `max_age` must be 0."""
        roster = await self.gateway.roster(self.session, search)
        for _ in range(5):
            await asyncio.sleep(0)
        return roster

    def calls(self) -> list[str]:
        """Return the searches and pages of the calls since the last time, and forget the calls."""
        calls = [call.query.get("search") or call.query["page_no"] for call in self.stand_in.calls]
        self.stand_in.calls.clear()
        return calls


@asynccontextmanager
async def on_stage(people: int, mode: str | None = None, **options: Any) -> AsyncIterator[Stage]:
    world = World()
    meeting = world.add_meeting("Launch")
    crowd = world.fill(meeting, people)
    async with RealtimeKitStandIn(world) as stand_in, http_client(stand_in.url) as http:
        stand_in.checks_responses = False
        if mode:
            stand_in.faults.switch_on(mode)
        app = App(stand_in.account_id, stand_in.app_id, SecretStr(stand_in.api_token))
        gateway = CachedGateway(RealtimeKit(http, app), **options)
        yield Stage(stand_in, gateway, meeting, crowd)
        await gateway.aclose()
        assert stand_in.problems == []


def key(person: Participant) -> ParticipantKey:
    return ParticipantKey(f"participant:{person.id}")


def open_peers(found: Sequence[Found]) -> list[int]:
    return [len(person.open_peers) for person in found]


async def test_a_session_that_fits_on_a_page_is_read_with_one_call() -> None:
    async with on_stage(200) as stage:
        for _ in range(2):
            roster = await stage.find(key(stage.people[0]), "custom:nobody", "nobody")
            assert roster.find(key(stage.people[0]))
            assert (len(roster.everyone), roster.partial) == (200, frozenset())
            assert stage.calls() == ["1"]


@pytest.mark.parametrize("mode", MODES)
async def test_everybody_is_found_with_all_connections_whatever_the_search_does(
    mode: str | None,
) -> None:
    async with on_stage(650, mode) as stage:
        old, twice = stage.people[3], stage.people[7]
        for _ in range(2):
            stage.world.join(twice)
        gone = stage.people[9]
        stage.world.kick(gone)
        absent = stage.world.add_participant(stage.meeting, "Absent")
        roster = await stage.find(
            key(old), key(twice), f"custom:{gone.custom_id}", key(absent), "custom:nobody", "nobody"
        )
        assert open_peers(roster.find(key(old))) == [1]
        assert open_peers(roster.find(key(twice))) == [3]
        assert open_peers(roster.by_custom_id(CustomId(gone.custom_id))) == [0]
        assert not roster.find(key(absent))
        assert roster.partial == frozenset()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["participant", "custom", "pasted"])
async def test_one_person_is_found_alone_whatever_the_search_does(
    mode: str | None, kind: str
) -> None:
    async with on_stage(650, mode) as stage:
        person = stage.people[3]
        stage.world.join(person)
        text = {
            "participant": key(person),
            "custom": f"custom:{person.custom_id}",
            "pasted": person.id,
        }[kind]
        for _ in range(2):
            roster = await stage.find(text)
            assert open_peers([one for one in roster.everyone if one.id == person.id]) == [2]
            assert roster.partial == frozenset()


@pytest.mark.parametrize("mode", MODES)
async def test_nobody_is_absent_only_because_the_search_found_nothing(mode: str | None) -> None:
    async with on_stage(650, mode) as stage:
        for person in stage.people[:3]:
            roster = await stage.find(key(person))
            assert open_peers(roster.find(key(person))) == [1]


@pytest.mark.parametrize("count", [650, 2_000])
async def test_who_is_found_costs_one_call_in_a_long_session(count: int) -> None:
    async with on_stage(count) as stage:
        person = stage.people[3]
        await stage.find(key(person))
        assert stage.calls() == ["1", person.id]
        await stage.find(key(person))
        assert stage.calls() == [person.id]


@pytest.mark.parametrize("mode", ["search_by_peer_id", None])
async def test_whom_the_bot_saw_before_is_found_by_custom_id(mode: str | None) -> None:
    async with on_stage(650, mode) as stage:
        await stage.gateway.roster(stage.session)
        stage.calls()
        for person in stage.people[:3]:
            roster = await stage.find(key(person))
            assert open_peers(roster.find(key(person))) == [1]
            assert stage.calls() == [person.custom_id]


async def test_the_first_empty_answer_is_probed_and_the_next_ones_count() -> None:
    async with on_stage(650) as stage:
        absent = stage.world.add_participant(stage.meeting, "Absent")
        probed = stage.people[450]
        assert not (await stage.find(key(absent))).find(key(absent))
        # The newest page is read again: a kick's own reads are never older than its question.
        assert stage.calls() == ["1", absent.id, "1", probed.id]
        assert not (await stage.find(key(absent))).find(key(absent))
        assert stage.calls() == [absent.id]


async def test_a_search_that_is_ignored_is_not_asked_again() -> None:
    async with on_stage(650, "search_ignored") as stage:
        person = stage.people[3]
        await stage.find(key(person))
        assert stage.calls() == ["1", person.id, "1", "2", "3", "4"]
        await stage.find(key(person))
        assert stage.calls() == ["1", "2", "3", "4"]


async def test_a_row_that_only_has_the_text_in_its_name_proves_nothing() -> None:
    async with on_stage(650, "search_by_peer_id") as stage:
        person = stage.people[3]
        stage.world.rename(stage.people[4], f"I am {person.id}")
        roster = await stage.find(key(person))
        assert open_peers(roster.find(key(person))) == [1]


async def test_many_texts_in_a_short_list_cost_no_more_than_the_list() -> None:
    async with on_stage(650) as stage:
        await stage.find("nobody")
        stage.calls()
        roster = await stage.find(*map(key, stage.people[:25]))
        assert len(roster.live) >= 25
        assert stage.calls() == ["1", "2", "3", "4"]


async def test_somebody_who_rejoined_very_often_costs_one_page_and_is_partial() -> None:
    async with on_stage(300) as stage:
        person = stage.people[3]
        for _ in range(1_200):
            stage.world.join(person)
        await stage.find("nobody")
        stage.calls()
        roster = await stage.find(key(person))
        assert stage.calls() == [person.id]
        assert open_peers(roster.live) == [200]
        assert roster.partial == {key(person)}
        evidence = await stage.find(key(person), as_evidence=True)
        assert evidence.partial == {key(person)}
        assert len(evidence.find(key(person))[0].peers) >= 1_000


async def test_an_old_open_connection_may_be_missed_but_not_denied() -> None:
    async with on_stage(300) as stage:
        person = stage.people[3]
        for _ in range(250):
            stage.world.leave(stage.world.join(person))
        await stage.find("nobody")
        roster = await stage.find(key(person))
        assert open_peers(roster.find(key(person))) == [0]
        assert roster.partial == {key(person)}
        evidence = await stage.find(key(person), as_evidence=True)
        assert open_peers(evidence.find(key(person))) == [1]
        assert evidence.partial == frozenset()


async def test_evidence_has_the_newest_rows_and_searches_after_them() -> None:
    async with on_stage(650) as stage:
        person, newest = stage.people[3], stage.people[-1]
        await stage.find(key(person))
        stage.calls()
        stage.stand_in.faults.switch_on("slow", page_no=1, seconds=0.1, times=1)
        roster = await stage.find(key(person), as_evidence=True)
        assert roster.find(key(newest))
        assert open_peers(roster.find(key(person))) == [1]
        first, second = stage.stand_in.calls
        assert (first.query.get("search"), second.query.get("search")) == (None, person.id)
        assert first.ended_at
        assert first.ended_at <= second.started_at


async def test_a_search_that_misses_a_row_of_the_newest_page_is_not_trusted() -> None:
    async with on_stage(650) as stage:
        person = stage.people[-1]
        await stage.find(key(stage.people[3]), "custom:nobody")
        stage.calls()
        stage.stand_in.faults.switch_on("search_by_peer_id")
        roster = await stage.find(key(person), as_evidence=True)
        assert open_peers(roster.find(key(person))) == [1]
        assert stage.calls() == ["1", person.id, "1", "2", "3", "4"]


async def test_all_who_need_the_whole_list_share_its_next_read() -> None:
    async with on_stage(650, "search_ignored") as stage:
        await stage.find("nobody")
        stage.calls()
        people = stage.people[:10]
        rosters = await asyncio.gather(*(stage.find(key(person)) for person in people))
        for person, roster in zip(people, rosters, strict=True):
            assert open_peers(roster.find(key(person))) == [1]
        assert stage.calls() == ["1", "2", "3", "4"]


async def test_of_a_list_that_is_too_long_everybody_is_partial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.realtimekit.finder.MAX_PAGES", 6)
    async with on_stage(1_250, "search_ignored") as stage:
        old, new = stage.people[3], stage.people[-3]
        roster = await stage.find(key(old), key(new))
        assert not roster.find(key(old))
        assert open_peers(roster.find(key(new))) == [1]
        assert roster.partial == {key(old), key(new)}


async def test_a_search_that_fails_is_an_error() -> None:
    async with on_stage(650) as stage:
        await stage.find("nobody")
        stage.stand_in.faults.switch_on("server_error", op="participants", times=1)
        with pytest.raises(OutcomeUnknown):
            await stage.find(key(stage.people[0]))


# The menu


async def test_while_somebody_types_only_the_newest_page_is_read_again() -> None:
    async with on_stage(650, max_age=0.0) as stage:
        assert len((await stage.menu()).live) == 650
        assert stage.calls() == ["1", "2", "3", "4"]
        (newcomer,) = stage.world.fill(stage.meeting, 1, name="Newcomer")
        stage.world.kick(stage.people[-1])
        roster = await stage.menu("newcomer")
        assert [person.id for person in roster.search("newcomer", 9)] == [newcomer.id]
        assert len(roster.live) == 650
        assert stage.calls() == ["1"]
        assert await stage.menu() is roster
        assert stage.calls() == ["1"]


async def test_after_many_joins_as_many_pages_are_read_as_came() -> None:
    async with on_stage(650, max_age=0.0) as stage:
        await stage.menu()
        stage.calls()
        stage.world.fill(stage.meeting, 390, name="Raider")
        roster = await stage.menu()
        assert len(roster.live) == 1_040
        assert stage.calls() == ["1", "1", "2"]


async def test_everything_is_read_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.realtimekit.menu.WHOLE_EVERY", 0.0)
    async with on_stage(650, max_age=0.0) as stage:
        await stage.menu()
        stage.world.kick(stage.people[0])
        assert len((await stage.menu()).live) == 649


@pytest.mark.parametrize("mode", MODES)
async def test_of_a_very_long_session_the_newest_are_offered_and_others_searched(
    monkeypatch: pytest.MonkeyPatch, mode: str | None
) -> None:
    monkeypatch.setattr("bot.realtimekit.menu.MAX_PAGES", 2)
    monkeypatch.setattr("bot.realtimekit.menu.MAX_ROWS", 400)
    async with on_stage(650, mode, max_age=0.0) as stage:
        roster = await stage.menu()
        assert len(roster.live) == 400
        stage.calls()
        name = "Guest 7"
        roster = await stage.menu(name)
        if mode != "search_ignored":
            assert name in [person.name for person in roster.search(name, 100)]
        assert stage.calls() == ["1", name]


async def test_the_menu_keeps_a_few_sessions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.realtimekit.menu._MAX_SESSIONS", 1)
    async with on_stage(3, max_age=0.0) as stage:
        first = await stage.menu()
        assert stage.gateway.cached_roster(stage.session) is first
        other = stage.world.add_meeting("Other")
        stage.world.fill(other, 2)
        session = stage.world.live_session(other)
        assert session
        await stage.gateway.roster(SessionId(session.id))
        assert stage.gateway.cached_roster(stage.session) is None
