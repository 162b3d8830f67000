"""A draft: a reviewed kick that is not submitted yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.roster import Meeting, SessionId
from bot.core.target import Target


@dataclass(frozen=True, slots=True)
class Draft:
    """What a review shows. It is stored until the review is submitted, for a day at most.

    `repeats` is the number of the kick that the draft retries. `needs_approval`: the button of
    the review asks for an approval.
    """

    id: str
    team_id: TeamId
    channel_id: ChannelId
    requester: UserId
    meeting: Meeting
    session_id: SessionId | None
    targets: tuple[Target, ...]
    reason: str
    created_at: datetime
    repeats: int | None = None
    needs_approval: bool = False

    def to_kick(self, view_id: str, app_id: str, now: datetime) -> Kick:
        """Return a new, ready kick for this draft, submitted with the view `view_id`."""
        return Kick(
            id=KickId(uuid4().hex),
            idempotency_key=view_id,
            team_id=self.team_id,
            app_id=app_id,
            channel_id=self.channel_id,
            meeting=self.meeting,
            session_id=self.session_id,
            requester=self.requester,
            reason=self.reason,
            targets=self.targets,
            created_at=now,
            state=State.READY,
            repeats=self.repeats,
        )
