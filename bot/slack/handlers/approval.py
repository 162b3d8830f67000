"""The conversation about a request: a second person decides it, or the requester cancels it."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.approval_service import ApprovalService, ApprovalView
from bot.core.kick import OPEN, ChannelId, Kick, KickId, UserId
from bot.core.outbox import Outbox
from bot.core.policy import Verdict
from bot.core.ports import Clock, Spawn, StoreUnavailable
from bot.core.reconciler import TICK_INTERVAL
from bot.slack.api import SlackCallError, post_json
from bot.slack.modals import PORT_ERRORS, KickModals, ModalRef, Modals, bugs_logged
from bot.slack.payloads import Interaction, View, ViewMetadata
from bot.slack.views import failures
from bot.slack.views.approval import ApprovalMetadata, approval, denial, parse_note
from bot.slack.views.blocks import Modal, text_modal
from bot.slack.views.card import card
from bot.slack.views.progress import progress

logger = logging.getLogger(__name__)

TOO_LATE = "Slack did not open the request in time. Press the button again."
DECIDED_BEFORE = "This was decided before your click, which changed nothing."
PRESS_AGAIN = "Press the button on the card again."
OUTDATED = "This belongs to an older version of the bot. Start again with the command."
MAX_POLLS = 30  # one minute; a kick that ends later is not shown in the modal

Decision = Kick | ApprovalView | Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalHandlers:
    """Handles the card's button, both modals of a request, and *Cancel request*."""

    approval_service: ApprovalService
    outbox: Outbox
    client: AsyncWebClient
    modals: Modals
    kick_modals: KickModals
    clock: Clock
    spawn: Spawn

    # Look at a request

    async def review_request(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Open a request, for a user who may decide it or for its requester."""
        self.spawn(self._review(sent, kick))
        await ack()

    async def _review(self, sent: Interaction, kick_id: KickId) -> None:
        loading = text_modal("Kick", "Looking who is there now…")
        modal = await self.modals.open(sent, loading, TOO_LATE)
        if modal is None:
            return
        metadata = ViewMetadata(channel=sent.channel_id, response_id=modal.response_id)
        async with self.modals.errors_shown(modal, failures.nothing_shown):
            if sent.place:
                await self.outbox.record_card_location(kick_id, *sent.place)
            found = await self.approval_service.open_request(kick_id, sent.user_id)
            await self.modals.show(modal, self._view(found, metadata), PRESS_AGAIN)
            if isinstance(found, ApprovalView) and not found.is_open:
                await self._close_card(found.kick, sent.place)
                await self._show_end(modal, found.kick)

    def _view(self, found: ApprovalView | Verdict, metadata: ViewMetadata) -> Modal:
        if isinstance(found, Verdict):
            return text_modal("Kick", found.reason)
        if found.is_open:
            return approval(found, metadata, self.clock.now())
        return progress(found.kick)

    async def _close_card(self, kick: Kick, place: tuple[ChannelId, str] | None) -> None:
        """Remove the button from a card whose request is decided."""
        if not kick.approval_requested or place is None:
            return
        channel, ts = place
        try:
            await post_json(self.client, "chat.update", channel=channel, ts=ts, **card(kick))
        except SlackCallError as error:
            logger.warning("a card was not changed: %s", error)

    async def _show_end(self, modal: ModalRef, kick: Kick) -> None:
        """If a kick is still running, wait for its end and show it."""
        for _ in range(MAX_POLLS):
            if kick.state not in OPEN:
                return
            await self.clock.sleep(TICK_INTERVAL)
            with suppress(StoreUnavailable):
                kick = await self.approval_service.refresh(kick)
                if kick.state not in OPEN:
                    await self.modals.show(modal, progress(kick))

    # Decide

    async def submit_approval(
        self, ack: AsyncAck, user: UserId, view: View, request: ApprovalMetadata
    ) -> None:
        """Approve a request. The ack replaces the button, so that it is pressed only once."""
        modal = ModalRef.of(view, external_id=uuid4().hex)
        approve = partial(self.approval_service.approve, request.kick, user, request.seen)
        self.spawn(self._decide(modal, user, approve, request))
        loading = text_modal("Kick", "Looking who is there now…", external_id=modal.external_id)
        await ack(response_action="update", view=loading)

    async def submit_denial(
        self, ack: AsyncAck, user: UserId, view: View, request: ApprovalMetadata
    ) -> None:
        """Deny a request. The modal under this one can't approve it afterwards."""
        modal = ModalRef.of(view, external_id=uuid4().hex)
        deny = partial(self.approval_service.deny, request.kick, user, parse_note(view))
        self.spawn(self._decide(modal, user, deny, request))
        loading = text_modal("Kick", "Denying…", external_id=modal.external_id)
        await ack(response_action="update", view=loading)

    async def deny(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Ask for a note and a confirmation before a request is denied."""
        metadata = sent.metadata
        if metadata:
            question = denial(kick, metadata)
            self.spawn(self.modals.push(sent.trigger_id, question, metadata.response_id, TOO_LATE))
        await ack()

    async def cancel_request(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Cancel a request."""
        metadata = sent.metadata
        if metadata and sent.view:
            cancel = partial(self.approval_service.cancel, kick, sent.user_id)
            modal = ModalRef.of(sent.view)
            self.spawn(self._decide(modal, sent.user_id, cancel, metadata))
        await ack()

    async def _decide(
        self,
        modal: ModalRef,
        user: UserId,
        decide: Callable[[], Awaitable[Decision]],
        metadata: ViewMetadata,
    ) -> None:
        try:
            with bugs_logged():
                found = await decide()
        except PORT_ERRORS as error:
            text = failures.decision_unconfirmed(error)
            await self.modals.show(modal, text_modal("Kick", text), PRESS_AGAIN)
            return
        # Await nothing before the modal is followed: it would miss a change.
        if isinstance(found, Kick):
            await self._follow(modal, found)
        elif isinstance(found, ApprovalView) and not found.is_open:
            is_own = found.kick.approver == user
            await self._follow(modal, found.kick, "" if is_own else DECIDED_BEFORE)
        else:
            await self.modals.show(modal, self._view(found, metadata), PRESS_AGAIN)

    async def _follow(self, modal: ModalRef, kick: Kick, extra: str = "") -> None:
        """Show a kick's state, and update the modal until the kick ends."""
        if kick.state in OPEN:
            # Later updates use the view id: the external id is for the view of the ack.
            self.kick_modals.follow_as_approver(kick.id, replace(modal, external_id=""))
        shown = progress(kick, extra)
        await self.modals.show(modal, shown, PRESS_AGAIN)
        # Updates can arrive out of order. Repeat this one until the kick has not changed meanwhile.
        while kick.state in OPEN:
            with suppress(StoreUnavailable):
                kick = await self.approval_service.refresh(kick)
            before, shown = shown, progress(kick, extra)
            if shown == before:
                return
            await self.modals.show(modal, shown, PRESS_AGAIN)
