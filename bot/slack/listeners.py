"""The listeners: parse, ask the use cases what they know, ack, and leave the rest to a task.

The ack is each listener's last await: Bolt sends the answer when the listener returns, and an
exception after it would turn the answer into an error.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable
from typing import Any, TypeVar
from uuid import uuid4

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.core.kick import KickId, State, TeamId, UserId
from bot.core.kick_service import KickService, SubmitResult
from bot.core.policy import Verdict
from bot.core.ports import Clock, DirectoryUnavailable, GatewayError, Spawn, StoreUnavailable
from bot.core.review_service import ReviewService, SearchResult
from bot.core.roster import Meeting, MeetingId, Session
from bot.slack import approvals, forms, menus, messages, modals, progress, reviews, texts
from bot.slack import blocks as kit
from bot.slack.channel import SlackNotices, Watching
from bot.slack.decisions import Decisions, Frame
from bot.slack.payloads import Interaction, View, ViewMetadata, command, interaction, metadata_of
from bot.slack.screens import Screens

logger = logging.getLogger(__name__)

OPTIONS_WITHIN = 2.5  # seconds; after three Slack shows "no result" and may stop asking
NOT_OURS = "This belongs to an older version of the bot. Start again with the command."
ELSEWHERE = "Only people of this workspace can use this bot."

Body = dict[str, Any]
T = TypeVar("T")


class Listeners:
    """Everything Slack may send, one method each."""

    def __init__(
        self,
        *,
        team: TeamId,
        command: str,
        review_service: ReviewService,
        kick_service: KickService,
        screens: Screens,
        decisions: Decisions,
        notifier: SlackNotices,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._team = team
        self._command = command
        self._review_service = review_service
        self._kick_service = kick_service
        self._screens = screens
        self._decisions = decisions
        self._notifier = notifier
        self._clock = clock
        self._spawn = spawn

    def register(self, app: AsyncApp) -> None:
        """Register with Bolt, what comes most often first: each miss costs a dispatch."""
        app.options(menus.WHO)(self.offer_people)
        app.options(menus.MEETING)(self.offer_meetings)
        app.command(self._command)(self.open)
        app.view(forms.FORM)(self.submit_form)
        app.view(reviews.REVIEW)(self.submit_review)
        app.action(menus.MEETING)(self.choose_meeting)
        app.action(forms.OTHER_MEETING)(self.choose_meeting)
        app.view(approvals.APPROVAL)(self.submit_approval)
        app.view(approvals.DENIAL)(self.submit_denial)
        app.action(messages.REVIEW_REQUEST)(self.review_request)
        app.action(approvals.DENY)(self.deny)
        app.action(progress.CANCEL)(self.cancel_request)
        app.action(messages.AGAIN)(self.again)
        app.action(messages.CHECK_AGAIN)(self.check_again)
        app.action(re.compile(""))(self.unknown_action)
        app.view(re.compile(""))(self.unknown_view)
        app.options(re.compile(""))(self.unknown_options)

    async def open(self, ack: AsyncAck, body: Body) -> None:
        """Answer the command: refuse, explain, or open the form."""
        sent = command(body)
        verdict = self._review_service.may_open_cached(sent.user_id)
        if sent.team_id != self._team:
            self._refuse(sent.user_id, ELSEWHERE)
            await ack(ELSEWHERE)
        elif sent.text.strip().casefold() == "help":
            self._spawn(self._screens.help(sent))
            await ack()
        elif verdict is not None and not verdict.is_allowed:
            self._refuse(sent.user_id, verdict.reason)
            await ack(verdict.reason)
        else:
            self._spawn(self._screens.open(sent))
            await ack()

    async def offer_people(self, ack: AsyncAck, body: Body) -> None:
        """Answer the type-ahead of *Who*."""
        sent = interaction(body)
        found = await self._soon(self._people(sent), SearchResult())
        await ack(options=menus.people_options(found, self._clock.now()))

    async def _people(self, sent: Interaction) -> SearchResult:
        context = self._ours(sent)
        if context is None or context.meeting is None:
            return SearchResult()
        return await self._review_service.search_people(
            sent.user.id, context.meeting, sent.value, kit.OPTIONS_LIMIT
        )

    async def offer_meetings(self, ack: AsyncAck, body: Body) -> None:
        """Answer the type-ahead of *Meeting*."""
        sent = interaction(body)
        sessions, meetings = await self._soon(self._meetings(sent), ((), ()))
        await ack(**menus.meeting_options(sessions, meetings))

    async def _meetings(self, sent: Interaction) -> tuple[tuple[Session, ...], tuple[Meeting, ...]]:
        if self._ours(sent) is None:
            return (), ()
        return await self._review_service.search_meetings(sent.user.id, sent.value)

    async def _soon(self, asked: Awaitable[T], otherwise: T) -> T:
        try:
            async with asyncio.timeout(OPTIONS_WITHIN):
                return await asked
        except (TimeoutError, GatewayError, DirectoryUnavailable, StoreUnavailable) as error:
            logger.warning("options were not to be had: %r", error)
            return otherwise

    async def choose_meeting(self, ack: AsyncAck, body: Body) -> None:
        """Redraw the form for another meeting."""
        sent = interaction(body)
        context = self._ours(sent)
        if context and sent.view and sent.actions:
            chosen = sent.actions[0].selected_option
            meeting = MeetingId(chosen.value) if chosen else None
            acted_at = sent.actions[0].action_ts
            self._spawn(self._screens.choose_meeting(sent.view, context, meeting, acted_at))
        await ack()

    async def submit_form(self, ack: AsyncAck, body: Body) -> None:
        """Push the review over the form, or say at the question what is wrong."""
        sent = interaction(body)
        context = self._ours(sent)
        view = sent.view
        if context is None or view is None:
            await ack(response_action="update", view=modals.note("Kick", self._not_ours(sent)))
            return
        verdict = self._review_service.may_open_cached(sent.user.id)
        if verdict is not None and not verdict.is_allowed:
            self._refuse(sent.user.id, verdict.reason)
            await ack(response_action="update", view=modals.note("Kick", verdict.reason))
            return
        asked = forms.parse_form(
            view, context, sent.user.id, self._team, self._review_service.rules
        )
        if isinstance(asked, dict):
            await ack(response_action="errors", errors=asked)
            return
        name = uuid4().hex
        loading = modals.note(
            "Review", "Looking who is there now…", external_id=name, metadata=view.private_metadata
        )
        self._spawn(self._screens.review(name, asked, context))
        await ack(response_action="push", view=loading)

    async def submit_review(self, ack: AsyncAck, body: Body) -> None:
        """Store the kick, and start it or ask somebody; the view says which of them."""
        sent = interaction(body)
        context = self._ours(sent)
        view = sent.view
        if context is None or view is None:
            await ack(response_action="update", view=modals.note("Kick", self._not_ours(sent)))
            return
        try:
            proposed = await self._kick_service.submit(
                reviews.parse_review(view), view.id, sent.user.id
            )
        except StoreUnavailable as error:
            await ack(response_action="update", view=modals.note("Kick", texts.unconfirmed(error)))
            return
        if isinstance(proposed, Verdict):
            await ack(response_action="update", view=modals.note("Kick", proposed.reason))
            return
        self._start(proposed, view, context)
        await ack(response_action="update", view=progress.view(proposed.kick))

    def _start(self, proposed: SubmitResult, view: View, context: ViewMetadata) -> None:
        kick = proposed.kick
        watching = Watching(view.id, view.root_view_id, context.origin)
        self._notifier.watch(kick.id, watching)
        if kick.state is not State.WAITING:
            # Of one that waits everybody who looks at it is told at once, the form included.
            self._spawn(self._notifier.cover(kick))
        if proposed.created:
            self._kick_service.start(kick)

    async def review_request(self, ack: AsyncAck, body: Body) -> None:
        """Open a request in front of somebody who may decide it, or who asked for it."""
        sent = interaction(body)
        kick = self._pressed(sent)
        if kick:
            self._spawn(self._decisions.review(sent, kick))
        await ack()

    async def submit_approval(self, ack: AsyncAck, body: Body) -> None:
        """Approve a request; the answer covers the button, so that it is pressed once."""
        sent = interaction(body)
        asked = self._asked(sent)
        if asked is None or sent.view is None:
            await ack(response_action="update", view=modals.note("Kick", self._not_ours(sent)))
            return
        name = uuid4().hex
        loading = modals.note("Kick", "Looking who is there now…", external_id=name)
        frame = Frame(sent.view, asked, name)
        self._spawn(self._decisions.approve(frame, sent.user.id, asked))
        await ack(response_action="update", view=loading)

    async def deny(self, ack: AsyncAck, body: Body) -> None:
        """Ask for a note, and for a last tap, before a request is denied."""
        sent = interaction(body)
        kick, context = self._pressed(sent), self._ours(sent)
        if kick and context:
            self._spawn(self._decisions.ask_why(sent, kick, context))
        await ack()

    async def submit_denial(self, ack: AsyncAck, body: Body) -> None:
        """Deny a request; afterwards the form under it can't approve it any more."""
        sent = interaction(body)
        asked = self._asked(sent)
        if asked is None or sent.view is None:
            await ack(response_action="update", view=modals.note("Kick", self._not_ours(sent)))
            return
        name = uuid4().hex
        loading = modals.note("Kick", "Denying…", external_id=name)
        frame, note = Frame(sent.view, asked, name), approvals.parse_note(sent.view)
        self._spawn(self._decisions.deny(frame, sent.user.id, asked, note))
        await ack(response_action="update", view=loading)

    async def cancel_request(self, ack: AsyncAck, body: Body) -> None:
        """Take a request back."""
        sent = interaction(body)
        kick, context = self._pressed(sent), self._ours(sent)
        if kick and context and sent.view:
            frame = Frame(sent.view, context)
            self._spawn(self._decisions.cancel(frame, sent.user.id, kick))
        await ack()

    async def again(self, ack: AsyncAck, body: Body) -> None:
        """Open the review that does a kick again."""
        sent = interaction(body)
        value = sent.actions[0].value if sent.actions else None
        verdict = self._review_service.may_open_cached(sent.user.id)
        if sent.home != self._team or value is None:
            self._spawn(self._screens.answer(sent, self._not_ours(sent)))
        elif verdict is not None and not verdict.is_allowed:
            self._refuse(sent.user.id, verdict.reason)
            self._spawn(self._screens.answer(sent, verdict.reason))
        else:
            self._spawn(self._screens.again(sent, KickId(value)))
        await ack()

    async def check_again(self, ack: AsyncAck, body: Body) -> None:
        """Look once more what became of whom nothing was known."""
        sent = interaction(body)
        kick = self._pressed(sent)
        if kick:
            self._spawn(self._decisions.check_again(sent, kick))
        await ack()

    async def unknown_action(self, ack: AsyncAck, body: Body) -> None:
        """Answer a button that this version has not made."""
        self._spawn(self._screens.answer(interaction(body), NOT_OURS))
        await ack()

    async def unknown_view(self, ack: AsyncAck) -> None:
        """Answer a view that this version has not made."""
        await ack(response_action="update", view=modals.note("Kick", NOT_OURS))

    async def unknown_options(self, ack: AsyncAck) -> None:
        """Answer a menu that this version has not made."""
        await ack(options=[])

    def _pressed(self, sent: Interaction) -> KickId | None:
        """Read which kick a button carries; whoever may not press it hears so."""
        if sent.home == self._team and sent.kick:
            return sent.kick
        self._spawn(self._screens.answer(sent, self._not_ours(sent)))
        return None

    def _asked(self, sent: Interaction) -> approvals.Asked | None:
        if self._ours(sent) is None or sent.view is None:
            return None
        return approvals.parse_asked(sent.view)

    def _not_ours(self, sent: Interaction) -> str:
        if sent.home == self._team:
            return NOT_OURS
        asked = approvals.parse_asked(sent.view) if sent.view else None
        self._refuse(sent.user.id, ELSEWHERE, sent.kick or (asked.kick if asked else None))
        return ELSEWHERE

    def _refuse(self, user: UserId, why: str, kick: KickId | None = None) -> None:
        self._spawn(self._record(user, why, kick))

    async def _record(self, user: UserId, why: str, kick: KickId | None) -> None:
        try:
            await self._kick_service.record_refusal(user, why, kick)
        except StoreUnavailable as error:
            logger.error("a refusal of %s is not on record: %s", user, error)  # noqa: TRY400 - no traceback needed

    def _ours(self, sent: Interaction) -> ViewMetadata | None:
        if sent.home != self._team or sent.view is None:
            return None
        return metadata_of(sent.view)
