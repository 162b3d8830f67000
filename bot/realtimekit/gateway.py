"""RealtimeKit for many callers at once: equal reads are shared and kept for some seconds."""
# ruff: noqa: D102 - the port `MeetingGateway` documents the methods

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from bot.core.ports import NotFound, OutcomeUnknown, Rejected
from bot.core.roster import (
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Roster,
    Session,
    SessionId,
    parse_key,
)
from bot.core.text import normalize_name
from bot.realtimekit.client import RealtimeKit
from bot.realtimekit.finder import Finder
from bot.realtimekit.menu import Menu
from bot.realtimekit.shared_reads import SharedReads

MAX_RECORD_PAGES: Final = 50


class CachedGateway:
    """The client with shared reads. It implements the port `MeetingGateway`, which documents it.

    A result is kept for `max_age` seconds, at most `max_reads` of them. Kicks are not shared and do
    not drop results: the service itself shows the effect of a kick only after about 10 s. `aclose`
    cancels the running reads and, with them, the callers that wait for them.
    """

    def __init__(self, client: RealtimeKit, *, max_age: float = 5.0, max_reads: int = 48) -> None:
        self._client = client
        self.kick_slot = client.kick_slot
        self.service_time = client.service_time
        self._reads = SharedReads(max_age, max_reads)
        self._whole_reads = SharedReads(max_age, max_reads=4, in_turn=True)
        self._finder = Finder(client, self._reads, self._whole_reads)
        self._menu = Menu(self._finder, self._reads)
        self.cached_roster = self._menu.cached

    async def live_sessions(self) -> Sequence[Session]:
        return await self._reads.get(self._client.live_sessions)

    async def meetings(self, search: str) -> Sequence[Meeting]:
        return await self._reads.get(self._client.meetings, search)

    async def meeting(self, meeting: MeetingId) -> Meeting:
        return await self._reads.get(self._client.meeting, meeting)

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        return await self._reads.get(self._client.active_session, meeting, fresh=fresh)

    async def roster(self, session: SessionId, search: str = "") -> Roster:
        return await self._menu.roster(session, search)

    async def find(
        self,
        session: SessionId,
        texts: Collection[str],
        *,
        fresh: bool = False,
        as_evidence: bool = False,
    ) -> Roster:
        return await self._finder.find(session, texts, fresh=fresh, as_evidence=as_evidence)

    async def records(
        self, meeting: MeetingId, texts: Collection[str], *, fresh: bool = False
    ) -> Sequence[Participant]:
        ids = [(text, *(parse_key(text) or (text, text))) for text in texts]
        reads = [self._record(meeting, one, fresh=fresh) for _, one, _ in ids if one]
        known = {record.id: record for record in await asyncio.gather(*reads) if record}
        open_ids = {custom_id for _, one, custom_id in ids if custom_id and one not in known}
        if open_ids:
            read, pages = self._client.records, MAX_RECORD_PAGES
            listing = await self._whole_reads.get(read, meeting, pages, fresh=fresh)
            wanted = set(map(normalize_name, open_ids))
            known |= {
                one.id: one
                for one in listing.rows
                if wanted & {normalize_name(text) for text in (one.id, one.custom_id) if text}
            }
        return list(known.values())

    async def _record(
        self, meeting: MeetingId, participant: str, *, fresh: bool
    ) -> Participant | None:
        try:
            read = self._client.record
            return await self._reads.get(read, meeting, ParticipantId(participant), fresh=fresh)
        except (NotFound, Rejected, OutcomeUnknown):
            # Which error the service gives for what is no participant id is not documented.
            return None

    async def aclose(self) -> None:
        await asyncio.gather(self._reads.aclose(), self._whole_reads.aclose())
