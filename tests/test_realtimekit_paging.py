"""Lists that are longer than a page."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ports import NotFound, OutcomeUnknown
from bot.realtimekit.paging import MAX_PAGES, PER_PAGE, Page, fetch_all


class Shelf:
    """Serves pages of `rows`, at most `cap` on each; counts what is asked for."""

    def __init__(self, rows: int, *, tells: bool = True, cap: int = PER_PAGE) -> None:
        self.rows = list(range(rows))
        self.tells = tells
        self.cap = cap
        self.asked: list[int] = []
        self.in_flight = self.peak = 0

    async def __call__(self, page_no: int) -> Page[int]:
        self.asked.append(page_no)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        rows = self.rows[(page_no - 1) * self.cap : page_no * self.cap]
        return Page(rows, len(rows), len(self.rows) if self.tells else None)


@given(rows=st.integers(0, 1500), tells=st.booleans(), less=st.integers(0, 199))
def test_every_row_is_read_once(rows: int, *, tells: bool, less: int) -> None:
    cap = PER_PAGE - (less if tells else 0)
    if rows > MAX_PAGES * cap:
        return
    shelf = Shelf(rows, tells=tells, cap=cap)
    assert asyncio.run(fetch_all(shelf, 7)) == shelf.rows
    assert len(shelf.asked) == len(set(shelf.asked))


@pytest.mark.parametrize(
    ("rows", "tells", "pages"),
    [(0, True, 1), (200, True, 1), (201, True, 2), (0, False, 1), (199, False, 1), (200, False, 2)],
)
async def test_no_page_too_many(rows: int, *, tells: bool, pages: int) -> None:
    shelf = Shelf(rows, tells=tells)
    await fetch_all(shelf, 7)
    assert shelf.asked == list(range(1, pages + 1))


async def test_pages_are_read_side_by_side_within_bounds() -> None:
    shelf = Shelf(10_000)
    assert len(await fetch_all(shelf, 7)) == 10_000
    assert (len(shelf.asked), shelf.peak) == (50, 7)


async def test_a_list_that_grows_is_read_to_its_end() -> None:
    shelf = Shelf(400)

    async def fetch(page_no: int) -> Page[int]:
        page = await shelf(page_no)
        if page_no == 1:
            shelf.rows.extend(range(400, 403))
        return page

    assert await fetch_all(fetch, 7) == list(range(403))


async def test_a_list_that_shrinks_is_no_error() -> None:
    shelf = Shelf(401)

    async def fetch(page_no: int) -> Page[int]:
        page = await shelf(page_no)
        del shelf.rows[400:]
        return page

    assert len(await fetch_all(fetch, 7)) == 400


@pytest.mark.parametrize("tells", [True, False])
async def test_the_same_page_again_and_again_is_refused(*, tells: bool) -> None:
    async def fetch(page_no: int) -> Page[int]:
        asked.append(page_no)
        return Page(list(range(PER_PAGE)), PER_PAGE, 500 if tells else None)

    asked: list[int] = []
    with pytest.raises(OutcomeUnknown, match="same rows"):
        await fetch_all(fetch, 7)
    assert len(asked) < 4


@pytest.mark.parametrize("tells", [True, False])
async def test_a_list_without_end_is_refused(*, tells: bool) -> None:
    shelf = Shelf(PER_PAGE * MAX_PAGES + 1, tells=tells)
    with pytest.raises(OutcomeUnknown, match="more than 200 pages"):
        await fetch_all(shelf, 7)
    assert len(shelf.asked) == (1 if tells else MAX_PAGES)


async def test_a_list_that_tells_of_rows_and_has_none_is_refused() -> None:
    async def fetch(_: int) -> Page[int]:
        return Page([], 0, 5)

    with pytest.raises(OutcomeUnknown, match="none of 5 rows"):
        await fetch_all(fetch, 7)


async def test_pages_without_a_row_of_use_are_no_repetition() -> None:
    async def fetch(page_no: int) -> Page[int]:
        return Page([7] if page_no == 3 else [], PER_PAGE, 3 * PER_PAGE)

    assert await fetch_all(fetch, 7) == [7]


async def test_one_page_fails_the_read_and_ends_the_others() -> None:
    ended: list[int] = []

    async def fetch(page_no: int) -> Page[int]:
        if page_no == 1:
            return Page([0] * PER_PAGE, PER_PAGE, 5 * PER_PAGE)
        if page_no == 3:
            raise NotFound("page 3") from KeyError("its cause")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(page_no)
        raise AssertionError

    with pytest.raises(NotFound, match="page 3") as caught:
        await fetch_all(fetch, 7)
    assert isinstance(caught.value.__cause__, KeyError)
    assert sorted(ended) == [2, 4, 5]
