"""The rows of the table, and how figures become one."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

COLUMNS = ("what", "target", "measured", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `limit` is the target: the largest value, or with `at_least` the smallest.

    `value` is None if the bot could not do it. `note` says what the value was made of.
    """

    what: str
    value: float | None
    limit: float
    unit: str = ""
    note: str = ""
    at_least: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether the target is reached."""
        if self.value is None:
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def cells(self) -> tuple[str, ...]:
        """Return the row as it is printed."""
        sign = "≥" if self.at_least else "≤"
        measured = "impossible" if self.value is None else f"{_number(self.value)}{self._unit}"
        note = f" ({self.note})" if self.note else ""
        target = f"{sign} {self.limit:g}{self._unit}"
        return (self.what, target, measured + note, "reached" if self.is_reached else "**missed**")

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def ratio(
    what: str, limit: float, ours: Sequence[float], bare: Sequence[float], *, unit: str = "ms"
) -> Row:
    """Return a row for our figures against the bare ones, each pair from one round."""
    pairs = [one / other for one, other in zip(ours, bare, strict=True)]
    scale = 1000 if unit == "ms" else 1
    shown = " / ".join(f"{_number(median(one) * scale)} {unit}" for one in (ours, bare))
    return Row(what, median(pairs), limit, note=shown)


def milliseconds(what: str, limit: float, seconds: Sequence[float]) -> Row:
    """Return a row for the median of these seconds, with the whole range."""
    low, high = min(seconds) * 1000, max(seconds) * 1000
    return Row(what, median(seconds) * 1000, limit, "ms", f"{_number(low)}-{_number(high)}")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    rule = ("---",) * len(COLUMNS)
    return "\n".join(
        f"| {' | '.join(line)} |" for line in (COLUMNS, rule, *(r.cells() for r in rows))
    )
