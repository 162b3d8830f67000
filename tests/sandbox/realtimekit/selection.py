"""What the query of a list selects: filters, search, order and page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from tests.sandbox.realtimekit.contract import Asked, BadRequestError
from tests.sandbox.realtimekit.people import Session
from tests.sandbox.realtimekit.quirks import Quirks
from tests.sandbox.realtimekit.rows import Page

Thing = TypeVar("Thing")


def is_asked_for(session: Session, query: Mapping[str, Any], at: datetime) -> bool:
    """Tell whether a session, as it was at that time, passes the filters of the query."""
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


def is_between(moment: datetime, query: Mapping[str, Any]) -> bool:
    """Tell whether a moment lies between `start_time` and `end_time`, where given."""
    start, end = query.get("start_time"), query.get("end_time")
    return (start is None or datetime.fromisoformat(start) <= moment) and (
        end is None or moment <= datetime.fromisoformat(end)
    )


def searched(
    things: Iterable[Thing],
    asked: Asked,
    quirks: Quirks,
    texts: Callable[[Thing], tuple[Iterable[str], str | None]],
) -> list[Thing]:
    """Keep what `search` matches; `texts` tells a thing's ids and its name.

    Ids match as a whole, names in part. Whether they do at RealtimeKit is not documented.
    """
    wanted = asked.query.get("search")
    if wanted is None:
        return list(things)
    folded = wanted.casefold()
    whole = quirks.play("search_exact") is not None

    def matches(thing: Thing) -> bool:
        ids, name = texts(thing)
        found = (name or "").casefold()
        return wanted in ids or (folded == found if whole else folded in found)

    return [thing for thing in things if matches(thing)]


def in_order(
    things: Iterable[Any], asked: Asked, keys: Mapping[str, Callable[[Any], Any]]
) -> list[Any]:
    """Sort as asked; else by id, which is no order: the contract promises none.

    Equal keys are sorted by id, so that pages neither repeat nor skip a row.
    """
    sort_by = asked.query.get("sort_by")
    if sort_by is None:
        return sorted(things, key=lambda thing: thing.id)
    key = keys[sort_by]
    backwards = asked.query.get("sort_order") == "DESC"
    return sorted(things, key=lambda thing: (key(thing), thing.id), reverse=backwards)


def page(things: Sequence[Any], asked: Asked, quirks: Quirks) -> Page:
    """Cut the page that is asked for. The contract names a default of 25 for people only."""
    page_no, per_page = asked.query.get("page_no", 1), asked.query.get("per_page", 25)
    if page_no < 1 or per_page < 1:
        # The contract allows 0 and doesn't say what it means.
        raise BadRequestError('"page_no" and "per_page" must be at least 1')
    cap = quirks.play("capped_pages")
    if cap is not None:
        per_page = min(per_page, cap.get("limit", 20))
    return Page.cut(things, page_no, per_page)
