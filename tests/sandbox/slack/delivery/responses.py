"""What the bot's responses do: to a submitted modal, after a command, and at a response URL."""

from dataclasses import dataclass
from typing import Any, Final

from tests.sandbox.slack.block_kit import validate_view
from tests.sandbox.slack.errors import ApiError
from tests.sandbox.slack.workspace.chat import Message, MessageContent
from tests.sandbox.slack.workspace.interactivity import ResponseUrl
from tests.sandbox.slack.workspace.views import View
from tests.sandbox.slack.workspace.workspace import Workspace

_FIELDS: Final = {
    "text",
    "blocks",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "metadata",
    "mrkdwn",
    "unfurl_links",
    "unfurl_media",
}


@dataclass(frozen=True, slots=True)
class Responses:
    """Applies responses. Its methods raise ApiError for a response that Slack cannot use."""

    workspace: Workspace

    def to_submission(self, view: View, body: object) -> None:
        """Apply the response to a view_submission."""
        views = self.workspace.views
        match body:
            case None | "":
                views.close(view)
            case {"response_action": "clear", **rest} if not rest:
                views.clear(view.user)
            case {"response_action": "errors", "errors": dict(errors), **rest} if not rest:
                self._show_errors(view, errors)
            case {"response_action": "update", "view": content, **rest} if not rest:
                views.update(views.find(view.id), validate_view(content))
            case {"response_action": "push", "view": content, **rest} if not rest:
                views.push(view.id, validate_view(content))
            case _:
                raise ApiError("invalid_response", [f"cannot be used: {str(body)[:200]}"])

    def to_command(self, user: str, channel: str, body: object) -> None:
        """Apply the body of a command's ack, if it has one."""
        if body not in (None, ""):
            url = ResponseUrl(user, channel, None, self.workspace.clock())
            self.to_response_url(url, {"text": body} if isinstance(body, str) else body)

    def to_response_url(self, url: ResponseUrl, body: object) -> None:
        """Apply a post to a response URL.

        https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses
        """
        if not isinstance(body, dict):
            raise ApiError("invalid_payload")
        if unknown := body.keys() - _FIELDS:
            raise ApiError("invalid_payload", [f"unknown: {', '.join(sorted(unknown))}"])
        kind = body.get("response_type", "ephemeral")
        if kind not in {"ephemeral", "in_channel"}:
            raise ApiError("invalid_payload", ["response_type"])
        if not isinstance(body.get("text", ""), str):
            raise ApiError("invalid_payload", ["text"])
        if body.get("delete_original"):
            self.workspace.chat.remove(self._original(url))
            return
        original = self._original(url) if body.get("replace_original") else None
        given = {name: value for name, value in body.items() if value is not None}
        content = MessageContent.parse(given)
        if original:
            self.workspace.chat.replace(original, content)
        else:
            only_for = url.user if kind == "ephemeral" else None
            self.workspace.chat.put(url.channel, content, only_for=only_for)

    def _show_errors(self, view: View, errors: dict[str, Any]) -> None:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not errors or not errors.keys() <= inputs:
            others = ", ".join(sorted(errors.keys() - inputs)) or "none given"
            raise ApiError("invalid_response", [f"errors for blocks without input: {others}"])
        if not all(isinstance(text, str) and text for text in errors.values()):
            raise ApiError("invalid_response", ["an error must be a text"])
        view.errors = dict(errors)
        self.workspace.changes.notify()

    def _original(self, url: ResponseUrl) -> Message:
        # A command has no original message. Slack's answer is then not documented.
        ts = url.message_ts
        message = self.workspace.chat.find(url.channel, ts) if ts else None
        if message is None:
            raise ApiError("message_not_found")
        return message
