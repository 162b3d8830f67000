"""RealtimeKit as the use cases see it: reads are shared by all who ask at once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Roster,
    Session,
    SessionId,
)
from bot.realtimekit.client import RealtimeKit

T = TypeVar("T")


class CachedGateway:
    """The port `Rooms` over the client: what was read is kept for `keep` seconds.

    At most `most` reads are kept. Kicks are neither shared nor kept, and leave what was read as
    it is: for about 10 s the service itself does not show what they did.
    """

    def __init__(self, client: RealtimeKit, *, keep: float = 5.0, most: int = 48) -> None:
        self._client = client
        self._reads = SharedReads(keep, most)

    async def live_sessions(self) -> Sequence[Session]:
        """List the sessions that the service lists as live; the list can lag or stay empty."""
        return await self._reads.get("live sessions", self._client.live_sessions)

    async def meetings(self, search: str) -> Sequence[Meeting]:
        """List some meetings whose title or id matches: the first page of them."""
        read = partial(self._client.meetings, search)
        return await self._reads.get(("meetings", search), read)

    async def meeting(self, meeting: MeetingId) -> Meeting:
        """Read a meeting; NotFound if there is none of this id."""
        return await self._reads.get(("meeting", meeting), partial(self._client.meeting, meeting))

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        """Read the live session of a meeting; None if the service says there is none."""
        read = partial(self._client.active_session, meeting)
        return await self._reads.get(("active session", meeting), read, fresh=fresh)

    async def roster(self, session: SessionId, *, fresh: bool = False) -> Roster:
        """Read who is, and was, in a session."""
        read = partial(self._roster, session)
        return await self._reads.get(("roster", session), read, fresh=fresh)

    async def records(self, meeting: MeetingId, *, fresh: bool = False) -> Sequence[Participant]:
        """Read all participant records of a meeting, without peers."""
        read = partial(self._client.records, meeting)
        return await self._reads.get(("records", meeting), read, fresh=fresh)

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        """Kick; return the ids of the participants that the reply names, possibly none."""
        return await self._client.kick(
            meeting,
            participant_ids=participant_ids,
            custom_participant_ids=custom_participant_ids,
        )

    async def aclose(self) -> None:
        """End the reads that are under way; who still waits for one is cancelled with it."""
        await self._reads.aclose()

    async def _roster(self, session: SessionId) -> Roster:
        peers = await self._client.participants(session)
        # Folding 10,000 names takes a fifth of a second, in which no ack would go out.
        return await asyncio.to_thread(Roster, peers)


class SharedReads:
    """Reads that run once for all who wait for them, and are kept for a while.

    Each runs in a task of its own, so that a caller who is cancelled takes it from nobody. What
    failed is not kept: its error goes to those who wait, and the next one reads anew.
    """

    def __init__(self, keep: float, most: int) -> None:
        self._keep = keep
        self._most = most
        self._kept: dict[Hashable, asyncio.Task[Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def get(
        self, key: Hashable, read: Callable[[], Coroutine[Any, Any, T]], *, fresh: bool = False
    ) -> T:
        """Return what was read under this key, or read it; `fresh`: in a read begun now."""
        task: asyncio.Task[T] | None = None if fresh else self._kept.get(key)
        return await asyncio.shield(task or self._start(key, read()))

    async def aclose(self) -> None:
        """Cancel the reads that are under way, and wait until they have ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self, key: Hashable, read: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(read)
        self._running.add(task)
        self._kept.pop(key, None)
        self._kept[key] = task
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        task.add_done_callback(partial(self._ended, key))
        return task

    def _ended(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled() or task.exception():
            self._drop(key, task)
        else:
            task.get_loop().call_later(self._keep, self._drop, key, task)

    def _drop(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._kept.get(key) is task:
            del self._kept[key]
