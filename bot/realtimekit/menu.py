"""Who is in a session, for somebody who chooses people from it."""

import asyncio
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final

from bot.core.roster import Peer, Roster, SessionId
from bot.realtimekit.finder import Finder
from bot.realtimekit.paging import PER_PAGE, Listing, without_repeats
from bot.realtimekit.shared_reads import SharedReads

WHOLE_EVERY: Final = 60.0
"""Seconds between two reads of all rows, while somebody chooses."""
MAX_PAGES: Final = 50
MAX_ROWS: Final = MAX_PAGES * PER_PAGE
_MAX_SESSIONS: Final = 8
_MAX_OPTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class _Known:
    """The newest rows of a session, and the people in them."""

    roster: Roster
    listing: Listing[Peer]
    whole_at: float


@dataclass(slots=True)
class Menu:
    """Keeps the newest 10,000 rows of some sessions.

    While somebody chooses, the newest page is read again every few seconds, and everything once a
    minute: who left a crowd can be offered for a minute longer.
    """

    finder: Finder
    reads: SharedReads
    _known: dict[SessionId, _Known] = field(init=False, default_factory=dict)

    def cached(self, session: SessionId) -> Roster | None:
        """Return the roster that was read last."""
        known = self._known.get(session)
        return known.roster if known else None

    async def roster(self, session: SessionId, search: str) -> Roster:
        """Return who is in a session. The port `MeetingGateway` documents it."""
        known = await self.reads.get(self._read, session)
        if known.listing.complete or not search.strip():
            return known.roster
        matches = known.roster.search(search, _MAX_OPTIONS)
        if len(matches) == _MAX_OPTIONS:
            return known.roster
        found = await self.finder.read(session, search.strip())
        rows = [row for person in matches for row in person.peers]
        return Roster(without_repeats([*rows, *found.rows]), [search])

    async def _read(self, session: SessionId) -> _Known:
        now, known = asyncio.get_running_loop().time(), self._known.pop(session, None)
        if known and len(known.listing.rows) > PER_PAGE and now - known.whole_at < WHOLE_EVERY:
            listing, whole_at = await self._with_newer(session, known.listing), known.whole_at
        else:
            listing, whole_at = await self.finder.read(session, max_pages=MAX_PAGES), now
        if known and known.listing.rows == listing.rows:
            roster = known.roster
        else:
            # 10,000 names take a fifth of a second. On the event loop, they would delay every ack.
            roster = await asyncio.to_thread(Roster, listing.rows)
        known = self._known[session] = _Known(roster, listing, whole_at)
        if len(self._known) > _MAX_SESSIONS:
            del self._known[next(iter(self._known))]
        return known

    async def _with_newer(self, session: SessionId, known: Listing[Peer]) -> Listing[Peer]:
        """Return the known rows and those that came since."""
        newest = await self.finder.read(session)
        came = (newest.total or 0) - (known.total or inf)
        if came > len(newest.rows):
            pages = min(MAX_PAGES, ceil(came / PER_PAGE))
            newest = await self.finder.read(session, max_pages=pages)
        rows = without_repeats([*newest.rows, *known.rows])
        complete = known.complete and len(rows) <= MAX_ROWS
        return Listing(rows[:MAX_ROWS], complete, newest.total)
