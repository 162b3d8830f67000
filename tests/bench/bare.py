"""`python -m tests.bench.bare STUB FOLDER`: the bot's work without the bot, as a measure.

An aiohttp application verifies Slack's signature and answers, and nothing more. Each path does one
thing besides. It prints its URL, and ends when its input ends.
"""

import asyncio
import hashlib
import hmac
import json
import sqlite3
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import httpx
from aiohttp import web

from tests.bench.stub import KIT

SECRET = "bench"
CROWD = 10_000
MAX_OPTIONS = 100


class Bare:
    """The handlers."""

    def __init__(self, stub: str, folder: str) -> None:
        self._stub = stub
        self._slack = aiohttp.ClientSession()
        self._kit = httpx.AsyncClient(base_url=stub + KIT)
        self._file = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute("CREATE TABLE kicks (id INTEGER PRIMARY KEY, body TEXT)")
        self._tasks: set[asyncio.Task[None]] = set()
        self._names = {
            "distinct": [f"guest {at:06d} of the bench".casefold() for at in range(CROWD)],
            "one": ["alex doe"] * CROWD,
        }

    async def ack(self, request: web.Request) -> web.Response:
        """Verify and answer."""
        await _verified(request)
        return web.Response()

    async def write(self, request: web.Request) -> web.Response:
        """Answer after one durable write."""
        self._write(await _verified(request))
        return web.json_response({"response_action": "clear"})

    async def call(self, request: web.Request) -> web.Response:
        """Answer after one durable write, and make one call."""
        self._write(await _verified(request))
        kick = self._kit.post("/meetings/m0/active-session/kick", json={"participant_ids": ["a"]})
        self._spawn(kick)
        return web.json_response({"response_action": "clear"})

    async def open(self, request: web.Request) -> web.Response:
        """Answer, and open a modal."""
        form = parse_qs((await _verified(request)).decode())
        view = {"type": "modal", "title": {"type": "plain_text", "text": "Kick"}, "blocks": []}
        sent = {"trigger_id": form["trigger_id"][0], "view": view}
        self._spawn(self._slack.post(f"{self._stub}/api/views.open", json=sent))
        return web.Response()

    async def options(self, request: web.Request) -> web.Response:
        """Answer with the names that contain what was typed."""
        body = await _verified(request)
        wanted = json.loads(parse_qs(body.decode())["payload"][0])["value"].casefold()
        names = self._names[request.match_info["names"]]
        found = [at for at, name in enumerate(names) if wanted in name][:MAX_OPTIONS]
        options = [_option(names[at], f"{at:036d}") for at in found]
        return web.json_response({"options": options})

    def _write(self, body: bytes) -> None:
        self._file.execute("INSERT INTO kicks (body) VALUES (?)", (body.decode(),))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(_ended(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def serve_socket(self) -> None:
        """Ack each envelope of Socket Mode."""
        async with self._slack.ws_connect(f"{self._stub}/link?who=bare") as socket:
            async for frame in socket:
                envelope = json.loads(frame.data).get("envelope_id")
                if envelope:
                    await socket.send_str(json.dumps({"envelope_id": envelope}))

    async def close(self) -> None:
        await self._slack.close()
        await self._kit.aclose()
        self._file.close()


async def _ended(work: Coroutine[Any, Any, Any]) -> None:
    reply = await work
    if isinstance(reply, aiohttp.ClientResponse):
        await reply.read()


def _option(name: str, value: str) -> dict[str, Any]:
    text, details = ({"type": "plain_text", "text": one} for one in (name, f"id {value}"))
    return {"text": text, "value": value, "description": details}


async def _verified(request: web.Request) -> bytes:
    body, stamp = await request.read(), request.headers["X-Slack-Request-Timestamp"]
    base = b":".join((b"v0", stamp.encode(), body))
    expected = f"v0={hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()}"
    if not hmac.compare_digest(expected, request.headers["X-Slack-Signature"]):
        raise web.HTTPUnauthorized
    return body


async def main(stub: str, folder: str) -> None:
    """Serve until the input ends."""
    bare = Bare(stub, folder)
    app = web.Application()
    for name in ("ack", "write", "call", "open"):
        app.router.add_post(f"/{name}", getattr(bare, name))
    app.router.add_post("/options/{names}", bare.options)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    socket = asyncio.create_task(bare.serve_socket())
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    socket.cancel()
    with suppress(asyncio.CancelledError):
        await socket
    await bare.close()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
