"""A modal as its person sees it."""

from dataclasses import dataclass
from typing import Any

from tests.sandbox.slack.form import plain, used_in
from tests.sandbox.slack.render import Renderer
from tests.sandbox.slack.views import View

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a menu as it is read."""

    text: str
    value: str
    description: str | None = None
    group: str | None = None

    @classmethod
    def of(cls, option: Json, group: str | None = None) -> "Option":
        """Read Block Kit's option object, which may stand under a group's heading."""
        about = option.get("description")
        words = about["text"] if about else None
        return cls(option["text"]["text"], option["value"], words, group)


class Modal:
    """An open modal. It shows the view as it stands, also after a later update."""

    def __init__(self, view: View, renderer: Renderer) -> None:
        self._view = view
        self._renderer = renderer

    @property
    def id(self) -> str:
        """Slack's id of the view."""
        return self._view.id

    @property
    def hash(self) -> str:
        """The view's hash: another one after each update."""
        return self._view.hash

    @property
    def content(self) -> Json:
        """The view as the bot sent it, ids filled in."""
        return self._view.content

    @property
    def title(self) -> str:
        """The words at the top."""
        return str(self.content["title"]["text"])

    @property
    def submit(self) -> str | None:
        """The words on the submit button; None if there is no such button."""
        return _words(self.content.get("submit"))

    @property
    def close(self) -> str | None:
        """The words on the close button; None for Slack's own."""
        return _words(self.content.get("close"))

    @property
    def callback_id(self) -> str:
        """The bot's name for this kind of view."""
        return str(self.content.get("callback_id", ""))

    @property
    def external_id(self) -> str:
        """The bot's own id of the view."""
        return self._view.external_id

    @property
    def private_metadata(self) -> str:
        """What the bot keeps in the view."""
        return str(self.content.get("private_metadata", ""))

    @property
    def blocks(self) -> list[Json]:
        """The blocks, ids filled in."""
        return self._view.blocks

    @property
    def action_ids(self) -> list[str]:
        """What there is to use."""
        return [used.element["action_id"] for used in used_in(self.blocks)]

    @property
    def errors(self) -> dict[str, str]:
        """The errors shown under inputs, by block_id."""
        return dict(self._view.errors)

    @property
    def strip(self) -> str | None:
        """The error strip at the top, if there is one."""
        return self._view.strip

    @property
    def values(self) -> dict[str, Any]:
        """What is entered, by action_id: a text, an option's value, or a list of values."""
        return {
            action_id: plain(entry) for (_, action_id), entry in self._view.form.entries.items()
        }

    @property
    def state(self) -> Json:
        """What is entered, as Slack sends it."""
        return self._view.form.state()

    def lines(self) -> list[str]:
        """Draw the modal."""
        return self._renderer.view(self._view)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __contains__(self, words: str) -> bool:
        """Tell whether these words can be read in the modal."""
        return words in str(self)


def _words(text: Json | None) -> str | None:
    return None if text is None else str(text["text"])
