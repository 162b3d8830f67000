"""The form and the review: what a moderator can choose, and what a kick would do.

These use cases only read; the one thing they store is the draft of a review.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from bot.core.candidates import Candidate, without_duplicates
from bot.core.draft import Draft
from bot.core.kick import ChannelId, KickId, TeamId, UserId
from bot.core.policy import (
    Membership,
    PolicyInput,
    Role,
    Rules,
    Verdict,
    VerdictKind,
    grants,
    may_open,
    may_see,
    role_in,
)
from bot.core.ports import GatewayError
from bot.core.roster import Match, Meeting, MeetingId, Participant, Roster, Session
from bot.core.selection import Selection
from bot.core.service import Service
from bot.core.text import normalize_name

SESSIONS_SEARCHED = 5


@dataclass(frozen=True, slots=True)
class KickRequest:
    """The submitted form. It does not name a session: the live one is looked up."""

    user: UserId
    team: TeamId
    channel: ChannelId
    meeting: MeetingId
    selection: Selection
    reason: str = ""
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What a kick would do: the candidates, the verdict, and the draft to submit.

    `draft` is None if the request is refused.
    """

    meeting: Meeting
    session: Session | None
    candidates: tuple[Candidate, ...]
    verdict: Verdict
    reason: str
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The participants that a search found, and everyone in the session (None: it is not live)."""

    people: tuple[Participant, ...] = ()
    roster: Roster | None = None


@dataclass(frozen=True, slots=True)
class FormContext:
    """What the form opens with: the sessions in which the user has a role.

    `chosen` is the preselected session, if there is one. `match` are the people that the command's
    text may mean in that session, or in all of them if none is chosen; if not all could be
    searched, the whole text is in its `rest`. `error` says why the sessions could not be read.
    """

    verdict: Verdict
    sessions: tuple[Session, ...] = ()
    chosen: Session | None = None
    match: Match = field(default_factory=lambda: Match((), "", ""))
    error: GatewayError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewService(Service):
    """The use cases before a kick is submitted."""

    @property
    def rules(self) -> Rules:
        """The policy's rules, for the form."""
        return self.policy.rules

    def may_open_cached(self, user: UserId) -> Verdict | None:
        """Return whether a user may open the form, without a remote call; None if not known."""
        member = self.directory.cached_membership(user)
        if member is None or not member.is_fresh(self.clock.monotonic()):
            return None
        return may_open(self.policy, member, self.clock.monotonic())

    async def permissions(self, user: UserId) -> tuple[Verdict, Role | None]:
        """Return whether a user may open the form, and their strongest role.

        Raises DirectoryUnavailable.
        """
        member = await self.directory.membership(user)
        strongest = max((grant.role for grant in grants(self.policy, member)), default=None)
        return may_open(self.policy, member, self.clock.monotonic()), strongest

    async def form_context(
        self, user: UserId, team: TeamId, channel: ChannelId, text: str
    ) -> FormContext:
        """Return what the form opens with after a command with this text.

        Raises DirectoryUnavailable, StoreUnavailable.
        """
        member = await self.directory.membership(user)
        verdict = may_open(self.policy, member, self.clock.monotonic())
        if not verdict.is_allowed:
            return FormContext(verdict)
        try:
            sessions = self._permitted(member, await self.gateway.live_sessions())
        except GatewayError as error:
            return FormContext(verdict, match=_not_searched(text), error=error)
        chosen = await self._default_session(sessions, team, channel)
        try:
            chosen, match = await self._match(sessions, chosen, text)
        except GatewayError:
            match = _not_searched(text)
        return FormContext(verdict, sessions, chosen, match)

    def _permitted(self, member: Membership, sessions: Iterable[Session]) -> tuple[Session, ...]:
        return tuple(one for one in sessions if role_in(self.policy, member, one.meeting))

    async def _default_session(
        self, sessions: Sequence[Session], team: TeamId, channel: ChannelId
    ) -> Session | None:
        if len(sessions) == 1:
            return sessions[0]
        last = await self.store.last_meeting(team, channel)
        return next((session for session in sessions if session.meeting.id == last), None)

    async def _match(
        self, sessions: Sequence[Session], chosen: Session | None, text: str
    ) -> tuple[Session | None, Match]:
        searched = [chosen] if chosen else sessions[:SESSIONS_SEARCHED]
        words = text.split()
        if not words or not searched:
            return chosen, Match((), text.strip(), "")
        reads = (self.gateway.roster(one.id, words[0]) for one in searched)
        rosters = await asyncio.gather(*reads)
        matches = [
            (session, match)
            for session, roster in zip(searched, rosters, strict=True)
            if (match := roster.match(text)).people
        ]
        searched_all = chosen is not None or len(searched) == len(sessions)
        searched_all = searched_all and not any(roster.partial for roster in rosters)
        if len(matches) == 1 and searched_all:
            return matches[0]
        if matches:
            # The text matches in several meetings, or maybe in one that was not searched: the
            # user must choose.
            people = tuple(person for _, match in matches for person in match.people)
            return chosen, replace(matches[0][1], people=people)
        return chosen, Match((), text, "") if searched_all else _not_searched(text)

    async def search_meetings(
        self, user: UserId, query: str
    ) -> tuple[tuple[Session, ...], tuple[Meeting, ...]]:
        """Return the live sessions and the other meetings that match and that the user may use.

        Raises DirectoryUnavailable, GatewayError.
        """
        member = await self.directory.membership(user)
        if not may_open(self.policy, member, self.clock.monotonic()).is_allowed:
            return (), ()
        sessions, meetings = await asyncio.gather(
            self.gateway.live_sessions(), self.gateway.meetings(query)
        )
        live = {session.meeting.id for session in sessions}
        wanted = normalize_name(query)
        return (
            tuple(
                session
                for session in self._permitted(member, sessions)
                if wanted in normalize_name(session.meeting.title) or wanted == session.meeting.id
            ),
            tuple(
                meeting
                for meeting in meetings
                if meeting.id not in live and role_in(self.policy, member, meeting)
            ),
        )

    async def search_people(
        self, user: UserId, meeting: MeetingId, query: str, limit: int
    ) -> SearchResult:
        """Return participants live in a meeting; none if the user has no role there.

        Raises DirectoryUnavailable, GatewayError.
        """
        member = await self.directory.membership(user)
        if not may_open(self.policy, member, self.clock.monotonic()).is_allowed:
            return SearchResult()
        session = await self.gateway.active_session(meeting)
        if session is None or not role_in(self.policy, member, session.meeting):
            return SearchResult()
        roster = await self.gateway.roster(session.id, query)
        return SearchResult(tuple(roster.search(query, limit)), roster)

    async def review(self, request: KickRequest) -> Review:
        """Return what the request would do, from fresh reads, and store a draft if it is allowed.

        Raises DirectoryUnavailable, GatewayError, StoreUnavailable.
        """
        member = await self.directory.membership(request.user)
        session = await self.gateway.active_session(request.meeting, fresh=True)
        meeting = session.meeting if session else await self.gateway.meeting(request.meeting)
        verdict = may_see(self.policy, member, meeting, self.clock.monotonic())
        if not verdict.is_allowed:
            # Without a role in the meeting, the user must not see who is in it.
            return Review(meeting, session, (), verdict, request.reason)
        candidates = without_duplicates(
            await self.find_candidates(meeting.id, session, request.selection)
        )
        targets = tuple(candidate.target for candidate in candidates if candidate.target)
        verdict = await self.evaluate(PolicyInput(member, meeting, targets, request.reason))
        verdict = await self.require_approver(verdict, request.user, meeting)
        review = Review(meeting, session, candidates, verdict, request.reason)
        if verdict.kind is VerdictKind.REFUSED:
            return review
        draft = Draft(
            id=uuid4().hex,
            team_id=request.team,
            channel_id=request.channel,
            requester=request.user,
            meeting=meeting,
            session_id=session.id if session else None,
            targets=targets,
            reason=request.reason,
            created_at=self.clock.now(),
            repeats=request.repeats,
            needs_approval=verdict.kind is VerdictKind.NEEDS_APPROVAL,
        )
        await self.store.save_draft(draft)
        return replace(review, draft=draft)

    async def repeat_kick(
        self, kick: KickId, user: UserId, channel: ChannelId
    ) -> KickRequest | None:
        """Return a request for the people and the reason of a kick; None if there is no such kick.

        It includes those whom the policy protected: they are evaluated again. Raises
        StoreUnavailable.
        """
        old = await self.store.get_kick(kick)
        if old is None:
            return None
        return KickRequest(
            user=user,
            team=old.team_id,
            channel=channel,
            meeting=old.meeting.id,
            selection=Selection.of_targets(old.targets),
            reason=old.reason,
            repeats=old.number,
        )


def _not_searched(text: str) -> Match:
    return Match((), "", text)
