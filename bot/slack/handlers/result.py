"""The conversation about a result: check the people with an unknown outcome again."""

from dataclasses import dataclass

from slack_bolt.async_app import AsyncAck

from bot.core.kick import KickId
from bot.core.kick_service import KickService
from bot.core.policy import Verdict
from bot.core.ports import Spawn
from bot.slack.modals import PORT_ERRORS, Modals, bugs_logged
from bot.slack.payloads import Interaction
from bot.slack.views import failures
from bot.slack.views.wording import checked_again


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultHandlers:
    """Handles *Check again* under a result."""

    kick_service: KickService
    modals: Modals
    spawn: Spawn

    async def check_again(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Check the people with an unknown outcome again, and tell the user the result."""
        self.spawn(self._check(sent, kick))
        await ack()

    async def _check(self, sent: Interaction, kick_id: KickId) -> None:
        try:
            with bugs_logged():
                found = await self.kick_service.check_again(kick_id, sent.user_id)
        except PORT_ERRORS as error:
            text = failures.nothing_shown(error)
        else:
            text = found.reason if isinstance(found, Verdict) else checked_again(found)
        await self.modals.reply(sent, text)
