"""Verdicts that need more than the policy: counts from the store, and facts read now."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from bot.core.candidates import (
    Candidate,
    CandidateStatus,
    current_targets,
    identify,
    needs_record,
    unless_partial,
    with_namesakes,
)
from bot.core.event import Event, EventKind
from bot.core.kick import Kick, UserId
from bot.core.policy import (
    BULK_WINDOW,
    Policy,
    PolicyInput,
    Verdict,
    VerdictKind,
    eligible_approvers,
    evaluate,
    may_decide,
    refusal,
)
from bot.core.ports import (
    Clock,
    Directory,
    DirectoryUnavailable,
    GatewayError,
    MeetingGateway,
    Store,
)
from bot.core.recheck import Recheck, session_ended, unreadable
from bot.core.roster import Meeting, MeetingId, Roster, Session, SessionId
from bot.core.selection import Selection, similar_people, texts_to_search
from bot.core.target import Target

logger = logging.getLogger(__name__)

_NOT_FOUND = frozenset({CandidateStatus.NOWHERE, CandidateStatus.UNKNOWN})
NO_APPROVALS_CHANNEL = "But the policy names no channel in which to ask one: nobody was removed."
NO_APPROVER = "But there is nobody else now who could decide it: nobody was removed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Base of the services: the policy, the ports, and how a request is evaluated with both."""

    policy: Policy
    gateway: MeetingGateway
    directory: Directory
    store: Store
    clock: Clock

    def service_now(self) -> datetime:
        """Return the time of RealtimeKit's clock, as exactly as it is known: to show its dates."""
        now = self.clock.now()
        earliest, latest = self.gateway.service_time(now) or (now, now)
        return earliest + (latest - earliest) / 2

    async def evaluate(self, request: PolicyInput, *, before: int | None = None) -> Verdict:
        """Return the verdict on a request, with the requester's recent kicks counted.

        `before` is the number of the kick that is evaluated: only earlier kicks count. So of two
        concurrent kicks, only the later one counts both. Raises StoreUnavailable.
        """
        counts = await self.recent_targets(request.requester.user, before=before)
        return self.evaluate_with(counts, request)

    async def recent_targets(self, user: UserId, *, before: int | None = None) -> Sequence[int]:
        """Count the targets of a user's recent kicks, for the quota and for bulk kicks.

        Raises StoreUnavailable.
        """
        now = self.clock.now()
        since = now - self.policy.rules.quota.within, now - BULK_WINDOW
        return await self.store.recent_targets(user, *since, before=before)

    def evaluate_with(self, counts: Sequence[int], request: PolicyInput) -> Verdict:
        """Return the verdict on a request of a user with these counts of `recent_targets`."""
        if refused := refuse_without_id(request.targets):
            return refused
        recent, recent_bulk = counts
        request = replace(request, recent=recent, recent_bulk=recent_bulk)
        return evaluate(self.policy, request, self.clock.monotonic())

    async def require_approver(
        self, verdict: Verdict, requester: UserId, meeting: Meeting
    ) -> Verdict:
        """Return the verdict, or a refusal if it needs an approval that no user can give."""
        if verdict.kind is not VerdictKind.NEEDS_APPROVAL:
            return verdict
        if self.policy.approvals_channel is None:
            return refusal(f"{verdict.reason} {NO_APPROVALS_CHANNEL}")
        if not await self._has_approver(requester, meeting):
            return refusal(f"{verdict.reason} {NO_APPROVER}")
        return verdict

    async def _has_approver(self, requester: UserId, meeting: Meeting) -> bool:
        users, groups = eligible_approvers(self.policy, meeting, requester)
        try:
            for group in groups:
                users += tuple(await self.directory.members(group))
            for user in dict.fromkeys(users):
                member = await self.directory.membership(user)
                now = self.clock.monotonic()
                if may_decide(self.policy, member, requester, meeting, now).is_allowed:
                    return True
        except DirectoryUnavailable:
            # An unreadable membership does not prove that there is no approver.
            return True
        return False

    async def read_targets(self, kick: Kick) -> tuple[Session | None, tuple[Candidate, ...] | None]:
        """Return the live session of a kick's meeting, and the kick's targets as they are now.

        The second part is None if the session of the kick is over. Raises GatewayError.
        """
        meeting, selection = kick.meeting.id, Selection.of_targets(kick.targets)
        # They do not need each other: together they take half the time.
        session, roster = await asyncio.gather(
            self.gateway.active_session(meeting, fresh=True),
            self._find(kick.session_id, selection),
            return_exceptions=True,
        )
        if isinstance(session, BaseException):
            raise session
        if not kick.belongs_to(session.id if session else None):
            return session, None
        if isinstance(roster, BaseException):
            raise roster
        if session and kick.session_id is None:
            roster = await self._find(session.id, selection)
        return session, await self._identify(meeting, session, selection, roster)

    async def find_candidates(
        self, meeting: MeetingId, session: Session | None, selection: Selection
    ) -> tuple[Candidate, ...]:
        """Return the candidates of a selection, from fresh reads.

        The meeting's records are read only if the session leaves something open. Raises
        GatewayError if the session can't be read. If the records can't be read, a candidate stays
        unknown or unchecked, and the policy treats them more strictly.
        """
        roster = await self._find(session.id if session else None, selection)
        candidates = identify(self.policy.rules, roster, selection)
        if session and any(one.status in _NOT_FOUND for one in candidates):
            # Whether the service's search finds another spelling of an id is not documented.
            others = similar_people(await self.gateway.roster(session.id), selection)
            people = (*selection.people, *(one.key for one in others if one.key))
            roster = await self._find(session.id, replace(selection, people=people))
        return await self._identify(meeting, session, selection, roster)

    async def _find(self, session: SessionId | None, selection: Selection) -> Roster:
        if session is None:
            return Roster(())
        return await self.gateway.find(session, texts_to_search(selection), fresh=True)

    async def _identify(
        self, meeting: MeetingId, session: Session | None, selection: Selection, roster: Roster
    ) -> tuple[Candidate, ...]:
        rules = self.policy.rules
        candidates = identify(rules, roster, selection)
        if unclear := list(chain.from_iterable(map(_record_texts, candidates))):
            try:
                records = await self.gateway.records(meeting, unclear, fresh=True)
            except GatewayError as error:
                logger.warning("the records of a meeting can't be read: %s", error)
            else:
                candidates = identify(rules, roster, selection, records)
        known = self.gateway.cached_roster(session.id) if session else None
        return tuple(
            with_namesakes(unless_partial(rules, one, roster), known) for one in candidates
        )

    async def transition(
        self,
        kick: Kick,
        change: Callable[[datetime], Kick],
        kind: EventKind,
        note: str = "",
        actor: UserId | None = None,
    ) -> Kick:
        """Store a change of a kick with its event, and return the changed kick.

        Raises InvalidTransition, VersionConflict, StoreUnavailable.
        """
        now = self.clock.now()
        event = Event(now, kind, actor, note, kick.id)
        return await self.store.transition(kick, change(now), event)

    async def recheck(self, kick: Kick) -> Recheck:
        """Evaluate a ready kick again, right before its calls. Raises StoreUnavailable."""
        users = filter(None, (kick.requester, kick.approver))
        roles = [self.directory.membership(user, fresh=True) for user in users]
        try:
            (requester, *approvers), (session, candidates) = await asyncio.gather(
                asyncio.gather(*roles), self.read_targets(kick)
            )
        except DirectoryUnavailable as error:
            return Recheck(refusal(f"Your role could not be checked with Slack ({error})."))
        except GatewayError as error:
            return Recheck(unreadable(error))
        if candidates is None:
            return Recheck(session_ended(session))
        meeting = session.meeting if session else kick.meeting
        targets = current_targets(self.policy.rules, kick.targets, candidates)
        if not targets:
            rules = ", ".join(sorted({one.protected_by for one in candidates if one.protected_by}))
            return Recheck(refusal(f"The policy protects them by now ({rules})."))
        request = PolicyInput(requester, meeting, targets, kick.reason)
        verdict = await self.evaluate(request, before=kick.number)
        if verdict.kind is VerdictKind.NEEDS_APPROVAL and approvers:
            now = self.clock.monotonic()
            verdict = may_decide(self.policy, approvers[0], kick.requester, meeting, now)
        return Recheck(verdict, session, candidates)


def _record_texts(candidate: Candidate) -> Sequence[str]:
    """Return the texts by which the meeting's records may say more about a candidate."""
    if not needs_record(candidate):
        return ()
    person = candidate.person
    if person and person.key and candidate.exact:
        return (person.key,)
    found = (person.key,) if person and person.key else ()
    return *found, *texts_to_search(Selection(pasted=(candidate.requested,)))


def refuse_without_id(targets: Iterable[Target]) -> Verdict | None:
    """Return a refusal if a target has no id: RealtimeKit could not be told whom to remove."""
    names = [target.name for target in targets if target.key is None]
    if not names:
        return None
    listed = ", ".join(names)
    return refusal(f"RealtimeKit lists no id for {listed}, so they can't be removed by a kick.")
