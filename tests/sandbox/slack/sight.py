"""What a person sees in Slack's client."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from tests.sandbox.slack.cast import Channel, User
from tests.sandbox.slack.chat import Message
from tests.sandbox.slack.errors import CannotError, WaitedInVainError
from tests.sandbox.slack.modal import Modal
from tests.sandbox.slack.render import Renderer
from tests.sandbox.slack.views import View
from tests.sandbox.slack.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Noticed:
    """What Slack itself told somebody after a command; `ts` is as a message's."""

    channel: str
    ts: str
    text: str


class Sight:
    """One user's view of a workspace.

    `strips` are the error strips they saw, in modals and beside buttons; `noticed` is what Slack
    itself told them after a command.
    """

    def __init__(self, user_id: str, workspace: Workspace) -> None:
        self.strips: list[str] = []
        self.noticed: list[Noticed] = []
        self._read_up_to: dict[str, str] = {}
        self._id = user_id
        self._workspace = workspace
        self._renderer = Renderer(workspace.directory)

    @property
    def notices(self) -> list[str]:
        """The words of what Slack itself told them."""
        return [one.text for one in self.noticed]

    @property
    def user(self) -> User:
        """The user as the workspace has them now."""
        return self._workspace.directory.users[self._id]

    @property
    def stack(self) -> list[Modal]:
        """The open modals, the one on top last."""
        views = self._workspace.views.stack(self._id)
        return [Modal(view, self._renderer) for view in views]

    @property
    def modal(self) -> Modal:
        """The modal on top; CannotError if none is open (`stack` is empty then)."""
        return Modal(self._top(), self._renderer)

    def channels(self) -> list[Channel]:
        """List the conversations this person is in."""
        everywhere = self._workspace.directory.channels.values()
        return [channel for channel in everywhere if self._id in channel.members]

    def messages(self, channel: str) -> list[Message]:
        """Return what this person sees in a channel, oldest first; by id or name."""
        return self._workspace.chat.visible(self._channel(channel).id, self._id)

    def unread(self, channel: str) -> int:
        """Count what others wrote in a channel since this person read it."""
        where = self._channel(channel).id
        mark = self._read_up_to.get(where, "")
        return sum(one.ts > mark and one.author != self._id for one in self.messages(where))

    def mark_read(self, channel: str, ts: str) -> None:
        """Note that this person has read a channel up to this message."""
        where = self._channel(channel).id
        self._read_up_to[where] = max(ts, self._read_up_to.get(where, ""))
        self._workspace.pulse.beat()

    def dm(self) -> list[Message]:
        """Return the direct conversation with the bot."""
        direct = self._workspace.directory.direct(self._id)
        if direct is None:
            raise CannotError(f"{self.user.name} cannot write to the bot")
        return self.messages(direct.id)

    def read(self, message: Message) -> str:
        """Show a message as text."""
        return "\n".join(self._renderer.message(message))

    def screen(self) -> str:
        """Show everything this person sees, as text."""
        lines = [f"{self.user.name} sees:"]
        for channel in self.channels():
            if messages := self.messages(channel.id):
                lines.append(f"#{channel.name}" if channel.name else "(direct messages)")
                lines += [f"  {line}" for item in messages for line in self._renderer.message(item)]
        lines += [line for modal in self.stack for line in modal.lines()]
        lines += [f"⚠ {text}" for text in (*self.strips, *self.notices)]
        return "\n".join(lines)

    async def until(
        self,
        predicate: Callable[[Self], T],
        timeout: float = 30,  # noqa: ASYNC109 - how long to wait is part of the promise
    ) -> T:
        """Wait until something is so, and return the predicate's truthy value.

        While what the predicate looks at isn't there yet (CannotError), it is not so yet.
        """

        def attempt() -> T | None:
            try:
                return predicate(self)
            except CannotError:
                return None

        try:
            return await self._workspace.pulse.until(attempt, timeout)
        except TimeoutError as error:
            raise WaitedInVainError(f"waited {timeout} s in vain. {self.screen()}") from error

    def _top(self) -> View:
        stack = self._workspace.views.stack(self._id)
        if not stack:
            raise CannotError(f"{self.user.name} has no modal open")
        return stack[-1]

    def _channel(self, channel: str, *, force: bool = False) -> Channel:
        found = self._workspace.directory.named(channel)
        if found is None:
            raise CannotError(f"there is no channel {channel!r}")
        if self._id not in found.members and not force:
            raise CannotError(f"{self.user.name} is not in {channel!r}")
        return found
