"""Block Kit's elements: what a person can use in a block, with Slack's limits."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.sandbox.slack.block_model import (
    ActionId,
    Choice,
    Confirm,
    Model,
    Option,
    Options,
    OverflowOption,
    Plain75,
    Plain150,
    Url,
    wrong,
)


class Element(Model):
    """Something a person can use."""

    action_id: ActionId | None = None
    focus_on_load: bool | None = None


class Button(Model):
    """A button."""

    type: Literal["button"]
    action_id: ActionId | None = None
    text: Plain75
    url: Url | None = None
    value: Annotated[str, Field(max_length=2000)] | None = None
    style: Literal["primary", "danger"] | None = None
    confirm: Confirm | None = None
    accessibility_label: Annotated[str, Field(min_length=1, max_length=75)] | None = None


class Overflow(Model):
    """The menu behind three dots."""

    type: Literal["overflow"]
    action_id: ActionId | None = None
    options: Annotated[list[OverflowOption], Field(min_length=1, max_length=5)]
    confirm: Confirm | None = None


class Menu(Element):
    """What all menus have."""

    placeholder: Plain150 | None = None
    confirm: Confirm | None = None


class StaticMenu(Menu, Options):
    """A menu that carries its options."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.all_options():
            raise wrong("no fewer than 1 items allowed")
        return self


class StaticSelect(StaticMenu):
    """Pick one of these."""

    type: Literal["static_select"]
    initial_option: Option | None = None

    @model_validator(mode="after")
    def _initial(self) -> Self:
        _among([self.initial_option] if self.initial_option else [], self.all_options())
        return self


class MultiStaticSelect(StaticMenu):
    """Pick some of these."""

    type: Literal["multi_static_select"]
    initial_options: Annotated[list[Option], Field(min_length=1)] | None = None
    max_selected_items: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _initial(self) -> Self:
        _among(self.initial_options or [], self.all_options())
        _not_too_many(self.initial_options, self.max_selected_items)
        return self


class ExternalSelect(Menu):
    """Pick one of what the bot finds."""

    type: Literal["external_select"]
    initial_option: Option | None = None
    min_query_length: Annotated[int, Field(ge=0)] | None = None


class MultiExternalSelect(Menu):
    """Pick some of what the bot finds."""

    type: Literal["multi_external_select"]
    initial_options: Annotated[list[Option], Field(min_length=1)] | None = None
    min_query_length: Annotated[int, Field(ge=0)] | None = None
    max_selected_items: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _initial(self) -> Self:
        _not_too_many(self.initial_options, self.max_selected_items)
        return self


class Choices(Element):
    """A few options in plain sight."""

    options: Annotated[list[Choice], Field(min_length=1, max_length=10)]
    confirm: Confirm | None = None

    @model_validator(mode="after")
    def _unique(self) -> Self:
        values = [option.value for option in self.options]
        if len(set(values)) < len(values):
            raise wrong("option values must be unique")
        return self


class RadioButtons(Choices):
    """Pick one of these."""

    type: Literal["radio_buttons"]
    initial_option: Choice | None = None

    @model_validator(mode="after")
    def _initial(self) -> Self:
        _among([self.initial_option] if self.initial_option else [], self.options)
        return self


class Checkboxes(Choices):
    """Tick any of these."""

    type: Literal["checkboxes"]
    initial_options: Annotated[list[Choice], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _initial(self) -> Self:
        _among(self.initial_options or [], self.options)
        return self


class DispatchConfig(Model):
    """When a text field sends an action."""

    trigger_actions_on: Annotated[
        list[Literal["on_enter_pressed", "on_character_entered"]], Field(min_length=1)
    ]


class PlainTextInput(Element):
    """A text field."""

    type: Literal["plain_text_input"]
    initial_value: Annotated[str, Field(max_length=3000)] | None = None
    multiline: bool | None = None
    min_length: Annotated[int, Field(ge=0, le=3000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=3000)] | None = None
    placeholder: Plain150 | None = None
    dispatch_action_config: DispatchConfig | None = None

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        most = self.max_length or 3000
        if (self.min_length or 0) > most:
            raise wrong("min_length must not exceed max_length")
        if len(self.initial_value or "") > most:
            raise wrong(f"initial_value must be less than {most + 1} characters")
        return self


def _among(initial: Sequence[Model], options: Sequence[Model]) -> None:
    if any(option not in options for option in initial):
        raise wrong("initial option(s) must exactly match one of the provided options")


def _not_too_many(initial: Sequence[Model] | None, most: int | None) -> None:
    if most is not None and len(initial or ()) > most:
        raise wrong(f"no more than {most} initial_options allowed")


Single = StaticSelect | ExternalSelect | RadioButtons | Checkboxes
Multi = MultiStaticSelect | MultiExternalSelect
InSection = Annotated[Button | Overflow | Single | Multi, Field(discriminator="type")]
InActions = Annotated[Button | Overflow | Single, Field(discriminator="type")]
InInput = Annotated[PlainTextInput | Single | Multi, Field(discriminator="type")]
