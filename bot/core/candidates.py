"""Candidates: the people that a moderator chose or pasted, and whether a kick may remove them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from bot.core.policy import Rules, protected_by
from bot.core.roster import (
    CustomId,
    IdIndex,
    Participant,
    ParticipantId,
    PeerId,
    Roster,
    parse_key,
)
from bot.core.selection import Selection
from bot.core.target import Target
from bot.core.text import display, normalize_name

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
    AMBIGUOUS = "one of several with similar ids"
    UNKNOWN = "an unknown id"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person that a selection names, and the target of a kick if they can be removed.

    `requested` is the chosen key or the pasted text. `exact`: the person has exactly this id, of
    the given kind if one was given; else they were found by another spelling. `namesakes` counts
    the other live participants whose name looks the same; no id of theirs ends with `id_suffix`.
    `protected_by` is the preset or pattern that protects the person.
    """

    requested: str
    status: CandidateStatus
    person: Participant | None = None
    target: Target | None = None
    namesakes: int = 0
    id_suffix: str = ""
    protected_by: str = ""
    exact: bool = True


def needs_record(candidate: Candidate) -> bool:
    """Tell whether the meeting's records may say more about a candidate."""
    is_unchecked = candidate.target is not None and not candidate.target.protection_checked
    # A record may have exactly the id that only resembles one of the session.
    return is_unchecked or not candidate.exact or candidate.status is CandidateStatus.UNKNOWN


def identify(
    rules: Rules, roster: Roster, selection: Selection, records: Sequence[Participant] = ()
) -> tuple[Candidate, ...]:
    """Return the candidates of a selection, in its order.

    An id is first compared exactly, with ids of its kind (without a kind: participant ids, then
    custom ids): in the session, then in the meeting's records. Then it is looked for under every
    kind, and then in other spellings: case, blanks and invisible characters make no difference. If
    several people fit only in other spellings, nobody is guessed. The target has the ids as
    RealtimeKit writes them. An id that is found nowhere becomes a target only if its kind was given
    (`custom:…`).
    """
    finder = _Finder(rules, roster, records)
    requested = [*selection.people, *selection.pasted]
    return tuple(chain.from_iterable(map(finder.candidates, requested)))


def without_duplicates(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates without those that name the same person as an earlier one.

    What names nobody for sure, such as a connection id, does not count as a duplicate of a person.
    """
    unsure = {CandidateStatus.PEER, CandidateStatus.AMBIGUOUS}
    unique: dict[object, Candidate] = {}
    for candidate in candidates:
        person = candidate.target or candidate.person
        key: object = person.key if person else None
        if candidate.status in unsure:
            key = candidate.status, candidate.requested, key
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

    The candidates are those of `Selection.of_targets(targets)`. A custom id may have several: if
    one of them is unchecked, so is the target.
    """
    protected = set[str]()
    current: dict[str | None, Target] = {}
    for candidate in candidates:
        if candidate.status is CandidateStatus.PROTECTED:
            protected.add(candidate.requested)
        elif candidate.person:
            found = make_target(rules, candidate.person, live=True)
            known = current.setdefault(candidate.requested, found)
            if known.protection_checked:
                current[candidate.requested] = found
    return tuple(
        current.get(target.key) or replace(target, protection_checked=False)
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
    namesakes = max(candidate.namesakes, roster.count_namesakes(person))
    suffix = max(candidate.id_suffix, roster.id_suffix(person), key=len)
    return replace(candidate, namesakes=namesakes, id_suffix=suffix)


class _Finder:
    def __init__(self, rules: Rules, roster: Roster, records: Sequence[Participant]) -> None:
        self._rules = rules
        self._roster = roster
        self._records = IdIndex(records)
        self._rule_by_custom_id: dict[CustomId, str | None] = {}

    def candidates(self, requested: str) -> list[Candidate]:
        ids = parse_key(requested)
        participant_id, custom_id = ids or (ParticipantId(requested), CustomId(requested))
        if people := self._exact(participant_id, custom_id):
            return [self._candidate(requested, person) for person in people]
        value = participant_id or custom_id or ""
        if others := self._spelled(requested, value, is_exact=ids is None):
            return others
        if ids is None:
            return [Candidate(requested, CandidateStatus.UNKNOWN)]
        name = display(requested, NAME_LIMIT)
        target = Target(participant_id, custom_id, name, live=False, protection_checked=False)
        return [
            self._unless_protected(Candidate(requested, CandidateStatus.NOWHERE, target=target))
        ]

    def _exact(
        self, participant_id: ParticipantId | None, custom_id: CustomId | None
    ) -> Sequence[Participant]:
        """Return whoever has exactly this id: in the session, else in the records."""
        for ids in (self._roster.ids, self._records):
            if people := ids.with_id(participant_id) if participant_id else ():
                return people
            if people := ids.with_custom_id(custom_id) if custom_id else ():
                return people
        return ()

    def _spelled(self, requested: str, value: str, *, is_exact: bool) -> list[Candidate]:
        """Return whoever has this id under another kind, or in another spelling.

        `is_exact`: the id was given without a kind, so an equal peer id is an exact match.
        """
        similar = [
            *self._roster.ids.spelled(value),
            *(one for one in self._records.spelled(value) if not self._in_session(one)),
        ]
        people = [one for one in similar if value in {one.id, *one.custom_ids}]
        owner = self._roster.by_peer_id(PeerId(value))
        if owner and not people:
            return [self._peer(requested, owner, exact=is_exact)]
        people = people or similar
        if _is_ambiguous(people, value):
            unsure = CandidateStatus.AMBIGUOUS
            return [
                self._unless_protected(Candidate(requested, unsure, person, exact=False))
                for person in people
            ]
        if people:
            return [self._candidate(requested, person, exact=False) for person in people]
        owners = self._roster.spelled_peer_id(value)
        return [self._peer(requested, person, exact=False) for person in owners]

    def _in_session(self, record: Participant) -> bool:
        return record.id is not None and self._roster.by_id(record.id) is not None

    def _candidate(self, requested: str, seen: Participant, *, exact: bool = True) -> Candidate:
        person = self._with_record(seen)
        if not seen.peers:
            target, status = make_target(self._rules, person, live=False), CandidateStatus.UNLISTED
            found = Candidate(requested, status, person, target, exact=exact)
        elif not seen.open_peers:
            found = Candidate(requested, CandidateStatus.LEFT, person, exact=exact)
        else:
            target, status = make_target(self._rules, person, live=True), CandidateStatus.LIVE
            found = Candidate(requested, status, person, target, exact=exact)
            found = with_namesakes(found, self._roster)
        return self._unless_protected(found)

    def _peer(self, requested: str, owner: Participant, *, exact: bool) -> Candidate:
        # RealtimeKit does not say what a kick does with a peer id.
        return self._unless_protected(
            Candidate(requested, CandidateStatus.PEER, owner, exact=exact)
        )

    def _with_record(self, person: Participant) -> Participant:
        """Add the preset and the custom id from the records if the session's rows have none."""
        records = self._records.with_id(person.id) if person.id else ()
        record = next(iter(records), person)
        preset, custom_id = person.preset or record.preset, person.custom_id or record.custom_id
        return replace(person, preset=preset, custom_id=custom_id)

    def _unless_protected(self, candidate: Candidate) -> Candidate:
        """Return the candidate, or a protected one without a target if a rule protects them."""
        person = candidate.person or candidate.target
        rule = person and self._protected_by(person)
        if not rule:
            return candidate
        status = CandidateStatus.PROTECTED
        return replace(candidate, status=status, target=None, namesakes=0, protected_by=rule)

    def _protected_by(self, person: Participant | Target) -> str | None:
        """Return what protects a person: any of their rows and records counts.

        Records with one custom id are one person: a kick of the custom id removes all of them.
        """
        key = parse_key(person.key or "")
        records = self._records.with_id(key[0]) if key and key[0] else ()
        rules = chain(
            (protected_by(self._rules, one) for one in (person, *records)),
            map(self._protected_custom_id, sorted(person.custom_ids)),
        )
        return next(filter(None, rules), None)

    def _protected_custom_id(self, custom_id: CustomId) -> str | None:
        # Kept, because an app may give one custom id to everybody.
        if custom_id not in self._rule_by_custom_id:
            people = (
                *self._roster.by_custom_id(custom_id),
                *self._records.with_custom_id(custom_id),
            )
            rules = (protected_by(self._rules, one) for one in people)
            self._rule_by_custom_id[custom_id] = next(filter(None, rules), None)
        return self._rule_by_custom_id[custom_id]


def _is_ambiguous(people: Sequence[Participant], value: str) -> bool:
    """Tell whether people fit by ids that differ. Several records with one custom id do not."""
    wanted = normalize_name(value)
    fitting = {one.id for one in people if one.id and normalize_name(one.id) == wanted} | {
        ("custom", text)
        for one in people
        for text in one.custom_ids
        if normalize_name(text) == wanted
    }
    return len(people) > 1 and len(fitting) > 1
