"""A second person: what they are shown, and what their yes, their no, or a change of mind does.

Everything is judged at the moment of the click, from facts read then.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bot.core.flow import Flow
from bot.core.identify import Asked, Line, target_of
from bot.core.kick import Event, IllegalMove, Kick, KickId, State, Target, UserId, What
from bot.core.policy import (
    Answer,
    Membership,
    Policy,
    Request,
    Standing,
    Verdict,
    judge,
    may_decide,
    may_open,
    spares,
)
from bot.core.ports import Clock, Overtaken, People, Rooms, RoomsError, Store, StoreDown
from bot.core.review import facts, look
from bot.core.roster import Meeting, Session

logger = logging.getLogger(__name__)

NO_SUCH_KICK = "That request is not in this bot's record. Nothing was changed."
OVER = "That session is over. Nobody can be removed from it; you can still deny the request."
YOURS = "You asked for this kick: you can take it back, and somebody else decides it."


class Part(StrEnum):
    """What somebody is to a request."""

    APPROVER = "approver"
    REQUESTER = "requester"


ABSENT = "?"
SEEN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a request stands in front of one person.

    `lines` are its targets as they are now; `verdict` says whether this person may approve it
    now, and why not. `seen` stands for what this person is shown of each target (name, preset,
    what protects it) and comes back with their approval; `changed`: it is not what they saw
    before. `trouble` says why the session could not be read.
    """

    kick: Kick
    part: Part
    verdict: Verdict
    session: Session | None = None
    lines: tuple[Line, ...] = ()
    seen: tuple[str, ...] = ()
    changed: bool = False
    trouble: RoomsError | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether it still waits for somebody's decision."""
        return self.kick.state is State.WAITING


class Approvals:
    """The use cases of a waiting kick. All may raise Unreadable and StoreDown.

    A Verdict that comes back is a refusal, and is on record; a Hearing says how it stands, and
    that nothing was changed.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        rooms: Rooms,
        people: People,
        store: Store,
        flow: Flow,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._rooms = rooms
        self._people = people
        self._store = store
        self._flow = flow
        self._clock = clock

    async def hear(self, kick_id: KickId, user: UserId) -> Hearing | Verdict:
        """Show a request to somebody who may decide it, or who asked for it."""
        found = await self._found(kick_id, user)
        return found if isinstance(found, Verdict) else await self._hearing(*found)

    async def approve(
        self, kick_id: KickId, user: UserId, seen: Sequence[str]
    ) -> Kick | Hearing | Verdict:
        """Let a request be carried out; `seen` is what this approver was shown of its targets.

        A Hearing, where it is not theirs to approve any more, or not what they saw.
        """
        found = await self._found(kick_id, user)
        if isinstance(found, Verdict):
            return found
        hearing = await self._hearing(*found)
        if not hearing.is_open:
            return hearing
        if hearing.part is Part.REQUESTER:
            return await self._refused(user, hearing.verdict.reason, hearing.kick)
        if not hearing.verdict.is_allowed or hearing.trouble:
            return hearing
        if _differ(seen, hearing.seen):
            return replace(hearing, changed=True)
        return await self._decided(hearing, user, What.APPROVED)

    async def deny(self, kick_id: KickId, user: UserId, note: str) -> Kick | Hearing | Verdict:
        """End a request by a no; a Hearing, where it was decided before."""
        found = await self._found(kick_id, user)
        if isinstance(found, Verdict):
            return found
        kick, who = found
        hearing = Hearing(kick, self._part(kick, who), self._may_decide(kick, who))
        if hearing.is_open and not hearing.verdict.is_allowed:
            return await self._refused(user, hearing.verdict.reason, kick)
        return await self._decided(hearing, user, What.DENIED, note) if hearing.is_open else hearing

    async def cancel(self, kick_id: KickId, user: UserId) -> Kick | Hearing | Verdict:
        """Take a request back, by whoever asked for it; a Hearing, where it was decided before."""
        found = await self._found(kick_id, user)
        if isinstance(found, Verdict):
            return found
        kick, who = found
        hearing = Hearing(kick, self._part(kick, who), self._may_decide(kick, who))
        if hearing.part is not Part.REQUESTER:
            return await self._refused(user, "Only whoever asked can take a request back.", kick)
        return await self._decided(hearing, user, What.CANCELLED) if hearing.is_open else hearing

    async def by_now(self, kick: Kick) -> Kick:
        """Read how a kick stands by now, for whoever has just seen it."""
        return await self._store.get(kick.id) or kick

    async def _found(self, kick_id: KickId, user: UserId) -> tuple[Kick, Membership] | Verdict:
        """Find the request, for one who may see it; one whose time is over ends right here."""
        who = await self._people.membership(user)
        kick = await self._store.get(kick_id)
        if kick is None:
            return await self._refused(user, NO_SUCH_KICK, None, kick_id)
        if self._part(kick, who) is Part.REQUESTER:
            opening = may_open(self._policy, who, self._clock.now())
            if who.standing is not Standing.MEMBER:
                return await self._refused(user, opening.reason, kick)
        elif not (verdict := self._may_decide(kick, who)).is_allowed:
            return await self._refused(user, verdict.reason, kick)
        return await self._timely(kick), who

    async def _timely(self, kick: Kick) -> Kick:
        if kick.state is State.WAITING and kick.due_at and self._clock.now() >= kick.due_at:
            try:
                kick = await self._flow.expire(kick)
            except Overtaken as error:
                return error.current
            self._flow.announce(kick)
        return kick

    def _part(self, kick: Kick, who: Membership) -> Part:
        return Part.REQUESTER if who.user == kick.requester else Part.APPROVER

    def _may_decide(self, kick: Kick, who: Membership) -> Verdict:
        if who.user == kick.requester:
            return _no(YOURS)
        now = self._clock.now()
        return may_decide(self._policy, who, kick.requester, kick.meeting, now)

    async def _hearing(self, kick: Kick, who: Membership) -> Hearing:
        hearing = Hearing(kick, self._part(kick, who), self._may_decide(kick, who))
        if not hearing.is_open:
            return hearing
        is_theirs = hearing.part is Part.REQUESTER
        try:
            session = await self._rooms.active_session(kick.meeting.id, fresh=True)
            if kick.session_id and (session is None or session.id != kick.session_id):
                return hearing if is_theirs else replace(hearing, verdict=_no(OVER))
            asked = Asked(tuple(target.key for target in kick.targets if target.key))
            lines = await look(self._rooms, self._policy.rules, kick.meeting.id, session, asked)
        except RoomsError as error:
            return replace(hearing, trouble=error)
        seen = tuple(self._seen(target, lines) for target in kick.targets)
        hearing = replace(hearing, session=session, lines=lines, seen=seen)
        return hearing if is_theirs else replace(hearing, verdict=await self._judged(hearing))

    def _as_now(self, target: Target, lines: Sequence[Line]) -> tuple[Target, bool]:
        """Take a target as it is now, and whether it was found at all."""
        for line in lines:
            if line.asked == target.key and line.person:
                return target_of(self._policy.rules, line.person, live=True), True
        return target, False

    def _seen(self, target: Target, lines: Sequence[Line]) -> str:
        now, is_found = self._as_now(target, lines)
        by = spares(self._policy.rules, now)
        shown = sha256(repr((now.name, now.preset, by)).encode()).hexdigest()[:SEEN_LENGTH]
        return shown if is_found else shown + ABSENT

    async def _judged(self, hearing: Hearing) -> Verdict:
        """Judge the request itself once more: its requester may have lost their role since."""
        kick, meeting = hearing.kick, self._meeting(hearing)
        targets = (self._as_now(target, hearing.lines)[0] for target in kick.targets)
        going = tuple(one for one in targets if not spares(self._policy.rules, one))
        if not going:
            return _no("The policy protects everybody in it by now.")
        who = await self._people.membership(kick.requester)
        request = Request(who, meeting, going, kick.reason)
        now = self._clock.now()
        request = await facts(self._store, self._policy, now, request, before=kick.number)
        verdict = judge(self._policy, request, now)
        if verdict.answer is Answer.REFUSED:
            return _no(f"Whoever asked may not any more: {verdict.reason}")
        return hearing.verdict

    def _meeting(self, hearing: Hearing) -> Meeting:
        return hearing.session.meeting if hearing.session else hearing.kick.meeting

    async def _decided(
        self, hearing: Hearing, user: UserId, what: What, note: str = ""
    ) -> Kick | Hearing:
        kick, now = hearing.kick, self._clock.now()
        note = note or (hearing.verdict.reason if what is What.APPROVED else "")
        try:
            after = _after(kick, what, user, note, now)
            event = Event(now, what, user, note, kick.id)
            decided = await self._store.move(kick, after, event)
        except Overtaken as error:
            return replace(hearing, kick=error.current)
        except IllegalMove:
            # The deadline came while everything was judged.
            return replace(hearing, kick=await self._timely(kick))
        self._flow.announce(decided)
        if decided.state is State.READY:
            self._flow.start(decided)
        return decided

    async def _refused(
        self, user: UserId, why: str, kick: Kick | None, kick_id: KickId | None = None
    ) -> Verdict:
        """Refuse somebody, and put it on record; they hear of it even where that fails."""
        named = kick.id if kick else kick_id
        try:
            return await self._flow.refused(user, why, named)
        except StoreDown as error:
            logger.error("a refusal of %s is not on record: %s", user, error)  # noqa: TRY400 - no traceback needed
            return _no(why)


def _no(reason: str) -> Verdict:
    return Verdict(Answer.REFUSED, reason)


def _after(kick: Kick, what: What, user: UserId, note: str, now: datetime) -> Kick:
    if what is What.APPROVED:
        return kick.approve(user, now)
    return kick.deny(user, note, now) if what is What.DENIED else kick.cancel(now)


def _differ(before: Sequence[str], now: Sequence[str]) -> bool:
    """Tell whether somebody is not what they were seen as; whoever is not there is no reason."""
    return len(before) != len(now) or any(
        not new.endswith(ABSENT) and new != old.removesuffix(ABSENT)
        for old, new in zip(before, now, strict=True)
    )
