"""The runner of one kick: it calls each target at most once, and finds out what happened."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime, timedelta

from bot.core.event import Event, EventKind
from bot.core.evidence import LIST_LAG, UnresolvedCall
from bot.core.kick import Kick, State
from bot.core.ports import (
    Clock,
    GatewayError,
    KickCall,
    MeetingGateway,
    Rejected,
    Store,
    StoreUnavailable,
    VersionConflict,
)
from bot.core.reply import outcome_of
from bot.core.roster import ParticipantKey, Peer
from bot.core.target import Outcome, OutcomeReason, Target
from bot.core.timing import (
    LAST_READ_AFTER,
    LEASE,
    MAX_CALL_TIME,
    RENEW_EVERY,
    SECOND_READ_AFTER,
    SEND_WITHIN,
)

logger = logging.getLogger(__name__)

STORE_RETRY_DELAY = timedelta(seconds=1)
STORE_ATTEMPTS = 5


@dataclass(slots=True)
class KickRunner:
    """Runs one claimed kick. `kick` is its stored state.

    `unresolved` has the targets that were called, if the reply does not say what happened.

    Each write renews the lease. The runner writes before every read of the session, and every
    `RENEW_EVERY` while it waits.

    Every method may raise VersionConflict, if another process took over the kick, and
    StoreUnavailable. What is not stored then is resolved by evidence when the kick is taken over.
    """

    kick: Kick
    _: KW_ONLY
    gateway: MeetingGateway
    store: Store
    clock: Clock
    _lock: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    unresolved: dict[ParticipantKey | None, UnresolvedCall] = field(
        init=False, default_factory=dict
    )

    async def skip_protected(self, key: ParticipantKey | None, rule: str) -> None:
        """Settle a target, without a call, that this rule of the policy protects by now."""
        await self._settle(key, Outcome.FAILED, OutcomeReason.PROTECTED, rule)

    async def call_targets(self, peers: Mapping[ParticipantKey | None, tuple[Peer, ...]]) -> None:
        """Call all targets without an outcome. `peers` are their open connections, as just read."""
        await self._settle_without_id()
        pending = [target for target in self.kick.targets if target.outcome is None]
        calls = [self._call_target(target, peers.get(target.key, ())) for target in pending]
        ended = asyncio.Event()
        keeping = asyncio.create_task(self._keep_lease(ended))
        try:
            # An error for one target must not cancel the call for another one.
            errors = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            ended.set()
            await keeping
        for error in filter(None, errors):
            raise error

    async def _keep_lease(self, ended: asyncio.Event) -> None:
        """Renew the lease until the calls have ended: some may wait long for their turn."""
        while not ended.is_set():
            try:
                async with asyncio.timeout(RENEW_EVERY.total_seconds()):
                    await ended.wait()
            except TimeoutError:
                # The writes of the calls meet these errors, too, and raise them.
                with suppress(VersionConflict, StoreUnavailable):
                    await self._store_with_retries(lambda kick: kick.renew(self.clock.now()))

    async def _call_target(self, target: Target, peers: tuple[Peer, ...]) -> None:
        # The turn comes before the mark, which promises that the call is sent at once.
        async with self.gateway.kick_slot() as call:
            if not await self._record_call(target, peers):
                return
            reply = await self._send(target, call)
        outcome, reason, detail = outcome_of(reply)
        if reason is OutcomeReason.NOT_FOUND and not (target.live or peers):
            outcome, reason = Outcome.FAILED, OutcomeReason.NOBODY
        if outcome:
            await self._settle(target.key, outcome, reason, detail)
        else:
            self._mark_unresolved(target, reason, detail)

    def _mark_unresolved(self, target: Target, reason: OutcomeReason, detail: str = "") -> None:
        self.unresolved[target.key] = UnresolvedCall(reason, detail, self.clock.now())

    async def _record_call(self, target: Target, peers: tuple[Peer, ...]) -> bool:
        """Record that the call is about to be sent, and return True.

        If it must not be sent, record the target as not tried, and return False.
        """
        try:
            async with self._lock:
                now, began = self.clock.now(), self.clock.monotonic()
                event = Event(now, EventKind.CALLED, None, _label(target), self.kick.id)
                await self._store_change(
                    now, lambda kick: kick.mark_called(target, peers, now), event
                )
        except StoreUnavailable as error:
            problem = str(error)
        else:
            # By the monotonic clock, which also counts the time in which the machine is suspended.
            if self.clock.monotonic() - began <= SEND_WITHIN.total_seconds():
                return True
            # A process that takes over assumes the call has ended by a fixed time, so do not send
            # late.
            problem = "it took too long to write the call down"
        await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOT_TRIED, problem)
        return False

    async def _send(self, target: Target, call: KickCall) -> tuple[str, ...] | Exception:
        """Return the ids in the reply, or what the call raised."""
        meeting = self.kick.meeting.id
        try:
            if target.participant_id:
                return tuple(await call(meeting, participant_ids=[target.participant_id]))
            if target.custom_id:
                return tuple(await call(meeting, custom_participant_ids=[target.custom_id]))
        except GatewayError as error:
            return error
        except Exception as error:
            # A bug in the bot: the call may have been sent.
            logger.exception("kick %s: a call failed", self.kick.number)
            return error
        return Rejected(f"{target.name} has no id that RealtimeKit could be given")

    async def classify_interrupted(self) -> None:
        """Sort the targets of a kick whose process died.

        A target that was never called is settled as not tried. One that was called is unresolved.
        """
        await self._settle_without_id()
        self._mark_called_unresolved(None)
        for target in self.kick.targets:
            if target.outcome is None and target.called_at is None:
                await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOT_TRIED)

    async def _settle_without_id(self) -> None:
        # Older versions stored such targets. None was ever called.
        while None in {target.key for target in self.kick.targets if not target.outcome}:
            await self._settle(None, Outcome.FAILED, OutcomeReason.NO_ID)

    def _mark_called_unresolved(self, outcome: Outcome | None) -> None:
        """Mark the targets that were called and have this outcome."""
        for target in self.kick.targets:
            if target.called_at and target.outcome is outcome:
                reason = target.outcome_reason or OutcomeReason.NO_ANSWER
                # A date in the future is from a clock that was ahead: do not wait for it.
                ended_at = min(target.called_at, self.clock.now()) + MAX_CALL_TIME
                self.unresolved[target.key] = UnresolvedCall(reason, target.detail, ended_at)

    async def resolve_unknown(self) -> None:
        """Poll the session for evidence about the unresolved targets, then settle all of them.

        A target without evidence is settled as unknown. This takes up to 6 s, or until 12 s after
        the last call ended.
        """
        started, began = self.clock.now(), self.clock.monotonic()
        up_to_date = [call.ended_at + LIST_LAG for call in self.unresolved.values()]
        last = max([started + LAST_READ_AFTER, *up_to_date])
        for moment in (started, started + SECOND_READ_AFTER, last):
            if not self.unresolved:
                return
            # By the monotonic clock: the store's may be set meanwhile.
            await self._wait_until(began + (moment - started).total_seconds())
            await self._store_with_retries(lambda kick: kick.renew(self.clock.now()))
            await self._read_session()
        await self.settle_unresolved()

    async def settle_unresolved(self) -> None:
        """Settle the unresolved targets as unknown, without a read."""
        for key, call in list(self.unresolved.items()):
            await self._settle(key, Outcome.UNKNOWN, *call.unknown())

    async def _wait_until(self, moment: float) -> None:
        step = RENEW_EVERY.total_seconds()
        while (left := moment - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(left, step))
            if left > step:
                await self._store_with_retries(lambda kick: kick.renew(self.clock.now()))

    async def recheck_unknown(self) -> None:
        """Read the session once, for evidence about the targets with an unknown outcome."""
        self._mark_called_unresolved(Outcome.UNKNOWN)
        if self.unresolved:
            await self._read_session()

    async def _read_session(self) -> None:
        session, keys = self.kick.session_id, [key for key in self.unresolved if key]
        if session is None:
            return
        read_at = self.clock.now()
        try:
            roster = await self.gateway.find(session, keys, fresh=True, as_evidence=True)
        except GatewayError as error:
            logger.warning("kick %s: the session can't be read: %s", self.kick.number, error)
            return
        for key, call in list(self.unresolved.items()):
            target = self.kick.target(key)
            if proof := call.judge(target, roster, read_at, self.gateway.service_time):
                outcome, reason, rejoined_at = proof
                await self._settle(key, outcome, reason, call.detail, rejoined_at)

    async def finish(self) -> None:
        """Store the kick as done. Every target must have an outcome."""
        now = self.clock.now()
        event = Event(now, EventKind.FINISHED, None, "", self.kick.id)
        await self._store_with_retries(lambda kick: kick.finish(now), event)

    async def _settle(
        self,
        key: ParticipantKey | None,
        outcome: Outcome,
        reason: OutcomeReason,
        detail: str = "",
        rejoined_at: datetime | None = None,
    ) -> None:
        note = f"{_label(self.kick.target(key))}: {outcome} ({reason})"
        event = Event(self.clock.now(), EventKind.SETTLED, None, note, self.kick.id)
        await self._store_with_retries(
            lambda kick: kick.settle(kick.target(key), outcome, reason, detail, rejoined_at), event
        )
        self.unresolved.pop(key, None)

    async def _store_with_retries(self, change: Callable[[Kick], Kick], *events: Event) -> None:
        # Hold the lock during retries: an earlier attempt may have been committed.
        async with self._lock:
            now = self.clock.now()
            for _ in range(STORE_ATTEMPTS - 1):
                try:
                    return await self._store_change(now, change, *events)
                except StoreUnavailable as error:
                    logger.warning("kick %s: not stored: %s", self.kick.number, error)
                    await self.clock.sleep(STORE_RETRY_DELAY.total_seconds())
            return await self._store_change(now, change, *events)

    async def _store_change(
        self, now: datetime, change: Callable[[Kick], Kick], *events: Event
    ) -> None:
        after = _changed(self.kick, now, change)
        try:
            self.kick = await self.store.transition(self.kick, after, *events)
        except VersionConflict as error:
            # If the reply to our commit was lost, the retry conflicts with our own write. That is
            # not a real conflict.
            if error.current.owner != self.kick.owner or error.current.state is not after.state:
                raise
            self.kick = error.current
            if error.current != after:
                after = _changed(self.kick, now, change)
                self.kick = await self.store.transition(self.kick, after, *events)


def _changed(kick: Kick, now: datetime, change: Callable[[Kick], Kick]) -> Kick:
    after = change(kick)
    if after.state is State.RUNNING:
        return replace(after, lease_until=now + LEASE)
    return after


def _label(target: Target) -> str:
    return f"{target.name} [{target.key}]"
