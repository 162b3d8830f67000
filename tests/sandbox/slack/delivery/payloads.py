"""The payloads that Slack sends to a bot.

https://docs.slack.dev/reference/interaction-payloads/ and
https://docs.slack.dev/interactivity/implementing-slash-commands/
"""

import secrets

from tests.sandbox.control import Json
from tests.sandbox.slack.workspace.chat import Message
from tests.sandbox.slack.workspace.form import Element
from tests.sandbox.slack.workspace.team import OTHER_TEAM_ID, Channel, Team, User
from tests.sandbox.slack.workspace.views import View
from tests.sandbox.slack.workspace.workspace import Workspace


class Payloads:
    """Builds payloads, with a new trigger id and response URL if Slack gives one."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._team = workspace.team
        self._token = secrets.token_hex(
            12
        )  # the old verification token, which a bot should not trust

    def command(self, user: User, channel: Channel, command: str, text: str) -> Json:
        """Return a slash command, in which every value is a string."""
        workspace = self._workspace
        return {
            "token": self._token,
            "team_id": self._team.id,
            "team_domain": self._team.domain,
            "channel_id": channel.id,
            "channel_name": _channel_name(channel),
            "user_id": user.id,
            "user_name": user.handle,
            "command": command,
            "text": text,
            "api_app_id": self._team.app_id,
            "is_enterprise_install": "false",
            "response_url": workspace.response_url(user.id, channel.id),
            "trigger_id": workspace.triggers.create(user.id),
        }

    def view_action(self, user: User, view: View, element: Element, value: Json) -> Json:
        """Return a block_actions payload of a modal, which has no channel and no response URL."""
        return {
            **self._head("block_actions", user, user.team_id),
            "container": {"type": "view", "view_id": view.id},
            "trigger_id": self._workspace.triggers.create(user.id, view.id),
            "view": self.view(view),
            "actions": [self._action(element, value)],
        }

    def message_action(self, user: User, message: Message, element: Element) -> Json:
        """Return a block_actions payload of a message. It lacks an ephemeral message's content."""
        channel = self._workspace.directory.channels[message.channel]
        is_ephemeral = message.only_for is not None
        payload = {
            **self._head("block_actions", user, self._team.id),
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": channel.id,
                "is_ephemeral": is_ephemeral,
            },
            "trigger_id": self._workspace.triggers.create(user.id),
            "channel": {"id": channel.id, "name": _channel_name(channel)},
            "state": {"values": {}},
            "response_url": self._workspace.response_url(user.id, channel.id, message.ts),
            "actions": [self._action(element, {})],
        }
        return payload if is_ephemeral else payload | {"message": self.message(message)}

    def view_submission(self, user: User, view: View) -> Json:
        """Return the submission of a modal."""
        return {
            **self._head("view_submission", user, user.team_id),
            "trigger_id": self._workspace.triggers.create(user.id, view.id),
            "view": self.view(view),
            "response_urls": [],
        }

    def view_closed(self, user: User, view: View, *, is_cleared: bool) -> Json:
        """Return the news that a modal was closed without a submission."""
        return {
            **self._head("view_closed", user, user.team_id),
            "view": self.view(view),
            "is_cleared": is_cleared,
        }

    def block_suggestion(self, user: User, view: View, element: Element, query: str) -> Json:
        """Return a query for a menu's options. It lacks what was entered in the other elements."""
        block_id, action_id = element.key
        return {
            **self._head("block_suggestion", user, user.team_id),
            "container": {"type": "view", "view_id": view.id},
            "action_id": action_id,
            "block_id": block_id,
            "value": query,
            "view": self.view(view) | {"state": {"values": {}}},
        }

    def view(self, view: View) -> Json:
        """Return a view object, as payloads and API responses contain it."""
        content, team = view.content, self._team
        return {
            "id": view.id,
            "team_id": team.id,
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
            "app_id": team.app_id,
            "external_id": view.external_id,
            "app_installed_team_id": team.id,
            "bot_id": team.bot_id,
        }

    def message(self, message: Message) -> Json:
        """Return a message object, as payloads and API responses contain it."""
        team = self._team
        shown: Json = {"type": "message", "user": message.author, "ts": message.ts}
        shown |= {"text": message.text, "team": team.id}
        if message.author == team.bot.id:
            shown |= {"bot_id": team.bot_id, "app_id": team.app_id}
        if message.blocks:
            shown["blocks"] = list(message.blocks)
        if message.thread_ts:
            shown["thread_ts"] = message.thread_ts
        if message.metadata:
            shown["metadata"] = message.metadata
        if message.is_edited:
            shown["edited"] = {"user": team.bot_id, "ts": message.ts}
        return shown

    def _head(self, kind: str, user: User, team_id: str) -> Json:
        team_id = self._team.id if self._team.id in user.workspaces else team_id
        org = self._team.enterprise_id
        return {
            "type": kind,
            "team": {"id": team_id, "domain": _domain(self._team, team_id)},
            "user": {
                "id": user.id,
                "username": user.handle,
                "name": user.handle,
                "team_id": user.team_id,
            },
            "api_app_id": self._team.app_id,
            "token": self._token,
            "enterprise": {"id": org, "name": "sandbox"} if org else None,
            "is_enterprise_install": False,
        }

    def _action(self, element: Element, value: Json) -> Json:
        block_id, action_id = element.key
        names = {"text", "value", "style", "placeholder"} & element.json.keys()
        return {
            **{name: element.json[name] for name in names},
            "type": element.type,
            "action_id": action_id,
            "block_id": block_id,
            "action_ts": f"{self._workspace.clock():.6f}",
            **value,
        }


def _domain(team: Team, team_id: str) -> str:
    return "elsewhere" if team_id == OTHER_TEAM_ID else team.domain


def _channel_name(channel: Channel) -> str:
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name
