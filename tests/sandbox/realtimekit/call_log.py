"""The log of the requests to the stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.sandbox.changes import Changes
from tests.sandbox.realtimekit.rows import iso
from tests.sandbox.realtimekit.world import Clock


@dataclass(slots=True, eq=False)
class Call:
    """One request. `status` is None until a response is sent, and stays None if none is sent."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    connection: int
    started_at: datetime
    op: str | None = None
    status: int | None = None
    ended_at: datetime | None = None

    def context(self, path: Mapping[str, str]) -> dict[str, Any]:
        """Return what faults can be limited to. `path` has the values of the path's parameters.

        A value that the request lacks is None, so that a fault limited to one does not apply.
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
        """Return the call for the page, without the token."""
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


@dataclass(slots=True)
class CallLog:
    """The calls in the order of their arrival. `peak` is the most that were in flight at once."""

    clock: Clock
    calls: list[Call] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    peak: int = 0
    _in_flight: int = 0

    def begin(
        self, method: str, path: str, query: Mapping[str, str], body: Any, connection: int
    ) -> Call:
        """Log a request that has been read."""
        call = Call(method, path, query, body, connection, self.clock())
        self.calls.append(call)
        self._in_flight += 1
        self.peak = max(self.peak, self._in_flight)
        self.changes.notify()
        return call

    def end(self, call: Call) -> None:
        """Log that a request has been answered, or will not be."""
        call.ended_at = self.clock()
        self._in_flight -= 1
        self.changes.notify()
