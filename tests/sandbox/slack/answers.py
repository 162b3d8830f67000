"""What the bot's answers do: to a modal after its submission, to a channel after a command."""

from typing import Any

from tests.sandbox.slack.chat import Draft, Message
from tests.sandbox.slack.checks import checked_blocks, checked_view
from tests.sandbox.slack.errors import RefusedError
from tests.sandbox.slack.tickets import ResponseUrl
from tests.sandbox.slack.views import View
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

_REPLY_KEYS = {
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


class Answers:
    """Carries out answers; one that Slack cannot use raises RefusedError."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def to_submission(self, view: View, body: object) -> None:
        """Carry out the answer to a view_submission."""
        views = self._workspace.views
        match body:
            case None | "":
                views.close(view)
            case {"response_action": "clear", **rest} if not rest:
                views.clear(view.user)
            case {"response_action": "errors", "errors": dict(errors), **rest} if not rest:
                self._show_errors(view, errors)
            case {"response_action": "update", "view": content, **rest} if not rest:
                views.update(views.find(view.id), checked_view(content))
            case {"response_action": "push", "view": content, **rest} if not rest:
                views.push(view.id, checked_view(content))
            case _:
                raise RefusedError("invalid_response", [f"cannot be used: {str(body)[:200]}"])

    def to_command(self, user: str, channel: str, body: object) -> None:
        """Show what came with the ack of a command, if anything did."""
        if body in (None, ""):
            return
        here = ResponseUrl(user, channel, None, self._workspace.clock())
        self.reply(here, {"text": body} if isinstance(body, str) else body)

    def reply(self, url: ResponseUrl, body: object) -> None:
        """Carry out a post to a response URL."""
        if not isinstance(body, dict):
            raise RefusedError("invalid_payload")
        if unknown := body.keys() - _REPLY_KEYS:
            raise RefusedError("invalid_payload", [f"unknown: {', '.join(sorted(unknown))}"])
        if body.get("response_type", "ephemeral") not in {"ephemeral", "in_channel"}:
            raise RefusedError("invalid_payload", ["response_type"])
        if body.get("delete_original"):
            self._workspace.chat.remove(self._original(url))
        elif body.get("replace_original"):
            self._workspace.chat.change(self._original(url), _draft(body))
        else:
            is_open = body.get("response_type") == "in_channel"
            only_for = None if is_open else url.user
            self._workspace.chat.put(url.channel, _draft(body), only_for=only_for)

    def _show_errors(self, view: View, errors: dict[str, Any]) -> None:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        if not errors or not errors.keys() <= inputs:
            strays = ", ".join(sorted(errors.keys() - inputs)) or "none given"
            raise RefusedError("invalid_response", [f"errors for blocks without input: {strays}"])
        if not all(isinstance(text, str) and text for text in errors.values()):
            raise RefusedError("invalid_response", ["an error must be a text"])
        view.errors = dict(errors)
        self._workspace.pulse.beat()

    def _original(self, url: ResponseUrl) -> Message:
        # A command has no original. What Slack answers then is not documented.
        message = self._workspace.chat.find(url.channel, url.origin) if url.origin else None
        if message is None:
            raise RefusedError("message_not_found")
        return message


def _draft(body: Json) -> Draft:
    text = body.get("text", "")
    if not isinstance(text, str):
        raise RefusedError("invalid_payload", ["text"])
    return Draft(
        text=text,
        blocks=checked_blocks(body["blocks"]) if body.get("blocks") is not None else (),
        thread_ts=body.get("thread_ts"),
        metadata=body.get("metadata"),
    )
