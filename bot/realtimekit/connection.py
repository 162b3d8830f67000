"""What a process builds once: the httpx client, and the app it speaks for."""

import re
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import SecretStr

IN_FLIGHT: Final = 8
"""The most calls at once: beyond it, httpx gets slower."""


@dataclass(frozen=True, slots=True)
class App:
    """A RealtimeKit app, and an API token with the permission Realtime or Realtime Admin."""

    account_id: str
    app_id: str
    token: SecretStr

    def __post_init__(self) -> None:
        # h11 would refuse it later, with the whole header in the error's text.
        if not re.fullmatch(r"[!-~]+", self.token.get_secret_value()):
            raise ValueError("the API token is empty, or has characters that no token has")


def http_client(base_url: str = "https://api.cloudflare.com/client/v4") -> httpx.AsyncClient:
    """Build the one httpx client of a process; whoever builds it closes it.

    Connections are kept for ten minutes: the next moderator should not wait for a handshake.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        # One for the proxies of the environment, too: each would parse the CA bundle again.
        verify=httpx.create_ssl_context(),
        timeout=httpx.Timeout(10.0, connect=3.0, pool=3.0),
        limits=httpx.Limits(
            max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT, keepalive_expiry=600.0
        ),
        follow_redirects=False,
    )
