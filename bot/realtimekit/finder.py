"""Finds people of a session with the service's own search, whose rules are not documented.

The documentation says that `search` takes a "participant ID, custom participant ID, or display
name". It does not say whether a part of an id matches, nor whether "participant ID" means the
`user_id` of a row or its `id`, which is a peer id. So each answer is checked, and an empty one
counts only if the search is known to find people by this kind of id.
"""

import asyncio
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from typing import Final, TypeVar

from bot.core.roster import CustomId, ParticipantId, Peer, Roster, SessionId, parse_key
from bot.core.text import normalize_name
from bot.realtimekit.client import RealtimeKit
from bot.realtimekit.paging import MAX_PAGES, PER_PAGE, Listing, without_repeats
from bot.realtimekit.shared_reads import SharedReads

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

TRUST_AGE: Final = 600.0
"""Seconds for which it counts whether the search finds people by a kind of id."""
EVIDENCE_PAGES: Final = 5
"""Of each person, evidence needs all connections: at most 1,000 are read."""
_MOST_KNOWN: Final = 20_000


class Kind(Enum):
    """A kind of id. The values are attributes of `Peer`."""

    PARTICIPANT = "participant_id"
    CUSTOM = "custom_id"

    def of(self, row: Peer) -> str | None:
        """Return the id of this kind in a row."""
        found: str | None = getattr(row, self.value)
        return found


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A text to find, the id in it, and the kinds of id that it may be."""

    text: str
    id: str
    kinds: frozenset[Kind]

    @classmethod
    def parse(cls, text: str) -> "_Wanted":
        participant_id, custom_id = parse_key(text) or (None, None)
        if participant_id:
            return cls(text, participant_id, frozenset({Kind.PARTICIPANT}))
        if custom_id:
            return cls(text, custom_id, frozenset({Kind.CUSTOM}))
        return cls(text, text, frozenset(Kind))

    def is_in(self, row: Peer) -> bool:
        """Tell whether a row has this id, in any spelling."""
        wanted = normalize_name(self.id)
        return any(normalize_name(kind.of(row) or "") == wanted for kind in self.kinds)


@dataclass(slots=True)
class Finder:
    """Finds people in a session at a cost that does not grow with the session.

    It remembers how long each session is, by which kinds of id the search works, and the custom ids
    of the participants that it saw: with those, it finds participants even if the search does not
    take participant ids. If the search cannot answer, it reads the whole session.
    """

    client: RealtimeKit
    reads: SharedReads
    whole_reads: SharedReads
    _totals: dict[SessionId, float] = field(init=False, default_factory=dict)
    _custom_ids: dict[ParticipantId, CustomId] = field(init=False, default_factory=dict)
    _works: dict[Kind, tuple[bool, float]] = field(init=False, default_factory=dict)
    _probing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    async def find(
        self, session: SessionId, texts: Collection[str], *, fresh: bool, as_evidence: bool
    ) -> Roster:
        """Return the rows of these people. The port `MeetingGateway` documents it."""
        wanted = [_Wanted.parse(text) for text in dict.fromkeys(texts) if text]
        newest: Sequence[Peer] = ()
        if as_evidence or self._totals.get(session, 0) <= PER_PAGE:
            page = await self.read(session, fresh=fresh)
            if page.complete or not wanted:
                return Roster(page.rows)
            newest = page.rows
        found = await self._by_search(session, wanted, as_evidence=as_evidence, fresh=fresh)
        if found is None or self._misses(newest, found):
            found = await self._in_whole(session, wanted, fresh=fresh)
        rows = [row for listing in found.values() for row in listing.rows]
        partial = [one.text for one, listing in found.items() if not listing.complete]
        return Roster(without_repeats([*newest, *rows]), partial)

    async def read(
        self, session: SessionId, search: str = "", max_pages: int = 1, *, fresh: bool = False
    ) -> Listing[Peer]:
        """Return the newest rows of a session, or of those that the search finds."""
        reads = self.reads if max_pages <= EVIDENCE_PAGES else self.whole_reads
        listing = await reads.get(self.client.participants, session, search, max_pages, fresh=fresh)
        if not search:
            unknown = len(listing.rows) if listing.complete else inf
            total = unknown if listing.total is None else listing.total
            _remember(self._totals, session, total)
        for row in listing.rows:
            if row.participant_id and row.custom_id:
                _remember(self._custom_ids, row.participant_id, row.custom_id)
        return listing

    async def _in_whole(
        self, session: SessionId, wanted: Sequence[_Wanted], *, fresh: bool
    ) -> Mapping[_Wanted, Listing[Peer]]:
        is_short = self._totals.get(session, inf) <= EVIDENCE_PAGES * PER_PAGE
        max_pages = EVIDENCE_PAGES if is_short else MAX_PAGES
        whole = await self.read(session, max_pages=max_pages, fresh=fresh)
        if is_short and not whole.complete:
            whole = await self.read(session, max_pages=MAX_PAGES, fresh=fresh)
        # The ids of 40,000 rows take half a second. On the event loop, they would delay every ack.
        rows = await asyncio.to_thread(_rows_of, wanted, whole.rows)
        return dict.fromkeys(wanted, replace(whole, rows=rows))

    async def _by_search(
        self, session: SessionId, wanted: Sequence[_Wanted], *, as_evidence: bool, fresh: bool
    ) -> Mapping[_Wanted, Listing[Peer]] | None:
        """Return the rows of each; None if the search can't answer, or costs more than all rows."""
        if len(wanted) >= self._totals.get(session, inf) / PER_PAGE:
            return None
        pages = EVIDENCE_PAGES if as_evidence else 1
        searches = [self._search(session, one, pages, fresh=fresh) for one in wanted]
        answers = zip(wanted, await asyncio.gather(*searches), strict=True)
        found = {one: answer for one, answer in answers if answer}
        return found if len(found) == len(wanted) else None

    async def _search(
        self, session: SessionId, one: _Wanted, pages: int, *, fresh: bool
    ) -> Listing[Peer] | None:
        found: Listing[Peer] | None = None
        for text, kinds in self._ways(one):
            listing = await self.read(session, text, pages, fresh=fresh)
            if any(not _contains(row, text) for row in listing.rows):
                # The search is ignored.
                for kind in Kind:
                    self._learn(kind, works=False)
                return None
            rows = [row for row in listing.rows if one.is_in(row) or row.id == one.id]
            if not any(map(one.is_in, rows)) and not listing.complete:
                continue
            if await self._counts(session, text, kinds, rows, fresh=fresh):
                found = replace(listing, rows=rows)
                # Another text finds more only if this one also finds other people.
                if listing.complete or len(rows) == len(listing.rows):
                    break
        return found

    def _ways(self, one: _Wanted) -> Iterator[tuple[str, frozenset[Kind]]]:
        """Yield the texts to search for, and the kinds of id that they are."""
        ways = [(one.id, one.kinds)]
        alias = self._custom_ids.get(ParticipantId(one.id))
        if alias and Kind.PARTICIPANT in one.kinds:
            ways.append((alias, frozenset({Kind.CUSTOM})))
        for text, kinds in ways:
            if any(self._known(kind) is not False for kind in kinds):
                yield text, kinds

    async def _counts(
        self,
        session: SessionId,
        text: str,
        kinds: frozenset[Kind],
        rows: Sequence[Peer],
        *,
        fresh: bool,
    ) -> bool:
        """Tell whether these are all rows with this id: whether the search works by its kinds."""
        for kind in kinds:
            # A row that has the text nowhere else was found by this kind of id.
            if any(kind.of(row) == text and not _contains(row, text, kind) for row in rows):
                self._learn(kind, works=True)
        if Kind.PARTICIPANT in kinds and any(row.participant_id == text for row in rows):
            kinds = frozenset({Kind.PARTICIPANT})
        return all([await self._trusts(session, kind, fresh=fresh) for kind in kinds])

    async def _trusts(self, session: SessionId, kind: Kind, *, fresh: bool) -> bool:
        async with self._probing:
            if (works := self._known(kind)) is not None:
                return works
            newest = await self.read(session, fresh=fresh)
            # An older row is certainly in every copy of the list.
            for row in reversed(newest.rows):
                text = kind.of(row)
                if text and row.id and not _contains(row, text, kind):
                    expected = {one.id for one in newest.rows if kind.of(one) == text}
                    found = await self.read(session, text, fresh=True)
                    works = expected <= {one.id for one in found.rows}
                    if works or found.complete:
                        self._learn(kind, works=works)
                    return works
        return False

    def _misses(self, newest: Sequence[Peer], found: Mapping[_Wanted, Listing[Peer]]) -> bool:
        """Tell whether a search missed a row that an earlier read had. Then it is not trusted."""
        missing = False
        for one, listing in found.items():
            ids = {row.id for row in listing.rows}
            if listing.complete and any(one.is_in(row) and row.id not in ids for row in newest):
                missing = True
                for kind in one.kinds:
                    self._learn(kind, works=False)
        return missing

    def _learn(self, kind: Kind, *, works: bool) -> None:
        self._works[kind] = works, asyncio.get_running_loop().time()

    def _known(self, kind: Kind) -> bool | None:
        works, learned_at = self._works.get(kind, (None, -inf))
        return works if asyncio.get_running_loop().time() - learned_at < TRUST_AGE else None


def _contains(row: Peer, text: str, besides: Kind | None = None) -> bool:
    """Tell whether a row contains a text, in any case; `besides`: in another field than this."""
    values = [row.id, row.name, *(kind.of(row) for kind in Kind if kind is not besides)]
    return any(text.casefold() in value.casefold() for value in values if value)


def _rows_of(wanted: Sequence[_Wanted], rows: Sequence[Peer]) -> Sequence[Peer]:
    """Return the rows that have an id of these people, in any spelling, or are a wanted peer."""
    ids = {normalize_name(one.id) for one in wanted}
    texts = ((row, (row.participant_id, row.custom_id, row.id)) for row in rows)
    return [row for row, own in texts if any(normalize_name(text or "") in ids for text in own)]


def _remember(known: dict[Key, Value], key: Key, value: Value) -> None:
    known[key] = value
    if len(known) > _MOST_KNOWN:
        del known[next(iter(known))]
