"""A running kick: each target called at most once, and what became of each found out."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from bot.core.kick import (
    LEASE,
    LIST_LAG,
    MAX_CALL_TIME,
    RENEW_EVERY,
    SEND_WITHIN,
    Event,
    EventKind,
    Kick,
    Outcome,
    OutcomeReason,
    State,
    Target,
    evidence,
)
from bot.core.ports import (
    Clock,
    GatewayError,
    MeetingGateway,
    NotFound,
    NotSent,
    RateLimited,
    Rejected,
    Store,
    StoreUnavailable,
    VersionConflict,
)
from bot.core.roster import ParticipantKey, Peer, Roster

logger = logging.getLogger(__name__)

# After an answer was lost: read at once, soon, and when the service's lag must be over.
SECOND_READ_AFTER = timedelta(seconds=2)
LAST_READ_AFTER = timedelta(seconds=6)
STORE_RETRY_DELAY = timedelta(seconds=1)
STORE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _UnresolvedCall:
    """Why an answer does not say what happened, and when its call ended or must have ended."""

    reason: OutcomeReason
    detail: str
    ended_at: datetime


class KickRunner:
    """Carries out one claimed kick; `kick` is how it stands in the store.

    Each write renews the lease, and it writes before every read and every few seconds of waiting.
    Its steps may raise VersionConflict (another process goes on with it) and
    StoreUnavailable (what is not
    written down yet is found out by evidence when the kick is taken over).
    """

    def __init__(self, kick: Kick, *, gateway: MeetingGateway, store: Store, clock: Clock) -> None:
        self.kick = kick
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._unresolved: dict[ParticipantKey | None, _UnresolvedCall] = {}

    @property
    def has_unresolved(self) -> bool:
        """Tell whether some target was called and its answer does not say what happened."""
        return bool(self._unresolved)

    async def skip_protected(self, key: ParticipantKey | None, by: str) -> None:
        """Leave a target alone whom the policy protects by now."""
        await self._settle(key, Outcome.FAILED, OutcomeReason.PROTECTED, by)

    async def call_targets(self, peers: Mapping[ParticipantKey | None, tuple[Peer, ...]]) -> None:
        """Call for every target that has no outcome yet, side by side; `peers` as just read."""
        todo = [target for target in self.kick.targets if target.outcome is None]
        calls = [self._call_target(target, peers.get(target.key, ())) for target in todo]
        # What fails for one target must not cancel the call for another that is under way.
        ends = await asyncio.gather(*calls, return_exceptions=True)
        for error in filter(None, ends):
            raise error

    async def _call_target(self, target: Target, peers: tuple[Peer, ...]) -> None:
        if not await self._record_call(target, peers):
            return
        try:
            named = await self._send(target)
        except NotFound as error:
            await self._handle_not_found(target, str(error))
        except Rejected as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.REFUSED, str(error))
        except RateLimited as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.BUSY, _detail(error))
        except NotSent as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.UNREACHABLE, str(error))
        except GatewayError as error:
            self._mark_unresolved(target, OutcomeReason.NO_ANSWER, str(error))
        except Exception:
            # A fault of our own: whether the call was sent is not known.
            logger.exception("kick %s: a call failed", self.kick.number)
            self._mark_unresolved(target, OutcomeReason.NO_ANSWER)
        else:
            if named:
                await self._settle(target.key, Outcome.KICKED, OutcomeReason.CONFIRMED)
            else:
                self._mark_unresolved(target, OutcomeReason.EMPTY_ANSWER)

    def _mark_unresolved(self, target: Target, why: OutcomeReason, words: str = "") -> None:
        self._unresolved[target.key] = _UnresolvedCall(why, words, self._clock.now())

    async def _record_call(self, target: Target, peers: tuple[Peer, ...]) -> bool:
        """Write down that the call is about to be sent; where it must not be, that it was not."""
        try:
            marked_at = await self._mark(target, peers)
        except StoreUnavailable as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOT_TRIED, str(error))
            return False
        if self._clock.now() - marked_at > SEND_WITHIN:
            # Whoever may have taken over counts on the call having ended by a certain time.
            late = "it took too long to write the call down"
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOT_TRIED, late)
            return False
        return True

    async def _mark(self, target: Target, peers: tuple[Peer, ...]) -> datetime:
        async with self._lock:
            now = self._clock.now()
            event = Event(now, EventKind.CALLED, None, _about(target), self.kick.id)
            await self._store_change(now, lambda kick: kick.mark_called(target, peers, now), event)
            return now

    async def _send(self, target: Target) -> tuple[str, ...]:
        meeting = self.kick.meeting.id
        if target.participant_id:
            sent = self._gateway.kick(meeting, participant_ids=[target.participant_id])
        elif target.custom_id:
            sent = self._gateway.kick(meeting, custom_participant_ids=[target.custom_id])
        else:
            raise Rejected(f"{target.name} has no id that RealtimeKit could be given")
        return tuple(await sent)

    async def _handle_not_found(self, target: Target, words: str) -> None:
        if target.live or self.kick.target(target.key).peers:
            self._mark_unresolved(target, OutcomeReason.NOT_FOUND, words)
        else:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOBODY, words)

    async def classify_interrupted(self) -> None:
        """Sort the targets of a kick whose process died: never called, or called and in doubt."""
        for target in self.kick.targets:
            if target.outcome is None and target.called_at is None:
                await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOT_TRIED)
            elif target.outcome is None and target.called_at:
                ended_at = target.called_at + MAX_CALL_TIME
                self._unresolved[target.key] = _UnresolvedCall(
                    OutcomeReason.NO_ANSWER, "", ended_at
                )

    async def resolve_unknown(self) -> None:
        """Find out by reading what became of the targets in doubt; what stays so is unknown."""
        started = self._clock.now()
        for moment in (started, started + SECOND_READ_AFTER, self._last_read(started)):
            if not self._unresolved:
                return
            await self._wait_until(moment)
            await self._store_with_retries(lambda kick: kick.renew(self._clock.now()))
            await self._read_session()
        for key, call in list(self._unresolved.items()):
            await self._settle(key, Outcome.UNKNOWN, call.reason, call.detail)

    async def _wait_until(self, moment: datetime) -> None:
        while (left := moment - self._clock.now()) > timedelta():
            await self._clock.sleep(min(left, RENEW_EVERY).total_seconds())
            if left > RENEW_EVERY:
                await self._store_with_retries(lambda kick: kick.renew(self._clock.now()))

    async def recheck_unknown(self) -> None:
        """Read once more what became of the targets that stayed unknown; maybe it shows now."""
        for target in self.kick.targets:
            if target.outcome is Outcome.UNKNOWN and target.called_at:
                why = target.outcome_reason or OutcomeReason.NO_ANSWER
                ended_at = target.called_at + MAX_CALL_TIME
                self._unresolved[target.key] = _UnresolvedCall(why, target.detail, ended_at)
        if self._unresolved:
            await self._read_session()

    def _last_read(self, started: datetime) -> datetime:
        ends = (call.ended_at + LIST_LAG for call in self._unresolved.values())
        return max([started + LAST_READ_AFTER, *ends])

    async def _read_session(self) -> None:
        if self.kick.session_id is None:
            return
        read_at = self._clock.now()
        try:
            roster = await self._gateway.roster(self.kick.session_id, fresh=True)
        except GatewayError as error:
            logger.warning("kick %s: the session can't be read: %s", self.kick.number, error)
            return
        for key in list(self._unresolved):
            await self._apply_evidence(key, roster, read_at)

    async def _apply_evidence(
        self, key: ParticipantKey | None, roster: Roster, read_at: datetime
    ) -> None:
        rows = tuple(peer for one in roster.find(key) for peer in one.peers) if key else ()
        call = self._unresolved[key]
        found = evidence(self.kick.target(key), rows, read_at, call.ended_at)
        if found:
            outcome, proof, back_at = found
            # Whoever was not found did not leave by a kick whose answer was lost.
            left_before = outcome is Outcome.GONE and call.reason is OutcomeReason.NOT_FOUND
            why = call.reason if left_before else proof
            await self._settle(key, outcome, why, call.detail, back_at)
        elif call.reason is OutcomeReason.NOT_FOUND and all(peer.left_at for peer in rows):
            await self._settle(key, Outcome.GONE, call.reason)

    async def finish(self) -> None:
        """End the kick: every target has its outcome."""
        now = self._clock.now()
        event = Event(now, EventKind.FINISHED, None, "", self.kick.id)
        await self._store_with_retries(lambda kick: kick.finish(now), event)

    async def _settle(
        self,
        key: ParticipantKey | None,
        outcome: Outcome,
        why: OutcomeReason,
        detail: str = "",
        back_at: datetime | None = None,
    ) -> None:
        note = f"{_about(self.kick.target(key))}: {outcome} ({why})"
        event = Event(self._clock.now(), EventKind.SETTLED, None, note, self.kick.id)
        await self._store_with_retries(
            lambda kick: kick.settle(kick.target(key), outcome, why, detail, back_at), event
        )
        self._unresolved.pop(key, None)

    async def _store_with_retries(self, change: Callable[[Kick], Kick], *events: Event) -> None:
        # Nobody else gets a turn while it is not known whether a try was written after all.
        async with self._lock:
            now = self._clock.now()
            for _ in range(STORE_ATTEMPTS - 1):
                try:
                    return await self._store_change(now, change, *events)
                except StoreUnavailable as error:
                    logger.warning("kick %s: not stored: %s", self.kick.number, error)
                    await self._clock.sleep(STORE_RETRY_DELAY.total_seconds())
            return await self._store_change(now, change, *events)

    async def _store_change(
        self, now: datetime, change: Callable[[Kick], Kick], *events: Event
    ) -> None:
        after = self._apply(now, change)
        try:
            self.kick = await self._store.transition(self.kick, after, *events)
        except VersionConflict as error:
            # A commit whose answer was lost looks like this: it was our own move that won.
            if error.current.owner != self.kick.owner or error.current.state is not after.state:
                raise
            self.kick = error.current
            if error.current != after:
                self.kick = await self._store.transition(
                    self.kick, self._apply(now, change), *events
                )

    def _apply(self, now: datetime, change: Callable[[Kick], Kick]) -> Kick:
        after = change(self.kick)
        if after.state is State.RUNNING:
            return replace(after, lease_until=now + LEASE)
        return after


def _detail(error: RateLimited) -> str:
    return f"{error}; try again in {ceil(error.retry_after)} s" if error.retry_after else str(error)


def _about(target: Target) -> str:
    return f"{target.name} [{target.key}]"
