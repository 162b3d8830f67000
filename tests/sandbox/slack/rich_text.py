"""Block Kit's rich text, as far as a bot may send it here."""

from typing import Annotated, Literal

from pydantic import Field

from tests.sandbox.slack.block_model import BlockId, Model, NonEmpty, Url


class Style(Model):
    """How a run of text looks."""

    bold: bool | None = None
    italic: bool | None = None
    strike: bool | None = None
    code: bool | None = None
    underline: bool | None = None


class Text(Model):
    """Plain characters: no mention and no link ever comes of them."""

    type: Literal["text"]
    text: NonEmpty
    style: Style | None = None


class UserMention(Model):
    """A person by id."""

    type: Literal["user"]
    user_id: NonEmpty
    style: Style | None = None


class GroupMention(Model):
    """A user group by id."""

    type: Literal["usergroup"]
    usergroup_id: NonEmpty
    style: Style | None = None


class ChannelMention(Model):
    """A channel by id."""

    type: Literal["channel"]
    channel_id: NonEmpty
    style: Style | None = None


class Broadcast(Model):
    """@here, @channel or @everyone."""

    type: Literal["broadcast"]
    range: Literal["here", "channel", "everyone"]
    style: Style | None = None


class Date(Model):
    """A moment, shown in the reader's own time zone."""

    type: Literal["date"]
    timestamp: int
    format: NonEmpty
    url: Url | None = None
    fallback: NonEmpty | None = None
    style: Style | None = None


class Link(Model):
    """A web address, with or without other words on it."""

    type: Literal["link"]
    url: Url
    text: NonEmpty | None = None
    unsafe: bool | None = None
    style: Style | None = None


class Emoji(Model):
    """An emoji by name."""

    type: Literal["emoji"]
    name: NonEmpty
    unicode: NonEmpty | None = None
    skin_tone: Annotated[int, Field(ge=1, le=6)] | None = None


Run = Annotated[
    Text | UserMention | GroupMention | ChannelMention | Broadcast | Date | Link | Emoji,
    Field(discriminator="type"),
]


class Section(Model):
    """A paragraph."""

    type: Literal["rich_text_section"]
    elements: list[Run]


class Bullets(Model):
    """A list, one section for each item."""

    type: Literal["rich_text_list"]
    style: Literal["bullet", "ordered"]
    elements: list[Section]
    indent: Annotated[int, Field(ge=0, le=8)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    border: Annotated[int, Field(ge=0, le=1)] | None = None


class Preformatted(Model):
    """A block of code."""

    type: Literal["rich_text_preformatted"]
    elements: list[Annotated[Text | Link, Field(discriminator="type")]]
    border: Annotated[int, Field(ge=0, le=1)] | None = None


class Quote(Model):
    """Words of somebody else."""

    type: Literal["rich_text_quote"]
    elements: list[Run]
    border: Annotated[int, Field(ge=0, le=1)] | None = None


class RichText(Model):
    """The block that holds rich text."""

    type: Literal["rich_text"]
    block_id: BlockId | None = None
    elements: list[Annotated[Section | Bullets | Preformatted | Quote, Field(discriminator="type")]]
