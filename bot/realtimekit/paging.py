"""Read all pages of a list. The service has page numbers only: no cursors, no links. No I/O."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final, Generic, TypeVar

from bot.core.ports import OutcomeUnknown
from bot.core.roster import Peer

T = TypeVar("T")

PER_PAGE: Final = 200
"""The maximum for the participants of a session. For other lists no maximum is documented."""
MAX_PAGES: Final = 200
"""A sixth of Cloudflare's rate limit for 5 minutes. Of a longer list, only these are read."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    `rows` are the usable rows, and `size` counts all rows of the page. `total` counts the rows of
    the whole list. It is None if the reply does not say.
    """

    rows: Sequence[T]
    size: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The first rows of a list: all of them if `complete`.

    `total` counts the rows of the whole list. It is None if the replies do not say.
    """

    rows: Sequence[T]
    complete: bool
    total: int | None


async def fetch_all(
    fetch: Callable[[int], Awaitable[Page[T]]], concurrency: int, max_pages: int = MAX_PAGES
) -> Listing[T]:
    """Return the rows of at most `max_pages` pages; `fetch` reads the page of a number, from 1.

    The first page tells how many follow. Up to `concurrency` of those are read side by side. A row
    that moves to another page meanwhile can come twice. Raises what `fetch` raises, after the other
    reads have ended. Raises OutcomeUnknown if the list repeats itself.
    """
    first = await fetch(1)
    # The service may give fewer rows than requested, so its first page tells the real page size.
    size = first.size
    if first.total and not size:
        raise OutcomeUnknown(f"a broken reply: none of {first.total} rows")
    last = ceil((first.total or 0) / (size or 1))
    following = range(2, min(last, max_pages) + 1)
    pages = [first, *await _side_by_side(fetch, following, concurrency)]
    _refuse_repeats(pages)
    while (goes_on := _goes_on(pages, size)) and len(pages) < max_pages:
        pages.append(await fetch(len(pages) + 1))
        _refuse_repeats(pages[-2:])
    rows = [row for page in pages for row in page.rows]
    return Listing(rows, not goes_on, _total(pages))


async def _side_by_side(
    fetch: Callable[[int], Awaitable[Page[T]]], numbers: range, concurrency: int
) -> list[Page[T]]:
    pages: dict[int, Page[T]] = {}
    remaining = iter(numbers)

    async def fetch_remaining() -> None:
        for number in remaining:
            pages[number] = await fetch(number)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in numbers[:concurrency]:
                group.create_task(fetch_remaining())
    except BaseExceptionGroup as failed:
        # Callers expect a single error. Without `from`, the group would replace its cause.
        error = failed.exceptions[0]
        raise error from error.__cause__
    return [pages[number] for number in numbers]


def _goes_on(pages: Sequence[Page[T]], size: int) -> bool:
    total = _total(pages)
    return pages[-1].size >= PER_PAGE if total is None else len(pages) * size < total


def _total(pages: Sequence[Page[T]]) -> int | None:
    # The list may have grown during the read, so the largest total counts.
    return max((page.total for page in pages if page.total is not None), default=None)


def _refuse_repeats(pages: Sequence[Page[T]]) -> None:
    if any(page.rows and page.rows == following.rows for page, following in pairwise(pages)):
        raise OutcomeUnknown("a broken reply: two pages with the same rows")


def without_repeats(rows: Sequence[Peer]) -> Sequence[Peer]:
    """Return one row for each peer. If a row of the peer says that it left, return that row."""
    peers: dict[str | int, Peer] = {}
    for number, row in enumerate(rows):
        # Rows without an id may be different peers.
        key = row.id or number
        if row.left_at or key not in peers:
            peers[key] = row
    return list(peers.values())
