"""A running kick: each target called at most once, and what became of each found out."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from bot.core.kick import (
    CALL_LASTS,
    LEASE,
    RENEW_EVERY,
    SEND_WITHIN,
    SETTLED_AFTER,
    Event,
    Kick,
    Outcome,
    State,
    Target,
    What,
    Why,
    evidence,
)
from bot.core.ports import (
    Busy,
    Clock,
    NotThere,
    Overtaken,
    Refused,
    Rooms,
    RoomsError,
    Store,
    StoreDown,
    Unreachable,
)
from bot.core.roster import Key, Peer, Roster

logger = logging.getLogger(__name__)

# After an answer was lost: read at once, soon, and when the service's lag must be over.
READ_AGAIN = timedelta(seconds=2)
LAST_READ = timedelta(seconds=6)
STORE_PAUSE = timedelta(seconds=1)
STORE_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why an answer does not say what happened, and when its call ended or must have ended."""

    why: Why
    words: str
    ended_at: datetime


class Execution:
    """Carries out one claimed kick; `kick` is how it stands in the store.

    Each write renews the lease, and it writes before every read and every few seconds of waiting.
    Its steps may raise Overtaken (another process goes on with it) and StoreDown (what is not
    written down yet is found out by evidence when the kick is taken over).
    """

    def __init__(self, kick: Kick, *, rooms: Rooms, store: Store, clock: Clock) -> None:
        self.kick = kick
        self._rooms = rooms
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._doubts: dict[Key | None, _Doubt] = {}

    @property
    def in_doubt(self) -> bool:
        """Tell whether some target was called and its answer does not say what happened."""
        return bool(self._doubts)

    async def spare(self, key: Key | None, by: str) -> None:
        """Leave a target alone whom the policy protects by now."""
        await self._settle(key, Outcome.FAILED, Why.PROTECTED, by)

    async def call(self, peers: Mapping[Key | None, tuple[Peer, ...]]) -> None:
        """Call for every target that has no outcome yet, side by side; `peers` as just read."""
        todo = [target for target in self.kick.targets if target.outcome is None]
        calls = [self._call(target, peers.get(target.key, ())) for target in todo]
        # What fails for one target must not cancel the call for another that is under way.
        ends = await asyncio.gather(*calls, return_exceptions=True)
        for error in filter(None, ends):
            raise error

    async def _call(self, target: Target, peers: tuple[Peer, ...]) -> None:
        if not await self._is_marked(target, peers):
            return
        try:
            named = await self._send(target)
        except NotThere as error:
            await self._nobody(target, str(error))
        except Refused as error:
            await self._settle(target.key, Outcome.FAILED, Why.REFUSED, str(error))
        except Busy as error:
            await self._settle(target.key, Outcome.FAILED, Why.BUSY, _detail(error))
        except Unreachable as error:
            await self._settle(target.key, Outcome.FAILED, Why.UNREACHABLE, str(error))
        except RoomsError as error:
            self._doubt(target, Why.NO_ANSWER, str(error))
        except Exception:
            # A fault of our own: whether the call was sent is not known.
            logger.exception("kick %s: a call failed", self.kick.number)
            self._doubt(target, Why.NO_ANSWER)
        else:
            if named:
                await self._settle(target.key, Outcome.KICKED, Why.CONFIRMED)
            else:
                self._doubt(target, Why.EMPTY_ANSWER)

    def _doubt(self, target: Target, why: Why, words: str = "") -> None:
        self._doubts[target.key] = _Doubt(why, words, self._clock.now())

    async def _is_marked(self, target: Target, peers: tuple[Peer, ...]) -> bool:
        """Write down that the call is about to be sent; where it must not be, that it was not."""
        try:
            marked_at = await self._mark(target, peers)
        except StoreDown as error:
            await self._settle(target.key, Outcome.FAILED, Why.NOT_TRIED, str(error))
            return False
        if self._clock.now() - marked_at > SEND_WITHIN:
            # Whoever may have taken over counts on the call having ended by a certain time.
            late = "it took too long to write the call down"
            await self._settle(target.key, Outcome.FAILED, Why.NOT_TRIED, late)
            return False
        return True

    async def _mark(self, target: Target, peers: tuple[Peer, ...]) -> datetime:
        async with self._lock:
            now = self._clock.now()
            event = Event(now, What.CALLED, None, _about(target), self.kick.id)
            await self._step(now, lambda kick: kick.mark_called(target, peers, now), event)
            return now

    async def _send(self, target: Target) -> tuple[str, ...]:
        meeting = self.kick.meeting.id
        if target.participant_id:
            sent = self._rooms.kick(meeting, participant_ids=[target.participant_id])
        elif target.custom_id:
            sent = self._rooms.kick(meeting, custom_participant_ids=[target.custom_id])
        else:
            raise Refused(f"{target.name} has no id that RealtimeKit could be given")
        return tuple(await sent)

    async def _nobody(self, target: Target, words: str) -> None:
        if target.live or self.kick.target(target.key).peers:
            self._doubt(target, Why.NOT_FOUND, words)
        else:
            await self._settle(target.key, Outcome.FAILED, Why.NOBODY, words)

    async def take_up(self) -> None:
        """Sort the targets of a kick whose process died: never called, or called and in doubt."""
        for target in self.kick.targets:
            if target.outcome is None and target.called_at is None:
                await self._settle(target.key, Outcome.FAILED, Why.NOT_TRIED)
            elif target.outcome is None and target.called_at:
                ended_at = target.called_at + CALL_LASTS
                self._doubts[target.key] = _Doubt(Why.NO_ANSWER, "", ended_at)

    async def clear_up(self) -> None:
        """Find out by reading what became of the targets in doubt; what stays so is unknown."""
        started = self._clock.now()
        for moment in (started, started + READ_AGAIN, self._last_read(started)):
            if not self._doubts:
                return
            await self._wait_until(moment)
            await self._patiently(lambda kick: kick.renew(self._clock.now()))
            await self._read()
        for key, doubt in list(self._doubts.items()):
            await self._settle(key, Outcome.UNKNOWN, doubt.why, doubt.words)

    async def _wait_until(self, moment: datetime) -> None:
        while (left := moment - self._clock.now()) > timedelta():
            await self._clock.sleep(min(left, RENEW_EVERY).total_seconds())
            if left > RENEW_EVERY:
                await self._patiently(lambda kick: kick.renew(self._clock.now()))

    async def look_again(self) -> None:
        """Read once more what became of the targets that stayed unknown; maybe it shows now."""
        for target in self.kick.targets:
            if target.outcome is Outcome.UNKNOWN and target.called_at:
                why = target.why or Why.NO_ANSWER
                ended_at = target.called_at + CALL_LASTS
                self._doubts[target.key] = _Doubt(why, target.detail, ended_at)
        if self._doubts:
            await self._read()

    def _last_read(self, started: datetime) -> datetime:
        ends = (doubt.ended_at + SETTLED_AFTER for doubt in self._doubts.values())
        return max([started + LAST_READ, *ends])

    async def _read(self) -> None:
        if self.kick.session_id is None:
            return
        read_at = self._clock.now()
        try:
            roster = await self._rooms.roster(self.kick.session_id, fresh=True)
        except RoomsError as error:
            logger.warning("kick %s: the session can't be read: %s", self.kick.number, error)
            return
        for key in list(self._doubts):
            await self._conclude(key, roster, read_at)

    async def _conclude(self, key: Key | None, roster: Roster, read_at: datetime) -> None:
        rows = tuple(peer for one in roster.find(key) for peer in one.peers) if key else ()
        doubt = self._doubts[key]
        found = evidence(self.kick.target(key), rows, read_at, doubt.ended_at)
        if found:
            outcome, proof, back_at = found
            # Whoever was not found did not leave by a kick whose answer was lost.
            left_before = outcome is Outcome.GONE and doubt.why is Why.NOT_FOUND
            why = doubt.why if left_before else proof
            await self._settle(key, outcome, why, doubt.words, back_at)
        elif doubt.why is Why.NOT_FOUND and all(peer.left_at for peer in rows):
            await self._settle(key, Outcome.GONE, doubt.why)

    async def finish(self) -> None:
        """End the kick: every target has its outcome."""
        now = self._clock.now()
        event = Event(now, What.FINISHED, None, "", self.kick.id)
        await self._patiently(lambda kick: kick.finish(now), event)

    async def _settle(
        self,
        key: Key | None,
        outcome: Outcome,
        why: Why,
        detail: str = "",
        back_at: datetime | None = None,
    ) -> None:
        note = f"{_about(self.kick.target(key))}: {outcome} ({why})"
        event = Event(self._clock.now(), What.SETTLED, None, note, self.kick.id)
        await self._patiently(
            lambda kick: kick.settle(kick.target(key), outcome, why, detail, back_at), event
        )
        self._doubts.pop(key, None)

    async def _patiently(self, change: Callable[[Kick], Kick], *events: Event) -> None:
        # Nobody else gets a turn while it is not known whether a try was written after all.
        async with self._lock:
            now = self._clock.now()
            for _ in range(STORE_TRIES - 1):
                try:
                    return await self._step(now, change, *events)
                except StoreDown as error:
                    logger.warning("kick %s: not stored: %s", self.kick.number, error)
                    await self._clock.sleep(STORE_PAUSE.total_seconds())
            return await self._step(now, change, *events)

    async def _step(self, now: datetime, change: Callable[[Kick], Kick], *events: Event) -> None:
        after = self._changed(now, change)
        try:
            self.kick = await self._store.move(self.kick, after, *events)
        except Overtaken as error:
            # A commit whose answer was lost looks like this: it was our own move that won.
            if error.current.owner != self.kick.owner or error.current.state is not after.state:
                raise
            self.kick = error.current
            if error.current != after:
                self.kick = await self._store.move(self.kick, self._changed(now, change), *events)

    def _changed(self, now: datetime, change: Callable[[Kick], Kick]) -> Kick:
        after = change(self.kick)
        if after.state is State.RUNNING:
            return replace(after, lease_until=now + LEASE)
        return after


def _detail(error: Busy) -> str:
    return f"{error}; try again in {ceil(error.retry_after)} s" if error.retry_after else str(error)


def _about(target: Target) -> str:
    return f"{target.name} [{target.key}]"
