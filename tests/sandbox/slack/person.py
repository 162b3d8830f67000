"""A person at Slack's client: what they can do, on top of what they see."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.sandbox.slack.answers import Answers
from tests.sandbox.slack.chat import Draft, Message
from tests.sandbox.slack.checks import checked_options
from tests.sandbox.slack.delivery import Delivery, Outcome
from tests.sandbox.slack.errors import CannotError, IncompleteError, RefusedError
from tests.sandbox.slack.form import EXTERNAL, MULTI, Used, find_used, slot, text_complaint
from tests.sandbox.slack.modal import Option
from tests.sandbox.slack.payloads import Payloads
from tests.sandbox.slack.sight import Noticed, Sight
from tests.sandbox.slack.views import View
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

TROUBLE = "We had some trouble connecting. Try again?"
NO_COMMAND = (
    "{} is not a valid command. In Slack, all messages that start with the “/” character"
    " are interpreted as commands."
)


class Person(Sight):
    """Acts as one user through Slack's client, and sees what that user sees.

    What the client would not let them do raises CannotError. `force=True` is a client that was
    tampered with: it sends what it likes.
    """

    def __init__(self, user_id: str, workspace: Workspace, delivery: Delivery) -> None:
        super().__init__(user_id, workspace)
        self._delivery = delivery
        self._payloads = Payloads(workspace)
        self._answers = Answers(workspace)

    async def command(self, channel: str, line: str, *, force: bool = False) -> None:
        """Type a slash command into a channel, by id or name."""
        where = self._channel(channel, force=force)
        if where.is_archived and not force:
            raise CannotError("nobody can write into an archived channel")
        name, _, text = line.partition(" ")
        # Slack offers an app's commands to nobody from another workspace.
        is_offered = name in self._workspace.manifest.commands and not self.user.is_stranger
        if not (is_offered or force):
            self._notice(where.id, NO_COMMAND.format(name))
            return
        payload = self._payloads.command(self.user, where, name, text.strip())
        outcome = await self._delivery.send(payload)
        failure = outcome.failure
        if failure is None:
            failure = self._take(
                payload,
                lambda: self._answers.to_command(self._id, where.id, outcome.body),
                "invalid_command_response",
            )
        if failure:
            self._notice(where.id, f'{name} failed with the error "{failure}"')

    async def type_ahead(
        self,
        action_id: str,
        query: str = "",
        *,
        block_id: str | None = None,
    ) -> list[Option]:
        """Type into a menu and return what the bot offers: nothing at all if it answers wrongly."""
        view = self._top()
        used = find_used(view.blocks, action_id, block_id)
        if used.element["type"] not in EXTERNAL:
            raise CannotError(f"{action_id!r} does not search")
        if len(query) < used.element.get("min_query_length", 3):
            return []
        payload = self._payloads.suggestion(self.user, view, used, query)
        question = view.questions[used.key] = view.questions.get(used.key, 0) + 1
        outcome = await self._delivery.send(payload)
        if outcome.failure:
            return []
        try:
            options = checked_options(outcome.body)
        except RefusedError as error:
            self._delivery.complain(payload, str(error))
            return []
        if view.questions[used.key] == question:
            # The answer to an earlier question may come later; nobody waits for it any more.
            view.found[used.key] = options
        headings = zip(options, _headings(outcome.body), strict=True)
        return [Option.of(option, heading) for option, heading in headings]

    async def choose(
        self,
        action_id: str,
        *wanted: str | Option,
        block_id: str | None = None,
        force: bool = False,
    ) -> None:
        """Choose exactly these options of a menu, radio buttons or checkboxes.

        Each by its value or its text; in a searching menu, from what the last `type_ahead` gave.
        """
        view = self._top()
        used = find_used(view.blocks, action_id, block_id)
        options = [self._option(view, used, item, force=force) for item in wanted]
        value: Any = options
        if used.element["type"] in MULTI:
            most = used.element.get("max_selected_items", len(options))
            if len(options) > most and not force:
                raise CannotError(f"{action_id!r} takes {most} at most")
        elif len(options) > 1 or not (options or used.block.get("optional")):
            raise CannotError(f"{action_id!r} takes one option")
        else:
            value = options[0] if options else None
        await self._enter(view, used, value)

    async def write(
        self,
        action_id: str,
        text: str,
        *,
        block_id: str | None = None,
        force: bool = False,
    ) -> None:
        """Write into a text field, in place of what is there."""
        view = self._top()
        used = find_used(view.blocks, action_id, block_id)
        if used.element["type"] != "plain_text_input":
            raise CannotError(f"{action_id!r} is no text field")
        if len(text) > used.element.get("max_length", 3000) and not force:
            raise CannotError(f"{action_id!r}: {text_complaint(used.element, text)}")
        await self._enter(view, used, text or None)

    async def press(self, action_id: str, *, block_id: str | None = None) -> None:
        """Press a button in the modal on top."""
        view = self._top()
        used = find_used(view.blocks, action_id, block_id)
        if used.element["type"] != "button":
            raise CannotError(f"{action_id!r} is no button")
        await self._act(view, used, {})

    async def submit(self, *, force: bool = False) -> None:
        """Press submit in the modal on top, and take the answer; twice at once sends twice."""
        view = self._top()
        if not force:
            self._check(view)
        payload = self._payloads.submission(self.user, view)
        view.errors.clear()
        view.strip = None
        outcome = await self._delivery.send(payload)
        failure = outcome.failure or self._take(
            payload,
            lambda: self._answers.to_submission(view, outcome.body),
            "invalid_response",
        )
        if failure:
            self._strip(failure, view)

    async def cancel(self) -> None:
        """Press the close button of the modal on top."""
        view = self._top()
        if view.content.get("clear_on_close"):
            await self.dismiss()
            return
        self._workspace.views.close(view)
        await self._tell_closed(view, is_cleared=False)

    async def dismiss(self) -> None:
        """Press the x: the whole stack closes, and the bot hears of its lowest view."""
        root = self._workspace.views.stack(self._id)[:1]
        self._workspace.views.clear(self._id)
        for view in root:
            await self._tell_closed(view, is_cleared=True)

    async def click(
        self,
        message: Message,
        action_id: str,
        *,
        block_id: str | None = None,
        force: bool = False,
    ) -> None:
        """Press a button of a message, as the message stands now.

        With `force`, the button as it was in the message given, wherever that is.
        """
        shown = message if force else self._still_there(message)
        used = find_used(shown.blocks, action_id, block_id)
        if used.element["type"] != "button":
            raise CannotError(f"{action_id!r} is no button")
        outcome = await self._delivery.send(
            self._payloads.message_action(self.user, shown, used, {}),
        )
        if outcome.failure:
            self._strip(outcome.failure)

    async def say(self, channel: str, text: str) -> Message:
        """Post a message of their own: what they type is neither a mention nor a link."""
        where = self._channel(channel)
        if where.is_archived or not text.strip():
            raise CannotError("an archived channel takes no message, and no channel an empty one")
        for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(character, escaped)
        return self._workspace.chat.put(where.id, Draft(text), author=self._id)

    def _still_there(self, message: Message) -> Message:
        for shown in self.messages(message.channel):
            if shown.ts == message.ts:
                return shown
        raise CannotError(f"{self.user.name} sees no such message (any more)")

    def _option(self, view: View, used: Used, wanted: str | Option, *, force: bool) -> Json:
        value = wanted.value if isinstance(wanted, Option) else wanted
        offered = _offered(view, used)
        # Somebody may be called as another one's value is.
        fits = [option for option in offered if option["value"] == value]
        fits += [option for option in offered if option["text"]["text"] == value]
        if fits:
            return fits[0]
        if not force:
            raise CannotError(f"{used.element['action_id']!r} offers no {value!r}")
        return {"text": {"type": "plain_text", "text": value, "emoji": True}, "value": value}

    async def _enter(self, view: View, used: Used, value: Any) -> None:
        if used.element["type"] != "overflow":
            view.form.enter(used, value)
            self._workspace.pulse.beat()
        if used.sends_actions:
            await self._act(view, used, {slot(used.element): value})

    async def _act(self, view: View, used: Used, value: Json) -> Outcome:
        outcome = await self._delivery.send(
            self._payloads.view_action(self.user, view, used, value),
        )
        if outcome.failure:
            self._strip(outcome.failure, view)
        return outcome

    def _check(self, view: View) -> None:
        if "submit" not in view.content:
            raise CannotError("this modal has no submit button")
        if complaints := view.form.complaints(view.blocks):
            raise IncompleteError(complaints)

    def _take(self, payload: Json, answer: Callable[[], None], otherwise: str) -> str | None:
        """Carry out an answer; return Slack's word for one that it cannot use."""
        try:
            answer()
        except RefusedError as error:
            # The view may be gone by now, closed by the answer to a double tap.
            if error.error != "not_found":
                self._delivery.complain(payload, f"its answer: {error}")
                return otherwise
        return None

    async def _tell_closed(self, view: View, *, is_cleared: bool) -> None:
        if view.content.get("notify_on_close"):
            await self._delivery.send(
                self._payloads.closing(self.user, view, is_cleared=is_cleared),
            )

    def _strip(self, failure: str, view: View | None = None) -> None:
        self.strips.append(f"{TROUBLE} ({failure})")
        if view is not None:
            view.strip = self.strips[-1]
        self._workspace.pulse.beat()

    def _notice(self, channel: str, text: str) -> None:
        self.noticed.append(Noticed(channel, self._workspace.chat.next_ts(), text))
        self._workspace.pulse.beat()


def _headings(answer: Any) -> list[str | None]:
    """Tell of each option in an answer under which heading it stands, if under any."""
    if answer.get("options") is not None:
        return [None] * len(answer["options"])
    groups = answer["option_groups"]
    return [group["label"]["text"] for group in groups for _ in group["options"]]


def _offered(view: View, used: Used) -> Sequence[Json]:
    element = used.element
    if element["type"] in EXTERNAL:
        current = view.form.value(used) or []
        return [
            *view.found.get(used.key, ()),
            *(current if isinstance(current, list) else [current]),
        ]
    groups = element.get("option_groups", ())
    return [*element.get("options", ()), *(item for group in groups for item in group["options"])]
