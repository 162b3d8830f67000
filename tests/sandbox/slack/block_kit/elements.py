"""Block Kit's elements: the interactive parts of blocks.

https://docs.slack.dev/reference/block-kit/block-elements/
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.sandbox.slack.block_kit.objects import (
    BY_TYPE,
    Choice,
    Confirm,
    Model,
    Option,
    Options,
    OverflowOption,
    Plain,
    Str75,
    Str150,
    Str255,
    Url,
    invalid,
    require_unique_values,
)


class Element(Model):
    """What all elements have."""

    action_id: Str255 | None = None


class Button(Element):
    """A button."""

    type: Literal["button"]
    text: Plain[Str75]
    url: Url | None = None
    value: Annotated[str, Field(max_length=2000)] | None = None
    style: Literal["primary", "danger"] | None = None
    confirm: Confirm | None = None
    accessibility_label: Str75 | None = None


class Overflow(Element):
    """The menu behind three dots."""

    type: Literal["overflow"]
    options: Annotated[list[OverflowOption], Field(min_length=1, max_length=5)]
    confirm: Confirm | None = None


class Focusable(Element):
    """What the elements of a form have."""

    focus_on_load: bool | None = None


class Menu(Focusable):
    """What all menus have."""

    placeholder: Plain[Str150] | None = None
    confirm: Confirm | None = None


class StaticMenu(Menu, Options):
    """A menu that contains its options."""

    @model_validator(mode="after")
    def _require_options(self) -> Self:
        if not self.all_options():
            raise invalid("no fewer than 1 items allowed")
        return self


class StaticSelect(StaticMenu):
    """A menu to choose one of its options."""

    type: Literal["static_select"]
    initial_option: Option | None = None

    @model_validator(mode="after")
    def _check_initial(self) -> Self:
        _require_offered([self.initial_option], self.all_options())
        return self


class MultiStaticSelect(StaticMenu):
    """A menu to choose several of its options."""

    type: Literal["multi_static_select"]
    initial_options: Annotated[list[Option], Field(min_length=1)] | None = None
    max_selected_items: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check_initial(self) -> Self:
        _require_offered(self.initial_options or [], self.all_options())
        _limit_initial(self.initial_options, self.max_selected_items)
        return self


class ExternalSelect(Menu):
    """A menu to choose one of the options that the bot finds."""

    type: Literal["external_select"]
    initial_option: Option | None = None
    min_query_length: Annotated[int, Field(ge=0)] | None = None


class MultiExternalSelect(Menu):
    """A menu to choose several of the options that the bot finds."""

    type: Literal["multi_external_select"]
    initial_options: Annotated[list[Option], Field(min_length=1)] | None = None
    min_query_length: Annotated[int, Field(ge=0)] | None = None
    max_selected_items: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check_initial(self) -> Self:
        _limit_initial(self.initial_options, self.max_selected_items)
        return self


class Choices(Focusable):
    """What radio buttons and checkboxes have."""

    options: Annotated[list[Choice], Field(min_length=1, max_length=10)]
    confirm: Confirm | None = None

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        require_unique_values(self.options)
        return self


class RadioButtons(Choices):
    """Buttons to choose one option."""

    type: Literal["radio_buttons"]
    initial_option: Choice | None = None

    @model_validator(mode="after")
    def _check_initial(self) -> Self:
        _require_offered([self.initial_option], self.options)
        return self


class Checkboxes(Choices):
    """Boxes to choose any number of options."""

    type: Literal["checkboxes"]
    initial_options: Annotated[list[Choice], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_initial(self) -> Self:
        _require_offered(self.initial_options or [], self.options)
        return self


class DispatchConfig(Model):
    """When a text field sends an action."""

    trigger_actions_on: Annotated[
        list[Literal["on_enter_pressed", "on_character_entered"]], Field(min_length=1)
    ]


class PlainTextInput(Focusable):
    """A text field."""

    type: Literal["plain_text_input"]
    initial_value: Annotated[str, Field(max_length=3000)] | None = None
    multiline: bool | None = None
    min_length: Annotated[int, Field(ge=0, le=3000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=3000)] | None = None
    placeholder: Plain[Str150] | None = None
    dispatch_action_config: DispatchConfig | None = None

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        most = self.max_length or 3000
        if (self.min_length or 0) > most:
            raise invalid("min_length must not exceed max_length")
        if len(self.initial_value or "") > most:
            raise invalid(f"initial_value must be less than {most + 1} characters")
        return self


def _require_offered(initial: Sequence[Model | None], options: Sequence[Model]) -> None:
    if any(option is not None and option not in options for option in initial):
        raise invalid("initial option(s) must exactly match one of the provided options")


def _limit_initial(initial: Sequence[Model] | None, most: int | None) -> None:
    if most is not None and len(initial or ()) > most:
        raise invalid(f"no more than {most} initial_options allowed")


Single = StaticSelect | ExternalSelect | RadioButtons | Checkboxes
Multi = MultiStaticSelect | MultiExternalSelect
SectionElement = Annotated[Button | Overflow | Single | Multi, BY_TYPE]
ActionsElement = Annotated[Button | Overflow | Single, BY_TYPE]
InputElement = Annotated[PlainTextInput | Single | Multi, BY_TYPE]
