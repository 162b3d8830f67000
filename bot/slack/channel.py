"""How people are told how it went: the channel, the view they look at, or a direct message."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import OPEN, ChannelId, Kick, KickId, State, UserId
from bot.core.outbox_message import MessageKind, OutboxMessage
from bot.core.ports import Delivery
from bot.slack import messages, modals, progress, remedies
from bot.slack.api import SlackCallError, post_json
from bot.slack.cards import card
from bot.slack.messages import Message
from bot.slack.modals import Modal
from bot.slack.windows import Origins, Windows

logger = logging.getLogger(__name__)

WATCHED = 1000
# What nobody can change any more needs no further try.
# https://docs.slack.dev/reference/methods/chat.update#errors (`is_inactive`: archived, too)
GONE = {
    "message_not_found",
    "channel_not_found",
    "is_inactive",
    "cant_update_message",
    "edit_window_closed",
}


@dataclass(frozen=True, slots=True)
class Watching:
    """A view in which somebody waits for a kick: it, the one under it, and their origin."""

    view_id: str
    root_view_id: str | None
    origin: str


class _Views:
    """The open views of one kick: those who asked for it look at one, whoever decided at others.

    `order`: what is shown must come in the order in which it happened. `is_told`: they show how
    it ended.
    """

    def __init__(self) -> None:
        self.is_told = False
        self.requester: Watching | None = None
        self.deciders: list[Watching] = []
        self.order = asyncio.Lock()


class SlackNotices:
    """Implements the port Notices: never raises; what Slack refuses is told in another way.

    `posting` is a client that waits for nothing: what can't be posted now is posted later.
    `approvals` is the channel for cards, `ping` the user groups that they mention.
    """

    def __init__(
        self,
        posting: AsyncWebClient,
        windows: Windows,
        origins: Origins,
        *,
        approvals: ChannelId | None = None,
        ping: Sequence[str] = (),
    ) -> None:
        self._posting = posting
        self._windows = windows
        self._origins = origins
        self._approvals = approvals
        self._ping = tuple(ping)
        self._views: OrderedDict[KickId, _Views] = OrderedDict()

    def watch(self, kick: KickId, watching: Watching) -> None:
        """Remember in which view the requester waits for this kick; the first one counts."""
        views = self._views_of(kick)
        views.requester = views.requester or watching

    def watch_decision(self, kick: KickId, watching: Watching) -> None:
        """Remember in which view somebody who decides waits for what comes of it."""
        views = self._views_of(kick)
        views.is_told = False
        if watching not in views.deciders:
            views.deciders.append(watching)

    def _views_of(self, kick: KickId) -> _Views:
        views = self._views.setdefault(kick, _Views())
        while len(self._views) > WATCHED:
            self._views.popitem(last=False)
        return views

    def watched_kicks(self) -> tuple[KickId, ...]:
        """List the kicks whose end somebody waits for in a view that was opened here."""
        return tuple(kick for kick, views in self._views.items() if not views.is_told)

    async def update_modals(self, kick: Kick) -> None:
        """Show how it stands in the open views of those who asked for it or decided it."""
        if kick.state not in OPEN and kick.id in self._views:
            # Before it is: nobody else should begin to, and come later with less to say.
            self._views[kick.id].is_told = True
        await self._show(kick, progress.view(kick), everybody=True)

    async def report_problem(self, kick: Kick, words: str) -> None:
        """Tell the requester that the bot itself can't go on."""
        text = (
            f"{words} What became of kick #{kick.number} is not known here; the bot looks again"
            " by itself, and tells you. Look into the meeting before you try again."
        )
        if not await self._show(kick, modals.note(f"Kick #{kick.number}", text)):
            await self._direct(kick.requester, messages.whisper(text))

    async def cover(self, kick: Kick) -> None:
        """Replace the form under a review that was sent: its submit would ask for it again."""
        views = self._views.get(kick.id)
        watching = views.requester if views else None
        if views and watching and watching.root_view_id not in {None, watching.view_id}:
            async with views.order:
                await self._windows.update(watching.root_view_id or "", progress.view(kick))

    async def _show(self, kick: Kick, view: Modal, *, everybody: bool = False) -> bool:
        """Fill the requester's open view, and the deciders'; tell whether the requester's was."""
        views = self._views.get(kick.id)
        if views is None:
            return False
        async with views.order:
            if everybody:
                await asyncio.gather(*(self._fill(one, view) for one in views.deciders))
            return views.requester is not None and await self._fill(views.requester, view)

    async def _fill(self, watching: Watching, view: Modal) -> bool:
        shown = await self._windows.update(watching.view_id, view)
        if watching.root_view_id and watching.root_view_id != watching.view_id:
            await self._windows.update(watching.root_view_id, view)
        return shown

    async def deliver(self, notice: OutboxMessage, kick: Kick) -> Delivery:
        """Post a notice, or change what was posted, so that it says how the kick stands."""
        if notice.kind is MessageKind.REQUESTER:
            return await self._word(kick)
        message = (
            self._card(kick) if notice.kind is MessageKind.CARD else self._result(kick, notice)
        )
        if notice.ts and notice.channel:
            return await self._change(notice.channel, notice.ts, message)
        if notice.kind is MessageKind.CARD:
            return await self._ask(notice, kick, message)
        return await self._publish(notice, kick, message)

    def _card(self, kick: Kick) -> Message:
        return card(kick, self._ping)

    def _result(self, kick: Kick, notice: OutboxMessage) -> Message:
        return messages.result(kick, doubtful=notice.maybe_delivered)

    async def settle_card(self, kick: Kick, channel: ChannelId, ts: str) -> None:
        """Take the button off a card that somebody pressed though its request is decided."""
        await self._change(channel, ts, self._card(kick))

    async def _change(self, channel: ChannelId, ts: str, message: Message) -> Delivery:
        try:
            await post_json(self._posting, "chat.update", channel=channel, ts=ts, **message)
        except SlackCallError as error:
            logger.warning("a message was not changed: %s", error)
            return Delivery(delivered=True) if error.code in GONE else _later(error)
        return Delivery(delivered=True, channel=channel, ts=ts)

    async def _ask(self, notice: OutboxMessage, kick: Kick, message: Message) -> Delivery:
        """Post the card of a request that still waits; before the first one nothing is settled."""
        if kick.state is not State.WAITING or self._approvals is None:
            return Delivery(delivered=True)
        try:
            return await self._post_at_last(notice, kick, self._approvals, message)
        except SlackCallError as error:
            logger.warning("kick %s: nobody could be asked: %s", kick.number, error)
            if not notice.attempts:
                await self._unasked(kick, self._approvals, error)
            return _later(error)

    async def _unasked(self, kick: Kick, channel: ChannelId, failure: SlackCallError) -> None:
        words = remedies.unasked(kick, channel, failure.code)
        shown = await self._show(kick, progress.view(kick, words))
        if not (shown and failure.is_transient):
            await self._direct(kick.requester, messages.whisper(words))

    async def _publish(self, notice: OutboxMessage, kick: Kick, message: Message) -> Delivery:
        """Post a result in its channel; by the command's own answer or to its asker if need be."""
        try:
            return await self._post_at_last(notice, kick, kick.channel_id, message)
        except SlackCallError as error:
            logger.warning("kick %s was not posted: %s", kick.number, error)
            failure = error
        if failure.is_transient:
            # What may have got through is posted again, and says so: silence would be worse.
            if not notice.attempts:
                await self._show(kick, progress.view(kick, remedies.unpublished(failure.code)))
            return _later(failure)
        views = self._views.get(kick.id)
        origin = views.requester.origin if views and views.requester else ""
        unanswered = await self._origins.answer(origin, message, openly=True)
        if unanswered is None:
            return Delivery(delivered=True)
        words = remedies.unpostable(kick, failure.code, doubtful=unanswered.maybe_applied)
        alone = await self._told_alone(kick, words)
        return replace(alone, maybe_delivered=alone.maybe_delivered or unanswered.maybe_applied)

    async def _told_alone(self, kick: Kick, words: str) -> Delivery:
        await self._show(kick, progress.view(kick, words))
        return await self._direct(kick.requester, messages.remark(kick, words))

    async def _word(self, kick: Kick) -> Delivery:
        if await self._show(kick, progress.view(kick)):
            return Delivery(delivered=True)
        return await self._direct(kick.requester, messages.word(kick))

    async def _direct(self, user: UserId, message: Message) -> Delivery:
        try:
            return await self._post(ChannelId(user), message)
        except SlackCallError as error:
            logger.error("%s could not be told: %s (%s)", user, message["text"], error)  # noqa: TRY400 - no traceback needed
            return _later(error)

    async def _post_at_last(
        self, notice: OutboxMessage, kick: Kick, channel: ChannelId, message: Message
    ) -> Delivery:
        delivery = await self._post(channel, message)
        if notice.attempts:
            # The view said that it was not posted yet.
            await self._show(kick, progress.view(kick))
        return delivery

    async def _post(self, channel: ChannelId, message: Message) -> Delivery:
        quiet = {"unfurl_links": False, "unfurl_media": False}
        reply = await post_json(
            self._posting, "chat.postMessage", channel=channel, **message, **quiet
        )
        return Delivery(delivered=True, channel=ChannelId(reply["channel"]), ts=str(reply["ts"]))


def _later(failure: SlackCallError) -> Delivery:
    wait = timedelta(seconds=failure.retry_after) if failure.retry_after is not None else None
    return Delivery(
        delivered=False, retry_after=wait, maybe_delivered=failure.maybe_applied, error=str(failure)
    )
