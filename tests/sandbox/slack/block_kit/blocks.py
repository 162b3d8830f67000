"""Block Kit's blocks, messages and modals as a bot may send them, with Slack's limits.

https://docs.slack.dev/reference/block-kit/blocks/ and https://docs.slack.dev/reference/views/
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.sandbox.slack.block_kit.elements import ActionsElement, InputElement, SectionElement
from tests.sandbox.slack.block_kit.objects import (
    BY_TYPE,
    AnyText,
    AnyText2000,
    Model,
    Plain,
    Str24,
    Str150,
    Str255,
    Str2000,
    invalid,
)
from tests.sandbox.slack.block_kit.rich_text import RichText


class Block(Model):
    """What all blocks have."""

    block_id: Str255 | None = None


class Section(Block):
    """Text, with an element beside it."""

    type: Literal["section"]
    text: AnyText | None = None
    fields: Annotated[list[AnyText2000], Field(min_length=1, max_length=10)] | None = None
    accessory: SectionElement | None = None
    expand: bool | None = None

    @model_validator(mode="after")
    def _require_text(self) -> Self:
        if self.text is None and self.fields is None:
            raise invalid("must define either `text` or `fields`")
        return self


class Context(Block):
    """Small text."""

    type: Literal["context"]
    elements: Annotated[list[AnyText], Field(min_length=1, max_length=10)]


class Actions(Block):
    """A row of elements."""

    type: Literal["actions"]
    elements: Annotated[list[ActionsElement], Field(min_length=1, max_length=25)]


class Divider(Block):
    """A line."""

    type: Literal["divider"]


class Header(Block):
    """Large text."""

    type: Literal["header"]
    text: Plain[Str150]


class Input(Block):
    """A field of a form."""

    type: Literal["input"]
    label: Plain[Str2000]
    element: InputElement
    dispatch_action: bool | None = None
    hint: Plain[Str2000] | None = None
    optional: bool | None = None


MessageBlock = Section | Context | Actions | Divider | Header | RichText


class Message(Model):
    """The blocks of a message.

    Slack allows input blocks here, too. Nothing in the stand-in can fill them in, so it does not.
    """

    blocks: Annotated[list[Annotated[MessageBlock, BY_TYPE]], Field(max_length=50)]


class Modal(Model):
    """A modal. Whether Slack allows one without blocks is not documented."""

    type: Literal["modal"]
    title: Plain[Str24]
    blocks: Annotated[
        list[Annotated[MessageBlock | Input, BY_TYPE]], Field(min_length=1, max_length=100)
    ]
    submit: Plain[Str24] | None = None
    close: Plain[Str24] | None = None
    private_metadata: Annotated[str, Field(max_length=3000)] | None = None
    callback_id: Annotated[str, Field(max_length=255)] | None = None
    external_id: Annotated[str, Field(max_length=255)] | None = None
    clear_on_close: bool | None = None
    notify_on_close: bool | None = None

    @model_validator(mode="after")
    def _require_submit(self) -> Self:
        if self.submit is None and any(isinstance(block, Input) for block in self.blocks):
            raise invalid("missing required field: submit")
        return self
