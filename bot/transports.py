"""Bolt's app, which both transports feed: what it answers if a request can't be handled."""

import logging
import traceback
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.payloads import Command, Interaction
from bot.slack.views.blocks import text_modal

logger = logging.getLogger(__name__)

# What Bolt raises for a body that is no JSON, or whose fields have another type.
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
UNREADABLE_REQUEST = "Slack sent a request that can't be read"
SORRY = (
    "The bot could not read what Slack sent. Nothing was changed by this. Try again; if this text"
    " comes again, tell the bot's operator."
)
_REQUESTS = {Command.__name__, Interaction.__name__}
_BOT = str(Path(__file__).parent)


class StartupError(Exception):
    """The bot can't start. The message says why, and what to do."""


def bolt_app(client: AsyncWebClient, authorized: AuthorizeResult) -> AsyncApp:
    """Return Bolt's app, without listeners. Requests must be verified before they come here."""

    async def authorize() -> AuthorizeResult:
        # The bot called auth.test at start. A call for each request would delay every ack.
        return authorized

    logging.getLogger("slack_bolt.AsyncApp").addFilter(_is_news)
    app = AsyncApp(
        name="kickbot",
        # `authorize` gives the token. If this client had a token, Bolt would warn about it.
        client=AsyncWebClient(base_url=client.base_url, session=client.session),
        authorize=authorize,
        # By default, Bolt looks for the ack every 10 ms. This answers when the listener returns.
        process_before_response=True,
        # Bolt would log a whole request that it refuses, or that no listener handles.
        request_verification_enabled=False,
        raise_error_for_unhandled_request=True,
    )
    app.error(_answer_error)
    return app


def _is_news(record: logging.LogRecord) -> bool:
    # Bolt finds SLACK_BOT_TOKEN in the environment, and warns that it does not use it.
    return "`token` will be unused" not in str(record.msg)


async def dispatch(app: AsyncApp, **sent: Any) -> BoltResponse:
    """Return the answer to a request: 400 if it can't be read. The arguments are Bolt's own."""
    try:
        return await app.async_dispatch(AsyncBoltRequest(**sent))
    except UNREADABLE:
        # No error of a listener comes here: those go to the error handler. But with some
        # payloads, Bolt can't even call that one.
        logger.warning(UNREADABLE_REQUEST)
        return BoltResponse(status=400, body="")


async def _answer_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """Log an error without the request's values, and answer in words where Slack shows any."""
    if isinstance(error, BoltUnhandledRequestError):
        logger.warning("Slack sent a request that no listener handles")
        return BoltResponse(status=404)
    if isinstance(error, ValidationError) and error.title in _REQUESTS:
        fields = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        logger.warning("%s: %s", UNREADABLE_REQUEST, fields)
        return _in_words(body)
    if isinstance(error, UNREADABLE) and _is_before_listeners(error):
        logger.warning(UNREADABLE_REQUEST)
        return _in_words(body)
    # A bug in the bot. It may have done a part of its work.
    logger.error("a request could not be handled", exc_info=error)
    return BoltResponse(status=500)


def _is_before_listeners(error: Exception) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return not any(frame.filename.startswith(_BOT) for frame in frames)


def _in_words(body: dict[str, Any]) -> BoltResponse:
    if "command" in body:
        return BoltResponse(status=200, body={"response_type": "ephemeral", "text": SORRY})
    if body.get("type") == "view_submission":
        update = {"response_action": "update", "view": text_modal("Kick", SORRY)}
        return BoltResponse(status=200, body=update)
    # For a button, Slack then shows a warning. A menu has no place for words.
    return BoltResponse(status=400)
