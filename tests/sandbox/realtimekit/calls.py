"""The record of what was asked of the stand-in, for tests and for people."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.sandbox.realtimekit.rows import iso
from tests.sandbox.realtimekit.world import Clock


@dataclass(slots=True, eq=False)
class Call:
    """One request. `status` is None until it is answered, and stays so where no answer was sent."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    connection: int
    started_at: datetime
    op: str | None = None
    status: int | None = None
    ended_at: datetime | None = None

    def where(self, path: Mapping[str, str]) -> dict[str, Any]:
        """Say what faults can be narrowed to; `path` are the values that stand in it.

        What a request doesn't have is None: a fault narrowed to it strikes others only.
        """
        page_no = self.query.get("page_no", "1")
        ids = self.body.get("participant_ids") if isinstance(self.body, dict) else None
        return {
            "op": self.op,
            "meeting_id": None,
            "session_id": None,
            "participant_id": ids[0] if isinstance(ids, list) and len(ids) == 1 else None,
            "page_no": int(page_no) if page_no.isdecimal() else None,
            **path,
        }

    def as_json(self) -> dict[str, Any]:
        """Show the call to people."""
        return {
            "op": self.op,
            "method": self.method,
            "path": self.path,
            "query": dict(self.query),
            "body": self.body,
            "connection": self.connection,
            "token": "***",
            "status": self.status,
            "started_at": iso(self.started_at),
            "ended_at": iso(self.ended_at) if self.ended_at else None,
        }


class CallLog:
    """Calls in the order of their arrival, and a way to wait for them without polling."""

    def __init__(self, clock: Clock) -> None:
        self.calls: list[Call] = []
        self.in_flight = 0
        self.peak = 0
        self._clock = clock
        self._changed = asyncio.Event()

    def begin(
        self, method: str, path: str, query: Mapping[str, str], body: Any, connection: int
    ) -> Call:
        """Note a request that has been read."""
        call = Call(method, path, query, body, connection, self._clock())
        self.calls.append(call)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self.changed()
        return call

    def end(self, call: Call) -> None:
        """Note that a request has been dealt with."""
        call.ended_at = self._clock()
        self.in_flight -= 1
        self.changed()

    def changed(self) -> None:
        """Let those who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, predicate: Callable[[], bool], *, within: float) -> None:
        """Wait until it holds, looking again after each call; TimeoutError if it never does."""
        async with asyncio.timeout(within):
            while not predicate():
                await self._changed.wait()
