"""Trigger ids and response URLs, which Slack gives to the bot with a user's action.

https://docs.slack.dev/interactivity/handling-user-interaction/
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.sandbox.slack.errors import ApiError

TRIGGER_LIFETIME: Final = 3.0  # seconds
RESPONSE_URL_LIFETIME: Final = 30 * 60.0  # seconds
MAX_RESPONSES: Final = 5


@dataclass(slots=True)
class Trigger:
    """The right to open or push one view for a user."""

    user: str
    view_id: str | None
    created_at: float
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class Triggers:
    """Trigger ids. Each can be used once, within `lifetime` seconds."""

    clock: Callable[[], float]
    lifetime: float = TRIGGER_LIFETIME
    _by_id: dict[str, Trigger] = field(default_factory=dict)

    def create(self, user: str, view_id: str | None = None) -> str:
        """Return a new trigger id for an action of the user, in this view if it was in one."""
        trigger_id = f"{len(self._by_id) + 1}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._by_id[trigger_id] = Trigger(user, view_id, self.clock())
        return trigger_id

    def use(self, trigger_id: str) -> Trigger:
        """Use up a trigger id. Raises ApiError."""
        trigger = self._by_id.get(trigger_id)
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger.is_used:
            raise ApiError("exchanged_trigger_id")
        if self.clock() - trigger.created_at > self.lifetime:
            raise ApiError("expired_trigger_id")
        trigger.is_used = True
        return trigger


@dataclass(slots=True)
class ResponseUrl:
    """The right to respond in a channel. `message_ts` is the message that the user acted on."""

    user: str
    channel: str
    message_ts: str | None
    created_at: float
    uses: int = 0


@dataclass(frozen=True, slots=True)
class ResponseUrls:
    """Response URLs, by their secret part."""

    clock: Callable[[], float]
    _by_secret: dict[str, ResponseUrl] = field(default_factory=dict)

    def create(self, user: str, channel: str, message_ts: str | None = None) -> str:
        """Return the secret part of a new response URL."""
        secret = secrets.token_urlsafe(18)
        self._by_secret[secret] = ResponseUrl(user, channel, message_ts, self.clock())
        return secret

    def use(self, secret: str) -> ResponseUrl:
        """Count one use. Raises ApiError."""
        url = self._by_secret.get(secret)
        if url is None:
            raise ApiError("invalid_url")
        if self.clock() - url.created_at > RESPONSE_URL_LIFETIME:
            raise ApiError("expired_url")
        # Slack does not document whether a refused body counts as a use. Here it does.
        if url.uses >= MAX_RESPONSES:
            raise ApiError("used_url")
        url.uses += 1
        return url
