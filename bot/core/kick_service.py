"""The use cases that change a kick. This module decides the order of all effects.

A kick is stored before anything else happens, and claimed before any call. Each target is marked
before its call is sent. An outcome is stored before anybody is notified.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import InvalidTransition, Kick, KickId, State, TeamId, UserId
from bot.core.outbox import Outbox
from bot.core.policy import PolicyInput, Verdict, VerdictKind, may_see, refusal
from bot.core.ports import Notifier, Spawn, StoreUnavailable, VersionConflict
from bot.core.retries import Retries
from bot.core.runner import KickRunner
from bot.core.service import NO_APPROVALS_CHANNEL, Service, refuse_without_id

logger = logging.getLogger(__name__)

# So many kicks are checked and called at once. The others wait: a crowd of them would make the
# database so slow that no call is sent in time.
MAX_AT_ONCE = 16
FAILED = "The bot failed. Its log says how."
FAILED_EACH_TIME = "The bot failed each time it checked this, so nobody was removed."
ASK_NOW = "Nobody was removed: start again, and the bot asks somebody who may decide."


@dataclass(frozen=True, slots=True)
class InstanceIdentity:
    """The Slack team and the RealtimeKit app of this bot, and a unique name of this process."""

    team: TeamId
    app_id: str
    process: str


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The kick of a submit. `created` is False if an earlier delivery of the submit stored it.

    Slack may deliver one submit to two processes. Only the one that created the kick starts it.
    """

    kick: Kick
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KickService(Service):
    """Submits, runs and recovers kicks."""

    identity: InstanceIdentity
    notifier: Notifier
    outbox: Outbox
    spawn: Spawn
    _in_progress: set[KickId] = field(init=False, default_factory=set)
    _retries: Retries = field(init=False, default_factory=Retries)
    _slots: asyncio.Semaphore = field(
        init=False, default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE)
    )

    async def submit(self, draft_id: str, view_id: str, user: UserId) -> SubmitResult | Verdict:
        """Store the kick of a draft as ready, waiting or refused, and return it.

        Only a cached membership is used, because Slack waits for the reply. The kick is evaluated
        again before any call. A second submit of the same view returns the same kick; if it asks
        for something else, or if the draft is not the user's, the result is a refusal.

        Raises StoreUnavailable.
        """
        draft, recent = await asyncio.gather(
            self.store.get_draft(draft_id), self.recent_targets(user)
        )
        if draft is None or draft.requester != user:
            return await self.record_refusal(
                user, "This review is not yours, or too old. Start again."
            )
        verdict = refuse_without_id(draft.targets) or self._cached_verdict(draft, recent)
        kick = self._new_kick(draft, view_id, verdict)
        note = kick.refusal or f"{len(kick.targets)} in {kick.meeting.title}: {kick.reason}"
        kind = EventKind.REFUSED if kick.state is State.REFUSED else EventKind.ASKED
        stored = await self.store.add(kick, Event(kick.created_at, kind, user, note, kick.id))
        if not stored.same_request(kick):
            return await self.record_refusal(
                user, "This review was already used for something else."
            )
        return SubmitResult(stored, created=stored.id == kick.id)

    def refuse(self, user: UserId, reason: str, kick: KickId | None = None) -> None:
        """Start a task that records a refusal in the audit log. The caller tells the user."""
        self.spawn(self.record_refusal(user, reason, kick))

    async def record_refusal(
        self, user: UserId, reason: str, kick: KickId | None = None
    ) -> Verdict:
        """Return a refusal as a verdict, after recording it. The user gets it in any case."""
        event = Event(self.clock.now(), EventKind.REFUSED, user, reason, kick)
        try:
            await self.store.record_event(event)
        except StoreUnavailable as error:
            logger.error("a refusal of %s is not on record: %s", user, error)  # noqa: TRY400 - no traceback needed
        return refusal(reason)

    def _cached_verdict(self, draft: Draft, recent: Sequence[int]) -> Verdict | None:
        """Return the verdict without a remote call; None if the membership is not cached."""
        requester = self.directory.cached_membership(draft.requester)
        if requester is None or not requester.is_fresh(self.clock.monotonic()):
            return None
        request = PolicyInput(requester, draft.meeting, draft.targets, draft.reason)
        return self.evaluate_with(recent, request)

    def _new_kick(self, draft: Draft, view_id: str, verdict: Verdict | None) -> Kick:
        now = self.clock.now()
        kick = draft.to_kick(view_id, self.identity.app_id, now)
        if verdict and verdict.kind is VerdictKind.REFUSED:
            return replace(kick, state=State.REFUSED, refusal=verdict.reason, done_at=now)
        # If the review said *Ask for approval*, always ask, even if the policy would now allow the
        # kick directly.
        if not draft.needs_approval and (verdict is None or verdict.is_allowed):
            return kick
        if self.policy.approvals_channel is None:
            return replace(kick, state=State.REFUSED, refusal=NO_APPROVALS_CHANNEL, done_at=now)
        return replace(kick, state=State.WAITING, expires_at=now + self.policy.rules.expires)

    def start(self, kick: Kick) -> None:
        """Start a task that runs a ready kick, or that asks for the approval of a waiting one."""
        if kick.state is State.WAITING:
            self.notify(kick)
        elif kick.state is State.READY:
            self._start_work(kick, self._run(kick), report_errors=True)

    def recover(self, kick: Kick) -> None:
        """Start a task for an overdue kick.

        Does nothing if this process works on it already, or failed at it a moment ago. After
        too many failures, the task ends the kick without reading anything.
        """
        if self._retries.is_paused(kick.id, self.clock.monotonic()):
            return
        gives_up = self._retries.gives_up(kick.id)
        recoveries: dict[State, Callable[[Kick], Coroutine[object, object, Kick]]] = {
            State.WAITING: self.expire,
            State.READY: self._refuse_failed if gives_up else self._run,
            State.RUNNING: partial(self._take_over, read=not gives_up),
        }
        if kick.state in recoveries:
            self._start_work(kick, recoveries[kick.state](kick))

    def _start_work(
        self, kick: Kick, work: Coroutine[object, object, Kick], *, report_errors: bool = False
    ) -> None:
        if kick.id in self._in_progress:
            work.close()
        else:
            self._in_progress.add(kick.id)
            self.spawn(self._with_error_handling(kick, work, report_errors=report_errors))

    async def _with_error_handling(
        self, kick: Kick, work: Awaitable[Kick], *, report_errors: bool
    ) -> None:
        problem = ""
        try:
            ended = await work
        except VersionConflict as error:
            logger.info("kick %s: %s", kick.number, error)
            await self.notifier.update_modals(error.current)
        except StoreUnavailable as error:
            logger.warning("kick %s: the store is unavailable: %s", kick.number, error)
            problem = str(error)
        except Exception:
            # A bug in the bot, or a reply that nobody expected. People hear of it once.
            logger.exception("kick %s failed", kick.number)
            problem = FAILED
            report_errors = self._retries.count(kick.id, self.clock.monotonic()) == 1
        else:
            self._retries.forget(kick.id)
            await self._notify(ended)
        finally:
            self._in_progress.discard(kick.id)
        if problem and report_errors:
            await self.notifier.report_problem(kick, problem)

    def notify(self, kick: Kick) -> None:
        """Start a task that updates the open modals and delivers the pending messages of a kick."""
        self.spawn(self._notify(kick))

    async def _notify(self, kick: Kick) -> None:
        await asyncio.gather(
            self.notifier.update_modals(kick), self.outbox.deliver_pending(kick.id)
        )

    async def expire(self, kick: Kick) -> Kick:
        """Store a waiting kick as expired, and return it. Raises as `transition` does."""
        note = "not decided in time"
        return await self.transition(kick, kick.expire_undecided, EventKind.EXPIRED, note)

    async def _expire_unstarted(self, kick: Kick) -> Kick:
        note = "not claimed in time"
        return await self.transition(kick, kick.expire_unstarted, EventKind.EXPIRED, note)

    async def _refuse_failed(self, kick: Kick) -> Kick:
        # Still ready, so nobody was called.
        return await self.transition(
            kick, lambda now: kick.refuse(FAILED_EACH_TIME, now), EventKind.REFUSED, FAILED
        )

    async def _run(self, kick: Kick) -> Kick:
        async with self._slots:
            begun = await self._call(kick)
        return begun if isinstance(begun, Kick) else await self._finish(begun)

    async def _call(self, kick: Kick) -> Kick | KickRunner:
        """Claim a kick, and call its targets; or end it without a call, and return it."""
        if not kick.is_claimable(self.clock.now()):
            return await self._expire_unstarted(kick)
        recheck = await self.recheck(kick)
        reason = recheck.verdict.reason
        if not recheck.verdict.is_allowed:
            if recheck.verdict.kind is VerdictKind.NEEDS_APPROVAL:
                reason = f"{reason} {ASK_NOW}"
            return await self.transition(
                kick, lambda now: kick.refuse(reason, now), EventKind.REFUSED, reason
            )
        process = self.identity.process
        session_id = recheck.session.id if recheck.session else None
        try:
            claimed = await self.transition(
                kick, lambda now: kick.claim(process, now, session_id), EventKind.CLAIMED, reason
            )
        except InvalidTransition:
            return await self._expire_unstarted(kick)
        runner = self._runner(claimed)
        for key, rule in recheck.protected.items():
            await runner.skip_protected(key, rule)
        await runner.call_targets(recheck.open_peers)
        return runner

    async def _finish(self, runner: KickRunner) -> Kick:
        if runner.unresolved:
            await self.notifier.update_modals(runner.kick)
        await runner.resolve_unknown()
        await runner.finish()
        return runner.kick

    async def _take_over(self, kick: Kick, *, read: bool = True) -> Kick:
        process = self.identity.process
        taken_over = await self.transition(
            kick, lambda now: kick.take_over(process, now), EventKind.TAKEN_OVER
        )
        runner = self._runner(taken_over)
        await runner.classify_interrupted()
        if not read:
            await runner.settle_unresolved()
        return await self._finish(runner)

    async def check_again(self, kick_id: KickId, user: UserId) -> Kick | Verdict:
        """Check the targets with an unknown outcome again, and return the kick.

        Other outcomes do not change. Returns a refusal if there is no such kick, or if the user
        may not see the meeting. Raises DirectoryUnavailable, StoreUnavailable.
        """
        kick = await self.store.get_kick(kick_id)
        if kick is None:
            return await self.record_refusal(
                user, "That kick is not in this bot's record.", kick_id
            )
        member = await self.directory.membership(user)
        verdict = may_see(self.policy, member, kick.meeting, self.clock.monotonic())
        if not verdict.is_allowed:
            return await self.record_refusal(user, verdict.reason, kick_id)
        runner = self._runner(kick)
        try:
            await runner.recheck_unknown()
        except (VersionConflict, InvalidTransition):
            # A concurrent check stored the outcome first.
            return await self.store.get_kick(kick_id) or kick
        if runner.kick != kick:
            self.notify(runner.kick)
        return runner.kick

    def _runner(self, kick: Kick) -> KickRunner:
        return KickRunner(kick, gateway=self.gateway, store=self.store, clock=self.clock)
