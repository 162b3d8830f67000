"""The use cases of a waiting kick: what an approver sees, and what approve, deny and cancel do.

Every click is evaluated at that moment, from facts read then.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from bot.core.candidates import NAME_LIMIT, Candidate, current_targets
from bot.core.event import EventKind
from bot.core.kick import InvalidTransition, Kick, KickId, State, UserId
from bot.core.kick_service import MAX_AT_ONCE, KickService
from bot.core.policy import (
    AccountStatus,
    PolicyInput,
    Verdict,
    VerdictKind,
    may_decide,
    protected_by,
    refusal,
)
from bot.core.ports import GatewayError, VersionConflict
from bot.core.roster import Session
from bot.core.service import Service
from bot.core.target import Target
from bot.core.text import display

UNKNOWN_REQUEST = "That request is not in this bot's record. Nothing was changed."
SESSION_ENDED = (
    "That session is over. Nobody can be removed from it; you can still deny the request."
)
OWN_REQUEST = "You asked for this kick: you can take it back, and somebody else decides it."

# A fingerprint with this mark belongs to a target that is not in the session.
ABSENT = "?"
FINGERPRINT_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """A request as one user may see it now.

    `is_requester`: the user made it. `candidates` are its targets as they are now. `verdict` says
    whether this user may approve it now, and why not. `seen` has one fingerprint for each target,
    of what the user is shown: name, preset and what protects them. An approval must contain the
    same fingerprints; if it did not, `changed` is true. `error` says why the session could not be
    read.
    """

    kick: Kick
    is_requester: bool
    verdict: Verdict
    session: Session | None = None
    candidates: tuple[Candidate, ...] = ()
    seen: tuple[str, ...] = ()
    changed: bool = False
    error: GatewayError | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the request is still undecided."""
        return self.kick.state is State.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalService(Service):
    """The use cases of a waiting kick.

    They return the changed kick; or an ApprovalView of the unchanged request; or a Verdict that
    refuses the user, after it was recorded. All may raise DirectoryUnavailable and
    StoreUnavailable.
    """

    kick_service: KickService
    _slots: asyncio.Semaphore = field(
        init=False, default_factory=lambda: asyncio.Semaphore(MAX_AT_ONCE)
    )

    async def open_request(self, kick_id: KickId, user: UserId) -> ApprovalView | Verdict:
        """Return a request for a user who may decide it, or who made it."""
        loaded = await self._load(kick_id, user)
        return loaded if isinstance(loaded, Verdict) else await self._read_targets(loaded)

    async def approve(
        self, kick_id: KickId, user: UserId, seen: Sequence[str]
    ) -> Kick | ApprovalView | Verdict:
        """Approve a request and start it; `seen` is from the ApprovalView that the user was shown.

        Returns the current request instead, if the user may no longer approve it or if the
        targets have changed since they looked.
        """
        async with self._slots:
            return await self._approve(kick_id, user, seen)

    async def _approve(
        self, kick_id: KickId, user: UserId, seen: Sequence[str]
    ) -> Kick | ApprovalView | Verdict:
        loaded = await self._load(kick_id, user)
        if isinstance(loaded, Verdict):
            return loaded
        view = await self._read_targets(loaded)
        if not view.is_open:
            return view
        if view.is_requester:
            return await self.kick_service.record_refusal(user, view.verdict.reason, kick_id)
        if not view.verdict.is_allowed or view.error:
            return view
        if _differs(seen, view.seen):
            return replace(view, changed=True)
        kick, note = view.kick, view.verdict.reason
        approved = self.transition(
            kick, lambda now: kick.approve(user, now), EventKind.APPROVED, note, user
        )
        return await self._decide(view, approved)

    async def deny(self, kick_id: KickId, user: UserId, note: str) -> Kick | ApprovalView | Verdict:
        """Deny a request. Returns the current request instead if it was decided before."""
        view = await self._load(kick_id, user)
        if isinstance(view, Verdict) or not view.is_open:
            return view
        if not view.verdict.is_allowed:
            return await self.kick_service.record_refusal(user, view.verdict.reason, kick_id)
        denied = self.transition(
            view.kick, lambda now: view.kick.deny(user, note, now), EventKind.DENIED, note, user
        )
        return await self._decide(view, denied)

    async def cancel(self, kick_id: KickId, user: UserId) -> Kick | ApprovalView | Verdict:
        """Cancel a request. Only its requester may.

        Returns the current request instead if it was decided before.
        """
        view = await self._load(kick_id, user)
        if isinstance(view, Verdict):
            return view
        if not view.is_requester:
            reason = "Only whoever asked can take a request back."
            return await self.kick_service.record_refusal(user, reason, kick_id)
        if not view.is_open:
            return view
        cancelled = self.transition(view.kick, view.kick.cancel, EventKind.CANCELLED, actor=user)
        return await self._decide(view, cancelled)

    async def refresh(self, kick: Kick) -> Kick:
        """Return the current state of a kick."""
        return await self.store.get_kick(kick.id) or kick

    async def _load(self, kick_id: KickId, user: UserId) -> ApprovalView | Verdict:
        """Return the request, expired if it is overdue; or a refusal if the user may not see it."""
        member = await self.directory.membership(user)
        kick = await self.store.get_kick(kick_id)
        if kick is None:
            return await self.kick_service.record_refusal(user, UNKNOWN_REQUEST, kick_id)
        if user == kick.requester and member.account_status is AccountStatus.MEMBER:
            verdict = refusal(OWN_REQUEST)
        else:
            now = self.clock.monotonic()
            verdict = may_decide(self.policy, member, kick.requester, kick.meeting, now)
            if not verdict.is_allowed:
                return await self.kick_service.record_refusal(user, verdict.reason, kick_id)
        return ApprovalView(await self._expire_if_due(kick), user == kick.requester, verdict)

    async def _expire_if_due(self, kick: Kick) -> Kick:
        if kick.state is State.WAITING and kick.is_overdue(self.clock.now()):
            try:
                kick = await self.kick_service.expire(kick)
            except VersionConflict as error:
                return error.current
            self.kick_service.notify(kick)
        return kick

    async def _read_targets(self, view: ApprovalView) -> ApprovalView:
        """Add what the session shows now, and evaluate the request again for an approver."""
        if not view.is_open:
            return view
        kick = view.kick
        try:
            session, candidates = await self.read_targets(kick)
        except GatewayError as error:
            return replace(view, error=error)
        if candidates is None:
            return view if view.is_requester else replace(view, verdict=refusal(SESSION_ENDED))
        seen = tuple(self._fingerprint(target, candidates) for target in kick.targets)
        view = replace(view, session=session, candidates=candidates, seen=seen)
        return view if view.is_requester else replace(view, verdict=await self._reevaluate(view))

    def _fingerprint(self, target: Target, candidates: Sequence[Candidate]) -> str:
        """Return a hash of what a user is shown of a target, marked if it is not in the session.

        A custom id may have several records: all of them are shown.
        """
        shown = [
            (display(one.person.name, NAME_LIMIT), one.person.preset, one.protected_by or None)
            for one in candidates
            if one.requested == target.key and one.person
        ]
        absent = target.name, target.preset, protected_by(self.policy.rules, target)
        facts = "".join(sorted(map(repr, shown or [absent])))
        fingerprint = sha256(facts.encode()).hexdigest()[:FINGERPRINT_LENGTH]
        return fingerprint if shown else fingerprint + ABSENT

    async def _reevaluate(self, view: ApprovalView) -> Verdict:
        """Return the approver's verdict, or a refusal if the requester may no longer ask."""
        kick = view.kick
        targets = current_targets(self.policy.rules, kick.targets, view.candidates)
        if not targets:
            return refusal("The policy protects everybody in it by now.")
        requester = await self.directory.membership(kick.requester)
        meeting = view.session.meeting if view.session else kick.meeting
        request = PolicyInput(requester, meeting, targets, kick.reason)
        verdict = await self.evaluate(request, before=kick.number)
        if verdict.kind is VerdictKind.REFUSED:
            return refusal(f"Whoever asked may not any more: {verdict.reason}")
        return view.verdict

    async def _decide(self, view: ApprovalView, transition: Awaitable[Kick]) -> Kick | ApprovalView:
        try:
            decided = await transition
        except VersionConflict as error:
            return replace(view, kick=error.current)
        except InvalidTransition:
            # The deadline passed during the evaluation.
            return replace(view, kick=await self._expire_if_due(view.kick))
        self.kick_service.notify(decided)
        if decided.state is State.READY:
            self.kick_service.start(decided)
        return decided


def _differs(before: Sequence[str], now: Sequence[str]) -> bool:
    """Tell whether a target differs from what the user saw. Ignore those who left."""
    return len(before) != len(now) or any(
        not new.endswith(ABSENT) and new != old.removesuffix(ABSENT)
        for old, new in zip(before, now, strict=True)
    )
