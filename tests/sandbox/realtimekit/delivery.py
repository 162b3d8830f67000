"""Sends an answer, or fails to, over the connection it was asked for on."""

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.sandbox.realtimekit.mishaps import Delivery
from tests.sandbox.realtimekit.replies import Reply


class Postman:
    """Delivers replies until the stand-in closes; those who hang are let go then."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all that waits or drips."""
        self._closing.set()

    async def wait(self, seconds: float | None) -> None:
        """Hold an answer back; None: until the stand-in closes."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def deliver(
        self, request: web.Request, reply: Reply, delivery: Delivery, how: Mapping[str, Any]
    ) -> web.StreamResponse:
        """Send a reply in the given way; what is returned was or will be sent by aiohttp."""
        match delivery:
            case Delivery.WHOLE:
                return _whole(reply, reply.body)
            case Delivery.HALF:
                return _whole(reply, reply.body[: len(reply.body) // 2])
            case Delivery.DRIPPING:
                return await self._drip(request, reply, how)
            case Delivery.NEVER:
                await self.wait(None)
                return _cut(request, reset=True)
            case Delivery.RESET | Delivery.CLOSED:
                return _cut(request, reset=delivery is Delivery.RESET)

    async def _drip(
        self, request: web.Request, reply: Reply, how: Mapping[str, Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
        response.content_type = reply.content_type
        await response.prepare(request)
        position = 0
        while not self._closing.is_set() and (position < len(reply.body) or how.get("endless")):
            # Blanks may follow JSON: an endless answer stays one that could still be read.
            try:
                await response.write(reply.body[position : position + 1] or b" ")
            except ConnectionResetError:
                break  # whoever asked has given up
            position += 1
            await self.wait(how.get("seconds", 0.1))
        return response


def _whole(reply: Reply, body: bytes) -> web.Response:
    return web.Response(
        status=reply.status,
        body=body,
        content_type=reply.content_type,
        headers=dict(reply.headers),
    )


def _cut(request: web.Request, *, reset: bool) -> web.Response:
    """Cut the connection. The response returned goes nowhere; aiohttp asks for one."""
    transport = request.transport
    if transport is None:
        return web.Response()
    if reset:
        sock = transport.get_extra_info("socket")
        # Closing with no time to linger sends RST; FIN otherwise.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
    else:
        transport.close()
    return web.Response()
