"""Errors of the database drivers, as StoreUnavailable with advice for the operator."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from bot.core.ports import StoreUnavailable

# A pattern for a driver's message, and what the operator can do.
_ADVICE = {
    "is locked": "another process keeps the file to itself",
    "is full": "free some space where the database is kept",
    "unable to open": "see that the folder exists and that this process may write to it",
    "readonly": "see that this process may write to the file and its folder",
    "malformed": "restore a backup",
    "not a database": "DATABASE_URL names a file of another kind",
    "Is the server running|timeout expired": (
        "see that the server runs and that DATABASE_URL names its host and port"
    ),
    "starting up|shutting down|closed the connection|due to administrator": (
        "if the server restarts, try again in a moment"
    ),
    "statement timeout|lock timeout": "it is overloaded, or something keeps its tables locked",
    "too many clients|connection slots": "run fewer processes, or raise its max_connections",
    "authentication": "see that DATABASE_URL has the right user and password",
    "permission denied": "give the database's user the right to create and write tables",
}


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise StoreUnavailable for an error of a driver. An IntegrityError is raised as it is."""
    try:
        yield
    except IntegrityError:
        raise
    except NoFreeConnection as error:
        raise StoreUnavailable("every connection to the database is in use for too long") from error
    except DBAPIError as error:
        raise _unavailable(str(error.orig)) from error


def _unavailable(driver_message: str) -> StoreUnavailable:
    first_line = driver_message.strip().partition("\n")[0]
    advice = next((text for part, text in _ADVICE.items() if re.search(part, driver_message)), "")
    message = f"the database says: {first_line}" + (f" ({advice})" if advice else "")
    return StoreUnavailable(message, words=advice or "its log has the details")
