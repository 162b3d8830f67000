"""Text that participants choose themselves: made safe to show, and comparable."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from itertools import accumulate

NO_NAME = "(no visible name)"
_JOINERS = "\u200c\u200d"
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
_MAX_MARKS = 3
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Characters that `display` keeps although they have no shape: joiners and variation selectors.
_SELECTORS = [chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))]
_INVISIBLE = frozenset([*_JOINERS, *"\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f", *_SELECTORS])


def display(text: str, limit: int) -> str:
    """Return the text made safe to show on one line: at most `limit` UTF-16 units, never empty.

    Control, format and bidirectional characters are removed, but joiners inside a word stay.
    Combining marks are removed if they follow no letter, or more than three others. Each run of
    white space becomes one blank.
    """
    if text.isascii() and text.isprintable():
        return truncate(" ".join(text.split()) or NO_NAME, limit)
    words = (word.strip(_JOINERS) for word in "".join(_safe_characters(text)).split())
    return truncate(" ".join(filter(None, words)) or NO_NAME, limit)


def named(text: str, limit: int) -> str:
    """Return the text as `display` does, with a hint if characters in it can't be seen."""
    is_shown = display(text, 2 * len(text)) == text
    return display(text, limit) if is_shown else f"{display(text, limit)} (with hidden characters)"


def _safe_characters(text: str) -> Iterator[str]:
    marks_left = 0
    for char in text:
        category = unicodedata.category(char)
        if char in _BLANKS or char.isspace():
            marks_left = 0
            yield " "
        elif category in {"Mn", "Me"}:
            marks_left -= 1
            if marks_left >= 0:
                yield char
        elif char in _JOINERS:
            yield char
        elif not category.startswith("C"):
            marks_left = _MAX_MARKS
            yield char


def truncate(text: str, limit: int) -> str:
    """Return the text cut to `limit` UTF-16 units; if it was cut, the last unit is an ellipsis.

    Slack does not document the unit in which it counts. UTF-16 gives the largest count of the
    likely ones, so the result is never too long.
    """
    # One character is at most two units, so a short text needs no counting.
    if len(text) * 2 <= limit or _utf16_units(text) <= limit:
        return text
    ends = accumulate(_utf16_units(char) for char in text[:limit])
    return text[: sum(end < limit for end in ends)].rstrip() + "…"


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def normalize_name(text: str) -> str:
    """Return a form in which two names that look alike are equal."""
    if text.isascii() and text.isprintable():
        return " ".join(text.casefold().split())
    shown = "".join(char for char in _safe_characters(text) if char not in _INVISIBLE)
    # Case folding can decompose a letter again, so normalize twice.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())
    return " ".join(folded.split())


def fits(text: str, pattern: str) -> bool:
    """Tell whether a text looks like a pattern, in which only `*` and `?` are wildcards."""
    return fnmatchcase(normalize_name(text), normalize_name(pattern).replace("[", "[[]"))


def is_uuid(text: str) -> bool:
    """Tell whether a text has the form of the ids that RealtimeKit gives."""
    return _UUID.fullmatch(normalize_name(text)) is not None


def duration(time: timedelta) -> str:
    """Return a time span in whole minutes, or else in seconds."""
    minutes, rest = divmod(time, timedelta(minutes=1))
    if rest:
        return f"{time.total_seconds():.0f} seconds"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
