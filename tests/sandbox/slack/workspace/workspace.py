"""The state of a workspace in one object."""

import time
from pathlib import Path

from tests.sandbox.changes import Changes
from tests.sandbox.slack.workspace.chat import Chat
from tests.sandbox.slack.workspace.directory import Directory
from tests.sandbox.slack.workspace.interactivity import ResponseUrls, Triggers
from tests.sandbox.slack.workspace.manifest import Manifest
from tests.sandbox.slack.workspace.team import Channel, Group, Team, User
from tests.sandbox.slack.workspace.views import Views


class Clock:
    """The real time, which tests can advance."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self._ahead += seconds


class Workspace:
    """A workspace with one app installed. `url` is the origin of its server."""

    def __init__(self, team: Team, manifest: Path, clock: Clock, trigger_lifetime: float) -> None:
        self.team = team
        self.manifest = Manifest.read(manifest)
        self.clock = clock
        self.changes = Changes()
        self.url = ""
        self.directory = Directory(team)
        self.chat = Chat(self.directory, self.manifest, clock, self.changes)
        self.views = Views(clock, self.changes)
        self.triggers = Triggers(clock, trigger_lifetime)
        self.response_urls = ResponseUrls(clock)

    def upsert(self, item: User | Group | Channel) -> None:
        """Add this user, group or channel, or replace the one with the same id."""
        self.directory.upsert(item)
        self.changes.notify()

    def response_url(self, user: str, channel: str, message_ts: str | None = None) -> str:
        """Return a new response URL for an action in a channel, or on a message there."""
        return f"{self.url}/respond/{self.response_urls.create(user, channel, message_ts)}"
