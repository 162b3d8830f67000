"""The work behind the buttons of a request: show it, decide it, and show what came of that."""

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass

from bot.core.approval_service import ApprovalService, ApprovalView
from bot.core.kick import OPEN, ChannelId, Kick, KickId, State, UserId
from bot.core.kick_service import KickService
from bot.core.outbox import Outbox
from bot.core.policy import Verdict
from bot.core.ports import Clock, StoreUnavailable
from bot.core.reconciler import TICK_INTERVAL
from bot.slack import approvals as views
from bot.slack import modals, progress, texts
from bot.slack.channel import SlackNotices, Watching
from bot.slack.modals import Modal
from bot.slack.payloads import Interaction, View, ViewMetadata
from bot.slack.telling import TROUBLE, Telling
from bot.slack.windows import Origins, Windows

LATE = "Slack did not open the request in time. Press the button again."
AFTER_ALL = "This was decided before your click, which changed nothing."
LOOKS = 30  # after a minute a kick has ended, or its view is not looked at any more
LOOK_AGAIN = "Press the button on the card again."


@dataclass(frozen=True, slots=True)
class Frame:
    """A view whose answer is to be shown: by the name its ack gave it, or by its id."""

    view: View
    context: ViewMetadata
    name: str = ""

    @property
    def under(self) -> str | None:
        """The view under it: it must not offer what was decided above."""
        root = self.view.root_view_id
        return root if root != self.view.id else None


class Decisions:
    """Each method is work of its own, begun after or beside an ack."""

    def __init__(
        self,
        *,
        approval_service: ApprovalService,
        kick_service: KickService,
        notifier: SlackNotices,
        outbox: Outbox,
        windows: Windows,
        origins: Origins,
        clock: Clock,
    ) -> None:
        self._approval_service = approval_service
        self._kick_service = kick_service
        self._notifier = notifier
        self._outbox = outbox
        self._windows = windows
        self._origins = origins
        self._telling = Telling(windows, origins)
        self._clock = clock

    async def review(self, sent: Interaction, kick: KickId) -> None:
        """Open a request in front of somebody, as it is now."""
        origin = self._origins.note(sent.user.id, sent.response_url)
        channel = sent.channel.id if sent.channel else ChannelId("")
        loading = modals.note("Kick", "Looking who is there now…")
        name = await self._windows.open(sent.trigger_id, loading)
        if name is None:
            await self._telling.whisper(origin, LATE)
            return
        async with self._telling.instead(name, texts.unheard):
            if sent.place:
                await self._outbox.record_card_location(kick, *sent.place)
            heard = await self._approval_service.open_request(kick, sent.user.id)
            view = self._view(heard, ViewMetadata(channel=channel, origin=origin))
            await self._telling.fill(name, origin, view, LOOK_AGAIN)
            await self._settle_card(sent, heard)
            if isinstance(heard, ApprovalView) and heard.kick.state in {State.READY, State.RUNNING}:
                await self._see_through(name, heard.kick)

    async def _see_through(self, name: str, kick: Kick) -> None:
        """Show how a kick ended that somebody looked at while it was on its way."""
        for _ in range(LOOKS):
            await self._clock.sleep(TICK_INTERVAL)
            with suppress(StoreUnavailable):
                kick = await self._approval_service.refresh(kick)
            if kick.state not in OPEN:
                await self._windows.fill(name, progress.view(kick))
                return

    async def _settle_card(self, sent: Interaction, heard: ApprovalView | Verdict) -> None:
        """Take the button off a card whose request is decided, wherever somebody found it."""
        place = sent.place
        if (
            isinstance(heard, ApprovalView)
            and heard.kick.approval_requested
            and not heard.is_open
            and place
        ):
            await self._notifier.settle_card(heard.kick, *place)

    def _view(
        self, heard: ApprovalView | Verdict, context: ViewMetadata, remark: str = ""
    ) -> Modal:
        if isinstance(heard, Verdict):
            return modals.note("Kick", heard.reason)
        if heard.is_open:
            return views.hearing(heard, context, self._clock.now())
        return progress.view(heard.kick, remark)

    async def approve(self, frame: Frame, user: UserId, asked: views.Asked) -> None:
        """Approve a request, and show what comes of it; or show it again, or why not."""
        await self._decide(
            frame, user, self._approval_service.approve(asked.kick, user, asked.seen)
        )

    async def ask_why(self, sent: Interaction, kick: KickId, context: ViewMetadata) -> None:
        """Lay the question for a note over a request that somebody is about to deny."""
        view = views.denial(kick, context)
        if await self._windows.push(sent.trigger_id, view) is None:
            await self._telling.whisper(context.origin, LATE)

    async def deny(self, frame: Frame, user: UserId, asked: views.Asked, note: str) -> None:
        """Deny a request, and show that; or why not."""
        await self._decide(frame, user, self._approval_service.deny(asked.kick, user, note))

    async def cancel(self, frame: Frame, user: UserId, kick: KickId) -> None:
        """Take a request back, and show that; or why not."""
        await self._decide(frame, user, self._approval_service.cancel(kick, user))

    async def _decide(
        self, frame: Frame, user: UserId, work: Awaitable[Kick | ApprovalView | Verdict]
    ) -> None:
        try:
            decided = await work
        except TROUBLE as error:
            await self._put(frame, modals.note("Kick", texts.undecided(error)))
            return
        # Nothing is awaited before the view is watched: what is told from here on reaches it.
        if isinstance(decided, Kick):
            await self._follow(frame, decided)
        elif isinstance(decided, ApprovalView) and not decided.is_open:
            is_own = decided.kick.approver == user
            await self._follow(frame, decided.kick, "" if is_own else AFTER_ALL)
        else:
            await self._put(frame, self._view(decided, frame.context))

    async def _follow(self, frame: Frame, kick: Kick, remark: str = "") -> None:
        """Show how a kick stands in a view, and keep that true.

        What is sent first may arrive last: so it is shown until it still is so afterwards.
        """
        if kick.state in OPEN:
            root = frame.view.root_view_id
            self._notifier.watch_decision(
                kick.id, Watching(frame.view.id, root, frame.context.origin)
            )
        shown = progress.view(kick, remark)
        await self._put(frame, shown)
        while kick.state in OPEN:
            with suppress(StoreUnavailable):
                kick = await self._approval_service.refresh(kick)
            before, shown = shown, progress.view(kick, remark)
            if shown == before:
                return
            await self._put(frame, shown)

    async def _put(self, frame: Frame, view: Modal) -> None:
        if frame.under:
            await self._windows.update(frame.under, view)
        if frame.name:
            await self._telling.fill(frame.name, frame.context.origin, view, LOOK_AGAIN)
        else:
            await self._windows.update(frame.view.id, view)

    async def check_again(self, sent: Interaction, kick: KickId) -> None:
        """Look once more what became of whom nothing was known, and tell whoever asked."""
        try:
            known = await self._kick_service.check_again(kick, sent.user.id)
        except TROUBLE as error:
            await self._telling.answer(sent, texts.unheard(error))
            return
        if isinstance(known, Verdict):
            await self._telling.answer(sent, known.reason)
            return
        await self._telling.answer(sent, texts.known(known))
