"""RealtimeKit for many callers at once: equal reads are shared and kept for some seconds."""
# ruff: noqa: D102 - the port `MeetingGateway` documents the methods

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from bot.core.roster import Meeting, MeetingId, Participant, Roster, Session, SessionId
from bot.realtimekit.client import RealtimeKit

T = TypeVar("T")
Args = TypeVarTuple("Args")


class CachedGateway:
    """The client with shared reads. It implements the port `MeetingGateway`, which documents it.

    A result is kept for `max_age` seconds, at most `max_reads` of them. Kicks are not shared and do
    not drop results: the service itself shows the effect of a kick only after about 10 s. `aclose`
    cancels the running reads and, with them, the callers that wait for them.
    """

    def __init__(self, client: RealtimeKit, *, max_age: float = 5.0, max_reads: int = 48) -> None:
        self._client = client
        self.kick_slot = client.kick_slot
        self.service_time = client.service_time
        self._reads = SharedReads(max_age, max_reads)
        self.aclose = self._reads.aclose

    async def live_sessions(self) -> Sequence[Session]:
        return await self._reads.get(self._client.live_sessions)

    async def meetings(self, search: str) -> Sequence[Meeting]:
        return await self._reads.get(self._client.meetings, search)

    async def meeting(self, meeting: MeetingId) -> Meeting:
        return await self._reads.get(self._client.meeting, meeting)

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        return await self._reads.get(self._client.active_session, meeting, fresh=fresh)

    async def roster(self, session: SessionId, *, fresh: bool = False) -> Roster:
        return await self._reads.get(self._roster, session, fresh=fresh)

    async def records(self, meeting: MeetingId, *, fresh: bool = False) -> Sequence[Participant]:
        return await self._reads.get(self._client.records, meeting, fresh=fresh)

    async def _roster(self, session: SessionId) -> Roster:
        peers = await self._client.participants(session)
        # 10,000 names take a fifth of a second. On the event loop, they would delay every ack.
        return await asyncio.to_thread(Roster, peers)


@dataclass(frozen=True, slots=True)
class SharedReads:
    """Runs a read once for all callers that wait for it, and keeps its result.

    Two reads are the same if their function and arguments are equal. Each read runs in its own
    task, so a cancelled caller does not cancel it for the others. An error goes to all callers that
    wait, and is not kept.
    """

    max_age: float
    max_reads: int
    _cached: dict[Hashable, asyncio.Task[Any]] = field(init=False, default_factory=dict)
    _running: set[asyncio.Task[Any]] = field(init=False, default_factory=set)

    async def get(
        self, read: Callable[[*Args], Coroutine[Any, Any, T]], *args: *Args, fresh: bool = False
    ) -> T:
        """Return the result of `read(*args)`. With `fresh`, the read begins now."""
        key = (read, args)
        task: asyncio.Task[T] | None = None if fresh else self._cached.get(key)
        return await asyncio.shield(task or self._start(key, read(*args)))

    async def aclose(self) -> None:
        """Cancel the running reads and wait until they have ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, key: Hashable, read: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(read)
        self._running.add(task)
        self._cached.pop(key, None)
        self._cached[key] = task
        if len(self._cached) > self.max_reads:
            del self._cached[next(iter(self._cached))]
        task.add_done_callback(partial(self._ended, key))
        return task

    def _ended(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled() or task.exception():
            self._drop(key, task)
        else:
            task.get_loop().call_later(self.max_age, self._drop, key, task)

    def _drop(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._cached.get(key) is task:
            del self._cached[key]
