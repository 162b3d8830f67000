"""Socket Mode: the bot's WebSockets, and payloads through one of them."""

import asyncio
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientConnectionResetError, WSMsgType, web

from tests.sandbox.faults import Faults
from tests.sandbox.slack.delivery import UNANSWERED, UNREACHABLE, Kind, Outcome
from tests.sandbox.slack.pulse import Pulse

Json = dict[str, Any]

MOST_SOCKETS = 10
CLOSING_TIME = 0.5


@dataclass(slots=True)
class Sockets:
    """The open sockets of the app; each payload goes to one of them, in turn.

    `open` are those that payloads still go to; after a `disconnect` that is no mere warning a
    socket gets none, but may still bring acks.
    """

    app_id: str
    faults: Faults
    pulse: Pulse
    problems: list[str]
    open: list[web.WebSocketResponse] = field(default_factory=list)
    _all: list[web.WebSocketResponse] = field(default_factory=list)
    _tickets: set[str] = field(default_factory=set)
    _pending: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _turn: int = 0

    def ticket(self) -> str:
        """Return the path and query of a new URL, good for one connection."""
        ticket = secrets.token_urlsafe(18)
        self._tickets.add(ticket)
        return f"/link/?ticket={ticket}&app_id={self.app_id}"

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket for as long as it lasts."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="this URL was used, or never given")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(timeout=CLOSING_TIME)
        await socket.prepare(request)
        if len(self.open) >= MOST_SOCKETS:
            await self._dismiss(socket, "too_many_websockets")
            await socket.close()
            return socket
        await self._serve(socket)
        return socket

    async def exchange(self, kind: Kind, payload: Json) -> Outcome:
        """Send a payload through a socket and wait for its ack, on whichever socket it comes."""
        envelope_id = secrets.token_hex(16)
        answer = asyncio.get_running_loop().create_future()
        self._pending[envelope_id] = answer
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": payload.get("type") not in UNANSWERED,
        }
        try:
            socket = await self._send(envelope)
            if socket is None:
                return Outcome(failure=UNREACHABLE, detail="no socket is open")
            if (how := self.faults.strike("socket_refresh")) is not None:
                await self._dismiss(socket, how.get("reason", "refresh_requested"))
            return Outcome(body=await answer)
        finally:
            del self._pending[envelope_id]

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Ask the bot to replace all sockets, as Slack does every few hours."""
        for socket in list(self.open):
            await self._dismiss(socket, reason)

    async def close(self) -> None:
        """Close all sockets."""
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
            },
        )
        self.pulse.beat()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._receive(frame.data)
        finally:
            self._all.remove(socket)
            self._retire(socket)

    def _receive(self, frame: str) -> None:
        try:
            ack = json.loads(frame)
            answer = self._pending.get(ack["envelope_id"])
        except (ValueError, TypeError, KeyError):
            self._complain(f"a frame that is no ack: {frame[:200]!r}")
            return
        if answer is None or answer.done():
            self._complain(f"an ack too late, or twice: {frame[:200]!r}")
        else:
            answer.set_result(ack.get("payload"))

    def _complain(self, what: str) -> None:
        self.problems.append(what)
        self.pulse.beat()

    def _retire(self, socket: web.WebSocketResponse) -> None:
        if socket in self.open:
            self.open.remove(socket)
        self.pulse.beat()

    async def _send(self, envelope: Json) -> web.WebSocketResponse | None:
        for socket in self._in_turn():
            try:
                await socket.send_json(envelope)
            except ClientConnectionResetError:
                continue  # it has just gone: its own handler will notice
            return socket
        return None

    def _in_turn(self) -> list[web.WebSocketResponse]:
        self._turn += 1
        first = self._turn % max(1, len(self.open))
        return self.open[first:] + self.open[:first]

    async def _dismiss(self, socket: web.WebSocketResponse, reason: str) -> None:
        if reason != "warning":
            self._retire(socket)
        frame = {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
        with suppress(ClientConnectionResetError):
            await socket.send_json(frame)
