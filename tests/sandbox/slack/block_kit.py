"""Block Kit as a bot may send it: blocks, messages and modals, with Slack's limits."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.sandbox.slack.block_model import (
    AnyText,
    BlockId,
    FieldText,
    Model,
    Plain24,
    Plain150,
    Plain2000,
    wrong,
)
from tests.sandbox.slack.elements import InActions, InInput, InSection
from tests.sandbox.slack.rich_text import RichText


class Section(Model):
    """Text, with something to use beside it."""

    type: Literal["section"]
    block_id: BlockId | None = None
    text: AnyText | None = None
    fields: Annotated[list[FieldText], Field(min_length=1, max_length=10)] | None = None
    accessory: InSection | None = None
    expand: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.fields is None:
            raise wrong("must define either `text` or `fields`")
        return self


class Context(Model):
    """Small print."""

    type: Literal["context"]
    block_id: BlockId | None = None
    elements: Annotated[list[AnyText], Field(min_length=1, max_length=10)]


class Actions(Model):
    """A row of things to use."""

    type: Literal["actions"]
    block_id: BlockId | None = None
    elements: Annotated[list[InActions], Field(min_length=1, max_length=25)]


class Divider(Model):
    """A line."""

    type: Literal["divider"]
    block_id: BlockId | None = None


class Header(Model):
    """Large text."""

    type: Literal["header"]
    block_id: BlockId | None = None
    text: Plain150


class Input(Model):
    """A question of a form."""

    type: Literal["input"]
    block_id: BlockId | None = None
    label: Plain2000
    element: InInput
    dispatch_action: bool | None = None
    hint: Plain2000 | None = None
    optional: bool | None = None


class Message(Model):
    """The blocks of a message.

    Slack has input blocks in messages, too; nothing here can fill them in, so they are refused.
    """

    blocks: Annotated[
        list[
            Annotated[
                Section | Context | Actions | Divider | Header | RichText,
                Field(discriminator="type"),
            ]
        ],
        Field(max_length=50),
    ]


class Modal(Model):
    """A modal view."""

    type: Literal["modal"]
    title: Plain24
    # Whether a modal may be empty is not documented.
    blocks: Annotated[
        list[
            Annotated[
                Section | Context | Actions | Divider | Header | Input | RichText,
                Field(discriminator="type"),
            ]
        ],
        Field(min_length=1, max_length=100),
    ]
    submit: Plain24 | None = None
    close: Plain24 | None = None
    private_metadata: Annotated[str, Field(max_length=3000)] | None = None
    callback_id: Annotated[str, Field(max_length=255)] | None = None
    external_id: Annotated[str, Field(max_length=255)] | None = None
    clear_on_close: bool | None = None
    notify_on_close: bool | None = None

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if self.submit is None and any(isinstance(block, Input) for block in self.blocks):
            raise wrong("missing required field: submit")
        return self
