"""The conversation about a result: kick again, or check again what became of the people."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from slack_bolt.async_app import AsyncAck

from bot.core.kick import KickId
from bot.core.kick_service import KickService
from bot.core.policy import Verdict
from bot.core.ports import Spawn
from bot.core.review_service import KickRequest, ReviewService
from bot.slack.api import ResponseUrls
from bot.slack.modals import PORT_ERRORS, ModalRef, Modals
from bot.slack.payloads import Interaction, ViewMetadata
from bot.slack.views import failures
from bot.slack.views.blocks import text_modal
from bot.slack.views.wording import checked_again

UNKNOWN_KICK = "That kick is not in this bot's record any more."

OpenLoading = Callable[[str, ViewMetadata], Awaitable[ModalRef | None]]


class ShowReview(Protocol):
    """Shows in a modal what a request would do."""

    async def __call__(
        self, modal: ModalRef, request: KickRequest, metadata: ViewMetadata, *, back: bool
    ) -> None:
        """Show it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultHandlers:
    """Handles the buttons under a result. The review of *Kick again* is that of the command."""

    review_service: ReviewService
    kick_service: KickService
    responses: ResponseUrls
    modals: Modals
    open_loading: OpenLoading
    show_review: ShowReview
    spawn: Spawn

    async def kick_again(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Open the review of a kick that repeats an old one."""
        verdict = self.review_service.may_open_cached(sent.user.id)
        if verdict is not None and not verdict.is_allowed:
            self.kick_service.refuse(sent.user.id, verdict.reason)
            self.spawn(self.modals.reply(sent, verdict.reason))
        else:
            self.spawn(self._repeat(sent, kick))
        await ack()

    async def _repeat(self, sent: Interaction, kick: KickId) -> None:
        if sent.channel is None:
            return
        response_id = self.responses.register(sent.user.id, sent.response_url)
        metadata = ViewMetadata(channel=sent.channel.id, response_id=response_id)
        modal = await self.open_loading(sent.trigger_id, metadata)
        if modal is None:
            return
        async with self.modals.errors_shown(modal):
            request = await self.review_service.repeat_kick(kick, sent.user.id, sent.channel.id)
            if request is None:
                await self.modals.show(modal, text_modal("Kick again", UNKNOWN_KICK))
            else:
                await self.show_review(modal, request, metadata, back=False)

    async def check_again(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Read once more what became of the people whose outcome is unknown."""
        self.spawn(self._check(sent, kick))
        await ack()

    async def _check(self, sent: Interaction, kick_id: KickId) -> None:
        try:
            kick = await self.kick_service.check_again(kick_id, sent.user.id)
        except PORT_ERRORS as error:
            await self.modals.reply(sent, failures.nothing_shown(error))
            return
        await self.modals.reply(
            sent, kick.reason if isinstance(kick, Verdict) else checked_again(kick)
        )
