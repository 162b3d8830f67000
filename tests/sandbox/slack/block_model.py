"""What all Block Kit models share: strictness, text objects and options with their limits."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


def wrong(message: str) -> PydanticCustomError:
    """Build an error that reads as Slack would put it."""
    return PydanticCustomError("block_kit", "{message}", {"message": message})


class Model(BaseModel):
    """Something in Block Kit's JSON: nothing unknown, nothing coerced, nothing null."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, value: Any) -> Any:
        # Whether Slack takes null for "left out" is not documented, and differs by field.
        if isinstance(value, dict):
            for name, item in value.items():
                if item is None:
                    raise wrong(f"must not be null: {name}")
        return value


def _upto(limit: int) -> Any:
    return Field(min_length=1, max_length=limit)


NonEmpty = Annotated[str, Field(min_length=1)]
BlockId = Annotated[str, _upto(255)]
ActionId = Annotated[str, _upto(255)]
Url = Annotated[str, Field(min_length=1, max_length=3000, pattern=r"^[a-z][a-z0-9+.-]*:")]


class Plain(Model):
    """A plain_text object: what it holds is shown as it stands."""

    type: Literal["plain_text"]
    text: Annotated[str, _upto(3000)]
    emoji: bool | None = None


class Plain24(Plain):
    """Title, submit and close of a modal."""

    text: Annotated[str, _upto(24)]


class Plain30(Plain):
    """Buttons of a confirmation."""

    text: Annotated[str, _upto(30)]


class Plain75(Plain):
    """Buttons and options."""

    text: Annotated[str, _upto(75)]


class Plain100(Plain):
    """Title of a confirmation."""

    text: Annotated[str, _upto(100)]


class Plain150(Plain):
    """Headers and placeholders."""

    text: Annotated[str, _upto(150)]


class Plain2000(Plain):
    """Labels and hints."""

    text: Annotated[str, _upto(2000)]


class Mrkdwn(Model):
    """A mrkdwn object: in it `<`, `>` and `&` are markup."""

    type: Literal["mrkdwn"]
    text: Annotated[str, _upto(3000)]
    verbatim: bool | None = None


class Mrkdwn75(Mrkdwn):
    """Options of radio buttons and checkboxes."""

    text: Annotated[str, _upto(75)]


class Mrkdwn300(Mrkdwn):
    """Text of a confirmation."""

    text: Annotated[str, _upto(300)]


class Mrkdwn2000(Mrkdwn):
    """Fields of a section."""

    text: Annotated[str, _upto(2000)]


class Plain300(Plain):
    """Text of a confirmation."""

    text: Annotated[str, _upto(300)]


AnyText = Annotated[Plain | Mrkdwn, Field(discriminator="type")]
FieldText = Annotated[Plain2000 | Mrkdwn2000, Field(discriminator="type")]
ChoiceText = Annotated[Plain75 | Mrkdwn75, Field(discriminator="type")]


class Confirm(Model):
    """What the client asks before it sends an action."""

    title: Plain100
    text: Annotated[Plain300 | Mrkdwn300, Field(discriminator="type")]
    confirm: Plain30
    deny: Plain30
    style: Literal["primary", "danger"] | None = None


class Option(Model):
    """One entry of a menu."""

    text: Plain75
    value: Annotated[str, _upto(150)]
    description: Plain75 | None = None


class Choice(Model):
    """One radio button or checkbox: unlike a menu's entry it may have markup."""

    text: ChoiceText
    value: Annotated[str, _upto(150)]
    description: ChoiceText | None = None


class OverflowOption(Option):
    """One entry of an overflow menu."""

    url: Url | None = None


class OptionGroup(Model):
    """Options under a heading."""

    label: Plain75
    options: Annotated[list[Option], Field(min_length=1, max_length=100)]


class Options(Model):
    """Options or groups of them, never both: a menu's own, or the answer to a type-ahead."""

    options: Annotated[list[Option], Field(max_length=100)] | None = None
    option_groups: Annotated[list[OptionGroup], Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.options is None) == (self.option_groups is None):
            raise wrong("must provide either options or option_groups")
        values = [option.value for option in self.all_options()]
        # Slack's page does not say what becomes of two entries with one value.
        if len(set(values)) < len(values):
            raise wrong("option values must be unique")
        return self

    def all_options(self) -> list[Option]:
        """Give the options in the order they are shown."""
        if self.options is not None:
            return self.options
        return [option for group in self.option_groups or [] for option in group.options]
