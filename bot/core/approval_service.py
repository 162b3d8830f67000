"""A second person: what they are shown, and what their yes, their no, or a change of mind does.

Everything is judged at the moment of the click, from facts read then.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bot.core.identify import Candidate, Selection, make_target
from bot.core.kick import Event, EventKind, InvalidTransition, Kick, KickId, State, Target, UserId
from bot.core.kick_service import KickService
from bot.core.policy import (
    AccountStatus,
    Membership,
    Policy,
    PolicyInput,
    Verdict,
    VerdictKind,
    evaluate,
    may_decide,
    may_open,
    protected_by,
)
from bot.core.ports import (
    Clock,
    Directory,
    GatewayError,
    MeetingGateway,
    Store,
    StoreUnavailable,
    VersionConflict,
)
from bot.core.review_service import find_candidates, with_recent_counts
from bot.core.roster import Meeting, Session

logger = logging.getLogger(__name__)

UNKNOWN_REQUEST = "That request is not in this bot's record. Nothing was changed."
SESSION_ENDED = (
    "That session is over. Nobody can be removed from it; you can still deny the request."
)
OWN_REQUEST = "You asked for this kick: you can take it back, and somebody else decides it."


class Participation(StrEnum):
    """What somebody is to a request."""

    APPROVER = "approver"
    REQUESTER = "requester"


ABSENT = "?"
SEEN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """How a request stands in front of one person.

    `lines` are its targets as they are now; `verdict` says whether this person may approve it
    now, and why not. `seen` stands for what this person is shown of each target (name, preset,
    what protects it) and comes back with their approval; `changed`: it is not what they saw
    before. `trouble` says why the session could not be read.
    """

    kick: Kick
    participation: Participation
    verdict: Verdict
    session: Session | None = None
    candidates: tuple[Candidate, ...] = ()
    seen: tuple[str, ...] = ()
    changed: bool = False
    error: GatewayError | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether it still waits for somebody's decision."""
        return self.kick.state is State.WAITING


class ApprovalService:
    """The use cases of a waiting kick. All may raise DirectoryUnavailable and StoreUnavailable.

    A Verdict that comes back is a refusal, and is on record; a ApprovalView says how it stands, and
    that nothing was changed.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        gateway: MeetingGateway,
        directory: Directory,
        store: Store,
        kick_service: KickService,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._gateway = gateway
        self._directory = directory
        self._store = store
        self._kick_service = kick_service
        self._clock = clock

    async def open_request(self, kick_id: KickId, user: UserId) -> ApprovalView | Verdict:
        """Show a request to somebody who may decide it, or who asked for it."""
        found = await self._load(kick_id, user)
        return found if isinstance(found, Verdict) else await self._view(*found)

    async def approve(
        self, kick_id: KickId, user: UserId, seen: Sequence[str]
    ) -> Kick | ApprovalView | Verdict:
        """Let a request be carried out; `seen` is what this approver was shown of its targets.

        A ApprovalView, where it is not theirs to approve any more, or not what they saw.
        """
        found = await self._load(kick_id, user)
        if isinstance(found, Verdict):
            return found
        view = await self._view(*found)
        if not view.is_open:
            return view
        if view.participation is Participation.REQUESTER:
            return await self._refuse(user, view.verdict.reason, view.kick)
        if not view.verdict.is_allowed or view.error:
            return view
        if _differs(seen, view.seen):
            return replace(view, changed=True)
        return await self._decide(view, user, EventKind.APPROVED)

    async def deny(self, kick_id: KickId, user: UserId, note: str) -> Kick | ApprovalView | Verdict:
        """End a request by a no; a ApprovalView, where it was decided before."""
        found = await self._load(kick_id, user)
        if isinstance(found, Verdict):
            return found
        kick, who = found
        view = ApprovalView(kick, self._participation(kick, who), self._may_decide(kick, who))
        if view.is_open and not view.verdict.is_allowed:
            return await self._refuse(user, view.verdict.reason, kick)
        return await self._decide(view, user, EventKind.DENIED, note) if view.is_open else view

    async def cancel(self, kick_id: KickId, user: UserId) -> Kick | ApprovalView | Verdict:
        """Cancel a request. Only its requester may.

        Returns an ApprovalView if it was decided before.
        """
        found = await self._load(kick_id, user)
        if isinstance(found, Verdict):
            return found
        kick, who = found
        view = ApprovalView(kick, self._participation(kick, who), self._may_decide(kick, who))
        if view.participation is not Participation.REQUESTER:
            return await self._refuse(user, "Only whoever asked can take a request back.", kick)
        return await self._decide(view, user, EventKind.CANCELLED) if view.is_open else view

    async def refresh(self, kick: Kick) -> Kick:
        """Read how a kick stands by now, for whoever has just seen it."""
        return await self._store.get_kick(kick.id) or kick

    async def _load(self, kick_id: KickId, user: UserId) -> tuple[Kick, Membership] | Verdict:
        """Find the request, for one who may see it; one whose time is over ends right here."""
        who = await self._directory.membership(user)
        kick = await self._store.get_kick(kick_id)
        if kick is None:
            return await self._refuse(user, UNKNOWN_REQUEST, None, kick_id)
        if self._participation(kick, who) is Participation.REQUESTER:
            opening = may_open(self._policy, who, self._clock.now())
            if who.account_status is not AccountStatus.MEMBER:
                return await self._refuse(user, opening.reason, kick)
        elif not (verdict := self._may_decide(kick, who)).is_allowed:
            return await self._refuse(user, verdict.reason, kick)
        return await self._expire_if_due(kick), who

    async def _expire_if_due(self, kick: Kick) -> Kick:
        if kick.state is State.WAITING and kick.due_at and self._clock.now() >= kick.due_at:
            try:
                kick = await self._kick_service.expire(kick)
            except VersionConflict as error:
                return error.current
            self._kick_service.notify(kick)
        return kick

    def _participation(self, kick: Kick, who: Membership) -> Participation:
        return Participation.REQUESTER if who.user == kick.requester else Participation.APPROVER

    def _may_decide(self, kick: Kick, who: Membership) -> Verdict:
        if who.user == kick.requester:
            return _refusal(OWN_REQUEST)
        now = self._clock.now()
        return may_decide(self._policy, who, kick.requester, kick.meeting, now)

    async def _view(self, kick: Kick, who: Membership) -> ApprovalView:
        view = ApprovalView(kick, self._participation(kick, who), self._may_decide(kick, who))
        if not view.is_open:
            return view
        is_theirs = view.participation is Participation.REQUESTER
        try:
            session = await self._gateway.active_session(kick.meeting.id, fresh=True)
            if kick.session_id and (session is None or session.id != kick.session_id):
                return view if is_theirs else replace(view, verdict=_refusal(SESSION_ENDED))
            selection = Selection(tuple(target.key for target in kick.targets if target.key))
            candidates = await find_candidates(
                self._gateway, self._policy.rules, kick.meeting.id, session, selection
            )
        except GatewayError as error:
            return replace(view, error=error)
        seen = tuple(self._fingerprint(target, candidates) for target in kick.targets)
        view = replace(view, session=session, candidates=candidates, seen=seen)
        return view if is_theirs else replace(view, verdict=await self._reevaluate(view))

    def _current_target(
        self, target: Target, candidates: Sequence[Candidate]
    ) -> tuple[Target, bool]:
        """Take a target as it is now, and whether it was found at all."""
        for candidate in candidates:
            if candidate.requested == target.key and candidate.person:
                return make_target(self._policy.rules, candidate.person, live=True), True
        return target, False

    def _fingerprint(self, target: Target, candidates: Sequence[Candidate]) -> str:
        now, is_found = self._current_target(target, candidates)
        by = protected_by(self._policy.rules, now)
        shown = sha256(repr((now.name, now.preset, by)).encode()).hexdigest()[:SEEN_LENGTH]
        return shown if is_found else shown + ABSENT

    async def _reevaluate(self, view: ApprovalView) -> Verdict:
        """Judge the request itself once more: its requester may have lost their role since."""
        kick, meeting = view.kick, self._meeting(view)
        targets = (self._current_target(target, view.candidates)[0] for target in kick.targets)
        remaining = tuple(one for one in targets if not protected_by(self._policy.rules, one))
        if not remaining:
            return _refusal("The policy protects everybody in it by now.")
        who = await self._directory.membership(kick.requester)
        request = PolicyInput(who, meeting, remaining, kick.reason)
        now = self._clock.now()
        request = await with_recent_counts(
            self._store, self._policy, now, request, before=kick.number
        )
        verdict = evaluate(self._policy, request, now)
        if verdict.kind is VerdictKind.REFUSED:
            return _refusal(f"Whoever asked may not any more: {verdict.reason}")
        return view.verdict

    def _meeting(self, view: ApprovalView) -> Meeting:
        return view.session.meeting if view.session else view.kick.meeting

    async def _decide(
        self, view: ApprovalView, user: UserId, kind: EventKind, note: str = ""
    ) -> Kick | ApprovalView:
        kick, now = view.kick, self._clock.now()
        note = note or (view.verdict.reason if kind is EventKind.APPROVED else "")
        try:
            after = _after(kick, kind, user, note, now)
            event = Event(now, kind, user, note, kick.id)
            decided = await self._store.transition(kick, after, event)
        except VersionConflict as error:
            return replace(view, kick=error.current)
        except InvalidTransition:
            # The deadline came while everything was judged.
            return replace(view, kick=await self._expire_if_due(kick))
        self._kick_service.notify(decided)
        if decided.state is State.READY:
            self._kick_service.start(decided)
        return decided

    async def _refuse(
        self, user: UserId, why: str, kick: Kick | None, kick_id: KickId | None = None
    ) -> Verdict:
        """Refuse somebody, and put it on record; they hear of it even where that fails."""
        named = kick.id if kick else kick_id
        try:
            return await self._kick_service.record_refusal(user, why, named)
        except StoreUnavailable as error:
            logger.error("a refusal of %s is not on record: %s", user, error)  # noqa: TRY400 - no traceback needed
            return _refusal(why)


def _refusal(reason: str) -> Verdict:
    return Verdict(VerdictKind.REFUSED, reason)


def _after(kick: Kick, kind: EventKind, user: UserId, note: str, now: datetime) -> Kick:
    if kind is EventKind.APPROVED:
        return kick.approve(user, now)
    return kick.deny(user, note, now) if kind is EventKind.DENIED else kick.cancel(now)


def _differs(before: Sequence[str], now: Sequence[str]) -> bool:
    """Tell whether somebody is not what they were seen as; whoever is not there is no reason."""
    return len(before) != len(now) or any(
        not new.endswith(ABSENT) and new != old.removesuffix(ABSENT)
        for old, new in zip(before, now, strict=True)
    )
