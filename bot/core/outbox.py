"""The outbox: each message is delivered at least once, even if Slack or a process fails.

A late message shows the current state of its kick, not the state when it was queued.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId
from bot.core.outbox_message import GIVE_UP_AFTER, Delivery, MessageKind, OutboxMessage
from bot.core.ports import Clock, Notifier, Store, StoreUnavailable

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Delivers outbox messages. A message that fails, or cannot be recorded, stays due."""

    store: Store
    notifier: Notifier
    clock: Clock
    _slots: asyncio.Semaphore = field(
        init=False, default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT)
    )
    # Deliver the messages about one kick in the order of its transitions.
    _locks: WeakValueDictionary[KickId, asyncio.Lock] = field(
        init=False, default_factory=WeakValueDictionary
    )

    async def deliver_pending(self, kick: KickId) -> None:
        """Deliver the pending messages of a kick that this process changed. Never raises."""
        async with self._kick_lock(kick):
            try:
                pending = await self.store.pending_messages(kick)
            except StoreUnavailable as error:
                logger.warning("kick %s: its messages are delivered later: %s", kick, error)
            else:
                await asyncio.gather(*map(self._deliver_safely, pending))

    async def deliver_overdue(self) -> None:
        """Deliver what a process left when it died, and what Slack refused. Never raises."""
        try:
            overdue = await self.store.overdue_messages(self.clock.now())
        except StoreUnavailable as error:
            logger.warning("overdue messages are delivered later: %s", error)
            return
        await asyncio.gather(*map(self._lease_and_deliver, overdue))

    async def _lease_and_deliver(self, message: OutboxMessage) -> None:
        """Deliver an overdue message unless another process has leased it since it was read."""
        async with self._slots, self._kick_lock(message.kick_id):
            leased = message.leased(self.clock.now())
            try:
                stored = await self.store.update_message(message, leased)
            except StoreUnavailable as error:
                logger.warning("kick %s: a message comes later: %s", message.kick_id, error)
                return
            if stored is leased:
                await self._deliver_safely(leased)

    async def _deliver_safely(self, message: OutboxMessage) -> None:
        try:
            await self._deliver(message)
        except StoreUnavailable as error:
            logger.warning("kick %s: a delivery is not recorded: %s", message.kick_id, error)
        except Exception:
            # A bug in the bot: the message stays due, and must not stop the other messages.
            logger.exception("kick %s: a delivery failed", message.kick_id)

    async def record_card_location(self, kick: KickId, channel: ChannelId, ts: str) -> None:
        """Record where a user saw the card of a request, if its delivery was never confirmed.

        The card becomes due for an edit, because the request may have been decided by now.
        Raises StoreUnavailable.
        """
        for message in await self.store.pending_messages(kick):
            if message.kind is MessageKind.CARD and message.ts is None:
                seen = message.delivered(channel, ts)
                await self.store.update_message(message, message.moved_to(seen, self.clock.now()))

    def _kick_lock(self, kick: KickId) -> asyncio.Lock:
        return self._locks.setdefault(kick, asyncio.Lock())

    async def _deliver(self, message: OutboxMessage) -> None:
        kick = await self.store.get_kick(message.kick_id)
        if kick is None:
            logger.error("a message names kick %s, which does not exist", message.kick_id)
            return
        try:
            delivery = await self.notifier.deliver(message, kick)
        except Exception as error:
            # A bug in the bot. Slack may have the message, so the next attempt comes later, and
            # says that it may be there twice.
            logger.exception("kick %s: a delivery failed", kick.number)
            delivery = Delivery(delivered=False, maybe_delivered=True, error=repr(error))
        now = self.clock.now()
        if delivery.delivered:
            await self._record_delivery(message, message.delivered(delivery.channel, delivery.ts))
        elif now - message.since >= GIVE_UP_AFTER:
            await self._give_up(kick, message, delivery)
        else:
            postponed = message.postponed(
                now, delivery.retry_after, maybe_delivered=delivery.maybe_delivered
            )
            await self.store.update_message(message, postponed)

    async def _record_delivery(self, message: OutboxMessage, delivered: OutboxMessage) -> None:
        current = await self.store.update_message(message, delivered)
        if current is delivered:
            return
        # The message was queued again or changed during delivery, so the posted version may be
        # outdated. Edit it, at the place that is known.
        posted = current if current.ts else delivered
        if posted.ts and (current.ts is None or current.due_at is None):
            await self.store.update_message(current, current.moved_to(posted, self.clock.now()))

    async def _give_up(self, kick: Kick, message: OutboxMessage, delivery: Delivery) -> None:
        note = f"{message.kind}: {delivery.error}"
        logger.error("kick %s: a message was not delivered in a day: %s", kick.number, note)
        await self.store.record_event(
            Event(self.clock.now(), EventKind.DELIVERY_FAILED, None, note, kick.id)
        )
        await self.store.update_message(message, message.delivered(None, None))
