"""The front: a page to try the bot in, and the stand-ins' interfaces on one loopback port with it.

The page is plain files in `page/`. It learns what has changed by a WebSocket, and reads and does
everything else through `/slack/sandbox/…` and `/rooms/sandbox/…`, which are the stand-ins' own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from aiohttp import ClientConnectionResetError, WSCloseCode, web

from tests.sandbox.loopback import Handler, only_from_here
from tests.sandbox.place import Place
from tests.sandbox.slack.pulse import Pulse

PAGE = Path(__file__).parent / "page"
LOOKS_EVERY = 0.25  # seconds; people come back and faults go off by themselves

# The browser, too, holds the page to this: nothing from elsewhere, and no script but its files.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@asynccontextmanager
async def open_page(place: Place, *, port: int = 0) -> AsyncIterator[str]:
    """Serve the page of a place, and yield its address."""
    front = _Front(place)
    runner = web.AppRunner(front.app(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, opened = runner.addresses[0][:2]
        yield f"http://{host}:{opened}/"
    finally:
        await runner.cleanup()


class _Front:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._sockets: WeakSet[web.WebSocketResponse] = WeakSet()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[only_from_here, _only_by_the_page])
        app.router.add_get("/", _index)
        app.router.add_get("/live", self._live)
        for folder in ("script", "style"):
            app.router.add_static(f"/{folder}", PAGE / folder)
        for name, stand_in in (("slack", self._place.slack), ("rooms", self._place.realtimekit)):
            inner = web.Application()
            inner.add_routes(stand_in.control())
            app.add_subapp(f"/{name}", inner)
        app.on_response_prepare.append(_with_headers)
        app.on_shutdown.append(self._close)
        return app

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        """Tell a page, from now on, how things stand whenever that changes."""
        socket = web.WebSocketResponse(heartbeat=30, timeout=0.5)
        await socket.prepare(request)
        self._sockets.add(socket)
        async with asyncio.TaskGroup() as both:
            telling = both.create_task(self._tell(socket))
            async for _ in socket:
                pass  # a page says nothing; this ends when it goes
            telling.cancel()
        return socket

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        told = None
        pulse = self._place.slack.workspace.pulse
        with suppress(ClientConnectionResetError):  # the page went while it was told
            while True:
                beats, now = pulse.beats, self._now()
                if now != told:
                    await socket.send_json(now)
                    told = now
                await _beaten(pulse, beats)

    def _now(self) -> dict[str, int | str]:
        """Say of each part of the page how it stands: another value, once that has changed."""
        slack, rooms = self._place.slack, self._place.realtimekit
        ended = sum(call.ended_at is not None for call in rooms.calls)
        faults = (("slack", slack.faults), ("rooms", rooms.faults))
        return {
            "slack": slack.workspace.pulse.beats,
            "rooms": rooms.world.changes,
            "calls": f"{len(slack.calls)} {len(rooms.calls)} {ended}",
            "faults": " ".join(f"{of}:{name}" for of, some in faults for name in some.on),
        }

    async def _close(self, _: web.Application) -> None:
        closing = (socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sockets)
        await asyncio.gather(*closing)


@web.middleware
async def _only_by_the_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of another server sends, be it one of this machine."""
    if request.headers.get("Origin") not in {None, f"http://{request.host}"}:
        raise web.HTTPForbidden(text="not for other sites")
    return await handler(request)


async def _beaten(pulse: Pulse, beats: int) -> None:
    """Wait for another beat, but not long: RealtimeKit's side has no pulse, and is looked at."""
    with suppress(TimeoutError):
        await pulse.until(lambda: pulse.beats > beats, LOOKS_EVERY)


async def _index(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")


async def _with_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
