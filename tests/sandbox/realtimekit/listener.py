"""The door of the stand-in: a port on loopback, and the connections that come in by it."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

_HOST: Final = "127.0.0.1"
_GRACE: Final = 1.0
"""Seconds that requests in flight get when the door closes for good."""


class Listener:
    """Serves an application, counts its connections, and can refuse them for a while."""

    def __init__(self, app: web.Application) -> None:
        self.connections = 0
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE)
        self._numbers: dict[RequestHandler, int] = {}
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def origin(self) -> str:
        """Where it serves; the port stays the same over a pause."""
        if not self._port:
            raise RuntimeError("the stand-in is not running")
        return f"http://{_HOST}:{self._port}"

    def number_of(self, request: web.Request) -> int:
        """Tell by which connection a request came, counted from 1."""
        return self._numbers[request.protocol]

    async def open(self) -> None:
        """Start to serve."""
        await self._runner.setup()
        await self.resume()

    async def close(self) -> None:
        """Stop to serve, once what is in flight has ended."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    async def pause(self) -> None:
        """Cut all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
        await self.disconnect()

    async def resume(self) -> None:
        """Accept connections, again after a pause."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, _HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def disconnect(self) -> None:
        """Cut the connections there are; new ones are welcome."""
        for protocol in self._numbers:
            if protocol.transport is not None:
                protocol.transport.close()
        # Transports close their sockets in the loop's next turn.
        await asyncio.sleep(0)

    def _accept(self) -> RequestHandler:
        if self._runner.server is None:
            raise RuntimeError("the stand-in is not running")
        protocol = self._runner.server()
        self.connections += 1
        self._numbers[protocol] = self.connections
        return protocol
