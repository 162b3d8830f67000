"""Delivers outbox messages to Slack, and updates open modals when their kick changes."""

import logging
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import OPEN, ChannelId, Kick, KickId, State, UserId
from bot.core.outbox_message import Delivery, MessageKind, OutboxMessage
from bot.slack.api import ResponseUrls, SlackCallError, post_json, required
from bot.slack.modals import KickModals
from bot.slack.views import blocks, failures
from bot.slack.views.blocks import Message
from bot.slack.views.card import card
from bot.slack.views.progress import progress, requester_message
from bot.slack.views.result import result

logger = logging.getLogger(__name__)

# The message can't be changed any more, so the bot does not try again.
# https://docs.slack.dev/reference/methods/chat.update#errors (`is_inactive`: archived, too)
_NOT_EDITABLE = {
    "message_not_found",
    "channel_not_found",
    "is_inactive",
    "cant_update_message",
    "edit_window_closed",
}
_DELIVERED = Delivery(delivered=True)


@dataclass(frozen=True, slots=True)
class SlackNotifier:
    """Implements the port Notifier. Never raises: it tries another way if Slack refuses a message.

    `client` must not wait for rate limits: the outbox posts the message later.
    `ping` are the ids of the user groups that a card mentions.
    """

    client: AsyncWebClient
    modals: KickModals
    responses: ResponseUrls
    _: KW_ONLY
    approvals_channel: ChannelId | None = None
    ping: Sequence[str] = ()

    def watched_kicks(self) -> tuple[KickId, ...]:
        """Return the kicks whose end is not shown yet in the modals of this process."""
        return self.modals.followed()

    async def update_modals(self, kick: Kick) -> None:
        """Show a kick's state in the modals of its requester and of its approvers."""
        await self.modals.show(kick.id, progress(kick), has_ended=kick.state not in OPEN)

    async def report_problem(self, kick: Kick, text: str) -> None:
        """Tell the requester that the bot can't say what happened."""
        text = (
            f"{text} What became of kick #{kick.number} is not known here; the bot looks again"
            " by itself, and tells you. Look into the meeting before you try again."
        )
        view = blocks.text_modal(f"Kick #{kick.number}", text)
        if not await self.modals.show_requester(kick.id, view):
            await self._send_direct(kick.requester, blocks.text_message(text))

    async def deliver(self, message: OutboxMessage, kick: Kick) -> Delivery:
        """Post a message, or edit the posted one, so that it shows the kick's current state."""
        if message.kind is MessageKind.REQUESTER:
            if await self.modals.show_requester(kick.id, progress(kick)):
                return _DELIVERED
            return await self._send_direct(kick.requester, requester_message(kick))
        is_card, twice = message.kind is MessageKind.CARD, message.maybe_delivered
        posted = card(kick, self.ping) if is_card else result(kick, maybe_delivered=twice)
        if message.ts:
            return await self._edit(message, posted)
        post = self._post_card if is_card else self._post_result
        return await post(message, kick, posted)

    async def _edit(self, message: OutboxMessage, changed: Message) -> Delivery:
        at = {"channel": message.channel, "ts": message.ts}
        try:
            await post_json(self.client, "chat.update", **at, **changed)
        except SlackCallError as error:
            logger.warning("a message was not changed: %s", error)
            return _DELIVERED if error.code in _NOT_EDITABLE else _retry(error)
        return Delivery(delivered=True, channel=message.channel, ts=message.ts)

    async def _post_card(self, message: OutboxMessage, kick: Kick, posted: Message) -> Delivery:
        """Post the card, unless the request was decided before the first card was posted."""
        channel = self.approvals_channel
        if kick.state is not State.WAITING or channel is None:
            return _DELIVERED
        try:
            return await self._post(message, kick, channel, posted)
        except SlackCallError as error:
            logger.warning("kick %s: the card was not posted: %s", kick.number, error)
            if not message.attempts:
                text = failures.card_not_posted(kick, channel, error.code)
                shown = await self.modals.show_requester(kick.id, progress(kick, text))
                if not (shown and error.is_transient):
                    await self._send_direct(kick.requester, blocks.text_message(text))
            return _retry(error)

    async def _post_result(self, message: OutboxMessage, kick: Kick, posted: Message) -> Delivery:
        """Post the result. If Slack refuses, use the response URL, or else a direct message."""
        try:
            return await self._post(message, kick, kick.channel_id, posted)
        except SlackCallError as error:
            logger.warning("kick %s was not posted: %s", kick.number, error)
            failure = error
        if failure.is_transient:
            # Slack may have posted it. The next attempt then says that it may be there twice.
            if not message.attempts:
                text = failures.result_delayed(failure.code)
                await self.modals.show_requester(kick.id, progress(kick, text))
            return _retry(failure)
        response_id = self.modals.response_id(kick.id)
        refused = await self.responses.respond(response_id, posted, in_channel=True)
        if refused is None:
            return _DELIVERED
        maybe = refused.maybe_applied
        text = failures.result_not_posted(kick, failure.code, maybe_delivered=maybe)
        await self.modals.show_requester(kick.id, progress(kick, text))
        direct = await self._send_direct(kick.requester, result(kick, note=text))
        return replace(direct, maybe_delivered=direct.maybe_delivered or maybe)

    async def _send_direct(self, user: UserId, message: Message) -> Delivery:
        try:
            return await self._send(ChannelId(user), message)
        except SlackCallError as error:
            logger.error("%s was not told: %s (%s)", user, message["text"], error)  # noqa: TRY400 - no traceback needed
            return _retry(error)

    async def _post(
        self, message: OutboxMessage, kick: Kick, channel: ChannelId, posted: Message
    ) -> Delivery:
        delivery = await self._send(channel, posted)
        if message.attempts:
            # The requester's modal said that it was not posted yet.
            await self.modals.show_requester(kick.id, progress(kick))
        return delivery

    async def _send(self, channel: ChannelId, message: Message) -> Delivery:
        arguments = {**message, "unfurl_links": False, "unfurl_media": False}
        reply = await post_json(self.client, "chat.postMessage", channel=channel, **arguments)
        where, ts = (required(reply, "chat.postMessage", name, str) for name in ("channel", "ts"))
        return Delivery(delivered=True, channel=ChannelId(where), ts=ts)


def _retry(error: SlackCallError) -> Delivery:
    wait = timedelta(seconds=error.retry_after) if error.retry_after is not None else None
    return Delivery(
        delivered=False,
        retry_after=wait,
        maybe_delivered=error.maybe_applied,
        error=str(error),
    )
