"""What a user sees in Slack's client."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from tests.sandbox.slack.client.modal import Modal
from tests.sandbox.slack.client.renderer import Renderer
from tests.sandbox.slack.errors import ActionError, TimedOutError
from tests.sandbox.slack.workspace.chat import Message
from tests.sandbox.slack.workspace.team import Channel, User
from tests.sandbox.slack.workspace.views import View
from tests.sandbox.slack.workspace.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notice:
    """What Slack itself told a user after a command. `ts` sorts it among the messages."""

    channel: str
    ts: str
    text: str


class Screen:
    """One user's view of a workspace.

    `strips` are the errors that the client showed, in modals and beside buttons.
    `channel_notices` are what Slack itself told the user.
    """

    def __init__(self, user_id: str, workspace: Workspace) -> None:
        self.strips: list[str] = []
        self.channel_notices: list[Notice] = []
        self._read_up_to: dict[str, str] = {}
        self._id = user_id
        self._workspace = workspace
        self._renderer = Renderer(workspace.directory)

    @property
    def notices(self) -> list[str]:
        """The texts of what Slack itself told the user."""
        return [notice.text for notice in self.channel_notices]

    @property
    def user(self) -> User:
        """The user's present account."""
        return self._workspace.directory.users[self._id]

    @property
    def stack(self) -> list[Modal]:
        """The open modals, the top one last."""
        views = self._workspace.views.stack(self._id)
        return [Modal(view, self._renderer) for view in views]

    @property
    def modal(self) -> Modal:
        """The top modal. Raises ActionError if none is open."""
        return Modal(self._top_view(), self._renderer)

    def channels(self) -> list[Channel]:
        """Return the conversations of the user."""
        channels = self._workspace.directory.channels.values()
        return [channel for channel in channels if self._id in channel.members]

    def messages(self, channel: str) -> list[Message]:
        """Return the messages that the user sees in a channel, by its id or name, oldest first."""
        return self._workspace.chat.visible(self._channel(channel).id, self._id)

    def unread(self, channel: str) -> int:
        """Return how many messages of others the user has not read in a channel."""
        channel_id = self._channel(channel).id
        read = self._read_up_to.get(channel_id, "")
        return sum(one.ts > read and one.author != self._id for one in self.messages(channel_id))

    def mark_read(self, channel: str, ts: str) -> None:
        """Mark a channel as read up to this message."""
        channel_id = self._channel(channel).id
        self._read_up_to[channel_id] = max(ts, self._read_up_to.get(channel_id, ""))
        self._workspace.changes.notify()

    def dm(self) -> list[Message]:
        """Return the direct conversation with the bot. Raises ActionError if there is none."""
        direct = self._workspace.directory.direct(self._id)
        if direct is None:
            raise ActionError(f"{self.user.name} cannot write to the bot")
        return self.messages(direct.id)

    def read(self, message: Message) -> str:
        """Return a message as text."""
        return "\n".join(self._renderer.message(message))

    def screen(self) -> str:
        """Return all that the user sees, as text."""
        lines = [f"{self.user.name} sees:"]
        for channel in self.channels():
            if messages := self.messages(channel.id):
                lines.append(f"#{channel.name}" if channel.name else "(direct messages)")
                lines += [f"  {line}" for item in messages for line in self._renderer.message(item)]
        lines += [line for modal in self.stack for line in modal.lines()]
        lines += [f"⚠ {text}" for text in (*self.strips, *self.notices)]
        return "\n".join(lines)

    async def until(self, predicate: Callable[[Self], T], within: float = 30) -> T:
        """Wait until the predicate is true, and return its value. ActionError counts as false.

        Raises TimedOutError after `within` seconds.
        """

        def attempt() -> T | None:
            try:
                return predicate(self)
            except ActionError:
                return None

        try:
            return await self._workspace.changes.until(attempt, within)
        except TimeoutError as error:
            raise TimedOutError(f"nothing came within {within} s. {self.screen()}") from error

    def _top_view(self) -> View:
        stack = self._workspace.views.stack(self._id)
        if not stack:
            raise ActionError(f"{self.user.name} has no modal open")
        return stack[-1]

    def _channel(self, channel: str, *, force: bool = False) -> Channel:
        found = self._workspace.directory.find_channel(channel)
        if found is None:
            raise ActionError(f"there is no channel {channel!r}")
        if self._id not in found.members and not force:
            raise ActionError(f"{self.user.name} is not in {channel!r}")
        return found
