import pytest

from bot.core.candidates import (
    Candidate,
    CandidateStatus,
    Selection,
    identify,
    make_target,
    without_duplicates,
)
from bot.core.policy import Protected, Rules
from bot.core.roster import CustomId, Participant, ParticipantId, ParticipantKey, Roster
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
        (pasted("P1"), CandidateStatus.UNKNOWN, None),
        (pasted("p"), CandidateStatus.UNKNOWN, None),
        (pasted("Ann"), CandidateStatus.UNKNOWN, None),
        (pasted("c9"), CandidateStatus.UNKNOWN, None),
        (pasted(""), CandidateStatus.UNKNOWN, None),
        (pasted("participant:"), CandidateStatus.UNKNOWN, None),
        (pasted("peer:e1"), CandidateStatus.UNKNOWN, None),
        (pasted("participant:c1"), CandidateStatus.NOWHERE, "participant:c1"),
        (pasted("custom:p1"), CandidateStatus.NOWHERE, "custom:p1"),
        (pasted("participant:e1"), CandidateStatus.NOWHERE, "participant:e1"),
        (chosen("participant:p9"), CandidateStatus.NOWHERE, "participant:p9"),
        (chosen("no key"), CandidateStatus.NOWHERE, None),
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
    assert [one.id for one in candidate.same_name] == ["p5"]


# --- the meeting's records


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (pasted("p7"), [(CandidateStatus.UNLISTED, "participant:p7")]),
        (chosen("participant:p7"), [(CandidateStatus.UNLISTED, "participant:p7")]),
        (pasted("participant:c7"), [(CandidateStatus.NOWHERE, "participant:c7")]),
        (pasted("custom:p7"), [(CandidateStatus.NOWHERE, "custom:p7")]),
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


@pytest.mark.parametrize("custom", ["STAFF-1", "staf-1", "my staff-1", "xstaff-1"])
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
