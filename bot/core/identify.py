"""Who is meant by what somebody chose or pasted, and how they stand; pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.core.kick import Target
from bot.core.policy import Rules, spares
from bot.core.roster import (
    CustomId,
    Key,
    Participant,
    ParticipantId,
    PeerId,
    Roster,
    display,
    ids,
)

NAME_LIMIT = 75


class Mark(StrEnum):
    """How one person that was asked for stands; only the first three would be removed."""

    LIVE = "live"
    UNLISTED = "not in the live list"
    NOWHERE = "found nowhere"
    LEFT = "already left"
    PROTECTED = "protected"
    PEER = "the id of a connection"
    UNKNOWN = "an unknown id"


@dataclass(frozen=True, slots=True)
class Line:
    """One person that was asked for: who, how they stand, and the target if one can be made.

    `asked` is what was chosen or pasted; `namesakes` are the other live people whose name looks
    the same; `by` says what protects them.
    """

    asked: str
    mark: Mark
    person: Participant | None = None
    target: Target | None = None
    namesakes: tuple[Participant, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom somebody asks for: people by key, ids as pasted."""

    people: tuple[Key, ...] = ()
    pasted: tuple[str, ...] = ()


def identify(
    rules: Rules, roster: Roster, asked: Asked, records: Sequence[Participant] = ()
) -> tuple[Line, ...]:
    """Find out who is meant by each thing asked for, in the order asked.

    A key names its kind. A pasted id is matched exactly: the session's participant ids, then its
    custom ids, then the meeting's records; its kind is never guessed from its shape. One that is
    found nowhere becomes a target only if it was written with its kind (`custom:…`).
    """
    return tuple(_Finder(rules, roster, records).lines(asked))


def each_once(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Leave out what names somebody again who was named before.

    The id of a connection names nobody to remove, so it stands in nobody's way.
    """
    first: dict[Key | str, Line] = {}
    for line in lines:
        person = line.person.key if line.person and line.mark is not Mark.PEER else None
        key = line.target.key if line.target else person
        first.setdefault(key or line.asked, line)
    return tuple(first.values())


def target_of(rules: Rules, person: Participant, *, live: bool) -> Target:
    """Make a target of a participant; unchecked where the reply left out what protects."""
    by_preset = person.preset is not None or not rules.protected.presets
    checked = by_preset and (person.custom_id is not None or not rules.protected.custom_ids)
    name = display(person.name, NAME_LIMIT)
    return Target(person.id, person.custom_id, name, person.preset, live=live, checked=checked)


@dataclass(frozen=True, slots=True)
class _Finder:
    rules: Rules
    roster: Roster
    records: Sequence[Participant]

    def lines(self, asked: Asked) -> Iterator[Line]:
        for key in asked.people:
            yield from self._named(key) or [self._nowhere(key)]
        for text in asked.pasted:
            yield from self._pasted(text)

    def _named(self, key: Key) -> list[Line]:
        participant_id, custom_id = ids(key) or (None, None)
        found = self.roster.find(key)
        return [self._live(key, person) for person in found] or [
            self._unlisted(key, person)
            for person in self.records
            if (participant_id and person.id == participant_id)
            or (custom_id and person.custom_id == custom_id)
        ]

    def _pasted(self, text: str) -> list[Line]:
        if ids(text):
            return self._named(Key(text)) or [self._nowhere(Key(text))]
        person = self.roster.by_id(ParticipantId(text))
        found = (person,) if person else self.roster.by_custom_id(CustomId(text))
        if found:
            return [self._live(text, one) for one in found]
        if owner := self.roster.by_peer_id(PeerId(text)):
            return [Line(text, Mark.PEER, owner)]
        by_id = [one for one in self.records if one.id == text]
        found = tuple(by_id or [one for one in self.records if one.custom_id == text])
        return [self._unlisted(text, one) for one in found] or [Line(text, Mark.UNKNOWN)]

    def _live(self, asked: str, seen: Participant) -> Line:
        person = self._whole(seen)
        if not person.open_peers:
            return self._unless_spared(Line(asked, Mark.LEFT, person), person)
        namesakes = tuple(self.roster.namesakes(seen))
        target = target_of(self.rules, person, live=True)
        line = Line(asked, Mark.LIVE, person, target, namesakes)
        return self._unless_spared(line, person)

    def _whole(self, person: Participant) -> Participant:
        """Fill in from the records what the session's rows left out."""
        record = next((one for one in self.records if person.id and one.id == person.id), person)
        preset, custom_id = person.preset or record.preset, person.custom_id or record.custom_id
        return replace(person, preset=preset, custom_id=custom_id)

    def _unlisted(self, asked: str, person: Participant) -> Line:
        target = target_of(self.rules, person, live=False)
        return self._unless_spared(Line(asked, Mark.UNLISTED, person, target), person)

    def _unless_spared(self, line: Line, person: Participant) -> Line:
        by = spares(self.rules, target_of(self.rules, person, live=False))
        return Line(line.asked, Mark.PROTECTED, person, by=by) if by else line

    def _nowhere(self, key: Key) -> Line:
        participant_id, custom_id = ids(key) or (None, None)
        name = display(key, NAME_LIMIT)
        target = Target(participant_id, custom_id, name, live=False, checked=False)
        by = spares(self.rules, target)
        return Line(key, Mark.PROTECTED, by=by) if by else Line(key, Mark.NOWHERE, target=target)
