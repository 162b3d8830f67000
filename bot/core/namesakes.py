"""Tells apart things of one name by the ends of their ids, at a cost that names can't raise."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import takewhile

SHORTEST_SUFFIX = 4


class Namesakes:
    """Groups pairs of a name and an id by name. Names must be normalized."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._ends: dict[str, list[str]] = {}
        for name, own in pairs:
            self._ends.setdefault(name, []).append(own[::-1])
        # Sorted from their ends, the ids that look most alike are neighbours.
        for ends in self._ends.values():
            ends.sort()

    def count(self, name: str, own: str) -> int:
        """Count the others of this name."""
        ends, end = self._ends.get(name, []), own[::-1]
        at = bisect_left(ends, end)
        return len(ends) - (ends[at : at + 1] == [end])

    def suffix(self, name: str, own: str) -> str:
        """Return the end of an id, at least 4 long, that no other id of this name ends with.

        If no such end is shorter than the id, the whole id is returned.
        """
        ends, end = self._ends.get(name, []), own[::-1]
        first, after = bisect_left(ends, end), bisect_right(ends, end)
        others = [*ends[max(first - 1, 0) : first], *ends[after : after + 1]]
        common = max((_common(end, other) for other in others), default=0)
        length = max(SHORTEST_SUFFIX, common + 1)
        return own[-length:] if length < len(own) and after - first <= 1 else own


def _common(one: str, other: str) -> int:
    """Return the length of the beginning that two texts share."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
