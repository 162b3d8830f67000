"""Whether the bot works, for `/healthz` and the log."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.ports import StoreUnavailable
from bot.slack.api import SlackCallError, post_form
from bot.socket_mode import SocketClient
from bot.store import SqlStore

logger = logging.getLogger(__name__)

NOT_CONNECTED = "no connection to Slack"
NO_DATABASE = "the database does not answer"
REFUSED = "Slack refuses the bot's token"
_REMEDY = (
    "Was the app removed? Install it again, set SLACK_BOT_TOKEN to its token, and start the bot"
    " again."
)
SHARED_FOR = 1.0  # seconds that a look at the database is good for
TOKEN_CHECK_INTERVAL = 60.0  # seconds
CHECKS_UNTIL_REPEATED = 60  # the error in the log, as long as the token is refused


@dataclass(slots=True)
class Token:
    """Whether Slack still accepts the bot's token. `refusal` is Slack's code; empty if it does."""

    client: AsyncWebClient
    refusal: str = ""

    async def watch(self) -> None:
        """Ask Slack again and again. If it refuses the token, say so in the log."""
        refused = 0
        while True:
            await asyncio.sleep(TOKEN_CHECK_INTERVAL)
            await self._check()
            if not self.refusal:
                refused = 0
                continue
            if refused % CHECKS_UNTIL_REPEATED == 0:
                logger.error("%s (%s). %s", REFUSED, self.refusal, _REMEDY)
            refused += 1

    async def _check(self) -> None:
        try:
            await post_form(self.client, "auth.test")
        except SlackCallError as error:
            if error.is_token_refused:
                self.refusal = error.code
            return
        if self.refusal:
            logger.warning("Slack accepts the bot's token again")
        self.refusal = ""


@asynccontextmanager
async def watched(client: AsyncWebClient) -> AsyncIterator[Token]:
    """Watch the client's token within the context."""
    token = Token(client)
    task = asyncio.create_task(token.watch())
    try:
        yield token
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(slots=True)
class Health:
    """Checks whether the bot works. Strangers may ask, so those who ask at once share a look."""

    store: SqlStore
    socket: SocketClient | None
    token: Token
    _stored: str = ""
    _looked_at: float = -math.inf
    _look: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self) -> str:
        """Return what is wrong, in words for strangers; empty if nothing is."""
        if self.token.refusal:
            return REFUSED
        if self.socket and not await self.socket.is_connected():
            return NOT_CONNECTED
        async with self._look:
            if time.monotonic() - self._looked_at > SHARED_FOR:
                self._stored = await self._database()
                self._looked_at = time.monotonic()
        return self._stored

    async def _database(self) -> str:
        try:
            await self.store.check()
        except StoreUnavailable as error:
            logger.warning("%s: %s", NO_DATABASE, error)
            return NO_DATABASE
        return ""
