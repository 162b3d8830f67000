import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.core.event import Event, EventKind
from bot.core.evidence import LIST_LAG
from bot.core.kick import ChannelId, InvalidTransition, Kick, KickId, State, UserId
from bot.core.ports import (
    GatewayError,
    KickCall,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StoreUnavailable,
    VersionConflict,
)
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    ParticipantId,
    ParticipantKey,
    Peer,
    PeerId,
    Session,
    SessionId,
)
from bot.core.runner import STORE_ATTEMPTS, KickRunner
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from bot.core.timing import LEASE, MAX_CALL_TIME, RENEW_EVERY, SEND_WITHIN
from tests.fakes import NOW, TEAM, FakeClock, FakeGateway, after, peer
from tests.scene import outcomes
from tests.stores import FlakyStore

AMA = Meeting(MeetingId("m1"), "Weekly AMA")
LIVE = Session(SessionId("s1"), AMA)
ANN = Target(ParticipantId("p1"), CustomId("c1"), "Ann")
BOB = Target(None, CustomId("c2"), "Bob")
ANN_ROWS = (peer("e1", "p1", "c1"), peer("e2", "p1", "c1"))
BOB_ROWS = (peer("e3", None, "c2", name="Bob"),)
# Somebody else left 3 s after NOW. A list that shows it is newer than a call that took no time.
NEWER = peer("o1", "p9", name="Olu", left=3)
STILL_LISTED = (Outcome.UNKNOWN, OutcomeReason.STILL_LISTED)


class HeldBack(RateLimited):
    """A subclass of RateLimited, as the client may raise it."""


class Scene:
    """A claimed kick of Ann and Bob, who are in the meeting."""

    def __init__(
        self,
        *targets: Target,
        session: SessionId | None = LIVE.id,
        clock: FakeClock | None = None,
        store: FlakyStore | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.gateway = FakeGateway(self.clock)
        self.store = store or FlakyStore()
        self.gateway.go_live(LIVE, *ANN_ROWS, *BOB_ROWS)
        ready = Kick(
            id=KickId("k1"),
            idempotency_key="view 1",
            team_id=TEAM,
            app_id="app",
            channel_id=ChannelId("C1"),
            meeting=AMA,
            session_id=session,
            requester=UserId("U1"),
            reason="spam",
            targets=targets or (ANN, BOB),
            created_at=NOW,
            state=State.READY,
        )
        claimed = ready.claim("one", NOW, session)
        self.store.kicks[ready.id] = claimed
        self.runner = KickRunner(claimed, gateway=self.gateway, store=self.store, clock=self.clock)

    @property
    def stored(self) -> Kick:
        return self.store.kicks[KickId("k1")]

    def rows(self) -> dict[ParticipantKey | None, tuple[Peer, ...]]:
        return {ANN.key: ANN_ROWS, BOB.key: BOB_ROWS}

    async def carry_out(
        self, peers: dict[ParticipantKey | None, tuple[Peer, ...]] | None = None
    ) -> Kick:
        """Call, resolve and finish, as the kick service does."""
        await self.runner.call_targets(self.rows() if peers is None else peers)
        await self.runner.resolve_unknown()
        await self.runner.finish()
        assert self.runner.kick == self.stored
        assert self.stored.state is State.DONE
        return self.stored

    def raise_on_kick(self, error: Exception) -> None:
        def fail(_: str) -> Sequence[str]:
            raise error

        self.gateway.on_kick = fail


# --- calls with a reply


async def test_each_target_is_called_by_itself_and_by_its_own_kind_of_id() -> None:
    scene = Scene()
    kick = await scene.carry_out()
    assert sorted(scene.gateway.sent) == ["c2", "p1"]
    assert scene.gateway.sent_to == {AMA.id}
    assert outcomes(kick) == [(Outcome.KICKED, OutcomeReason.CONFIRMED)] * 2
    assert scene.gateway.reads == []


async def test_every_step_is_on_record() -> None:
    scene = Scene(ANN)
    await scene.carry_out()
    assert [(event.kind, event.note) for event in scene.store.log] == [
        (EventKind.CALLED, "Ann [participant:p1]"),
        (EventKind.SETTLED, "Ann [participant:p1]: kicked (confirmed)"),
        (EventKind.FINISHED, ""),
    ]


async def test_a_target_is_marked_in_the_store_before_its_call_is_sent() -> None:
    scene = Scene()
    at_the_call: dict[str, Target] = {}

    def look(wanted: str) -> Sequence[str]:
        at_the_call[wanted] = scene.stored.target(ANN.key if wanted == "p1" else BOB.key)
        return [wanted]

    scene.gateway.on_kick = look
    await scene.carry_out()
    assert at_the_call["p1"].called_at == NOW
    assert [seen.peer_id for seen in at_the_call["p1"].peers] == ["e1", "e2"]
    assert at_the_call["c2"].peers == (SeenPeer(PeerId("e3"), after(-60)),)
    assert at_the_call["p1"].outcome is None


@pytest.mark.parametrize("named", [["p1"], ["e1"], ["another"], ["p1", "e1"], ["x", "y", "z"]])
async def test_a_reply_that_names_anybody_says_kicked(named: list[str]) -> None:
    scene = Scene(ANN)
    scene.gateway.on_kick = lambda _: named
    assert outcomes(await scene.carry_out()) == [(Outcome.KICKED, OutcomeReason.CONFIRMED)]


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (Rejected("no permission"), OutcomeReason.REFUSED, "no permission"),
        (RateLimited("slow down"), OutcomeReason.BUSY, "slow down"),
        (RateLimited("slow down", 0), OutcomeReason.BUSY, "slow down"),
        (RateLimited("slow down", 7.2), OutcomeReason.BUSY, "slow down; try again in 8 s"),
        (RateLimited("slow down", 0.3), OutcomeReason.BUSY, "slow down; try again in 1 s"),
        (
            HeldBack("few calls are left", 30),
            OutcomeReason.BUSY,
            "few calls are left; try again in 30 s",
        ),
        (NotSent("no route"), OutcomeReason.UNREACHABLE, "no route"),
    ],
)
async def test_a_call_that_surely_did_nothing_failed_and_is_not_repeated(
    error: GatewayError, reason: OutcomeReason, detail: str
) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(error)
    kick = await scene.carry_out()
    assert outcomes(kick) == [(Outcome.FAILED, reason)]
    assert kick.targets[0].detail == detail
    assert scene.gateway.sent == ["p1"]
    assert scene.gateway.reads == []
    assert not scene.runner.unresolved


async def test_what_fails_for_one_target_leaves_the_others_alone() -> None:
    scene = Scene()

    def only_bob(wanted: str) -> Sequence[str]:
        if wanted == "p1":
            raise Rejected("no")
        return [wanted]

    scene.gateway.on_kick = only_bob
    assert outcomes(await scene.carry_out()) == [
        (Outcome.FAILED, OutcomeReason.REFUSED),
        (Outcome.KICKED, OutcomeReason.CONFIRMED),
    ]


@pytest.mark.parametrize("called", [None, after(-60)])
async def test_targets_without_an_id_end_and_are_not_sent(called: datetime | None) -> None:
    ghosts = [Target(None, None, name, called_at=called) for name in ("ghost", "ghost", "spirit")]
    scene = Scene(*ghosts, ANN)
    kick = await scene.carry_out()
    assert outcomes(kick) == [(Outcome.FAILED, OutcomeReason.NO_ID)] * 3 + [
        (Outcome.KICKED, OutcomeReason.CONFIRMED)
    ]
    assert scene.gateway.sent == ["p1"]


async def test_whom_the_policy_spares_by_now_is_not_called() -> None:
    scene = Scene()
    await scene.runner.skip_protected(ANN.key, "host")
    kick = await scene.carry_out()
    assert outcomes(kick) == [
        (Outcome.FAILED, OutcomeReason.PROTECTED),
        (Outcome.KICKED, OutcomeReason.CONFIRMED),
    ]
    assert kick.targets[0].detail == "host"
    assert scene.gateway.sent == ["c2"]


# --- 404


async def test_nobody_there_and_never_seen_is_a_failure() -> None:
    scene = Scene(replace(ANN, live=False))
    scene.raise_on_kick(NotFound("No user found"))
    kick = await scene.carry_out({})
    assert outcomes(kick) == [(Outcome.FAILED, OutcomeReason.NOBODY)]
    assert kick.targets[0].detail == "No user found"
    assert scene.gateway.reads == []


@pytest.mark.parametrize("peers", [{ANN.key: ANN_ROWS}, {}])
async def test_not_there_after_being_seen_is_gone_once_a_read_shows_so(
    peers: dict[ParticipantKey | None, tuple[Peer, ...]],
) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(NotFound("No user found"))
    scene.gateway.on_roster = lambda _: [replace(row, left_at=NOW) for row in ANN_ROWS]
    assert outcomes(await scene.carry_out(peers)) == [(Outcome.GONE, OutcomeReason.NOT_FOUND)]
    assert scene.gateway.reads == [("find", True)]


@pytest.mark.parametrize("rows", [BOB_ROWS, (), (replace(ANN_ROWS[0], left_at=NOW),)])
async def test_not_there_and_a_missing_row_of_theirs_is_unknown(rows: Sequence[Peer]) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(NotFound("No user found"))
    scene.gateway.on_roster = lambda _: rows
    assert outcomes(await scene.carry_out()) == [(Outcome.UNKNOWN, OutcomeReason.NOT_FOUND)]


async def test_not_there_but_back_by_now_says_so() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(NotFound("No user found"))
    left = [replace(row, left_at=NOW) for row in ANN_ROWS]
    scene.gateway.on_roster = lambda _: [*left, peer("e9", "p1", joined=1)]
    kick = await scene.carry_out()
    assert outcomes(kick) == [(Outcome.GONE, OutcomeReason.NOT_FOUND)]
    assert kick.targets[0].rejoined_at == after(1)


@pytest.mark.parametrize("peers", [{ANN.key: ANN_ROWS}, {}])
@pytest.mark.parametrize("others", [(), (NEWER,)])
async def test_not_there_but_still_listed_is_unknown(
    peers: dict[ParticipantKey | None, tuple[Peer, ...]], others: tuple[Peer, ...]
) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(NotFound("No user found"))
    scene.gateway.on_roster = lambda _: [*ANN_ROWS, *others]
    kick = await scene.carry_out(peers)
    assert outcomes(kick) == [(Outcome.UNKNOWN, OutcomeReason.NOT_FOUND_LISTED)]
    assert kick.targets[0].detail == "12 s"


@pytest.mark.parametrize(
    "error", [NotFound("404"), OutcomeUnknown("500"), RateLimited("429"), Rejected("401")]
)
async def test_not_there_and_a_session_that_cannot_be_read_is_unknown(error: GatewayError) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(NotFound("No user found"))
    scene.gateway.errors["find"] = [error] * 3
    assert outcomes(await scene.carry_out()) == [(Outcome.UNKNOWN, OutcomeReason.NOT_FOUND)]


# --- lost replies

LEFT = tuple(replace(row, left_at=after(1)) for row in ANN_ROWS)
BACK = peer("e9", "p1", joined=4)


def rows_at(script: dict[float, Sequence[Peer]]) -> Callable[[Scene], None]:
    """Show these rows from this many seconds after the call."""

    def arrange(scene: Scene) -> None:
        def show(_: SessionId) -> Sequence[Peer]:
            age = (scene.clock.now() - NOW).total_seconds()
            return script[max(since for since in script if since <= age)]

        scene.gateway.on_roster = show

    return arrange


@pytest.mark.parametrize(
    ("rows", "outcome", "reason", "took", "back"),
    [
        ({0: LEFT}, Outcome.GONE, OutcomeReason.LEFT, 0, None),
        ({0: ANN_ROWS, 2: LEFT}, Outcome.GONE, OutcomeReason.LEFT, 2, None),
        ({0: ANN_ROWS, 11: LEFT}, Outcome.GONE, OutcomeReason.LEFT, 12, None),
        ({0: (*LEFT, BACK)}, Outcome.GONE, OutcomeReason.LEFT, 0, after(4)),
        (
            {0: ANN_ROWS, 4: (*ANN_ROWS, NEWER)},
            Outcome.FAILED,
            OutcomeReason.STILL_THERE,
            12,
            None,
        ),
        (
            {0: ANN_ROWS, 4: (LEFT[0], ANN_ROWS[1], NEWER)},
            Outcome.FAILED,
            OutcomeReason.STILL_THERE,
            12,
            None,
        ),
        ({0: ()}, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER, 12, None),
        ({0: LEFT[:1]}, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER, 12, None),
        ({0: (BACK,)}, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER, 12, None),
        ({0: BOB_ROWS}, Outcome.UNKNOWN, OutcomeReason.NO_ANSWER, 12, None),
    ],
)
async def test_a_lost_answer_is_settled_by_what_later_reads_show(
    rows: dict[float, Sequence[Peer]],
    outcome: Outcome,
    reason: OutcomeReason,
    *,
    took: float,
    back: object,
) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    rows_at(rows)(scene)
    kick = await scene.carry_out()
    assert outcomes(kick) == [(outcome, reason)]
    assert (kick.targets[0].detail, kick.targets[0].rejoined_at) == ("reset", back)
    assert scene.clock.now() - NOW == timedelta(seconds=took)
    assert scene.gateway.sent == ["p1"]


@pytest.mark.parametrize(
    "rows",
    [
        ANN_ROWS,
        (LEFT[0], ANN_ROWS[1]),
        (*ANN_ROWS, replace(NEWER, left_at=None, joined_at=after(3))),
    ],
)
async def test_a_lost_answer_and_a_list_that_may_be_older_is_unknown(rows: Sequence[Peer]) -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    rows_at({0: rows})(scene)
    kick = await scene.carry_out()
    assert outcomes(kick) == [STILL_LISTED]
    assert kick.targets[0].detail == "12 s"


async def test_a_list_that_cannot_be_read_at_the_end_keeps_the_number_of_the_last_read() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))

    def show(_: SessionId) -> Sequence[Peer]:
        if scene.clock.now() > NOW + timedelta(seconds=2):
            raise OutcomeUnknown("500")
        return ANN_ROWS

    scene.gateway.on_roster = show
    kick = await scene.carry_out()
    assert outcomes(kick) == [STILL_LISTED]
    assert kick.targets[0].detail == "2 s"


@pytest.mark.parametrize("rows", [LEFT, (*LEFT, BACK), (*ANN_ROWS, NEWER)])
async def test_without_the_clock_of_realtimekit_a_lost_answer_is_unknown(
    rows: Sequence[Peer],
) -> None:
    scene = Scene(ANN)
    scene.gateway.service_ahead = None
    scene.raise_on_kick(OutcomeUnknown("reset"))
    rows_at({0: rows})(scene)
    assert outcomes(await scene.carry_out())[0][0] is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("ahead", "joined", "expected"),
    [
        # The bot is behind: they reloaded before the call, unseen. Nobody was kicked.
        (5, 4, STILL_LISTED),
        # The bot is ahead: they came back after the call.
        (-2, -1, (Outcome.GONE, OutcomeReason.LEFT)),
    ],
)
async def test_dates_are_compared_in_the_time_of_realtimekit(
    ahead: float, joined: float, expected: tuple[Outcome, OutcomeReason]
) -> None:
    scene = Scene(ANN)
    offset = timedelta(seconds=ahead)
    scene.gateway.service_ahead = offset, offset
    scene.raise_on_kick(OutcomeUnknown("reset"))
    again = peer("e9", "p1", joined=joined)
    rows_at({0: [*(replace(row, left_at=after(joined)) for row in ANN_ROWS), again]})(scene)
    assert outcomes(await scene.carry_out()) == [expected]


async def test_a_lost_answer_of_whom_no_connection_was_stored_stays_unknown() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    rows_at({0: LEFT})(scene)
    assert outcomes(await scene.carry_out({})) == [(Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)]


async def test_reads_that_fail_are_tried_again_at_the_next_moment() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    scene.gateway.errors["find"] = [OutcomeUnknown("500"), NotFound("404")]
    rows_at({0: LEFT})(scene)
    assert outcomes(await scene.carry_out()) == [(Outcome.GONE, OutcomeReason.LEFT)]
    assert scene.gateway.reads == [("find", True)] * 3


async def test_without_a_session_there_is_nothing_to_read() -> None:
    scene = Scene(replace(ANN, live=False), session=None)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    assert outcomes(await scene.carry_out({})) == [(Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)]
    assert scene.gateway.reads == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({0: LEFT}, (Outcome.GONE, OutcomeReason.LEFT)),
        ({0: (*ANN_ROWS, NEWER)}, (Outcome.FAILED, OutcomeReason.STILL_THERE)),
        ({0: ANN_ROWS}, STILL_LISTED),
        ({0: ()}, (Outcome.UNKNOWN, OutcomeReason.EMPTY_ANSWER)),
    ],
)
async def test_success_that_names_nobody_is_never_taken_for_a_kick(
    rows: dict[float, Sequence[Peer]], expected: tuple[Outcome, OutcomeReason]
) -> None:
    scene = Scene(ANN)
    scene.gateway.on_kick = lambda _: []
    rows_at(rows)(scene)
    assert outcomes(await scene.carry_out()) == [expected]


async def test_a_call_that_breaks_in_an_unforeseen_way_is_in_doubt_too() -> None:
    scene = Scene()

    def odd(wanted: str) -> Sequence[str]:
        if wanted == "p1":
            raise KeyError("participants")
        return [wanted]

    scene.gateway.on_kick = odd
    rows_at({0: ()})(scene)
    kick = await scene.carry_out()
    assert outcomes(kick) == [
        (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER),
        (Outcome.KICKED, OutcomeReason.CONFIRMED),
    ]
    assert kick.targets[0].detail == ""


async def test_doubts_are_cleared_up_one_by_one() -> None:
    scene = Scene()
    scene.raise_on_kick(OutcomeUnknown("reset"))
    rows_at({0: (*LEFT, *BOB_ROWS, NEWER)})(scene)
    await scene.runner.call_targets(scene.rows())
    in_doubt = [bool(scene.runner.unresolved)]
    await scene.runner.resolve_unknown()
    in_doubt.append(bool(scene.runner.unresolved))
    assert in_doubt == [True, False]
    assert outcomes(scene.stored) == [
        (Outcome.GONE, OutcomeReason.LEFT),
        (Outcome.FAILED, OutcomeReason.STILL_THERE),
    ]


async def test_the_last_read_waits_for_the_latest_call() -> None:
    scene = Scene(ANN)

    def slow(_: str) -> Sequence[str]:
        scene.clock.advance(8)
        raise OutcomeUnknown("no answer within 8 s")

    scene.gateway.on_kick = slow
    await scene.carry_out()
    assert scene.clock.now() - NOW == timedelta(seconds=8 + 12)


async def test_all_connections_under_a_custom_id_must_have_left() -> None:
    several = (peer("e3", "p3", "c2"), peer("e4", "p4", "c2"))
    scene = Scene(BOB)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    rows_at({0: (replace(several[0], left_at=after(1)), several[1], NEWER)})(scene)
    assert outcomes(await scene.carry_out({BOB.key: several})) == [
        (Outcome.FAILED, OutcomeReason.STILL_THERE)
    ]


# --- a store that fails


async def test_a_target_that_cannot_be_marked_is_not_called() -> None:
    scene = Scene()
    scene.store.down[EventKind.CALLED] = 1
    kick = await scene.carry_out()
    assert outcomes(kick) == [
        (Outcome.FAILED, OutcomeReason.NOT_TRIED),
        (Outcome.KICKED, OutcomeReason.CONFIRMED),
    ]
    assert kick.targets[0].detail == "the database is locked"
    assert scene.gateway.sent == ["c2"]


async def test_a_mark_whose_commit_was_lost_is_not_called_either() -> None:
    scene = Scene()
    scene.store.lost[EventKind.CALLED] = 1
    kick = await scene.carry_out()
    assert outcomes(kick) == [
        (Outcome.FAILED, OutcomeReason.NOT_TRIED),
        (Outcome.KICKED, OutcomeReason.CONFIRMED),
    ]
    assert scene.gateway.sent == ["c2"]


@pytest.mark.parametrize("what", [EventKind.SETTLED, EventKind.FINISHED])
@pytest.mark.parametrize("kind", ["down", "lost"])
async def test_what_happened_is_written_down_patiently(what: EventKind, kind: str) -> None:
    scene = Scene()
    getattr(scene.store, kind)[what] = STORE_ATTEMPTS - 1
    kick = await scene.carry_out()
    assert outcomes(kick) == [(Outcome.KICKED, OutcomeReason.CONFIRMED)] * 2
    assert sorted(scene.gateway.sent) == ["c2", "p1"]
    assert [event.kind for event in scene.store.log].count(EventKind.FINISHED) == 1


@pytest.mark.parametrize("lost", range(1, 4))
async def test_lost_commits_of_one_target_lose_no_other(lost: int) -> None:
    scene = Scene(*(Target(ParticipantId(f"x{at}"), None, f"X {at}") for at in range(8)))
    scene.gateway.on_kick = lambda wanted: [wanted]
    scene.store.lost[EventKind.SETTLED] = lost
    scene.store.lost[EventKind.CALLED] = lost
    kick = await scene.carry_out({})
    assert len(scene.gateway.sent) == 8 - lost
    assert outcomes(kick).count((Outcome.KICKED, OutcomeReason.CONFIRMED)) == 8 - lost
    assert outcomes(kick).count((Outcome.FAILED, OutcomeReason.NOT_TRIED)) == lost


async def test_a_store_that_stays_down_is_raised_and_the_other_calls_are_finished() -> None:
    scene = Scene()
    scene.store.down[EventKind.SETTLED] = STORE_ATTEMPTS
    with pytest.raises(StoreUnavailable):
        await scene.runner.call_targets(scene.rows())
    assert sorted(scene.gateway.sent) == ["c2", "p1"]
    assert set(outcomes(scene.stored)) == {(None, None), (Outcome.KICKED, OutcomeReason.CONFIRMED)}
    assert all(target.called_at for target in scene.stored.targets)


async def test_a_kick_that_somebody_else_took_over_is_left_to_them_uncalled() -> None:
    scene = Scene()
    before = scene.stored
    await scene.store.transition(
        before, before.take_over("two", NOW + LEASE), Event(NOW, EventKind.TAKEN_OVER, None)
    )
    with pytest.raises(VersionConflict):
        await scene.runner.call_targets(scene.rows())
    assert scene.gateway.sent == []
    assert scene.stored.owner == "two"


async def test_a_kick_that_is_taken_over_during_the_call_keeps_what_the_other_writes() -> None:
    scene = Scene(ANN)

    def meanwhile(wanted: str) -> Sequence[str]:
        now = scene.stored
        scene.store.kicks[now.id] = now.take_over("two", NOW + LEASE)
        return [wanted]

    scene.gateway.on_kick = meanwhile
    with pytest.raises(VersionConflict):
        await scene.runner.call_targets(scene.rows())
    assert (scene.stored.owner, outcomes(scene.stored)) == ("two", [(None, None)])


async def test_two_executions_of_one_claim_call_each_target_once() -> None:
    scene = Scene()
    twin = KickRunner(
        replace(scene.stored, owner="two"),
        gateway=scene.gateway,
        store=scene.store,
        clock=scene.clock,
    )
    ends = await asyncio.gather(
        scene.runner.call_targets(scene.rows()),
        twin.call_targets(scene.rows()),
        return_exceptions=True,
    )
    assert sorted(scene.gateway.sent) == ["c2", "p1"]
    assert any(isinstance(end, VersionConflict) for end in ends)


# --- the turn


class TurnGateway(FakeGateway):
    """A gateway whose turns come when a test says so. It records what happens in them."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.turn = asyncio.Semaphore(0)
        self.asked = asyncio.Event()

    @asynccontextmanager
    async def kick_slot(self) -> AsyncIterator[KickCall]:
        self.asked.set()
        async with self.turn:
            yield self.kick


class RenewingStore(FlakyStore):
    """Tells when the lease was renewed, or could not be."""

    def __init__(self) -> None:
        super().__init__()
        self.renewals = asyncio.Semaphore(0)

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        try:
            return await super().transition(before, after, *events)
        finally:
            if not events:
                self.renewals.release()


def waiting() -> tuple[Scene, TurnGateway, RenewingStore]:
    """Return a kick whose calls wait for their turn."""
    store = RenewingStore()
    scene = Scene(store=store)
    scene.runner.gateway = gateway = TurnGateway(scene.clock)
    gateway.go_live(LIVE, *ANN_ROWS, *BOB_ROWS)
    return scene, gateway, store


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.core.runner.RENEW_EVERY", timedelta(milliseconds=1))


async def test_a_target_is_marked_only_when_its_turn_has_come() -> None:
    scene, gateway, _ = waiting()
    calls = asyncio.create_task(scene.runner.call_targets(scene.rows()))
    await gateway.asked.wait()
    scene.clock.advance(3600)
    assert [target.called_at for target in scene.stored.targets] == [None, None]
    gateway.turn.release()
    await calls
    # The second call got the turn of the first one.
    assert outcomes(scene.stored) == [(Outcome.KICKED, OutcomeReason.CONFIRMED)] * 2
    assert [one.called_at for one in scene.stored.targets] == [scene.clock.now()] * 2


@pytest.mark.usefixtures("_often")
async def test_a_kick_that_waits_for_its_turn_keeps_its_lease() -> None:
    scene, gateway, store = waiting()
    calls = asyncio.create_task(scene.runner.call_targets(scene.rows()))
    await gateway.asked.wait()
    scene.clock.advance(10)
    await store.renewals.acquire()
    assert scene.stored.lease_until == scene.clock.now() + LEASE
    # A store that is down for a while stops neither the calls nor the renewals after it.
    store.down[None] = STORE_ATTEMPTS
    for _ in range(STORE_ATTEMPTS + 1):
        await store.renewals.acquire()
    gateway.turn.release()
    await calls
    assert outcomes(scene.stored) == [(Outcome.KICKED, OutcomeReason.CONFIRMED)] * 2


@pytest.mark.usefixtures("_often")
async def test_a_kick_that_is_taken_over_while_it_waits_is_not_called() -> None:
    scene, gateway, store = waiting()
    calls = asyncio.create_task(scene.runner.call_targets(scene.rows()))
    await gateway.asked.wait()
    scene.store.kicks[scene.stored.id] = scene.stored.take_over("two", NOW + LEASE)
    await store.renewals.acquire()
    gateway.turn.release()
    with pytest.raises(VersionConflict):
        await calls
    assert gateway.sent == []


# --- the lease


class WatchfulClock(FakeClock):
    """Records how much of the lease is left after each sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene | None = None
        self.left: list[timedelta] = []

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        assert self.scene
        assert self.scene.stored.lease_until
        self.left.append(self.scene.stored.lease_until - self.now())


async def test_a_kick_is_held_on_to_while_its_evidence_is_waited_for() -> None:
    clock = WatchfulClock()
    clock.scene = scene = Scene(ANN, clock=clock)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    at_reads: list[timedelta] = []

    def look(_: SessionId) -> Sequence[Peer]:
        assert scene.stored.lease_until
        at_reads.append(scene.stored.lease_until - clock.now())
        return ANN_ROWS

    scene.gateway.on_roster = look
    assert outcomes(await scene.carry_out()) == [STILL_LISTED]
    # A read may take 8 s, so each begins with a new lease.
    assert at_reads == [LEASE] * 3
    assert min(clock.left) >= LEASE - RENEW_EVERY


async def test_a_lease_that_can_not_be_renewed_at_once_is_renewed_patiently() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    scene.store.down[None] = STORE_ATTEMPTS - 2
    scene.store.lost[None] = 1
    assert outcomes(await scene.carry_out()) == [STILL_LISTED]


async def test_who_can_not_hold_on_to_a_kick_reads_no_further() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))
    await scene.runner.call_targets(scene.rows())
    scene.store.down[None] = STORE_ATTEMPTS
    with pytest.raises(StoreUnavailable):
        await scene.runner.resolve_unknown()
    assert scene.gateway.reads == []


async def test_who_was_overtaken_while_waiting_settles_nothing() -> None:
    scene = Scene(ANN)
    scene.raise_on_kick(OutcomeUnknown("reset"))

    def meanwhile(_: SessionId) -> Sequence[Peer]:
        scene.store.kicks[scene.stored.id] = scene.stored.take_over("two", NOW + LEASE)
        return LEFT

    scene.gateway.on_roster = meanwhile
    await scene.runner.call_targets(scene.rows())
    with pytest.raises(VersionConflict):
        await scene.runner.resolve_unknown()
    assert (scene.stored.owner, outcomes(scene.stored)) == ("two", [(None, None)])


class SlowStore(FlakyStore):
    """Takes some seconds to store the mark of a call."""

    def __init__(self, clock: FakeClock, takes: float) -> None:
        super().__init__()
        self._clock = clock
        self._takes = takes
        self.meanwhile: Callable[[], None] = lambda: None

    async def transition(self, before: Kick, after: Kick, *events: Event) -> Kick:
        moved = await super().transition(before, after, *events)
        if events and events[0].kind is EventKind.CALLED:
            self._clock.advance(self._takes)
            self.meanwhile()
        return moved


@pytest.mark.parametrize(
    ("takes", "is_sent"), [(0, True), (SEND_WITHIN.total_seconds(), True), (2.001, False)]
)
async def test_who_took_too_long_to_write_the_call_down_does_not_send_it(
    takes: float, *, is_sent: bool
) -> None:
    clock = FakeClock()
    scene = Scene(ANN, clock=clock, store=SlowStore(clock, takes))
    kick = await scene.carry_out()
    assert scene.gateway.sent == (["p1"] if is_sent else [])
    if not is_sent:
        assert outcomes(kick) == [(Outcome.FAILED, OutcomeReason.NOT_TRIED)]
        assert kick.targets[0].detail == "it took too long to write the call down"


@pytest.mark.parametrize(
    ("step", "takes", "is_sent"), [(-3600, 2.001, False), (3600, 0, True), (-3600, 0, True)]
)
async def test_a_clock_that_is_set_meanwhile_neither_hides_nor_makes_a_delay(
    step: float, takes: float, *, is_sent: bool
) -> None:
    clock = FakeClock()
    store = SlowStore(clock, takes)
    store.meanwhile = lambda: clock.step(step)
    scene = Scene(ANN, clock=clock, store=store)
    await scene.carry_out()
    assert scene.gateway.sent == (["p1"] if is_sent else [])


async def test_who_was_overtaken_after_a_mark_sends_nothing_at_all() -> None:
    clock = FakeClock()
    store = SlowStore(clock, LEASE.total_seconds())
    scene = Scene(clock=clock, store=store)

    def take_over() -> None:
        scene.store.kicks[scene.stored.id] = scene.stored.take_over("two", clock.now())

    store.meanwhile = take_over
    with pytest.raises(VersionConflict):
        await scene.runner.call_targets(scene.rows())
    assert (scene.gateway.sent, scene.stored.owner) == ([], "two")
    assert sum(target.called_at is not None for target in scene.stored.targets) == 1


# --- interrupted kicks


async def test_whoever_was_never_called_was_not_tried() -> None:
    scene = Scene()
    await scene.runner.classify_interrupted()
    await scene.runner.resolve_unknown()
    await scene.runner.finish()
    assert outcomes(scene.stored) == [(Outcome.FAILED, OutcomeReason.NOT_TRIED)] * 2
    assert scene.gateway.sent == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (LEFT, (Outcome.GONE, OutcomeReason.LEFT)),
        ((*ANN_ROWS, NEWER), (Outcome.FAILED, OutcomeReason.STILL_THERE)),
        (ANN_ROWS, STILL_LISTED),
        ((), (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)),
    ],
)
async def test_whoever_was_called_is_settled_by_reading_and_never_called_again(
    rows: Sequence[Peer], expected: tuple[Outcome, OutcomeReason]
) -> None:
    seen = tuple(SeenPeer(row.id, row.joined_at) for row in ANN_ROWS)
    scene = Scene(replace(ANN, called_at=after(-3600), peers=seen))
    scene.gateway.on_roster = lambda _: rows
    await scene.runner.classify_interrupted()
    await scene.runner.resolve_unknown()
    await scene.runner.finish()
    assert outcomes(scene.stored) == [expected]
    assert scene.gateway.sent == []
    if expected[0] is not Outcome.UNKNOWN:
        assert scene.clock.now() == NOW


async def test_a_call_that_was_marked_in_the_future_is_not_waited_for() -> None:
    seen = tuple(SeenPeer(row.id, row.joined_at) for row in ANN_ROWS)
    scene = Scene(replace(ANN, called_at=after(3600), peers=seen))
    scene.gateway.on_roster = lambda _: ()
    await scene.runner.classify_interrupted()
    await scene.runner.resolve_unknown()
    assert outcomes(scene.stored) == [(Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)]
    assert scene.clock.now() - NOW <= MAX_CALL_TIME + LIST_LAG


async def test_the_clock_of_the_store_may_be_set_while_evidence_is_waited_for() -> None:
    seen = tuple(SeenPeer(row.id, row.joined_at) for row in ANN_ROWS)
    scene = Scene(replace(ANN, called_at=NOW, peers=seen))
    steps = iter([-3600, 0, 0])

    def on_roster(_: SessionId) -> Sequence[Peer]:
        scene.clock.step(next(steps))
        return ()

    scene.gateway.on_roster = on_roster
    await scene.runner.classify_interrupted()
    began = scene.clock.monotonic()
    await scene.runner.resolve_unknown()
    assert outcomes(scene.stored) == [(Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)]
    assert scene.clock.monotonic() - began <= 60


async def test_outcomes_that_another_process_stored_stay() -> None:
    scene = Scene(replace(ANN, outcome=Outcome.KICKED, outcome_reason=OutcomeReason.CONFIRMED), BOB)
    await scene.runner.classify_interrupted()
    assert outcomes(scene.stored) == [
        (Outcome.KICKED, OutcomeReason.CONFIRMED),
        (Outcome.FAILED, OutcomeReason.NOT_TRIED),
    ]


async def test_a_kick_with_a_target_unsettled_does_not_end() -> None:
    scene = Scene()
    with pytest.raises(InvalidTransition):
        await scene.runner.finish()
    assert scene.stored.state is State.RUNNING


async def test_a_call_of_a_process_that_died_must_have_ended_before_its_evidence_counts() -> None:
    seen = tuple(SeenPeer(row.id, row.joined_at) for row in ANN_ROWS)
    scene = Scene(replace(ANN, called_at=NOW, peers=seen))
    scene.clock.advance(LEASE.total_seconds())
    await scene.runner.classify_interrupted()
    # A call that ended later than this may have had its effect later.
    rows_at({0: (*ANN_ROWS, NEWER)})(scene)
    await scene.runner.resolve_unknown()
    assert outcomes(scene.stored) == [STILL_LISTED]
    assert scene.clock.now() - NOW == MAX_CALL_TIME + LIST_LAG


# --- checking again

CALLED = replace(
    ANN,
    called_at=after(-60),
    peers=tuple(SeenPeer(row.id, row.joined_at) for row in ANN_ROWS),
    outcome=Outcome.UNKNOWN,
    outcome_reason=OutcomeReason.NO_ANSWER,
    detail="reset",
)


def done(*targets: Target, session: SessionId | None = LIVE.id) -> Scene:
    """Return a kick that ended with this outcome."""
    scene = Scene(*targets, session=session)
    scene.store.kicks[scene.stored.id] = ended = scene.stored.finish(NOW)
    scene.runner = KickRunner(ended, gateway=scene.gateway, store=scene.store, clock=scene.clock)
    return scene


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (LEFT, (Outcome.GONE, OutcomeReason.LEFT)),
        ((*ANN_ROWS, NEWER), (Outcome.FAILED, OutcomeReason.STILL_THERE)),
        (ANN_ROWS, (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)),
        ((), (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)),
    ],
)
async def test_a_later_look_settles_what_shows_by_now(
    rows: Sequence[Peer], expected: tuple[Outcome, OutcomeReason]
) -> None:
    scene = done(CALLED)
    scene.gateway.on_roster = lambda _: rows
    await scene.runner.recheck_unknown()
    assert scene.runner.kick == scene.stored
    assert (scene.stored.state, scene.stored.lease_until) == (State.DONE, None)
    assert outcomes(scene.stored) == [expected]
    assert scene.stored.targets[0].detail == "reset"
    assert scene.clock.now() == NOW


async def test_whoever_was_not_found_and_left_did_not_leave_by_the_call() -> None:
    scene = done(replace(CALLED, outcome_reason=OutcomeReason.NOT_FOUND))
    scene.gateway.on_roster = lambda _: LEFT
    await scene.runner.recheck_unknown()
    assert outcomes(scene.stored) == [(Outcome.GONE, OutcomeReason.NOT_FOUND)]


async def test_a_look_again_does_not_take_a_call_for_ended_too_early() -> None:
    scene = done(CALLED)
    # The call must have ended after 10 s, and may have had its effect 2 s later.
    for left, expected in (
        (after(-48), (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)),
        (after(-47.999), (Outcome.FAILED, OutcomeReason.STILL_THERE)),
    ):
        rows_at({-60: (*ANN_ROWS, replace(NEWER, joined_at=after(-90), left_at=left))})(scene)
        await scene.runner.recheck_unknown()
        assert outcomes(scene.stored) == [expected]


@pytest.mark.parametrize(
    "target",
    [
        replace(CALLED, outcome=Outcome.GONE, outcome_reason=OutcomeReason.LEFT),
        replace(CALLED, outcome=Outcome.KICKED, outcome_reason=OutcomeReason.CONFIRMED),
        replace(CALLED, called_at=None),
    ],
)
async def test_there_is_nothing_to_look_for_where_nothing_is_unknown(target: Target) -> None:
    scene = done(target)
    await scene.runner.recheck_unknown()
    assert outcomes(scene.stored) == [(target.outcome, target.outcome_reason)]
    assert scene.gateway.reads == []


async def test_a_look_again_without_a_session_sees_nothing() -> None:
    scene = done(replace(CALLED, outcome_reason=None), session=None)
    await scene.runner.recheck_unknown()
    assert outcomes(scene.stored) == [(Outcome.UNKNOWN, None)]
    assert scene.gateway.reads == []
