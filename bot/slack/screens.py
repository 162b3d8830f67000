"""The work behind the listeners: read what is needed, then fill the view that is already open."""

from collections import OrderedDict

from bot.core.candidates import Selection
from bot.core.kick import KickId
from bot.core.kick_service import KickService
from bot.core.ports import Clock, DirectoryUnavailable
from bot.core.review_service import FormContext, KickRequest, ReviewService
from bot.core.roster import MeetingId
from bot.core.text import display
from bot.slack import forms, menus, modals, reviews, texts
from bot.slack.payloads import Command, Interaction, View, ViewMetadata
from bot.slack.telling import Telling
from bot.slack.windows import Origins, Windows

VIEWS_KEPT = 1000


class Screens:
    """Fills views; each method is work of its own, begun after or beside an ack."""

    def __init__(
        self,
        *,
        command: str,
        review_service: ReviewService,
        kick_service: KickService,
        windows: Windows,
        origins: Origins,
        clock: Clock,
    ) -> None:
        self._command = command
        self._review_service = review_service
        self._kick_service = kick_service
        self._windows = windows
        self._origins = origins
        self._telling = Telling(windows, origins)
        self._clock = clock
        self._newest: OrderedDict[str, str] = OrderedDict()

    async def help(self, sent: Command) -> None:
        """Explain the command, and what this user may do."""
        try:
            verdict, role = await self._review_service.permissions(sent.user_id)
            text = texts.usage(self._command, verdict, role, self._review_service.rules)
        except DirectoryUnavailable as error:
            text = texts.trouble(error)
        await self._telling.whisper(self._origins.note(sent.user_id, sent.response_url), text)

    async def answer(self, sent: Interaction, text: str) -> None:
        """Tell something to the person who pressed a button, in a message or in a view."""
        await self._telling.answer(sent, text)

    async def open(self, sent: Command) -> None:
        """Open the form, or the review where the command says everything."""
        context = ViewMetadata(
            channel=sent.channel_id, origin=self._origins.note(sent.user_id, sent.response_url)
        )
        name = await self._loading(sent.trigger_id, context)
        if name is None:
            return
        async with self._telling.instead(name):
            opening = await self._review_service.form_context(
                sent.user_id, sent.team_id, sent.channel_id, sent.text
            )
            if not opening.verdict.is_allowed:
                await self._refuse(name, context, sent, opening)
            elif choice := self._clear(opening, sent):
                await self._review(name, choice, context, back=False)
            else:
                filled = self._filled(opening)
                view = forms.form(context, opening, filled, self._review_service.rules)
                await self._fill(name, context, view)

    async def _fill(self, name: str, context: ViewMetadata, view: modals.Modal) -> None:
        otherwise = f"Nobody was removed. Type {self._command} again."
        await self._telling.fill(name, context.origin, view, otherwise)

    async def _loading(self, trigger_id: str, context: ViewMetadata) -> str | None:
        view = modals.note("Kick", "Looking who is in…", metadata=context.model_dump_json())
        name = await self._windows.open(trigger_id, view)
        if name is None:
            late = f"Slack did not open the form in time. Type {self._command} again."
            await self._telling.whisper(context.origin, late)
        return name

    async def _refuse(
        self, name: str, context: ViewMetadata, sent: Command, opening: FormContext
    ) -> None:
        await self._fill(name, context, modals.note("Kick", opening.verdict.reason))
        await self._kick_service.record_refusal(sent.user_id, opening.verdict.reason)

    def _clear(self, opening: FormContext, sent: Command) -> KickRequest | None:
        """Make the choice that the command says by itself: one person, and a reason."""
        match = opening.match
        if opening.chosen is None or len(match.people) != 1 or not match.rest:
            return None
        key = match.people[0].key
        if key is None or len(match.rest) > forms.REASON_LIMIT:
            return None
        return KickRequest(
            user=sent.user_id,
            team=sent.team_id,
            channel=sent.channel_id,
            meeting=opening.chosen.meeting.id,
            selection=Selection((key,)),
            reason=match.rest,
        )

    def _filled(self, opening: FormContext) -> forms.Filled:
        match = opening.match
        if len(match.people) == 1:
            one = menus.person_option(match.people[0], self._clock.now())
            hint = "The reason was cut." if len(match.rest) > forms.REASON_LIMIT else ""
            return forms.Filled([one] if one else [], match.rest, hint)
        if match.people:
            hint = f"{len(match.people)} people fit “{match.who}”: choose below."
            return forms.Filled(reason=match.rest, hint=hint)
        if match.who:
            where = display(opening.chosen.meeting.title, 75) if opening.chosen else "any meeting"
            return forms.Filled(hint=f"Nobody live in {where} fits “{match.who}”.")
        return forms.Filled()

    async def review(self, name: str, choice: KickRequest, context: ViewMetadata) -> None:
        """Fill the review that an ack has pushed over the form."""
        async with self._telling.instead(name):
            await self._review(name, choice, context, back=True)

    async def _review(
        self, name: str, choice: KickRequest, context: ViewMetadata, *, back: bool
    ) -> None:
        drawn = await self._review_service.review(choice)
        expires = self._review_service.rules.expires
        view = reviews.review(drawn, context, self._clock.now(), back=back, expires=expires)
        await self._fill(name, context, view)
        if drawn.draft is None:
            await self._kick_service.record_refusal(choice.user, drawn.verdict.reason)

    async def again(self, sent: Interaction, kick: KickId) -> None:
        """Open the review of a kick that does an old one again."""
        if sent.channel is None:
            return
        origin = self._origins.note(sent.user.id, sent.response_url)
        context = ViewMetadata(channel=sent.channel.id, origin=origin)
        name = await self._loading(sent.trigger_id, context)
        if name is None:
            return
        async with self._telling.instead(name):
            choice = await self._review_service.repeat_kick(kick, sent.user.id, sent.channel.id)
            if choice is None:
                gone = "That kick is not in this bot's record any more."
                await self._fill(name, context, modals.note("Kick again", gone))
            else:
                await self._review(name, choice, context, back=False)

    async def choose_meeting(
        self, view: View, context: ViewMetadata, meeting: MeetingId | None, chosen_at: str
    ) -> None:
        """Redraw the form for the meeting just chosen (None: ask for another one).

        Two choices in a row may arrive in either order: the one made last is drawn.
        """
        if chosen_at < self._newest.get(view.id, ""):
            return
        self._newest[view.id] = chosen_at
        if len(self._newest) > VIEWS_KEPT:
            self._newest.popitem(last=False)
        reason = view.answer(forms.REASON).value or ""
        redrawn = forms.form_for(context, meeting, reason, self._review_service.rules)
        if await self._windows.update_as_seen(view.id, view.hash, redrawn):
            return
        if self._newest[view.id] == chosen_at:
            await self._windows.update(view.id, redrawn)
