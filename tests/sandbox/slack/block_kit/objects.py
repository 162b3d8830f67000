"""Block Kit's composition objects, and the base of all Block Kit models.

https://docs.slack.dev/reference/block-kit/composition-objects/
"""

from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

BY_TYPE: Final = Field(discriminator="type")


def invalid(message: str) -> PydanticCustomError:
    """Return an error whose message is the one that Slack would send."""
    return PydanticCustomError("block_kit", "{message}", {"message": message})


class Model(BaseModel):
    """Part of Block Kit's JSON. It has no unknown fields, converts no types and takes no null.

    Slack accepts null for some optional fields. It does not document for which.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for name, item in value.items():
                if item is None:
                    raise invalid(f"must not be null: {name}")
        return value


def length(most: int) -> Any:
    """Return the constraint of a text with 1 to `most` characters."""
    return Field(min_length=1, max_length=most)


NonEmpty = Annotated[str, Field(min_length=1)]
Str24 = Annotated[str, length(24)]
Str30 = Annotated[str, length(30)]
Str75 = Annotated[str, length(75)]
Str100 = Annotated[str, length(100)]
Str150 = Annotated[str, length(150)]
Str255 = Annotated[str, length(255)]
Str300 = Annotated[str, length(300)]
Str2000 = Annotated[str, length(2000)]
Str3000 = Annotated[str, length(3000)]
Url = Annotated[str, Field(min_length=1, max_length=3000, pattern=r"^[a-z][a-z0-9+.-]*:")]

Text = TypeVar("Text", bound=str)


class Plain(Model, Generic[Text]):
    """A plain_text object, whose text is shown as it is."""

    type: Literal["plain_text"]
    text: Text
    emoji: bool | None = None


class Mrkdwn(Model, Generic[Text]):
    """A mrkdwn object, in whose text `<`, `>` and `&` are markup."""

    type: Literal["mrkdwn"]
    text: Text
    verbatim: bool | None = None


AnyText = Annotated[Plain[Str3000] | Mrkdwn[Str3000], BY_TYPE]
AnyText75 = Annotated[Plain[Str75] | Mrkdwn[Str75], BY_TYPE]
AnyText300 = Annotated[Plain[Str300] | Mrkdwn[Str300], BY_TYPE]
AnyText2000 = Annotated[Plain[Str2000] | Mrkdwn[Str2000], BY_TYPE]


class Confirm(Model):
    """The dialog that asks a user before an action is sent."""

    title: Plain[Str100]
    text: AnyText300
    confirm: Plain[Str30]
    deny: Plain[Str30]
    style: Literal["primary", "danger"] | None = None


class Option(Model):
    """An option of a menu."""

    text: Plain[Str75]
    value: Str150
    description: Plain[Str75] | None = None


class Choice(Model):
    """An option of radio buttons or checkboxes, which may have markup."""

    text: AnyText75
    value: Str150
    description: AnyText75 | None = None


class OverflowOption(Option):
    """An option of an overflow menu."""

    url: Url | None = None


class OptionGroup(Model):
    """Options under a heading."""

    label: Plain[Str75]
    options: Annotated[list[Option], Field(min_length=1, max_length=100)]


class Options(Model):
    """Either options or option groups: those of a menu, or the response to a block_suggestion."""

    options: Annotated[list[Option], Field(max_length=100)] | None = None
    option_groups: Annotated[list[OptionGroup], Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if (self.options is None) == (self.option_groups is None):
            raise invalid("must provide either options or option_groups")
        # What Slack does with two options of one value is not documented.
        require_unique_values(self.all_options())
        return self

    def all_options(self) -> list[Option]:
        """Return the options in the order in which they are shown."""
        if self.options is not None:
            return self.options
        return [option for group in self.option_groups or [] for option in group.options]


def require_unique_values(options: list[Option] | list[Choice]) -> None:
    """Raise an error if two options have the same value."""
    if len({option.value for option in options}) < len(options):
        raise invalid("option values must be unique")
