"""The keeper: what nobody has in hand is taken up, at start and every few seconds after.

Any number of processes may keep the same store: each thing taken up is one conditional write,
and whoever loses leaves it alone.
"""

import logging

from bot.core.kick import OPEN, KickId
from bot.core.kick_service import KickService
from bot.core.outbox import Outbox
from bot.core.ports import Clock, Notifier, Spawn, Store, StoreUnavailable

logger = logging.getLogger(__name__)

TICK_INTERVAL = 2.0  # seconds


class Reconciler:
    """Looks after requests that expired, kicks left behind, and messages not delivered yet."""

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
        """Look, again and again, until cancelled."""
        while True:
            try:
                await self.tick()
            except Exception:
                # A fault of our own must not end the looking: other kicks depend on it.
                logger.exception("looking for what is overdue failed")
            await self._clock.sleep(TICK_INTERVAL)

    async def tick(self) -> None:
        """Take up what is overdue; a store that is down is looked into the next time."""
        try:
            for kick in await self._store.overdue_kicks(self._clock.now()):
                self._kick_service.recover(kick)
            for watched in self._notifier.watched_kicks():
                await self._update_modals(watched)
        except StoreUnavailable as error:
            logger.warning("what is overdue is not known: %s", error)
            return
        if not self._delivering:
            self._delivering = True
            self._spawn(self._deliver())

    async def _update_modals(self, kick_id: KickId) -> None:
        """Show how a kick ended that another process carried out or decided."""
        kick = await self._store.get_kick(kick_id)
        if kick and kick.state not in OPEN:
            self._spawn(self._notifier.update_modals(kick))

    async def _deliver(self) -> None:
        try:
            await self._outbox.deliver_overdue()
        finally:
            self._delivering = False
