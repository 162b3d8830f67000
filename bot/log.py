"""`kickbot log`: prints the audit log."""

from collections.abc import Sequence

from bot.config import Settings
from bot.core.event import Event
from bot.core.kick import Kick
from bot.core.ports import StoreUnavailable
from bot.core.text import display
from bot.store import SqlStore

NEWEST = 20
LINE_LIMIT = 10_000
MAX_NUMBER = 2**31 - 1  # PostgreSQL's integer


async def show(settings: Settings, number: int | None) -> int:
    """Print the newest kicks, or the kick with this number and its events.

    Returns the exit code: 0, or 1 if the database or the kick can't be read.
    """
    try:
        store = SqlStore(settings.database_url.get_secret_value())
    except ValueError as error:
        _print(f"DATABASE_URL: {error}")
        return 1
    try:
        # Version 0 means that the bot has never run with this database.
        newest = await store.history(NEWEST) if await store.check() else ()
        if not newest:
            _print("There are no kicks yet.")
        elif number is None:
            for kick in newest:
                _print(_line(kick))
        elif number <= MAX_NUMBER and (found := await store.by_number(number)):
            for line in _lines(found, await store.events(found.id)):
                _print(line)
        else:
            _print(f"There is no kick #{number}.")
            return 1
    except StoreUnavailable as error:
        _print(f"The database does not answer: {error}")
        return 1
    finally:
        await store.close()
    return 0


def _print(text: str) -> None:
    # Titles and reasons come from users, and must not control the terminal.
    print(display(text, LINE_LIMIT))  # noqa: T201 - the command's output


def _line(kick: Kick) -> str:
    outcomes = ", ".join(f"{target.name}: {target.outcome or '-'}" for target in kick.targets)
    when = f"{kick.created_at:%Y-%m-%d %H:%M:%S}"
    return f"#{kick.number} {when} {kick.requester} {kick.state} [{kick.meeting.title}] {outcomes}"


def _lines(kick: Kick, events: Sequence[Event]) -> list[str]:
    facts = {
        "reason": kick.reason,
        "again after": f"#{kick.repeats}" if kick.repeats else "",
        "decided by": kick.approver,
        "refused": kick.refusal,
    }
    return [
        _line(kick),
        *(f"{name}: {value}" for name, value in facts.items() if value),
        *(
            f"{event.at:%H:%M:%S.%f} {event.actor or 'kickbot'} {event.kind}"
            f" {event.note}{_times(event)}".rstrip()
            for event in events
        ),
    ]


def _times(event: Event) -> str:
    last = f", last at {event.last_at:%H:%M:%S}" if event.last_at else ""
    return f" × {event.count}{last}" if event.count > 1 else ""  # noqa: RUF001 - means times
