"""What the query of a list selects: filters, search, order and page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from tests.sandbox.realtimekit.contract import ApiRequest, BadRequestError
from tests.sandbox.realtimekit.faults import RequestFaults
from tests.sandbox.realtimekit.models import Session

T = TypeVar("T")
Texts = tuple[Iterable[str], str | None]
"""The ids and the name of an item, for the search."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list of `total` rows. `start` is how many rows come before it."""

    rows: Sequence[Any] = ()
    total: int = 0
    start: int = 0

    def paging(self) -> dict[str, int]:
        """Return the position in the list, counted from 1; 0 for a page without rows."""
        first = self.start + 1 if self.rows else 0
        last = self.start + len(self.rows) if self.rows else 0
        return {"total_count": self.total, "start_offset": first, "end_offset": last}


def session_matches(session: Session, query: Mapping[str, Any], at: datetime) -> bool:
    """Tell whether a session, as it was at that time, passes the filters of a query."""
    status = "LIVE" if session.is_live(at) else "ENDED"
    low, high = _range(query.get("participants"))
    return (
        query.get("status") in {None, status}
        and query.get("associated_id") in {None, session.meeting.id}
        and low <= session.peak <= high
        and is_between(session.started_at, query)
    )


def _range(text: str | None) -> tuple[float, float]:
    if text is None:
        return 0, float("inf")
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal()):
        raise BadRequestError('"participants" must be like 1:10')
    return int(low), int(high)


def is_between(time: datetime, query: Mapping[str, Any]) -> bool:
    """Tell whether a time is between the query's `start_time` and `end_time`, if given."""
    start, end = query.get("start_time"), query.get("end_time")
    return (start is None or datetime.fromisoformat(start) <= time) and (
        end is None or time <= datetime.fromisoformat(end)
    )


def select(
    items: Iterable[T],
    request: ApiRequest,
    faults: RequestFaults,
    texts: Callable[[T], Texts],
    sort_keys: Mapping[str, Callable[[T], Any]] = MappingProxyType({}),
) -> Page:
    """Search, sort and cut into pages, as the query of a list asks."""
    found = _search(items, request, faults, texts)
    return _paginate(_sort(found, request, sort_keys), request, faults)


def _search(
    items: Iterable[T], request: ApiRequest, faults: RequestFaults, texts: Callable[[T], Texts]
) -> list[T]:
    # An id must match as a whole, a name in part. RealtimeKit does not document the rule.
    wanted = request.query.get("search")
    if wanted is None or faults.is_applied("search_ignored"):
        return list(items)
    folded = wanted.casefold()
    is_exact = faults.is_applied("search_exact")
    in_ids = faults.is_applied("search_substring")

    def matches(item: T) -> bool:
        ids, name = texts(item)
        found = (name or "").casefold()
        if folded == found if is_exact else folded in found:
            return True
        return any(folded in one.casefold() for one in ids) if in_ids else wanted in ids

    return [item for item in items if matches(item)]


def _sort(
    items: Iterable[Any], request: ApiRequest, keys: Mapping[str, Callable[[Any], Any]]
) -> list[Any]:
    # Without `sort_by`, and for equal keys, the order is that of the ids. The contract promises no
    # order of time, and no row may be repeated or missing on the next page.
    sort_by = request.query.get("sort_by")
    if sort_by is None:
        return sorted(items, key=lambda item: item.id)
    key = keys[sort_by]
    is_descending = request.query.get("sort_order") == "DESC"
    return sorted(items, key=lambda item: (key(item), item.id), reverse=is_descending)


def _paginate(items: Sequence[Any], request: ApiRequest, faults: RequestFaults) -> Page:
    # The contract names a default of 25 for people only, and allows a page 0 without a meaning.
    page_no, per_page = request.query.get("page_no", 1), request.query.get("per_page", 25)
    if page_no < 1 or per_page < 1:
        raise BadRequestError('"page_no" and "per_page" must be at least 1')
    cap = faults.apply("capped_pages")
    if cap is not None:
        per_page = min(per_page, cap.get("limit", 20))
    start = (page_no - 1) * per_page
    return Page(items[start : start + per_page], len(items), start)
