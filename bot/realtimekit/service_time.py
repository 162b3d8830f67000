"""RealtimeKit's clock, as the `Date` headers of its replies show it. No I/O."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

_TICK = timedelta(seconds=1)  # a `Date` is cut to whole seconds
_DRIFT = timedelta(seconds=0.1)  # how far two good clocks may drift apart within _MAX_AGE
_MAX_AGE = timedelta(minutes=5)


class ServiceTime:
    """How far RealtimeKit's clock is ahead of ours: an interval that each reply makes narrower.

    The service wrote the `Date` of a reply between the request and the reply. If a reply
    contradicts the earlier ones, a clock was set: then only newer replies count, and nothing is
    known of the time before. That the clock of `Date` and that of the dates in the rows are one is
    not documented.
    """

    def __init__(self) -> None:
        self._ahead: tuple[timedelta, timedelta] | None = None
        self._since = datetime.min.replace(tzinfo=UTC)
        self._valid_from = self._since

    def update(self, headers: httpx.Headers, sent_at: datetime, received_at: datetime) -> None:
        """Learn from a reply. The times are of our clock: just before it was asked for, and now."""
        date = parse_http_date(headers.get("date", ""))
        if date is None or received_at < sent_at:
            return
        low, high = date - received_at - _DRIFT, date + _TICK - sent_at + _DRIFT
        if self._ahead:
            low_before, high_before = self._ahead
            if low > high_before or high < low_before:
                self._since = self._valid_from = received_at
            elif received_at - self._since <= _MAX_AGE:
                low, high = max(low, low_before), min(high, high_before)
            else:
                self._since = received_at
        else:
            self._since = received_at
        self._ahead = low, high

    def at(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """Return the earliest and the latest time of RealtimeKit's clock at a moment of ours.

        None if that is not known.
        """
        if self._ahead is None or moment < self._valid_from:
            return None
        low, high = self._ahead
        return moment + low, moment + high


def parse_http_date(text: str) -> datetime | None:
    """Return the date of an HTTP header, or None if it is not a date."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
