"""The page's server and the endpoints of the stand-ins, over real HTTP and without a browser."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, WSMsgType
from yarl import URL

from tests.sandbox.page_server import PAGE, open_page
from tests.sandbox.sandbox import Sandbox, open_sandbox
from tests.sandbox.slack import MessageContent
from tests.sandbox.slack.block_kit import validate_view

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
class PageClient:
    """A client of the page's server. `url` is the page's URL."""

    sandbox: Sandbox
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
async def page() -> AsyncIterator[PageClient]:
    async with open_sandbox() as sandbox, open_page(sandbox) as url, ClientSession() as http:
        yield PageClient(sandbox, url, http)


def _has_content_policy(answer: ClientResponse) -> bool:
    policy = answer.headers.get("Content-Security-Policy", "")
    return policy.startswith("default-src 'self';") and "unsafe" not in policy


async def test_the_page_and_its_files_are_served_with_a_content_policy(page: PageClient) -> None:
    files = [path.relative_to(PAGE) for path in PAGE.rglob("*.*")]
    assert {"index.html", "script/main.js", "style/base.css"} <= set(map(str, files))
    for path in ["", *(f"{path}" for path in files if path.suffix != ".html")]:
        async with page.http.get(page.url + path) as answer:
            assert answer.status == 200, path
            assert _has_content_policy(answer)
    html = (PAGE / "index.html").read_text()
    assert re.findall(r"(?:https?:)?//[^\s\"']+", html) == []


def test_no_script_of_the_page_parses_text_as_html() -> None:
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|DOMParser")
    found = [path.name for path in PAGE.rglob("*.js") if ways.search(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "path",
    ["../page_server.py", "script/../../page_server.py", "script/%2e%2e/%2e%2e/page_server.py"],
)
async def test_only_the_pages_files_are_served(page: PageClient, path: str) -> None:
    async with page.http.get(URL(page.url + path, encoded=True)) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://127.0.0.1:1"}])
@pytest.mark.parametrize(
    "path", ["", "live", "slack/sandbox/people", "realtimekit/sandbox/meetings"]
)
async def test_other_sites_are_kept_out(
    page: PageClient, path: str, headers: dict[str, str]
) -> None:
    async with page.http.get(page.url + path, headers=headers) as answer:
        assert answer.status == 403


async def test_the_page_is_told_about_every_change(page: PageClient) -> None:
    sandbox, world = page.sandbox, page.sandbox.realtimekit.world
    async with page.http.ws_connect(f"{page.url}live") as live:
        received = [await live.receive_json(timeout=30)]

        async def wait_for(part: str) -> None:
            """Wait until the version of this part has changed."""
            while True:
                received.append(await live.receive_json(timeout=30))
                if received[-1][part] != received[-2][part]:
                    return

        sandbox.slack.workspace.chat.put("C0LIVE", MessageContent("Hello"))
        await wait_for("slack")
        world.join(world.add_participant(sandbox.demo.ama, "Newcomer"))
        await wait_for("realtimekit")
        sandbox.realtimekit.faults.switch_on("slow")
        await wait_for("faults")
        world.comes_back(sandbox.demo.mallory, after=0.6)
        world.kick(sandbox.demo.mallory)
        await wait_for("realtimekit")
        await wait_for("realtimekit")
    assert sandbox.demo.mallory in world.who_is_in(sandbox.demo.ama)


async def test_an_open_page_does_not_block_the_end_of_the_server() -> None:
    async with open_sandbox() as sandbox, ClientSession() as http:
        async with open_page(sandbox) as url:
            live = await http.ws_connect(f"{url}live")
            await live.receive_json(timeout=30)
        assert (await live.receive(timeout=30)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}


async def test_the_workspace_lists_all_that_has_a_name(page: PageClient) -> None:
    shown = await page.get("slack/sandbox/workspace")
    assert {one["id"]: one["about"] for one in shown["people"]}["U0MAYA"] == "moderator"
    assert [one["handle"] for one in shown["groups"]] == ["mods"]
    assert {"C0LIVE", "C0MODS"} <= {one["id"] for one in shown["channels"]}
    assert shown["bot"]["name"] == "kickbot"
    (command,) = shown["commands"]
    assert command == {
        "command": "/kick",
        "description": "Remove people from a live meeting",
        "usage_hint": "[who] [reason], or help",
    }


async def test_unread_counts_messages_of_others_since_the_last_read(page: PageClient) -> None:
    async def unread() -> dict[str, int]:
        return {
            one["id"]: one["unread"] for one in (await page.maya())["channels"] if one["unread"]
        }

    put = page.sandbox.slack.workspace.chat.put
    put("C0LIVE", MessageContent("One"))
    put("C0LIVE", MessageContent("Two"))
    put("C0LIVE", MessageContent("Not for her"), only_for="U0MO")
    put("C0MODS", MessageContent("Three"))
    assert await unread() == {"C0LIVE": 2, "C0MODS": 1}
    read = {
        "channel": "C0LIVE",
        "ts": page.sandbox.slack.person("U0MAYA").messages("C0LIVE")[-1].ts,
    }
    status, _ = await page.post("slack/sandbox/as/U0MAYA/read", **read)
    assert (status, await unread()) == (200, {"C0MODS": 1})
    await page.post("slack/sandbox/as/U0MAYA/say", channel="C0LIVE", text="Mine")
    assert await unread() == {"C0MODS": 1}
    put("C0LIVE", MessageContent("Four"))
    assert await unread() == {"C0LIVE": 1, "C0MODS": 1}


async def test_what_slack_itself_says_is_shown_in_the_channel(page: PageClient) -> None:
    await page.post("slack/sandbox/as/U0MAYA/command", channel="C0QUIET", text="/kik")
    channels = {one["id"]: one["notices"] for one in (await page.maya())["channels"]}
    assert channels["C0LIVE"] == []
    assert "/kik is not a valid command" in channels["C0QUIET"][0]["text"]


async def test_an_incomplete_form_is_not_submitted(page: PageClient) -> None:
    page.sandbox.slack.workspace.views.open("U0MAYA", validate_view(VIEW))
    status, answer = await page.post("slack/sandbox/as/U0MAYA/submit")
    assert status == 409
    assert answer["errors"] == {"why": "Please complete this required field."}
    status, answer = await page.post("slack/sandbox/as/U0MAYA/submit", view_id="VOTHER")
    assert (status, answer["error"]) == (409, "that view is not on top any more")
    status, answer = await page.post("slack/sandbox/as/U0MAYA/press", action_id="none")
    assert (status, answer["errors"]) == (409, {})


async def test_only_the_newest_participants_are_shown_if_asked(page: PageClient) -> None:
    world, ama = page.sandbox.realtimekit.world, page.sandbox.demo.ama
    world.fill(ama, 100)
    shown = (await page.get("realtimekit/sandbox/meetings?people=3"))["meetings"][0]
    assert [one["name"] for one in shown["people"]] == ["Guest 98", "Guest 99", "Guest 100"]
    assert shown["live"] == 112
    assert len((await page.get("realtimekit/sandbox/meetings"))["meetings"][0]["people"]) == 112
    assert (await page.get("realtimekit/sandbox/meetings?people=0"))["meetings"][0]["people"] == []
    async with page.http.get(f"{page.url}realtimekit/sandbox/meetings?people=-1") as answer:
        assert answer.status == 400


async def test_removed_people_are_listed_until_they_are_back(page: PageClient) -> None:
    async def removed() -> list[str]:
        return [
            one["name"]
            for one in (await page.get("realtimekit/sandbox/meetings"))["meetings"][0]["removed"]
        ]

    world, mallory = page.sandbox.realtimekit.world, page.sandbox.demo.mallory
    assert await removed() == []
    world.kick(mallory)
    assert await removed() == ["Mallory"]
    await page.post(
        f"realtimekit/sandbox/meetings/{mallory.meeting.id}/join", participant_id=mallory.id
    )
    assert await removed() == []
    world.kick(mallory)
    assert await removed() == ["Mallory"]
    peer = world.join(mallory)
    world.leave(peer)
    assert await removed() == []


async def test_a_participant_can_come_back_after_a_kick(page: PageClient) -> None:
    world, mallory = page.sandbox.realtimekit.world, page.sandbox.demo.mallory
    path = f"realtimekit/sandbox/participants/{mallory.id}/comes-back"
    assert await page.post(path, after=0, times=1) == (200, {"times": 1})
    people = (await page.get("realtimekit/sandbox/meetings"))["meetings"][0]["people"]
    assert [one["name"] for one in people if one["comes_back"]] == ["Mallory"]
    world.kick(mallory)
    assert mallory in world.who_is_in(page.sandbox.demo.ama)
    assert (await page.post(path, times=0))[0] == 200
    for wrong in ({"times": "often"}, {"times": True}, {"after": float("nan")}, {"after": -1}):
        assert (await page.post(path, **wrong))[0] == 400
    assert (await page.post("realtimekit/sandbox/participants/nobody/comes-back"))[0] == 404


async def test_the_newest_calls_are_listed_without_a_secret(page: PageClient) -> None:
    sandbox = page.sandbox
    headers = {"Authorization": f"Bearer {sandbox.realtimekit.api_token}"}
    for path in ("one", sandbox.realtimekit.api_token):
        async with page.http.get(f"{sandbox.realtimekit.url}/{path}", headers=headers) as answer:
            assert answer.status == 404
    calls = (await page.get("realtimekit/sandbox/calls"))["calls"]
    assert [one["path"].rpartition("/")[2] for one in calls] == ["one", "***"]
    assert (await page.get("realtimekit/sandbox/calls?last=1"))["calls"] == calls[1:]
    assert [one["number"] for one in calls] == [0, 1]
    given = {"channel": "C0LIVE", "text": "Hello"}
    headers = {"Authorization": f"Bearer {sandbox.slack.bot_token}"}
    url = f"{sandbox.slack.api_url}chat.postMessage"
    async with page.http.post(url, json=given, headers=headers) as answer:
        assert (await answer.json())["ok"]
    (call,) = (await page.get("slack/sandbox/calls"))["calls"]
    assert (call["path"], call["body"], call["status"]) == ("/api/chat.postMessage", given, 200)
    assert sandbox.slack.bot_token not in str(call)
    assert (await page.get("slack/sandbox/calls?last=0"))["calls"] == []
