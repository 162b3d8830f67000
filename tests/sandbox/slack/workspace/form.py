"""What a user has entered into the elements of a view."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.sandbox.control import Json
from tests.sandbox.slack.block_kit import elements_of
from tests.sandbox.slack.errors import ActionError

Key = tuple[str, str]
"""A block_id and an action_id, by which Slack knows an element."""

SINGLE = {"static_select", "external_select", "radio_buttons"}
MULTI = {"multi_static_select", "multi_external_select", "checkboxes"}
EXTERNAL = {"external_select", "multi_external_select"}


@dataclass(frozen=True, slots=True)
class Element:
    """An interactive element, with the block that it is in."""

    block: Json
    json: Json

    @property
    def key(self) -> Key:
        """The element's ids."""
        return self.block["block_id"], self.json["action_id"]

    @property
    def type(self) -> str:
        """The element's type, such as `button`."""
        return str(self.json["type"])

    @property
    def sends_actions(self) -> bool:
        """Whether using the element sends a block_actions payload."""
        return self.block["type"] != "input" or bool(self.block.get("dispatch_action"))

    @property
    def value_field(self) -> str:
        """The field of the element's state that holds its value."""
        if self.type in SINGLE | {"overflow"}:
            return "selected_option"
        return "selected_options" if self.type in MULTI else "value"

    def length_error(self, text: str) -> str | None:
        """Return the client's error for a text of this length, or None."""
        least, most = self.json.get("min_length", 0), self.json.get("max_length", 3000)
        if len(text) < least:
            return f"At least {least} characters are needed."
        return f"At most {most} characters fit." if len(text) > most else None


def elements_in(blocks: Sequence[Json]) -> Iterator[Element]:
    """Return all interactive elements of the blocks."""
    return (Element(block, element) for block in blocks for element in elements_of(block))


def find_element(blocks: Sequence[Json], action_id: str, block_id: str | None = None) -> Element:
    """Return the only element with this action_id. Raises ActionError."""
    found = [
        element
        for element in elements_in(blocks)
        if element.json["action_id"] == action_id and block_id in {None, element.key[0]}
    ]
    if not found:
        there = ", ".join(element.json["action_id"] for element in elements_in(blocks))
        raise ActionError(f"no {action_id!r} to use here; there is {there or 'nothing'}")
    if len(found) > 1:
        raise ActionError(f"{action_id!r} is in several blocks: pass a block_id")
    return found[0]


@dataclass(slots=True)
class Form:
    """The entries of a view's elements, in the form of Slack's `state.values`."""

    entries: dict[Key, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Sequence[Json], before: Self | None = None) -> Self:
        """Return the form of a new view, or of an updated one that had the form `before`.

        If block_id and action_id are the same as before, the entry stays, even an empty one, and
        the new `initial_*` is ignored. Slack does not document whether a chosen option that is not
        offered any more stays. Here it does, so that the bot has to check it.
        """
        form = cls()
        for element in elements_in(blocks):
            initial = _initial(element)
            if initial is None:
                continue
            entry = before.entries.get(element.key) if before else None
            stays = entry is not None and entry["type"] == initial["type"]
            form.entries[element.key] = entry if entry is not None and stays else initial
        return form

    def state(self) -> Json:
        """Return the `state` object of a payload."""
        values: dict[str, Json] = {}
        for (block_id, action_id), entry in self.entries.items():
            values.setdefault(block_id, {})[action_id] = dict(entry)
        return {"values": values}

    def enter(self, element: Element, value: Any) -> None:
        """Set the value: a text, an option or a list of options."""
        self.entries[element.key] = self.entries[element.key] | {element.value_field: value}

    def value(self, element: Element) -> Any:
        """Return the text, the option or the list of options. None or [] if there is none."""
        entry = self.entries.get(element.key)
        return None if entry is None else entry[element.value_field]

    def errors(self, blocks: Sequence[Json]) -> dict[str, str]:
        """Return, by block_id, why Slack's client does not submit the form."""
        return {
            element.key[0]: error
            for element in elements_in(blocks)
            if element.block["type"] == "input" and (error := self._error(element))
        }

    def _error(self, element: Element) -> str | None:
        value = self.value(element)
        if not value:
            is_optional = element.block.get("optional")
            return None if is_optional else "Please complete this required field."
        return element.length_error(value) if isinstance(value, str) else None


def plain_value(entry: Json) -> Any:
    """Return an entry's text, its option's value or the list of its options' values."""
    if "selected_options" in entry:
        return [option["value"] for option in entry["selected_options"]]
    if "selected_option" in entry:
        option = entry["selected_option"]
        return None if option is None else option["value"]
    return entry["value"]


def _initial(element: Element) -> Json | None:
    given, value = element.json, None
    if element.type in SINGLE:
        value = given.get("initial_option")
    elif element.type in MULTI:
        value = given.get("initial_options", [])
    elif element.type == "plain_text_input":
        value = given.get("initial_value") or None
    else:
        return None
    return {"type": element.type, element.value_field: value}
