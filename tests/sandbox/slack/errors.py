"""The errors of the stand-in: Slack's error codes for the bot, and messages for its users."""

from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """Slack refuses what the bot sent. `error` is Slack's code, `more` the response's other fields.

    The codes are those of https://docs.slack.dev/reference/methods/.
    """

    def __init__(self, error: str, messages: Sequence[str] = (), **more: str) -> None:
        super().__init__(error, *messages)
        self.error = error
        self.messages = tuple(messages)
        self.more = more

    def __str__(self) -> str:
        return f"{self.error} ({'; '.join(self.messages)})" if self.messages else self.error


class ActionError(Exception):
    """Slack's client does not let the user do this. The message says why."""


class FormError(ActionError):
    """Slack's client does not submit the form. `errors` says why, by block_id."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(f"the client does not submit this: {errors}")
        self.errors = errors


class TimedOutError(AssertionError):
    """A wait timed out. The message shows what there was instead."""
