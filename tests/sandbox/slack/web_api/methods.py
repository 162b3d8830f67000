"""The methods of the Web API that the bot may need.

https://docs.slack.dev/reference/methods/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.sandbox.control import Json
from tests.sandbox.slack.block_kit import validate_view
from tests.sandbox.slack.delivery.payloads import Payloads
from tests.sandbox.slack.delivery.socket_mode import Sockets
from tests.sandbox.slack.errors import ApiError
from tests.sandbox.slack.web_api.arguments import Parse, Signature, flag, structure, text
from tests.sandbox.slack.workspace.chat import MessageContent
from tests.sandbox.slack.workspace.team import Group, User
from tests.sandbox.slack.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Method:
    """A method: what it does, its arguments, its scope, and whether it takes the app's token."""

    run: Callable[[Json], Json]
    signature: Signature = field(default_factory=Signature)
    scope: str | None = None
    takes_app_token: bool = False


_CONTENT: Final[Mapping[str, Parse]] = {
    "text": text,
    "blocks": structure,
    "metadata": structure,
    "link_names": flag,
    "parse": text,
}
_POST: Final[Mapping[str, Parse]] = {
    **_CONTENT,
    "mrkdwn": flag,
    "thread_ts": text,
    "unfurl_links": flag,
    "unfurl_media": flag,
}


@dataclass(frozen=True, slots=True)
class Methods:
    """What each method does to a workspace. The methods raise ApiError with Slack's code."""

    workspace: Workspace
    payloads: Payloads
    sockets: Sockets

    def by_name(self) -> dict[str, Method]:
        """Return all methods."""
        return {
            "auth.test": Method(self._auth_test),
            "apps.connections.open": Method(self._connections_open, takes_app_token=True),
            **self._chat(),
            **self._views(),
            **self._users(),
        }

    def _chat(self) -> dict[str, Method]:
        channel, message = {"channel": text}, {"channel": text, "ts": text}
        ephemeral = {"channel": text, "user": text}
        signatures = {
            "chat.postMessage": (self._post, Signature(channel, _POST)),
            "chat.postEphemeral": (self._post_ephemeral, Signature(ephemeral, _POST)),
            "chat.update": (self._update, Signature(message, _CONTENT)),
            "chat.delete": (self._delete, Signature(message)),
        }
        return {
            name: Method(run, signature, "chat:write")
            for name, (run, signature) in signatures.items()
        }

    def _views(self) -> dict[str, Method]:
        opening = Signature({"trigger_id": text, "view": structure})
        which = {"view_id": text, "external_id": text, "hash": text}
        return {
            "views.open": Method(self._open, opening),
            "views.push": Method(self._push, opening),
            "views.update": Method(self._update_view, Signature({"view": structure}, which)),
        }

    def _users(self) -> dict[str, Method]:
        user = Signature({"user": text}, {"include_locale": flag}, reads_json=False)
        disabled = {"include_disabled": flag}
        members = Signature({"usergroup": text}, disabled, reads_json=False)
        more = disabled | {"include_count": flag, "include_users": flag}
        groups = Signature({}, more, reads_json=False)
        return {
            "users.info": Method(self._user, user, "users:read"),
            "usergroups.users.list": Method(self._members, members, "usergroups:read"),
            "usergroups.list": Method(self._groups, groups, "usergroups:read"),
        }

    def _auth_test(self, _: Json) -> Json:
        team = self.workspace.team
        return {
            "url": f"https://{team.domain}.slack.com/",
            **({} if team.is_org_wide else {"team": team.domain, "team_id": team.id}),
            "user": team.bot.name,
            "user_id": team.bot.id,
            "bot_id": team.bot_id,
            "enterprise_id": team.enterprise_id,
            "is_enterprise_install": team.is_org_wide,
        }

    def _connections_open(self, _: Json) -> Json:
        origin = self.workspace.url.replace("http://", "ws://")
        return {"url": origin + self.sockets.new_path()}

    def _post(self, given: Json) -> Json:
        content = MessageContent.parse(given)
        message = self.workspace.chat.post(given["channel"], content)
        shown = self.payloads.message(message)
        return {"channel": message.channel, "ts": message.ts, "message": shown}

    def _post_ephemeral(self, given: Json) -> Json:
        content = MessageContent.parse(given)
        chat = self.workspace.chat
        return {"message_ts": chat.post_ephemeral(given["channel"], given["user"], content).ts}

    def _update(self, given: Json) -> Json:
        content = MessageContent.parse(given)
        message = self.workspace.chat.update(given["channel"], given["ts"], content)
        shown = self.payloads.message(message)
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": shown,
        }

    def _delete(self, given: Json) -> Json:
        self.workspace.chat.delete(given["channel"], given["ts"])
        return {"channel": given["channel"], "ts": given["ts"]}

    def _open(self, given: Json) -> Json:
        # Slack does not document whether a refused view uses up its trigger id. Here it does.
        trigger = self.workspace.triggers.use(given["trigger_id"])
        content = validate_view(given["view"])
        return {"view": self.payloads.view(self.workspace.views.open(trigger.user, content))}

    def _push(self, given: Json) -> Json:
        trigger = self.workspace.triggers.use(given["trigger_id"])
        content = validate_view(given["view"])
        # The trigger of an action outside a modal has no view to push onto.
        view = self.workspace.views.push(trigger.view_id or "", content)
        return {"view": self.payloads.view(view)}

    def _update_view(self, given: Json) -> Json:
        content = validate_view(given["view"])
        views = self.workspace.views
        match given:
            case {"view_id": view_id, **others} if "external_id" not in others:
                view = views.find(view_id)
            case {"external_id": external_id, **others} if "view_id" not in others:
                view = views.find_external(external_id)
            case _:
                message = "[ERROR] must provide either view_id or external_id"
                raise ApiError("invalid_arguments", [message])
        if given.get("hash", view.hash) != view.hash:
            raise ApiError("hash_conflict")
        return {"view": self.payloads.view(views.update(view, content))}

    def _user(self, given: Json) -> Json:
        user = self.workspace.directory.users.get(given["user"])
        if user is None:
            raise ApiError("user_not_found")
        return {"user": _user_object(user)}

    def _members(self, given: Json) -> Json:
        group = self.workspace.directory.groups.get(given["usergroup"])
        # Slack does not document its answer for a disabled group without `include_disabled`.
        if group is None or (group.is_disabled and not given.get("include_disabled")):
            raise ApiError("no_such_subteam")
        return {"users": list(group.members)}

    def _groups(self, given: Json) -> Json:
        groups = [
            self._group_object(group, with_users=given.get("include_users", False))
            for group in self.workspace.directory.groups.values()
            if given.get("include_disabled") or not group.is_disabled
        ]
        return {"usergroups": groups}

    def _group_object(self, group: Group, *, with_users: bool) -> Json:
        return {
            "id": group.id,
            "team_id": self.workspace.team.id,
            "is_usergroup": True,
            "name": group.handle,
            "handle": group.handle,
            "date_delete": 0,
            "user_count": len(group.members),
            **({"users": list(group.members)} if with_users else {}),
        }


def _user_object(user: User) -> Json:
    return {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.handle,
        "real_name": user.name,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "is_admin": False,
        "is_owner": False,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_stranger": user.is_stranger,
        "tz": "Etc/UTC",
        "tz_offset": 0,
        "profile": {"real_name": user.name, "display_name": user.name},
        **({"enterprise_user": {"teams": list(user.workspaces)}} if user.workspaces else {}),
    }
