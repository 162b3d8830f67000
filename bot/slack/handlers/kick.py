"""The conversation from the command to the kick: form, review, submit."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from slack_bolt.async_app import AsyncAck

from bot.core.kick import KickId, State, TeamId, UserId
from bot.core.kick_service import KickService, SubmitResult
from bot.core.policy import Verdict
from bot.core.ports import Clock, Spawn, StoreUnavailable
from bot.core.review_service import FormContext, KickRequest, ReviewService, SearchResult
from bot.core.roster import MeetingId
from bot.core.selection import Selection
from bot.core.text import display
from bot.slack.modals import PORT_ERRORS, KickModals, ModalRef, Modals, bugs_logged
from bot.slack.payloads import Command, Interaction, View, ViewMetadata
from bot.slack.views import failures, form
from bot.slack.views.blocks import MAX_OPTIONS, text_modal
from bot.slack.views.form import FormPrefill, parse_form
from bot.slack.views.help_text import help_text
from bot.slack.views.progress import progress
from bot.slack.views.review import ReviewMetadata, review

logger = logging.getLogger(__name__)

OPTIONS_TIMEOUT = 2.5  # seconds; after three, Slack shows "no result" and may stop asking
SUBMIT_TIMEOUT = 2.5  # seconds; Slack waits 3 s for the ack
MAX_REDRAWN = 1000
UNKNOWN_KICK = "That kick is not in this bot's record any more."

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KickHandlers:
    """Handles the command, the form, the review and *Kick again*."""

    team: TeamId
    command_name: str
    review_service: ReviewService
    kick_service: KickService
    modals: Modals
    kick_modals: KickModals
    clock: Clock
    spawn: Spawn
    _last_choice: OrderedDict[str, str] = field(init=False, default_factory=OrderedDict)

    # The command

    async def command(self, ack: AsyncAck, sent: Command) -> None:
        """Answer the command: refuse it, explain it, or open the form."""
        if sent.text.strip().casefold() == "help":
            self.spawn(self._help(sent))
            await ack()
        elif refusal := self._early_refusal(sent.user_id):
            await ack(refusal)
        else:
            self.spawn(self._open(sent))
            await ack()

    def _early_refusal(self, user: UserId) -> str:
        """Return why a user may not use the form, and record it; else an empty text.

        Makes no remote call. If the user's membership is not cached, a later check decides.
        """
        verdict = self.review_service.may_open_cached(user)
        if verdict is None or verdict.is_allowed:
            return ""
        self.kick_service.refuse(user, verdict.reason)
        return verdict.reason

    async def _help(self, sent: Command) -> None:
        try:
            with bugs_logged():
                verdict, role = await self.review_service.permissions(sent.user_id)
            text = help_text(self.command_name, verdict, role, self.review_service.rules)
        except PORT_ERRORS as error:
            text = failures.action_failed(error)
        await self.modals.reply(sent, text)

    async def _open(self, sent: Command) -> None:
        modal = await self._open_loading(sent)
        if modal is None:
            return
        metadata = ViewMetadata(channel=sent.channel_id, response_id=modal.response_id)
        async with self.modals.errors_shown(modal):
            opening = await self.review_service.form_context(
                sent.user_id, sent.team_id, sent.channel_id, sent.text
            )
            if not opening.verdict.is_allowed:
                self.kick_service.refuse(sent.user_id, opening.verdict.reason)
                await self.modals.show(modal, text_modal("Kick", opening.verdict.reason))
            elif request := _complete_request(opening, sent):
                await self._show_review(modal, request, metadata, back=False)
            else:
                prefill = self._prefill(opening)
                view = form.form(metadata, opening, prefill, self.review_service.rules)
                await self.modals.show(modal, view, self._try_again)

    async def _open_loading(self, sent: Command | Interaction) -> ModalRef | None:
        late = f"Slack did not open the form in time. Type {self.command_name} again."
        return await self.modals.open(sent, text_modal("Kick", "Looking who is in…"), late)

    @property
    def _try_again(self) -> str:
        return f"Nobody was removed. Type {self.command_name} again."

    def _prefill(self, opening: FormContext) -> FormPrefill:
        match = opening.match
        if len(match.people) == 1:
            option = form.person_option(match.people[0], self.clock.now())
            hint = "The reason was cut." if len(match.rest) > form.REASON_LIMIT else ""
            return FormPrefill([option] if option else [], match.rest, hint)
        if match.people:
            hint = f"{len(match.people)} people fit “{match.who}”: choose below."
            return FormPrefill(reason=match.rest, hint=hint)
        if match.who:
            where = display(opening.chosen.meeting.title, 75) if opening.chosen else "any meeting"
            return FormPrefill(hint=f"Nobody live in {where} fits “{match.who}”.")
        return FormPrefill()

    # The form

    async def people_options(
        self, ack: AsyncAck, sent: Interaction, metadata: ViewMetadata
    ) -> None:
        """Answer a search in *Who*."""
        found = SearchResult()
        if metadata.meeting:
            search = self.review_service.search_people(
                sent.user_id, metadata.meeting, sent.value, MAX_OPTIONS
            )
            found = await _in_time(search, found)
        await ack(options=form.people_options(found, self.clock.now()))

    async def meeting_options(
        self, ack: AsyncAck, sent: Interaction, _metadata: ViewMetadata
    ) -> None:
        """Answer a search in *Meeting*."""
        search = self.review_service.search_meetings(sent.user_id, sent.value)
        sessions, meetings = await _in_time(search, ((), ()))
        await ack(**form.meeting_options(sessions, meetings))

    async def choose_meeting(
        self, ack: AsyncAck, sent: Interaction, metadata: ViewMetadata
    ) -> None:
        """Show the form for another meeting."""
        if sent.view and sent.actions:
            option = sent.actions[0].selected_option
            meeting = MeetingId(option.value) if option else None
            chosen_at = sent.actions[0].action_ts
            self.spawn(self._show_meeting(sent.view, metadata, meeting, chosen_at))
        await ack()

    async def _show_meeting(
        self, view: View, metadata: ViewMetadata, meeting: MeetingId | None, chosen_at: str
    ) -> None:
        # Two choices in a row can arrive in either order. The later one counts.
        if chosen_at < self._last_choice.get(view.id, ""):
            return
        self._last_choice[view.id] = chosen_at
        if len(self._last_choice) > MAX_REDRAWN:
            self._last_choice.popitem(last=False)
        reason = view.answer(form.REASON).value or ""
        redrawn = form.form_for_meeting(metadata, meeting, reason, self.review_service.rules)
        if await self.modals.update_if_unchanged(view, redrawn):
            return
        if self._last_choice[view.id] == chosen_at:
            await self.modals.update(view.id, redrawn)

    async def submit_form(
        self, ack: AsyncAck, user: UserId, view: View, metadata: ViewMetadata
    ) -> None:
        """Open the review on top of the form, or show an error at each wrong answer."""
        if refusal := self._early_refusal(user):
            await ack(response_action="update", view=text_modal("Kick", refusal))
            return
        request = parse_form(view, metadata, user, self.team, self.review_service.rules)
        if isinstance(request, dict):
            await ack(response_action="errors", errors=request)
            return
        modal = ModalRef(external_id=uuid4().hex, response_id=metadata.response_id)
        loading = text_modal(
            "Review",
            "Looking who is there now…",
            external_id=modal.external_id,
            metadata=view.private_metadata,
        )
        self.spawn(self._review(modal, request, metadata))
        await ack(response_action="push", view=loading)

    # The review

    async def _review(self, modal: ModalRef, request: KickRequest, metadata: ViewMetadata) -> None:
        async with self.modals.errors_shown(modal):
            await self._show_review(modal, request, metadata, back=True)

    async def _show_review(
        self, modal: ModalRef, request: KickRequest, metadata: ViewMetadata, *, back: bool
    ) -> None:
        drawn = await self.review_service.review(request)
        expires = self.review_service.rules.expires
        view = review(drawn, metadata, self.clock.now(), back=back, expires=expires)
        await self.modals.show(modal, view, self._try_again)
        if drawn.draft is None:
            self.kick_service.refuse(request.user, drawn.verdict.reason)

    async def submit_review(
        self, ack: AsyncAck, user: UserId, view: View, metadata: ReviewMetadata
    ) -> None:
        """Store the kick, then run it or ask for approval. The modal shows which."""
        try:
            submitted = await self._submit(metadata.draft, view.id, user)
        except (StoreUnavailable, failures.BotFailed) as error:
            text = failures.submit_unconfirmed(error)
            await ack(response_action="update", view=text_modal("Kick", text))
            return
        if isinstance(submitted, Verdict):
            await ack(response_action="update", view=text_modal("Kick", submitted.reason))
            return
        kick, shown = submitted.kick, progress(submitted.kick)
        self.kick_modals.follow_as_requester(kick.id, ModalRef.of(view))
        if kick.state is not State.WAITING:
            # For a waiting kick, all open modals are updated anyway, the form included.
            self.spawn(self.kick_modals.replace_parent(kick.id, shown))
        if submitted.created:
            self.kick_service.start(kick)
        await ack(response_action="update", view=shown)

    async def _submit(self, draft: str, view_id: str, user: UserId) -> SubmitResult | Verdict:
        try:
            async with asyncio.timeout(SUBMIT_TIMEOUT):
                with bugs_logged():
                    return await self.kick_service.submit(draft, view_id, user)
        except TimeoutError:
            # The store goes on, and a kick that it keeps is recovered.
            raise StoreUnavailable("it has too much to do") from None

    # Kick again

    async def kick_again(self, ack: AsyncAck, sent: Interaction, kick: KickId) -> None:
        """Open the review of a kick that repeats an old one."""
        if refusal := self._early_refusal(sent.user_id):
            self.spawn(self.modals.reply(sent, refusal))
        else:
            self.spawn(self._repeat(sent, kick))
        await ack()

    async def _repeat(self, sent: Interaction, kick: KickId) -> None:
        modal = await self._open_loading(sent)
        if modal is None:
            return
        channel = sent.metadata.channel if sent.metadata else sent.channel_id
        metadata = ViewMetadata(channel=channel, response_id=modal.response_id)
        async with self.modals.errors_shown(modal):
            request = await self.review_service.repeat_kick(kick, sent.user_id, channel)
            if request is None:
                await self.modals.show(modal, text_modal("Kick again", UNKNOWN_KICK))
            else:
                await self._show_review(modal, request, metadata, back=False)


async def _in_time(search: Awaitable[T], otherwise: T) -> T:
    try:
        async with asyncio.timeout(OPTIONS_TIMEOUT):
            with bugs_logged():
                return await search
    except (TimeoutError, *PORT_ERRORS) as error:
        logger.warning("options could not be read: %r", error)
        return otherwise


def _complete_request(opening: FormContext, sent: Command) -> KickRequest | None:
    """Return a request if the command names exactly one person and a reason; else None."""
    match = opening.match
    if opening.chosen is None or len(match.people) != 1 or not match.rest:
        return None
    key = match.people[0].key
    if key is None or len(match.rest) > form.REASON_LIMIT:
        return None
    return KickRequest(
        user=sent.user_id,
        team=sent.team_id,
        channel=sent.channel_id,
        meeting=opening.chosen.meeting.id,
        selection=Selection((key,)),
        reason=match.rest,
    )
