"""What a person has entered into the elements of one view."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.sandbox.slack.checks import elements_of
from tests.sandbox.slack.errors import CannotError

Json = dict[str, Any]
Key = tuple[str, str]

SINGLE = {"static_select", "external_select", "radio_buttons"}
MULTI = {"multi_static_select", "multi_external_select", "checkboxes"}
EXTERNAL = {"external_select", "multi_external_select"}


@dataclass(frozen=True, slots=True)
class Used:
    """One element of a view or message, and the block it stands in."""

    block: Json
    element: Json

    @property
    def key(self) -> Key:
        """The ids that Slack knows the element by."""
        return self.block["block_id"], self.element["action_id"]

    @property
    def sends_actions(self) -> bool:
        """Whether using the element tells the bot at once."""
        return self.block["type"] != "input" or bool(self.block.get("dispatch_action"))


def used_in(blocks: Sequence[Json]) -> Iterator[Used]:
    """Give every element of these blocks."""
    for block in blocks:
        for element in elements_of(block):
            yield Used(block, element)


def find_used(blocks: Sequence[Json], action_id: str, block_id: str | None = None) -> Used:
    """Return the one element with this action_id; raise CannotError if there is no such one."""
    found = [
        used
        for used in used_in(blocks)
        if used.element["action_id"] == action_id and block_id in {None, used.block["block_id"]}
    ]
    if not found:
        there = ", ".join(used.element["action_id"] for used in used_in(blocks)) or "nothing"
        raise CannotError(f"no {action_id!r} to use here; there is {there}")
    if len(found) > 1:
        raise CannotError(f"{action_id!r} stands in several blocks: say which block_id")
    return found[0]


@dataclass(slots=True)
class Form:
    """The values of a view's elements, each as Slack writes it into `state.values`."""

    entries: dict[Key, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Sequence[Json], before: Self | None = None) -> Self:
        """Fill a new view, or what an update made of it.

        Where block_id and action_id stay the same, so does the value, even an empty one, and a
        new `initial_*` counts for nothing; elsewhere the view starts from its `initial_*`. Whether
        an option survives that is no longer offered is not documented; here it does, so that the
        bot has to check what it is sent.
        """
        form = cls()
        for used in used_in(blocks):
            fresh = _initial(used.element)
            if fresh is None:
                continue
            kept = before.entries.get(used.key) if before else None
            still_fits = kept is not None and kept["type"] == fresh["type"]
            form.entries[used.key] = kept if kept is not None and still_fits else fresh
        return form

    def state(self) -> Json:
        """Give the `state` object of a payload."""
        values: dict[str, Json] = {}
        for (block_id, action_id), entry in self.entries.items():
            values.setdefault(block_id, {})[action_id] = dict(entry)
        return {"values": values}

    def enter(self, used: Used, value: Any) -> None:
        """Set a text, an option, or a list of options."""
        self.entries[used.key] = self.entries[used.key] | {slot(used.element): value}

    def value(self, used: Used) -> Any:
        """Return the text, option or list of options entered; None or [] if there is none."""
        entry = self.entries.get(used.key)
        return None if entry is None else entry[slot(used.element)]

    def complaints(self, blocks: Sequence[Json]) -> dict[str, str]:
        """Tell, by block_id, what Slack's client would not send."""
        return {
            used.block["block_id"]: complaint
            for used in used_in(blocks)
            if used.block["type"] == "input" and (complaint := self._complaint(used))
        }

    def _complaint(self, used: Used) -> str | None:
        value = self.value(used)
        if not value:
            return None if used.block.get("optional") else "Please complete this required field."
        if isinstance(value, str):
            return text_complaint(used.element, value)
        return None


def slot(element: Json) -> str:
    """Name the field of an element's state that holds its value."""
    if element["type"] in SINGLE | {"overflow"}:
        return "selected_option"
    return "selected_options" if element["type"] in MULTI else "value"


def text_complaint(element: Json, text: str) -> str | None:
    """Tell what the client has against a text of this length."""
    if len(text) < element.get("min_length", 0):
        return f"At least {element['min_length']} characters are needed."
    if len(text) > element.get("max_length", 3000):
        return f"At most {element.get('max_length', 3000)} characters fit."
    return None


def plain(entry: Json) -> Any:
    """Reduce an entry to its text, its option's value or its options' values."""
    if "selected_options" in entry:
        return [option["value"] for option in entry["selected_options"]]
    if "selected_option" in entry:
        option = entry["selected_option"]
        return None if option is None else option["value"]
    return entry["value"]


def _initial(element: Json) -> Json | None:
    kind = element["type"]
    if kind in SINGLE:
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in MULTI:
        return {"type": kind, "selected_options": element.get("initial_options", [])}
    if kind == "plain_text_input":
        return {"type": kind, "value": element.get("initial_value") or None}
    return None
