"""The messages of a workspace: who may post, change and see them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tests.sandbox.changes import Changes
from tests.sandbox.control import Json
from tests.sandbox.slack.block_kit import validate_blocks
from tests.sandbox.slack.errors import ApiError
from tests.sandbox.slack.workspace.directory import Directory
from tests.sandbox.slack.workspace.manifest import Manifest
from tests.sandbox.slack.workspace.team import Channel

MAX_TEXT: Final = 40_000  # characters; Slack cuts longer texts
MAX_UPDATE_TEXT: Final = 4_000


@dataclass(frozen=True, slots=True)
class MessageContent:
    """What a message says. Raises ApiError if that is nothing."""

    text: str = ""
    blocks: Sequence[Json] = ()
    thread_ts: str | None = None
    metadata: Json | None = None

    def __post_init__(self) -> None:
        if not self.text.strip() and not self.blocks:
            raise ApiError("no_text")

    @classmethod
    def parse(cls, given: Json) -> "MessageContent":
        """Return the content in a bot's request. Raises ApiError."""
        match metadata := given.get("metadata"):
            case None:
                pass
            case {"event_type": str(), "event_payload": dict(), **others} if not others:
                pass
            case _:
                raise ApiError("invalid_metadata_format")
        blocks = validate_blocks(given["blocks"]) if "blocks" in given else ()
        return cls(given.get("text", ""), blocks, given.get("thread_ts"), metadata)


@dataclass(frozen=True, slots=True)
class Message:
    """A message. An update puts a new one under the same ts. `only_for`: the user who sees it."""

    channel: str
    ts: str
    author: str
    text: str
    blocks: Sequence[Json] = ()
    only_for: str | None = None
    thread_ts: str | None = None
    metadata: Json | None = None
    is_edited: bool = False


@dataclass(slots=True)
class Chat:
    """The messages of all channels. Its methods raise ApiError with Slack's code."""

    directory: Directory
    manifest: Manifest
    clock: Callable[[], float]
    changes: Changes
    _messages: dict[tuple[str, str], Message] = field(default_factory=dict)
    _count: int = 0

    def post(self, target: str, content: MessageContent) -> Message:
        """Post as the bot, for all members of a channel."""
        channel = self.directory.target(target)
        self._require_may_post(channel)
        return self.put(channel.id, content)

    def post_ephemeral(self, target: str, user: str, content: MessageContent) -> Message:
        """Post as the bot, for one user only."""
        channel = self.directory.visible_to_bot(target)
        self._require_may_post(channel)
        reader = self.directory.users.get(user)
        if reader is None or reader.deleted or user not in channel.members:
            raise ApiError("user_not_in_channel")
        return self.put(channel.id, content, only_for=user)

    def put(
        self,
        channel: str,
        content: MessageContent,
        *,
        author: str | None = None,
        only_for: str | None = None,
    ) -> Message:
        """Add a message without asking whether its author may post, as response URLs do."""
        if content.thread_ts is not None and (channel, content.thread_ts) not in self._messages:
            raise ApiError("cannot_reply_to_message")
        message = Message(
            channel=channel,
            ts=self.next_ts(),
            author=author or self.directory.team.bot.id,
            text=content.text[:MAX_TEXT],
            blocks=content.blocks,
            only_for=only_for,
            thread_ts=content.thread_ts,
            metadata=content.metadata,
        )
        return self._store(message)

    def next_ts(self) -> str:
        """Return a new time stamp, which sorts after all earlier ones."""
        self._count += 1
        return f"{int(self.clock())}.{self._count:06}"

    def update(self, channel: str, ts: str, content: MessageContent) -> Message:
        """Update a message of the bot. Blocks that are not sent again are removed."""
        if len(content.text) > MAX_UPDATE_TEXT:
            raise ApiError("msg_too_long")
        if self.directory.visible_to_bot(channel).is_archived:
            raise ApiError("is_inactive")
        message = self._bots_own(channel, ts, "cant_update_message")
        # Slack documents only that an update may not remove the last rich text.
        is_plain = bool(content.blocks) and not _has_rich_text(content.blocks)
        if is_plain and _has_rich_text(message.blocks):
            raise ApiError("block_mismatch")
        return self.replace(message, content)

    def replace(self, message: Message, content: MessageContent) -> Message:
        """Replace the content of a message, ephemeral or not."""
        return self._store(
            replace(
                message,
                text=content.text,
                blocks=content.blocks,
                metadata=content.metadata or message.metadata,
                is_edited=True,
            )
        )

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message of the bot."""
        self.directory.visible_to_bot(channel)
        self.remove(self._bots_own(channel, ts, "cant_delete_message"))

    def remove(self, message: Message) -> None:
        """Remove a message, ephemeral or not."""
        del self._messages[message.channel, message.ts]
        self.changes.notify()

    def find(self, channel: str, ts: str) -> Message | None:
        """Return a message as it is now."""
        return self._messages.get((channel, ts))

    def visible(self, channel: str, user: str) -> list[Message]:
        """Return the messages that a user sees in a channel, oldest first."""
        return [
            message
            for message in self._messages.values()
            if message.channel == channel and message.only_for in {None, user}
        ]

    def _require_may_post(self, channel: Channel) -> None:
        if channel.is_archived:
            raise ApiError("is_archived")
        if channel.is_im and not self.manifest.has_messages_tab:
            raise ApiError("messages_tab_disabled")
        if not channel.bot_is_member and "chat:write.public" not in self.manifest.scopes:
            raise ApiError("not_in_channel")

    def _bots_own(self, channel: str, ts: str, otherwise: str) -> Message:
        message = self._messages.get((channel, ts))
        if message is None or message.only_for is not None:
            raise ApiError("message_not_found")
        if message.author != self.directory.team.bot.id:
            raise ApiError(otherwise)
        return message

    def _store(self, message: Message) -> Message:
        self._messages[message.channel, message.ts] = message
        self.changes.notify()
        return message


def _has_rich_text(blocks: Sequence[Json]) -> bool:
    return any(block["type"] == "rich_text" for block in blocks)
