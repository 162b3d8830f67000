"""What Slack sends to a bot, in Slack's own shapes."""

import secrets
from typing import Any

from tests.sandbox.slack.cast import ABROAD, Cast, Channel, User
from tests.sandbox.slack.chat import Message
from tests.sandbox.slack.form import Used
from tests.sandbox.slack.views import View
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class Payloads:
    """Builds payloads; each gets a new trigger id and response URL where Slack gives one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._cast = workspace.cast
        self._token = secrets.token_hex(12)  # Slack's old verification token: never to be trusted

    def command(self, user: User, channel: Channel, command: str, text: str) -> Json:
        """Somebody typed a slash command; flat, and every value a string."""
        workspace = self._workspace
        return {
            "token": self._token,
            "team_id": self._cast.team_id,
            "team_domain": self._cast.team_domain,
            "channel_id": channel.id,
            "channel_name": _channel_name(channel),
            "user_id": user.id,
            "user_name": user.handle,
            "command": command,
            "text": text,
            "api_app_id": self._cast.app_id,
            "is_enterprise_install": "false",
            "response_url": workspace.response_url(user.id, channel.id),
            "trigger_id": workspace.triggers.give(user.id),
        }

    def view_action(self, user: User, view: View, used: Used, value: Json) -> Json:
        """Somebody used an element of a modal: neither channel nor response URL comes along."""
        return {
            **self._head("block_actions", user, user.team_id),
            "container": {"type": "view", "view_id": view.id},
            "trigger_id": self._workspace.triggers.give(user.id, view.id),
            "view": self.view(view),
            "actions": [self._action(used, value)],
        }

    def message_action(self, user: User, message: Message, used: Used, value: Json) -> Json:
        """Somebody used an element of a message; an ephemeral message itself is not sent."""
        channel = self._workspace.directory.channels[message.channel]
        is_ephemeral = message.only_for is not None
        payload = {
            **self._head("block_actions", user, self._cast.team_id),
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": channel.id,
                "is_ephemeral": is_ephemeral,
            },
            "trigger_id": self._workspace.triggers.give(user.id),
            "channel": {"id": channel.id, "name": _channel_name(channel)},
            "state": {"values": {}},
            "response_url": self._workspace.response_url(user.id, channel.id, message.ts),
            "actions": [self._action(used, value)],
        }
        return payload if is_ephemeral else payload | {"message": self.message(message)}

    def submission(self, user: User, view: View) -> Json:
        """Somebody pressed a modal's submit."""
        return {
            **self._head("view_submission", user, user.team_id),
            "trigger_id": self._workspace.triggers.give(user.id, view.id),
            "view": self.view(view),
            "response_urls": [],
        }

    def closing(self, user: User, view: View, *, is_cleared: bool) -> Json:
        """Somebody closed a modal without submitting it."""
        return {
            **self._head("view_closed", user, user.team_id),
            "view": self.view(view),
            "is_cleared": is_cleared,
        }

    def suggestion(self, user: User, view: View, used: Used, query: str) -> Json:
        """Somebody types into a menu; what they chose elsewhere in the form is not sent."""
        block_id, action_id = used.key
        return {
            **self._head("block_suggestion", user, user.team_id),
            "container": {"type": "view", "view_id": view.id},
            "action_id": action_id,
            "block_id": block_id,
            "value": query,
            "view": self.view(view) | {"state": {"values": {}}},
        }

    def view(self, view: View) -> Json:
        """Give a view as payloads and answers carry it."""
        content, cast = view.content, self._cast
        return {
            "id": view.id,
            "team_id": cast.team_id,
            "type": "modal",
            "blocks": view.blocks,
            "private_metadata": content.get("private_metadata", ""),
            "callback_id": content.get("callback_id", ""),
            "state": view.form.state(),
            "hash": view.hash,
            "title": content["title"],
            "clear_on_close": content.get("clear_on_close", False),
            "notify_on_close": content.get("notify_on_close", False),
            "close": content.get("close"),
            "submit": content.get("submit"),
            "previous_view_id": view.previous_id,
            "root_view_id": view.root_id,
            "app_id": cast.app_id,
            "external_id": view.external_id,
            "app_installed_team_id": cast.team_id,
            "bot_id": cast.bot_id,
        }

    def message(self, message: Message) -> Json:
        """Give a message as payloads and answers carry it."""
        cast = self._cast
        shown: Json = {"type": "message", "user": message.author, "ts": message.ts}
        shown |= {"text": message.text, "team": cast.team_id}
        if message.author == cast.bot.id:
            shown |= {"bot_id": cast.bot_id, "app_id": cast.app_id}
        if message.blocks:
            shown["blocks"] = list(message.blocks)
        if message.thread_ts:
            shown["thread_ts"] = message.thread_ts
        if message.metadata:
            shown["metadata"] = message.metadata
        if message.is_edited:
            shown["edited"] = {"user": cast.bot_id, "ts": message.ts}
        return shown

    def _head(self, kind: str, user: User, team_id: str) -> Json:
        return {
            "type": kind,
            "team": {"id": team_id, "domain": _domain(self._cast, team_id)},
            "user": {
                "id": user.id,
                "username": user.handle,
                "name": user.handle,
                "team_id": user.team_id,
            },
            "api_app_id": self._cast.app_id,
            "token": self._token,
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _action(self, used: Used, value: Json) -> Json:
        block_id, action_id = used.key
        shown: Json = {
            name: used.element[name]
            for name in ("text", "value", "style", "placeholder")
            if name in used.element
        }
        return {
            **shown,
            "type": used.element["type"],
            "action_id": action_id,
            "block_id": block_id,
            "action_ts": f"{self._workspace.clock():.6f}",
            **value,
        }


def _domain(cast: Cast, team_id: str) -> str:
    return "elsewhere" if team_id == ABROAD else cast.team_domain


def _channel_name(channel: Channel) -> str:
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name
