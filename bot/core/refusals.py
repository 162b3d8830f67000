"""Refusals in the audit log: counted for each user, so that nobody can fill it by clicking."""

import logging
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from bot.core.event import Event, EventKind
from bot.core.kick import KickId, UserId
from bot.core.policy import Verdict, may_open, refusal
from bot.core.ports import Spawn, Store, StoreUnavailable
from bot.core.service import Service

logger = logging.getLogger(__name__)

WINDOW = 60.0  # seconds, by the monotonic clock
MAX_REFUSALS = 20  # of one user within the window
MAX_COUNTED = 10_000  # kinds of refusals that wait to be stored
TOO_OFTEN = "You were refused too often. Wait a minute."


@dataclass(slots=True)
class _Window:
    begins: float
    count: int = 0


@dataclass(frozen=True, slots=True)
class Refusals:
    """Stores the first refusal of a kind at once, and adds up those that follow it.

    A kind is one user, reason and kick. `flush` stores the sums. Call it every few seconds.
    """

    _later: dict[Hashable, Event | None] = field(init=False, default_factory=dict)
    _windows: dict[UserId | None, _Window] = field(init=False, default_factory=dict)

    async def record(self, store: Store, event: Event) -> None:
        """Store a refusal now, or count it if the last one of its kind was a moment ago."""
        is_first = _kind(event) not in self._later
        self._later.setdefault(_kind(event), None)
        if is_first:
            await self._store(store, event)
        else:
            self.count(event)

    def count(self, event: Event) -> None:
        """Count a refusal. `flush` stores it."""
        before = self._later.get(_kind(event))
        if before is None and len(self._later) > MAX_COUNTED:
            logger.error("a refusal of %s is not on record: too many wait", event.actor)
            return
        count = event.count + (before.count if before else 0)
        self._later[_kind(event)] = replace(event, count=count)

    def is_too_many(self, user: UserId, now: float) -> bool:
        """Tell whether this user was refused at least `MAX_REFUSALS` times in this window."""
        window = self._windows.get(user)
        return bool(window and now < window.begins + WINDOW and window.count >= MAX_REFUSALS)

    def add_to_window(self, user: UserId, now: float) -> None:
        """Count a refusal of this user for `is_too_many`."""
        window = self._windows.get(user)
        if window is None or now >= window.begins + WINDOW:
            self._windows[user] = window = _Window(now)
        window.count += 1

    async def flush(self, store: Store, now: float) -> None:
        """Store what was counted since the last call. What can't be stored is kept."""
        for kind, event in list(self._later.items()):
            if event is None:
                del self._later[kind]
            else:
                self._later[kind] = None
                await self._store(store, event)
        for user, window in list(self._windows.items()):
            if now >= window.begins + WINDOW:
                del self._windows[user]

    async def _store(self, store: Store, event: Event) -> None:
        try:
            await store.record_event(event)
        except StoreUnavailable as error:
            logger.error("a refusal of %s is not on record: %s", event.actor, error)  # noqa: TRY400 - no traceback needed
            self.count(event)


def _kind(event: Event) -> Hashable:
    return event.actor, event.note, event.kick_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusingService(Service):
    """Base of the service that records refusals."""

    spawn: Spawn
    _refusals: Refusals = field(init=False, default_factory=Refusals)

    def refuse(self, user: UserId, reason: str, kick: KickId | None = None) -> None:
        """Start a task that records a refusal in the audit log. The caller tells the user."""
        self.spawn(self.record_refusal(user, reason, kick))

    async def record_refusal(
        self, user: UserId, reason: str, kick: KickId | None = None
    ) -> Verdict:
        """Return a refusal as a verdict, after recording it. The user gets it in any case."""
        self._refusals.add_to_window(user, self.clock.monotonic())
        event = Event(self.clock.now(), EventKind.REFUSED, user, reason, kick)
        await self._refusals.record(self.store, event)
        return refusal(reason)

    async def flush_refusals(self) -> None:
        """Store the refusals that were counted since the last call."""
        await self._refusals.flush(self.store, self.clock.monotonic())

    def turn_away(self, user: UserId) -> str:
        """Return why the bot does nothing for a user now, and count that; else an empty text.

        That is for users without a role who were refused often in the last minute.
        """
        now = self.clock.monotonic()
        if not self._refusals.is_too_many(user, now):
            return ""
        member = self.directory.cached_membership(user)
        if member and member.is_fresh(now) and may_open(self.policy, member, now).is_allowed:
            return ""
        self._refusals.count(Event(self.clock.now(), EventKind.REFUSED, user, TOO_OFTEN))
        return TOO_OFTEN
