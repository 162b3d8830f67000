"""HTTP mode: signed, form-encoded posts to the bot's request URL.

https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.sandbox.control import Json
from tests.sandbox.slack.delivery.delivery import UNREACHABLE, Kind, Outcome


@dataclass(slots=True)
class SignedHttp:
    """Posts to one URL, with Slack's signature. `now` is in seconds since the epoch."""

    url: str
    signing_secret: str
    now: Callable[[], float] = time.time
    _session: aiohttp.ClientSession | None = None

    async def exchange(self, kind: Kind, payload: Json) -> Outcome:
        """Post a payload and return the result."""
        try:
            status, body = await self.post(payload_form(kind, payload))
        except aiohttp.ClientConnectorError as error:
            return Outcome(failure=UNREACHABLE, detail=str(error))
        except aiohttp.ClientError as error:
            return Outcome(failure=UNREACHABLE, detail=f"{error!r}", is_fault_of_bot=True)
        if status != HTTPStatus.OK:
            detail = f"answered {status} {body[:200]!r}"
            return Outcome(failure=UNREACHABLE, detail=detail, is_fault_of_bot=True)
        return Outcome(body=_parse(body))

    async def post(
        self, form: Json, *, secret: str | None = None, age: float = 0.0, is_signed: bool = True
    ) -> tuple[int, str]:
        """Post a form and return status and body.

        For forgeries: another secret, a timestamp that is `age` seconds old, or no signature.
        """
        body = urlencode(form)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if is_signed:
            stamp = str(int(self.now() - age))
            headers["X-Slack-Request-Timestamp"] = stamp
            headers["X-Slack-Signature"] = signature(secret or self.signing_secret, stamp, body)
        async with self._client().post(self.url, data=body, headers=headers) as response:
            return response.status, await response.text()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A connection that is kept open over a restart of the bot would look like its failure.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def signature(secret: str, timestamp: str, body: str) -> str:
    """Return the signature of a body, version 0."""
    base = f"v0:{timestamp}:{body}".encode()
    return f"v0={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"


def payload_form(kind: Kind, payload: Json) -> Json:
    """Return a payload as a form: a command as it is, others as JSON in the field `payload`."""
    return payload if kind == "slash_commands" else {"payload": json.dumps(payload)}


def _parse(body: str) -> Any:
    try:
        return json.loads(body) if body else None
    except json.JSONDecodeError:
        return body
