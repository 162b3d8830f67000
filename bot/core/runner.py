"""The runner of one kick: it calls each target at most once, and finds out what happened."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from bot.core.event import Event, EventKind
from bot.core.evidence import LIST_LAG, evidence
from bot.core.kick import LEASE, MAX_CALL_TIME, RENEW_EVERY, SEND_WITHIN, Kick, State
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
from bot.core.target import Outcome, OutcomeReason, Target

logger = logging.getLogger(__name__)

# If a reply was lost, the session is read at once, after 2 s, and when its list is up to date:
# after 6 s or LIST_LAG after the end of the call, whichever is later.
SECOND_READ_AFTER = timedelta(seconds=2)
LAST_READ_AFTER = timedelta(seconds=6)
STORE_RETRY_DELAY = timedelta(seconds=1)
STORE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _UnresolvedCall:
    """A call whose reply does not say what happened, and when it ended or must have ended."""

    reason: OutcomeReason
    detail: str
    ended_at: datetime


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
    unresolved: dict[ParticipantKey | None, _UnresolvedCall] = field(
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
        # An error for one target must not cancel the call for another one.
        errors = await asyncio.gather(*calls, return_exceptions=True)
        for error in filter(None, errors):
            raise error

    async def _call_target(self, target: Target, peers: tuple[Peer, ...]) -> None:
        if not await self._record_call(target, peers):
            return
        try:
            kicked = await self._send(target)
        except NotFound as error:
            await self._handle_not_found(target, str(error))
        except Rejected as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.REFUSED, str(error))
        except RateLimited as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.BUSY, _retry_hint(error))
        except NotSent as error:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.UNREACHABLE, str(error))
        except GatewayError as error:
            self._mark_unresolved(target, OutcomeReason.NO_ANSWER, str(error))
        except Exception:
            # A bug in the bot: the call may have been sent.
            logger.exception("kick %s: a call failed", self.kick.number)
            self._mark_unresolved(target, OutcomeReason.NO_ANSWER)
        else:
            if kicked:
                await self._settle(target.key, Outcome.KICKED, OutcomeReason.CONFIRMED)
            else:
                self._mark_unresolved(target, OutcomeReason.EMPTY_ANSWER)

    def _mark_unresolved(self, target: Target, reason: OutcomeReason, detail: str = "") -> None:
        self.unresolved[target.key] = _UnresolvedCall(reason, detail, self.clock.now())

    async def _record_call(self, target: Target, peers: tuple[Peer, ...]) -> bool:
        """Record that the call is about to be sent, and return True.

        If it must not be sent, record the target as not tried, and return False.
        """
        try:
            async with self._lock:
                now = self.clock.now()
                event = Event(now, EventKind.CALLED, None, _label(target), self.kick.id)
                await self._store_change(
                    now, lambda kick: kick.mark_called(target, peers, now), event
                )
        except StoreUnavailable as error:
            problem = str(error)
        else:
            if self.clock.now() - now <= SEND_WITHIN:
                return True
            # A process that takes over assumes the call has ended by a fixed time, so do not send
            # late.
            problem = "it took too long to write the call down"
        await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOT_TRIED, problem)
        return False

    async def _send(self, target: Target) -> tuple[str, ...]:
        meeting = self.kick.meeting.id
        if target.participant_id:
            call = self.gateway.kick(meeting, participant_ids=[target.participant_id])
        elif target.custom_id:
            call = self.gateway.kick(meeting, custom_participant_ids=[target.custom_id])
        else:
            raise Rejected(f"{target.name} has no id that RealtimeKit could be given")
        return tuple(await call)

    async def _handle_not_found(self, target: Target, detail: str) -> None:
        if target.live or self.kick.target(target.key).peers:
            self._mark_unresolved(target, OutcomeReason.NOT_FOUND, detail)
        else:
            await self._settle(target.key, Outcome.FAILED, OutcomeReason.NOBODY, detail)

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
                ended_at = target.called_at + MAX_CALL_TIME
                self.unresolved[target.key] = _UnresolvedCall(reason, target.detail, ended_at)

    async def resolve_unknown(self) -> None:
        """Poll the session for evidence about the unresolved targets, then settle all of them.

        A target without evidence is settled as unknown. This takes up to 6 s, or until 12 s after
        the last call ended.
        """
        started = self.clock.now()
        up_to_date = [call.ended_at + LIST_LAG for call in self.unresolved.values()]
        last = max([started + LAST_READ_AFTER, *up_to_date])
        for moment in (started, started + SECOND_READ_AFTER, last):
            if not self.unresolved:
                return
            await self._wait_until(moment)
            await self._store_with_retries(lambda kick: kick.renew(self.clock.now()))
            await self._read_session()
        await self.settle_unresolved()

    async def settle_unresolved(self) -> None:
        """Settle the unresolved targets as unknown, without a read."""
        for key, call in list(self.unresolved.items()):
            await self._settle(key, Outcome.UNKNOWN, call.reason, call.detail)

    async def _wait_until(self, moment: datetime) -> None:
        while (left := moment - self.clock.now()) > timedelta():
            await self.clock.sleep(min(left, RENEW_EVERY).total_seconds())
            if left > RENEW_EVERY:
                await self._store_with_retries(lambda kick: kick.renew(self.clock.now()))

    async def recheck_unknown(self) -> None:
        """Read the session once, for evidence about the targets with an unknown outcome."""
        self._mark_called_unresolved(Outcome.UNKNOWN)
        if self.unresolved:
            await self._read_session()

    async def _read_session(self) -> None:
        if self.kick.session_id is None:
            return
        read_at = self.clock.now()
        try:
            roster = await self.gateway.roster(self.kick.session_id, fresh=True)
        except GatewayError as error:
            logger.warning("kick %s: the session can't be read: %s", self.kick.number, error)
            return
        for key in list(self.unresolved):
            await self._apply_evidence(key, roster, read_at)

    async def _apply_evidence(
        self, key: ParticipantKey | None, roster: Roster, read_at: datetime
    ) -> None:
        people = roster.find(key) if key else ()
        peers = tuple(peer for person in people for peer in person.peers)
        call = self.unresolved[key]
        found = evidence(self.kick.target(key), peers, read_at, call.ended_at)
        if found:
            outcome, reason, rejoined_at = found
            if outcome is Outcome.GONE and call.reason is OutcomeReason.NOT_FOUND:
                # A 404 means that this kick removed nobody: report that they had already left,
                # not that they may have been kicked.
                reason = call.reason
            await self._settle(key, outcome, reason, call.detail, rejoined_at)
        elif call.reason is OutcomeReason.NOT_FOUND and all(peer.left_at for peer in peers):
            await self._settle(key, Outcome.GONE, call.reason)

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


def _retry_hint(error: RateLimited) -> str:
    return f"{error}; try again in {ceil(error.retry_after)} s" if error.retry_after else str(error)


def _label(target: Target) -> str:
    return f"{target.name} [{target.key}]"
