"""Who is in a session: rows become people, text finds them, equal names are told apart."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import NewType

MeetingId = NewType("MeetingId", str)
SessionId = NewType("SessionId", str)
ParticipantId = NewType("ParticipantId", str)
PeerId = NewType("PeerId", str)
CustomId = NewType("CustomId", str)

ParticipantKey = NewType("ParticipantKey", str)

NO_NAME = "(no visible name)"
_JOINERS = "\u200c\u200d"
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
_MARKS_IN_A_ROW = 3
# Of what may be shown, what has no shape: besides joiners some marks, as variation selectors.
_SHAPELESS = frozenset(
    [
        *_JOINERS,
        *"\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f",
        *map(chr, range(0xFE00, 0xFE10)),
        *map(chr, range(0xE0100, 0xE01F0)),
    ]
)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A RealtimeKit meeting: long-lived; its title is chosen by whoever made it."""

    id: MeetingId
    title: str


@dataclass(frozen=True, slots=True)
class Session:
    """The live run of a meeting; `people` is the service's own count, None when it gave none."""

    id: SessionId
    meeting: Meeting
    people: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of a session: one connection (device or tab) of a participant."""

    id: PeerId
    participant_id: ParticipantId | None
    custom_id: CustomId | None
    name: str
    preset: str | None
    joined_at: datetime | None
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class Participant:
    """A person's record in a meeting, with the peers it has in the session that was read."""

    id: ParticipantId | None
    custom_id: CustomId | None
    name: str
    preset: str | None
    peers: tuple[Peer, ...] = ()

    @property
    def key(self) -> "ParticipantKey | None":
        """The name by which a choice refers to them; None if RealtimeKit gave no id at all."""
        return participant_key(self.id, self.custom_id)

    @property
    def open_peers(self) -> tuple[Peer, ...]:
        """The connections that have not left."""
        return tuple(peer for peer in self.peers if peer.left_at is None)

    @property
    def joined_at(self) -> datetime | None:
        """When the newest open connection joined; of one who left, the newest there was."""
        dates = [peer.joined_at for peer in self.open_peers or self.peers if peer.joined_at]
        return max(dates, default=None)


def participant_key(
    participant_id: ParticipantId | None, custom_id: CustomId | None
) -> ParticipantKey | None:
    """Name a participant by the id that a kick will use, and its kind."""
    if participant_id:
        return ParticipantKey(f"participant:{participant_id}")
    return ParticipantKey(f"custom:{custom_id}") if custom_id else None


def parse_key(named: str) -> tuple[ParticipantId | None, CustomId | None] | None:
    """Take a key apart; None if the text is not one."""
    kind, _, value = named.partition(":")
    value = value.strip()
    if kind == "participant" and value:
        return ParticipantId(value), None
    return (None, CustomId(value)) if kind == "custom" and value else None


def display(text: str, limit: int) -> str:
    """Make hostile text safe to show on one line: at most `limit` UTF-16 units, never empty.

    Control, format and bidirectional characters go (joiners inside a word stay), combining marks
    go where they stand on nothing or too many on one letter, every white space is one blank.
    """
    words = (word.strip(_JOINERS) for word in "".join(_visible(text)).split())
    return truncate(" ".join(filter(None, words)) or NO_NAME, limit)


def _visible(text: str) -> Iterator[str]:
    room = 0  # for marks on the last character that shows
    for char in text:
        category = unicodedata.category(char)
        if char in _BLANKS or char.isspace():
            room = 0
            yield " "
        elif category in {"Mn", "Me"}:
            room -= 1
            if room >= 0:
                yield char
        elif char in _JOINERS:
            yield char
        elif not category.startswith("C"):
            room = _MARKS_IN_A_ROW
            yield char


def truncate(text: str, limit: int) -> str:
    """Cut text to `limit` UTF-16 units, the last of them an ellipsis when something went.

    The unit in which Slack counts is not documented; this is the largest of the candidates.
    """
    # One character is at most two units: short text needs no counting.
    if len(text) * 2 <= limit or _units(text) <= limit:
        return text
    ends = accumulate(_units(char) for char in text[:limit])
    return text[: sum(end < limit for end in ends)].rstrip() + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def normalize_name(text: str) -> str:
    """Return the form in which two names that look alike are equal."""
    if text.isascii() and text.isprintable():
        return " ".join(text.casefold().split())
    shown = "".join(char for char in _visible(text) if char not in _SHAPELESS)
    # Folding case can take a letter apart again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())
    return " ".join(folded.split())


class Roster:
    """The people of one session, as one read of its rows showed them; newest first."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        grouped: dict[tuple[str, str], list[Peer]] = {}
        self.without_id = 0
        for peer in peers:
            if peer.participant_id:
                grouped.setdefault(("participant", peer.participant_id), []).append(peer)
            elif peer.custom_id:
                grouped.setdefault(("custom", peer.custom_id), []).append(peer)
            elif peer.left_at is None:
                self.without_id += 1
        everyone = [_participant(rows) for rows in grouped.values()]
        everyone.sort(key=lambda one: one.joined_at.timestamp() if one.joined_at else 0.0)
        self.everyone = tuple(reversed(everyone))
        self.live = tuple(one for one in self.everyone if one.open_peers)
        self._by_id = {one.id: one for one in self.everyone if one.id}
        self._names = [normalize_name(one.name) for one in self.live]
        self._index = _Index(
            [
                f"{name}\v{normalize_name(one.custom_id or '')}\v{normalize_name(one.id or '')}"
                for name, one in zip(self._names, self.live, strict=True)
            ]
        )

    def by_id(self, participant_id: ParticipantId) -> Participant | None:
        """Find a participant, live or not, by participant id."""
        return self._by_id.get(participant_id)

    def find(self, named: ParticipantKey) -> tuple[Participant, ...]:
        """Find participants, live or not, by key."""
        participant_id, custom_id = parse_key(named) or (None, None)
        if custom_id:
            return self.by_custom_id(custom_id)
        found = self.by_id(participant_id) if participant_id else None
        return (found,) if found else ()

    def by_custom_id(self, custom_id: CustomId) -> tuple[Participant, ...]:
        """Find participants by custom id: several, where the app made several records."""
        return tuple(one for one in self.everyone if one.custom_id == custom_id)

    def by_peer_id(self, peer_id: PeerId) -> Participant | None:
        """Find whose connection this is."""
        rows = ((one, peer) for one in self.everyone for peer in one.peers)
        return next((one for one, peer in rows if peer.id == peer_id), None)

    def search(self, text: str, limit: int) -> list[Participant]:
        """Find live people whose name, custom id or participant id contains `text`."""
        wanted = normalize_name(text)
        if not wanted:
            return list(self.live[:limit])
        return [self.live[at] for at in self._index.search(wanted, limit)]

    def same_name(self, person: Participant) -> list[Participant]:
        """List the other live people whose name looks the same."""
        wanted = normalize_name(person.name)
        pairs = zip(self._names, self.live, strict=True)
        return [one for name, one in pairs if name == wanted and one != person]

    def match(self, text: str) -> "Match":
        """Split what was typed into a person and the rest: the longest beginning that matches."""
        words = text.split()
        for count in range(len(words), 0, -1):
            found = self._named(" ".join(words[:count]))
            if found:
                return Match(tuple(found), " ".join(words[:count]), " ".join(words[count:]))
        return Match((), text.strip(), "")

    def _named(self, text: str) -> list[Participant]:
        wanted = normalize_name(text)
        pairs = zip(self._names, self.live, strict=True)
        exact = [one for name, one in pairs if name == wanted or text in (one.id, one.custom_id)]
        # Text without a visible character is part of every name, and means nobody.
        return exact or (self.search(text, limit=25) if wanted else [])


@dataclass(frozen=True, slots=True)
class Match:
    """Whom a typed text may mean (`who`: the words that matched), and what stood behind it."""

    people: tuple[Participant, ...]
    who: str
    rest: str


class _Index:
    """Substring search over many short texts in one scan of one string."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._all = "\n".join(texts)
        self._starts = [0, *accumulate(len(text) + 1 for text in texts[:-1])] if texts else []

    def search(self, wanted: str, limit: int) -> Iterator[int]:
        at = self._all.find(wanted)
        while at >= 0 and limit > 0:
            line = bisect_right(self._starts, at) - 1
            yield line
            limit -= 1
            end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self._all)
            at = self._all.find(wanted, end)


def _participant(rows: Sequence[Peer]) -> Participant:
    # The newest row speaks: a rename or a new preset shows on the connection made after it.
    # Where it leaves something out, the one before it does: a host's second tab is a host's.
    newest = sorted(
        rows,
        key=lambda row: (row.left_at is None, row.joined_at.timestamp() if row.joined_at else 0.0),
        reverse=True,
    )
    return Participant(
        newest[0].participant_id,
        next((row.custom_id for row in newest if row.custom_id), None),
        next((row.name for row in newest if row.name), ""),
        next((row.preset for row in newest if row.preset), None),
        tuple(rows),
    )


def id_suffix(participant: Participant, among: Iterable[Participant] = ()) -> str:
    """Return the end of the id, long enough to differ from those of `among`."""
    own = participant.id or participant.custom_id or ""
    others = [one.id or one.custom_id or "" for one in among]
    for length in range(4, len(own)):
        if not any(other.endswith(own[-length:]) for other in others):
            return own[-length:]
    return own
