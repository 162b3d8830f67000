"""Background tasks: they are waited for at the end, and their errors are logged."""

import asyncio
import logging

import pytest

from bot.tasks import Tasks


async def test_a_drain_waits_for_work_and_for_what_that_starts() -> None:
    tasks, done, gate = Tasks(), list[str](), asyncio.Event()

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        await gate.wait()
        done.append("first")
        tasks.spawn(second())

    tasks.spawn(first())
    drained = asyncio.ensure_future(tasks.drain(10))
    await asyncio.sleep(0)
    assert not drained.done()
    gate.set()
    await drained
    assert done == ["first", "second"]


async def test_work_that_does_not_end_in_time_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks, cancelled = Tasks(), list[bool]()

    async def stuck() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    tasks.spawn(stuck())
    await asyncio.sleep(0)
    await tasks.drain(0.01)
    assert cancelled == [True]
    assert "1 tasks did not end in 0.01 s" in caplog.text


async def test_a_fault_is_logged_and_harms_no_other_work(caplog: pytest.LogCaptureFixture) -> None:
    tasks, done = Tasks(), list[bool]()

    async def broken() -> None:
        raise ZeroDivisionError("a fault of our own")

    async def whole() -> None:
        done.append(True)

    with caplog.at_level(logging.ERROR):
        tasks.spawn(broken())
        tasks.spawn(whole())
        await tasks.drain(10)
    assert done == [True]
    assert "a fault of our own" in caplog.text


async def test_a_drain_without_work_ends_at_once() -> None:
    await Tasks().drain(0)
