"""What the query of a request to the sandbox may say."""

from aiohttp import web


def number(request: web.Request, name: str) -> int | None:
    """Read a whole number that may be left out; 400 for what is none."""
    given = request.query.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal()):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(given)


def newest(count: int, last: int | None) -> range:
    """Tell which of so many entries are the newest `last`; None: all."""
    return range(0 if last is None else max(0, count - last), count)
