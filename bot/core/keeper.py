"""The keeper: what nobody has in hand is taken up, at start and every few seconds after.

Any number of processes may keep the same store: each thing taken up is one conditional write,
and whoever loses leaves it alone.
"""

import logging

from bot.core.flow import Flow
from bot.core.kick import OPEN, KickId
from bot.core.ports import Clock, Notices, Spawn, Store, StoreDown
from bot.core.post import Post

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds


class Keeper:
    """Looks after requests that expired, kicks left behind, and messages not delivered yet."""

    def __init__(
        self,
        *,
        store: Store,
        flow: Flow,
        post: Post,
        notices: Notices,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._store = store
        self._notices = notices
        self._flow = flow
        self._post = post
        self._clock = clock
        self._spawn = spawn
        self._delivering = False

    async def keep(self) -> None:
        """Look, again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                # A fault of our own must not end the looking: other kicks depend on it.
                logger.exception("looking for what is overdue failed")
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Take up what is overdue; a store that is down is looked into the next time."""
        try:
            for kick in await self._store.overdue(self._clock.now()):
                self._flow.take_up(kick)
            for watched in self._notices.watched():
                await self._show(watched)
        except StoreDown as error:
            logger.warning("what is overdue is not known: %s", error)
            return
        if not self._delivering:
            self._delivering = True
            self._spawn(self._deliver())

    async def _show(self, kick_id: KickId) -> None:
        """Show how a kick ended that another process carried out or decided."""
        kick = await self._store.get(kick_id)
        if kick and kick.state not in OPEN:
            self._spawn(self._notices.show(kick))

    async def _deliver(self) -> None:
        try:
            await self._post.send_overdue()
        finally:
            self._delivering = False
