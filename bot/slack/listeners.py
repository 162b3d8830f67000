"""Registration with Bolt: what Slack sends, and which handler it goes to.

Each listener parses the request and checks that it comes from this workspace, and from a view or
a button of this bot. The handler does the rest. The ack is the last await: Bolt answers when the
listener returns, and an exception after the ack would turn the answer into an error.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.core.kick import KickId, TeamId, UserId
from bot.core.kick_service import KickService
from bot.core.ports import Spawn
from bot.core.refusals import TOO_OFTEN
from bot.slack.handlers.approval import OUTDATED, ApprovalHandlers
from bot.slack.handlers.kick import KickHandlers
from bot.slack.handlers.result import ResultHandlers
from bot.slack.modals import Modals
from bot.slack.payloads import Command, Interaction, View, ViewMetadata
from bot.slack.views import approval, card, form, review
from bot.slack.views.approval import ApprovalMetadata
from bot.slack.views.blocks import CANCEL_REQUEST, CHECK_AGAIN, KICK_AGAIN, text_modal
from bot.slack.views.review import ReviewMetadata

# While so many tasks have not ended, no new conversation is opened, and then nothing is submitted
# either. What the bot has accepted starts tasks in any case.
MAX_BEFORE_OPENING = 1000
MAX_BEFORE_SUBMIT = 2000
BUSY = "The bot has too much to do right now: this was not done. Try again in a moment."
OTHER_WORKSPACE = "Only people of this workspace can use this bot."

logger = logging.getLogger(__name__)

Body = dict[str, Any]
Listener = Callable[[AsyncAck, Body], Awaitable[None]]
OnCommand = Callable[[AsyncAck, Command], Awaitable[None]]
OnMenu = Callable[[AsyncAck, Interaction, ViewMetadata], Awaitable[None]]
OnButton = Callable[[AsyncAck, Interaction, KickId], Awaitable[None]]
M = TypeVar("M", bound=ViewMetadata)
OnSubmit = Callable[[AsyncAck, UserId, View, M], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Registers the handlers, each behind the checks that its kind of request needs."""

    team: TeamId
    enterprise: str | None
    kick_service: KickService
    modals: Modals
    spawn: Spawn
    tasks: Callable[[], int]
    _searches: set[object] = field(init=False, default_factory=set)
    _answered: set[UserId] = field(init=False, default_factory=set)

    def register(
        self,
        app: AsyncApp,
        command_name: str,
        kick: KickHandlers,
        approvals: ApprovalHandlers,
        results: ResultHandlers,
    ) -> None:
        """Register with Bolt, which tries the listeners in this order: frequent ones first."""
        app.options(form.WHO)(self.menu(kick.people_options, options=[]))
        app.options(form.MEETING)(self.menu(kick.meeting_options, options=[]))
        app.command(command_name)(self.command(kick.command))
        app.view(form.FORM)(self.submit(kick.submit_form, ViewMetadata))
        app.view(review.REVIEW)(self.submit(kick.submit_review, ReviewMetadata))
        app.action(form.MEETING)(self.menu(kick.choose_meeting))
        app.action(form.OTHER_MEETING)(self.menu(kick.choose_meeting))
        app.view(approval.APPROVAL)(self.submit(approvals.submit_approval, ApprovalMetadata))
        app.view(approval.DENIAL)(self.submit(approvals.submit_denial, ApprovalMetadata))
        app.action(card.REVIEW_REQUEST)(self.button(approvals.review_request))
        app.action(approval.DENY)(self.button(approvals.deny))
        app.action(CANCEL_REQUEST)(self.button(approvals.cancel_request))
        app.action(KICK_AGAIN)(self.button(kick.kick_again))
        app.action(CHECK_AGAIN)(self.button(results.check_again))
        # Buttons, modals and menus of earlier versions:
        anything = re.compile("")
        app.action(anything)(self.unknown_action)
        app.view(anything)(self.unknown_view)
        app.options(anything)(self.unknown_options)

    def command(self, handler: OnCommand) -> Listener:
        """Listen to the slash command."""

        async def listener(ack: AsyncAck, body: Body) -> None:
            sent = Command.model_validate(body)
            if words := self._turn_away(sent.user_id):
                await ack(words)
            elif sent.team_id == self.team:
                await handler(ack, sent)
            else:
                self.kick_service.refuse(sent.user_id, OTHER_WORKSPACE)
                await ack(OTHER_WORKSPACE)

        return listener

    def menu(self, handler: OnMenu, **otherwise: Any) -> Listener:
        """Listen to searches and choices in a modal. `otherwise` is the ack of a refusal."""

        async def listener(ack: AsyncAck, body: Body) -> None:
            sent = Interaction.model_validate(body)
            metadata = sent.metadata
            if words := self._turn_away(sent.user_id):
                # Only a choice can be answered in words. A search finds nothing.
                self._answer(sent, words if sent.actions else "")
                await ack(**otherwise)
            elif self._is_from_here(sent) and metadata:
                with self._searching():
                    await handler(ack, sent, metadata)
            else:
                await ack(**otherwise)

        return listener

    def button(self, handler: OnButton) -> Listener:
        """Listen to a button that carries a kick's id, in a message or in a modal."""

        async def listener(ack: AsyncAck, body: Body) -> None:
            sent = Interaction.model_validate(body)
            if words := self._turn_away(sent.user_id):
                self._answer(sent, words)
                await ack()
            elif self._is_from_here(sent) and sent.kick:
                await handler(ack, sent, sent.kick)
            else:
                self._answer(sent, self._refusal(sent))
                await ack()

        return listener

    def submit(self, handler: OnSubmit[M], model: type[M]) -> Listener:
        """Listen to the submit of a modal that carries this kind of metadata."""

        async def listener(ack: AsyncAck, body: Body) -> None:
            sent = Interaction.model_validate(body)
            metadata = sent.view.metadata(model) if sent.view else None
            if words := self._turn_away(sent.user_id, MAX_BEFORE_SUBMIT):
                # On top, so that the modal can be submitted again.
                await ack(response_action="push", view=text_modal("Kick", words))
            elif self._is_from_here(sent) and sent.view and metadata:
                await handler(ack, sent.user_id, sent.view, metadata)
            else:
                refusal = text_modal("Kick", self._refusal(sent))
                await ack(response_action="update", view=refusal)

        return listener

    async def unknown_action(self, ack: AsyncAck, body: Body) -> None:
        """Answer a button that this version does not make."""
        sent = Interaction.model_validate(body)
        self._answer(sent, self._turn_away(sent.user_id) or OUTDATED)
        await ack()

    async def unknown_view(self, ack: AsyncAck) -> None:
        """Answer the submit of a modal that this version does not make."""
        await ack(response_action="update", view=text_modal("Kick", OUTDATED))

    async def unknown_options(self, ack: AsyncAck) -> None:
        """Answer a search in a menu that this version does not make."""
        await ack(options=[])

    def _is_from_here(self, sent: Interaction) -> bool:
        # On Enterprise Grid, the home of a member may be another workspace of the organization.
        # The services read of which workspaces a user is a member.
        is_of_org = self.enterprise is not None and sent.enterprise_id == self.enterprise
        return sent.home == self.team or is_of_org

    def _turn_away(self, user: UserId, limit: int = MAX_BEFORE_OPENING) -> str:
        """Return why nothing is done for a user now; else an empty text."""
        if self.tasks() + len(self._searches) >= limit:
            logger.warning("busy: a request of %s was not accepted", user)
            return BUSY
        return self.kick_service.turn_away(user)

    @contextmanager
    def _searching(self) -> Iterator[None]:
        search = object()
        self._searches.add(search)
        try:
            yield
        finally:
            self._searches.discard(search)

    def _answer(self, sent: Interaction, words: str) -> None:
        """Answer in words, with one call at a time for each user: more would be work, too."""
        if words and sent.user_id not in self._answered:
            self._answered.add(sent.user_id)
            self.spawn(self._send_answer(sent, words))

    async def _send_answer(self, sent: Interaction, words: str) -> None:
        try:
            metadata = sent.metadata
            if metadata and metadata.response_id and words in {BUSY, TOO_OFTEN}:
                # Not in place of the modal: it can still be used.
                await self.modals.send_ephemeral(metadata.response_id, words)
            else:
                await self.modals.reply(sent, words)
        finally:
            self._answered.discard(sent.user_id)

    def _refusal(self, sent: Interaction) -> str:
        """Return why a request is refused. Record it if the user is of another workspace."""
        if self._is_from_here(sent):
            return OUTDATED
        request = sent.view.metadata(ApprovalMetadata) if sent.view else None
        kick = sent.kick or (request.kick if request else None)
        self.kick_service.refuse(sent.user_id, OTHER_WORKSPACE, kick)
        return OTHER_WORKSPACE
