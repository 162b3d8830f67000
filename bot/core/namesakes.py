"""Tells apart things of one name by the ends of their ids, at a cost that names can't raise."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Generic, TypeVar

Value = TypeVar("Value")

SHORTEST_SUFFIX = 4


class Multimap(Generic[Value]):
    """Groups values by key. Most keys have one value, and cost no object of their own.

    A full garbage collection holds up the event loop for a time that grows with all objects.
    """

    def __init__(self, pairs: Iterable[tuple[str, Value]]) -> None:
        self._first: dict[str, Value] = {}
        self.others: dict[str, list[Value]] = {}
        for key, value in pairs:
            if key in self._first:
                self.others.setdefault(key, []).append(value)
            else:
                self._first[key] = value

    def get(self, key: str) -> Sequence[Value]:
        """Return the values of a key, in their order."""
        return [self._first[key], *self.others.get(key, ())] if key in self._first else []


class Namesakes:
    """Groups pairs of a name and an id by name. Names must be normalized."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        ids = Multimap((name, own[::-1]) for name, own in pairs)
        # Sorted from their ends, the ids that look most alike are neighbours.
        self._ends = {name: sorted(ids.get(name)) for name in ids.others}
        self._ids = ids

    def count(self, name: str, own: str) -> int:
        """Count the others of this name."""
        ends, end = self._of(name), own[::-1]
        at = bisect_left(ends, end)
        return len(ends) - (ends[at : at + 1] == [end])

    def suffix(self, name: str, own: str) -> str:
        """Return the end of an id, at least 4 long, that no other id of this name ends with.

        If no such end is shorter than the id, the whole id is returned.
        """
        ends, end = self._of(name), own[::-1]
        first, after = bisect_left(ends, end), bisect_right(ends, end)
        others = [*ends[max(first - 1, 0) : first], *ends[after : after + 1]]
        common = max((_common(end, other) for other in others), default=0)
        length = max(SHORTEST_SUFFIX, common + 1)
        return own[-length:] if length < len(own) and after - first <= 1 else own

    def _of(self, name: str) -> Sequence[str]:
        return self._ends.get(name) or self._ids.get(name)


def _common(one: str, other: str) -> int:
    """Return the length of the beginning that two texts share."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
