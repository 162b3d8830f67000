"""The post: what people are owed is delivered at least once, whatever Slack or this process does.

A notice says how its kick stands when it is delivered, not when it was owed: a message that is
late tells no old story.
"""

import asyncio
import logging
from weakref import WeakValueDictionary

from bot.core.kick import ChannelId, Event, Kick, KickId, What
from bot.core.notice import GIVE_UP_AFTER, Kind, Notice
from bot.core.ports import Clock, Delivery, Notices, Store, StoreDown

logger = logging.getLogger(__name__)

AT_ONCE = 8


class Post:
    """Delivers notices; never raises. What it can't deliver, or note as delivered, stays due."""

    def __init__(self, *, store: Store, notices: Notices, clock: Clock) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock
        self._few = asyncio.Semaphore(AT_ONCE)
        # Two changes of one kick in a row are told in their order.
        self._turns: WeakValueDictionary[KickId, asyncio.Lock] = WeakValueDictionary()

    async def send(self, kick: KickId) -> None:
        """Deliver what a kick owes, for the process that has just moved it."""
        async with self._turn(kick):
            try:
                owed = await self._store.owed(kick)
            except StoreDown as error:
                logger.warning("kick %s: what it owes is told later: %s", kick, error)
            else:
                await asyncio.gather(*(self._try(one) for one in owed))

    async def send_overdue(self) -> None:
        """Deliver what a process that died, or Slack when it was asked before, did not."""
        try:
            notices = await self._store.overdue_notices(self._clock.now())
        except StoreDown as error:
            logger.warning("what is owed is told later: %s", error)
            return
        await asyncio.gather(*(self._take(one) for one in notices))

    async def _take(self, notice: Notice) -> None:
        """Deliver a notice that is due, unless somebody else has taken it since it was read."""
        async with self._few, self._turn(notice.kick_id):
            mine = notice.taken(self._clock.now())
            try:
                is_mine = await self._store.note(notice, mine) is mine
            except StoreDown as error:
                logger.warning("kick %s: what it owes is told later: %s", notice.kick_id, error)
                return
            if is_mine:
                await self._try(mine)

    async def _try(self, notice: Notice) -> None:
        try:
            await self._deliver(notice)
        except StoreDown as error:
            logger.warning("kick %s: whether it was told is not noted: %s", notice.kick_id, error)
        except Exception:
            # A fault of our own: the notice stays due, and the other ones must go out.
            logger.exception("kick %s: telling failed", notice.kick_id)

    async def found_card(self, kick: KickId, channel: ChannelId, ts: str) -> None:
        """Note where somebody saw the card of a request, if its post was never confirmed.

        It is due there at once: its request may have been decided meanwhile. Raises StoreDown.
        """
        for notice in await self._store.owed(kick):
            if notice.kind is Kind.CARD and notice.ts is None:
                seen = notice.delivered(channel, ts)
                await self._store.note(notice, notice.placed(seen, self._clock.now()))

    def _turn(self, kick: KickId) -> asyncio.Lock:
        return self._turns.setdefault(kick, asyncio.Lock())

    async def _deliver(self, notice: Notice) -> None:
        kick = await self._store.get(notice.kick_id)
        if kick is None:
            logger.error("a notice names kick %s, which is not there", notice.kick_id)
            return
        delivery = await self._notices.deliver(notice, kick)
        now = self._clock.now()
        if delivery.told:
            await self._place(notice, notice.delivered(delivery.channel, delivery.ts))
        elif now - notice.since >= GIVE_UP_AFTER:
            await self._give_up(kick, notice, delivery)
        else:
            after = notice.put_off(now, delivery.wait, doubtful=delivery.doubtful)
            await self._store.note(notice, after)

    async def _place(self, notice: Notice, told: Notice) -> None:
        current = await self._store.note(notice, told)
        if current is told:
            return
        # Owed again meanwhile, or changed by another process: what stands there may be old.
        at = current if current.ts else told
        if at.ts and (current.ts is None or current.due_at is None):
            await self._store.note(current, current.placed(at, self._clock.now()))

    async def _give_up(self, kick: Kick, notice: Notice, delivery: Delivery) -> None:
        words = f"{notice.kind}: {delivery.words}"
        logger.error("kick %s was not told in a day: %s", kick.number, words)
        await self._store.record(Event(self._clock.now(), What.UNTOLD, None, words, kick.id))
        await self._store.note(notice, notice.delivered(None, None))
