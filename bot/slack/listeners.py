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

from bot.core.flow import Flow
from bot.core.kick import Kick, KickId, State, TeamId, UserId
from bot.core.policy import Verdict
from bot.core.ports import Clock, RoomsError, Spawn, StoreDown, Unreadable
from bot.core.review import Desk, Found
from bot.core.roster import Meeting, MeetingId, Session
from bot.slack import blocks as kit
from bot.slack import messages, modals, texts
from bot.slack.channel import ON_ITS_WAY, SlackNotices, Watching
from bot.slack.payloads import Context, Interaction, View, command, context_of, interaction
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
        desk: Desk,
        flow: Flow,
        screens: Screens,
        notices: SlackNotices,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._team = team
        self._command = command
        self._desk = desk
        self._flow = flow
        self._screens = screens
        self._notices = notices
        self._clock = clock
        self._spawn = spawn

    def register(self, app: AsyncApp) -> None:
        """Register with Bolt, what comes most often first: each miss costs a dispatch."""
        app.options(modals.WHO)(self.offer_people)
        app.options(modals.MEETING)(self.offer_meetings)
        app.command(self._command)(self.open)
        app.view(modals.FORM)(self.submit_form)
        app.view(modals.REVIEW)(self.submit_review)
        app.action(modals.MEETING)(self.choose_meeting)
        app.action(modals.OTHER_MEETING)(self.choose_meeting)
        app.action(messages.AGAIN)(self.again)
        app.action(re.compile(""))(self.unknown_action)
        app.view(re.compile(""))(self.unknown_view)
        app.options(re.compile(""))(self.unknown_options)

    async def open(self, ack: AsyncAck, body: Body) -> None:
        """Answer the command: refuse, explain, or open the form."""
        sent = command(body)
        verdict = self._desk.may_open_now(sent.user_id)
        if sent.team_id != self._team:
            self._refuse(sent.user_id, ELSEWHERE)
            await ack(ELSEWHERE)
        elif sent.text.strip().casefold() == "help":
            self._spawn(self._screens.help(sent))
            await ack()
        elif verdict is not None and not verdict:
            self._refuse(sent.user_id, verdict.reason)
            await ack(verdict.reason)
        else:
            self._spawn(self._screens.open(sent))
            await ack()

    async def offer_people(self, ack: AsyncAck, body: Body) -> None:
        """Answer the type-ahead of *Who*."""
        sent = interaction(body)
        found = await self._soon(self._people(sent), Found())
        await ack(options=modals.people_options(found, self._clock.now()))

    async def _people(self, sent: Interaction) -> Found:
        context = self._ours(sent)
        if context is None or context.meeting is None:
            return Found()
        return await self._desk.people(sent.user.id, context.meeting, sent.value, kit.OPTIONS_LIMIT)

    async def offer_meetings(self, ack: AsyncAck, body: Body) -> None:
        """Answer the type-ahead of *Meeting*."""
        sent = interaction(body)
        sessions, meetings = await self._soon(self._meetings(sent), ((), ()))
        await ack(**modals.meeting_options(sessions, meetings))

    async def _meetings(self, sent: Interaction) -> tuple[tuple[Session, ...], tuple[Meeting, ...]]:
        if self._ours(sent) is None:
            return (), ()
        return await self._desk.meetings(sent.user.id, sent.value)

    async def _soon(self, asked: Awaitable[T], otherwise: T) -> T:
        try:
            async with asyncio.timeout(OPTIONS_WITHIN):
                return await asked
        except (TimeoutError, RoomsError, Unreadable, StoreDown) as error:
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
        verdict = self._desk.may_open_now(sent.user.id)
        if verdict is not None and not verdict:
            self._refuse(sent.user.id, verdict.reason)
            await ack(response_action="update", view=modals.note("Kick", verdict.reason))
            return
        asked = modals.parse_form(view, context, sent.user.id, self._team, self._desk.rules)
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
        """Store the kick, and start it; what stands in the view is what will happen."""
        sent = interaction(body)
        context = self._ours(sent)
        view = sent.view
        if context is None or view is None:
            await ack(response_action="update", view=modals.note("Kick", self._not_ours(sent)))
            return
        try:
            proposed = await self._flow.propose(modals.parse_review(view), view.id, sent.user.id)
        except StoreDown as error:
            await ack(response_action="update", view=modals.note("Kick", texts.trouble(error)))
            return
        if isinstance(proposed, Verdict):
            await ack(response_action="update", view=modals.note("Kick", proposed.reason))
            return
        self._start(proposed, view, context)
        await ack(response_action="update", view=_after(proposed))

    def _start(self, kick: Kick, view: View, context: Context) -> None:
        watching = Watching(view.id, view.root_view_id, context.origin)
        self._notices.watch(kick.id, watching)
        self._spawn(self._notices.cover(kick))
        if kick.state is State.READY:
            self._flow.start(kick)

    async def again(self, ack: AsyncAck, body: Body) -> None:
        """Open the review that does a kick again."""
        sent = interaction(body)
        value = sent.actions[0].value if sent.actions else None
        verdict = self._desk.may_open_now(sent.user.id)
        if sent.home != self._team or value is None:
            self._spawn(self._screens.answer(sent, self._not_ours(sent)))
        elif verdict is not None and not verdict:
            self._refuse(sent.user.id, verdict.reason)
            self._spawn(self._screens.answer(sent, verdict.reason))
        else:
            self._spawn(self._screens.again(sent, KickId(value)))
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

    def _not_ours(self, sent: Interaction) -> str:
        if sent.home == self._team:
            return NOT_OURS
        self._refuse(sent.user.id, ELSEWHERE)
        return ELSEWHERE

    def _refuse(self, user: UserId, why: str) -> None:
        self._spawn(self._record(user, why))

    async def _record(self, user: UserId, why: str) -> None:
        try:
            await self._flow.refused(user, why)
        except StoreDown as error:
            logger.error("a refusal of %s is not on record: %s", user, error)  # noqa: TRY400 - no traceback needed

    def _ours(self, sent: Interaction) -> Context | None:
        if sent.home != self._team or sent.view is None:
            return None
        return context_of(sent.view)


def _after(kick: Kick) -> modals.Modal:
    if kick.state in ON_ITS_WAY:
        return modals.working(kick)
    return modals.done(kick)
