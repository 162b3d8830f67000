"""The post: what people are owed is delivered at least once, whatever Slack or this process does.

A notice says how its kick stands when it is delivered, not when it was owed: a message that is
late tells no old story.
"""

import asyncio
import logging
from weakref import WeakValueDictionary

from bot.core.kick import ChannelId, Event, EventKind, Kick, KickId
from bot.core.outbox_message import GIVE_UP_AFTER, MessageKind, OutboxMessage
from bot.core.ports import Clock, Delivery, Notifier, Store, StoreUnavailable

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 8


class Outbox:
    """Delivers notices; never raises. What it can't deliver, or note as delivered, stays due."""

    def __init__(self, *, store: Store, notifier: Notifier, clock: Clock) -> None:
        self._store = store
        self._notifier = notifier
        self._clock = clock
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        # Two changes of one kick in a row are told in their order.
        self._locks: WeakValueDictionary[KickId, asyncio.Lock] = WeakValueDictionary()

    async def deliver_pending(self, kick: KickId) -> None:
        """Deliver what a kick owes, for the process that has just moved it."""
        async with self._kick_lock(kick):
            try:
                pending = await self._store.pending_messages(kick)
            except StoreUnavailable as error:
                logger.warning("kick %s: what it owes is told later: %s", kick, error)
            else:
                await asyncio.gather(*(self._deliver_safely(one) for one in pending))

    async def deliver_overdue(self) -> None:
        """Deliver what a process that died, or Slack when it was asked before, did not."""
        try:
            notifier = await self._store.overdue_messages(self._clock.now())
        except StoreUnavailable as error:
            logger.warning("what is owed is told later: %s", error)
            return
        await asyncio.gather(*(self._lease_and_deliver(one) for one in notifier))

    async def _lease_and_deliver(self, message: OutboxMessage) -> None:
        """Deliver a notice that is due, unless somebody else has taken it since it was read."""
        async with self._slots, self._kick_lock(message.kick_id):
            mine = message.leased(self._clock.now())
            try:
                is_mine = await self._store.update_message(message, mine) is mine
            except StoreUnavailable as error:
                logger.warning("kick %s: what it owes is told later: %s", message.kick_id, error)
                return
            if is_mine:
                await self._deliver_safely(mine)

    async def _deliver_safely(self, message: OutboxMessage) -> None:
        try:
            await self._deliver(message)
        except StoreUnavailable as error:
            logger.warning("kick %s: whether it was told is not noted: %s", message.kick_id, error)
        except Exception:
            # A fault of our own: the notice stays due, and the other ones must go out.
            logger.exception("kick %s: telling failed", message.kick_id)

    async def record_card_location(self, kick: KickId, channel: ChannelId, ts: str) -> None:
        """Note where somebody saw the card of a request, if its post was never confirmed.

        It is due there at once: its request may have been decided meanwhile.

        Raises StoreUnavailable.
        """
        for message in await self._store.pending_messages(kick):
            if message.kind is MessageKind.CARD and message.ts is None:
                seen = message.delivered(channel, ts)
                await self._store.update_message(message, message.moved_to(seen, self._clock.now()))

    def _kick_lock(self, kick: KickId) -> asyncio.Lock:
        return self._locks.setdefault(kick, asyncio.Lock())

    async def _deliver(self, message: OutboxMessage) -> None:
        kick = await self._store.get_kick(message.kick_id)
        if kick is None:
            logger.error("a notice names kick %s, which is not there", message.kick_id)
            return
        delivery = await self._notifier.deliver(message, kick)
        now = self._clock.now()
        if delivery.delivered:
            await self._record_delivery(message, message.delivered(delivery.channel, delivery.ts))
        elif now - message.since >= GIVE_UP_AFTER:
            await self._give_up(kick, message, delivery)
        else:
            after = message.postponed(
                now, delivery.retry_after, maybe_delivered=delivery.maybe_delivered
            )
            await self._store.update_message(message, after)

    async def _record_delivery(self, message: OutboxMessage, told: OutboxMessage) -> None:
        current = await self._store.update_message(message, told)
        if current is told:
            return
        # Owed again meanwhile, or changed by another process: what stands there may be old.
        at = current if current.ts else told
        if at.ts and (current.ts is None or current.due_at is None):
            await self._store.update_message(current, current.moved_to(at, self._clock.now()))

    async def _give_up(self, kick: Kick, message: OutboxMessage, delivery: Delivery) -> None:
        words = f"{message.kind}: {delivery.error}"
        logger.error("kick %s was not told in a day: %s", kick.number, words)
        await self._store.record_event(
            Event(self._clock.now(), EventKind.DELIVERY_FAILED, None, words, kick.id)
        )
        await self._store.update_message(message, message.delivered(None, None))
