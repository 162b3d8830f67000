"""Verdicts that need more than the policy: counts from the store, and facts read now."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from bot.core.candidates import (
    Candidate,
    CandidateStatus,
    Selection,
    current_targets,
    find_candidates,
)
from bot.core.kick import Kick
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
    RateLimited,
    Rejected,
    Store,
)
from bot.core.roster import ParticipantKey, Peer, Session

NO_APPROVALS_CHANNEL = "But the policy names no channel in which to ask one: nobody was removed."
NO_APPROVER = "But there is nobody else now who could decide it: nobody was removed."


@dataclass(frozen=True, slots=True)
class Recheck:
    """The verdict about a ready kick right before its calls, and the facts it is based on."""

    verdict: Verdict
    session: Session | None = None
    candidates: tuple[Candidate, ...] = ()

    @property
    def protected(self) -> dict[ParticipantKey, str]:
        """What protects a target by now, for each protected one."""
        return {
            ParticipantKey(candidate.requested): candidate.protected_by
            for candidate in self.candidates
            if candidate.status is CandidateStatus.PROTECTED
        }

    @property
    def open_peers(self) -> dict[ParticipantKey | None, tuple[Peer, ...]]:
        """The open connections of each target that is not protected.

        There may be several candidates for one target: a custom id can have several records.
        """
        peers: dict[ParticipantKey | None, tuple[Peer, ...]] = {}
        for candidate in self.candidates:
            if candidate.person and candidate.status is not CandidateStatus.PROTECTED:
                key = ParticipantKey(candidate.requested)
                peers[key] = peers.get(key, ()) + candidate.person.open_peers
        return peers


async def evaluate_with_counts(
    policy: Policy, store: Store, request: PolicyInput, now: datetime, *, before: int | None = None
) -> Verdict:
    """Return the verdict on a request, with the requester's recent kicks counted.

    `before` is the number of the kick that is evaluated: only earlier kicks count. So of two
    concurrent kicks, only the later one counts both. Raises StoreUnavailable.
    """
    since = now - policy.rules.quota.within, now - BULK_WINDOW
    user = request.requester.user
    recent, recent_bulk = await store.recent_targets(user, *since, before=before)
    return evaluate(policy, replace(request, recent=recent, recent_bulk=recent_bulk), now)


async def require_approver(
    policy: Policy, directory: Directory, verdict: Verdict, request: PolicyInput, now: datetime
) -> Verdict:
    """Return the verdict of a request that needs an approval; a refusal if no user can."""
    if policy.approvals_channel is None:
        return refusal(f"{verdict.reason} {NO_APPROVALS_CHANNEL}")
    requester, meeting = request.requester.user, request.meeting
    users, groups = eligible_approvers(policy, meeting, requester)
    try:
        for group in groups:
            users += tuple(await directory.members(group))
        for user in dict.fromkeys(users):
            member = await directory.membership(user)
            if may_decide(policy, member, requester, meeting, now).is_allowed:
                return verdict
    except DirectoryUnavailable:
        # An unreadable membership does not prove that there is no approver.
        return verdict
    return refusal(f"{verdict.reason} {NO_APPROVER}")


async def recheck(
    kick: Kick,
    *,
    policy: Policy,
    gateway: MeetingGateway,
    directory: Directory,
    store: Store,
    clock: Clock,
) -> Recheck:
    """Evaluate a ready kick again, right before its calls. Raises StoreUnavailable."""
    try:
        requester = await directory.membership(kick.requester, fresh=True)
        approver = await directory.membership(kick.approver) if kick.approver else None
        session = await gateway.active_session(kick.meeting.id, fresh=True)
        if not kick.belongs_to(session.id if session else None):
            return Recheck(_session_ended(session))
        selection = Selection.of_targets(kick.targets)
        candidates = await find_candidates(
            gateway, policy.rules, kick.meeting.id, session, selection
        )
    except DirectoryUnavailable as error:
        return Recheck(refusal(f"Your role could not be checked with Slack ({error})."))
    except GatewayError as error:
        return Recheck(_unreadable(error))
    meeting = session.meeting if session else kick.meeting
    targets = current_targets(policy.rules, kick.targets, candidates)
    if not targets:
        rules = ", ".join(sorted({one.protected_by for one in candidates if one.protected_by}))
        return Recheck(refusal(f"The policy protects them by now ({rules})."))
    request, now = PolicyInput(requester, meeting, targets, kick.reason), clock.now()
    verdict = await evaluate_with_counts(policy, store, request, now, before=kick.number)
    if verdict.kind is VerdictKind.NEEDS_APPROVAL and approver:
        verdict = may_decide(policy, approver, kick.requester, meeting, now)
    return Recheck(verdict, session, candidates)


def _session_ended(session: Session | None) -> Verdict:
    if session is None:
        return refusal("That session is over: nobody is in the meeting any more.")
    return refusal("That session is over, another one has begun: look again who is in it.")


def _unreadable(error: GatewayError) -> Verdict:
    if isinstance(error, Rejected):
        return refusal(f"RealtimeKit refuses the bot: {error}. Please tell its operator.")
    if isinstance(error, RateLimited):
        seconds = f" {ceil(error.retry_after)} s" if error.retry_after else ""
        return refusal(f"RealtimeKit asks the bot to wait{seconds}. Then try again.")
    return refusal(f"RealtimeKit could not be read right before the kick: {error}.")
