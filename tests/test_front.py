"""The page's server, and what the stand-ins tell a page: over real HTTP, without a browser."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, WSMsgType
from yarl import URL

from tests.sandbox.front import PAGE, open_page
from tests.sandbox.place import Place, open_place
from tests.sandbox.slack.chat import Draft
from tests.sandbox.slack.checks import checked_view

pytestmark = pytest.mark.services

VIEW: dict[str, Any] = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "A form"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why"},
            "element": {"type": "plain_text_input", "action_id": "why"},
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Front:
    """A place, its page's address, and somebody who asks."""

    place: Place
    url: str
    http: ClientSession

    async def get(self, path: str) -> Any:
        async with self.http.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        async with self.http.post(self.url + path, json=body) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text()

    async def maya(self) -> Any:
        return await self.get("slack/sandbox/as/U0MAYA")


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_place() as place, open_page(place) as url, ClientSession() as http:
        yield Front(place, url, http)


def _holds(answer: ClientResponse) -> bool:
    policy = answer.headers.get("Content-Security-Policy", "")
    return policy.startswith("default-src 'self';") and "unsafe" not in policy


async def test_the_page_and_its_files_are_served_and_held_to_this_server(front: Front) -> None:
    files = [path.relative_to(PAGE) for path in PAGE.rglob("*.*")]
    assert {"index.html", "script/main.js", "style/base.css"} <= set(map(str, files))
    for path in ["", *(f"{path}" for path in files if path.suffix != ".html")]:
        async with front.http.get(front.url + path) as answer:
            assert answer.status == 200, path
            assert _holds(answer)
    html = (PAGE / "index.html").read_text()
    assert re.findall(r"(?:https?:)?//[^\s\"']+", html) == []


def test_nothing_in_the_page_makes_html_of_text() -> None:
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser")
    found = [path.name for path in PAGE.rglob("*.js") if ways.search(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "path", ["../front.py", "script/../../front.py", "script/%2e%2e/%2e%2e/front.py"]
)
async def test_only_the_pages_files_are_served(front: Front, path: str) -> None:
    async with front.http.get(URL(front.url + path, encoded=True)) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://127.0.0.1:1"}])
@pytest.mark.parametrize("path", ["", "live", "slack/sandbox/people", "rooms/sandbox/meetings"])
async def test_other_sites_are_kept_out(front: Front, path: str, headers: dict[str, str]) -> None:
    async with front.http.get(front.url + path, headers=headers) as answer:
        assert answer.status == 403


async def test_the_page_hears_of_every_change(front: Front) -> None:
    place, world = front.place, front.place.realtimekit.world
    async with front.http.ws_connect(f"{front.url}live") as live:
        heard = [await live.receive_json(timeout=30)]

        async def hears_of(part: str) -> None:
            """Wait until it hears that this part has changed."""
            while True:
                heard.append(await live.receive_json(timeout=30))
                if heard[-1][part] != heard[-2][part]:
                    return

        place.slack.workspace.chat.put("C0LIVE", Draft("Hello"))
        await hears_of("slack")
        world.join(world.add_participant(place.cast.ama, "Newcomer"))
        await hears_of("rooms")
        place.realtimekit.faults.switch_on("slow")
        await hears_of("faults")
        world.comes_back(place.cast.mallory, after=0.6)
        world.kick(place.cast.mallory)
        await hears_of("rooms")
        await hears_of("rooms")
    assert place.cast.mallory in world.who_is_in(place.cast.ama)


async def test_a_page_that_is_open_does_not_keep_the_server_from_ending() -> None:
    async with open_place() as place, ClientSession() as http:
        async with open_page(place) as url:
            live = await http.ws_connect(f"{url}live")
            await live.receive_json(timeout=30)
        assert (await live.receive(timeout=30)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}


async def test_the_workspace_tells_who_and_what_has_a_name(front: Front) -> None:
    told = await front.get("slack/sandbox/workspace")
    assert {one["id"]: one["about"] for one in told["people"]}["U0MAYA"] == "moderator"
    assert [one["handle"] for one in told["groups"]] == ["mods"]
    assert {"C0LIVE", "C0MODS"} <= {one["id"] for one in told["channels"]}
    assert told["bot"]["name"] == "kickbot"
    (command,) = told["commands"]
    assert command == {
        "command": "/kick",
        "description": "Remove people from a live meeting",
        "usage_hint": "[who] [reason], or help",
    }


async def test_unread_is_what_others_wrote_since_one_read(front: Front) -> None:
    async def unread() -> dict[str, int]:
        return {
            one["id"]: one["unread"] for one in (await front.maya())["channels"] if one["unread"]
        }

    put = front.place.slack.workspace.chat.put
    put("C0LIVE", Draft("One"))
    put("C0LIVE", Draft("Two"))
    put("C0LIVE", Draft("Not for her"), only_for="U0MO")
    put("C0MODS", Draft("Three"))
    assert await unread() == {"C0LIVE": 2, "C0MODS": 1}
    read = {"channel": "C0LIVE", "ts": front.place.slack.person("U0MAYA").messages("C0LIVE")[-1].ts}
    status, _ = await front.post("slack/sandbox/as/U0MAYA/read", **read)
    assert (status, await unread()) == (200, {"C0MODS": 1})
    await front.post("slack/sandbox/as/U0MAYA/say", channel="C0LIVE", text="Mine")
    assert await unread() == {"C0MODS": 1}
    put("C0LIVE", Draft("Four"))
    assert await unread() == {"C0LIVE": 1, "C0MODS": 1}


async def test_what_slack_itself_says_has_a_place(front: Front) -> None:
    await front.post("slack/sandbox/as/U0MAYA/command", channel="C0QUIET", text="/kik")
    channels = {one["id"]: one["notices"] for one in (await front.maya())["channels"]}
    assert channels["C0LIVE"] == []
    assert "/kik is not a valid command" in channels["C0QUIET"][0]["text"]


async def test_a_form_that_is_not_complete_is_not_sent(front: Front) -> None:
    front.place.slack.workspace.views.open("U0MAYA", checked_view(VIEW))
    status, said = await front.post("slack/sandbox/as/U0MAYA/submit")
    assert status == 409
    assert said["complaints"] == {"why": "Please complete this required field."}
    status, said = await front.post("slack/sandbox/as/U0MAYA/submit", view_id="VOTHER")
    assert (status, said["error"]) == (409, "that view is not on top any more")
    status, said = await front.post("slack/sandbox/as/U0MAYA/press", action_id="none")
    assert (status, said["complaints"]) == (409, {})


async def test_of_a_crowd_the_newest_are_shown(front: Front) -> None:
    world, ama = front.place.realtimekit.world, front.place.cast.ama
    world.fill(ama, 100)
    shown = (await front.get("rooms/sandbox/meetings?people=3"))["meetings"][0]
    assert [one["name"] for one in shown["people"]] == ["Guest 98", "Guest 99", "Guest 100"]
    assert shown["live"] == 112
    assert len((await front.get("rooms/sandbox/meetings"))["meetings"][0]["people"]) == 112
    assert (await front.get("rooms/sandbox/meetings?people=0"))["meetings"][0]["people"] == []
    async with front.http.get(f"{front.url}rooms/sandbox/meetings?people=-1") as answer:
        assert answer.status == 400


async def test_who_was_removed_is_told_until_they_are_back(front: Front) -> None:
    async def removed() -> list[str]:
        return [
            one["name"]
            for one in (await front.get("rooms/sandbox/meetings"))["meetings"][0]["removed"]
        ]

    world, mallory = front.place.realtimekit.world, front.place.cast.mallory
    assert await removed() == []
    world.kick(mallory)
    assert await removed() == ["Mallory"]
    await front.post(f"rooms/sandbox/meetings/{mallory.meeting.id}/join", participant_id=mallory.id)
    assert await removed() == []
    world.kick(mallory)
    assert await removed() == ["Mallory"]
    peer = world.join(mallory)
    world.leave(peer)
    assert await removed() == []


async def test_somebody_can_be_made_to_come_back(front: Front) -> None:
    world, mallory = front.place.realtimekit.world, front.place.cast.mallory
    path = f"rooms/sandbox/participants/{mallory.id}/comes-back"
    assert await front.post(path, after=0, times=1) == (200, {"times": 1})
    people = (await front.get("rooms/sandbox/meetings"))["meetings"][0]["people"]
    assert [one["name"] for one in people if one["comes_back"]] == ["Mallory"]
    world.kick(mallory)
    assert mallory in world.who_is_in(front.place.cast.ama)
    assert (await front.post(path, times=0))[0] == 200
    for wrong in ({"times": "often"}, {"times": True}, {"after": float("nan")}, {"after": -1}):
        assert (await front.post(path, **wrong))[0] == 400
    assert (await front.post("rooms/sandbox/participants/nobody/comes-back"))[0] == 404


async def test_the_calls_are_told_from_any_one_on_and_without_a_secret(front: Front) -> None:
    place = front.place
    headers = {"Authorization": f"Bearer {place.realtimekit.api_token}"}
    for path in ("one", place.realtimekit.api_token):
        async with front.http.get(f"{place.realtimekit.url}/{path}", headers=headers) as answer:
            assert answer.status == 404
    calls = (await front.get("rooms/sandbox/calls"))["calls"]
    assert [one["path"].rpartition("/")[2] for one in calls] == ["one", "***"]
    assert (await front.get("rooms/sandbox/calls?last=1"))["calls"] == calls[1:]
    assert [one["number"] for one in calls] == [0, 1]
    given = {"channel": "C0LIVE", "text": "Hello"}
    headers = {"Authorization": f"Bearer {place.slack.bot_token}"}
    url = f"{place.slack.api_url}chat.postMessage"
    async with front.http.post(url, json=given, headers=headers) as answer:
        assert (await answer.json())["ok"]
    (call,) = (await front.get("slack/sandbox/calls"))["calls"]
    assert (call["path"], call["body"], call["status"]) == ("/api/chat.postMessage", given, 200)
    assert place.slack.bot_token not in str(call)
    assert (await front.get("slack/sandbox/calls?last=0"))["calls"] == []
