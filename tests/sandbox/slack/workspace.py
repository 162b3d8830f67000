"""One Slack workspace: everything the stand-in knows, in one place."""

import time
from pathlib import Path

from tests.sandbox.slack.cast import Cast, Channel, Group, User
from tests.sandbox.slack.chat import Chat
from tests.sandbox.slack.directory import Directory
from tests.sandbox.slack.manifest import Manifest
from tests.sandbox.slack.pulse import Pulse
from tests.sandbox.slack.tickets import ResponseUrls, Triggers
from tests.sandbox.slack.views import Views


class Clock:
    """The time, which can be moved on by hand."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        """Tell the time, in seconds since the epoch."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Make it later."""
        self._ahead += seconds


class Workspace:
    """The state of a workspace with one app installed; `url` is where its server listens."""

    def __init__(self, cast: Cast, manifest: Path, clock: Clock, trigger_life: float) -> None:
        self.cast = cast
        self.manifest = Manifest.read(manifest)
        self.clock = clock
        self.pulse = Pulse()
        self.url = ""
        self.directory = Directory(cast)
        self.chat = Chat(self.directory, self.manifest, clock, self.pulse)
        self.views = Views(clock, self.pulse)
        self.triggers = Triggers(clock, trigger_life)
        self.response_urls = ResponseUrls(clock)

    def recast(self, part: User | Group | Channel) -> None:
        """Put this person, group or channel in the place of the one with the same id."""
        self.directory.recast(part)
        self.pulse.beat()

    def response_url(self, user: str, channel: str, origin: str | None = None) -> str:
        """Return a new response URL for something done here."""
        return f"{self.url}/respond/{self.response_urls.give(user, channel, origin)}"
