"""The messages of a workspace: who may post, change and see them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.sandbox.slack.cast import Channel
from tests.sandbox.slack.directory import Directory
from tests.sandbox.slack.errors import RefusedError
from tests.sandbox.slack.manifest import Manifest
from tests.sandbox.slack.pulse import Pulse

Json = dict[str, Any]

LONGEST_TEXT = 40_000
LONGEST_UPDATE = 4_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What a message says: text for notifications, blocks for the screen."""

    text: str = ""
    blocks: Sequence[Json] = ()
    thread_ts: str | None = None
    metadata: Json | None = None

    def __post_init__(self) -> None:
        if not self.text.strip() and not self.blocks:
            raise RefusedError("no_text")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands; a change puts a new one in its place under the same ts."""

    channel: str
    ts: str
    author: str
    text: str
    blocks: Sequence[Json] = ()
    only_for: str | None = None
    thread_ts: str | None = None
    metadata: Json | None = None
    is_edited: bool = False


class Chat:
    """Messages in channels. What Slack refuses raises RefusedError with Slack's code."""

    def __init__(
        self,
        directory: Directory,
        manifest: Manifest,
        clock: Callable[[], float],
        pulse: Pulse,
    ) -> None:
        self._directory = directory
        self._manifest = manifest
        self._clock = clock
        self._pulse = pulse
        self._messages: dict[tuple[str, str], Message] = {}
        self._count = 0

    def post(self, target: str, draft: Draft) -> Message:
        """Post as the bot, openly."""
        channel = self._directory.target(target)
        self._may_post(channel)
        return self.put(channel.id, draft)

    def whisper(self, target: str, user: str, draft: Draft) -> Message:
        """Post as the bot, for one person's eyes."""
        channel = self._directory.as_bot_sees(target)
        self._may_post(channel)
        reader = self._directory.users.get(user)
        if reader is None or reader.deleted or user not in channel.members:
            raise RefusedError("user_not_in_channel")
        return self.put(channel.id, draft, only_for=user)

    def put(
        self,
        channel: str,
        draft: Draft,
        *,
        author: str | None = None,
        only_for: str | None = None,
    ) -> Message:
        """Put a message into a channel, whoever may post there: the way of response URLs."""
        if draft.thread_ts is not None and (channel, draft.thread_ts) not in self._messages:
            raise RefusedError("cannot_reply_to_message")
        message = Message(
            channel=channel,
            ts=self.next_ts(),
            author=author or self._directory.cast.bot.id,
            text=draft.text[:LONGEST_TEXT],
            blocks=draft.blocks,
            only_for=only_for,
            thread_ts=draft.thread_ts,
            metadata=draft.metadata,
        )
        return self._keep(message)

    def next_ts(self) -> str:
        """Give a time stamp that sorts after all before it, and is used once."""
        self._count += 1
        return f"{int(self._clock())}.{self._count:06}"

    def update(self, channel: str, ts: str, draft: Draft) -> Message:
        """Change a message of the bot; blocks that are not sent again are gone."""
        if len(draft.text) > LONGEST_UPDATE:
            raise RefusedError("msg_too_long")
        if self._directory.as_bot_sees(channel).is_archived:
            raise RefusedError("is_inactive")
        message = self._own(channel, ts, "cant_update_message")
        # When exactly Slack answers this is not documented, only that rich text must stay some.
        if draft.blocks and _is_rich(message.blocks) and not _is_rich(draft.blocks):
            raise RefusedError("block_mismatch")
        return self.change(message, draft)

    def change(self, message: Message, draft: Draft) -> Message:
        """Put a draft in the place of a message, ephemeral or not."""
        return self._keep(
            replace(
                message,
                text=draft.text,
                blocks=draft.blocks,
                metadata=draft.metadata or message.metadata,
                is_edited=True,
            ),
        )

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message of the bot."""
        self._directory.as_bot_sees(channel)
        self.remove(self._own(channel, ts, "cant_delete_message"))

    def remove(self, message: Message) -> None:
        """Take a message away, ephemeral or not."""
        del self._messages[message.channel, message.ts]
        self._pulse.beat()

    def find(self, channel: str, ts: str) -> Message | None:
        """Return the message as it stands now."""
        return self._messages.get((channel, ts))

    def visible(self, channel: str, user: str) -> list[Message]:
        """Return what a person sees in a channel, oldest first."""
        return [
            message
            for message in self._messages.values()
            if message.channel == channel and message.only_for in {None, user}
        ]

    def _may_post(self, channel: Channel) -> None:
        if channel.is_archived:
            raise RefusedError("is_archived")
        if channel.is_im and not self._manifest.has_messages_tab:
            raise RefusedError("messages_tab_disabled")
        if not channel.bot_is_member and "chat:write.public" not in self._manifest.scopes:
            raise RefusedError("not_in_channel")

    def _own(self, channel: str, ts: str, otherwise: str) -> Message:
        message = self._messages.get((channel, ts))
        if message is None or message.only_for is not None:
            raise RefusedError("message_not_found")
        if message.author != self._directory.cast.bot.id:
            raise RefusedError(otherwise)
        return message

    def _keep(self, message: Message) -> Message:
        self._messages[message.channel, message.ts] = message
        self._pulse.beat()
        return message


def _is_rich(blocks: Sequence[Json]) -> bool:
    return any(block["type"] == "rich_text" for block in blocks)
