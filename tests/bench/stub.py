"""`python -m tests.bench.stub`: lean stand-ins for Slack and RealtimeKit, in one process.

They check nothing, so that they are fast. `tests/sandbox` has strict ones. The process prints its
URL, and ends when its input ends. Times are of the monotonic clock, which all processes share.
"""

import asyncio
import json
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from aiohttp import WSMsgType, web

KIT = "/accounts/a/realtime/kit/app"
TEAM = "T0BENCH"
PRESETS = ("group_call_participant", "group_call_host", "webinar_presenter")


class Crowd:
    """A meeting `m<number>` whose session `s<number>` has `size` people, newest first."""

    def __init__(self, number: int, size: int, name: str) -> None:
        self.number = number
        self.size = size
        self._name = name
        self._pages: dict[tuple[str, ...], bytes] = {}

    @cached_property
    def rows(self) -> Sequence[dict[str, Any]]:
        now = datetime.now(UTC)
        return [self._row(at, now - timedelta(minutes=1, milliseconds=at)) for at in self._range()]

    def _range(self) -> range:
        return range(self.size)

    def _row(self, at: int, joined_at: datetime) -> dict[str, Any]:
        joined = joined_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "id": f"{self.number:08x}-0000-4000-9000-{at:012x}",
            "user_id": participant_id(self.number, at),
            "custom_participant_id": f"customer-{self.number}-{at:06d}",
            "display_name": self._name.format(at),
            "preset_name": PRESETS[0],
            "joined_at": joined,
            "created_at": joined,
            "updated_at": joined,
            "duration": 1.5,
        }

    @property
    def meeting(self) -> dict[str, Any]:
        return {"id": f"m{self.number}", "title": f"Weekly {self.number}", "status": "ACTIVE"}

    @property
    def session(self) -> dict[str, Any]:
        return {
            "id": f"s{self.number}",
            "associated_id": f"m{self.number}",
            "meeting_display_name": f"Weekly {self.number}",
            "status": "LIVE",
            "live_participants": self.size,
            "created_at": self.rows[-1]["joined_at"],
            "started_at": self.rows[-1]["joined_at"],
        }

    def peers(self, query: dict[str, str]) -> bytes:
        """Return a page. `search` is a part of an id or a name, in any case."""
        key = tuple(query.get(name, "") for name in ("search", "page_no", "per_page"))
        if key not in self._pages:
            found = list(self._found(query.get("search", "").casefold()))
            self._pages[key] = _list(found, query, key="participants", inside=True)
        return self._pages[key]

    def _found(self, wanted: str) -> Iterator[dict[str, Any]]:
        for row in self.rows:
            texts = (row[one] for one in ("id", "user_id", "custom_participant_id", "display_name"))
            if not wanted or any(wanted in text.casefold() for text in texts):
                yield row

    def record(self, participant: str) -> dict[str, Any]:
        at = int(participant.rpartition("-")[2], 16)
        row = self.rows[at]
        kept = ("custom_participant_id", "preset_name", "created_at", "updated_at")
        return {
            "id": row["user_id"],
            "name": row["display_name"],
            **{one: row[one] for one in kept},
        }

    def answer(self, path: Sequence[str], query: dict[str, str], sent: Any) -> bytes | None:
        """Return the reply about this meeting or its session; None if there is no such path."""
        match path:
            case ["meetings", _]:
                return _success(self.meeting)
            case ["meetings", _, "active-session"] | ["sessions", _]:
                return _success(self.session)
            case ["meetings", _, "active-session", "kick"]:
                kicked = [{"id": one} for ids in sent.values() for one in ids]
                return _success({"action": "kick", "participants": kicked})
            case ["sessions", _, "participants"]:
                return self.peers(query)
            case ["meetings", _, "participants", *participant]:
                return self._records(query, *participant)
        return None

    def _records(self, query: dict[str, str], participant: str = "") -> bytes:
        if participant:
            return _success(self.record(participant))
        return _list([self.record(row["user_id"]) for row in self.rows], query)


def participant_id(meeting: int, at: int) -> str:
    """Return the id of a participant."""
    return f"{meeting:08x}-0000-4000-8000-{at:012x}"


def _list(
    rows: Sequence[Any], query: dict[str, str], *, key: str = "", inside: bool = False
) -> bytes:
    """Return a page of a list, with its paging beside the data or `inside` of it."""
    number, size = int(query.get("page_no", 1)), min(int(query.get("per_page", 25)), 200)
    start = (number - 1) * size
    shown = rows[start : start + size]
    first = start + 1 if shown else 0
    paging = {"total_count": len(rows), "start_offset": first, "end_offset": start + len(shown)}
    if inside:
        return _success({key: shown, "paging": paging})
    return _success({key: shown} if key else shown, paging=paging)


def _success(data: Any, **beside: Any) -> bytes:
    return json.dumps({"success": True, "data": data, **beside}).encode()


class Stub:
    """Both services. `calls` has time, service, name and JSON of each call, in their order."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[float, str, str, Any]] = []
        self._peers: set[object] = set()
        self.delay = 0.0
        self.fault = ""
        self.crowds: list[Crowd] = []
        self._called = asyncio.Event()
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._ts = 0
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self._ack: asyncio.Future[float] | None = None

    def _record(self, request: web.Request, service: str, name: str, body: Any) -> None:
        self._places[name].append(len(self.calls))
        self.calls.append((time.monotonic(), service, name, body))
        if request.transport:
            self._peers.add(request.transport.get_extra_info("peername"))
        self._called.set()

    # RealtimeKit

    async def realtimekit(self, request: web.Request) -> web.StreamResponse:
        path = request.path.partition(KIT)[2].strip("/").split("/")
        name = "kick" if path[-1] == "kick" else path[2] if len(path) > 2 else path[0]
        sent = await request.json() if request.method == "POST" else None
        self._record(request, "realtimekit", name, sent)
        await asyncio.sleep(self.delay)
        if name == "kick" and self.fault:
            return await self._fail(request)
        body = self._answer(path, dict(request.query), sent)
        if body is None:
            body = b'{"success": false, "error": {"code": 404, "message": "No such thing"}}'
            return web.Response(status=404, body=body, content_type="application/json")
        return web.Response(body=body, content_type="application/json")

    def _answer(self, path: Sequence[str], query: dict[str, str], sent: Any) -> bytes | None:
        match path:
            case ["presets"]:
                return _list([{"id": one, "name": one} for one in PRESETS], query)
            case ["meetings" | "sessions" as kind]:
                wanted = query.get("search", "").casefold()
                rows = [one.session if kind == "sessions" else one.meeting for one in self.crowds]
                found = [row for row in rows if wanted in json.dumps(row).casefold()]
                return _list(found, query, key=kind if kind == "sessions" else "")
        number = path[1][1:] if len(path) > 1 else ""
        known = number.isdigit() and int(number) < len(self.crowds)
        return self.crowds[int(number)].answer(path, query, sent) if known else None

    async def _fail(self, request: web.Request) -> web.StreamResponse:
        if self.fault == "reset" and request.transport:
            request.transport.abort()
        if self.fault == "hang":
            await asyncio.sleep(60)
        return web.Response(status=500)

    # Slack

    async def slack(self, request: web.Request) -> web.Response:
        method = request.path.rpartition("/")[2]
        is_json = request.content_type == "application/json"
        sent = await request.json() if is_json else {**request.query, **await request.post()}
        self._record(request, "slack", method, sent)
        await asyncio.sleep(self.delay)
        return web.json_response({"ok": True, **self._slack_answer(method, sent)})

    def _slack_answer(self, method: str, sent: Any) -> dict[str, Any]:
        self._ts += 1
        ts = f"{1_700_000_000 + self._ts}.000100"
        match method:
            case "auth.test":
                return {"team_id": TEAM, "team": "Bench", "user_id": "U0BOT", "bot_id": "B0BOT"}
            case "users.info":
                return {"user": {"id": sent["user"], "team_id": TEAM, "is_bot": False}}
            case "apps.connections.open":
                return {"url": self.url.replace("http", "ws") + "/link?who=bot"}
            case "views.open" | "views.update" | "views.push":
                return {"view": {**sent["view"], "id": f"V{self._ts}", "hash": "1.a"}}
        return {"channel": sent.get("channel"), "ts": ts, "users": []}

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Serve a socket of Socket Mode."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.sockets[request.query["who"]] = socket
        self._called.set()
        async for frame in socket:
            if frame.type is WSMsgType.TEXT and self._ack and not self._ack.done():
                self._ack.set_result(time.monotonic())
        return socket

    # Control

    async def exchange(self, request: web.Request) -> web.Response:
        """Send envelopes over a socket, one after the other. Return the seconds to each ack."""
        given = await request.json()
        taken = []
        for number in range(given["count"]):
            self._ack = asyncio.get_running_loop().create_future()
            envelope = {"envelope_id": f"{number}", **given["envelope"]}
            began = time.monotonic()
            await self.sockets[given["who"]].send_json(envelope)
            taken.append(await self._ack - began)
            await asyncio.sleep(given["pause"])
        return web.json_response(taken)

    async def connected(self, request: web.Request) -> web.Response:
        """Answer when these are connected by Socket Mode."""
        while not self.sockets.keys() >= set(await request.json()):
            self._called.clear()
            await self._called.wait()
        return web.Response()

    async def change(self, request: web.Request) -> web.Response:
        """Change the delay of each call, the fault of each kick, or the crowds."""
        given = await request.json()
        self.delay = given.get("delay", self.delay)
        self.fault = given.get("fault", self.fault)
        if "crowds" in given:
            crowds = enumerate(given["crowds"])
            self.crowds = [Crowd(at, one["size"], one["name"]) for at, one in crowds]
            self._prepare()
        return web.json_response({"calls": len(self.calls)})

    def _prepare(self) -> None:
        # The pages are made now, so that no reply waits for them.
        for crowd in self.crowds:
            for number in range(1, 2 + crowd.size // 200):
                crowd.peers({"page_no": f"{number}", "per_page": "200"})

    async def seen(self, request: web.Request) -> web.Response:
        """Return the calls after the first `since`; wait for `count` of them named `name`."""
        since, count = int(request.query["since"]), int(request.query["count"])
        places = self._places[request.query["name"]]
        while len(places) - bisect_left(places, since) < count:
            self._called.clear()
            await self._called.wait()
        calls = self.calls[since:] if "all" in request.query else self.calls[-1:]
        return web.json_response({"calls": calls, "connections": len(self._peers)})


async def main() -> None:
    """Serve until the input ends."""
    stub = Stub()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/control/change", stub.change)
    app.router.add_post("/control/connected", stub.connected)
    app.router.add_post("/control/exchange", stub.exchange)
    app.router.add_get("/control/seen", stub.seen)
    app.router.add_get("/link", stub.link)
    app.router.add_route("*", KIT + "/{rest:.*}", stub.realtimekit)
    app.router.add_post("/{rest:.*}", stub.slack)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    sys.stdout.write(f"{stub.url}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
