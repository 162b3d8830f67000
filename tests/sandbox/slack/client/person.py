"""A user at Slack's client: what they can do, and what they see."""

from collections.abc import Callable
from typing import Any, Final

from tests.sandbox.control import Json
from tests.sandbox.slack.block_kit import validate_options
from tests.sandbox.slack.client.modal import Option
from tests.sandbox.slack.client.screen import Notice, Screen
from tests.sandbox.slack.delivery.delivery import Delivery
from tests.sandbox.slack.delivery.payloads import Payloads
from tests.sandbox.slack.delivery.responses import Responses
from tests.sandbox.slack.errors import ActionError, ApiError, FormError
from tests.sandbox.slack.workspace.chat import Message, MessageContent
from tests.sandbox.slack.workspace.form import EXTERNAL, MULTI, Element, find_element
from tests.sandbox.slack.workspace.views import View
from tests.sandbox.slack.workspace.workspace import Workspace

TROUBLE: Final = "We had some trouble connecting. Try again?"
UNKNOWN_COMMAND: Final = (
    "{} is not a valid command. In Slack, all messages that start with the “/” character"
    " are interpreted as commands."
)


class Person(Screen):
    """Acts as one user in Slack's client, and sees what that user sees.

    An action that the client would not allow raises ActionError. With `force=True` the client was
    manipulated and sends anything.
    """

    def __init__(
        self, user_id: str, workspace: Workspace, payloads: Payloads, delivery: Delivery
    ) -> None:
        super().__init__(user_id, workspace)
        self._payloads = payloads
        self._delivery = delivery
        self._responses = Responses(workspace)

    async def command(self, channel: str, line: str, *, force: bool = False) -> None:
        """Type a slash command into a channel, by its id or name."""
        where = self._channel(channel, force=force)
        if where.is_archived and not force:
            raise ActionError("an archived channel takes no command")
        name, _, text = line.partition(" ")
        # Slack offers an app's commands only to the people of its own workspace.
        is_offered = name in self._workspace.manifest.commands and not self.user.is_stranger
        if not (is_offered or force):
            self._notify(where.id, UNKNOWN_COMMAND.format(name))
            return
        payload = self._payloads.command(self.user, where, name, text.strip())
        failure = await self._send(
            payload,
            lambda body: self._responses.to_command(self._id, where.id, body),
            "invalid_command_response",
        )
        if failure:
            self._notify(where.id, f'{name} failed with the error "{failure}"')

    async def type_ahead(
        self, action_id: str, query: str = "", *, block_id: str | None = None
    ) -> list[Option]:
        """Type into a menu that searches. Return what the bot offers: [] for a wrong response."""
        view = self._top_view()
        element = find_element(view.blocks, action_id, block_id)
        if element.type not in EXTERNAL:
            raise ActionError(f"{action_id!r} does not search")
        if len(query) < element.json.get("min_query_length", 3):
            return []
        payload = self._payloads.block_suggestion(self.user, view, element, query)
        number = view.queries[element.key] = view.queries.get(element.key, 0) + 1
        outcome = await self._delivery.send(payload)
        if outcome.failure:
            return []
        try:
            options = validate_options(outcome.body)
        except ApiError as error:
            self._delivery.add_problem(payload, str(error))
            return []
        # The response to an earlier query may come later. The client then ignores it.
        if view.queries[element.key] == number:
            view.options[element.key] = options
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

        Each is given by its value or text. A menu that searches offers what the last `type_ahead`
        returned.
        """
        view = self._top_view()
        element = find_element(view.blocks, action_id, block_id)
        options = [_option(view, element, item, force=force) for item in wanted]
        value: Any = options
        if element.type in MULTI:
            most = element.json.get("max_selected_items", len(options))
            if len(options) > most and not force:
                raise ActionError(f"{action_id!r} takes {most} at most")
        elif len(options) > 1 or not (options or element.block.get("optional")):
            raise ActionError(f"{action_id!r} takes one option")
        else:
            value = options[0] if options else None
        await self._enter(view, element, value)

    async def write(
        self, action_id: str, text: str, *, block_id: str | None = None, force: bool = False
    ) -> None:
        """Replace the text of a text field."""
        view = self._top_view()
        element = find_element(view.blocks, action_id, block_id)
        if element.type != "plain_text_input":
            raise ActionError(f"{action_id!r} is no text field")
        if len(text) > element.json.get("max_length", 3000) and not force:
            raise ActionError(f"{action_id!r}: {element.length_error(text)}")
        await self._enter(view, element, text or None)

    async def press(self, action_id: str, *, block_id: str | None = None) -> None:
        """Press a button in the top modal."""
        view = self._top_view()
        await self._act(view, _find_button(view.blocks, action_id, block_id), {})

    async def submit(self, *, force: bool = False) -> None:
        """Submit the top modal and apply the response. Two calls at once send two payloads."""
        view = self._top_view()
        if not force:
            if "submit" not in view.content:
                raise ActionError("this modal has no submit button")
            if errors := view.form.errors(view.blocks):
                raise FormError(errors)
        payload = self._payloads.view_submission(self.user, view)
        view.errors.clear()
        view.strip = None
        failure = await self._send(
            payload, lambda body: self._responses.to_submission(view, body), "invalid_response"
        )
        if failure:
            self._show_strip(failure, view)

    async def cancel(self) -> None:
        """Press the close button of the top modal."""
        view = self._top_view()
        if view.content.get("clear_on_close"):
            await self.dismiss()
            return
        self._workspace.views.close(view)
        await self._send_closed(view, is_cleared=False)

    async def dismiss(self) -> None:
        """Press the x, which closes all modals. Slack tells the bot about the bottom one."""
        bottom = self._workspace.views.stack(self._id)[:1]
        self._workspace.views.clear(self._id)
        for view in bottom:
            await self._send_closed(view, is_cleared=True)

    async def click(
        self, message: Message, action_id: str, *, block_id: str | None = None, force: bool = False
    ) -> None:
        """Press a button of a message as it is now, or with `force` as it was in `message`."""
        shown = message if force else self._present(message)
        button = _find_button(shown.blocks, action_id, block_id)
        payload = self._payloads.message_action(self.user, shown, button)
        outcome = await self._delivery.send(payload)
        if outcome.failure:
            self._show_strip(outcome.failure)

    async def say(self, channel: str, text: str) -> Message:
        """Post a message of the user. Markup in the text has no effect."""
        where = self._channel(channel)
        if where.is_archived or not text.strip():
            raise ActionError("an archived channel takes no message, and no channel an empty one")
        for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(character, escaped)
        return self._workspace.chat.put(where.id, MessageContent(text), author=self._id)

    def _present(self, message: Message) -> Message:
        for shown in self.messages(message.channel):
            if shown.ts == message.ts:
                return shown
        raise ActionError(f"{self.user.name} sees no such message")

    async def _enter(self, view: View, element: Element, value: Any) -> None:
        if element.type != "overflow":
            view.form.enter(element, value)
            self._workspace.changes.notify()
        if element.sends_actions:
            await self._act(view, element, {element.value_field: value})

    async def _act(self, view: View, element: Element, value: Json) -> None:
        payload = self._payloads.view_action(self.user, view, element, value)
        outcome = await self._delivery.send(payload)
        if outcome.failure:
            self._show_strip(outcome.failure, view)

    async def _send(self, payload: Json, apply: Callable[[Any], None], code: str) -> str | None:
        """Send a payload and apply the response. Return the code of a failure.

        `code` is Slack's code for a response that it cannot use.
        """
        outcome = await self._delivery.send(payload)
        if outcome.failure:
            return outcome.failure
        try:
            apply(outcome.body)
        except ApiError as error:
            # The response to a double tap may have closed the view.
            if error.error != "not_found":
                self._delivery.add_problem(payload, f"its answer: {error}")
                return code
        return None

    async def _send_closed(self, view: View, *, is_cleared: bool) -> None:
        if view.content.get("notify_on_close"):
            payload = self._payloads.view_closed(self.user, view, is_cleared=is_cleared)
            await self._delivery.send(payload)

    def _show_strip(self, failure: str, view: View | None = None) -> None:
        self.strips.append(f"{TROUBLE} ({failure})")
        if view is not None:
            view.strip = self.strips[-1]
        self._workspace.changes.notify()

    def _notify(self, channel: str, text: str) -> None:
        self.channel_notices.append(Notice(channel, self._workspace.chat.next_ts(), text))
        self._workspace.changes.notify()


def _find_button(blocks: Any, action_id: str, block_id: str | None) -> Element:
    element = find_element(blocks, action_id, block_id)
    if element.type != "button":
        raise ActionError(f"{action_id!r} is no button")
    return element


def _option(view: View, element: Element, wanted: str | Option, *, force: bool) -> Json:
    value = wanted.value if isinstance(wanted, Option) else wanted
    offered = _offered(view, element)
    # A value wins over a text, because a person's name may be the value of another option.
    matching = [option for option in offered if option["value"] == value]
    matching += [option for option in offered if option["text"]["text"] == value]
    if matching:
        return matching[0]
    if not force:
        raise ActionError(f"{element.key[1]!r} offers no {value!r}")
    return {"text": {"type": "plain_text", "text": value, "emoji": True}, "value": value}


def _offered(view: View, element: Element) -> list[Json]:
    if element.type in EXTERNAL:
        value = view.form.value(element) or []
        current = value if isinstance(value, list) else [value]
        return [*view.options.get(element.key, ()), *current]
    groups = element.json.get("option_groups", ())
    return [
        *element.json.get("options", ()),
        *(option for group in groups for option in group["options"]),
    ]


def _headings(response: Any) -> list[str | None]:
    """Return the heading above each option, in the order of `validate_options`."""
    if response.get("options") is not None:
        return [None] * len(response["options"])
    groups = response["option_groups"]
    return [group["label"]["text"] for group in groups for _ in group["options"]]
