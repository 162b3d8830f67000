"""Socket Mode: the bot's WebSockets, and the payloads sent through them.

https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

import asyncio
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import ClientConnectionResetError, WSMsgType, web

from tests.sandbox.changes import Changes
from tests.sandbox.control import Json
from tests.sandbox.faults import Faults
from tests.sandbox.slack.delivery.delivery import UNREACHABLE, WITHOUT_BODY, Kind, Outcome

MAX_SOCKETS: Final = 10
CLOSE_TIMEOUT: Final = 0.5  # seconds
CLOSES_AFTER: Final = 2.0  # seconds that a socket stays open after a `disconnect`


@dataclass(slots=True)
class Sockets:
    """The app's sockets. Each payload goes to one of the `open` ones, in turn.

    A socket that was sent a `disconnect`, unless that is a warning, gets no more payloads, but it
    may still send acks for `closes_after` seconds. Then it is closed.
    """

    app_id: str
    faults: Faults
    changes: Changes
    problems: list[str]
    closes_after: float = CLOSES_AFTER
    open: list[web.WebSocketResponse] = field(default_factory=list)
    _all: list[web.WebSocketResponse] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _pending: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)
    _sent: int = 0

    def new_path(self) -> str:
        """Return the path and query of a URL for one connection."""
        ticket = secrets.token_urlsafe(18)
        self._tickets.add(ticket)
        return f"/link/?ticket={ticket}&app_id={self.app_id}"

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it is closed."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="this URL is unknown or was already used")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(timeout=CLOSE_TIMEOUT)
        await socket.prepare(request)
        if len(self.open) >= MAX_SOCKETS:
            await self._disconnect(socket, "too_many_websockets")
            await socket.close()
        else:
            await self._serve(socket)
        return socket

    async def exchange(self, kind: Kind, payload: Json) -> Outcome:
        """Send a payload through one socket and wait for its ack, which may come on another."""
        envelope_id = secrets.token_hex(16)
        ack = asyncio.get_running_loop().create_future()
        self._pending[envelope_id] = ack
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": payload.get("type") not in WITHOUT_BODY,
        }
        try:
            socket = await self._send(envelope)
            if socket is None:
                return Outcome(failure=UNREACHABLE, detail="no socket is open")
            if (given := self.faults.apply("socket_refresh")) is not None:
                await self._disconnect(socket, given.get("reason", "refresh_requested"))
            return Outcome(body=await ack)
        finally:
            del self._pending[envelope_id]

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Ask the bot to replace all sockets, as Slack does every few hours."""
        for socket in list(self.open):
            await self._disconnect(socket, reason)

    async def close(self) -> None:
        """Close all sockets."""
        for closing in self._closing:
            closing.cancel()
        for socket in list(self._all):
            await socket.close()

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        self.open.append(socket)
        self._all.append(socket)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self.open),
                "connection_info": {"app_id": self.app_id},
                "debug_info": {"host": "sandbox", "approximate_connection_time": 18060},
            }
        )
        self.changes.notify()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._receive(frame.data)
        finally:
            self._all.remove(socket)
            self._retire(socket)

    def _receive(self, frame: str) -> None:
        try:
            message = json.loads(frame)
            ack = self._pending.get(message["envelope_id"])
        except (ValueError, TypeError, KeyError):
            self._add_problem(f"a frame that is no ack: {frame[:200]!r}")
            return
        if ack is None or ack.done():
            self._add_problem(f"an ack too late, or twice: {frame[:200]!r}")
        else:
            ack.set_result(message.get("payload"))

    def _add_problem(self, text: str) -> None:
        self.problems.append(text)
        self.changes.notify()

    def _retire(self, socket: web.WebSocketResponse) -> None:
        if socket in self.open:
            self.open.remove(socket)
        self.changes.notify()

    async def _send(self, envelope: Json) -> web.WebSocketResponse | None:
        """Send to the next open socket and return it."""
        self._sent += 1
        first = self._sent % max(1, len(self.open))
        for socket in self.open[first:] + self.open[:first]:
            try:
                await socket.send_json(envelope)
            except ClientConnectionResetError:
                continue  # it has just been closed, so `_serve` will remove it
            return socket
        return None

    async def _disconnect(self, socket: web.WebSocketResponse, reason: str) -> None:
        if reason != "warning":
            self._retire(socket)
        frame = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
        with suppress(ClientConnectionResetError):
            await socket.send_json(frame)
        if reason != "warning":
            closing = asyncio.create_task(self._close_later(socket))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close_later(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(self.closes_after)
        await socket.close()
