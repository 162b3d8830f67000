"""The log: no text from outside can forge a line, fill the log or carry a secret into it."""

import logging
import re
import sys
import time
from collections import deque

MAX_LINE = 1000  # characters
MAX_TRACEBACK = 40  # lines
MAX_SAME = 20  # lines from one place of the code
SAME_WITHIN = 60.0  # seconds

# Response URLs and socket URLs are secrets. They may be quoted, or encoded for a form.
_URL = re.compile(r"""(\w+)(?::|%3A)(?:\\*/|%2F){2}[^\s'"<>&]*""", re.IGNORECASE)
_TOKEN = re.compile(r"\bx(?:ox[a-z]|app)-[\w-]+")


class LineFormatter(logging.Formatter):
    """Writes a record as one line. A traceback follows in lines that begin with blanks.

    URLs and tokens are masked, control characters are escaped, and long lines are cut.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it
        """Return the line."""
        record.message = _safe(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging calls it
        """Return a traceback, or its beginning and its end."""
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        if len(lines) > MAX_TRACEBACK:
            half = MAX_TRACEBACK // 2
            lines = [*lines[:half], "…", *lines[-half:]]
        return "\n".join(f"    {_safe(line)}" for line in lines)

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging calls it
        """Return a stack."""
        return "\n".join(f"    {_safe(line)}" for line in stack_info.splitlines())


def _safe(text: str) -> str:
    # Cut first: the rest need not be read. A secret that is cut in two is still masked.
    cut = text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…"
    masked = _TOKEN.sub("(token)", _URL.sub(r"\1:(masked)", cut))
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in masked)


class FloodFilter(logging.Filter):
    """Lets through MAX_SAME lines of one place of the code in SAME_WITHIN seconds.

    The first line after that says how many are missing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, int], deque[float]] = {}
        self._left_out: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record may be written."""
        place, now = (record.pathname, record.lineno), time.monotonic()
        seen = self._seen.setdefault(place, deque(maxlen=MAX_SAME))
        if len(seen) == MAX_SAME and now - seen[0] < SAME_WITHIN:
            self._left_out[place] = self._left_out.get(place, 0) + 1
            return False
        seen.append(now)
        if left_out := self._left_out.pop(place, 0):
            record.msg = f"{record.getMessage()} (lines like this one left out: {left_out})"
            record.args = ()
        return True


def log_to_stderr(level: int) -> None:
    """Write the log to standard error. `level` is that of the bot's own lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(FloodFilter())
    # DEBUG is only for the bot's own lines. At that level, libraries log whole payloads with their
    # response_urls, which are secret, and the values that are stored.
    logging.basicConfig(level=max(logging.INFO, level), handlers=[handler])
    logging.captureWarnings(capture=True)
    logging.getLogger("bot").setLevel(level)
    # httpx logs a line for each call, with the id of the account in it.
    logging.getLogger("httpx").setLevel(max(logging.WARNING, level))
