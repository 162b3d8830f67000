"""Serves the page, with the `/sandbox/…` endpoints of both stand-ins on the same port.

The page is the files in `page/`. A WebSocket tells it what has changed. It does all else through
`/slack/sandbox/…` and `/realtimekit/sandbox/…`, which are the endpoints of the stand-ins.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from weakref import WeakSet

from aiohttp import ClientConnectionResetError, WSCloseCode, web

from tests.sandbox.changes import Changes
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.server import Handler, LoopbackServer, only_from_loopback

PAGE: Final = Path(__file__).parent / "page"
# RealtimeKit's world also changes by time alone: people come back, and sessions end.
CHECK_INTERVAL: Final = 0.25  # seconds

# The browser then loads nothing from other servers and runs no script outside the page's files.
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@asynccontextmanager
async def open_page(sandbox: Sandbox, *, port: int = 0) -> AsyncIterator[str]:
    """Serve the page of a sandbox. The context is its URL."""
    async with LoopbackServer(_Page(sandbox).app(), port=port) as server:
        yield f"{server.origin}/"


class _Page:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._sockets: WeakSet[web.WebSocketResponse] = WeakSet()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[only_from_loopback, _only_from_the_page])
        app.router.add_get("/", _index)
        app.router.add_get("/live", self._live)
        for folder in ("script", "style"):
            app.router.add_static(f"/{folder}", PAGE / folder)
        slack, realtimekit = self._sandbox.slack, self._sandbox.realtimekit
        for name, stand_in in (("slack", slack), ("realtimekit", realtimekit)):
            inner = web.Application()
            inner.add_routes(stand_in.control_routes())
            app.add_subapp(f"/{name}", inner)
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self._close_sockets)
        return app

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        """Send the versions of the page's parts whenever one changes, until the page closes."""
        socket = web.WebSocketResponse(heartbeat=30, timeout=0.5)
        await socket.prepare(request)
        self._sockets.add(socket)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send_versions(socket))
            async for _ in socket:
                pass  # the page sends nothing; the loop ends when it closes
            sending.cancel()
        return socket

    async def _send_versions(self, socket: web.WebSocketResponse) -> None:
        sent = None
        changes = self._sandbox.slack.workspace.changes
        with suppress(ClientConnectionResetError):  # the page has just closed
            while True:
                count, versions = changes.count, self._versions()
                if versions != sent:
                    await socket.send_json(versions)
                    sent = versions
                await _wait_for_change(changes, count)

    def _versions(self) -> dict[str, int | str]:
        """Return a value for each part of the page, which differs after the part has changed."""
        slack, realtimekit = self._sandbox.slack, self._sandbox.realtimekit
        ended = sum(call.ended_at is not None for call in realtimekit.calls)
        return {
            "slack": slack.workspace.changes.count,
            "realtimekit": realtimekit.world.changes,
            "calls": f"{len(slack.calls)} {len(realtimekit.calls)} {ended}",
            "faults": f"{slack.faults.on} {realtimekit.faults.on}",
        }

    async def _close_sockets(self, _: web.Application) -> None:
        closing = (socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sockets)
        await asyncio.gather(*closing)


async def _wait_for_change(changes: Changes, count: int) -> None:
    with suppress(TimeoutError):
        await changes.until(lambda: changes.count > count, CHECK_INTERVAL)


@web.middleware
async def _only_from_the_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to the page of another server, also of one on this machine."""
    if request.headers.get("Origin") not in {None, f"http://{request.host}"}:
        raise web.HTTPForbidden(text="not for other sites")
    return await handler(request)


async def _index(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
