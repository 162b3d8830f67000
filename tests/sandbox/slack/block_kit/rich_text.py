"""Block Kit's rich text, without the parts that this bot does not need.

https://docs.slack.dev/reference/block-kit/blocks/rich-text-block/
"""

from typing import Annotated, Literal

from pydantic import Field

from tests.sandbox.slack.block_kit.objects import BY_TYPE, Model, NonEmpty, Str255, Url


class Style(Model):
    """The style of a run of text."""

    bold: bool | None = None
    italic: bool | None = None
    strike: bool | None = None
    code: bool | None = None
    underline: bool | None = None


class Styled(Model):
    """What a run with a style has."""

    style: Style | None = None


class Text(Styled):
    """Plain characters, which never become a mention or a link."""

    type: Literal["text"]
    text: NonEmpty


class UserMention(Styled):
    """A user, by id."""

    type: Literal["user"]
    user_id: NonEmpty


class GroupMention(Styled):
    """A user group, by id."""

    type: Literal["usergroup"]
    usergroup_id: NonEmpty


class ChannelMention(Styled):
    """A channel, by id."""

    type: Literal["channel"]
    channel_id: NonEmpty


class Broadcast(Styled):
    """@here, @channel or @everyone."""

    type: Literal["broadcast"]
    range: Literal["here", "channel", "everyone"]


class Date(Styled):
    """A date or time, shown in the reader's own time zone."""

    type: Literal["date"]
    timestamp: int
    format: NonEmpty
    url: Url | None = None
    fallback: NonEmpty | None = None


class Link(Styled):
    """A link, which may have its own text."""

    type: Literal["link"]
    url: Url
    text: NonEmpty | None = None
    unsafe: bool | None = None


class Emoji(Model):
    """An emoji, by name."""

    type: Literal["emoji"]
    name: NonEmpty
    unicode: NonEmpty | None = None
    skin_tone: Annotated[int, Field(ge=1, le=6)] | None = None


Run = Annotated[
    Text | UserMention | GroupMention | ChannelMention | Broadcast | Date | Link | Emoji, BY_TYPE
]
Border = Annotated[int, Field(ge=0, le=1)]


class Section(Model):
    """A paragraph."""

    type: Literal["rich_text_section"]
    elements: list[Run]


class List(Model):
    """A list, with a section for each item."""

    type: Literal["rich_text_list"]
    style: Literal["bullet", "ordered"]
    elements: list[Section]
    indent: Annotated[int, Field(ge=0, le=8)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    border: Border | None = None


class Preformatted(Model):
    """A block of code."""

    type: Literal["rich_text_preformatted"]
    elements: list[Annotated[Text | Link, BY_TYPE]]
    border: Border | None = None


class Quote(Model):
    """A quotation."""

    type: Literal["rich_text_quote"]
    elements: list[Run]
    border: Border | None = None


class RichText(Model):
    """The block of rich text."""

    type: Literal["rich_text"]
    block_id: Str255 | None = None
    elements: list[Annotated[Section | List | Preformatted | Quote, BY_TYPE]]
