"""The RealtimeKit stand-in is as strict as the service, and plays its faults."""

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.faults import UnknownFaultError
from tests.sandbox.realtimekit import (
    HOSTILE_NAME,
    REALTIMEKIT_FAULTS,
    DemoData,
    Meeting,
    Participant,
    RealtimeKitStandIn,
    World,
    lone_meeting,
    open_meeting,
    weekly_ama,
)

pytestmark = pytest.mark.services

STRANGER = "11111111-2222-4333-8444-555555555555"


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 5, 4, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Api:
    """A client that sends what a bot would send."""

    stand_in: RealtimeKitStandIn
    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(self.url(path), params=query)

    async def kick(self, meeting: Meeting, *who: Participant, **body: Any) -> httpx.Response:
        ids = {"participant_ids": [person.id for person in who]} if who else {}
        path = f"/meetings/{meeting.id}/active-session/kick"
        return await self.http.post(self.url(path), json=ids | body)

    async def people(self, meeting: Meeting, **query: Any) -> list[dict[str, Any]]:
        reply = await self.get(f"/sessions/{self.session_id(meeting)}/participants", **query)
        assert reply.status_code == 200, reply.text
        rows: list[dict[str, Any]] = reply.json()["data"]["participants"]
        return rows

    def session_id(self, meeting: Meeting) -> str:
        session = self.stand_in.world.live_session(meeting)
        assert session is not None
        return session.id

    def url(self, path: str) -> str:
        its = self.stand_in
        return f"{its.url}/accounts/{its.account_id}/realtime/kit/{its.app_id}{path}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def demo(clock: Clock) -> DemoData:
    return weekly_ama(clock)


@pytest.fixture
async def stand_in(demo: DemoData) -> AsyncIterator[RealtimeKitStandIn]:
    async with RealtimeKitStandIn(demo.world) as server:
        yield server
    assert server.problems == []


def client(**options: Any) -> httpx.AsyncClient:
    """Make a client for loopback: without proxies, and without the cost of a CA bundle."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(verify=tls, trust_env=False, **options)


@pytest.fixture
async def api(stand_in: RealtimeKitStandIn) -> AsyncIterator[Api]:
    headers = {"Authorization": f"Bearer {stand_in.api_token}"}
    async with client(headers=headers, timeout=30) as http:
        yield Api(stand_in, http)


def error_of(reply: httpx.Response) -> tuple[int, str]:
    body = reply.json()
    assert body["success"] is False
    assert body["error"]["code"] == reply.status_code
    return reply.status_code, body["error"]["message"]


def edge_error_of(reply: httpx.Response) -> tuple[int, int]:
    body = reply.json()
    assert body.keys() == {"success", "errors", "messages", "result"}
    return reply.status_code, body["errors"][0]["code"]


def is_in(demo: DemoData, participant: Participant) -> bool:
    return participant in demo.world.who_is_in(participant.meeting)


class TestWorld:
    def test_ids_repeat(self, clock: Clock) -> None:
        assert weekly_ama(clock).mallory.id == weekly_ama(clock).mallory.id

    def test_ten_thousand_people_come(self, clock: Clock) -> None:
        world = World(clock)
        meeting = world.add_meeting("All hands")
        crowd = world.fill(meeting, 10_000)
        assert len({person.id for person in crowd}) == len(world.who_is_in(meeting)) == 10_000

    def test_a_kick_removes_every_tab(self, demo: DemoData) -> None:
        effect = demo.world.kick(demo.three_tabs)
        assert effect is not None
        assert len(effect.peers) == 3
        assert not is_in(demo, demo.three_tabs)
        assert [kick.participant for kick in demo.world.kicks] == [demo.three_tabs]

    def test_a_kick_of_someone_who_is_not_in_is_none(self, demo: DemoData) -> None:
        demo.world.kick(demo.mallory)
        assert demo.world.kick(demo.mallory) is None
        assert len(demo.world.kicks) == 1

    def test_leaving_by_one_tab_leaves_the_others(self, demo: DemoData) -> None:
        session = demo.world.live_session(demo.ama)
        assert session is not None
        demo.world.leave(session.present[demo.three_tabs.id][0])
        assert len(session.present[demo.three_tabs.id]) == 2

    def test_leaving_twice_is_leaving_once(self, demo: DemoData, clock: Clock) -> None:
        peer = demo.world.join(demo.three_tabs)
        demo.world.leave(peer)
        left_at = peer.left_at
        clock.forward(5)
        demo.world.leave(peer)
        assert peer.left_at == left_at

    def test_a_kicked_participant_can_come_back(self, demo: DemoData, clock: Clock) -> None:
        demo.world.comes_back(demo.mallory, after=10)
        demo.world.kick(demo.mallory)
        clock.forward(9)
        assert not is_in(demo, demo.mallory)
        clock.forward(1)
        assert is_in(demo, demo.mallory)
        demo.world.kick(demo.mallory)
        clock.forward(3600)
        assert not is_in(demo, demo.mallory)

    def test_coming_back_makes_a_new_peer(self, demo: DemoData) -> None:
        demo.world.comes_back(demo.mallory)
        effect = demo.world.kick(demo.mallory)
        session = demo.world.live_session(demo.ama)
        assert effect is not None
        assert session is not None
        assert session.present[demo.mallory.id][0] is not effect.peers[0]

    def test_a_session_outlives_its_last_participant_by_a_minute(self, clock: Clock) -> None:
        world = lone_meeting(clock, people=1)
        meeting = world.meetings[0]
        world.kick(world.who_is_in(meeting)[0])
        clock.forward(59)
        session = world.live_session(meeting)
        assert session is not None
        clock.forward(1)
        assert world.live_session(meeting) is None
        assert session.ended_at == clock()

    def test_after_an_end_a_join_starts_another_session(self, demo: DemoData) -> None:
        first = demo.world.live_session(demo.ama)
        demo.world.end_session(demo.ama)
        assert demo.world.who_is_in(demo.ama) == []
        demo.world.join(demo.mallory)
        second = demo.world.live_session(demo.ama)
        assert first is not second
        assert [session.ended_at is None for session in demo.world.sessions] == [False, True]

    def test_a_second_live_meeting_is_one_call_away(self, demo: DemoData) -> None:
        office = open_meeting(demo.world, "Office hours", ["Kim", "Lee"])
        assert [p.preset for p in demo.world.who_is_in(office)] == [
            "group_call_host",
            "group_call_participant",
        ]


class TestReading:
    async def test_live_sessions(self, api: Api, demo: DemoData) -> None:
        reply = await api.get("/sessions", status="LIVE")
        (row,) = reply.json()["data"]["sessions"]
        assert reply.json()["paging"] == {"total_count": 1, "start_offset": 1, "end_offset": 1}
        assert (row["associated_id"], row["meeting_display_name"]) == (demo.ama.id, "Weekly AMA")
        assert row["live_participants"] == 12  # people, not tabs
        assert "ended_at" not in row

    async def test_ended_sessions(self, api: Api, demo: DemoData, clock: Clock) -> None:
        demo.world.end_session(demo.ama)
        clock.forward(1)
        (row,) = (await api.get("/sessions", status="ENDED")).json()["data"]["sessions"]
        assert row["ended_at"] == "2026-05-04T12:00:00.000Z"
        assert row["live_participants"] == 0
        assert (await api.get("/sessions", status="LIVE")).json()["data"]["sessions"] == []

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"search": "weekly"}, 1),
            ({"search": "monthly"}, 0),
            ({"associated_id": STRANGER}, 0),
            ({"participants": "1:10"}, 0),
            ({"participants": "1:12"}, 1),
            ({"start_time": "2026-05-04T11:00:00Z"}, 1),
            ({"start_time": "2026-05-04T11:59:00Z"}, 0),
            ({"end_time": "2026-05-04T11:00:00Z"}, 0),
            ({"sort_by": "createdAt", "sort_order": "DESC"}, 1),
            ({"sort_by": "minutesConsumed"}, 1),
        ],
    )
    async def test_sessions_are_filtered(self, api: Api, query: dict[str, str], count: int) -> None:
        reply = await api.get("/sessions", **query)
        assert len(reply.json()["data"]["sessions"]) == count

    async def test_sessions_by_meeting_and_by_own_id(self, api: Api, demo: DemoData) -> None:
        for query in ({"search": api.session_id(demo.ama)}, {"associated_id": demo.ama.id}):
            assert (await api.get("/sessions", **query)).json()["paging"]["total_count"] == 1

    async def test_a_session(self, api: Api, demo: DemoData) -> None:
        reply = await api.get(f"/sessions/{api.session_id(demo.ama)}")
        assert reply.json()["data"]["status"] == "LIVE"

    async def test_rows_are_peers_and_carry_three_ids(self, api: Api, demo: DemoData) -> None:
        rows = [row for row in await api.people(demo.ama) if row.get("display_name") == "Yusuf"]
        assert len({row["id"] for row in rows}) == 3
        assert {row["user_id"] for row in rows} == {demo.three_tabs.id}
        assert {row["custom_participant_id"] for row in rows} == {"user-2210"}
        assert not any("left_at" in row for row in rows)

    async def test_who_left_stays_listed(self, api: Api, demo: DemoData) -> None:
        demo.world.kick(demo.mallory)
        (row,) = await api.people(demo.ama, search=demo.mallory.id)
        assert row["left_at"] == "2026-05-04T12:00:00.000Z"

    async def test_a_missing_name_is_absent_in_rows_and_null_in_records(
        self, api: Api, demo: DemoData
    ) -> None:
        (row,) = await api.people(demo.ama, search="user-3001")
        assert "display_name" not in row
        record = await api.get(f"/meetings/{demo.ama.id}/participants/{demo.nameless.id}")
        assert record.json()["data"]["name"] is None

    @pytest.mark.parametrize(
        ("search", "count"), [("mallory", 1), ("cam", 2), ("user-9001", 1), ("user-", 0)]
    )
    async def test_search_of_people(
        self, api: Api, demo: DemoData, search: str, count: int
    ) -> None:
        assert len(await api.people(demo.ama, search=search)) == count

    async def test_hostile_names_arrive_as_they_are(self, api: Api, demo: DemoData) -> None:
        (row,) = await api.people(demo.ama, search="user-6666")
        assert row["display_name"] == HOSTILE_NAME

    async def test_newest_first(self, api: Api, demo: DemoData) -> None:
        rows = await api.people(demo.ama, sort_by="joinedAt", sort_order="DESC")
        joined = [row["joined_at"] for row in rows]
        assert joined == sorted(joined, reverse=True)

    async def test_unsorted_is_in_no_order_of_time(self, api: Api, demo: DemoData) -> None:
        joined = [row["joined_at"] for row in await api.people(demo.ama)]
        assert joined not in (sorted(joined), sorted(joined, reverse=True))

    async def test_pages_of_people_join_up(self, api: Api, demo: DemoData) -> None:
        demo.world.fill(demo.ama, 450)
        path = f"/sessions/{api.session_id(demo.ama)}/participants"
        replies = [await api.get(path, per_page=200, page_no=page) for page in (1, 2, 3, 4)]
        pages = [reply.json()["data"]["participants"] for reply in replies]
        assert [len(page) for page in pages] == [200, 200, 64, 0]
        assert len({row["id"] for page in pages for row in page}) == 464
        assert replies[2].json()["paging"] == {
            "total_count": 464,
            "start_offset": 401,
            "end_offset": 464,
        }
        assert replies[3].json()["paging"]["start_offset"] == 0

    async def test_a_page_has_25_people_unless_asked(self, api: Api, demo: DemoData) -> None:
        demo.world.fill(demo.ama, 50)
        assert len(await api.people(demo.ama)) == 25
        assert len(await api.people(demo.ama, page_no="")) == 25

    async def test_meetings(self, api: Api, demo: DemoData) -> None:
        demo.world.add_meeting("Old one", active=False)
        everything = (await api.get("/meetings", per_page=2)).json()
        assert (len(everything["data"]), everything["paging"]["total_count"]) == (2, 3)
        for query in ({"search": "team"}, {"search": demo.team_sync.id}):
            (row,) = (await api.get("/meetings", **query)).json()["data"]
            assert row["id"] == demo.team_sync.id
        assert len((await api.get("/meetings", status="INACTIVE")).json()["data"]) == 1

    async def test_a_meeting_and_its_records(self, api: Api, demo: DemoData) -> None:
        meeting = await api.get(f"/meetings/{demo.team_sync.id}")
        assert meeting.json()["data"]["title"] == "Team sync"
        records = await api.get(f"/meetings/{demo.team_sync.id}/participants")
        assert {row["name"] for row in records.json()["data"]} == {"Priya Nair", "Tom"}

    async def test_the_presets_of_the_app(self, api: Api) -> None:
        presets = (await api.get("/presets")).json()["data"]
        assert "group_call_host" in {row["name"] for row in presets}
        found = (await api.get("/presets", search="viewer")).json()["data"]
        assert [row["name"] for row in found] == ["webinar_viewer"]

    async def test_renames_and_presets_show_in_rows(self, api: Api, demo: DemoData) -> None:
        demo.world.rename(demo.mallory, "Camille")
        demo.world.change_preset(demo.mallory, "group_call_host")
        (row,) = await api.people(demo.ama, search=demo.mallory.id)
        assert (row["display_name"], row["preset_name"]) == ("Camille", "group_call_host")

    async def test_active_session(self, api: Api, demo: DemoData) -> None:
        reply = await api.get(f"/meetings/{demo.ama.id}/active-session")
        assert reply.json()["data"]["id"] == api.session_id(demo.ama)

    @pytest.mark.parametrize("meeting_id", [STRANGER, "no-uuid"])
    async def test_no_active_session(self, api: Api, meeting_id: str) -> None:
        reply = await api.get(f"/meetings/{meeting_id}/active-session")
        assert error_of(reply) == (404, f"No active session found for meeting_id {meeting_id}")

    @pytest.mark.parametrize(
        "path",
        [
            f"/sessions/{STRANGER}",
            f"/sessions/{STRANGER}/participants",
            f"/meetings/{STRANGER}",
            f"/meetings/{STRANGER}/participants",
            f"/meetings/{STRANGER}/participants/{STRANGER}",
        ],
    )
    async def test_unknown_ids_are_not_found(self, api: Api, path: str) -> None:
        assert error_of(await api.get(path))[0] == 404

    async def test_rows_have_no_field_that_the_contract_does_not_name(
        self, api: Api, demo: DemoData
    ) -> None:
        demo.world.kick(demo.mallory)
        rows = await api.people(demo.ama)
        assert set().union(*rows) == {
            "id",
            "user_id",
            "custom_participant_id",
            "display_name",
            "preset_name",
            "joined_at",
            "left_at",
            "duration",
            "created_at",
            "updated_at",
        }


class TestStrictness:
    @pytest.mark.parametrize(
        "query",
        [
            {"per_page": 201},
            {"per_page": 0},
            {"per_page": "1.5"},
            {"per_page": "many"},
            {"page_no": 0},
            {"page_no": -1},
            {"page": 1},
            {"sort_by": "joined_at"},
            {"sort_order": "desc"},
            {"view": "cooked"},
            {"include_peer_events": "yes"},
        ],
    )
    async def test_queries_of_people(self, api: Api, demo: DemoData, query: dict[str, Any]) -> None:
        reply = await api.get(f"/sessions/{api.session_id(demo.ama)}/participants", **query)
        status, message = error_of(reply)
        assert status == 400
        assert message.startswith("BAD_REQUEST")

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("/sessions", {"meeting_id": STRANGER}),
            ("/sessions", {"associated_id": "no-uuid"}),
            ("/sessions", {"status": "live"}),
            ("/sessions", {"start_time": "yesterday"}),
            ("/sessions", {"start_time": "2026-05-04T12:00:00"}),
            ("/sessions", {"participants": "ten"}),
            ("/sessions", {"status": ["LIVE", "ENDED"]}),
            ("/sessions/no-uuid/participants", {}),
            ("/meetings", {"sort_by": "createdAt"}),
            ("/meetings/no-uuid", {}),
            (f"/meetings/{STRANGER.upper().replace('1', 'A')}/participants", {"search": "x"}),
            (f"/meetings/{STRANGER}/participants", {"search": "mallory"}),
        ],
    )
    async def test_queries_and_paths(self, api: Api, path: str, query: dict[str, Any]) -> None:
        assert error_of(await api.get(path, **query))[0] == 400

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            "text",
            {"participant_ids": []},
            {"custom_participant_ids": []},
            {"participant_ids": [STRANGER], "custom_participant_ids": []},
            {"participant_ids": STRANGER},
            {"participant_ids": ["mallory"]},
            {"participant_ids": [STRANGER.replace("-", "")]},
            {"participant_ids": [None]},
            {"custom_participant_ids": [9001]},
            {"user_ids": [STRANGER]},
            {"participant_ids": [STRANGER], "reason": "spam"},
            {"participant_ids": [STRANGER, STRANGER]},
        ],
    )
    async def test_bodies_of_a_kick(self, api: Api, demo: DemoData, body: object) -> None:
        path = f"/meetings/{demo.ama.id}/active-session/kick"
        reply = await api.http.post(api.url(path), json=body)
        assert error_of(reply)[0] == 400
        assert demo.world.kicks == []

    async def test_a_body_that_is_no_json(self, api: Api, demo: DemoData) -> None:
        url = api.url(f"/meetings/{demo.ama.id}/active-session/kick")
        content = json.dumps({"participant_ids": [demo.mallory.id]})
        as_json = {"Content-Type": "application/json"}
        assert error_of(await api.http.post(url, content="{", headers=as_json))[0] == 400
        assert error_of(await api.http.post(url, content=content))[0] == 415
        assert error_of(await api.http.post(url))[0] == 415
        assert demo.world.kicks == []

    async def test_authorization(self, api: Api) -> None:
        async with client() as http:
            url = api.url("/meetings")
            nothing = await http.get(url)
            basic = await http.get(url, auth=("user", "password"))
            wrong = await http.get(url, headers={"Authorization": "Bearer other"})
        assert edge_error_of(nothing) == (400, 9106)
        assert edge_error_of(basic) == (400, 9106)
        assert edge_error_of(wrong) == (401, 10000)

    async def test_other_accounts_and_apps(self, api: Api) -> None:
        its = api.stand_in
        url = f"{its.url}/accounts/{{}}/realtime/kit/{{}}/meetings"
        other_account = await api.http.get(url.format("f" * 32, its.app_id))
        other_app = await api.http.get(url.format(its.account_id, STRANGER))
        assert edge_error_of(other_account) == (403, 10000)
        assert error_of(other_app)[0] == 404

    async def test_routes(self, api: Api) -> None:
        without_base = api.url("/meetings").replace("/client/v4", "")
        assert edge_error_of(await api.get("/meetngs")) == (404, 7003)
        assert edge_error_of(await api.http.get(without_base)) == (404, 7003)
        assert edge_error_of(await api.http.put(api.url("/meetings"))) == (405, 7001)

    async def test_an_unsupported_request_is_a_problem(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        people = f"/sessions/{api.session_id(demo.ama)}/participants"
        assert (await api.get("/webhooks")).status_code == 501
        assert (await api.get(people, view="consolidated")).status_code == 501
        assert len(stand_in.problems) == 2
        stand_in.problems.clear()

    async def test_a_response_that_breaks_the_contract_is_a_problem(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        demo.ama.id = "no-uuid"
        assert (await api.get("/meetings")).status_code == 500
        assert "no-uuid" in stand_in.problems.pop()

    async def test_the_rate_limit_is_stated_and_enforced(
        self, api: Api, clock: Clock, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.rate_limit.limit = 2
        first, second, third = [await api.get("/meetings") for _ in range(3)]
        assert first.headers["Ratelimit"] == '"default";r=1;t=300'
        assert first.headers["Ratelimit-Policy"] == '"default";q=2;w=300'
        assert second.status_code == 200
        assert edge_error_of(third) == (429, 971)
        assert third.headers["Retry-After"] == "300"
        clock.forward(299)
        assert (await api.get("/meetings")).headers["Retry-After"] == "1"
        clock.forward(1)
        assert (await api.get("/meetings")).status_code == 200


class TestKick:
    async def test_by_participant_id(self, api: Api, demo: DemoData) -> None:
        reply = await api.kick(demo.ama, demo.mallory)
        assert reply.status_code == 200
        data = reply.json()["data"]
        assert [row["id"] for row in data["participants"]] == [demo.mallory.id]
        assert [kick.participant for kick in demo.world.kicks] == [demo.mallory]
        assert not is_in(demo, demo.mallory)

    async def test_by_custom_id_takes_all_who_have_it(self, api: Api, demo: DemoData) -> None:
        twin = demo.world.add_participant(demo.ama, "Mallory again", custom_id="user-9001")
        demo.world.join(twin)
        reply = await api.kick(demo.ama, custom_participant_ids=["user-9001"])
        ids = {row["id"] for row in reply.json()["data"]["participants"]}
        assert ids == {twin.id, demo.mallory.id}

    async def test_both_lists_are_a_union(self, api: Api, demo: DemoData) -> None:
        reply = await api.kick(demo.ama, demo.mallory, custom_participant_ids=["user-9001"])
        assert len(reply.json()["data"]["participants"]) == 1

    async def test_a_peer_id_is_no_participant_id(self, api: Api, demo: DemoData) -> None:
        (row,) = await api.people(demo.ama, search=demo.mallory.id)
        reply = await api.kick(demo.ama, participant_ids=[row["id"]])
        assert error_of(reply) == (404, f"No user found with id {row['id']}")
        assert is_in(demo, demo.mallory)

    async def test_a_second_kick_finds_nobody(self, api: Api, demo: DemoData) -> None:
        await api.kick(demo.ama, demo.mallory)
        reply = await api.kick(demo.ama, demo.mallory)
        assert error_of(reply) == (404, f"No user found with id {demo.mallory.id}")
        assert len(demo.world.kicks) == 1

    async def test_a_meeting_without_session(self, api: Api, demo: DemoData) -> None:
        reply = await api.kick(demo.team_sync, demo.mallory)
        assert error_of(reply)[0] == 404

    async def test_a_participant_of_another_meeting(self, api: Api, demo: DemoData) -> None:
        office = open_meeting(demo.world, "Office hours", ["Kim"])
        assert error_of(await api.kick(office, demo.mallory))[0] == 404
        assert is_in(demo, demo.mallory)

    async def test_one_unknown_of_several_stops_all(self, api: Api, demo: DemoData) -> None:
        ids = [demo.mallory.id, STRANGER]
        reply = await api.kick(demo.ama, participant_ids=ids)
        assert error_of(reply) == (404, f"No user found with id {STRANGER}")
        assert demo.world.kicks == []

    async def test_partial(self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn) -> None:
        stand_in.faults.switch_on("partial")
        reply = await api.kick(demo.ama, participant_ids=[demo.mallory.id, STRANGER])
        assert [row["id"] for row in reply.json()["data"]["participants"]] == [demo.mallory.id]
        assert error_of(await api.kick(demo.ama, participant_ids=[STRANGER]))[0] == 404

    async def test_peer_ids_in_the_response(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("kick_answers_peer_ids")
        reply = await api.kick(demo.ama, demo.three_tabs)
        ids = {row["id"] for row in reply.json()["data"]["participants"]}
        assert ids == {peer.id for peer in demo.world.kicks[0].peers}
        assert len(ids) == 3

    async def test_a_participant_without_a_name_has_none_in_the_response(
        self, api: Api, demo: DemoData
    ) -> None:
        reply = await api.kick(demo.ama, demo.nameless)
        assert "name" not in reply.json()["data"]["participants"][0]


class TestContractFaults:
    @pytest.mark.parametrize(
        ("fault", "left_at"), [("left_at_null", None), ("left_at_string_null", "null")]
    )
    async def test_left_at_of_the_connected(
        self,
        api: Api,
        demo: DemoData,
        stand_in: RealtimeKitStandIn,
        fault: str,
        left_at: str | None,
    ) -> None:
        stand_in.faults.switch_on(fault)
        demo.world.kick(demo.mallory)
        rows = {row["user_id"]: row["left_at"] for row in await api.people(demo.ama)}
        assert rows.pop(demo.mallory.id) == "2026-05-04T12:00:00.000Z"
        assert set(rows.values()) == {left_at}

    async def test_frozen_left_at(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("frozen_left_at")
        demo.world.kick(demo.mallory)
        assert not any("left_at" in row for row in await api.people(demo.ama))

    async def test_stray_quotes(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("stray_quote_dates")
        assert all(row["joined_at"].endswith('Z"') for row in await api.people(demo.ama))

    async def test_absent_fields(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("absent_fields")
        assert {*(await api.people(demo.ama))[0]} == {"id", "user_id", "joined_at"}
        stand_in.faults.switch_on("absent_fields", fields=["user_id"])
        assert "user_id" not in (await api.people(demo.ama))[0]

    async def test_paging(self, api: Api, stand_in: RealtimeKitStandIn) -> None:
        stand_in.faults.switch_on("paging_inside_data")
        body = (await api.get("/sessions")).json()
        assert "paging" not in body
        assert body["data"]["paging"]["total_count"] == 1
        stand_in.faults.switch_on("no_paging")
        assert (await api.get("/sessions")).json()["data"].keys() == {"sessions"}
        assert "paging" not in (await api.get("/meetings")).json()

    async def test_capped_pages(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("capped_pages", limit=4)
        first = await api.people(demo.ama, per_page=200)
        second = await api.people(demo.ama, per_page=200, page_no=2)
        assert len({row["id"] for row in first + second}) == 8

    async def test_exact_search(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("search_exact")
        assert len(await api.people(demo.ama, search="Camille")) == 2
        assert await api.people(demo.ama, search="Cam") == []

    async def test_its_clock_is_that_of_its_world(self, api: Api, demo: DemoData) -> None:
        response = await api.get(f"/meetings/{demo.ama.id}")
        assert response.headers["Date"] == "Mon, 04 May 2026 12:00:00 GMT"

    @pytest.mark.parametrize(("seconds", "time"), [(-5, "11:59:55"), (300, "12:05:00")])
    async def test_a_clock_that_is_apart(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn, seconds: int, time: str
    ) -> None:
        demo.world.join(demo.mallory)
        stand_in.faults.switch_on("clock_apart", seconds=seconds)
        joined = [row["joined_at"] for row in await api.people(demo.ama)]
        assert f"2026-05-04T{time}.000Z" in joined
        for path in (f"/meetings/{demo.ama.id}", "/nowhere"):
            assert (await api.get(path)).headers["Date"] == f"Mon, 04 May 2026 {time} GMT"

    async def test_a_response_without_a_date(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("no_date", times=1)
        assert "Date" not in (await api.get(f"/meetings/{demo.ama.id}")).headers
        assert "Date" in (await api.get(f"/meetings/{demo.ama.id}")).headers

    async def test_lagging_lists(
        self, api: Api, demo: DemoData, clock: Clock, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("lagging_list", seconds=10)
        clock.forward(60)
        office = open_meeting(demo.world, "Office hours", [])
        newcomer = demo.world.add_participant(office, "New")
        demo.world.join(newcomer)
        demo.world.kick(demo.mallory)

        async def seen() -> tuple[int, bool, int]:
            sessions = (await api.get("/sessions", status="LIVE")).json()["data"]["sessions"]
            (row,) = await api.people(demo.ama, search=demo.mallory.id)
            active = await api.get(f"/meetings/{office.id}/active-session")
            return len(sessions), "left_at" in row, active.status_code

        clock.forward(9)
        assert await seen() == (1, False, 404)
        clock.forward(1)
        assert await seen() == (2, True, 200)

    async def test_empty_lists(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("empty_sessions")
        stand_in.faults.switch_on("empty_participants")
        assert (await api.get("/sessions")).json()["data"] == {"sessions": []}
        assert await api.people(demo.ama) == []
        assert (await api.kick(demo.ama, demo.mallory)).status_code == 200

    async def test_a_session_that_starts(
        self, api: Api, clock: Clock, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("session_starting", seconds=10)
        demo.world.join(demo.world.records(demo.team_sync)[0])
        path = f"/meetings/{demo.team_sync.id}/active-session"
        assert error_of(await api.get(path))[0] == 500
        clock.forward(10)
        assert (await api.get(path)).status_code == 200


class TestResponseFaults:
    @pytest.mark.parametrize(
        ("fault", "error", "effect"),
        [
            ("reset_before", httpx.ReadError, False),
            ("reset_after", httpx.ReadError, True),
            ("closed_before", httpx.RemoteProtocolError, False),
            ("closed_after", httpx.RemoteProtocolError, True),
            ("hang", httpx.ReadTimeout, False),
        ],
    )
    async def test_no_response(
        self,
        api: Api,
        demo: DemoData,
        fault: str,
        error: type[httpx.HTTPError],
        effect: bool,  # noqa: FBT001
    ) -> None:
        api.http.timeout = httpx.Timeout(0.2)
        api.stand_in.faults.switch_on(fault, times=1, op="kick")
        assert (await api.get("/meetings")).status_code == 200
        with pytest.raises(error) as caught:
            await api.kick(demo.ama, demo.mallory)
        assert type(caught.value) is error
        assert is_in(demo, demo.mallory) is not effect
        assert api.stand_in.calls[-1].status is None
        again = await api.kick(demo.ama, demo.mallory)
        assert again.status_code == (404 if effect else 200)

    @pytest.mark.parametrize(
        ("fault", "status", "effect"),
        [
            ("rate_limited", 429, False),
            ("unauthorized", 401, False),
            ("forbidden", 403, False),
            ("server_error", 500, False),
            ("bad_gateway", 502, False),
            ("empty_body", 200, True),
            ("unknown_format", 200, False),
            ("wrong_shape", 200, True),
            ("success_false", 200, False),
            ("kick_empty", 200, False),
            ("truncated", 200, True),
        ],
    )
    async def test_other_responses(
        self,
        api: Api,
        demo: DemoData,
        fault: str,
        status: int,
        effect: bool,  # noqa: FBT001
    ) -> None:
        api.stand_in.faults.switch_on(fault, times=1, op="kick")
        reply = await api.kick(demo.ama, demo.mallory)
        assert reply.status_code == status
        assert "participants" not in reply.text or fault in {"kick_empty", "truncated"}
        assert is_in(demo, demo.mallory) is not effect
        assert (await api.get("/meetings")).status_code == 200

    async def test_the_content_of_responses(self, api: Api, stand_in: RealtimeKitStandIn) -> None:
        async def with_fault(fault: str, **how: Any) -> httpx.Response:
            stand_in.faults.switch_on(fault, times=1, **how)
            return await api.get("/meetings")

        assert "Retry-After" not in (await with_fault("rate_limited")).headers
        assert (await with_fault("rate_limited", retry_after=0.5)).headers["Retry-After"] == "0.5"
        assert error_of(await with_fault("server_error", status=503))[0] == 503
        html = await with_fault("bad_gateway", status=520)
        assert (html.status_code, html.headers["Content-Type"]) == (520, "text/html")
        assert (await with_fault("empty_body", status=500)).content == b""
        assert (await with_fault("wrong_shape", body=[1])).json() == [1]
        assert (await with_fault("success_false")).json()["success"] is False
        with pytest.raises(json.JSONDecodeError):
            (await with_fault("truncated")).json()

    @pytest.mark.parametrize("fault", ["hang", "success_false", "server_error", "kick_empty"])
    async def test_any_fault_can_have_the_effect(
        self, api: Api, demo: DemoData, fault: str
    ) -> None:
        api.stand_in.faults.switch_on(fault, effect=True)
        api.http.timeout = httpx.Timeout(0.2)
        if fault == "hang":
            with pytest.raises(httpx.ReadTimeout):
                await api.kick(demo.ama, demo.mallory)
        else:
            await api.kick(demo.ama, demo.mallory)
        assert not is_in(demo, demo.mallory)

    async def test_slow(self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn) -> None:
        stand_in.faults.switch_on("slow", seconds=0.1, times=1)
        start = time.monotonic()
        assert (await api.kick(demo.ama, demo.mallory)).status_code == 200
        assert time.monotonic() - start >= 0.1

    @pytest.mark.parametrize("late", [False, True])
    async def test_slow_acts_at_once_or_late(
        self,
        api: Api,
        demo: DemoData,
        stand_in: RealtimeKitStandIn,
        late: bool,  # noqa: FBT001
    ) -> None:
        stand_in.faults.switch_on("slow", seconds=0.3, late=late)
        api.http.timeout = httpx.Timeout(0.1)
        with pytest.raises(httpx.ReadTimeout):
            await api.kick(demo.ama, demo.mallory)
        assert is_in(demo, demo.mallory) is late
        await stand_in.until(lambda: not is_in(demo, demo.mallory))

    async def test_slow_and_another(self, api: Api, stand_in: RealtimeKitStandIn) -> None:
        stand_in.faults.switch_on("slow", seconds=0.05)
        stand_in.faults.switch_on("server_error")
        assert (await api.get("/meetings")).status_code == 500

    async def test_dripping_defeats_a_read_timeout(
        self,
        api: Api,
        demo: DemoData,
        stand_in: RealtimeKitStandIn,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        stand_in.faults.switch_on("dripping", seconds=0.01, endless=True)
        api.http.timeout = httpx.Timeout(0.2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await api.kick(demo.ama, demo.mallory)
        assert not is_in(demo, demo.mallory)
        await stand_in.until(lambda: stand_in.calls[-1].ended_at is not None)
        assert caplog.messages == []

    async def test_dripping_ends_with_the_whole_response(
        self, api: Api, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("dripping", seconds=0)
        assert (await api.get("/sessions")).json()["success"] is True

    async def test_faults_can_be_narrowed(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("server_error", participant_id=demo.host.id)
        assert (await api.get("/meetings")).status_code == 200
        assert (await api.kick(demo.ama, demo.mallory)).status_code == 200
        assert (await api.kick(demo.ama, demo.host)).status_code == 500
        stand_in.faults.switch_on("server_error", op="participants", page_no=2)
        path = f"/sessions/{api.session_id(demo.ama)}/participants"
        statuses = [(await api.get(path, page_no=n)).status_code for n in (1, 2, 3)]
        assert statuses == [200, 500, 200]

    async def test_only_what_it_applies_to_uses_up_its_times(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        stand_in.faults.switch_on("bad_gateway", times=1, op="kick")
        await api.get("/meetings")
        assert stand_in.faults.is_on("bad_gateway")
        await api.kick(demo.ama, demo.mallory)
        assert not stand_in.faults.is_on("bad_gateway")

    async def test_closing_ends_requests_that_hang(self, demo: DemoData) -> None:
        async with RealtimeKitStandIn(demo.world) as stand_in, client() as http:
            stand_in.faults.switch_on("hang")
            headers = {"Authorization": f"Bearer {stand_in.api_token}"}
            url = Api(stand_in, http).url("/meetings")
            call = asyncio.create_task(http.get(url, headers=headers, timeout=30))
            await stand_in.until(lambda: bool(stand_in.calls))
            await stand_in.__aexit__(None, None, None)
            with pytest.raises(httpx.ReadError):
                await call

    def test_unknown_faults_are_refused(self, stand_in: RealtimeKitStandIn) -> None:
        with pytest.raises(UnknownFaultError):
            stand_in.faults.switch_on("earthquake")


class TestCallLog:
    async def test_calls_and_connections(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        await api.get("/meetings", per_page=2)
        await api.kick(demo.ama, demo.mallory)
        read, kick = stand_in.calls
        assert (read.op, read.method, read.query, read.status) == (
            "meetings",
            "GET",
            {"per_page": "2"},
            200,
        )
        assert (kick.op, kick.body) == ("kick", {"participant_ids": [demo.mallory.id]})
        assert (read.connection, kick.connection, stand_in.connections) == (1, 1, 1)
        assert kick.ended_at is not None
        async with client() as http:
            await http.get(stand_in.url)
        assert stand_in.connections == stand_in.calls[-1].connection == 2

    async def test_a_pause_refuses_connections(
        self, api: Api, stand_in: RealtimeKitStandIn
    ) -> None:
        await api.get("/meetings")
        await stand_in.pause()
        with pytest.raises(httpx.ConnectError):
            await api.get("/meetings")
        await stand_in.resume()
        assert (await api.get("/meetings")).status_code == 200
        assert len(stand_in.calls) == stand_in.connections == 2

    async def test_a_disconnect_costs_a_connection(
        self, api: Api, stand_in: RealtimeKitStandIn
    ) -> None:
        await api.get("/meetings")
        await stand_in.disconnect()
        assert (await api.get("/meetings")).status_code == 200
        assert stand_in.connections == 2

    async def test_the_most_calls_at_once(self, api: Api, stand_in: RealtimeKitStandIn) -> None:
        stand_in.faults.switch_on("slow", seconds=0.1)
        await asyncio.gather(*(api.get("/meetings") for _ in range(5)))
        assert stand_in.peak == 5

    async def test_a_wait_times_out(self, stand_in: RealtimeKitStandIn) -> None:
        with pytest.raises(TimeoutError):
            await stand_in.until(lambda: False, within=0.01)

    async def test_there_is_no_url_before_it_runs(self, demo: DemoData) -> None:
        with pytest.raises(RuntimeError):
            _ = RealtimeKitStandIn(demo.world).url


class TestControl:
    async def test_who_is_in(self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn) -> None:
        await api.kick(demo.ama, demo.mallory)
        shown = (await api.http.get(f"{stand_in.origin}/sandbox/meetings")).json()
        ama, team_sync = shown["meetings"]
        assert len(ama["people"]) == 11
        assert team_sync == {
            "id": demo.team_sync.id,
            "title": "Team sync",
            "records": 2,
            "session": None,
            "live": 0,
            "people": [],
            "removed": [],
        }
        assert [one["participant_id"] for one in ama["removed"]] == [demo.mallory.id]
        assert [kick["participant_id"] for kick in shown["kicks"]] == [demo.mallory.id]

    async def test_join_and_leave(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        http, origin = api.http, stand_in.origin
        join = f"{origin}/sandbox/meetings/{demo.ama.id}/join"
        reply = await http.post(join, json={"name": "Eve", "preset": "webinar_viewer"})
        assert reply.status_code == 201
        (row,) = await api.people(demo.ama, search=reply.json()["participant_id"])
        assert (row["id"], row["preset_name"]) == (reply.json()["peer_id"], "webinar_viewer")
        await http.post(f"{origin}/sandbox/peers/{row['id']}/leave")
        await http.post(join, json={"participant_id": row["user_id"]})
        rows = await api.people(demo.ama, search=row["user_id"], sort_by="joinedAt")
        assert sorted("left_at" in one for one in rows) == [False, True]

    async def test_a_new_meeting(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        url = f"{stand_in.origin}/sandbox/meetings"
        reply = await api.http.post(url, json={"title": "Office hours"})
        assert reply.json()["id"] == demo.world.meetings[-1].id
        assert (await api.http.post(url, json={})).status_code == 400

    async def test_mistakes_get_an_error_status(
        self, api: Api, demo: DemoData, stand_in: RealtimeKitStandIn
    ) -> None:
        http, base = api.http, f"{stand_in.origin}/sandbox"
        join = f"{base}/meetings/{demo.ama.id}/join"
        elsewhere = {"participant_id": demo.world.records(demo.team_sync)[0].id}
        assert (await http.post(f"{base}/meetings/x/join", json={})).status_code == 404
        assert (await http.post(f"{base}/peers/x/leave")).status_code == 404
        assert (await http.post(join, json=elsewhere)).status_code == 404
        assert (await http.post(join, json={"name": 1})).status_code == 400
        assert (await http.post(join, content="{")).status_code == 400

    async def test_faults_over_http(self, api: Api, stand_in: RealtimeKitStandIn) -> None:
        url = f"{stand_in.origin}/sandbox/faults"
        assert (await api.http.get(url)).json().keys() == REALTIMEKIT_FAULTS.keys()
        how = {"times": 1, "op": "meetings", "retry_after": 7}
        await api.http.put(f"{url}/rate_limited", json=how)
        assert (await api.get("/sessions")).status_code == 200
        assert (await api.get("/meetings")).headers["Retry-After"] == "7"
        assert (await api.get("/meetings")).status_code == 200
        assert (await api.http.put(f"{url}/earthquake")).status_code == 404

    async def test_calls_without_the_token(self, api: Api, stand_in: RealtimeKitStandIn) -> None:
        await api.get("/meetings", search=stand_in.api_token)
        reply = await api.http.get(f"{stand_in.origin}/sandbox/calls")
        (call,) = reply.json()["calls"]
        assert (call["op"], call["query"]) == ("meetings", {"search": "***"})
        assert stand_in.api_token not in reply.text

    @pytest.mark.parametrize(
        "headers",
        [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "http://[x"}],
    )
    async def test_only_from_loopback(
        self, api: Api, stand_in: RealtimeKitStandIn, headers: dict[str, str]
    ) -> None:
        url = f"{stand_in.origin}/sandbox/calls"
        assert (await api.http.get(url, headers=headers)).status_code == 403
        assert (await api.http.get(url, headers={"Host": "localhost:1"})).status_code == 200


def test_the_demo_data(demo: DemoData) -> None:
    one, other = demo.camilles
    assert one.name == other.name
    assert one.preset != other.preset
    assert all(uuid.UUID(person.id).version == 4 for person in demo.world.who_is_in(demo.ama))
    assert demo.world.live_session(demo.team_sync) is None
