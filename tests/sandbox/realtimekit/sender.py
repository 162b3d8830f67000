"""Sends a response over the connection of its request, or fails to, as a fault demands."""

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from tests.sandbox.realtimekit.faults import Sending
from tests.sandbox.realtimekit.responses import ApiResponse

NO_DATE: Final = ""
"""The `Date` of a response that is sent without this header."""


class Sender:
    """Sends responses until the stand-in closes, which ends every wait."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all that waits or is sent slowly."""
        self._closing.set()

    async def wait(self, seconds: float | None) -> None:
        """Wait so long; None: until the stand-in closes."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def send(
        self,
        request: web.Request,
        response: ApiResponse,
        sending: Sending,
        parameters: Mapping[str, Any],
    ) -> web.StreamResponse:
        """Send a response in the given way. aiohttp sends the result, if it is not yet sent."""
        match sending:
            case Sending.WHOLE:
                return _complete(response, response.body)
            case Sending.HALF:
                return _complete(response, response.body[: len(response.body) // 2])
            case Sending.BYTE_BY_BYTE:
                return await self._byte_by_byte(request, response, parameters)
            case Sending.NEVER:
                await self.wait(None)
                return _cut(request, reset=True)
            case Sending.RESET | Sending.CLOSED:
                return _cut(request, reset=sending is Sending.RESET)

    async def _byte_by_byte(
        self, request: web.Request, response: ApiResponse, parameters: Mapping[str, Any]
    ) -> web.StreamResponse:
        stream = web.StreamResponse(status=response.status, headers=dict(response.headers))
        stream.content_type = response.content_type
        await stream.prepare(request)
        body, sent = response.body, 0
        while not self._closing.is_set() and (sent < len(body) or parameters.get("endless")):
            try:
                # An endless response goes on with blanks, so that it stays valid JSON.
                await stream.write(body[sent : sent + 1] or b" ")
            except ConnectionResetError:
                break  # the client has closed the connection
            sent += 1
            await self.wait(parameters.get("seconds", 0.1))
        return stream


async def without_date(_: web.Request, response: web.StreamResponse) -> None:
    """Take `NO_DATE` out of a response. aiohttp adds a date if the header is not there at all."""
    if response.headers.get("Date") == NO_DATE:
        del response.headers["Date"]


def _complete(response: ApiResponse, body: bytes) -> web.Response:
    return web.Response(
        status=response.status,
        body=body,
        content_type=response.content_type,
        headers=dict(response.headers),
    )


def _cut(request: web.Request, *, reset: bool) -> web.Response:
    """Cut the connection. aiohttp needs a response, but cannot send it any more."""
    transport = request.transport
    if transport is None:
        return web.Response()
    if reset:
        sock = transport.get_extra_info("socket")
        # A close with no time to linger sends RST, otherwise FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
    else:
        transport.close()
    return web.Response()
