"""Views that are open in front of somebody, and the response_urls that may still answer.

Both are kept in memory only: a view is a courtesy, and a response_url is a secret.
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import UserId
from bot.core.ports import Clock
from bot.slack.api import SlackCallError, post_json, respond
from bot.slack.modals import Modal

logger = logging.getLogger(__name__)

# https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
ANSWERS = 5
ANSWERS_WITHIN = timedelta(minutes=30)
ORIGINS_KEPT = 1000
LOST = "lost"
NOT_FOUND = "not_found"
# A view pushed by an ack appears only when Slack has read that ack.
APPEARS_WITHIN = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between looks


@dataclass(slots=True)
class Origin:
    """Somebody's interaction, which can still be answered by its response_url."""

    user: UserId
    response_url: str = field(repr=False)
    until: datetime
    left: int = ANSWERS


class Origins:
    """The interactions that may still be answered, by a name that views can carry."""

    def __init__(self, client: AsyncWebClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._origins: OrderedDict[str, Origin] = OrderedDict()

    def note(self, user: UserId, response_url: str) -> str:
        """Remember somebody's response_url; return the name for it."""
        name = uuid4().hex
        self._origins[name] = Origin(user, response_url, self._clock.now() + ANSWERS_WITHIN)
        while len(self._origins) > ORIGINS_KEPT:
            self._origins.popitem(last=False)
        return name

    async def answer(
        self, name: str, message: Mapping[str, Any], *, openly: bool
    ) -> SlackCallError | None:
        """Answer an interaction, openly or for its user only; return why that can't be done."""
        origin = self._origins.get(name)
        if origin is None or origin.left <= 0 or self._clock.now() >= origin.until:
            return SlackCallError("response_url", "used up, or too old")
        origin.left -= 1
        kind = "in_channel" if openly else "ephemeral"
        body = {**message, "response_type": kind, "replace_original": False}
        try:
            await respond(self._client, origin.response_url, body)
        except SlackCallError as error:
            logger.warning("an interaction was not answered: %s", error)
            return error
        return None

    async def whisper(self, name: str, message: Mapping[str, Any]) -> None:
        """Answer an interaction for its user only; by a direct message where that fails."""
        origin = self._origins.get(name)
        if await self.answer(name, message, openly=False) is None or origin is None:
            return
        try:
            await post_json(self._client, "chat.postMessage", channel=origin.user, **message)
        except SlackCallError as error:
            logger.error("%s could not be told: %s (%s)", origin.user, message["text"], error)  # noqa: TRY400 - no traceback needed


class Windows:
    """Opens and updates views, by a name of ours: so one whose answer was lost is found again."""

    def __init__(self, client: AsyncWebClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def open(self, trigger_id: str, view: Modal) -> str | None:
        """Open a view at once; return its name, or None if Slack did not open it."""
        return await self._begin("views.open", trigger_id, view)

    async def push(self, trigger_id: str, view: Modal) -> str | None:
        """Lay a view over the one in which a button was pressed, as `open` does."""
        return await self._begin("views.push", trigger_id, view)

    async def _begin(self, method: str, trigger_id: str, view: Modal) -> str | None:
        name = uuid4().hex
        try:
            named = {**view, "external_id": name}
            await post_json(self._client, method, trigger_id=trigger_id, view=named)
        except SlackCallError as error:
            logger.warning("a view was not opened: %s", error)
            # Where the trigger was used the view may be open all the same: an update will tell.
            doubtful = error.maybe_applied or error.code == "exchanged_trigger_id"
            return name if doubtful and await self.fill(name, view) is None else None
        return name

    async def fill(self, name: str, view: Modal) -> str | None:
        """Update a view that is open, or about to be, by its name; return what failed, if it did.

        NOT_FOUND is also what Slack says of a view that the person has closed.
        """
        named = {**view, "external_id": name}
        for pause in APPEARS_WITHIN:
            failure = await self._failure({"external_id": name, "view": named})
            if failure != NOT_FOUND:
                return failure
            await self._clock.sleep(pause)
        return NOT_FOUND

    async def update(self, view_id: str, view: Modal) -> bool:
        """Update a view by its id; False if it is not there any more."""
        return await self._failure({"view_id": view_id, "view": view}) is None

    async def update_as_seen(self, view_id: str, seen: str, view: Modal) -> bool:
        """Update a view unless it changed since it was seen with this hash."""
        return await self._failure({"view_id": view_id, "hash": seen, "view": view}) is None

    async def _failure(self, arguments: Mapping[str, Any]) -> str | None:
        code = await self._attempt(arguments)
        # The same update twice is the same view: what may have got lost is sent again.
        return await self._attempt(arguments) if code == LOST else code

    async def _attempt(self, arguments: Mapping[str, Any]) -> str | None:
        try:
            await post_json(self._client, "views.update", **arguments)
        except SlackCallError as error:
            logger.info("a view was not updated: %s", error)
            return LOST if error.maybe_applied else error.code
        return None
