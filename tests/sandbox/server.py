"""An HTTP server on loopback that refuses the pages of other sites."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HOST: Final = "127.0.0.1"
_SHUTDOWN_TIMEOUT: Final = 0.5  # seconds that requests in flight get at the end


class LoopbackServer:
    """Serves `app` while entered as an async context. Port 0 means any free port.

    The server numbers its connections, and it can stop and start while the context is open.
    """

    def __init__(self, app: web.Application, *, port: int = 0) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)
        self._connections: dict[RequestHandler, int] = {}
        self._server: asyncio.Server | None = None
        self._port = port

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self.resume()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """The origin of the server's URLs. It stays the same over a pause.

        Raises RuntimeError before the server is started.
        """
        if not self._port:
            raise RuntimeError("the server is not running")
        return f"http://{_HOST}:{self._port}"

    @property
    def connections(self) -> int:
        """How many TCP connections the server accepted."""
        return len(self._connections)

    def connection_number(self, request: web.Request) -> int:
        """Return the number of the connection that a request came on, counted from 1."""
        return self._connections[request.protocol]

    async def pause(self) -> None:
        """Close all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
        await self.disconnect()

    async def resume(self) -> None:
        """Accept connections again after a pause, on the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, _HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def disconnect(self) -> None:
        """Close all connections, idle or not. The server accepts new ones."""
        for protocol in self._connections:
            if protocol.transport is not None:
                protocol.transport.close()
        # A transport closes its socket only in the next turn of the event loop.
        await asyncio.sleep(0)

    def _accept(self) -> RequestHandler:
        if self._runner.server is None:
            raise RuntimeError("the server is not running")
        protocol = self._runner.server()
        self._connections[protocol] = len(self._connections) + 1
        return protocol


@web.middleware
async def only_from_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to the page of another site, and to a host name that is not a loopback name.

    The second check stops DNS rebinding: another site's name may resolve to 127.0.0.1.
    """
    origin = request.headers.get("Origin")
    if not _is_loopback(f"//{request.host}"):
        raise web.HTTPForbidden(text="use 127.0.0.1 or localhost")
    if origin is not None and not _is_loopback(origin):
        raise web.HTTPForbidden(text="not for other sites")
    return await handler(request)


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
