"""Who is meant by what somebody chose or pasted, and how they stand; pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.core.kick import Target
from bot.core.policy import Rules, protected_by
from bot.core.roster import (
    CustomId,
    Participant,
    ParticipantId,
    ParticipantKey,
    PeerId,
    Roster,
    display,
    parse_key,
)

NAME_LIMIT = 75


class CandidateStatus(StrEnum):
    """How one person that was asked for stands; only the first three would be removed."""

    LIVE = "live"
    UNLISTED = "not in the live list"
    NOWHERE = "found nowhere"
    LEFT = "already left"
    PROTECTED = "protected"
    PEER = "the id of a connection"
    UNKNOWN = "an unknown id"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person that was asked for: who, how they stand, and the target if one can be made.

    `asked` is what was chosen or pasted; `namesakes` are the other live people whose name looks
    the same; `by` says what protects them.
    """

    requested: str
    status: CandidateStatus
    person: Participant | None = None
    target: Target | None = None
    same_name: tuple[Participant, ...] = ()
    protected_by: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Whom somebody asks for: people by key, ids as pasted."""

    people: tuple[ParticipantKey, ...] = ()
    pasted: tuple[str, ...] = ()


def identify(
    rules: Rules, roster: Roster, requested: Selection, records: Sequence[Participant] = ()
) -> tuple[Candidate, ...]:
    """Find out who is meant by each thing asked for, in the order asked.

    A key names its kind. A pasted id is matched exactly: the session's participant ids, then its
    custom ids, then the meeting's records; its kind is never guessed from its shape. One that is
    found nowhere becomes a target only if it was written with its kind (`custom:…`).
    """
    return tuple(_Finder(rules, roster, records).candidates(requested))


def without_duplicates(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Leave out what names somebody again who was named before.

    The id of a connection names nobody to remove, so it stands in nobody's way.
    """
    first: dict[ParticipantKey | str, Candidate] = {}
    for candidate in candidates:
        person = (
            candidate.person.key
            if candidate.person and candidate.status is not CandidateStatus.PEER
            else None
        )
        key = candidate.target.key if candidate.target else person
        first.setdefault(key or candidate.requested, candidate)
    return tuple(first.values())


def make_target(rules: Rules, person: Participant, *, live: bool) -> Target:
    """Make a target of a participant; unchecked where the reply left out what protects."""
    by_preset = person.preset is not None or not rules.protected.presets
    checked = by_preset and (person.custom_id is not None or not rules.protected.custom_ids)
    name = display(person.name, NAME_LIMIT)
    return Target(
        person.id, person.custom_id, name, person.preset, live=live, protection_checked=checked
    )


@dataclass(frozen=True, slots=True)
class _Finder:
    rules: Rules
    roster: Roster
    records: Sequence[Participant]

    def candidates(self, requested: Selection) -> Iterator[Candidate]:
        for key in requested.people:
            yield from self._named(key) or [self._nowhere(key)]
        for text in requested.pasted:
            yield from self._pasted(text)

    def _named(self, key: ParticipantKey) -> list[Candidate]:
        participant_id, custom_id = parse_key(key) or (None, None)
        found = self.roster.find(key)
        return [self._live(key, person) for person in found] or [
            self._unlisted(key, person)
            for person in self.records
            if (participant_id and person.id == participant_id)
            or (custom_id and person.custom_id == custom_id)
        ]

    def _pasted(self, text: str) -> list[Candidate]:
        if parse_key(text):
            return self._named(ParticipantKey(text)) or [self._nowhere(ParticipantKey(text))]
        person = self.roster.by_id(ParticipantId(text))
        found = (person,) if person else self.roster.by_custom_id(CustomId(text))
        if found:
            return [self._live(text, one) for one in found]
        if owner := self.roster.by_peer_id(PeerId(text)):
            return [Candidate(text, CandidateStatus.PEER, owner)]
        by_id = [one for one in self.records if one.id == text]
        found = tuple(by_id or [one for one in self.records if one.custom_id == text])
        return [self._unlisted(text, one) for one in found] or [
            Candidate(text, CandidateStatus.UNKNOWN)
        ]

    def _live(self, requested: str, seen: Participant) -> Candidate:
        person = self._whole(seen)
        if not person.open_peers:
            return self._unless_spared(Candidate(requested, CandidateStatus.LEFT, person), person)
        namesakes = tuple(self.roster.same_name(seen))
        target = make_target(self.rules, person, live=True)
        candidate = Candidate(requested, CandidateStatus.LIVE, person, target, namesakes)
        return self._unless_spared(candidate, person)

    def _whole(self, person: Participant) -> Participant:
        """Fill in from the records what the session's rows left out."""
        record = next((one for one in self.records if person.id and one.id == person.id), person)
        preset, custom_id = person.preset or record.preset, person.custom_id or record.custom_id
        return replace(person, preset=preset, custom_id=custom_id)

    def _unlisted(self, requested: str, person: Participant) -> Candidate:
        target = make_target(self.rules, person, live=False)
        return self._unless_spared(
            Candidate(requested, CandidateStatus.UNLISTED, person, target), person
        )

    def _unless_spared(self, candidate: Candidate, person: Participant) -> Candidate:
        protected_by_rule = protected_by(self.rules, make_target(self.rules, person, live=False))
        return (
            Candidate(
                candidate.requested,
                CandidateStatus.PROTECTED,
                person,
                protected_by=protected_by_rule,
            )
            if protected_by_rule
            else candidate
        )

    def _nowhere(self, key: ParticipantKey) -> Candidate:
        participant_id, custom_id = parse_key(key) or (None, None)
        name = display(key, NAME_LIMIT)
        target = Target(participant_id, custom_id, name, live=False, protection_checked=False)
        protected_by_rule = protected_by(self.rules, target)
        return (
            Candidate(key, CandidateStatus.PROTECTED, protected_by=protected_by_rule)
            if protected_by_rule
            else Candidate(key, CandidateStatus.NOWHERE, target=target)
        )
