"""The open modals: a stack for each user, whose top view the user sees."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.sandbox.changes import Changes
from tests.sandbox.control import Json
from tests.sandbox.slack.errors import ApiError
from tests.sandbox.slack.workspace.form import Form, Key

MAX_VIEWS: Final = 3


@dataclass(slots=True)
class View:
    """An open modal: the content that the bot sent, and what its user entered.

    `strip` is the error at the top of the modal. `options` are those that the bot sent last for
    each external menu, and `queries` counts the queries sent.
    """

    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str | None
    form: Form
    errors: dict[str, str] = field(default_factory=dict)
    strip: str | None = None
    options: dict[Key, list[Json]] = field(default_factory=dict)
    queries: dict[Key, int] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        """The blocks, with all ids."""
        return list(self.content["blocks"])

    @property
    def external_id(self) -> str:
        """The bot's own id of the view, or an empty string."""
        return str(self.content.get("external_id", ""))


@dataclass(frozen=True, slots=True)
class Views:
    """All open views. Its methods raise ApiError with Slack's code."""

    clock: Callable[[], float]
    changes: Changes
    _stacks: dict[str, list[View]] = field(default_factory=dict)
    _external_ids: dict[str, str] = field(default_factory=dict)

    def stack(self, user: str) -> list[View]:
        """Return a user's open views, the top one last."""
        return list(self._stacks.get(user, ()))

    def find(self, view_id: str) -> View:
        """Return an open view by its id."""
        for stack in self._stacks.values():
            for view in stack:
                if view.id == view_id:
                    return view
        raise ApiError("not_found")

    def find_external(self, external_id: str) -> View:
        """Return an open view by the bot's own id of it."""
        return self.find(self._external_ids.get(external_id, ""))

    def open(self, user: str, content: Json) -> View:
        """Open a view in place of the user's open ones.

        Slack does not document what happens to the open ones. Here an update finds them no more.
        """
        view = self._new(user, content, None)
        self._stacks[user] = [view]
        self.changes.notify()
        return view

    def push(self, onto: str, content: Json) -> View:
        """Push a view onto the stack that contains the view `onto`."""
        user = self.find(onto).user
        stack = self._stacks[user]
        if len(stack) >= MAX_VIEWS:
            raise ApiError("push_limit_reached")
        view = self._new(user, content, stack[-1])
        stack.append(view)
        self.changes.notify()
        return view

    def update(self, view: View, content: Json) -> View:
        """Replace the content of an open view. It keeps its id and gets a new hash."""
        self._claim_external_id(content, view.id)
        view.form = Form.of(content["blocks"], before=view.form)
        view.content = content
        view.hash = self._new_hash()
        view.errors.clear()
        view.strip = None
        view.options.clear()
        self.changes.notify()
        return view

    def close(self, view: View) -> None:
        """Close this view only, if it is open."""
        stack = self._stacks.get(view.user, [])
        if view in stack:
            stack.remove(view)
            self.changes.notify()

    def clear(self, user: str) -> None:
        """Close all views of a user."""
        self._stacks.pop(user, None)
        self.changes.notify()

    def _new(self, user: str, content: Json, below: View | None) -> View:
        view_id = f"V{secrets.token_hex(5).upper()}"
        self._claim_external_id(content, view_id)
        return View(
            id=view_id,
            user=user,
            content=content,
            hash=self._new_hash(),
            root_id=below.root_id if below else view_id,
            previous_id=below.id if below else None,
            form=Form.of(content["blocks"]),
        )

    def _claim_external_id(self, content: Json, view_id: str) -> None:
        # Slack's error only says "has already been used". So here an id stays used for ever.
        external_id = content.get("external_id")
        if external_id and self._external_ids.setdefault(external_id, view_id) != view_id:
            raise ApiError("duplicate_external_id")

    def _new_hash(self) -> str:
        return f"{int(self.clock())}.{secrets.token_hex(4)}"
