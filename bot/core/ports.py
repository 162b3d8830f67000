"""What the use cases need of the world, and the errors those needs may raise."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.core.kick import ChannelId, Draft, Event, Kick, KickId, TeamId, UserId
from bot.core.outbox_message import OutboxMessage
from bot.core.policy import GroupId, Membership
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


class GatewayError(Exception):
    """A call to RealtimeKit that did not succeed; its class answers whether it happened.

    The message is the service's own, or says what broke; it never carries the token.
    """


class NotFound(GatewayError):
    """No: the service answered 404, nothing by this id is there."""


class Rejected(GatewayError):
    """No: the service refuses our credentials or our input; an operator must act."""


class RateLimited(GatewayError):
    """No: the service is over its rate limit; `retry_after` are seconds, None if it did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSent(GatewayError):
    """No: the request was never sent."""


class OutcomeUnknown(GatewayError):
    """Maybe: it was sent, and no answer that can be trusted came back."""


class MeetingGateway(Protocol):
    """RealtimeKit, as the use cases see it. Every call may raise a GatewayError.

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
        """Read a meeting; NotFound if there is none of this id."""
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


class DirectoryUnavailable(Exception):
    """Slack could not be asked who a user is; the message says why, for an operator."""


class Directory(Protocol):
    """Who Slack users are."""

    def cached_membership(self, user: UserId) -> Membership | None:
        """Return what was last read of a user, however old; no remote call."""
        ...

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        """Read who a user is, at most a minute old; with `fresh`, from a read begun now.

        Raises DirectoryUnavailable.
        """
        ...

    async def members(self, group: GroupId) -> Sequence[UserId]:
        """Read who is in a user group, at most a minute old; raises DirectoryUnavailable."""
        ...


class VersionConflict(Exception):
    """Someone else moved the kick first; `current` is how it stands now."""

    def __init__(self, current: Kick) -> None:
        super().__init__(f"kick {current.number} is {current.state} by now")
        self.current = current


class StoreUnavailable(Exception):
    """The database did not answer that it did it: locked, full or gone.

    Where the answer to a commit was lost it may have been done, or may yet be; never by half.
    """


class Store(Protocol):
    """Where kicks, their events, notices and drafts are kept. May raise StoreUnavailable.

    What a kick owes people once it was added or moved (`notice.owes`) is written with it, as
    taken by the process that wrote it: due `DELIVER_WITHIN` after the event.
    """

    async def add(self, kick: Kick, event: Event) -> Kick:
        """Store a new kick, give it its number; a second one of the same key returns the first."""
        ...

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        """Store the move, with its events, if the kick still is `before`; else VersionConflict.

        ValueError unless `after` is of the next version, and where it owes something without an
        event that says when; LookupError for a kick that was never added.
        """
        ...

    async def get_kick(self, kick: KickId) -> Kick | None:
        """Read a kick."""
        ...

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        """List the kicks whose `due_at` has come, oldest first."""
        ...

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        """List the notices of a kick that are not delivered yet."""
        ...

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        """List the notices whose `due_at` has come, oldest first, 100 at most."""
        ...

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        """Store what became of a notice if it still is `before`, and return `after` itself.

        Otherwise return the notice as it is by now; LookupError if there is none.
        """
        ...

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        """Count for each moment whom a user's kicks since then were aimed at; not of refused ones.

        With `before`, only those of kicks with a lower number.
        """
        ...

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        """Find the meeting of the newest kick asked for in a channel."""
        ...

    async def record_event(self, event: Event) -> None:
        """Keep an event that belongs to no move."""
        ...

    async def save_draft(self, draft: Draft) -> None:
        """Keep the draft that a review shows; old ones may go."""
        ...

    async def get_draft(self, draft_id: str) -> Draft | None:
        """Read a draft."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of an attempt to deliver a notice.

    `told`: somebody was told, there if it can be changed later (`channel`, `ts`); otherwise it is
    to be tried again, after `wait` if the service said so. `doubtful`: it may have got through.
    """

    delivered: bool
    channel: ChannelId | None = None
    ts: str | None = None
    retry_after: timedelta | None = None
    maybe_delivered: bool = False
    error: str = ""


class Notifier(Protocol):
    """How people are told. Never raises: what can't be told is said elsewhere, or logged."""

    def watched_kicks(self) -> Sequence[KickId]:
        """List the kicks whose end somebody waits for in a view that this process looks after."""
        ...

    async def update_modals(self, kick: Kick) -> None:
        """Show how it stands in the open views of those who asked for it or decided it."""
        ...

    async def report_problem(self, kick: Kick, words: str) -> None:
        """Tell the requester that the bot itself can't go on, or can't say how it went."""
        ...

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        """Post a notice, or change what was posted, so that it says how the kick stands."""
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
