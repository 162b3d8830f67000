"""RealtimeKit's clock, as its `Date` headers show it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.realtimekit.service_time import ServiceTime

NOW = datetime(2026, 3, 29, 1, 59, 59, 500_000, UTC)
DRIFT = timedelta(seconds=0.1)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def date(moment: datetime) -> httpx.Headers:
    return httpx.Headers({"Date": format_datetime(moment, usegmt=True)})


def test_nothing_is_known_before_the_first_reply() -> None:
    assert ServiceTime().at(NOW) is None


@pytest.mark.parametrize("text", ["", "soon", "Mon, 99 May 2026 12:00:00 GMT", "0"])
def test_a_reply_without_a_date_says_nothing(text: str) -> None:
    clock = ServiceTime()
    clock.update(httpx.Headers({"Date": text}), NOW, NOW)
    clock.update(httpx.Headers(), NOW, NOW)
    assert clock.at(NOW) is None


def test_one_reply_bounds_the_clock_from_both_sides() -> None:
    clock = ServiceTime()
    # Their clock showed 2:00:04 and some fraction, between the request and the reply.
    clock.update(date(after(4.5)), NOW, after(0.2))
    assert clock.at(NOW) == (after(4.3) - DRIFT, after(5.5) + DRIFT)
    assert clock.at(after(60)) == (after(64.3) - DRIFT, after(65.5) + DRIFT)


def test_a_reply_that_ended_before_it_began_says_nothing() -> None:
    clock = ServiceTime()
    clock.update(date(NOW), after(3600), NOW)
    assert clock.at(NOW) is None


def test_more_replies_make_it_narrower() -> None:
    clock = ServiceTime()
    clock.update(date(after(4.5)), NOW, NOW)
    clock.update(date(after(5.5)), after(0.8), after(0.9))
    assert clock.at(NOW) == (after(4.6) - DRIFT, after(5.5) + DRIFT)


def test_a_contradiction_begins_anew_and_leaves_the_time_before_it_unknown() -> None:
    clock = ServiceTime()
    clock.update(date(after(4.5)), NOW, NOW)
    clock.update(date(after(10.5)), after(2), after(3))
    assert clock.at(after(2.9)) is None
    assert clock.at(after(3)) == (after(10.5) - DRIFT, after(12.5) + DRIFT)


@pytest.mark.parametrize(("later", "most"), [(299.5, 0.5), (300.5, 1)])
def test_after_five_minutes_old_replies_do_not_count(later: float, most: float) -> None:
    clock, then = ServiceTime(), after(later)
    clock.update(date(NOW), NOW, NOW)
    clock.update(date(then), then, then)
    assert clock.at(then) == (then - DRIFT, then + timedelta(seconds=most) + DRIFT)


replies = st.lists(
    st.tuples(st.floats(0, 2), st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=10
)


@given(st.floats(-4000, 4000), replies)
def test_the_true_time_is_always_within(
    ahead: float, drawn: list[tuple[float, float, float]]
) -> None:
    clock, at = ServiceTime(), 0.0
    for pause, there, back in drawn:
        sent = at + pause
        at = sent + there + back
        truth = after(sent + there + ahead).replace(microsecond=0)
        clock.update(date(truth), after(sent), after(at))
        found = clock.at(after(at))
        assert found
        assert found[0] <= after(at + ahead) <= found[1]
