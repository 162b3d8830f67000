"""Candidates: the people that a moderator chose or pasted, and whether a kick may remove them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from bot.core.policy import Rules, protected_by
from bot.core.roster import (
    CustomId,
    Participant,
    ParticipantId,
    ParticipantKey,
    PeerId,
    Roster,
    parse_key,
)
from bot.core.target import Target
from bot.core.text import display

NAME_LIMIT = 75


class CandidateStatus(StrEnum):
    """Where a candidate was found. A kick would remove only the first four."""

    LIVE = "live"
    MAYBE_LEFT = "maybe left"
    UNLISTED = "not in the live list"
    NOWHERE = "found nowhere"
    LEFT = "already left"
    PROTECTED = "protected"
    PEER = "the id of a connection"
    UNKNOWN = "an unknown id"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person that a selection names, and the target of a kick if they can be removed.

    `requested` is the chosen key or the pasted text. `same_name` are the other live participants
    whose name looks the same. `protected_by` is the preset or pattern that protects the person.
    """

    requested: str
    status: CandidateStatus
    person: Participant | None = None
    target: Target | None = None
    same_name: tuple[Participant, ...] = ()
    protected_by: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The people that a moderator chose, by key, and the ids that they pasted."""

    people: tuple[ParticipantKey, ...] = ()
    pasted: tuple[str, ...] = ()

    @classmethod
    def of_targets(cls, targets: Iterable[Target]) -> "Selection":
        """Return a selection of the same people as these targets."""
        return cls(tuple(target.key for target in targets if target.key))


def needs_record(candidate: Candidate) -> bool:
    """Tell whether the meeting's records may say more about a candidate."""
    is_unchecked = candidate.target is not None and not candidate.target.protection_checked
    return is_unchecked or candidate.status is CandidateStatus.UNKNOWN


def identify(
    rules: Rules, roster: Roster, selection: Selection, records: Sequence[Participant] = ()
) -> tuple[Candidate, ...]:
    """Return the candidates of a selection, in its order.

    A pasted id is compared exactly: with the participant ids of the session, then with its custom
    ids, then with the meeting's records. The kind of an id is never guessed from its form. An id
    that is found nowhere becomes a target only if its kind was given (`custom:…`).
    """
    finder = _Finder(rules, roster, records)
    people = map(finder.by_key, selection.people)
    return tuple(chain.from_iterable([*people, *map(finder.by_text, selection.pasted)]))


def without_duplicates(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates without those that name the same person as an earlier one.

    A connection id cannot be removed, so it does not count as a duplicate of a person.
    """
    unique: dict[str, Candidate] = {}
    for candidate in candidates:
        named = candidate.person if candidate.status is not CandidateStatus.PEER else None
        key = candidate.target.key if candidate.target else named and named.key
        unique.setdefault(key or candidate.requested, candidate)
    return tuple(unique.values())


def make_target(rules: Rules, person: Participant, *, live: bool) -> Target:
    """Return a participant as a target.

    It counts as unchecked if its preset or custom id is unknown and the policy protects by it.
    """
    preset_known = person.preset is not None or not rules.protected.presets
    custom_id_known = person.custom_id is not None or not rules.protected.custom_ids
    return Target(
        person.id,
        person.custom_id,
        display(person.name, NAME_LIMIT),
        person.preset,
        live=live,
        protection_checked=preset_known and custom_id_known,
    )


def current_targets(
    rules: Rules, targets: Iterable[Target], candidates: Iterable[Candidate]
) -> tuple[Target, ...]:
    """Return the targets as the candidates show them now, without those who are protected.

    The candidates are those of `Selection.of_targets(targets)`.
    """
    protected = set[str]()
    people: dict[str | None, Participant] = {}
    for candidate in candidates:
        if candidate.status is CandidateStatus.PROTECTED:
            protected.add(candidate.requested)
        elif candidate.person:
            people[candidate.requested] = candidate.person
    return tuple(
        make_target(rules, people[target.key], live=True)
        if target.key in people
        else replace(target, protection_checked=False)
        for target in targets
        if target.key not in protected
    )


def unless_partial(rules: Rules, candidate: Candidate, roster: Roster) -> Candidate:
    """Return the candidate without what rows that may be missing would have to prove.

    Whoever has no open connection in the rows may still have one. Whoever has no participant id
    may have a protected row.
    """
    person, target = candidate.person, candidate.target
    if person is None or candidate.requested not in roster.partial:
        return candidate
    if candidate.status is CandidateStatus.LEFT:
        status, target = CandidateStatus.MAYBE_LEFT, make_target(rules, person, live=False)
        candidate = replace(candidate, status=status, target=target)
    if target and person.id is None:
        return replace(candidate, target=replace(target, protection_checked=False))
    return candidate


def with_namesakes(candidate: Candidate, roster: Roster | None) -> Candidate:
    """Add the namesakes from another read of the session, to those that are known."""
    person = candidate.person
    if person is None or roster is None or candidate.status is not CandidateStatus.LIVE:
        return candidate
    others = {one.key: one for one in (*roster.same_name(person), *candidate.same_name)}
    others.pop(person.key, None)
    return replace(candidate, same_name=tuple(others.values()))


@dataclass(frozen=True, slots=True)
class _Finder:
    rules: Rules
    roster: Roster
    records: Sequence[Participant]

    def by_key(self, key: ParticipantKey) -> list[Candidate]:
        participant_id, custom_id = parse_key(key) or (None, None)
        if found := self.roster.find(key):
            return [self._in_session(key, person) for person in found]
        if records := self._records(participant_id, custom_id):
            return [self._in_records(key, record) for record in records]
        name = display(key, NAME_LIMIT)
        target = Target(participant_id, custom_id, name, live=False, protection_checked=False)
        return [self._unless_protected(Candidate(key, CandidateStatus.NOWHERE, target=target))]

    def by_text(self, text: str) -> list[Candidate]:
        if parse_key(text):
            return self.by_key(ParticipantKey(text))
        person = self.roster.by_id(ParticipantId(text))
        if found := (person,) if person else self.roster.by_custom_id(CustomId(text)):
            return [self._in_session(text, one) for one in found]
        if person := self.roster.by_peer_id(PeerId(text)):
            return [Candidate(text, CandidateStatus.PEER, person)]
        if records := self._records(ParticipantId(text), CustomId(text)):
            return [self._in_records(text, record) for record in records]
        return [Candidate(text, CandidateStatus.UNKNOWN)]

    def _records(
        self, participant_id: ParticipantId | None, custom_id: CustomId | None
    ) -> list[Participant]:
        by_id = [one for one in self.records if participant_id and one.id == participant_id]
        return by_id or [one for one in self.records if custom_id and one.custom_id == custom_id]

    def _in_session(self, requested: str, seen: Participant) -> Candidate:
        person = self._with_record(seen)
        if not person.open_peers:
            return self._unless_protected(Candidate(requested, CandidateStatus.LEFT, person))
        target = make_target(self.rules, person, live=True)
        same_name, status = tuple(self.roster.same_name(seen)), CandidateStatus.LIVE
        return self._unless_protected(Candidate(requested, status, person, target, same_name))

    def _in_records(self, requested: str, record: Participant) -> Candidate:
        target, status = make_target(self.rules, record, live=False), CandidateStatus.UNLISTED
        return self._unless_protected(Candidate(requested, status, record, target))

    def _with_record(self, person: Participant) -> Participant:
        """Add the preset and the custom id from the records if the session's rows have none."""
        record = next((one for one in self.records if person.id and one.id == person.id), person)
        preset, custom_id = person.preset or record.preset, person.custom_id or record.custom_id
        return replace(person, preset=preset, custom_id=custom_id)

    def _unless_protected(self, candidate: Candidate) -> Candidate:
        """Return the candidate, or a protected one without a target if a rule protects them."""
        person = candidate.person or candidate.target
        rule = person and protected_by(self.rules, person)
        if not rule:
            return candidate
        status = CandidateStatus.PROTECTED
        return Candidate(candidate.requested, status, candidate.person, protected_by=rule)
