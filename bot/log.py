"""`kickbot log`: what the record says, for those who answer for it."""

from collections.abc import Sequence

from bot.config import Settings
from bot.core.kick import Event, Kick
from bot.core.ports import StoreDown
from bot.store import SqlStore

NEWEST = 20


async def show(settings: Settings, number: int | None) -> int:
    """Print the newest kicks, or one with its events; return the exit code."""
    store = SqlStore(settings.database_url.get_secret_value())
    try:
        if number is None:
            for kick in await store.history(NEWEST):
                _say(_line(kick))
            return 0
        found = await store.by_number(number)
        if found is None:
            _say(f"There is no kick #{number}.")
            return 1
        _say("\n".join(_whole(found, await store.events(found.id))))
    except StoreDown as error:
        _say(f"The database does not answer: {error}")
        return 1
    finally:
        await store.close()
    return 0


def _say(text: str) -> None:
    print(text)  # noqa: T201 - the command's output


def _line(kick: Kick) -> str:
    outcomes = ", ".join(f"{one.name}: {one.outcome or '-'}" for one in kick.targets)
    when = f"{kick.created_at:%Y-%m-%d %H:%M:%S}"
    return f"#{kick.number} {when} {kick.requester} {kick.state} [{kick.meeting.title}] {outcomes}"


def _whole(kick: Kick, events: Sequence[Event]) -> list[str]:
    told = [_line(kick), f"reason: {kick.reason}", f"refused: {kick.refusal}"]
    told += [
        f"{event.at:%H:%M:%S.%f} {event.actor or 'kickbot'} {event.what} {event.note}".rstrip()
        for event in events
    ]
    return [line for line in told if not line.endswith(": ")]
