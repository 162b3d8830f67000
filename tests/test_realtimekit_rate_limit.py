"""The rate limit: what the headers mean, and what may be sent."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.realtimekit import LocallyRateLimited, RateLimit
from bot.realtimekit.rate_limit import may_use_reserve, quota, retry_after


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def answer(status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named)


def wait_for(rate_limit: RateLimit, *, read: bool) -> float | None:
    """Return the seconds until a request may be sent, or None if it may be sent now."""
    try:
        rate_limit.check(read=read)
    except LocallyRateLimited as error:
        return error.retry_after
    return None


@pytest.mark.parametrize(
    ("header", "limits"),
    [
        ('"default";r=50;t=30', [(50, 30.0)]),
        ('"burst"; r=1; t=2, "daily";t=9;r=0', [(1, 2.0), (0, 9.0)]),
        ('"default";r=50', []),
        ('"default";r=-1;t=soon', []),
        ("", []),
    ],
)
def test_ratelimit_is_read(header: str, limits: list[tuple[int, float]]) -> None:
    assert quota(httpx.Headers({"Ratelimit": header})) == limits


@given(st.binary() | st.from_regex(rb'"a";r=\d+;t=\d+|[a-z0-9 :,-]+', fullmatch=True))
def test_any_header_can_be_read(raw: bytes) -> None:
    headers = httpx.Headers([(b"Ratelimit", raw), (b"Retry-After", raw), (b"Date", raw)])
    quota(headers)
    wait = retry_after(headers)
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "300"}, 300),
        (
            {
                "Retry-After": "Tue, 06 Oct 2026 12:02:00 GMT",
                "Date": "Tue, 06 Oct 2026 12:00:00 GMT",
            },
            120,
        ),
        (
            {
                "Retry-After": "Tue, 06 Oct 2026 12:02:00 -0000",
                "Date": "Tue, 06 Oct 2026 12:03:00 GMT",
            },
            0,
        ),
        ({"Retry-After": "Tue, 06 Oct 2015 12:00:00 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon", "Ratelimit": '"default";r=0;t=17'}, 17),
        ({"Ratelimit": '"default";r=3;t=17'}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers)) == seconds


def test_at_first_everything_may_be_sent() -> None:
    rate_limit = RateLimit()
    assert wait_for(rate_limit, read=True) is None
    assert wait_for(rate_limit, read=False) is None


def test_a_429_blocks_everything_until_its_end() -> None:
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    rate_limit.update(answer(429, Retry_After="300"))
    clock.seconds += 299
    assert (wait_for(rate_limit, read=True), wait_for(rate_limit, read=False)) == (1, 1)
    clock.seconds += 1
    assert (wait_for(rate_limit, read=True), wait_for(rate_limit, read=False)) == (None, None)


def test_a_late_reply_does_not_shorten_a_block() -> None:
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    rate_limit.update(answer(429, Retry_After="300"))
    rate_limit.update(answer(200, Ratelimit='"default";r=900;t=10'))
    rate_limit.update(answer(429, Retry_After="5"))
    assert wait_for(rate_limit, read=False) == 300


def test_a_429_without_headers_blocks_nothing() -> None:
    rate_limit = RateLimit(clock=FakeClock())
    rate_limit.update(answer(429))
    assert wait_for(rate_limit, read=False) is None


def test_no_requests_left_blocks_everything() -> None:
    rate_limit = RateLimit(clock=FakeClock())
    rate_limit.update(answer(Ratelimit='"default";r=0;t=30'))
    assert (wait_for(rate_limit, read=True), wait_for(rate_limit, read=False)) == (30, 30)


@pytest.mark.parametrize(("left", "wait"), [(21, None), (20, 30), (1, 30)])
def test_the_last_requests_are_for_kicks(left: int, wait: float | None) -> None:
    rate_limit = RateLimit(reserve=20, clock=FakeClock())
    rate_limit.update(answer(Ratelimit=f'"default";r={left};t=30'))
    assert (wait_for(rate_limit, read=True), wait_for(rate_limit, read=False)) == (wait, None)


def test_the_reads_of_a_kick_may_use_the_last_requests() -> None:
    rate_limit = RateLimit(clock=FakeClock())
    rate_limit.update(answer(Ratelimit='"default";r=15;t=249'))
    token = may_use_reserve.set(True)
    assert wait_for(rate_limit, read=True) is None
    may_use_reserve.reset(token)
    assert wait_for(rate_limit, read=True) == 249


def test_an_odd_answer_does_not_stop_the_bot_for_days() -> None:
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    rate_limit.update(answer(429, Retry_After="604800"))
    assert (wait_for(rate_limit, read=True), wait_for(rate_limit, read=False)) == (600, 600)
    clock.seconds += 600
    assert (wait_for(rate_limit, read=True), wait_for(rate_limit, read=False)) == (None, None)
    rate_limit.update(answer(Ratelimit='"default";r=1;t=604800'))
    assert wait_for(rate_limit, read=True) == 600


def test_reads_may_be_sent_after_the_reset() -> None:
    clock = FakeClock()
    rate_limit = RateLimit(clock=clock)
    rate_limit.update(answer(Ratelimit='"default";r=5;t=30'))
    rate_limit.update(answer())
    assert wait_for(rate_limit, read=True) == 30
    clock.seconds += 30
    assert wait_for(rate_limit, read=True) is None
    rate_limit.update(answer(Ratelimit='"default";r=5;t=30'))
    rate_limit.update(answer(Ratelimit='"default";r=1199;t=300'))
    assert wait_for(rate_limit, read=True) is None
