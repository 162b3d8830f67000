"""The reconciler: it recovers work that no process is handling, at start and every 2 s.

Any number of processes may do this on the same store: each recovery begins with one conditional
write, and the process that loses does nothing more.
"""

import logging
from dataclasses import dataclass, field

from bot.core.kick import OPEN
from bot.core.kick_service import KickService
from bot.core.outbox import Outbox
from bot.core.outbox_message import DELIVER_WITHIN
from bot.core.ports import Clock, Notifier, Spawn, Store, StoreUnavailable

logger = logging.getLogger(__name__)

TICK_INTERVAL = 2.0  # seconds


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Recovers expired requests, interrupted kicks, and messages that are not delivered."""

    store: Store
    kick_service: KickService
    outbox: Outbox
    notifier: Notifier
    clock: Clock
    spawn: Spawn
    _delivering: bool = field(init=False, default=False)
    _dates_hold_from: float = field(init=False, default=0.0)  # by the monotonic clock

    async def run(self) -> None:
        """Tick every `TICK_INTERVAL` until cancelled."""
        while True:
            try:
                await self.tick()
            except Exception:
                # A bug in the bot must not end the loop: other kicks depend on it.
                logger.exception("the recovery of overdue work failed")
            await self.clock.sleep(TICK_INTERVAL)

    async def tick(self) -> None:
        """Recover overdue work. If the store is unavailable, try again at the next tick."""
        try:
            dates_hold = await self._dates_hold()
            if dates_hold:
                for overdue in await self.store.overdue_kicks(self.clock.now()):
                    self.kick_service.recover(overdue)
            for kick_id in self.notifier.watched_kicks():
                kick = await self.store.get_kick(kick_id)
                # Another process may have run or decided it.
                if kick and kick.state not in OPEN:
                    self.spawn(self.notifier.update_modals(kick))
        except StoreUnavailable as error:
            logger.warning("overdue work can't be read: %s", error)
            return
        await self.kick_service.flush_refusals()
        if dates_hold and not self._delivering:
            self._delivering = True
            self.spawn(self._deliver())

    async def _dates_hold(self) -> bool:
        """Follow the store's clock, and tell whether the stored leases can be judged by it.

        If it was stepped, the leases of other processes are still in the old time. Each process
        follows at its next tick, and renews its leases soon after. No lease is longer than
        `DELIVER_WITHIN`, so what is still in the old time by then, nobody is handling.
        """
        if await self.clock.sync():
            self._dates_hold_from = self.clock.monotonic() + DELIVER_WITHIN.total_seconds()
        return self.clock.monotonic() >= self._dates_hold_from

    async def _deliver(self) -> None:
        try:
            await self.outbox.deliver_overdue()
        finally:
            self._delivering = False
