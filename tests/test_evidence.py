"""What a read proves about a call whose reply was lost, and that no proof is ever false."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil, floor

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bot.core.evidence import LATE_EFFECT, UnresolvedCall, evidence
from bot.core.roster import CustomId, ParticipantId, Peer, PeerId, Roster
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from tests.fakes import NOW, after, peer

SECOND = timedelta(seconds=1)
EXAMPLES = 500
CALLED = Target(
    ParticipantId("p1"),
    CustomId("c1"),
    "Mallory",
    called_at=NOW,
    peers=(SeenPeer(PeerId("e1"), after(-60)), SeenPeer(PeerId("e2"), after(-30))),
)
# The call took 2 s, and RealtimeKit's clock is known exactly.
WINDOW = (NOW, NOW + 2 * SECOND)
OPEN_1, OPEN_2 = peer("e1", "p1", joined=-60), peer("e2", "p1", joined=-30)
LEFT_1, LEFT_2 = replace(OPEN_1, left_at=after(1)), replace(OPEN_2, left_at=after(1))
NEW, NEWER = peer("e3", "p1", joined=4), peer("e4", "p1", joined=6)
DURING = peer("e7", "p1", joined=1)
UNDATED = peer("e5", "p1", joined=None)
UNSEEN = peer("e6", "p1", joined=-2)
# Somebody else, who joined or left when a list that shows it is newer than the call.
JOINS, LEAVES = peer("o1", "p2", joined=5), peer("o1", "p2", joined=-60, left=5)
LEFT_EARLIER = peer("o2", "p2", joined=-60, left=-50)
GONE = (Outcome.GONE, OutcomeReason.LEFT, None)
STILL = (Outcome.FAILED, OutcomeReason.STILL_THERE, None)


def exactly(moment: datetime) -> tuple[datetime, datetime]:
    return moment, moment


def back(seconds: float) -> object:
    return (Outcome.GONE, OutcomeReason.LEFT, after(seconds))


@pytest.mark.parametrize(
    ("rows", "alone", "in_a_newer_list"),
    [
        pytest.param((LEFT_1, LEFT_2), GONE, GONE, id="all left"),
        pytest.param((LEFT_1, OPEN_2), None, STILL, id="one is still open"),
        pytest.param((OPEN_1, OPEN_2), None, STILL, id="both are still open"),
        pytest.param((OPEN_2,), None, STILL, id="one is open and one missing"),
        pytest.param((LEFT_1,), None, None, id="a missing row proves nothing"),
        pytest.param((), None, None, id="an empty list proves nothing"),
        pytest.param((NEW,), None, None, id="only a new one"),
        pytest.param((LEFT_1, NEW), None, None, id="a missing row and a new one"),
        pytest.param((LEFT_1, LEFT_2, NEW), back(4), back(4), id="left and came back"),
        pytest.param((LEFT_1, NEWER, LEFT_2, NEW), back(6), back(6), id="came back twice"),
        pytest.param(
            (LEFT_1, LEFT_2, replace(NEW, left_at=after(5))), GONE, GONE, id="came and went"
        ),
        pytest.param((LEFT_1, LEFT_2, DURING), None, None, id="joined during the call"),
        pytest.param((LEFT_1, OPEN_2, NEW), None, STILL, id="an old one stayed, a new one came"),
        pytest.param((LEFT_1, LEFT_2, UNDATED), None, None, id="who knows when that one joined"),
        pytest.param((LEFT_1, OPEN_2, UNDATED), None, STILL, id="an old one stayed for sure"),
        pytest.param(
            (LEFT_1, LEFT_2, replace(UNDATED, left_at=after(5))), GONE, GONE, id="undated but left"
        ),
        pytest.param((LEFT_1, LEFT_2, UNSEEN), None, STILL, id="joined before but not seen then"),
        pytest.param(
            (LEFT_1, LEFT_2, replace(UNSEEN, left_at=after(1))), GONE, GONE, id="unseen and left"
        ),
        pytest.param(
            (replace(LEFT_1, left_at=after(-1)), replace(LEFT_2, left_at=after(-1))),
            None,
            GONE,
            id="left before the call: another connection may not be shown yet",
        ),
    ],
)
def test_evidence_proves_what_the_rows_show_and_no_more(
    rows: tuple[Peer, ...], alone: object, in_a_newer_list: object
) -> None:
    assert evidence(CALLED, Roster(rows), WINDOW) == alone
    assert evidence(CALLED, Roster((*rows, LEAVES)), WINDOW) == in_a_newer_list
    assert evidence(CALLED, Roster((*rows, JOINS, LEFT_EARLIER)), WINDOW) == in_a_newer_list
    # Without RealtimeKit's clock, no date can be compared with the call.
    assert evidence(CALLED, Roster((*rows, LEAVES)), None) is None


@pytest.mark.parametrize(
    ("others", "is_proved"),
    [
        pytest.param((), False, id="nothing else happened"),
        pytest.param((LEFT_EARLIER,), False, id="only before the call"),
        pytest.param((JOINS,), False, id="a list that may never show who left"),
        pytest.param((replace(LEAVES, left_at=after(4)),), False, id="while it may have an effect"),
        pytest.param((replace(LEAVES, left_at=after(4.001)),), True, id="after that"),
        pytest.param((peer("", None, joined=-60, left=5),), True, id="somebody without an id"),
    ],
)
def test_still_there_needs_a_list_that_shows_something_later(
    others: tuple[Peer, ...], *, is_proved: bool
) -> None:
    assert LATE_EFFECT == 2 * SECOND
    found = evidence(CALLED, Roster((OPEN_1, OPEN_2, *others)), WINDOW)
    assert found == (STILL if is_proved else None)


@pytest.mark.parametrize(
    "target",
    [
        replace(CALLED, peers=()),
        replace(CALLED, peers=(SeenPeer(PeerId("e1"), None), SeenPeer(PeerId(""), None))),
    ],
)
@pytest.mark.parametrize(
    "rows", [(LEFT_1, LEFT_2), (OPEN_1, OPEN_2), (LEFT_1, replace(LEFT_2, id=PeerId("")))]
)
def test_nothing_is_proved_of_whom_nothing_was_stored(
    target: Target, rows: tuple[Peer, ...]
) -> None:
    assert evidence(target, Roster((*rows, LEAVES)), WINDOW) is None


@pytest.mark.parametrize(
    ("joined", "expected"),
    [(-0.001, STILL), (-0.0009, None), (0, None), (2, None), (2.001, back(2.001))],
)
def test_a_connection_counts_only_if_its_side_of_the_call_is_certain(
    joined: float, expected: object
) -> None:
    rows = (LEFT_1, LEFT_2, peer("e9", "p1", joined=joined), LEAVES)
    assert evidence(CALLED, Roster(rows), WINDOW) == expected


@pytest.mark.parametrize("reason", [OutcomeReason.NOT_FOUND, OutcomeReason.NOT_FOUND_LISTED])
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((LEFT_1, LEFT_2), (Outcome.GONE, OutcomeReason.NOT_FOUND, None)),
        ((LEFT_1, LEFT_2, NEW), (Outcome.GONE, OutcomeReason.NOT_FOUND, after(4))),
        ((OPEN_1, OPEN_2, LEAVES), None),
        ((LEFT_1, LEAVES), None),
        ((LEAVES,), None),
    ],
)
def test_a_404_and_an_open_or_a_missing_row_contradict_each_other(
    rows: tuple[Peer, ...], reason: OutcomeReason, expected: object
) -> None:
    call = UnresolvedCall(reason, "", NOW + 2 * SECOND)
    assert call.judge(CALLED, Roster(rows), NOW + 14 * SECOND, exactly) == expected


@pytest.mark.parametrize(
    ("reason", "rows", "expected"),
    [
        (OutcomeReason.NO_ANSWER, (OPEN_1,), (OutcomeReason.STILL_LISTED, "12 s")),
        (OutcomeReason.EMPTY_ANSWER, (LEFT_1, DURING), (OutcomeReason.STILL_LISTED, "12 s")),
        (OutcomeReason.NOT_FOUND, (OPEN_1,), (OutcomeReason.NOT_FOUND_LISTED, "12 s")),
        (OutcomeReason.NO_ANSWER, (), (OutcomeReason.NO_ANSWER, "reset")),
        (OutcomeReason.NOT_FOUND, (LEFT_1,), (OutcomeReason.NOT_FOUND, "reset")),
        (OutcomeReason.NO_ANSWER, (LEFT_1, NEW), (OutcomeReason.NO_ANSWER, "reset")),
    ],
)
def test_what_stays_unknown_says_what_was_seen(
    reason: OutcomeReason, rows: tuple[Peer, ...], expected: object
) -> None:
    call = UnresolvedCall(reason, "reset", NOW + 2 * SECOND)
    assert call.judge(CALLED, Roster((OPEN_1,)), NOW + 2.5 * SECOND, exactly) is None
    assert call.judge(CALLED, Roster(rows), NOW + 14.9 * SECOND, exactly) is None
    assert call.unknown() == expected


# --- no proof is ever false


@dataclass
class World:
    """What truly happened in a session, on the service's clock: seconds from the call's begin.

    `mine` and `others` are connections as (joined, left). The call began at 0 and ended at
    `ended`. If it had an effect, it closed all connections of the target at `effect`.
    """

    ended: float
    effect: float | None
    mine: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    others: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    def rows(self, at: float, *, leaves: bool) -> Iterable[Peer]:
        """Yield the rows of a list that shows the state at this time."""
        for whose, peers in (("p1", self.mine), ("p2", self.others)):
            for name, (joined, left) in peers.items():
                if joined <= at:
                    is_shown = leaves and left is not None and left <= at
                    yield peer(
                        name, whose, joined=_cut(joined), left=_cut(left) if is_shown else None
                    )


def _cut(seconds: float | None) -> float | None:
    return None if seconds is None else seconds // 0.001 * 0.001


def _times(least: float, most: float) -> st.SearchStrategy[float]:
    """Draw a time in quarters of a second: events then often meet the edges of each other."""
    return st.integers(ceil(least * 4), floor(max(least, most) * 4)).map(lambda n: n / 4)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a world in which people join, reload and leave around a call."""
    ended = draw(_times(0, 8))
    effect = draw(st.none() | _times(0, ended + 1.75))
    world = World(ended, effect)
    at = draw(_times(-30, -0.25))
    for number in range(draw(st.integers(1, 4))):
        left = draw(st.none() | _times(at, 20))
        if effect is not None and at <= effect and (left is None or left > effect):
            left = effect
        world.mine[f"e{number}"] = (at, left)
        if left is None:
            break
        at = left + draw(st.sampled_from([0.25, 1.0, 5.0]))
    for number in range(draw(st.integers(0, 4))):
        joined = draw(_times(-30, 20))
        world.others[f"o{number}"] = (joined, draw(st.none() | _times(joined, 30)))
    return world


@settings(max_examples=EXAMPLES)
@given(
    worlds(),
    _times(0, 12),
    st.lists(_times(0, 60) | _times(0, 6), min_size=1, max_size=4),
    st.tuples(_times(0, 1), _times(0, 1)),
    st.sampled_from([-300.0, -5.0, 0.0, 5.0, 300.0]),
    st.booleans(),
    st.sampled_from([OutcomeReason.NO_ANSWER, OutcomeReason.NOT_FOUND]),
)
def test_no_verdict_is_false(  # noqa: PLR0917 - all that may be different
    world: World,
    lag_before: float,
    lags: list[float],
    unsure: tuple[float, float],
    offset: float,
    leaves: bool,  # noqa: FBT001 - drawn
    reason: OutcomeReason,
) -> None:
    """The list lags behind, but never goes back. The bot's clock is apart by `offset`."""
    if reason is OutcomeReason.NOT_FOUND:
        # A 404 is true: nobody was there.
        at = min(world.ended, 1.0)
        if any(
            joined <= at and (left is None or left > at) for joined, left in world.mine.values()
        ):
            return
    seen = [one for one in world.rows(-lag_before, leaves=leaves) if one.participant_id == "p1"]
    stored = tuple(SeenPeer(one.id, one.joined_at) for one in seen if one.left_at is None)
    target = replace(CALLED, called_at=NOW - timedelta(seconds=offset), peers=stored)
    call = UnresolvedCall(reason, "", NOW + timedelta(seconds=world.ended - offset))

    def service_time(moment: datetime) -> tuple[datetime, datetime]:
        theirs = moment + timedelta(seconds=offset)
        return theirs - timedelta(seconds=unsure[0]), theirs + timedelta(seconds=unsure[1])

    shown = -lag_before
    for number, lag in enumerate(lags):
        read = world.ended + 6 * number
        shown = max(shown, read - lag)
        rows = Roster(world.rows(shown, leaves=leaves))
        read_at = NOW + timedelta(seconds=read - offset)
        proof = call.judge(target, rows, read_at, service_time)
        if proof:
            event(f"{reason}: {proof[0]} ({proof[1]})")
            _check(world, proof, unsure[0], read)
            return
    event(f"{reason}: unknown")


def _moment(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _check(
    world: World,
    proof: tuple[Outcome, OutcomeReason, datetime | None],
    unsure: float,
    read: float,
) -> None:
    outcome, _, rejoined_at = proof
    before = [left for joined, left in world.mine.values() if joined < -unsure - 0.001]
    if outcome is Outcome.GONE:
        assert all(left is not None and left <= read for left in before)
        if rejoined_at:
            assert rejoined_at > _moment(world.ended)
    else:
        assert world.effect is None or world.effect < 0
        mine = world.mine.values()
        assert any(joined < 0 and (left is None or left > world.ended) for joined, left in mine)
