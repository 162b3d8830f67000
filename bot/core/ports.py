"""The interfaces to the outside world that the use cases need, and the errors they may raise."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

from bot.core.draft import Draft
from bot.core.event import Event
from bot.core.kick import Kick, KickId, TeamId, UserId
from bot.core.outbox_message import Delivery, OutboxMessage
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
    """A call to RealtimeKit failed. The class says whether the call had an effect.

    The message is RealtimeKit's own, or says what broke. It never contains the API token.
    """


class NotFound(GatewayError):
    """No effect: RealtimeKit answered 404."""


class Rejected(GatewayError):
    """No effect: RealtimeKit rejects the credentials or the input. The operator must act."""


class RateLimited(GatewayError):
    """No effect: over the rate limit. `retry_after`: seconds; None if RealtimeKit did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSent(GatewayError):
    """No effect: the request was never sent."""


class OutcomeUnknown(GatewayError):
    """Maybe an effect: the request was sent, but no valid reply came back."""


class KickCall(Protocol):
    """A kick call whose turn has come. It may raise a GatewayError."""

    async def __call__(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        """Kick, and return the ids of the participants that the reply names; maybe none."""


class MeetingGateway(Protocol):
    """RealtimeKit. Every call may raise a GatewayError.

    A read may be some seconds old, and concurrent callers share it. With `fresh`, the read begins
    after the call does, and it may use the calls that are kept for kicks.
    """

    async def live_sessions(self) -> Sequence[Session]:
        """Return the sessions that RealtimeKit lists as live. The list may be late or empty."""

    async def meetings(self, search: str) -> Sequence[Meeting]:
        """Return some meetings whose title or id matches."""

    async def meeting(self, meeting: MeetingId) -> Meeting:
        """Return a meeting. Raises NotFound if there is none with this id."""

    async def active_session(self, meeting: MeetingId, *, fresh: bool = False) -> Session | None:
        """Return the live session of a meeting; None if there is none."""

    async def roster(self, session: SessionId, search: str = "") -> Roster:
        """Return people in a session to choose from: all, or the newest of a very long session.

        Of a very long one, the roster also has people whom the service finds with `search`. Who
        left can be in it for a minute longer. It must not decide anything. If not everybody could
        be searched, `search` is in its `partial`.
        """

    def cached_roster(self, session: SessionId) -> Roster | None:
        """Return the roster that was read last, of any age, without a remote call."""

    async def find(
        self,
        session: SessionId,
        texts: Collection[str],
        *,
        fresh: bool = False,
        as_evidence: bool = False,
    ) -> Roster:
        """Return these people with all their connections, and maybe other people.

        A text is a key, or an id of any kind. Who is not in the roster is not in the session. The
        roster's `partial` has the texts for which this is not sure. With `as_evidence`, the newest
        rows of the session are in it, too, and the rows of these people are read after those.
        """

    async def records(
        self, meeting: MeetingId, texts: Collection[str], *, fresh: bool = False
    ) -> Sequence[Participant]:
        """Return participant records of these people in a meeting, without connections.

        A text is a key, or an id of any kind. A custom id may be missed in a very long list.
        """

    def kick_slot(self) -> AbstractAsyncContextManager[KickCall]:
        """Wait for the turn of a kick, however long that takes, and yield the call that sends it.

        The call sends at once, or not at all, and ends within 8 s. Make one call, then leave.
        """

    def service_time(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """Return the earliest and the latest time of RealtimeKit's clock at a moment of the bot's.

        None if that is not known: then dates of RealtimeKit can't be compared with the bot's.
        """


class DirectoryUnavailable(Exception):
    """A user or a group could not be read from Slack. The message is for the operator.

    `remedy` says to a user what to do.
    """

    def __init__(self, message: str, remedy: str = "Try again.") -> None:
        super().__init__(message)
        self.remedy = remedy


class Directory(Protocol):
    """The Slack users and user groups."""

    def cached_membership(self, user: UserId) -> Membership | None:
        """Return the membership that was read last, of any age, without a remote call."""

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        """Return the membership of a user, at most a minute old; with `fresh`, read now.

        Raises DirectoryUnavailable.
        """

    async def members(self, group: GroupId) -> Sequence[UserId]:
        """Return the users in a group, at most a minute old. Raises DirectoryUnavailable."""


class VersionConflict(Exception):
    """The kick was changed in the meantime. `current` is its stored state."""

    def __init__(self, current: Kick) -> None:
        super().__init__(f"kick {current.number} is {current.state} by now")
        self.current = current


class StoreUnavailable(Exception):
    """The database did not confirm the operation: it is locked, full or unreachable.

    If the reply to a commit was lost, the operation may have happened, or may still happen. It
    never happens in part. The message is for the operator: it may name hosts, files and users of
    the database. `words` is for everybody.
    """

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words or message


class Store(Protocol):
    """The database of kicks, events, outbox messages and drafts.

    Every call may raise StoreUnavailable. `add` and `transition` also store the messages that
    become due (`messages_due_for`), in the same transaction. The process that stored a message
    has a lease on it: for `DELIVER_WITHIN` after the event, no other process delivers it.
    """

    async def time(self) -> datetime:
        """Return the time of the database's clock, aware, in UTC."""

    async def add(self, kick: Kick, event: Event) -> Kick:
        """Store a new kick and return it with its number.

        If there is a kick with the same idempotency key already, return that one instead.
        """

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        """Store a changed kick and its events, and return `after`.

        Raises VersionConflict if the stored kick is not `before` any more; ValueError if `after`
        is not the next version, or if messages become due but no event says since when;
        LookupError if the kick was never added.
        """

    async def get_kick(self, kick: KickId) -> Kick | None:
        """Return a kick; None if there is none."""

    async def overdue_kicks(self, now: datetime) -> Sequence[Kick]:
        """Return the kicks that are overdue (`Kick.is_overdue`), oldest first."""

    async def pending_messages(self, kick: KickId) -> Sequence[OutboxMessage]:
        """Return the messages of a kick that are not delivered yet."""

    async def overdue_messages(self, now: datetime) -> Sequence[OutboxMessage]:
        """Return the messages that are overdue (`is_overdue`): at most 100, oldest first."""

    async def update_message(self, before: OutboxMessage, after: OutboxMessage) -> OutboxMessage:
        """Store a changed message and return `after` itself.

        If the stored message is not `before` any more, change nothing and return the stored one.
        Raises LookupError if there is none.
        """

    async def recent_targets(
        self, requester: UserId, *since: datetime, before: int | None = None
    ) -> Sequence[int]:
        """Count the targets of a user's kicks since each of these times.

        Kicks that ended without a call do not count. With `before`, only kicks with a lower
        number count.
        """

    async def last_meeting(self, team: TeamId, channel: str) -> MeetingId | None:
        """Return the meeting of the newest kick from a channel; None if there is none."""

    async def record_event(self, event: Event) -> None:
        """Store an event that belongs to no transition.

        A refusal is added to the entry of the same hour, user, reason and stored kick, if there
        is one.
        """

    async def save_draft(self, draft: Draft) -> None:
        """Store a draft for a day. It replaces a draft with the same id."""

    async def get_draft(self, draft_id: str) -> Draft | None:
        """Return a draft; None if there is none."""


class Notifier(Protocol):
    """Shows people the state of a kick. It never raises: it logs errors, or reports them."""

    def watched_kicks(self) -> Sequence[KickId]:
        """Return the kicks whose end is not shown yet in the modals of this process."""

    async def update_modals(self, kick: Kick) -> None:
        """Show the kick's current state in the open modals of its requester and approvers."""

    async def report_problem(self, kick: Kick, problem: str) -> None:
        """Tell the requester that the bot failed, or cannot say what happened."""

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        """Post a message, or edit the posted one, so that it shows the kick's current state."""


class Clock(Protocol):
    """The time: the store's, which all processes share. Tests replace it."""

    def now(self) -> datetime:
        """Return the store's current time, aware, in UTC. For dates that are stored."""

    def monotonic(self) -> float:
        """Return seconds that only grow. For ages and durations within this process."""

    async def sync(self) -> bool:
        """Read the store's time again. Return whether the store's clock was stepped.

        Raises StoreUnavailable. Then the time goes on as it was.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""


# Starts work that outlives the request it came from. The bot waits for it before it exits.
Spawn: TypeAlias = Callable[[Coroutine[object, object, object]], None]
