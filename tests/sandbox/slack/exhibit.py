"""The workspace as JSON: for curl, and for a page to try the bot in."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.queries import newest
from tests.sandbox.slack.cast import Channel
from tests.sandbox.slack.payloads import Payloads
from tests.sandbox.slack.person import Person
from tests.sandbox.slack.web_api import RESPONSE_URL, Call
from tests.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


class Exhibit:
    """Shows who and what there is, what one person sees, and what the bot asked for."""

    def __init__(
        self, workspace: Workspace, people: Mapping[str, Person], calls: Sequence[Call]
    ) -> None:
        self._workspace = workspace
        self._people = people
        self._calls = calls
        self._payloads = Payloads(workspace)

    def workspace(self) -> Json:
        """Show whoever and whatever has a name."""
        directory, manifest = self._workspace.directory, self._workspace.manifest
        return {
            "people": [dataclasses.asdict(person.user) for person in self._people.values()],
            "bot": dataclasses.asdict(directory.cast.bot),
            "groups": [dataclasses.asdict(group) for group in directory.groups.values()],
            "channels": [dataclasses.asdict(one) for one in directory.channels.values()],
            "commands": [dataclasses.asdict(one) for one in manifest.commands.values()],
        }

    def calls(self, last: int | None) -> list[Json]:
        """Show what the bot asked of the Web API: the newest `last` calls, or all.

        Tokens and the secret parts of response URLs are never part of it.
        """
        return [_call(at, self._calls[at]) for at in newest(len(self._calls), last)]

    def sight(self, person: Person) -> Json:
        """Show what one person sees."""
        views = self._workspace.views.stack(person.user.id)
        return {
            "beat": self._workspace.pulse.beats,
            "user": dataclasses.asdict(person.user),
            "channels": [self._channel(person, channel) for channel in person.channels()],
            "modals": [
                self._payloads.view(view) | {"errors": view.errors, "strip": view.strip}
                for view in views
            ],
            "strips": person.strips,
            "notices": person.notices,
            "rendered": person.screen(),
        }

    def _channel(self, person: Person, channel: Channel) -> Json:
        return {
            "id": channel.id,
            "name": channel.name,
            "is_im": channel.is_im,
            "is_archived": channel.is_archived,
            "members": channel.members,
            "unread": person.unread(channel.id),
            "messages": [
                self._payloads.message(message)
                | {"only_for": message.only_for, "rendered": person.read(message)}
                for message in person.messages(channel.id)
            ],
            "notices": [
                {"ts": one.ts, "text": one.text}
                for one in person.noticed
                if one.channel == channel.id
            ],
        }


def _call(number: int, call: Call) -> Json:
    is_reply = call.method == RESPONSE_URL
    return {
        "number": number,
        "method": "POST",
        "path": "/respond/***" if is_reply else f"/api/{call.method}",
        "body": call.arguments,
        "status": call.status or None,
        "error": call.error,
        "token": None if is_reply else "***",
        "ended_at": datetime.fromtimestamp(call.at, UTC).isoformat(),
    }
