"""The Web API's methods, as far as the bot may need them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.slack.arguments import Parse, Signature, flag, structure, text
from tests.sandbox.slack.cast import User
from tests.sandbox.slack.chat import Draft
from tests.sandbox.slack.checks import checked_blocks, checked_view
from tests.sandbox.slack.errors import RefusedError
from tests.sandbox.slack.payloads import Payloads
from tests.sandbox.slack.sockets import Sockets
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what it does and takes, the scope it needs, whether the app's token calls it."""

    run: Callable[[Json], Json]
    signature: Signature
    scope: str | None = None
    is_for_app: bool = False


_CONTENT: Mapping[str, Parse] = {
    "text": text,
    "blocks": structure,
    "metadata": structure,
    "link_names": flag,
    "parse": text,
}
_POSTING: Mapping[str, Parse] = {
    **_CONTENT,
    "mrkdwn": flag,
    "thread_ts": text,
    "unfurl_links": flag,
    "unfurl_media": flag,
}


class Methods:
    """What each method does to a workspace; what Slack refuses raises RefusedError."""

    def __init__(self, workspace: Workspace, payloads: Payloads, sockets: Sockets) -> None:
        self._workspace = workspace
        self._payloads = payloads
        self._sockets = sockets

    def table(self) -> dict[str, Method]:
        """Name every method there is."""
        return {**self._identity(), **self._chat(), **self._views(), **self._people()}

    def _identity(self) -> dict[str, Method]:
        nothing = Signature({}, {})
        return {
            "auth.test": Method(self._auth_test, nothing),
            "apps.connections.open": Method(self._connections_open, nothing, is_for_app=True),
        }

    def _chat(self) -> dict[str, Method]:
        channel, ts = {"channel": text}, {"channel": text, "ts": text}
        whisper = {"channel": text, "user": text}
        signatures = {
            "chat.postMessage": (self._post, Signature(channel, _POSTING)),
            "chat.postEphemeral": (self._whisper, Signature(whisper, _POSTING)),
            "chat.update": (self._update, Signature(ts, _CONTENT)),
            "chat.delete": (self._delete, Signature(ts, {})),
        }
        return {name: Method(run, takes, "chat:write") for name, (run, takes) in signatures.items()}

    def _views(self) -> dict[str, Method]:
        opening = Signature({"trigger_id": text, "view": structure}, {})
        which = {"view_id": text, "external_id": text, "hash": text}
        return {
            "views.open": Method(self._open, opening),
            "views.push": Method(self._push, opening),
            "views.update": Method(self._update_view, Signature({"view": structure}, which)),
        }

    def _people(self) -> dict[str, Method]:
        who = Signature({"user": text}, {"include_locale": flag}, reads_json=False)
        group = {"include_disabled": flag}
        listing = group | {"include_count": flag, "include_users": flag}
        members = Signature({"usergroup": text}, group, reads_json=False)
        groups = Signature({}, listing, reads_json=False)
        return {
            "users.info": Method(self._user, who, "users:read"),
            "usergroups.users.list": Method(self._members, members, "usergroups:read"),
            "usergroups.list": Method(self._groups, groups, "usergroups:read"),
        }

    def _auth_test(self, _: Json) -> Json:
        cast = self._workspace.cast
        return {
            "url": f"https://{cast.team_domain}.slack.com/",
            "team": cast.team_domain,
            "user": cast.bot.name,
            "team_id": cast.team_id,
            "user_id": cast.bot.id,
            "bot_id": cast.bot_id,
            "is_enterprise_install": False,
        }

    def _connections_open(self, _: Json) -> Json:
        base = self._workspace.url.replace("http://", "ws://")
        return {"url": base + self._sockets.ticket()}

    def _post(self, given: Json) -> Json:
        message = self._workspace.chat.post(given["channel"], _draft(given))
        shown = self._payloads.message(message)
        return {"channel": message.channel, "ts": message.ts, "message": shown}

    def _whisper(self, given: Json) -> Json:
        message = self._workspace.chat.whisper(given["channel"], given["user"], _draft(given))
        return {"message_ts": message.ts}

    def _update(self, given: Json) -> Json:
        message = self._workspace.chat.update(given["channel"], given["ts"], _draft(given))
        shown = self._payloads.message(message)
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": shown,
        }

    def _delete(self, given: Json) -> Json:
        self._workspace.chat.delete(given["channel"], given["ts"])
        return {"channel": given["channel"], "ts": given["ts"]}

    def _open(self, given: Json) -> Json:
        trigger = self._workspace.triggers.exchange(given["trigger_id"])
        # Whether a view that is refused uses its trigger up is not documented; here it does.
        content = checked_view(given["view"])
        view = self._workspace.views.open(trigger.user, content)
        return {"view": self._payloads.view(view)}

    def _push(self, given: Json) -> Json:
        trigger = self._workspace.triggers.exchange(given["trigger_id"])
        content = checked_view(given["view"])
        # A trigger from outside a modal has nothing to push onto.
        view = self._workspace.views.push(trigger.view_id or "", content)
        return {"view": self._payloads.view(view)}

    def _update_view(self, given: Json) -> Json:
        content = checked_view(given["view"])
        views = self._workspace.views
        match given:
            case {"view_id": view_id, **others} if "external_id" not in others:
                view = views.find(view_id)
            case {"external_id": external_id, **others} if "view_id" not in others:
                view = views.find_external(external_id)
            case _:
                complaint = "[ERROR] must provide either view_id or external_id"
                raise RefusedError("invalid_arguments", [complaint])
        if given.get("hash", view.hash) != view.hash:
            raise RefusedError("hash_conflict")
        return {"view": self._payloads.view(views.update(view, content))}

    def _user(self, given: Json) -> Json:
        user = self._workspace.directory.users.get(given["user"])
        if user is None:
            raise RefusedError("user_not_found")
        return {"user": _profile(user)}

    def _members(self, given: Json) -> Json:
        group = self._workspace.directory.groups.get(given["usergroup"])
        # What Slack says of a disabled group that was not asked for is not documented.
        if group is None or (group.is_disabled and not given.get("include_disabled")):
            raise RefusedError("no_such_subteam")
        return {"users": list(group.members)}

    def _groups(self, given: Json) -> Json:
        with_users = given.get("include_users", False)
        groups = self._workspace.directory.groups.values()
        return {
            "usergroups": [
                {
                    "id": group.id,
                    "team_id": self._workspace.cast.team_id,
                    "is_usergroup": True,
                    "name": group.handle,
                    "handle": group.handle,
                    "date_delete": 0,
                    "user_count": len(group.members),
                    **({"users": list(group.members)} if with_users else {}),
                }
                for group in groups
                if given.get("include_disabled") or not group.is_disabled
            ],
        }


def _draft(given: Json) -> Draft:
    metadata = given.get("metadata")
    if metadata is not None:
        _check_metadata(metadata)
    return Draft(
        text=given.get("text", ""),
        blocks=checked_blocks(given["blocks"]) if "blocks" in given else (),
        thread_ts=given.get("thread_ts"),
        metadata=metadata,
    )


def _check_metadata(metadata: object) -> None:
    match metadata:
        case {"event_type": str(), "event_payload": dict(), **others} if not others:
            return
        case _:
            raise RefusedError("invalid_metadata_format")


def _profile(user: User) -> Json:
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
    }
