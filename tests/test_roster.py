import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.core.namesakes import Namesakes
from bot.core.roster import (
    CustomId,
    Match,
    Participant,
    ParticipantId,
    ParticipantKey,
    PeerId,
    Roster,
    _Index,
    parse_key,
    participant_key,
)
from bot.core.text import NO_NAME, display, normalize_name, truncate
from tests.fakes import after, peer

ZERO_WIDTH = "\u200b"
JOINER = "\u200d"
WIDE_M = "\uff2d"
FAMILY = f"\U0001f468{JOINER}\U0001f469{JOINER}\U0001f467"


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def roster(*names: str) -> Roster:
    """Return participants with these names, the newest last."""
    rows = enumerate(names)
    return Roster(peer(f"e{at}", f"p{at}", f"c{at}", name=name, joined=at) for at, name in rows)


def names(people: tuple[Participant, ...] | list[Participant]) -> list[str]:
    return [one.name for one in people]


# --- participants from rows


def test_the_connections_of_one_person_are_one_person() -> None:
    people = Roster([peer("e1", "p1"), peer("e2", "p2"), peer("e3", "p1")])
    assert {one.id: [row.id for row in one.peers] for one in people.everyone} == {
        "p1": ["e1", "e3"],
        "p2": ["e2"],
    }


def test_a_row_without_a_participant_id_is_told_by_its_custom_id() -> None:
    people = Roster([peer("e1", None, "c1"), peer("e2", None, "c1"), peer("e3", None, "c2")])
    assert [(one.key, len(one.peers)) for one in people.live] == [
        ("custom:c2", 1),
        ("custom:c1", 2),
    ]


def test_live_rows_without_any_id_are_counted_and_those_that_left_are_not() -> None:
    people = Roster([peer("e1"), peer("e2"), peer("e3", left=-1)])
    assert people.without_id == 2
    assert people.everyone == ()


def test_whoever_has_one_connection_left_is_live() -> None:
    people = Roster([peer("e1", "p1", left=-1), peer("e2", "p1"), peer("e3", "p2", left=-1)])
    assert [one.id for one in people.live] == ["p1"]
    assert [one.id for one in people.everyone] == ["p2", "p1"]


def test_the_newest_come_first_and_those_without_a_date_last() -> None:
    people = Roster(
        [
            peer("e1", "old", joined=-90),
            peer("e2", "undated", joined=None),
            peer("e3", "new", joined=-10),
            peer("e4", "middle", joined=-50),
        ]
    )
    assert [one.id for one in people.live] == ["new", "middle", "old", "undated"]


def test_a_person_joined_when_their_newest_open_connection_did() -> None:
    rows = (peer("e1", "p1", joined=-90), peer("e2", "p1", joined=-10, left=-5))
    assert Roster(rows).live[0].joined_at == after(-90)
    assert Roster(rows[1:]).everyone[0].joined_at == after(-10)
    assert Roster([peer("e1", "p1", joined=None)]).live[0].joined_at is None


def test_a_rename_shows_from_the_newest_open_connection() -> None:
    old, new = (
        peer("e1", "p1", name="Ann", joined=-90),
        peer("e2", "p1", name="Mallory", joined=-1),
    )
    closed = peer("e3", "p1", name="Nobody", joined=0, left=0)
    assert names(Roster([new, closed, old]).live) == ["Mallory"]


def test_what_the_newest_row_leaves_out_an_older_one_says() -> None:
    host = peer("e1", "p1", "staff-1", name="Ann", preset="host", joined=-90)
    bare = peer("e2", "p1", None, name="", preset=None, joined=-1)
    (ann,) = Roster([host, bare]).live
    assert (ann.custom_id, ann.name, ann.preset) == ("staff-1", "Ann", "host")


def test_people_are_found_by_each_of_their_ids() -> None:
    people = Roster([peer("e1", "p1", "c1"), peer("e2", "p2", "c1"), peer("e3", "p3", left=-1)])
    first, second, third = (people.by_id(ParticipantId(one)) for one in ("p1", "p2", "p3"))
    assert first
    assert second
    assert third
    assert people.by_id(ParticipantId("e1")) is None
    assert set(people.by_custom_id(CustomId("c1"))) == {first, second}
    assert people.by_peer_id(PeerId("e3")) == third
    assert people.by_peer_id(PeerId("p3")) is None
    assert people.find(ParticipantKey("participant:p3")) == (third,)
    assert set(people.find(ParticipantKey("custom:c1"))) == {first, second}


@pytest.mark.parametrize("named", ["participant:c1", "custom:p1", "participant:", "p1", ""])
def test_a_key_finds_only_ids_of_its_kind(named: str) -> None:
    assert Roster([peer("e1", "p1", "c1")]).find(ParticipantKey(named)) == ()


# --- keys


@pytest.mark.parametrize(
    ("participant", "custom", "named"),
    [
        ("p1", "c1", "participant:p1"),
        ("p1", None, "participant:p1"),
        (None, "c1", "custom:c1"),
        (None, "participant:p1", "custom:participant:p1"),
        ("", "", None),
        (None, None, None),
    ],
)
def test_a_key_names_the_id_that_a_kick_uses(
    participant: ParticipantId | None, custom: CustomId | None, named: str | None
) -> None:
    assert participant_key(participant, custom) == named


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("participant:p1", ("p1", None)),
        ("custom:c1", (None, "c1")),
        ("custom: c 1 ", (None, "c 1")),
        ("custom:participant:p1", (None, "participant:p1")),
        ("custom:", None),
        ("participant:  ", None),
        ("Custom :c1", (None, "c1")),
        ("peer:e1", None),
        ("p1", None),
        ("", None),
    ],
)
def test_only_a_key_can_be_taken_apart(text: str, parts: tuple[str, str] | None) -> None:
    assert parse_key(text) == parts


@given(st.text(min_size=1).filter(str.strip))
def test_a_key_leads_back_to_its_id(text: str) -> None:
    assert parse_key(f"{participant_key(ParticipantId(text), None)}") == (text.strip(), None)
    assert parse_key(f"{participant_key(None, CustomId(text))}") == (None, text.strip())


# --- search


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["STRASSE", "Zoë van Dyk", WIDE_M + "allory", "Ann"]),
        ("  ", ["STRASSE", "Zoë van Dyk", WIDE_M + "allory", "Ann"]),
        ("an", ["Zoë van Dyk", "Ann"]),
        ("MALL", [WIDE_M + "allory"]),
        ("zoe\u0308", ["Zoë van Dyk"]),
        ("zoë  van", ["Zoë van Dyk"]),
        ("straße", ["STRASSE"]),
        (f"a{ZERO_WIDTH}n{ZERO_WIDTH}n", ["Ann"]),
        ("c2", ["Zoë van Dyk"]),
        ("P3", ["STRASSE"]),
        ("ann\nstrasse", []),
        ("mallory c1", []),
        ("nobody", []),
    ],
)
def test_search_finds_live_people_by_part_of_name_or_id(query: str, found: list[str]) -> None:
    people = roster("Ann", WIDE_M + "allory", "Zoë van Dyk", "STRASSE")
    assert names(people.search(query, 25)) == found


def test_an_id_with_capitals_is_found_however_it_is_typed() -> None:
    people = Roster([peer("e1", "AbC-1", "Staff-7")])
    assert [len(people.search(text, 25)) for text in ("abc-1", "ABC", "staff", "STAFF-7")] == [
        1
    ] * 4


def test_search_stops_at_the_limit_and_names_each_person_once() -> None:
    people = roster(*["anna banana"] * 5)
    assert [one.id for one in people.search("an", 3)] == ["p4", "p3", "p2"]
    assert people.search("an", 0) == []
    assert people.search("", 2) == list(people.live[:2])


def test_search_does_not_find_those_who_left() -> None:
    assert Roster([peer("e1", "p1", left=-1)]).search("ann", 25) == []


def test_nobody_is_found_where_nobody_is() -> None:
    empty = Roster(())
    assert (empty.search("a", 25), empty.search("", 25), empty.live) == ([], [], ())
    assert empty.match("ann") == Match((), "ann", "")


@given(st.lists(st.text(max_size=6), max_size=8), st.text(max_size=3))
def test_search_finds_whoever_holds_the_text_and_nobody_else(called: list[str], query: str) -> None:
    people = roster(*called)
    wanted = normalize_name(query)
    expected = [
        one
        for one in people.live
        if any(
            wanted in normalize_name(part) for part in (one.name, one.custom_id or "", one.id or "")
        )
    ]
    assert people.search(query, 100) == expected


# --- equal names


@pytest.mark.parametrize(
    "lookalike",
    [
        "mallory",
        "MALLORY",
        "Mal\u200blory",
        f"Mal{JOINER}lory",
        "\u202eMallory",
        "".join(chr(ord(char) + 0xFEE0) for char in "Mallory"),
        "Mallory\u00a0",
        "Mallory\ufe0f",
        "Mal\u034flory",
        "\u3164Mallory",
        "Mallory\ud800",
        "\U0001d40callory",
        "Mallory\U000e0101",
    ],
)
def test_names_that_look_alike_are_namesakes(lookalike: str) -> None:
    people = roster("Mallory", lookalike, "Mallory Smith")
    real = people.by_id(ParticipantId("p0"))
    assert real
    assert people.count_namesakes(real) == 1


def test_a_letter_and_its_parts_are_one_letter_also_after_folding_case() -> None:
    assert (
        normalize_name("\u0390")
        == normalize_name("\u03aa\u0301")
        == normalize_name("\u03b9\u0308\u0301")
    )


def test_those_who_left_and_oneself_are_no_namesakes() -> None:
    people = Roster([peer("e1", "p1"), peer("e2", "p2", left=-1), peer("e3", "p1")])
    assert people.count_namesakes(people.live[0]) == 0
    assert people.count_namesakes(people.everyone[0]) == 1


@pytest.mark.parametrize(
    ("own", "others", "shown"),
    [
        ("12345678", [], "5678"),
        ("12345678", ["99995678"], "45678"),
        ("12345678", ["99995678", "99345678"], "2345678"),
        ("12345678", ["012345678"], "12345678"),
        ("12345678", ["12345678"], "12345678"),
        ("123", ["9123"], "123"),
        ("", ["1"], ""),
    ],
)
def test_the_tail_of_an_id_is_long_enough_to_tell_it_from_others(
    own: str, others: list[str], shown: str
) -> None:
    pairs = [("ann", one) for one in (own, *others)]
    assert Namesakes([*pairs, ("ben", own[-1:])]).suffix("ann", own) == shown
    assert Namesakes(pairs[1:]).suffix("ann", own) == (shown if own not in others else own[-4:])


def test_whoever_has_no_participant_id_shows_the_tail_of_the_custom_id() -> None:
    people = Roster([peer("e1", None, "user-4711")])
    assert people.id_suffix(people.live[0]) == "4711"
    assert people.id_suffix(Participant(None, None, "", None)) == ""


@given(st.lists(st.text("ab1", min_size=1, max_size=9), min_size=1, unique=True))
def test_no_other_id_ends_as_what_is_shown_and_nothing_shorter_would_do(ids: list[str]) -> None:
    group = Namesakes(("ann", one) for one in ids)
    for own in ids:
        assert group.count("ann", own) == len(ids) - 1
        shown, others = group.suffix("ann", own), [one for one in ids if one != own]
        assert own.endswith(shown)
        assert shown == own or not any(one.endswith(shown) for one in others)
        shorter = shown[1:]
        assert len(shorter) < 4 or any(one.endswith(shorter) for one in others)


class CountedName(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedName.compared += 1
        return str.__eq__(self, other)

    def __lt__(self, other: str) -> bool:
        CountedName.compared += 1
        return str.__lt__(self, other)

    __hash__ = str.__hash__


def test_what_namesakes_cost_does_not_grow_with_their_number() -> None:
    class Counted(CountedName):
        __slots__ = ()

        def __getitem__(self, part: Any) -> "Counted":
            return Counted(str.__getitem__(self, part))

    group = Namesakes(("ann", Counted(f"{at:09}")) for at in range(10_000))
    CountedName.compared = 0
    for at in range(100):
        group.count("ann", f"{at:09}")
        group.suffix("ann", f"{at:09}")
    # Three searches in 10,000 sorted ids, each with 14 comparisons and a last one.
    assert 0 < CountedName.compared <= 100 * 3 * 16


@pytest.mark.parametrize("hidden", ["", "\u200b"])
def test_a_command_of_many_words_is_searched_a_few_times(
    hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = roster(*[f"Guest {at}" for at in range(100)], "a b c d e f")
    searched: list[str] = []
    search = _Index.search

    def counted(index: _Index, wanted: str, limit: int) -> Iterator[int]:
        searched.append(wanted)
        return search(index, wanted, limit)

    monkeypatch.setattr(_Index, "search", counted)
    found = people.match(f"{hidden}a b c d e f{' spam' * 10_000}")
    assert (names(found.people), found.who.removeprefix(hidden)) == (["a b c d e f"], "a b c d e f")
    assert found.rest == " ".join(["spam"] * 10_000)
    assert people.match("x " * 10_000).people == ()
    assert len(searched) <= 2 * 6
    assert max(map(len, searched)) <= 20 * len("spam ")


def test_a_text_that_fits_nobody_does_not_mean_whoever_has_no_visible_name() -> None:
    people = roster("", "\u200b", "Ann")
    for text in ("zorro spam", "\u200b", "\u200b zorro"):
        assert people.match(text).people == ()


def test_a_name_has_at_most_twenty_words_in_a_command() -> None:
    long = " ".join(f"w{at}" for at in range(25))
    found = roster(long, "Ann").match(f"{long} spam")
    assert names(found.people) == [long]
    assert found.who == " ".join(f"w{at}" for at in range(20))
    assert found.rest == "w20 w21 w22 w23 w24 spam"


# --- the text of the command


@pytest.mark.parametrize(
    ("text", "found", "who", "rest"),
    [
        ("mallory", ["Mallory"], "mallory", ""),
        ("mallory spamming  links", ["Mallory"], "mallory", "spamming links"),
        ("ann", ["Ann"], "ann", ""),
        ("ann lee is rude", ["Ann Lee"], "ann lee", "is rude"),
        ("ann l", ["Ann Lee"], "ann l", ""),
        ("joann", ["Joann"], "joann", ""),
        ("nn", ["Joann", "Ann Lee", "Ann"], "nn", ""),
        ("nn spam", ["Joann", "Ann Lee", "Ann"], "nn", "spam"),
        ("p0 spam", ["Ann"], "p0", "spam"),
        ("c3", ["Mallory"], "c3", ""),
        ("  ann \n spam ", ["Ann"], "ann", "spam"),
        ("nobody here", [], "nobody here", ""),
        ("spam ann", [], "spam ann", ""),
        ("", [], "", ""),
        ("   ", [], "", ""),
        (ZERO_WIDTH, [], ZERO_WIDTH, ""),
        (f"{ZERO_WIDTH} spam", [], f"{ZERO_WIDTH} spam", ""),
        ("\u2800 ann", ["Ann"], "\u2800 ann", ""),
    ],
)
def test_the_longest_beginning_that_matches_is_who_and_the_rest_is_why(
    text: str, found: list[str], who: str, rest: str
) -> None:
    match = roster("Ann", "Ann Lee", "Joann", "Mallory").match(text)
    assert (names(match.people), match.who, match.rest) == (found, who, rest)


@pytest.mark.parametrize("text", ["zorro spam", "", " "])
def test_text_that_fits_nobody_does_not_mean_whoever_has_no_visible_name(text: str) -> None:
    match = roster("Ann", "", " \u200b").match(text)
    assert (match.people, match.who) == ((), text.strip())


def test_text_that_fits_many_names_offers_as_many_as_can_be_chosen() -> None:
    assert len(roster(*["Ann Lee"] * 40).match("lee").people) == 25


def test_two_of_exactly_that_name_are_both_meant() -> None:
    match = roster("Ann", "ANN", "Annabel").match("ann spam")
    assert (names(match.people), match.rest) == (["ANN", "Ann"], "spam")


# --- hostile text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", NO_NAME),
        (" \t\n ", NO_NAME),
        ("\u200b\u2060\ufeff", NO_NAME),
        (f"{JOINER} {JOINER}", NO_NAME),
        ("\u3164\u2800\u115f", NO_NAME),
        ("\ufe0f", NO_NAME),
        ("\u0301\u0301", NO_NAME),
        ("\ud800\udfff", NO_NAME),
        ("a\nb\r\nc\td\x0be", "a b c d e"),
        ("a\x1cb\x85c\u2028d\u2029e", "a b c d e"),
        ("  a \u00a0\u3000 b ", "a b"),
        ("\u202egnp.exe\u202c \u2066x\u2069\u200f", "gnp.exe x"),
        ("a\x00\x1b[31mb\x7f", "a[31mb"),
        ("ok \ud800 go", "ok go"),
        (f"{JOINER}a{JOINER}", "a"),
        (f"a {JOINER} b", "a b"),
        (FAMILY, FAMILY),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 3),
        ("e" + "\u0301\u200b" * 9, "e" + "\u0301" * 3),
        (
            f"e\u0301\u0301\u0301{JOINER}\u0301\u0301\u0301",
            f"e\u0301\u0301\u0301{JOINER}".strip(JOINER),
        ),
        ("<!channel> `x` <https://x|y>", "<!channel> `x` <https://x|y>"),
    ],
)
def test_hostile_text_is_shown_as_one_harmless_line(text: str, shown: str) -> None:
    assert display(text, 75) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("a" * 75, 75, "a" * 75),
        ("a" * 76, 75, "a" * 74 + "…"),
        ("a" * 10_000, 75, "a" * 74 + "…"),
        ("\U0001f600" * 37, 75, "\U0001f600" * 37),
        ("\U0001f600" * 38, 75, "\U0001f600" * 37 + "…"),
        ("\U0001f600" * 38, 74, "\U0001f600" * 36 + "…"),
        ("a" + "\U0001f600" * 38, 75, "a" + "\U0001f600" * 36 + "…"),
        ("aa aaaa", 4, "aa…"),
        ("abc", 1, "…"),
        ("\U0001f600x", 2, "…"),
        ("", 5, "(no…"),
    ],
)
def test_long_text_is_cut_in_the_units_that_slack_may_count(
    text: str, limit: int, shown: str
) -> None:
    assert display(text, limit) == shown


def test_cutting_alone_leaves_short_text_as_it_is() -> None:
    assert truncate("  a\n", 4) == "  a\n"
    assert truncate("\ud800" * 9, 4) == "\ud800" * 3 + "…"


any_text = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\u200b\u200c\u200d\u202e\u2800\u3164\ufe0f\u0301\n\x00 \ud83d\ude00"),
    )
)


@settings(deadline=None)  # this test is not about speed
@given(any_text, st.integers(1, 80))
@example("", 1)
@example("\u200d \u200d", 80)
@example("a" * 10_000, 75)
@example("\U0001f600" * 10_000, 75)
@example("\u0301" * 10_000, 75)
def test_whatever_is_shown_is_one_short_visible_line(text: str, limit: int) -> None:
    shown = display(text, limit)
    kinds = [unicodedata.category(char) for char in shown]
    assert 0 < units(shown) <= limit
    assert shown == " ".join(shown.split())
    assert {char for char, kind in zip(shown, kinds, strict=True) if kind[0] == "C"} <= {
        "\u200c",
        "\u200d",
    }
    assert any(kind[0] in "LNPSM" and kind not in {"Mn", "Me"} for kind in kinds)
    assert shown.encode().decode() == shown


@given(any_text)
def test_what_was_shown_is_shown_the_same_again(text: str) -> None:
    assert display(display(text, 75), 75) == display(text, 75)


@given(any_text)
def test_what_is_shown_uncut_folds_like_the_name_itself(text: str) -> None:
    shown = display(text, 10**6)
    assert (
        normalize_name("" if shown == NO_NAME else shown) == normalize_name(text) or text == NO_NAME
    )
