"""What happens after somebody pressed *Kick*: the only place that orders effects.

A kick is stored before anything is done, claimed before anything is called, and each target is
marked before its call is sent. What became of it is stored before anybody is told.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from math import ceil
from uuid import uuid4

from bot.core.execution import Execution
from bot.core.identify import Asked, Line, Mark, target_of
from bot.core.kick import (
    Draft,
    Event,
    IllegalMove,
    Kick,
    KickId,
    State,
    Target,
    TeamId,
    UserId,
    What,
)
from bot.core.policy import Answer, Policy, Request, Verdict, judge
from bot.core.ports import (
    Busy,
    Clock,
    Notices,
    Overtaken,
    People,
    Refused,
    Rooms,
    RoomsError,
    Spawn,
    Store,
    StoreDown,
    Unreadable,
)
from bot.core.review import facts, look
from bot.core.roster import Key, Peer, Session

logger = logging.getLogger(__name__)

NOBODY_TO_ASK = "This bot can't ask a second person yet: nobody was removed; tell one who may."


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose kicks these are: the Slack team, the RealtimeKit app, and the process itself."""

    team: TeamId
    app_id: str
    process: str


@dataclass(frozen=True, slots=True)
class _Recheck:
    """What a fresh look says, right before the calls."""

    verdict: Verdict
    session: Session | None = None
    lines: tuple[Line, ...] = ()


class Flow:
    """The use cases that change something."""

    def __init__(
        self,
        *,
        identity: Identity,
        policy: Policy,
        rooms: Rooms,
        people: People,
        store: Store,
        notices: Notices,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._identity = identity
        self._policy = policy
        self._rooms = rooms
        self._people = people
        self._store = store
        self._notices = notices
        self._clock = clock
        self._spawn = spawn

    async def propose(self, draft_id: str, view_id: str, user: UserId) -> Kick | Verdict:
        """Store the kick that a review asks for: ready, or refused, each with its reason.

        Judged by what is known of the user without asking Slack; whether or not that is enough,
        it is judged again before anything is called. The same view asked twice gives the same
        kick; asked with other content it gives a verdict, and nothing changes. Raises StoreDown.
        """
        draft = await self._store.draft(draft_id)
        if draft is None or draft.requester != user:
            return await self.refused(user, "This review is not yours, or too old. Start again.")
        kick = self._kick(draft, view_id, await self._first_verdict(draft))
        note = kick.refusal or f"{len(kick.targets)} in {kick.meeting.title}: {kick.reason}"
        what = What.REFUSED if kick.state is State.REFUSED else What.ASKED
        stored = await self._store.add(kick, Event(kick.created_at, what, user, note, kick.id))
        if not stored.same_request(kick):
            return await self.refused(user, "This review was already used for something else.")
        return stored

    async def refused(self, user: UserId, why: str, kick: KickId | None = None) -> Verdict:
        """Put a refusal on record, and return it."""
        await self._store.record(Event(self._clock.now(), What.REFUSED, user, why, kick))
        return Verdict(Answer.REFUSED, why)

    async def _first_verdict(self, draft: Draft) -> Verdict | None:
        now = self._clock.now()
        who = self._people.known(draft.requester)
        if who is None or not who.is_fresh(now):
            return None
        request = Request(who, draft.meeting, draft.targets, draft.reason)
        return judge(self._policy, await facts(self._store, self._policy, now, request), now)

    def _kick(self, draft: Draft, view_id: str, verdict: Verdict | None) -> Kick:
        now = self._clock.now()
        refusal = "" if verdict is None or verdict else _words(verdict)
        return Kick(
            id=KickId(uuid4().hex),
            key=view_id,
            team_id=draft.team_id,
            app_id=self._identity.app_id,
            channel_id=draft.channel_id,
            meeting=draft.meeting,
            session_id=draft.session_id,
            requester=draft.requester,
            reason=draft.reason,
            targets=draft.targets,
            created_at=now,
            state=State.REFUSED if refusal else State.READY,
            repeats=draft.repeats,
            refusal=refusal,
            done_at=now if refusal else None,
        )

    def start(self, kick: Kick) -> None:
        """Carry out a ready kick, in work of its own."""
        self._spawn(self.run(kick))

    async def run(self, kick: Kick) -> None:
        """Carry out a ready kick and tell what became of it; says so where it can't go on."""
        await self._tell(kick, self._run(kick))

    async def _tell(self, kick: Kick, work: Awaitable[Kick]) -> None:
        try:
            ended = await work
        except Overtaken as error:
            logger.info("kick %s: %s", kick.number, error)
        except StoreDown as error:
            logger.exception("kick %s: the store is down", kick.number)
            await self._notices.trouble(kick, str(error))
        except Exception:
            # A fault of our own: whatever it is, the person who waits must hear of it.
            logger.exception("kick %s failed", kick.number)
            await self._notices.trouble(kick, "The bot failed. Its log says how.")
        else:
            await self._notices.ended(ended)

    async def _run(self, kick: Kick) -> Kick:
        if self._clock.now() > kick.claimable_until:
            return await self._lapse(kick)
        recheck = await self._recheck(kick)
        now = self._clock.now()
        if not recheck.verdict:
            words = _words(recheck.verdict)
            event = Event(now, What.REFUSED, None, words, kick.id)
            return await self._store.move(kick, kick.refuse(words, now), event)
        try:
            session_id = recheck.session.id if recheck.session else None
            claimed = kick.claim(self._identity.process, now, session_id)
        except IllegalMove:
            return await self._lapse(kick)
        event = Event(now, What.CLAIMED, None, recheck.verdict.reason, kick.id)
        execution = self._execution(await self._store.move(kick, claimed, event))
        await self._carry_out(execution, recheck)
        return execution.kick

    async def _carry_out(self, execution: Execution, recheck: _Recheck) -> None:
        # One custom id may stand for several records, so there may be several lines for a target.
        peers: dict[Key | None, tuple[Peer, ...]] = {}
        spared: dict[Key, str] = {}
        for line in recheck.lines:
            key = Key(line.asked)
            if line.mark is Mark.PROTECTED:
                spared[key] = line.by
            elif line.person:
                peers[key] = peers.get(key, ()) + line.person.open_peers
        for key, by in spared.items():
            await execution.spare(key, by)
        await execution.call(peers)
        await self._end(execution)

    async def _end(self, execution: Execution) -> None:
        if execution.in_doubt:
            await self._notices.progress(execution.kick)
        await execution.clear_up()
        await execution.finish()

    async def _recheck(self, kick: Kick) -> _Recheck:
        """Look and judge again, right before the calls, from facts read now."""
        try:
            who = await self._people.membership(kick.requester, fresh=True)
            session = await self._rooms.active_session(kick.meeting.id, fresh=True)
            if kick.session_id and (session is None or session.id != kick.session_id):
                return _Recheck(_over(session))
            asked = Asked(tuple(target.key for target in kick.targets if target.key))
            lines = await look(self._rooms, self._policy.rules, kick.meeting.id, session, asked)
        except Unreadable as error:
            return _Recheck(_no(f"Your role could not be checked with Slack ({error})."))
        except RoomsError as error:
            return _Recheck(_no(_unread(error)))
        meeting = session.meeting if session else kick.meeting
        targets = self._as_now(kick, lines)
        if not targets:
            by = ", ".join(sorted({line.by for line in lines}))
            return _Recheck(_no(f"The policy protects them by now ({by})."))
        request = Request(who, meeting, targets, kick.reason)
        now = self._clock.now()
        request = await facts(self._store, self._policy, now, request, except_for=kick.id)
        return _Recheck(judge(self._policy, request, now), session, lines)

    def _as_now(self, kick: Kick, lines: tuple[Line, ...]) -> tuple[Target, ...]:
        """Take the targets as they are now, without those the policy protects by now."""
        by_key = {line.asked: line for line in lines}
        standing = ((target, by_key.get(target.key or "")) for target in kick.targets)
        return tuple(
            target_of(self._policy.rules, line.person, live=True)
            if line and line.person
            else replace(target, checked=False)
            for target, line in standing
            if line is None or line.mark is not Mark.PROTECTED
        )

    async def resume(self) -> None:
        """Take up what a process that died left: settle by evidence, lapse, or carry out."""
        for kick in await self._store.open_kicks():
            if kick.state is State.RUNNING:
                self._spawn(self._tell(kick, self._take_over(kick)))
            elif kick.state is State.READY:
                self.start(kick)

    async def _take_over(self, kick: Kick) -> Kick:
        now = self._clock.now()
        taken = kick.take_over(self._identity.process, now)
        event = Event(now, What.TAKEN_OVER, None, "", kick.id)
        execution = self._execution(await self._store.move(kick, taken, event))
        await execution.take_up()
        await self._end(execution)
        return execution.kick

    async def _lapse(self, kick: Kick) -> Kick:
        now = self._clock.now()
        event = Event(now, What.EXPIRED, None, "not claimed in time", kick.id)
        return await self._store.move(kick, kick.lapse(now), event)

    def _execution(self, kick: Kick) -> Execution:
        return Execution(kick, rooms=self._rooms, store=self._store, clock=self._clock)


def _words(verdict: Verdict) -> str:
    if verdict.answer is Answer.NEEDS_APPROVAL:
        return f"{verdict.reason} {NOBODY_TO_ASK}"
    return verdict.reason


def _unread(error: RoomsError) -> str:
    if isinstance(error, Refused):
        return f"RealtimeKit refuses the bot: {error}. Please tell its operator."
    if isinstance(error, Busy):
        wait = f" {ceil(error.retry_after)} s" if error.retry_after else ""
        return f"RealtimeKit asks the bot to wait{wait}. Then try again."
    return f"RealtimeKit could not be read right before the kick: {error}."


def _over(session: Session | None) -> Verdict:
    if session is None:
        return _no("That session is over: nobody is in the meeting any more.")
    return _no("That session is over, another one has begun: look again who is in it.")


def _no(reason: str) -> Verdict:
    return Verdict(Answer.REFUSED, reason)
