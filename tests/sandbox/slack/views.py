"""The modals that are open, and the stack each person sees the top of."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.slack.errors import RefusedError
from tests.sandbox.slack.form import Form, Key
from tests.sandbox.slack.pulse import Pulse

Json = dict[str, Any]

TALLEST_STACK = 3


@dataclass(slots=True)
class View:
    """One open modal: what the bot sent (ids filled in), and what its person made of it."""

    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str | None
    form: Form
    errors: dict[str, str] = field(default_factory=dict)
    strip: str | None = None
    found: dict[Key, list[Json]] = field(default_factory=dict)
    questions: dict[Key, int] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        """The blocks, each with its ids."""
        return list(self.content["blocks"])

    @property
    def external_id(self) -> str:
        """The bot's own id of the view, or an empty string."""
        return str(self.content.get("external_id", ""))


class Views:
    """Open views. What Slack refuses raises RefusedError with Slack's code."""

    def __init__(self, clock: Callable[[], float], pulse: Pulse) -> None:
        self._clock = clock
        self._pulse = pulse
        self._stacks: dict[str, list[View]] = {}
        self._external_ids: dict[str, str] = {}

    def stack(self, user: str) -> list[View]:
        """Return a person's open views, the one they see last."""
        return list(self._stacks.get(user, ()))

    def find(self, view_id: str) -> View:
        """Return an open view by its id."""
        for stack in self._stacks.values():
            for view in stack:
                if view.id == view_id:
                    return view
        raise RefusedError("not_found")

    def find_external(self, external_id: str) -> View:
        """Return an open view by the bot's own id of it."""
        return self.find(self._external_ids.get(external_id, ""))

    def open(self, user: str, content: Json) -> View:
        """Open a view; whatever the person had open is gone.

        Slack does not document what becomes of the old one; here an update no longer finds it.
        """
        view = self._new(user, content, None)
        self._stacks[user] = [view]
        self._pulse.beat()
        return view

    def push(self, onto: str, content: Json) -> View:
        """Lay a view over the stack that the view `onto` is in."""
        user = self.find(onto).user
        stack = self._stacks[user]
        if len(stack) >= TALLEST_STACK:
            raise RefusedError("push_limit_reached")
        view = self._new(user, content, stack[-1])
        stack.append(view)
        self._pulse.beat()
        return view

    def update(self, view: View, content: Json) -> View:
        """Put other content into an open view: it keeps its id and gets another hash."""
        self._claim(content, view.id)
        view.form = Form.of(content["blocks"], before=view.form)
        view.content = content
        view.hash = self._hash()
        view.errors.clear()
        view.strip = None
        view.found.clear()
        self._pulse.beat()
        return view

    def close(self, view: View) -> None:
        """Close this view only; nothing happens if it is closed already."""
        stack = self._stacks.get(view.user, [])
        if view in stack:
            stack.remove(view)
            self._pulse.beat()

    def clear(self, user: str) -> None:
        """Close all views of a person."""
        self._stacks.pop(user, None)
        self._pulse.beat()

    def _new(self, user: str, content: Json, below: View | None) -> View:
        view_id = f"V{secrets.token_hex(5).upper()}"
        self._claim(content, view_id)
        return View(
            id=view_id,
            user=user,
            content=content,
            hash=self._hash(),
            root_id=below.root_id if below else view_id,
            previous_id=below.id if below else None,
            form=Form.of(content["blocks"]),
        )

    def _claim(self, content: Json, view_id: str) -> None:
        # "Has already been used" is all that Slack says; so here an id is never free again.
        external_id = content.get("external_id")
        if external_id and self._external_ids.setdefault(external_id, view_id) != view_id:
            raise RefusedError("duplicate_external_id")

    def _hash(self) -> str:
        return f"{int(self._clock())}.{secrets.token_hex(4)}"
