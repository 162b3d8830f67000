"""How people are told how it went: the channel, the view they look at, or a direct message."""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import Kick, KickId, State, UserId
from bot.slack import messages, modals, texts
from bot.slack.api import SlackFailed, call
from bot.slack.windows import Origins, Windows

logger = logging.getLogger(__name__)

WATCHED = 1000
ON_ITS_WAY = {State.READY, State.RUNNING}


@dataclass(frozen=True, slots=True)
class Watching:
    """What the requester of a kick looks at: the review's view, the form under it, their origin."""

    view_id: str
    root_view_id: str | None
    origin: str
    # What is shown must come in the order in which it happened.
    order: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False)


class SlackNotices:
    """Implements the port Notices: never raises; what Slack refuses is told in another way."""

    def __init__(self, client: AsyncWebClient, windows: Windows, origins: Origins) -> None:
        self._client = client
        self._windows = windows
        self._origins = origins
        self._watching: OrderedDict[KickId, Watching] = OrderedDict()

    def watch(self, kick: KickId, watching: Watching) -> None:
        """Remember in which view the requester waits for this kick; the first one counts."""
        self._watching.setdefault(kick, watching)
        while len(self._watching) > WATCHED:
            self._watching.popitem(last=False)

    async def progress(self, kick: Kick) -> None:
        """Show that some answers are being looked into."""
        await self._show(kick, modals.doubtful(kick))

    async def trouble(self, kick: Kick, words: str) -> None:
        """Tell the requester that the bot itself can't go on."""
        text = (
            f"{words} What became of kick #{kick.number} is not known here; the bot looks again"
            " when it starts next. Look into the meeting before you try again."
        )
        if not await self._show(kick, modals.note(f"Kick #{kick.number}", text)):
            await self._direct(kick.requester, text)

    async def ended(self, kick: Kick) -> None:
        """Tell the result in the channel, and in the view; a kick that never ran only to its asker.

        Where the bot can't post, the interaction's own response_url does; where that fails too,
        the requester hears so, and how to mend it.
        """
        if kick.state is not State.DONE:
            if not await self._show(kick, modals.done(kick)):
                await self._direct(kick.requester, texts.summary(kick) + " " + texts.ending(kick))
            return
        shown, failure = await asyncio.gather(
            self._show(kick, modals.done(kick)), self._publish(kick)
        )
        if failure:
            await self._unpublished(kick, failure, shown=shown)

    async def cover(self, kick: Kick) -> None:
        """Replace the form under a review that was sent: its submit would ask for it again."""
        watching = self._watching.get(kick.id)
        if watching and watching.root_view_id not in {None, watching.view_id}:
            view = modals.working(kick) if kick.state in ON_ITS_WAY else modals.done(kick)
            async with watching.order:
                await self._windows.update(watching.root_view_id or "", view)

    async def _publish(self, kick: Kick) -> SlackFailed | None:
        message = messages.result(kick)
        try:
            await call(self._client, "chat.postMessage", channel=kick.channel_id, **message)
        except SlackFailed as error:
            logger.warning("kick %s was not posted: %s", kick.number, error)
            watching = self._watching.get(kick.id)
            origin = watching.origin if watching else ""
            # One that may have been posted is not posted once more.
            if error.maybe:
                return error
            failure = await self._origins.answer(origin, message, openly=True)
            return error if failure and not failure.maybe else failure
        return None

    async def _unpublished(self, kick: Kick, failure: SlackFailed, *, shown: bool) -> None:
        remark = _remedy(kick, failure)
        if shown:
            await self._show(kick, modals.done(kick, remark))
        await self._direct(kick.requester, f"{texts.summary(kick)} {remark}", kick)

    async def _show(self, kick: Kick, view: modals.Modal) -> bool:
        watching = self._watching.get(kick.id)
        if watching is None:
            return False
        async with watching.order:
            shown = await self._windows.update(watching.view_id, view)
            if watching.root_view_id and watching.root_view_id != watching.view_id:
                await self._windows.update(watching.root_view_id, view)
        return shown

    async def _direct(self, user: UserId, text: str, kick: Kick | None = None) -> None:
        message = messages.whisper(text)
        if kick:
            blocks = [*message["blocks"], *messages.result(kick)["blocks"]]
            message = {**message, "blocks": blocks}
        try:
            await call(self._client, "chat.postMessage", channel=user, **message)
        except SlackFailed as error:
            logger.error("%s could not be told: %s (%s)", user, text, error)  # noqa: TRY400 - no traceback needed


def _remedy(kick: Kick, failure: SlackFailed) -> str:
    if failure.maybe:
        return f"Slack did not confirm the message in the channel ({failure.code}): look there."
    if failure.code == "is_archived":
        return "The channel could not be told: it is archived."
    if failure.code in {"not_in_channel", "channel_not_found"}:
        if kick.channel_id.startswith("D"):
            return "The bot can't post into a conversation between others."
        return "The channel could not be told: invite the bot there with /invite."
    return f"The channel could not be told ({failure.code})."
