"""A selection: the people that a moderator chose or pasted, and the texts that may find them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from bot.core.roster import Participant, ParticipantKey, Roster, parse_key
from bot.core.target import Target
from bot.core.text import normalize_name


@dataclass(frozen=True, slots=True)
class Selection:
    """The people that a moderator chose, by key, and the ids that they pasted."""

    people: tuple[ParticipantKey, ...] = ()
    pasted: tuple[str, ...] = ()

    @classmethod
    def of_targets(cls, targets: Iterable[Target]) -> "Selection":
        """Return a selection of the same people as these targets."""
        return cls(tuple(target.key for target in targets if target.key))


def texts_to_search(selection: Selection) -> tuple[str, ...]:
    """Return the texts by which a search may find the people of a selection: keys and ids.

    A pasted id also comes without its kind, and in small letters without blanks around it, as
    RealtimeKit writes its own ids. What a search finds must still go through `identify`.
    """
    ids = [_id_in(text) for text in selection.pasted]
    spellings = chain.from_iterable((one, normalize_name(one)) for one in ids)
    return tuple(dict.fromkeys(filter(None, (*selection.people, *selection.pasted, *spellings))))


def similar_people(roster: Roster, selection: Selection) -> tuple[Participant, ...]:
    """Return whoever has an id that a selection names in another spelling, or of another kind."""
    texts = map(_id_in, (*selection.people, *selection.pasted))
    return tuple(chain.from_iterable(map(roster.ids.spelled, texts)))


def _id_in(text: str) -> str:
    """Return the id in a key, or in a text without a kind."""
    return next(filter(None, parse_key(text) or (text.strip(),)), "")
