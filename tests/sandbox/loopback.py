"""Keeping everybody out who is not on this machine, also by way of its browser."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _is_loopback(url: str) -> bool:
    """Tell whether the host of this URL can only mean this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@web.middleware
async def only_from_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of another site sends, and names that merely resolve to this machine."""
    origin = request.headers.get("Origin")
    if not _is_loopback(f"//{request.host}"):
        raise web.HTTPForbidden(text="reach this as 127.0.0.1 or localhost")
    if origin is not None and not _is_loopback(origin):
        raise web.HTTPForbidden(text="not for other sites")
    return await handler(request)
