"""HTTP delivery: signed, form-encoded posts to the bot's request URL."""

import hashlib
import hmac
import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.sandbox.slack.delivery import UNREACHABLE, Kind, Outcome

Json = dict[str, Any]


class SignedHttp:
    """Posts to one URL, signed as Slack signs."""

    def __init__(self, url: str, signing_secret: str) -> None:
        self._url = url
        self._secret = signing_secret
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, kind: Kind, payload: Json) -> Outcome:
        """Post a payload and read the answer."""
        try:
            status, body = await self.post(payload_form(kind, payload))
        except aiohttp.ClientConnectorError as error:
            return Outcome(failure=UNREACHABLE, detail=str(error))
        except aiohttp.ClientError as error:
            return Outcome(failure=UNREACHABLE, detail=f"{error!r}", is_fault_of_bot=True)
        if status != HTTPStatus.OK:
            detail = f"answered {status} {body[:200]!r}"
            return Outcome(failure=UNREACHABLE, detail=detail, is_fault_of_bot=True)
        return Outcome(body=_parsed(body))

    async def post(
        self,
        form: Json,
        *,
        secret: str | None = None,
        age: float = 0.0,
        is_signed: bool = True,
    ) -> tuple[int, str]:
        """Post a form as Slack would, or with another secret, an old timestamp, no signature."""
        body = urlencode(form)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if is_signed:
            stamp = str(int(time.time() - age))
            headers["X-Slack-Request-Timestamp"] = stamp
            headers["X-Slack-Signature"] = signature(secret or self._secret, stamp, body)
        async with self._client().post(self._url, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def close(self) -> None:
        """Close what connections there are."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A kept connection to a bot that was restarted would look like a broken bot.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def signature(secret: str, timestamp: str, body: str) -> str:
    """Sign a body, version 0."""
    base = f"v0:{timestamp}:{body}".encode()
    return f"v0={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"


def payload_form(kind: Kind, payload: Json) -> Json:
    """Lay a payload out as a form: commands flat, everything else as JSON in `payload`."""
    return payload if kind == "slash_commands" else {"payload": json.dumps(payload)}


def _parsed(body: str) -> Any:
    try:
        return json.loads(body) if body else None
    except json.JSONDecodeError:
        return body
