"""Small stand-ins for the ports, held to the same contract as what they stand for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.kick import Draft, Event, Kick, KickId, State, TeamId, UserId
from bot.core.ports import Overtaken
from bot.core.roster import MeetingId


class MemoryStore:
    """The `Store` port, and what an operator asks of one, in memory."""

    def __init__(self) -> None:
        self.kicks: dict[KickId, Kick] = {}
        self.log: list[Event] = []
        self.drafts: dict[str, Draft] = {}

    async def add(self, kick: Kick, event: Event) -> Kick:
        for first in self.kicks.values():
            if first.key == kick.key:
                return first
        self.kicks[kick.id] = stored = replace(kick, number=len(self.kicks) + 1)
        self.log.append(replace(event, kick_id=kick.id))
        return stored

    async def move(self, before: Kick, after: Kick, *events: Event) -> Kick:
        if (after.id, after.version) != (before.id, before.version + 1):
            raise ValueError("a move raises the version by one")
        current = self.kicks[before.id]
        if (current.state, current.version) != (before.state, before.version):
            raise Overtaken(current)
        self.kicks[after.id] = after
        self.log += [replace(event, kick_id=after.id) for event in events]
        return after

    async def get(self, kick: KickId) -> Kick | None:
        return self.kicks.get(kick)

    async def by_number(self, number: int) -> Kick | None:
        return next((kick for kick in self.kicks.values() if kick.number == number), None)

    async def open_kicks(self) -> Sequence[Kick]:
        states = {State.WAITING, State.READY, State.RUNNING}
        return [kick for kick in self.kicks.values() if kick.state in states]

    async def history(self, limit: int) -> Sequence[Kick]:
        return list(reversed(self.kicks.values()))[:limit]

    async def events(self, kick: KickId) -> Sequence[Event]:
        return [event for event in self.log if event.kick_id == kick]

    async def recent_targets(
        self,
        requester: UserId,
        since: datetime,
        *,
        except_for: KickId | None = None,
    ) -> int:
        aimed = {State.WAITING, State.READY, State.RUNNING, State.DONE}
        return sum(
            len(kick.targets)
            for kick in self.kicks.values()
            if kick.requester == requester and kick.created_at >= since
            if kick.state in aimed and kick.id != except_for
        )

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        kicks = reversed(self.kicks.values())
        here = (kick for kick in kicks if (kick.team_id, kick.channel_id) == (team, channel))
        return next((kick.meeting.id for kick in here), None)

    async def record(self, event: Event) -> None:
        self.log.append(event)

    async def keep(self, draft: Draft) -> None:
        oldest = draft.created_at - timedelta(days=1)
        kept = {one.id: one for one in self.drafts.values() if one.created_at >= oldest}
        self.drafts = kept | {draft.id: draft}

    async def draft(self, draft_id: str) -> Draft | None:
        return self.drafts.get(draft_id)
