"""From what somebody asks for to what would happen: reads only, decides nothing for good."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from bot.core.identify import Asked, Line, Mark, each_once, identify
from bot.core.kick import ChannelId, Draft, KickId, Target, TeamId, UserId
from bot.core.policy import (
    BULK_WITHIN,
    Answer,
    Membership,
    Policy,
    Request,
    Role,
    Rules,
    Verdict,
    deciders,
    grants,
    judge,
    may_decide,
    may_open,
    may_see,
    role_in,
)
from bot.core.ports import Clock, People, Rooms, RoomsError, Store, Unreadable
from bot.core.roster import (
    Match,
    Meeting,
    MeetingId,
    Participant,
    Roster,
    Session,
)

SESSIONS_SEARCHED = 5
NOWHERE_TO_ASK = "But the policy names no channel in which to ask one: nobody was removed."
NOBODY_TO_ASK = "But there is nobody else now who could decide it: nobody was removed."


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form says; the session is not asked for, it is looked up."""

    user: UserId
    team: TeamId
    channel: ChannelId
    meeting: MeetingId
    asked: Asked
    reason: str = ""
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What would happen: every person asked for, the verdict, and the draft that was kept.

    Nobody may be removed by it unless there is a draft.
    """

    meeting: Meeting
    session: Session | None
    lines: tuple[Line, ...]
    verdict: Verdict
    reason: str
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The people that a search found, and the roster it looked in (None: no live session)."""

    people: tuple[Participant, ...] = ()
    roster: Roster | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What the form opens with: the sessions this user may act in, one of them chosen or none.

    `match` is whom the command's text may mean in that session, or in several of them if none is
    chosen; all of it is `rest` where it could not be looked for everywhere. `trouble` says why
    the list of sessions could not be read.
    """

    verdict: Verdict
    sessions: tuple[Session, ...] = ()
    chosen: Session | None = None
    match: Match = field(default_factory=lambda: Match((), "", ""))
    trouble: RoomsError | None = None


class Desk:
    """Where a moderator looks before acting."""

    def __init__(
        self, *, policy: Policy, rooms: Rooms, people: People, store: Store, clock: Clock
    ) -> None:
        self._policy = policy
        self._rooms = rooms
        self._people = people
        self._store = store
        self._clock = clock

    @property
    def rules(self) -> Rules:
        """The policy's rules, which the form asks by."""
        return self._policy.rules

    def may_open_now(self, user: UserId) -> Verdict | None:
        """Judge from what is known without asking anybody; None: not known yet."""
        who = self._people.known(user)
        if who is None or not who.is_fresh(self._clock.now()):
            return None
        return may_open(self._policy, who, self._clock.now())

    async def standing(self, user: UserId) -> tuple[Verdict, Role | None]:
        """Say whether a user may open the form, and their strongest role; raises Unreadable."""
        who = await self._people.membership(user)
        strongest = max((grant.role for grant in grants(self._policy, who)), default=None)
        return may_open(self._policy, who, self._clock.now()), strongest

    async def open(self, user: UserId, team: TeamId, channel: ChannelId, text: str) -> Opening:
        """Find what the form opens with; raises Unreadable."""
        who = await self._people.membership(user)
        verdict = may_open(self._policy, who, self._clock.now())
        if not verdict.is_allowed:
            return Opening(verdict)
        try:
            sessions = self._covered(who, await self._rooms.live_sessions())
        except RoomsError as error:
            return Opening(verdict, match=_not_looked_for(text), trouble=error)
        chosen = await self._usual(sessions, team, channel)
        try:
            chosen, match = await self._match(sessions, chosen, text)
        except RoomsError:
            match = _not_looked_for(text)
        return Opening(verdict, sessions, chosen, match)

    def _covered(self, who: Membership, sessions: Iterable[Session]) -> tuple[Session, ...]:
        return tuple(one for one in sessions if role_in(self._policy, who, one.meeting))

    async def _usual(
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
        rosters = await asyncio.gather(*(self._rooms.roster(one.id) for one in searched))
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

    async def meetings(
        self, user: UserId, query: str
    ) -> tuple[tuple[Session, ...], tuple[Meeting, ...]]:
        """List live sessions, and meetings not seen live, that match and that the user may use.

        Raises Unreadable, RoomsError.
        """
        who = await self._people.membership(user)
        if not may_open(self._policy, who, self._clock.now()).is_allowed:
            return (), ()
        sessions, meetings = await asyncio.gather(
            self._rooms.live_sessions(), self._rooms.meetings(query)
        )
        live = {one.meeting.id for one in sessions}
        wanted = query.strip().casefold()
        return (
            tuple(
                one
                for one in self._covered(who, sessions)
                if wanted in one.meeting.title.casefold() or wanted == one.meeting.id
            ),
            tuple(
                one for one in meetings if one.id not in live and role_in(self._policy, who, one)
            ),
        )

    async def people(self, user: UserId, meeting: MeetingId, query: str, limit: int) -> Found:
        """Find people live in a meeting; nobody, for one who has no role there.

        Raises Unreadable, RoomsError.
        """
        who = await self._people.membership(user)
        if not may_open(self._policy, who, self._clock.now()).is_allowed:
            return Found()
        session = await self._rooms.active_session(meeting)
        if session is None or not role_in(self._policy, who, session.meeting):
            return Found()
        roster = await self._rooms.roster(session.id)
        return Found(tuple(roster.search(query, limit)), roster)

    async def review(self, choice: Choice) -> Review:
        """Draw up what would happen, from fresh reads; keep it as a draft if it may happen.

        Raises Unreadable, RoomsError, StoreDown.
        """
        who = await self._people.membership(choice.user)
        session = await self._rooms.active_session(choice.meeting, fresh=True)
        meeting = session.meeting if session else await self._rooms.meeting(choice.meeting)
        request = Request(who, meeting, (), choice.reason)
        now = self._clock.now()
        if not may_see(self._policy, who, meeting, now).is_allowed:
            # Whoever has no role there hears so, and nothing of who is in it.
            verdict = judge(self._policy, request, now)
            return Review(meeting, session, (), verdict, choice.reason)
        found = await look(self._rooms, self.rules, meeting.id, session, choice.asked)
        lines = each_once(found)
        request = replace(request, targets=tuple(line.target for line in lines if line.target))
        request = await facts(self._store, self._policy, self._clock.now(), request)
        verdict = judge(self._policy, request, self._clock.now())
        if verdict.answer is Answer.NEEDS_APPROVAL:
            verdict = await self._askable(verdict, choice.user, meeting)
        review = Review(meeting, session, lines, verdict, choice.reason)
        if verdict.answer is Answer.REFUSED:
            return review
        return await self._kept(review, choice, request.targets)

    async def _askable(self, verdict: Verdict, user: UserId, meeting: Meeting) -> Verdict:
        """Let a verdict stand that sends somebody to ask, if there is anybody to be asked."""
        if self._policy.approvals_channel is None:
            return Verdict(Answer.REFUSED, f"{verdict.reason} {NOWHERE_TO_ASK}")
        if not await self._somebody_decides(user, meeting):
            return Verdict(Answer.REFUSED, f"{verdict.reason} {NOBODY_TO_ASK}")
        return verdict

    async def _somebody_decides(self, user: UserId, meeting: Meeting) -> bool:
        users, groups = deciders(self._policy, meeting, besides=user)
        try:
            for group in groups:
                users += tuple(await self._people.members(group))
            for one in dict.fromkeys(users):
                who = await self._people.membership(one)
                if may_decide(self._policy, who, user, meeting, self._clock.now()).is_allowed:
                    return True
        except Unreadable:
            # That they can't be read does not say that there is nobody.
            return True
        return False

    async def _kept(self, review: Review, choice: Choice, targets: tuple[Target, ...]) -> Review:
        draft = Draft(
            id=uuid4().hex,
            team_id=choice.team,
            channel_id=choice.channel,
            requester=choice.user,
            meeting=review.meeting,
            session_id=review.session.id if review.session else None,
            targets=targets,
            reason=choice.reason,
            created_at=self._clock.now(),
            repeats=choice.repeats,
            asks=review.verdict.answer is Answer.NEEDS_APPROVAL,
        )
        await self._store.keep(draft)
        return replace(review, draft=draft)

    async def again(self, kick: KickId, user: UserId, channel: ChannelId) -> Choice | None:
        """Make the choice that repeats a kick: the same people and reason; None if there is none.

        Those whom the kick could not touch by the policy are chosen again, and judged again.
        """
        old = await self._store.get(kick)
        if old is None:
            return None
        return Choice(
            user=user,
            team=old.team_id,
            channel=channel,
            meeting=old.meeting.id,
            asked=Asked(tuple(target.key for target in old.targets if target.key)),
            reason=old.reason,
            repeats=old.number,
        )


def _not_looked_for(text: str) -> Match:
    return Match((), "", text)


async def look(
    rooms: Rooms,
    rules: Rules,
    meeting: MeetingId,
    session: Session | None,
    asked: Asked,
) -> tuple[Line, ...]:
    """Read the session afresh, and the meeting's records if that leaves something open.

    Raises RoomsError. That the records can't be read raises nothing: who is unidentified or
    unchecked stays so, and the policy wants more of whoever asks for them.
    """
    roster = await rooms.roster(session.id, fresh=True) if session else Roster(())
    lines = identify(rules, roster, asked)
    if all(line.target is None or line.target.checked for line in lines) and all(
        line.mark is not Mark.UNKNOWN for line in lines
    ):
        return lines
    try:
        records = await rooms.records(meeting, fresh=True)
    except RoomsError:
        return lines
    return identify(rules, roster, asked, records)


async def facts(
    store: Store,
    policy: Policy,
    now: datetime,
    request: Request,
    *,
    before: int | None = None,
) -> Request:
    """Add to a request how many people its requester's kicks were aimed at of late.

    `before` is the number of the kick that is judged: of two at once, only the second counts both.
    """
    user = request.requester.user
    moments = now - policy.rules.quota.within, now - BULK_WITHIN
    recent, recent_bulk = await store.recent_targets(user, *moments, before=before)
    return replace(request, recent=recent, recent_bulk=recent_bulk)
