"""The queue in front of the connections: fair under load, and quick to see an outage."""

import asyncio

import pytest

from bot.core.ports import StoreUnavailable
from bot.store.queue import Queue

TIMEOUT = 0.5


@pytest.fixture
def queue() -> Queue:
    return Queue(2, TIMEOUT, "it does not answer")


async def use(queue: Queue, seconds: float, problem: BaseException | None = None) -> None:
    async with queue:
        await asyncio.sleep(seconds)
        if problem:
            raise problem


async def test_a_wait_has_no_limit_while_others_leave_well(queue: Queue) -> None:
    ends = list[int]()

    async def one(number: int) -> None:
        await use(queue, TIMEOUT / 5)
        ends.append(number)

    await asyncio.gather(*map(one, range(30)))
    assert ends == list(range(30))


@pytest.mark.parametrize("problem", [None, StoreUnavailable("down")])
async def test_an_outage_is_seen_though_many_wait(
    queue: Queue, problem: StoreUnavailable | None
) -> None:
    uses = [use(queue, 3 * TIMEOUT, problem) for _ in range(100)]
    ends = await asyncio.gather(*uses, return_exceptions=True)
    assert [str(end) for end in ends[2:]] == ["it does not answer"] * 98
    await use(queue, 0)


async def test_whoever_is_cancelled_gives_the_turn_back(queue: Queue) -> None:
    for rounds in range(6):
        holders = [asyncio.create_task(use(queue, 0.01)) for _ in range(2)]
        waiters = [asyncio.create_task(use(queue, 0)) for _ in range(4)]
        await asyncio.sleep(0.008 + rounds * 0.001)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*holders, *waiters, return_exceptions=True)
    async with asyncio.timeout(1), queue, queue:
        pass


async def test_a_mistake_of_the_caller_is_no_outage(queue: Queue) -> None:
    uses = [use(queue, TIMEOUT / 5, KeyError()) for _ in range(30)]
    ends = await asyncio.gather(*uses, return_exceptions=True)
    assert {type(end) for end in ends} == {KeyError}
