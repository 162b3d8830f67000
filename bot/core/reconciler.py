"""The reconciler: it recovers work that no process is handling, at start and every 2 s.

Any number of processes may do this on the same store: each recovery begins with one conditional
write, and the process that loses does nothing more.
"""

import logging

from bot.core.kick import OPEN, KickId
from bot.core.kick_service import KickService
from bot.core.outbox import Outbox
from bot.core.ports import Clock, Notifier, Spawn, Store, StoreUnavailable

logger = logging.getLogger(__name__)

TICK_INTERVAL = 2.0  # seconds


class Reconciler:
    """Recovers expired requests, interrupted kicks, and messages that are not delivered."""

    def __init__(
        self,
        *,
        store: Store,
        kick_service: KickService,
        outbox: Outbox,
        notifier: Notifier,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._kick_service = kick_service
        self._outbox = outbox
        self._clock = clock
        self._spawn = spawn
        self._delivering = False

    async def run(self) -> None:
        """Tick every `TICK_INTERVAL` until cancelled."""
        while True:
            try:
                await self.tick()
            except Exception:
                # A bug in the bot must not end the loop: other kicks depend on it.
                logger.exception("the recovery of overdue work failed")
            await self._clock.sleep(TICK_INTERVAL)

    async def tick(self) -> None:
        """Recover overdue work. If the store is unavailable, try again at the next tick."""
        try:
            for kick in await self._store.overdue_kicks(self._clock.now()):
                self._kick_service.recover(kick)
            for kick_id in self._notifier.watched_kicks():
                await self._update_modals(kick_id)
        except StoreUnavailable as error:
            logger.warning("overdue work can't be read: %s", error)
            return
        if not self._delivering:
            self._delivering = True
            self._spawn(self._deliver())

    async def _update_modals(self, kick_id: KickId) -> None:
        """Show the end of a kick that another process ran or decided."""
        kick = await self._store.get_kick(kick_id)
        if kick and kick.state not in OPEN:
            self._spawn(self._notifier.update_modals(kick))

    async def _deliver(self) -> None:
        try:
            await self._outbox.deliver_overdue()
        finally:
            self._delivering = False
