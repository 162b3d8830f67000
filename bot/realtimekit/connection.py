"""The app that the client acts for, and the HTTP client that it uses."""

import re
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import SecretStr

MAX_REQUESTS: Final = 8
"""With more requests in flight, httpx gets slower."""


@dataclass(frozen=True, slots=True)
class App:
    """A RealtimeKit app, and an API token with the permission Realtime or Realtime Admin.

    Raises ValueError if the token is empty or has a character that cannot be part of a token.
    """

    account_id: str
    app_id: str
    token: SecretStr

    def __post_init__(self) -> None:
        # h11 would reject the token later, with the whole header in the text of its error.
        if not re.fullmatch(r"[!-~]+", self.token.get_secret_value()):
            raise ValueError("the API token is empty, or has characters that no token has")


def http_client(base_url: str = "https://api.cloudflare.com/client/v4") -> httpx.AsyncClient:
    """Return an httpx client for RealtimeKit. The caller closes it.

    It keeps connections for 10 minutes, so that the next call needs no handshake.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        # Without this, httpx parses the CA bundle again for each proxy of the environment.
        verify=httpx.create_ssl_context(),
        timeout=httpx.Timeout(10.0, connect=3.0, pool=3.0),
        limits=httpx.Limits(
            max_connections=MAX_REQUESTS,
            max_keepalive_connections=MAX_REQUESTS,
            keepalive_expiry=600,
        ),
        follow_redirects=False,
    )
