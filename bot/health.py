"""Whether the bot works, for `/healthz` and the log."""

import logging
from dataclasses import dataclass

from bot.core.ports import StoreUnavailable
from bot.socket_mode import SocketClient
from bot.store import SqlStore

logger = logging.getLogger(__name__)

NOT_CONNECTED = "no connection to Slack"
NO_DATABASE = "the database does not answer"


@dataclass(frozen=True, slots=True)
class Health:
    """Checks whether the bot works."""

    store: SqlStore
    socket: SocketClient | None

    async def __call__(self) -> str:
        """Return what is wrong, in words for strangers; empty if nothing is."""
        if self.socket and not await self.socket.is_connected():
            return NOT_CONNECTED
        try:
            await self.store.check()
        except StoreUnavailable as error:
            logger.warning("%s: %s", NO_DATABASE, error)
            return NO_DATABASE
        return ""
