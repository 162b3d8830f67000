"""`kickbot log`: what the record says, for those who answer for it."""

from collections.abc import Sequence

from bot.config import Settings
from bot.core.event import Event
from bot.core.kick import Kick
from bot.core.ports import StoreUnavailable
from bot.core.text import display
from bot.store import SqlStore

NEWEST = 20
LINE_LIMIT = 10_000


async def show(settings: Settings, number: int | None) -> int:
    """Print the newest kicks, or one with its events; return the exit code."""
    try:
        store = SqlStore(settings.database_url.get_secret_value())
    except ValueError as error:
        _say(f"DATABASE_URL: {error}")
        return 1
    try:
        # Version 0: the bot has never run with this database.
        newest = await store.history(NEWEST) if await store.check() else ()
        if number is None or not newest:
            for kick in newest:
                _say(_line(kick))
            if not newest:
                _say("There are no kicks yet.")
            return 0
        found = await store.by_number(number)
        if found is None:
            _say(f"There is no kick #{number}.")
            return 1
        for line in _whole(found, await store.events(found.id)):
            _say(line)
    except StoreUnavailable as error:
        _say(f"The database does not answer: {error}")
        return 1
    finally:
        await store.close()
    return 0


def _say(text: str) -> None:
    # Titles, reasons and errors are other people's text: nothing in it steers the terminal.
    print(display(text, LINE_LIMIT))  # noqa: T201 - the command's output


def _line(kick: Kick) -> str:
    outcomes = ", ".join(f"{one.name}: {one.outcome or '-'}" for one in kick.targets)
    when = f"{kick.created_at:%Y-%m-%d %H:%M:%S}"
    return f"#{kick.number} {when} {kick.requester} {kick.state} [{kick.meeting.title}] {outcomes}"


def _whole(kick: Kick, events: Sequence[Event]) -> list[str]:
    about = {
        "reason": kick.reason,
        "again after": f"#{kick.repeats}" if kick.repeats else "",
        "decided by": kick.approver,
        "refused": kick.refusal,
    }
    told = [_line(kick), *(f"{name}: {said}" for name, said in about.items() if said)]
    return told + [
        f"{event.at:%H:%M:%S.%f} {event.actor or 'kickbot'} {event.kind} {event.note}".rstrip()
        for event in events
    ]
