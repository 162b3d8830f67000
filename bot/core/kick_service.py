"""What happens after somebody pressed *Kick*: the only place that orders effects.

A kick is stored before anything is done, claimed before anything is called, and each target is
marked before its call is sent. What became of it is stored before anybody is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, replace
from math import ceil
from uuid import uuid4

from bot.core.identify import Candidate, CandidateStatus, Selection, make_target
from bot.core.kick import (
    Draft,
    Event,
    EventKind,
    InvalidTransition,
    Kick,
    KickId,
    State,
    Target,
    TeamId,
    UserId,
)
from bot.core.outbox import Outbox
from bot.core.policy import Policy, PolicyInput, Verdict, VerdictKind, evaluate, may_decide, may_see
from bot.core.ports import (
    Clock,
    Directory,
    DirectoryUnavailable,
    GatewayError,
    MeetingGateway,
    Notifier,
    RateLimited,
    Rejected,
    Spawn,
    Store,
    StoreUnavailable,
    VersionConflict,
)
from bot.core.review_service import NO_APPROVALS_CHANNEL, find_candidates, with_recent_counts
from bot.core.roster import ParticipantKey, Peer, Session
from bot.core.runner import KickRunner

logger = logging.getLogger(__name__)

ASK_NOW = "Nobody was removed: start again, and the bot asks somebody who may decide."


@dataclass(frozen=True, slots=True)
class InstanceIdentity:
    """Whose kicks these are: the Slack team, the RealtimeKit app, and the process itself."""

    team: TeamId
    app_id: str
    process: str


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The kick that a submit stored, or that the same submit stored before: then not `is_new`.

    The same one may reach two processes; whoever stored the kick starts it.
    """

    kick: Kick
    created: bool


@dataclass(frozen=True, slots=True)
class _Recheck:
    """What a fresh look says, right before the calls."""

    verdict: Verdict
    session: Session | None = None
    candidates: tuple[Candidate, ...] = ()


class KickService:
    """The use cases that change something."""

    def __init__(
        self,
        *,
        identity: InstanceIdentity,
        policy: Policy,
        gateway: MeetingGateway,
        directory: Directory,
        store: Store,
        notifier: Notifier,
        outbox: Outbox,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._identity = identity
        self._policy = policy
        self._gateway = gateway
        self._directory = directory
        self._store = store
        self._notifier = notifier
        self._outbox = outbox
        self._clock = clock
        self._spawn = spawn
        self._in_progress: set[KickId] = set()

    async def submit(self, draft_id: str, view_id: str, user: UserId) -> SubmitResult | Verdict:
        """Store the kick that a review asks for: ready, waiting for a second person, or refused.

        Judged by what is known of the user without asking Slack; whether or not that is enough,
        it is judged again before anything is called. The same view asked twice gives the same
        kick; asked with other content it gives a verdict, and nothing changes.

        Raises StoreUnavailable.
        """
        draft = await self._store.get_draft(draft_id)
        if draft is None or draft.requester != user:
            return await self.record_refusal(
                user, "This review is not yours, or too old. Start again."
            )
        kick = self._kick(draft, view_id, await self._initial_verdict(draft))
        note = kick.refusal or f"{len(kick.targets)} in {kick.meeting.title}: {kick.reason}"
        kind = EventKind.REFUSED if kick.state is State.REFUSED else EventKind.ASKED
        stored = await self._store.add(kick, Event(kick.created_at, kind, user, note, kick.id))
        if not stored.same_request(kick):
            return await self.record_refusal(
                user, "This review was already used for something else."
            )
        return SubmitResult(stored, created=stored.id == kick.id)

    async def record_refusal(self, user: UserId, why: str, kick: KickId | None = None) -> Verdict:
        """Put a refusal on record, and return it."""
        await self._store.record_event(Event(self._clock.now(), EventKind.REFUSED, user, why, kick))
        return Verdict(VerdictKind.REFUSED, why)

    def refuse(self, user: UserId, reason: str, kick: KickId | None = None) -> None:
        """Put a refusal on record, in work of its own. The caller tells the user."""
        self._spawn(self._refuse(user, reason, kick))

    async def _refuse(self, user: UserId, reason: str, kick: KickId | None) -> None:
        try:
            await self.record_refusal(user, reason, kick)
        except StoreUnavailable as error:
            logger.error("a refusal of %s is not on record: %s", user, error)  # noqa: TRY400 - no traceback needed

    async def _initial_verdict(self, draft: Draft) -> Verdict | None:
        now = self._clock.now()
        who = self._directory.cached_membership(draft.requester)
        if who is None or not who.is_fresh(now):
            return None
        request = PolicyInput(who, draft.meeting, draft.targets, draft.reason)
        return evaluate(
            self._policy, await with_recent_counts(self._store, self._policy, now, request), now
        )

    def _kick(self, draft: Draft, view_id: str, verdict: Verdict | None) -> Kick:
        now = self._clock.now()
        state = _first_state(draft, verdict)
        if state is State.WAITING and self._policy.approvals_channel is None:
            state, verdict = State.REFUSED, _refusal(NO_APPROVALS_CHANNEL)
        is_refused = state is State.REFUSED
        return Kick(
            id=KickId(uuid4().hex),
            idempotency_key=view_id,
            team_id=draft.team_id,
            app_id=self._identity.app_id,
            channel_id=draft.channel_id,
            meeting=draft.meeting,
            session_id=draft.session_id,
            requester=draft.requester,
            reason=draft.reason,
            targets=draft.targets,
            created_at=now,
            state=state,
            repeats=draft.repeats,
            expires_at=now + self._policy.rules.expires if state is State.WAITING else None,
            refusal=verdict.reason if is_refused and verdict is not None else "",
            done_at=now if is_refused else None,
        )

    def start(self, kick: Kick) -> None:
        """Carry out a ready kick, or ask somebody about a waiting one, in work of its own."""
        if kick.state is State.WAITING:
            self.notify(kick)
        elif kick.state is State.READY:
            self._start_work(kick, self._run(kick), someone_waits=True)

    def recover(self, kick: Kick) -> None:
        """Go on with a kick that is due, unless this process is at it already."""
        if kick.state is State.WAITING:
            self._start_work(kick, self.expire(kick))
        elif kick.state is State.RUNNING:
            self._start_work(kick, self._take_over(kick))
        elif kick.state is State.READY:
            self._start_work(kick, self._run(kick))

    def _start_work(
        self, kick: Kick, work: Coroutine[object, object, Kick], *, someone_waits: bool = False
    ) -> None:
        if kick.id in self._in_progress:
            work.close()
        else:
            self._in_progress.add(kick.id)
            self._spawn(self._with_error_handling(kick, work, someone_waits=someone_waits))

    async def _with_error_handling(
        self, kick: Kick, work: Awaitable[Kick], *, someone_waits: bool
    ) -> None:
        words = ""
        try:
            ended = await work
        except VersionConflict as error:
            logger.info("kick %s: %s", kick.number, error)
            await self._notifier.update_modals(error.current)
        except StoreUnavailable as error:
            logger.warning("kick %s: the store is down: %s", kick.number, error)
            words = str(error)
        except Exception:
            # A fault of our own: this process would only fail again, so it keeps its hands off.
            logger.exception("kick %s failed", kick.number)
            await self._notifier.report_problem(kick, "The bot failed. Its log says how.")
            return
        else:
            await self._notify(ended)
        self._in_progress.discard(kick.id)
        if words and someone_waits:
            await self._notifier.report_problem(kick, words)

    def notify(self, kick: Kick) -> None:
        """Tell how a kick stands, in work of its own."""
        self._spawn(self._notify(kick))

    async def _notify(self, kick: Kick) -> None:
        """Show how a kick stands where people look at it, and deliver what is owed about it."""
        await asyncio.gather(
            self._notifier.update_modals(kick), self._outbox.deliver_pending(kick.id)
        )

    async def expire(self, kick: Kick) -> Kick:
        """End a request that nobody decided in time; raises VersionConflict, StoreUnavailable."""
        now = self._clock.now()
        event = Event(now, EventKind.EXPIRED, None, "not decided in time", kick.id)
        return await self._store.transition(kick, kick.expire_undecided(now), event)

    async def _run(self, kick: Kick) -> Kick:
        if self._clock.now() > kick.claimable_until:
            return await self._expire_unstarted(kick)
        recheck = await self._recheck(kick)
        now = self._clock.now()
        if not recheck.verdict.is_allowed:
            words = _words(recheck.verdict)
            event = Event(now, EventKind.REFUSED, None, words, kick.id)
            return await self._store.transition(kick, kick.refuse(words, now), event)
        try:
            session_id = recheck.session.id if recheck.session else None
            claimed = kick.claim(self._identity.process, now, session_id)
        except InvalidTransition:
            return await self._expire_unstarted(kick)
        event = Event(now, EventKind.CLAIMED, None, recheck.verdict.reason, kick.id)
        runner = self._runner(await self._store.transition(kick, claimed, event))
        await self._run_targets(runner, recheck)
        return runner.kick

    async def _run_targets(self, runner: KickRunner, recheck: _Recheck) -> None:
        # One custom id may stand for several records, so there may be several lines for a target.
        peers: dict[ParticipantKey | None, tuple[Peer, ...]] = {}
        protected: dict[ParticipantKey, str] = {}
        for candidate in recheck.candidates:
            key = ParticipantKey(candidate.requested)
            if candidate.status is CandidateStatus.PROTECTED:
                protected[key] = candidate.protected_by
            elif candidate.person:
                peers[key] = peers.get(key, ()) + candidate.person.open_peers
        for key, by in protected.items():
            await runner.skip_protected(key, by)
        await runner.call_targets(peers)
        await self._finish(runner)

    async def _finish(self, runner: KickRunner) -> None:
        if runner.has_unresolved:
            await self._notifier.update_modals(runner.kick)
        await runner.resolve_unknown()
        await runner.finish()

    async def _recheck(self, kick: Kick) -> _Recheck:
        """Look and judge again, right before the calls, from facts read now."""
        try:
            who = await self._directory.membership(kick.requester, fresh=True)
            approver = await self._directory.membership(kick.approver) if kick.approver else who
            session = await self._gateway.active_session(kick.meeting.id, fresh=True)
            if kick.session_id and (session is None or session.id != kick.session_id):
                return _Recheck(_over(session))
            selection = Selection(tuple(target.key for target in kick.targets if target.key))
            candidates = await find_candidates(
                self._gateway, self._policy.rules, kick.meeting.id, session, selection
            )
        except DirectoryUnavailable as error:
            return _Recheck(_refusal(f"Your role could not be checked with Slack ({error})."))
        except GatewayError as error:
            return _Recheck(_refusal(_unread(error)))
        meeting = session.meeting if session else kick.meeting
        targets = self._current_targets(kick, candidates)
        if not targets:
            by = ", ".join(sorted({candidate.protected_by for candidate in candidates}))
            return _Recheck(_refusal(f"The policy protects them by now ({by})."))
        request = PolicyInput(who, meeting, targets, kick.reason)
        now = self._clock.now()
        request = await with_recent_counts(
            self._store, self._policy, now, request, before=kick.number
        )
        verdict = evaluate(self._policy, request, now)
        if verdict.kind is VerdictKind.NEEDS_APPROVAL and kick.approver:
            verdict = may_decide(self._policy, approver, kick.requester, meeting, now)
        return _Recheck(verdict, session, candidates)

    def _current_targets(self, kick: Kick, candidates: tuple[Candidate, ...]) -> tuple[Target, ...]:
        """Take the targets as they are now, without those the policy protects by now."""
        by_key = {candidate.requested: candidate for candidate in candidates}
        standing = ((target, by_key.get(target.key or "")) for target in kick.targets)
        return tuple(
            make_target(self._policy.rules, candidate.person, live=True)
            if candidate and candidate.person
            else replace(target, protection_checked=False)
            for target, candidate in standing
            if candidate is None or candidate.status is not CandidateStatus.PROTECTED
        )

    async def _take_over(self, kick: Kick) -> Kick:
        now = self._clock.now()
        taken_over = kick.take_over(self._identity.process, now)
        event = Event(now, EventKind.TAKEN_OVER, None, "", kick.id)
        runner = self._runner(await self._store.transition(kick, taken_over, event))
        await runner.classify_interrupted()
        await self._finish(runner)
        return runner.kick

    async def check_again(self, kick_id: KickId, user: UserId) -> Kick | Verdict:
        """Read once more what became of whom nothing was known; what was settled stays.

        Raises DirectoryUnavailable, StoreUnavailable.
        """
        kick = await self._store.get_kick(kick_id)
        if kick is None:
            return await self.record_refusal(
                user, "That kick is not in this bot's record.", kick_id
            )
        who = await self._directory.membership(user)
        seeing = may_see(self._policy, who, kick.meeting, self._clock.now())
        if not seeing.is_allowed:
            return await self.record_refusal(user, seeing.reason, kick_id)
        runner = self._runner(kick)
        try:
            await runner.recheck_unknown()
        except (VersionConflict, InvalidTransition):
            # Somebody else looked at the same moment, and saw it first.
            return await self._store.get_kick(kick_id) or kick
        if runner.kick != kick:
            self.notify(runner.kick)
        return runner.kick

    async def _expire_unstarted(self, kick: Kick) -> Kick:
        now = self._clock.now()
        event = Event(now, EventKind.EXPIRED, None, "not claimed in time", kick.id)
        return await self._store.transition(kick, kick.expire_unstarted(now), event)

    def _runner(self, kick: Kick) -> KickRunner:
        return KickRunner(kick, gateway=self._gateway, store=self._store, clock=self._clock)


def _first_state(draft: Draft, verdict: Verdict | None) -> State:
    if verdict is not None and verdict.kind is VerdictKind.REFUSED:
        return State.REFUSED
    # Who was told that somebody will be asked is not taken at their word by less than that.
    if draft.needs_approval or (verdict is not None and verdict.kind is VerdictKind.NEEDS_APPROVAL):
        return State.WAITING
    return State.READY


def _words(verdict: Verdict) -> str:
    if verdict.kind is VerdictKind.NEEDS_APPROVAL:
        return f"{verdict.reason} {ASK_NOW}"
    return verdict.reason


def _unread(error: GatewayError) -> str:
    if isinstance(error, Rejected):
        return f"RealtimeKit refuses the bot: {error}. Please tell its operator."
    if isinstance(error, RateLimited):
        wait = f" {ceil(error.retry_after)} s" if error.retry_after else ""
        return f"RealtimeKit asks the bot to wait{wait}. Then try again."
    return f"RealtimeKit could not be read right before the kick: {error}."


def _over(session: Session | None) -> Verdict:
    if session is None:
        return _refusal("That session is over: nobody is in the meeting any more.")
    return _refusal("That session is over, another one has begun: look again who is in it.")


def _refusal(reason: str) -> Verdict:
    return Verdict(VerdictKind.REFUSED, reason)
