"""Reading all pages of a list. The service has page numbers only: no cursor, no links."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from math import ceil
from typing import Final, TypeVar

from bot.core.ports import OutcomeUnknown
from bot.realtimekit.parsing import Page
from bot.realtimekit.requests import PER_PAGE

T = TypeVar("T")

MOST_PAGES: Final = 200
"""A sixth of Cloudflare's budget of 5 minutes: a list that goes on after that is not read."""


async def every_row(fetch: Callable[[int], Awaitable[Page[T]]], at_once: int) -> list[T]:
    """Read a whole list: up to `at_once` pages side by side, once the first told how many.

    Rows that move from page to page meanwhile may come twice. Raises what `fetch` raises, once
    no other page is being read any more. Raises OutcomeUnknown for a list that does not end or
    repeats itself.
    """
    first = await fetch(1)
    # The service may give fewer rows than asked for: its first page shows how many.
    size = first.size
    if first.total and not size:
        raise OutcomeUnknown(f"a broken reply: none of {first.total} rows")
    last = ceil((first.total or 0) / (size or 1))
    pages = [first, *await _side_by_side(fetch, range(2, _bounded(last) + 1), at_once)]
    _refuse_repeats(pages)
    while _goes_on(pages, size):
        pages.append(await fetch(_bounded(len(pages) + 1)))
        _refuse_repeats(pages[-2:])
    return [row for page in pages for row in page.rows]


async def _side_by_side(
    fetch: Callable[[int], Awaitable[Page[T]]], numbers: range, at_once: int
) -> list[Page[T]]:
    pages: dict[int, Page[T]] = {}
    waiting = iter(numbers)

    async def read_some() -> None:
        for number in waiting:
            pages[number] = await fetch(number)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in numbers[:at_once]:
                group.create_task(read_some())
    except BaseExceptionGroup as failed:
        # Callers know one error per call; its own cause must not be lost for the group.
        error = failed.exceptions[0]
        raise error from error.__cause__
    return [pages[number] for number in numbers]


def _goes_on(pages: Sequence[Page[T]], size: int) -> bool:
    totals = [page.total for page in pages if page.total is not None]
    if totals:
        # It may have grown while it was read.
        return len(pages) * size < max(totals)
    return pages[-1].size >= PER_PAGE


def _refuse_repeats(pages: Sequence[Page[T]]) -> None:
    if any(page.rows and page.rows == following.rows for page, following in pairwise(pages)):
        raise OutcomeUnknown("a broken reply: two pages with the same rows")


def _bounded(page_no: int) -> int:
    if page_no > MOST_PAGES:
        raise OutcomeUnknown(f"a list of more than {MOST_PAGES} pages")
    return page_no
