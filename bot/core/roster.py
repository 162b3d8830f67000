"""Who is in a session: the participants that its rows describe, and searches among them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import NewType

from bot.core.namesakes import Multimap, Namesakes
from bot.core.text import normalize_name

MeetingId = NewType("MeetingId", str)
SessionId = NewType("SessionId", str)
ParticipantId = NewType("ParticipantId", str)
PeerId = NewType("PeerId", str)
CustomId = NewType("CustomId", str)

ParticipantKey = NewType("ParticipantKey", str)

MAX_NAME_WORDS = 20
_MATCH_LIMIT = 25


@dataclass(frozen=True, slots=True)
class Meeting:
    """A RealtimeKit meeting. It is long-lived, and its owner chooses the title."""

    id: MeetingId
    title: str


@dataclass(frozen=True, slots=True)
class Session:
    """The live run of a meeting. `people` is RealtimeKit's own count; None if it gave none."""

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
    """A person's record in a meeting, with their connections in the session that was read."""

    id: ParticipantId | None
    custom_id: CustomId | None
    name: str
    preset: str | None
    peers: tuple[Peer, ...] = ()

    @property
    def key(self) -> ParticipantKey | None:
        """The key that names this participant; None if RealtimeKit gave no id at all."""
        return participant_key(self.id, self.custom_id)

    @property
    def shown_id(self) -> str:
        """The id that tells this participant from others of the same name."""
        return self.id or self.custom_id or ""

    @property
    def presets(self) -> frozenset[str]:
        """The presets of the record and of all its rows."""
        given = (self.preset, *(peer.preset for peer in self.peers))
        return frozenset(one for one in given if one)

    @property
    def custom_ids(self) -> frozenset[CustomId]:
        """The custom ids of the record and of all its rows."""
        given = (self.custom_id, *(peer.custom_id for peer in self.peers))
        return frozenset(one for one in given if one)

    @property
    def open_peers(self) -> tuple[Peer, ...]:
        """The connections that have not left."""
        return tuple(peer for peer in self.peers if peer.left_at is None)

    @property
    def joined_at(self) -> datetime | None:
        """When the newest open connection joined; if none is open, the newest of all."""
        dates = [peer.joined_at for peer in self.open_peers or self.peers if peer.joined_at]
        return max(dates, default=None)


def participant_key(
    participant_id: ParticipantId | None, custom_id: CustomId | None
) -> ParticipantKey | None:
    """Return the id that a kick will use, with its kind: `participant:…`, or else `custom:…`."""
    if participant_id:
        return ParticipantKey(f"participant:{participant_id}")
    return ParticipantKey(f"custom:{custom_id}") if custom_id else None


def parse_key(text: str) -> tuple[ParticipantId | None, CustomId | None] | None:
    """Return the ids that a key names, one of them None; None if the text is not a key."""
    kind, _, value = text.partition(":")
    kind, value = normalize_name(kind), value.strip()
    if kind == "participant" and value:
        return ParticipantId(value), None
    return (None, CustomId(value)) if kind == "custom" and value else None


class IdIndex:
    """Finds participants by their ids, in any spelling: `normalize_name` makes them equal."""

    def __init__(self, people: Iterable[Participant]) -> None:
        self._people = Multimap(
            (text, person)
            for person in people
            for text in {normalize_name(one) for one in (person.id, *person.custom_ids) if one}
        )

    def spelled(self, text: str) -> Sequence[Participant]:
        """Return the participants with an id that is `text` in some spelling."""
        wanted = normalize_name(text)
        # Text without a visible character would name whoever has such an id.
        return self._people.get(wanted) if wanted else ()

    def with_id(self, participant_id: ParticipantId) -> Sequence[Participant]:
        """Return the participants with exactly this participant id: one at most, in a session."""
        return [one for one in self.spelled(participant_id) if one.id == participant_id]

    def with_custom_id(self, custom_id: CustomId) -> Sequence[Participant]:
        """Return the participants with exactly this custom id, in any of their rows."""
        return [one for one in self.spelled(custom_id) if custom_id in one.custom_ids]


class Roster:
    """The participants of one session in one read of its rows, newest first.

    `everyone` includes those who left, `live` does not. `without_id` counts the open connections
    that have neither a participant id nor a custom id. `latest` is the latest date in the rows:
    what happened before it is shown. `shows_leaves`: a row says that somebody left. `partial` are
    keys and ids of people of whom connections may be missing, so that it proves nothing about them.
    """

    def __init__(self, peers: Iterable[Peer], partial: Iterable[str] = ()) -> None:
        self.partial = frozenset(partial)
        grouped: dict[ParticipantKey, list[Peer]] = {}
        self.without_id = 0
        peers = tuple(peers)
        dates = [date for peer in peers for date in (peer.joined_at, peer.left_at) if date]
        self.latest = max(dates, default=None)
        self.shows_leaves = any(peer.left_at for peer in peers)
        for peer in peers:
            if key := participant_key(peer.participant_id, peer.custom_id):
                grouped.setdefault(key, []).append(peer)
            elif peer.left_at is None:
                self.without_id += 1
        everyone = sorted(map(_participant, grouped.values()), key=_joined_timestamp)
        self.everyone = tuple(reversed(everyone))
        self.live = tuple(person for person in self.everyone if person.open_peers)
        self.ids = IdIndex(self.everyone)
        self._by_peer_id = Multimap(
            (normalize_name(peer.id), person) for person in self.everyone for peer in person.peers
        )
        names = [normalize_name(person.name) for person in self.live]
        self._named = Multimap(zip(names, self.live, strict=True))
        self._namesakes = Namesakes(
            (name, one.shown_id) for name, one in zip(names, self.live, strict=True)
        )
        texts = [
            "\v".join([name, normalize_name(one.custom_id or ""), normalize_name(one.id or "")])
            for name, one in zip(names, self.live, strict=True)
        ]
        self._index = _Index(texts)

    def by_id(self, participant_id: ParticipantId) -> Participant | None:
        """Return the participant, live or not, with this participant id."""
        return next(iter(self.ids.with_id(participant_id)), None)

    def find(self, key: ParticipantKey) -> tuple[Participant, ...]:
        """Return the participants, live or not, with this key: at most one for `participant:…`."""
        participant_id, custom_id = parse_key(key) or (None, None)
        if custom_id:
            return self.by_custom_id(custom_id)
        found = self.by_id(participant_id) if participant_id else None
        return (found,) if found else ()

    def by_custom_id(self, custom_id: CustomId) -> tuple[Participant, ...]:
        """Return the participants, live or not, with this custom id: one per record of theirs."""
        return tuple(self.ids.with_custom_id(custom_id))

    def by_peer_id(self, peer_id: PeerId) -> Participant | None:
        """Return the participant, live or not, who has this connection."""
        people = self.spelled_peer_id(peer_id)
        return next((one for one in people if any(peer.id == peer_id for peer in one.peers)), None)

    def spelled_peer_id(self, text: str) -> tuple[Participant, ...]:
        """Return the participants, live or not, who have a connection `text` in some spelling."""
        wanted = normalize_name(text)
        people = self._by_peer_id.get(wanted) if wanted else ()
        return tuple({person.key: person for person in people}.values())

    def search(self, text: str, limit: int) -> list[Participant]:
        """List live participants whose name, custom id or participant id contains `text`."""
        wanted = normalize_name(text)
        if not wanted:
            return list(self.live[:limit])
        return [self.live[position] for position in self._index.search(wanted, limit)]

    def count_namesakes(self, person: Participant) -> int:
        """Count the other live participants whose name looks the same."""
        return self._namesakes.count(normalize_name(person.name), person.shown_id)

    def id_suffix(self, person: Participant) -> str:
        """Return the end of a participant's id, long enough to differ from all namesakes'."""
        return self._namesakes.suffix(normalize_name(person.name), person.shown_id)

    def match(self, text: str) -> "Match":
        """Split a command's text into a person and the rest: the longest beginning that matches.

        A person is named by at most 20 words.
        """
        words = text.split()
        beginnings = [" ".join(words[:count]) for count in range(1, MAX_NAME_WORDS + 1)]
        # Whatever contains a beginning contains each shorter one, so the longest can be bisected.
        count = bisect_left(beginnings[: len(words)], 1, key=lambda who: int(not self._has(who)))
        who, rest = " ".join(words[:count]), " ".join(words[count:])
        # Of no word, everybody without a visible name would be an exact match.
        people = tuple(self._match_whole(who)) if who else ()
        return Match(people, who, rest) if people else Match((), text.strip(), "")

    def _has(self, text: str) -> bool:
        return any(True for _ in self._index.search(normalize_name(text), 1))

    def _match_whole(self, text: str) -> Iterable[Participant]:
        wanted = normalize_name(text)
        if not wanted:
            # Text without a visible character would match every name, so it matches none.
            return ()
        by_id = [person for person in self.ids.spelled(text) if person.open_peers]
        exact = {one.key: one for one in (*self._named.get(wanted), *by_id)}
        return exact.values() or self.search(text, _MATCH_LIMIT)


@dataclass(frozen=True, slots=True)
class Match:
    """The people that a command's text may mean (`who`: the words that matched), and the rest."""

    people: tuple[Participant, ...]
    who: str
    rest: str


class _Index:
    """Substring search over many short texts in one scan of one string."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._joined = "\n".join(texts)
        self._starts = [0, *accumulate(len(text) + 1 for text in texts[:-1])] if texts else []

    def search(self, wanted: str, limit: int) -> Iterator[int]:
        """Yield the positions of at most `limit` texts that contain `wanted`."""
        found = self._joined.find(wanted)
        while found >= 0 and limit > 0:
            position = bisect_right(self._starts, found) - 1
            yield position
            limit -= 1
            is_last = position + 1 == len(self._starts)
            end = len(self._joined) if is_last else self._starts[position + 1]
            found = self._joined.find(wanted, end)


def _participant(rows: Sequence[Peer]) -> Participant:
    # The newest connection has the newest name and preset. What it leaves out is taken from an
    # older one: the second tab of a host must still count as a host.
    newest = sorted(
        rows, key=lambda row: (row.left_at is None, _joined_timestamp(row)), reverse=True
    )
    return Participant(
        newest[0].participant_id,
        next((row.custom_id for row in newest if row.custom_id), None),
        next((row.name for row in newest if row.name), ""),
        next((row.preset for row in newest if row.preset), None),
        tuple(rows),
    )


def _joined_timestamp(joined: Participant | Peer) -> float:
    return joined.joined_at.timestamp() if joined.joined_at else 0.0
