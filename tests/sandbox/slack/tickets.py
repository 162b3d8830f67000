"""What Slack hands out for a short while: trigger ids and response URLs."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from tests.sandbox.slack.errors import RefusedError

TRIGGER_LIFE = 3.0
RESPONSE_URL_LIFE = 30 * 60.0
RESPONSE_URL_USES = 5


@dataclass(slots=True)
class Trigger:
    """The right to open or push one view, given to one user's action."""

    user: str
    view_id: str | None
    made_at: float
    is_used: bool = False


class Triggers:
    """Trigger ids: each good once, for so many seconds from the action (three at Slack)."""

    def __init__(self, clock: Callable[[], float], life: float = TRIGGER_LIFE) -> None:
        self._clock = clock
        self._life = life
        self._given: dict[str, Trigger] = {}

    def give(self, user: str, view_id: str | None = None) -> str:
        """Return a new trigger id for something the user did just now."""
        trigger_id = f"{len(self._given) + 1}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._given[trigger_id] = Trigger(user, view_id, self._clock())
        return trigger_id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger id up, or raise RefusedError."""
        trigger = self._given.get(trigger_id)
        if trigger is None:
            raise RefusedError("invalid_trigger_id")
        if trigger.is_used:
            raise RefusedError("exchanged_trigger_id")
        if self._clock() - trigger.made_at > self._life:
            raise RefusedError("expired_trigger_id")
        trigger.is_used = True
        return trigger


@dataclass(slots=True)
class ResponseUrl:
    """The right to answer in one place; `origin` is the ts of the message that was acted on."""

    user: str
    channel: str
    origin: str | None
    made_at: float
    uses: int = 0


class ResponseUrls:
    """Response URLs, by their secret: five uses within thirty minutes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._given: dict[str, ResponseUrl] = {}

    def give(self, user: str, channel: str, origin: str | None = None) -> str:
        """Return the secret of a new response URL."""
        secret = secrets.token_urlsafe(18)
        self._given[secret] = ResponseUrl(user, channel, origin, self._clock())
        return secret

    def use(self, secret: str) -> ResponseUrl:
        """Count one use, or raise RefusedError."""
        url = self._given.get(secret)
        if url is None:
            raise RefusedError("invalid_url")
        if self._clock() - url.made_at > RESPONSE_URL_LIFE:
            raise RefusedError("expired_url")
        # Whether a refused body counts as a use is not documented; here it does.
        if url.uses >= RESPONSE_URL_USES:
            raise RefusedError("used_url")
        url.uses += 1
        return url
