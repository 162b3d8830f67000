"""Single values of RealtimeKit's replies: lenient where it is sloppy, and bounded in length."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import (
    NonNegativeInt,
    PlainValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from bot.core.ports import OutcomeUnknown
from bot.core.roster import CustomId

# Characters. People and apps choose names and custom ids of any length, and all are searched.
MAX_NAME: Final = 200
MAX_ID: Final = 300


def _or_none(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


def _date(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value.strip('" '))
        # Near the first or the last year, a date with an offset may have no date in UTC.
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def parse_left_at(value: Any) -> datetime | None:
    """Return when a connection left; None if it is open. Raises OutcomeUnknown if unreadable."""
    date = _date(value)
    if date is None and value is not None and str(value).strip('" ') not in {"", "null"}:
        raise OutcomeUnknown("a broken reply: a left_at that is no date")
    return date


Count = Annotated[NonNegativeInt | None, WrapValidator(_or_none)]
Date = Annotated[datetime | None, PlainValidator(_date)]


def cut_preset(text: str | None) -> str | None:
    """Return the name of a preset, cut to MAX_NAME."""
    return text[:MAX_NAME] if text else text


def cut_custom_id(text: CustomId | None) -> CustomId | None:
    """Return the id, or a shorter one that is nobody else's: beginnings can be equal."""
    if text and len(text) > MAX_ID:
        digest = sha256(text.encode(errors="replace")).hexdigest()
        return CustomId(f"{text[: MAX_ID - len(digest) - 1]}…{digest}")
    return text or None
