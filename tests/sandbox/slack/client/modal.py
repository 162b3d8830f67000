"""A modal and the options of a menu, as their user sees them."""

from dataclasses import dataclass
from typing import Any

from tests.sandbox.control import Json
from tests.sandbox.slack.client.renderer import Renderer
from tests.sandbox.slack.workspace.form import elements_in, plain_value
from tests.sandbox.slack.workspace.views import View


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a menu. `group` is the heading above it, if there is one."""

    text: str
    value: str
    description: str | None = None
    group: str | None = None

    @classmethod
    def of(cls, option: Json, group: str | None = None) -> "Option":
        """Return the option of a Block Kit object."""
        return cls(option["text"]["text"], option["value"], _text(option, "description"), group)


@dataclass(frozen=True, slots=True)
class Modal:
    """An open modal. It always shows the present state of its view."""

    view: View
    renderer: Renderer

    @property
    def id(self) -> str:
        """Slack's id of the view."""
        return self.view.id

    @property
    def hash(self) -> str:
        """The view's hash, which every update changes."""
        return self.view.hash

    @property
    def title(self) -> str:
        """The text at the top."""
        return str(self.view.content["title"]["text"])

    @property
    def submit(self) -> str | None:
        """The text of the submit button, or None if there is no such button."""
        return _text(self.view.content, "submit")

    @property
    def close(self) -> str | None:
        """The text of the close button, or None for Slack's own text."""
        return _text(self.view.content, "close")

    @property
    def callback_id(self) -> str:
        """The bot's name for this kind of view."""
        return str(self.view.content.get("callback_id", ""))

    @property
    def external_id(self) -> str:
        """The bot's own id of the view."""
        return self.view.external_id

    @property
    def private_metadata(self) -> str:
        """What the bot stores in the view."""
        return str(self.view.content.get("private_metadata", ""))

    @property
    def blocks(self) -> list[Json]:
        """The blocks, with all ids."""
        return self.view.blocks

    @property
    def action_ids(self) -> list[str]:
        """The action ids of all elements."""
        return [element.key[1] for element in elements_in(self.blocks)]

    @property
    def errors(self) -> dict[str, str]:
        """The errors shown under inputs, by block_id."""
        return dict(self.view.errors)

    @property
    def strip(self) -> str | None:
        """The error at the top, if there is one."""
        return self.view.strip

    @property
    def values(self) -> dict[str, Any]:
        """What is entered, by action_id: a text, an option's value, or a list of values."""
        entries = self.view.form.entries.items()
        return {action_id: plain_value(entry) for (_, action_id), entry in entries}

    def lines(self) -> list[str]:
        """Return the modal as lines of text."""
        return self.renderer.view(self.view)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __contains__(self, text: str) -> bool:
        return text in str(self)


def _text(json: Json, name: str) -> str | None:
    return str(json[name]["text"]) if name in json else None
