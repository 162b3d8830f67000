"""Lists that are longer than a page."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.realtimekit import NotFound, OutcomeUnknown
from bot.realtimekit.paging import MAX_PAGES, PER_PAGE, Page, fetch_all


class FakeList:
    """Serves pages of at most `cap` rows, and records the page numbers."""

    def __init__(self, rows: int, *, has_total: bool = True, cap: int = PER_PAGE) -> None:
        self.rows = list(range(rows))
        self.has_total = has_total
        self.cap = cap
        self.fetched: list[int] = []
        self.in_flight = self.peak = 0

    async def __call__(self, page_no: int) -> Page[int]:
        self.fetched.append(page_no)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        rows = self.rows[(page_no - 1) * self.cap : page_no * self.cap]
        return Page(rows, len(rows), len(self.rows) if self.has_total else None)


@given(rows=st.integers(0, 1500), has_total=st.booleans(), less=st.integers(0, 199))
def test_every_row_is_read_once(rows: int, *, has_total: bool, less: int) -> None:
    cap = PER_PAGE - (less if has_total else 0)
    if rows > MAX_PAGES * cap:
        return
    fake = FakeList(rows, has_total=has_total, cap=cap)
    assert asyncio.run(fetch_all(fake, 7)).rows == fake.rows
    assert len(fake.fetched) == len(set(fake.fetched))


@pytest.mark.parametrize(
    ("rows", "has_total", "pages"),
    [(0, True, 1), (200, True, 1), (201, True, 2), (0, False, 1), (199, False, 1), (200, False, 2)],
)
async def test_no_page_is_read_in_vain(rows: int, *, has_total: bool, pages: int) -> None:
    fake = FakeList(rows, has_total=has_total)
    await fetch_all(fake, 7)
    assert fake.fetched == list(range(1, pages + 1))


async def test_at_most_seven_pages_are_read_side_by_side() -> None:
    fake = FakeList(10_000)
    assert len((await fetch_all(fake, 7)).rows) == 10_000
    assert (len(fake.fetched), fake.peak) == (50, 7)


async def test_a_list_that_grows_is_read_to_its_end() -> None:
    fake = FakeList(400)

    async def fetch(page_no: int) -> Page[int]:
        page = await fake(page_no)
        if page_no == 1:
            fake.rows.extend(range(400, 403))
        return page

    assert (await fetch_all(fetch, 7)).rows == list(range(403))


async def test_a_list_that_shrinks_is_no_error() -> None:
    fake = FakeList(401)

    async def fetch(page_no: int) -> Page[int]:
        page = await fake(page_no)
        del fake.rows[400:]
        return page

    assert len((await fetch_all(fetch, 7)).rows) == 400


@pytest.mark.parametrize("has_total", [True, False])
async def test_the_same_page_again_and_again_is_refused(*, has_total: bool) -> None:
    async def fetch(page_no: int) -> Page[int]:
        fetched.append(page_no)
        return Page(list(range(PER_PAGE)), PER_PAGE, 500 if has_total else None)

    fetched: list[int] = []
    with pytest.raises(OutcomeUnknown, match="same rows"):
        await fetch_all(fetch, 7)
    assert len(fetched) < 4


@pytest.mark.parametrize("has_total", [True, False])
async def test_of_a_list_without_end_only_the_first_pages_are_read(*, has_total: bool) -> None:
    fake = FakeList(PER_PAGE * MAX_PAGES + 1, has_total=has_total)
    listing = await fetch_all(fake, 7)
    assert (listing.rows, listing.complete) == (fake.rows[:-1], False)
    assert sorted(fake.fetched) == list(range(1, MAX_PAGES + 1))


@pytest.mark.parametrize(
    ("rows", "has_total", "complete"),
    [(200, True, True), (201, True, False), (199, False, True), (200, False, False)],
)
async def test_one_page_tells_whether_it_is_all(
    rows: int, *, has_total: bool, complete: bool
) -> None:
    listing = await fetch_all(FakeList(rows, has_total=has_total), 7, max_pages=1)
    assert listing.complete is complete
    assert listing.total == (rows if has_total else None)


async def test_a_list_with_a_total_but_no_rows_is_refused() -> None:
    async def fetch(_: int) -> Page[int]:
        return Page([], 0, 5)

    with pytest.raises(OutcomeUnknown, match="none of 5 rows"):
        await fetch_all(fetch, 7)


async def test_pages_without_usable_rows_are_no_repetition() -> None:
    async def fetch(page_no: int) -> Page[int]:
        return Page([7] if page_no == 3 else [], PER_PAGE, 3 * PER_PAGE)

    assert (await fetch_all(fetch, 7)).rows == [7]


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
