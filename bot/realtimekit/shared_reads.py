"""Equal reads are shared by all callers that wait, and their results are kept for some seconds."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from bot.realtimekit.rate_limit import may_use_reserve

T = TypeVar("T")
Args = TypeVarTuple("Args")


@dataclass(slots=True, eq=False)
class _Entry:
    """A read in its own task. `begun`: it may have sent a request already."""

    fresh: bool
    begun: bool = False
    task: asyncio.Task[Any] = field(init=False)


@dataclass(frozen=True, slots=True)
class SharedReads:
    """Runs a read once for all callers that wait for it, and keeps its result.

    Two reads are the same if their function and arguments are equal. Each read runs in its own
    task, so a cancelled caller does not cancel it for the others. An error goes to all callers that
    wait, and is not kept.

    A fresh read belongs to a kick: it may use the calls that are kept for kicks. With `in_turn`, a
    read begins only after the running one of the same arguments has ended, and no read may use
    those calls. That is for long reads: all who ask meanwhile share the next one.
    """

    max_age: float
    max_reads: int
    in_turn: bool = False
    _cached: dict[Hashable, _Entry] = field(init=False, default_factory=dict)
    _running: set[asyncio.Task[Any]] = field(init=False, default_factory=set)

    async def get(
        self, read: Callable[[*Args], Coroutine[Any, Any, T]], *args: *Args, fresh: bool = False
    ) -> T:
        """Return the result of `read(*args)`. With `fresh`, the read begins after this call."""
        key = (read, args)
        entry = self._cached.get(key)
        if entry is None or (fresh and (entry.begun or not entry.fresh)):
            entry = self._start(key, partial(read, *args), fresh=fresh)
        result: T = await asyncio.shield(entry.task)
        return result

    async def aclose(self) -> None:
        """Cancel the running reads and wait until they have ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(
        self, key: Hashable, read: Callable[[], Coroutine[Any, Any, Any]], *, fresh: bool
    ) -> _Entry:
        before = self._cached.pop(key, None)
        entry = self._cached[key] = _Entry(fresh)
        previous = before.task if before and self.in_turn else None
        task = entry.task = asyncio.create_task(self._run(entry, previous, read))
        self._running.add(task)
        if len(self._cached) > self.max_reads:
            del self._cached[next(iter(self._cached))]
        task.add_done_callback(partial(self._ended, key, entry))
        return entry

    async def _run(
        self,
        entry: _Entry,
        previous: asyncio.Task[Any] | None,
        read: Callable[[], Coroutine[Any, Any, T]],
    ) -> T:
        if previous:
            await asyncio.wait([previous])
        entry.begun = True
        # This task has a context of its own.
        may_use_reserve.set(entry.fresh and not self.in_turn)
        return await read()

    def _ended(self, key: Hashable, entry: _Entry, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled() or task.exception():
            self._drop(key, entry)
        else:
            task.get_loop().call_later(self.max_age, self._drop, key, entry)

    def _drop(self, key: Hashable, entry: _Entry) -> None:
        if self._cached.get(key) is entry:
            del self._cached[key]
