"""How the stand-in says no: to the bot with Slack's own codes, to a person in words."""

from collections.abc import Mapping, Sequence


class RefusedError(Exception):
    """Slack refuses a call: its error code, and what else the answer carries."""

    def __init__(self, error: str, messages: Sequence[str] = (), **more: str) -> None:
        super().__init__(error, *messages)
        self.error = error
        self.messages = tuple(messages)
        self.more = more

    def __str__(self) -> str:
        return f"{self.error} ({'; '.join(self.messages)})" if self.messages else self.error


class CannotError(Exception):
    """Slack's client would not let this person do that; the text says why."""


class IncompleteError(CannotError):
    """Slack's client would not send a form: what it has against it, by block_id."""

    def __init__(self, complaints: Mapping[str, str]) -> None:
        super().__init__(f"the client won't send this: {complaints}")
        self.complaints = complaints


class WaitedInVainError(AssertionError):
    """What was waited for did not happen; the text shows what there was instead."""
