import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.candidates import (
    Candidate,
    CandidateStatus,
    current_targets,
    identify,
    make_target,
    needs_record,
    without_duplicates,
)
from bot.core.policy import Protected, Rules
from bot.core.roster import CustomId, Participant, ParticipantId, ParticipantKey, Peer, Roster
from bot.core.selection import Selection, texts_to_search
from bot.core.target import Target
from bot.core.text import display
from tests.fakes import peer

ANN = peer("e1", "p1", "c1", name="Ann")
BEN = peer("e2", "p2", "c2", name="Ben")
GONE = peer("e3", "p3", "c3", name="Gone", left=-5)
ROSTER = Roster([ANN, BEN, GONE])
OPEN = Rules()
GUARDED = Rules(protected=Protected(frozenset({"host"}), ("staff-*",)))


def record(
    participant: str, custom: str | None = None, preset: str | None = "guest", name: str = "Rec"
) -> Participant:
    custom_id = CustomId(custom) if custom else None
    return Participant(ParticipantId(participant), custom_id, name, preset)


def chosen(*keys: str) -> Selection:
    return Selection(people=tuple(ParticipantKey(one) for one in keys))


def pasted(*texts: str) -> Selection:
    return Selection(pasted=texts)


def statuses(candidates: tuple[Candidate, ...]) -> list[tuple[CandidateStatus, str | None]]:
    """Return the status of each candidate, and the key of its target."""
    return [
        (candidate.status, candidate.target.key if candidate.target else None)
        for candidate in candidates
    ]


# --- who is meant


@pytest.mark.parametrize(
    ("selection", "status", "target"),
    [
        (chosen("participant:p1"), CandidateStatus.LIVE, "participant:p1"),
        (chosen("custom:c1"), CandidateStatus.LIVE, "participant:p1"),
        (pasted("p1"), CandidateStatus.LIVE, "participant:p1"),
        (pasted("c1"), CandidateStatus.LIVE, "participant:p1"),
        (pasted("participant:p1"), CandidateStatus.LIVE, "participant:p1"),
        (pasted("custom:c1"), CandidateStatus.LIVE, "participant:p1"),
        (pasted("custom: c1"), CandidateStatus.LIVE, "participant:p1"),
        (chosen("participant:p3"), CandidateStatus.LEFT, None),
        (pasted("c3"), CandidateStatus.LEFT, None),
        (pasted("e1"), CandidateStatus.PEER, None),
        (pasted("e3"), CandidateStatus.PEER, None),
        (pasted("p"), CandidateStatus.UNKNOWN, None),
        (pasted("Ann"), CandidateStatus.UNKNOWN, None),
        (pasted("c9"), CandidateStatus.UNKNOWN, None),
        (pasted(""), CandidateStatus.UNKNOWN, None),
        (pasted("participant:"), CandidateStatus.UNKNOWN, None),
        (pasted("peer:e1"), CandidateStatus.UNKNOWN, None),
        (chosen("participant:p9"), CandidateStatus.NOWHERE, "participant:p9"),
        (chosen("no key"), CandidateStatus.UNKNOWN, None),
    ],
)
def test_each_thing_asked_for_is_matched_exactly(
    selection: Selection, status: CandidateStatus, target: str | None
) -> None:
    assert statuses(identify(OPEN, ROSTER, selection)) == [(status, target)]


def test_a_line_says_what_was_asked_and_who_that_is() -> None:
    (candidate,) = identify(OPEN, ROSTER, pasted("c1"))
    assert (candidate.requested, candidate.person, candidate.protected_by) == (
        "c1",
        ROSTER.by_id(ParticipantId("p1")),
        "",
    )
    (owner,) = identify(OPEN, ROSTER, pasted("e2"))
    assert owner.person
    assert owner.person.name == "Ben"


def test_a_participant_id_goes_before_an_equal_custom_id() -> None:
    both = Roster([peer("e1", "same", "c1"), peer("e2", "p2", "same")])
    assert statuses(identify(OPEN, both, pasted("same"))) == [
        (CandidateStatus.LIVE, "participant:same")
    ]
    assert statuses(identify(OPEN, both, pasted("custom:same"))) == [
        (CandidateStatus.LIVE, "participant:p2")
    ]


def test_a_custom_id_goes_before_an_equal_peer_id() -> None:
    both = Roster([peer("same", "p1", "c1"), peer("e2", "p2", "same")])
    assert statuses(identify(OPEN, both, pasted("same"))) == [
        (CandidateStatus.LIVE, "participant:p2")
    ]


def test_a_uuid_may_be_a_custom_id() -> None:
    uuid = "813432c7-3c5a-45e2-9acf-eef7061c7584"
    theirs = Roster([peer("e1", "p1", uuid)])
    assert statuses(identify(OPEN, theirs, pasted(uuid))) == [
        (CandidateStatus.LIVE, "participant:p1")
    ]
    assert statuses(identify(OPEN, ROSTER, pasted(uuid), [record("p7", uuid)])) == [
        (CandidateStatus.UNLISTED, "participant:p7")
    ]


def test_a_custom_id_names_everybody_who_has_it() -> None:
    left = peer("e3", "p3", "c1", left=-1)
    several = Roster([peer("e1", "p1", "c1"), peer("e2", "p2", "c1"), left])
    assert sorted(statuses(identify(OPEN, several, pasted("c1")))) == [
        (CandidateStatus.LEFT, None),
        (CandidateStatus.LIVE, "participant:p1"),
        (CandidateStatus.LIVE, "participant:p2"),
    ]


def test_whoever_has_only_a_custom_id_is_kicked_by_it() -> None:
    theirs = Roster([peer("e1", None, "c1")])
    assert statuses(identify(OPEN, theirs, pasted("c1"))) == [(CandidateStatus.LIVE, "custom:c1")]


def test_namesakes_stand_beside_whoever_is_live() -> None:
    lookalikes = Roster([ANN, peer("e5", "p5", name="ANN\u200b"), peer("e6", "p6", name="Anna")])
    (candidate,) = identify(OPEN, lookalikes, chosen("participant:p1"))
    assert (candidate.namesakes, candidate.id_suffix) == (1, "p1")


# --- spellings


@pytest.mark.parametrize(
    "text",
    [
        "P1",
        "\u200bp1",
        "p\u00ad1",
        "C1",
        "\uff231",
        "participant:P1",
        "Participant: p1\u200b",
        "participant:c1",
        "participant:C1",
        "custom:p1",
        "custom:C1",
        "custom:c1\u2060",
        "CUSTOM:P1",
    ],
)
def test_a_person_is_found_under_any_kind_and_spelling_and_kicked_by_their_own_id(
    text: str,
) -> None:
    found = [(CandidateStatus.LIVE, "participant:p1")]
    assert statuses(identify(OPEN, ROSTER, pasted(text))) == found
    assert statuses(identify(OPEN, ROSTER, chosen(text))) == found
    (recorded,) = identify(OPEN, Roster(()), pasted(text), [record("p1", "c1")])
    assert statuses((recorded,)) == [(CandidateStatus.UNLISTED, "participant:p1")]


@pytest.mark.parametrize("text", ["e1", "participant:e1", "custom:e1", "participant:E1", "E1"])
def test_the_id_of_a_connection_leads_to_its_person_and_is_never_kicked(text: str) -> None:
    (found,) = identify(OPEN, ROSTER, pasted(text))
    assert (found.status, found.target) == (CandidateStatus.PEER, None)
    assert found.person == ROSTER.by_id(ParticipantId("p1"))


def test_an_exact_id_goes_before_another_spelling() -> None:
    both = Roster([peer("e1", "p1", "ann"), peer("e2", "p2", "ANN")])
    assert statuses(identify(OPEN, both, pasted("ANN", "custom:ann", "participant:ANN"))) == [
        (CandidateStatus.LIVE, "participant:p2"),
        (CandidateStatus.LIVE, "participant:p1"),
        (CandidateStatus.LIVE, "participant:p2"),
    ]
    # Only the records can tell that somebody has exactly the id that resembles one of the session.
    live = Roster([peer("e1", "p1", "ann")])
    (similar,) = identify(OPEN, live, pasted("ANN"))
    assert needs_record(similar)
    assert statuses(identify(OPEN, live, pasted("ANN"), [record("p2", "ANN")])) == [
        (CandidateStatus.UNLISTED, "participant:p2")
    ]


@pytest.mark.parametrize("text", ["Ann", "custom:Ann", "participant:aNN"])
def test_if_several_people_fit_only_in_other_spellings_nobody_is_guessed(text: str) -> None:
    both = Roster([peer("e1", "p1", "ann"), peer("e2", "p2", "ANN")])
    candidates = without_duplicates(identify(OPEN, both, pasted(text)))
    assert statuses(candidates) == [(CandidateStatus.AMBIGUOUS, None)] * 2
    assert {one.person and one.person.id for one in candidates} == {"p1", "p2"}
    mixed = Roster([peer("e1", "ann"), peer("e2", "p2", "ann")])
    unsure = identify(OPEN, mixed, pasted("ANN"))
    assert {one.status for one in unsure} == {CandidateStatus.AMBIGUOUS}
    named = without_duplicates(identify(OPEN, both, pasted(text, "ann")))
    assert statuses(named)[-1] == (CandidateStatus.LIVE, "participant:p1")


def test_several_records_of_one_custom_id_are_no_doubt() -> None:
    several = Roster([peer("e1", "p1", "c1"), peer("e2", "p2", "c1")])
    assert sorted(statuses(identify(OPEN, several, pasted("C1")))) == [
        (CandidateStatus.LIVE, "participant:p1"),
        (CandidateStatus.LIVE, "participant:p2"),
    ]


def test_a_stored_id_in_another_spelling_names_nobody_exactly() -> None:
    # The call would name the id as it was stored.
    (similar,) = identify(OPEN, ROSTER, chosen("custom:C1"))
    assert not similar.exact
    (same,) = identify(OPEN, ROSTER, chosen("custom:c1"))
    assert same.exact


def test_a_search_is_for_pasted_ids_in_both_spellings_with_and_without_their_kind() -> None:
    key = ParticipantKey("participant:AB-1")
    selection = Selection((key,), ("custom: Staff-1 ", "x", "", "x"))
    assert texts_to_search(selection) == (key, "custom: Staff-1 ", "x", "Staff-1", "staff-1")


# --- the meeting's records


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (pasted("p7"), [(CandidateStatus.UNLISTED, "participant:p7")]),
        (chosen("participant:p7"), [(CandidateStatus.UNLISTED, "participant:p7")]),
        (
            pasted("participant:c7"),
            [
                (CandidateStatus.UNLISTED, "participant:p7"),
                (CandidateStatus.UNLISTED, "participant:p8"),
            ],
        ),
        (pasted("custom:p7"), [(CandidateStatus.UNLISTED, "participant:p7")]),
        (
            pasted("c7"),
            [
                (CandidateStatus.UNLISTED, "participant:p7"),
                (CandidateStatus.UNLISTED, "participant:p8"),
            ],
        ),
        (
            pasted("custom:c7"),
            [
                (CandidateStatus.UNLISTED, "participant:p7"),
                (CandidateStatus.UNLISTED, "participant:p8"),
            ],
        ),
        (pasted("p9"), [(CandidateStatus.UNLISTED, "participant:p9")]),
        (pasted("c1"), [(CandidateStatus.LIVE, "participant:p1")]),
        (pasted("p3"), [(CandidateStatus.LEFT, None)]),
        (pasted("e1"), [(CandidateStatus.PEER, None)]),
        (pasted("none"), [(CandidateStatus.UNKNOWN, None)]),
    ],
)
def test_records_are_asked_after_the_live_list(
    selection: Selection, found: list[tuple[CandidateStatus, str | None]]
) -> None:
    records = [
        record("p7", "c7"),
        record("p8", "c7"),
        record("p9"),
        record("p10", "p9"),
        record("p3", "c1"),
    ]
    assert statuses(identify(OPEN, ROSTER, selection, records)) == found


def test_whoever_is_in_the_records_only_was_not_seen_live() -> None:
    (candidate,) = identify(OPEN, ROSTER, pasted("p7"), [record("p7", name="Seven\n")])
    assert candidate.target
    assert (candidate.target.live, candidate.target.protection_checked, candidate.target.name) == (
        False,
        True,
        "Seven",
    )


def test_whoever_is_found_nowhere_is_unchecked_and_named_by_their_id() -> None:
    (candidate,) = identify(OPEN, ROSTER, pasted("custom:\u202e" + "x" * 100))
    assert candidate.target
    assert not candidate.target.live
    assert not candidate.target.protection_checked
    assert candidate.target.name == display("custom:" + "x" * 100, 75)
    assert candidate.target.custom_id == "\u202e" + "x" * 100


# --- protection


@pytest.mark.parametrize(
    ("selection", "by"),
    [
        (chosen("participant:p1"), "host"),
        (pasted("c1"), "host"),
        (pasted("participant:p1"), "host"),
        (pasted("p2"), "staff-*"),
        (pasted("staff-2"), "staff-*"),
        (pasted("p3"), "host"),
        (pasted("p7"), "host"),
        (pasted("p8"), "staff-*"),
        (pasted("custom:staff-none"), "staff-*"),
        (chosen("custom:staff-none"), "staff-*"),
    ],
)
def test_the_protected_are_no_targets_wherever_they_are_found(
    selection: Selection, by: str
) -> None:
    guarded = Roster(
        [
            peer("e1", "p1", "c1", preset="host"),
            peer("e2", "p2", "staff-2"),
            peer("e3", "p3", "c3", preset="host", left=-1),
        ]
    )
    records = [record("p7", "c7", "host"), record("p8", "staff-8")]
    (candidate,) = identify(GUARDED, guarded, selection, records)
    assert (candidate.status, candidate.target, candidate.protected_by) == (
        CandidateStatus.PROTECTED,
        None,
        by,
    )


ROWS_OF_ONE = [
    peer("e1", None, "c1", preset="host", joined=-90),
    peer("e2", None, "c1", preset="guest", joined=-10),
]


@pytest.mark.parametrize(
    ("rows", "records"),
    [
        (ROWS_OF_ONE, []),
        ([peer("e1", "p1", "c1"), peer("e2", "p1", "c2", preset="host", left=-5)], []),
        ([peer("e1", "p1", "c1"), peer("e2", "p1", "staff-1", joined=-90)], []),
        ([peer("e1", "p1", "c1"), peer("e2", "p2", "c1", preset="host")], []),
        ([peer("e1", None, "c1"), peer("e2", "p2", "c1", preset="host")], []),
        ([peer("e1", "p1", "c1")], [record("p1", "c1", "host")]),
        ([peer("e1", "p1", "c1")], [record("p2", "c1", "host")]),
        ([], [record("p1", "c1"), record("p2", "c1", "HOST ")]),
    ],
)
@pytest.mark.parametrize("text", ["c1", "custom:c1", "participant:C1"])
def test_any_row_or_record_of_a_person_protects_them(
    rows: list[Peer], records: list[Participant], text: str
) -> None:
    candidates = identify(GUARDED, Roster(rows), pasted(text), records)
    assert candidates
    assert all(one.status is CandidateStatus.PROTECTED for one in candidates)
    assert not any(one.target for one in candidates)


def test_another_persons_protection_binds_nobody_else() -> None:
    others = Roster([peer("e1", "p1", "c1"), peer("e2", "p2", "C1", preset="host")])
    assert statuses(identify(GUARDED, others, pasted("c1"))) == [
        (CandidateStatus.LIVE, "participant:p1")
    ]


UUID = "813432c7-3c5a-45e2-9acf-eef7061c7584"
PEER_UUID = "9d0a62f4-3b1c-4a55-8f0e-6a1f5b1d2c3e"
STAFF = Roster([ANN, BEN, peer(PEER_UUID, UUID, "staff-priya", preset="Host")])
HIDDEN = st.sampled_from(["", "\u200b", "\u2060", "\u00ad", "\u202e", "\ufeff"])


@st.composite
def spellings(draw: st.DrawFn, ids: tuple[str, ...]) -> str:
    """Return one of these ids as somebody may write it."""
    written = draw(st.sampled_from(ids))
    letters = [draw(st.sampled_from([one, one.upper()])) + draw(HIDDEN) for one in written]
    kind = draw(st.sampled_from(["", "participant:", "custom:", "Participant : ", "CUSTOM:"]))
    blanks = st.sampled_from(["", " ", "\u3000", "\t"])
    return kind + draw(blanks) + "".join(letters) + draw(blanks)


@given(spellings((UUID, PEER_UUID, "staff-priya")))
def test_somebody_protected_is_no_target_under_any_spelling(spelling: str) -> None:
    for selection in (pasted(spelling), chosen(spelling)):
        (found,) = identify(GUARDED, STAFF, selection)
        assert (found.status, found.target) == (CandidateStatus.PROTECTED, None)


@given(spellings((UUID, "staff-priya")))
def test_somebody_protected_in_the_records_is_none_either(spelling: str) -> None:
    records = [record("p7", "c7"), record(UUID, "staff-priya", "host")]
    (found,) = identify(GUARDED, ROSTER, pasted(spelling), records)
    assert (found.status, found.target) == (CandidateStatus.PROTECTED, None)


@pytest.mark.parametrize("custom", ["staf-1", "my staff-1", "xstaff-1"])
def test_a_custom_id_is_held_against_the_whole_pattern(custom: str) -> None:
    theirs = Roster([peer("e1", "p1", custom)])
    assert statuses(identify(GUARDED, theirs, pasted("p1"))) == [
        (CandidateStatus.LIVE, "participant:p1")
    ]


@pytest.mark.parametrize(
    ("presets", "patterns", "preset", "custom", "checked"),
    [
        ((), (), None, None, True),
        (("host",), (), "guest", None, True),
        (("host",), (), None, "c1", False),
        (("host",), (), "", "c1", True),
        ((), ("staff-*",), None, "c1", True),
        ((), ("staff-*",), "guest", None, False),
        (("host",), ("staff-*",), "guest", "c1", True),
        (("host",), ("staff-*",), None, None, False),
    ],
)
def test_protection_is_checked_only_if_what_it_goes_by_was_in_the_reply(
    presets: tuple[str, ...],
    patterns: tuple[str, ...],
    preset: str | None,
    custom: CustomId | None,
    checked: bool,  # noqa: FBT001 - a column of the table
) -> None:
    rules = Rules(protected=Protected(frozenset(presets), patterns))
    person = Participant(ParticipantId("p1"), custom, "Ann", preset)
    assert make_target(rules, person, live=True).protection_checked is checked


def test_a_target_carries_a_name_that_can_be_shown() -> None:
    person = Participant(ParticipantId("p1"), None, "\u202e" + "x" * 10_000, None)
    assert make_target(OPEN, person, live=True).name == "x" * 74 + "…"


def test_a_target_is_unchecked_if_one_of_its_records_is() -> None:
    target = Target(None, CustomId("c1"), "Ann", "guest")
    rows = [peer("e1", None, "c1"), peer("e2", "p2", "c1", preset=None), peer("e3", "p3", "c1")]
    candidates = identify(GUARDED, Roster(rows), Selection.of_targets([target]))
    (current,) = current_targets(GUARDED, [target], candidates)
    assert not current.protection_checked


# --- duplicates


@pytest.mark.parametrize(
    ("selection", "left"),
    [
        (
            Selection((ParticipantKey("participant:p1"),), ("p1", "c1", "custom:c1")),
            [CandidateStatus.LIVE],
        ),
        (pasted("p1", "p1"), [CandidateStatus.LIVE]),
        (pasted("none", "none", "nobody"), [CandidateStatus.UNKNOWN, CandidateStatus.UNKNOWN]),
        (pasted("p3", "c3"), [CandidateStatus.LEFT]),
        (pasted("custom:c9", "custom: c9"), [CandidateStatus.NOWHERE]),
        (pasted("p7", "c7"), [CandidateStatus.UNLISTED]),
        (pasted("p2", "p1", "p2"), [CandidateStatus.LIVE, CandidateStatus.LIVE]),
        (pasted("e1", "p1"), [CandidateStatus.PEER, CandidateStatus.LIVE]),
        (
            Selection((ParticipantKey("participant:p1"),), ("e1", "e1")),
            [CandidateStatus.LIVE, CandidateStatus.PEER],
        ),
    ],
)
def test_each_person_stands_there_once(selection: Selection, left: list[CandidateStatus]) -> None:
    candidates = without_duplicates(identify(OPEN, ROSTER, selection, [record("p7", "c7")]))
    assert [candidate.status for candidate in candidates] == left


def test_somebody_protected_is_named_once_however_often_asked_for() -> None:
    guarded = Roster([peer("e1", "p1", "c1", preset="host")])
    candidates = without_duplicates(identify(GUARDED, guarded, pasted("p1", "c1")))
    assert [(candidate.requested, candidate.status) for candidate in candidates] == [
        ("p1", CandidateStatus.PROTECTED)
    ]


def test_everything_asked_for_has_its_lines_in_order() -> None:
    selection = Selection(
        (ParticipantKey("participant:p2"), ParticipantKey("participant:p1")), ("c2", "x", "p3")
    )
    candidates = identify(OPEN, ROSTER, selection)
    assert [candidate.requested for candidate in candidates] == [
        "participant:p2",
        "participant:p1",
        "c2",
        "x",
        "p3",
    ]
