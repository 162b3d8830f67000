"""Processes of the bot in one test: tasks that die together, and a clock set by hand."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.fakes import FakeClock

T = TypeVar("T")


async def turn(times: int = 1) -> None:
    """Let other tasks run. A process may die here."""
    for _ in range(times):
        await asyncio.sleep(0)


class ManualClock(FakeClock):
    """A clock that advances only when the machine says so. Then the sleepers wake up."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + timedelta(seconds=seconds), future))
        await future

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        awake = [future for when, future in self._sleepers if when <= self.time]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self.time]
        for future in awake:
            if not future.done():
                future.set_result(None)

    @property
    def wakes(self) -> list[datetime]:
        """When each task that still sleeps wakes up."""
        return [when for when, future in self._sleepers if not future.done()]


_OWNER: ContextVar["ProcessTasks | None"] = ContextVar("owner", default=None)


class ProcessTasks:
    """The tasks of one process, and all tasks that these start. They die together."""

    def __init__(self, loop: asyncio.AbstractEventLoop, errors: list[BaseException]) -> None:
        self._loop = loop
        self._errors = errors
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[object, object, object]) -> None:
        """Start work that must not fail."""
        self.start(work, ())

    def start(
        self, work: Coroutine[object, object, Any], expected: tuple[type[Exception], ...]
    ) -> asyncio.Task[Any]:
        """Start work that may fail with these exceptions."""
        context = copy_context()
        context.run(_OWNER.set, self)
        task = self._loop.create_task(work, context=context)
        task.add_done_callback(lambda done: self._ended(done, expected))
        return task

    def _ended(self, task: asyncio.Task[Any], expected: tuple[type[Exception], ...]) -> None:
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, expected):
            self._errors.append(error)

    def die(self) -> None:
        """Cancel all tasks, as if the process was killed."""
        for task in self._running:
            task.cancel()

    @property
    def is_quiet(self) -> bool:
        """Tell whether no task is left."""
        return not self._running

    def own(self, task: asyncio.Task[Any]) -> None:
        """Add a task to this process."""
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that knows to which process each task belongs."""

    def make(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], **options: Any
    ) -> asyncio.Task[T]:
        task = asyncio.Task(work, loop=loop, **options)
        context = options.get("context")
        owner = context.get(_OWNER) if context else _OWNER.get()
        if owner:
            owner.own(task)
        return task

    loop = asyncio.new_event_loop()
    loop.set_task_factory(make)  # type: ignore[arg-type] # typeshed wants a Future factory
    return loop
