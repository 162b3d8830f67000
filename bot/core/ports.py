"""What the use cases need of the world, and the errors those needs may raise."""

from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Protocol

from bot.core.kick import Draft, Event, Kick, KickId, TeamId, UserId
from bot.core.policy import Membership
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Roster,
    Session,
    SessionId,
)


class RoomsError(Exception):
    """A call to RealtimeKit that did not succeed; its class answers whether it happened.

    The message is the service's own, or says what broke; it never carries the token.
    """


class NotThere(RoomsError):
    """No: the service answered 404, nothing by this id is there."""


class Refused(RoomsError):
    """No: the service refuses our credentials or our input; an operator must act."""


class Busy(RoomsError):
    """No: the service is over its rate limit; `retry_after` are seconds, None if it did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(RoomsError):
    """No: the request was never sent."""


class Unsure(RoomsError):
    """Maybe: it was sent, and no answer that can be trusted came back."""


class Rooms(Protocol):
    """RealtimeKit, as the use cases see it. Every call may raise a RoomsError.

    Reads may be some seconds old and are shared by all who ask at once, except with `fresh`:
    then the read begins after the call does.
    """

    async def live_sessions(self) -> Sequence[Session]:
        """List the sessions that the service lists as live; the list can lag or stay empty."""
        ...

    async def meetings(self, search: str) -> Sequence[Meeting]:
        """List some meetings whose title or id matches."""
        ...

    async def meeting(self, meeting: MeetingId) -> Meeting:
        """Read a meeting; NotThere if there is none of this id."""
        ...

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        """Read the live session of a meeting; None if the service says there is none."""
        ...

    async def roster(self, session: SessionId, *, fresh: bool = False) -> Roster:
        """Read who is, and was, in a session."""
        ...

    async def records(self, meeting: MeetingId, *, fresh: bool = False) -> Sequence[Participant]:
        """Read all participant records of a meeting, without peers."""
        ...

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        """Kick; return the ids of the participants that the reply names, possibly none."""
        ...


class Unreadable(Exception):
    """Slack could not be asked who a user is; the message says why, for an operator."""


class People(Protocol):
    """Who Slack users are."""

    def known(self, user: UserId) -> Membership | None:
        """Return what was last read of a user, however old; no remote call."""
        ...

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        """Read who a user is, at most a minute old; with `fresh`, from a read begun now.

        Raises Unreadable.
        """
        ...


class Overtaken(Exception):
    """Someone else moved the kick first; `current` is how it stands now."""

    def __init__(self, current: Kick) -> None:
        super().__init__(f"kick {current.number} is {current.state} by now")
        self.current = current


class StoreDown(Exception):
    """The database did not answer that it did it: locked, full or gone.

    Where the answer to a commit was lost it may have been done, but never by half.
    """


class Store(Protocol):
    """Where kicks, their events and the drafts of reviews are kept. May raise StoreDown."""

    async def add(self, kick: Kick, event: Event) -> Kick:
        """Store a new kick, give it its number; a second one of the same key returns the first."""
        ...

    async def move(self, before: Kick, after: Kick, *events: Event) -> Kick:
        """Store the move, with its events, if the kick still is `before`; else Overtaken."""
        ...

    async def get(self, kick: KickId) -> Kick | None:
        """Read a kick."""
        ...

    async def open_kicks(self) -> Sequence[Kick]:
        """List the kicks that are waiting, ready or running, oldest first."""
        ...

    async def recent_targets(
        self,
        requester: UserId,
        since: datetime,
        *,
        except_for: KickId | None = None,
    ) -> int:
        """Count the people that a user's kicks since then were aimed at; not of refused ones."""
        ...

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        """Find the meeting of the newest kick asked for in a channel."""
        ...

    async def record(self, event: Event) -> None:
        """Keep an event that belongs to no move."""
        ...

    async def keep(self, draft: Draft) -> None:
        """Keep the draft that a review shows; old ones may go."""
        ...

    async def draft(self, draft_id: str) -> Draft | None:
        """Read a draft."""
        ...


class Notices(Protocol):
    """How people are told. Never raises: what can't be told is said elsewhere, or logged."""

    async def progress(self, kick: Kick) -> None:
        """Show in the requester's open view that some answers are being looked into."""
        ...

    async def trouble(self, kick: Kick, words: str) -> None:
        """Tell the requester that the bot itself can't go on, or can't say how it went."""
        ...

    async def ended(self, kick: Kick) -> None:
        """Tell the result, in the channel and in the requester's open view, after it is stored."""
        ...


class Clock(Protocol):
    """Time, so that rules about time can be tested."""

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Spawn(Protocol):
    """Start work that outlives the request that asked for it, and is waited for at the end."""

    def __call__(self, work: Coroutine[object, object, None]) -> None:
        """Start it."""
        ...
