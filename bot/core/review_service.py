"""From what somebody asks for to what would happen: reads only, decides nothing for good."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from bot.core.identify import Candidate, CandidateStatus, Selection, identify, without_duplicates
from bot.core.kick import ChannelId, Draft, KickId, Target, TeamId, UserId
from bot.core.policy import (
    BULK_WINDOW,
    Membership,
    Policy,
    PolicyInput,
    Role,
    Rules,
    Verdict,
    VerdictKind,
    eligible_approvers,
    evaluate,
    grants,
    may_decide,
    may_open,
    may_see,
    role_in,
)
from bot.core.ports import (
    Clock,
    Directory,
    DirectoryUnavailable,
    GatewayError,
    MeetingGateway,
    Store,
)
from bot.core.roster import (
    Match,
    Meeting,
    MeetingId,
    Participant,
    Roster,
    Session,
)

SESSIONS_SEARCHED = 5
NO_APPROVALS_CHANNEL = "But the policy names no channel in which to ask one: nobody was removed."
NO_APPROVER = "But there is nobody else now who could decide it: nobody was removed."


@dataclass(frozen=True, slots=True)
class KickRequest:
    """What the form says; the session is not asked for, it is looked up."""

    user: UserId
    team: TeamId
    channel: ChannelId
    meeting: MeetingId
    selection: Selection
    reason: str = ""
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What would happen: every person asked for, the verdict, and the draft that was kept.

    Nobody may be removed by it unless there is a draft.
    """

    meeting: Meeting
    session: Session | None
    candidates: tuple[Candidate, ...]
    verdict: Verdict
    reason: str
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The people that a search found, and the roster it looked in (None: no live session)."""

    people: tuple[Participant, ...] = ()
    roster: Roster | None = None


@dataclass(frozen=True, slots=True)
class FormContext:
    """What the form opens with: the sessions this user may act in, one of them chosen or none.

    `match` is whom the command's text may mean in that session, or in several of them if none is
    chosen; all of it is `rest` where it could not be looked for everywhere. `trouble` says why
    the list of sessions could not be read.
    """

    verdict: Verdict
    sessions: tuple[Session, ...] = ()
    chosen: Session | None = None
    match: Match = field(default_factory=lambda: Match((), "", ""))
    error: GatewayError | None = None


class ReviewService:
    """Where a moderator looks before acting."""

    def __init__(
        self,
        *,
        policy: Policy,
        gateway: MeetingGateway,
        directory: Directory,
        store: Store,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._gateway = gateway
        self._directory = directory
        self._store = store
        self._clock = clock

    @property
    def rules(self) -> Rules:
        """The policy's rules, which the form asks by."""
        return self._policy.rules

    def may_open_cached(self, user: UserId) -> Verdict | None:
        """Judge from what is known without asking anybody; None: not known yet."""
        who = self._directory.cached_membership(user)
        if who is None or not who.is_fresh(self._clock.now()):
            return None
        return may_open(self._policy, who, self._clock.now())

    async def permissions(self, user: UserId) -> tuple[Verdict, Role | None]:
        """Return whether a user may open the form, and their strongest role.

        Raises DirectoryUnavailable.
        """
        who = await self._directory.membership(user)
        strongest = max((grant.role for grant in grants(self._policy, who)), default=None)
        return may_open(self._policy, who, self._clock.now()), strongest

    async def form_context(
        self, user: UserId, team: TeamId, channel: ChannelId, text: str
    ) -> FormContext:
        """Find what the form opens with; raises DirectoryUnavailable."""
        who = await self._directory.membership(user)
        verdict = may_open(self._policy, who, self._clock.now())
        if not verdict.is_allowed:
            return FormContext(verdict)
        try:
            sessions = self._permitted(who, await self._gateway.live_sessions())
        except GatewayError as error:
            return FormContext(verdict, match=_not_looked_for(text), error=error)
        chosen = await self._default_session(sessions, team, channel)
        try:
            chosen, match = await self._match(sessions, chosen, text)
        except GatewayError:
            match = _not_looked_for(text)
        return FormContext(verdict, sessions, chosen, match)

    def _permitted(self, who: Membership, sessions: Iterable[Session]) -> tuple[Session, ...]:
        return tuple(one for one in sessions if role_in(self._policy, who, one.meeting))

    async def _default_session(
        self, sessions: Sequence[Session], team: TeamId, channel: ChannelId
    ) -> Session | None:
        if len(sessions) == 1:
            return sessions[0]
        last = await self._store.last_meeting(team, channel)
        return next((one for one in sessions if one.meeting.id == last), None)

    async def _match(
        self, sessions: Sequence[Session], chosen: Session | None, text: str
    ) -> tuple[Session | None, Match]:
        searched = [chosen] if chosen else sessions[:SESSIONS_SEARCHED]
        if not text or not searched:
            return chosen, Match((), text, "")
        rosters = await asyncio.gather(*(self._gateway.roster(one.id) for one in searched))
        matches = [
            (session, match)
            for session, roster in zip(searched, rosters, strict=True)
            if (match := roster.match(text)).people
        ]
        everywhere = chosen is not None or len(searched) == len(sessions)
        if len(matches) == 1 and everywhere:
            return matches[0]
        if matches:
            # Found in several meetings: which of them is meant is for a person to say.
            who = tuple(one for _, match in matches for one in match.people)
            return chosen, replace(matches[0][1], people=who)
        return chosen, Match((), text, "") if everywhere else _not_looked_for(text)

    async def search_meetings(
        self, user: UserId, query: str
    ) -> tuple[tuple[Session, ...], tuple[Meeting, ...]]:
        """List live sessions, and meetings not seen live, that match and that the user may use.

        Raises DirectoryUnavailable, GatewayError.
        """
        who = await self._directory.membership(user)
        if not may_open(self._policy, who, self._clock.now()).is_allowed:
            return (), ()
        sessions, meetings = await asyncio.gather(
            self._gateway.live_sessions(), self._gateway.meetings(query)
        )
        live = {one.meeting.id for one in sessions}
        wanted = query.strip().casefold()
        return (
            tuple(
                one
                for one in self._permitted(who, sessions)
                if wanted in one.meeting.title.casefold() or wanted == one.meeting.id
            ),
            tuple(
                one for one in meetings if one.id not in live and role_in(self._policy, who, one)
            ),
        )

    async def search_people(
        self, user: UserId, meeting: MeetingId, query: str, limit: int
    ) -> SearchResult:
        """Find people live in a meeting; nobody, for one who has no role there.

        Raises DirectoryUnavailable, GatewayError.
        """
        who = await self._directory.membership(user)
        if not may_open(self._policy, who, self._clock.now()).is_allowed:
            return SearchResult()
        session = await self._gateway.active_session(meeting)
        if session is None or not role_in(self._policy, who, session.meeting):
            return SearchResult()
        roster = await self._gateway.roster(session.id)
        return SearchResult(tuple(roster.search(query, limit)), roster)

    async def review(self, request: KickRequest) -> Review:
        """Draw up what would happen, from fresh reads; keep it as a draft if it may happen.

        Raises DirectoryUnavailable, GatewayError, StoreUnavailable.
        """
        who = await self._directory.membership(request.user)
        session = await self._gateway.active_session(request.meeting, fresh=True)
        meeting = session.meeting if session else await self._gateway.meeting(request.meeting)
        policy_input = PolicyInput(who, meeting, (), request.reason)
        now = self._clock.now()
        if not may_see(self._policy, who, meeting, now).is_allowed:
            # Whoever has no role there hears so, and nothing of who is in it.
            verdict = evaluate(self._policy, policy_input, now)
            return Review(meeting, session, (), verdict, request.reason)
        found = await find_candidates(
            self._gateway, self.rules, meeting.id, session, request.selection
        )
        candidates = without_duplicates(found)
        policy_input = replace(
            policy_input,
            targets=tuple(candidate.target for candidate in candidates if candidate.target),
        )
        policy_input = await with_recent_counts(
            self._store, self._policy, self._clock.now(), policy_input
        )
        verdict = evaluate(self._policy, policy_input, self._clock.now())
        if verdict.kind is VerdictKind.NEEDS_APPROVAL:
            verdict = await self._require_approver(verdict, request.user, meeting)
        review = Review(meeting, session, candidates, verdict, request.reason)
        if verdict.kind is VerdictKind.REFUSED:
            return review
        return await self._save_draft(review, request, policy_input.targets)

    async def _require_approver(self, verdict: Verdict, user: UserId, meeting: Meeting) -> Verdict:
        """Let a verdict stand that sends somebody to ask, if there is anybody to be asked."""
        if self._policy.approvals_channel is None:
            return Verdict(VerdictKind.REFUSED, f"{verdict.reason} {NO_APPROVALS_CHANNEL}")
        if not await self._has_approver(user, meeting):
            return Verdict(VerdictKind.REFUSED, f"{verdict.reason} {NO_APPROVER}")
        return verdict

    async def _has_approver(self, user: UserId, meeting: Meeting) -> bool:
        users, groups = eligible_approvers(self._policy, meeting, besides=user)
        try:
            for group in groups:
                users += tuple(await self._directory.members(group))
            for one in dict.fromkeys(users):
                who = await self._directory.membership(one)
                if may_decide(self._policy, who, user, meeting, self._clock.now()).is_allowed:
                    return True
        except DirectoryUnavailable:
            # That they can't be read does not say that there is nobody.
            return True
        return False

    async def _save_draft(
        self, review: Review, request: KickRequest, targets: tuple[Target, ...]
    ) -> Review:
        draft = Draft(
            id=uuid4().hex,
            team_id=request.team,
            channel_id=request.channel,
            requester=request.user,
            meeting=review.meeting,
            session_id=review.session.id if review.session else None,
            targets=targets,
            reason=request.reason,
            created_at=self._clock.now(),
            repeats=request.repeats,
            needs_approval=review.verdict.kind is VerdictKind.NEEDS_APPROVAL,
        )
        await self._store.save_draft(draft)
        return replace(review, draft=draft)

    async def repeat_kick(
        self, kick: KickId, user: UserId, channel: ChannelId
    ) -> KickRequest | None:
        """Make the choice that repeats a kick: the same people and reason; None if there is none.

        Those whom the kick could not touch by the policy are chosen again, and judged again.
        """
        old = await self._store.get_kick(kick)
        if old is None:
            return None
        return KickRequest(
            user=user,
            team=old.team_id,
            channel=channel,
            meeting=old.meeting.id,
            selection=Selection(tuple(target.key for target in old.targets if target.key)),
            reason=old.reason,
            repeats=old.number,
        )


def _not_looked_for(text: str) -> Match:
    return Match((), "", text)


async def find_candidates(
    gateway: MeetingGateway,
    rules: Rules,
    meeting: MeetingId,
    session: Session | None,
    selection: Selection,
) -> tuple[Candidate, ...]:
    """Read the session afresh, and the meeting's records if that leaves something open.

    Raises GatewayError. That the records can't be read raises nothing: who is unidentified or
    unchecked stays so, and the policy wants more of whoever asks for them.
    """
    roster = await gateway.roster(session.id, fresh=True) if session else Roster(())
    candidates = identify(rules, roster, selection)
    if all(
        candidate.target is None or candidate.target.protection_checked for candidate in candidates
    ) and all(candidate.status is not CandidateStatus.UNKNOWN for candidate in candidates):
        return candidates
    try:
        records = await gateway.records(meeting, fresh=True)
    except GatewayError:
        return candidates
    return identify(rules, roster, selection, records)


async def with_recent_counts(
    store: Store,
    policy: Policy,
    now: datetime,
    policy_input: PolicyInput,
    *,
    before: int | None = None,
) -> PolicyInput:
    """Add to a request how many people its requester's kicks were aimed at of late.

    `before` is the number of the kick that is judged: of two at once, only the second counts both.
    """
    user = policy_input.requester.user
    moments = now - policy.rules.quota.within, now - BULK_WINDOW
    recent, recent_bulk = await store.recent_targets(user, *moments, before=before)
    return replace(policy_input, recent=recent, recent_bulk=recent_bulk)
