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
from bot.core.policy import Answer, Policy, Request, Verdict, judge, may_decide, may_see
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
from bot.core.post import Post
from bot.core.review import NOWHERE_TO_ASK, facts, look
from bot.core.roster import Key, Peer, Session

logger = logging.getLogger(__name__)

ASK_NOW = "Nobody was removed: start again, and the bot asks somebody who may decide."


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose kicks these are: the Slack team, the RealtimeKit app, and the process itself."""

    team: TeamId
    app_id: str
    process: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """The kick that a submit stored, or that the same submit stored before: then not `is_new`.

    The same one may reach two processes; whoever stored the kick starts it.
    """

    kick: Kick
    is_new: bool


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
        post: Post,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._identity = identity
        self._policy = policy
        self._rooms = rooms
        self._people = people
        self._store = store
        self._notices = notices
        self._post = post
        self._clock = clock
        self._spawn = spawn
        self._in_hand: set[KickId] = set()

    async def propose(self, draft_id: str, view_id: str, user: UserId) -> Proposal | Verdict:
        """Store the kick that a review asks for: ready, waiting for a second person, or refused.

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
        return Proposal(stored, is_new=stored.id == kick.id)

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
        state = _first_state(draft, verdict)
        if state is State.WAITING and self._policy.approvals_channel is None:
            state, verdict = State.REFUSED, _no(NOWHERE_TO_ASK)
        is_refused = state is State.REFUSED
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
            state=state,
            repeats=draft.repeats,
            expires_at=now + self._policy.rules.expires if state is State.WAITING else None,
            refusal=verdict.reason if is_refused and verdict is not None else "",
            done_at=now if is_refused else None,
        )

    def start(self, kick: Kick) -> None:
        """Carry out a ready kick, or ask somebody about a waiting one, in work of its own."""
        if kick.state is State.WAITING:
            self.announce(kick)
        elif kick.state is State.READY:
            self._handle(kick, self._run(kick), someone_waits=True)

    def take_up(self, kick: Kick) -> None:
        """Go on with a kick that is due, unless this process is at it already."""
        if kick.state is State.WAITING:
            self._handle(kick, self.expire(kick))
        elif kick.state is State.RUNNING:
            self._handle(kick, self._take_over(kick))
        elif kick.state is State.READY:
            self._handle(kick, self._run(kick))

    def _handle(
        self, kick: Kick, work: Coroutine[object, object, Kick], *, someone_waits: bool = False
    ) -> None:
        if kick.id in self._in_hand:
            work.close()
        else:
            self._in_hand.add(kick.id)
            self._spawn(self._handled(kick, work, someone_waits=someone_waits))

    async def _handled(self, kick: Kick, work: Awaitable[Kick], *, someone_waits: bool) -> None:
        words = ""
        try:
            ended = await work
        except Overtaken as error:
            logger.info("kick %s: %s", kick.number, error)
            await self._notices.show(error.current)
        except StoreDown as error:
            logger.warning("kick %s: the store is down: %s", kick.number, error)
            words = str(error)
        except Exception:
            # A fault of our own: this process would only fail again, so it keeps its hands off.
            logger.exception("kick %s failed", kick.number)
            await self._notices.trouble(kick, "The bot failed. Its log says how.")
            return
        else:
            await self._announced(ended)
        self._in_hand.discard(kick.id)
        if words and someone_waits:
            await self._notices.trouble(kick, words)

    def announce(self, kick: Kick) -> None:
        """Tell how a kick stands, in work of its own."""
        self._spawn(self._announced(kick))

    async def _announced(self, kick: Kick) -> None:
        """Show how a kick stands where people look at it, and deliver what is owed about it."""
        await asyncio.gather(self._notices.show(kick), self._post.send(kick.id))

    async def expire(self, kick: Kick) -> Kick:
        """End a request that nobody decided in time; raises Overtaken, StoreDown."""
        now = self._clock.now()
        event = Event(now, What.EXPIRED, None, "not decided in time", kick.id)
        return await self._store.move(kick, kick.expire(now), event)

    async def _run(self, kick: Kick) -> Kick:
        if self._clock.now() > kick.claimable_until:
            return await self._lapse(kick)
        recheck = await self._recheck(kick)
        now = self._clock.now()
        if not recheck.verdict.is_allowed:
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
            await self._notices.show(execution.kick)
        await execution.clear_up()
        await execution.finish()

    async def _recheck(self, kick: Kick) -> _Recheck:
        """Look and judge again, right before the calls, from facts read now."""
        try:
            who = await self._people.membership(kick.requester, fresh=True)
            approver = await self._people.membership(kick.approver) if kick.approver else who
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
        request = await facts(self._store, self._policy, now, request, before=kick.number)
        verdict = judge(self._policy, request, now)
        if verdict.answer is Answer.NEEDS_APPROVAL and kick.approver:
            verdict = may_decide(self._policy, approver, kick.requester, meeting, now)
        return _Recheck(verdict, session, lines)

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

    async def _take_over(self, kick: Kick) -> Kick:
        now = self._clock.now()
        taken = kick.take_over(self._identity.process, now)
        event = Event(now, What.TAKEN_OVER, None, "", kick.id)
        execution = self._execution(await self._store.move(kick, taken, event))
        await execution.take_up()
        await self._end(execution)
        return execution.kick

    async def check_again(self, kick_id: KickId, user: UserId) -> Kick | Verdict:
        """Read once more what became of whom nothing was known; what was settled stays.

        Raises Unreadable, StoreDown.
        """
        kick = await self._store.get(kick_id)
        if kick is None:
            return await self.refused(user, "That kick is not in this bot's record.", kick_id)
        who = await self._people.membership(user)
        seeing = may_see(self._policy, who, kick.meeting, self._clock.now())
        if not seeing.is_allowed:
            return await self.refused(user, seeing.reason, kick_id)
        execution = self._execution(kick)
        try:
            await execution.look_again()
        except (Overtaken, IllegalMove):
            # Somebody else looked at the same moment, and saw it first.
            return await self._store.get(kick_id) or kick
        if execution.kick != kick:
            self.announce(execution.kick)
        return execution.kick

    async def _lapse(self, kick: Kick) -> Kick:
        now = self._clock.now()
        event = Event(now, What.EXPIRED, None, "not claimed in time", kick.id)
        return await self._store.move(kick, kick.lapse(now), event)

    def _execution(self, kick: Kick) -> Execution:
        return Execution(kick, rooms=self._rooms, store=self._store, clock=self._clock)


def _first_state(draft: Draft, verdict: Verdict | None) -> State:
    if verdict is not None and verdict.answer is Answer.REFUSED:
        return State.REFUSED
    # Who was told that somebody will be asked is not taken at their word by less than that.
    if draft.asks or (verdict is not None and verdict.answer is Answer.NEEDS_APPROVAL):
        return State.WAITING
    return State.READY


def _words(verdict: Verdict) -> str:
    if verdict.answer is Answer.NEEDS_APPROVAL:
        return f"{verdict.reason} {ASK_NOW}"
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
