import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.approval_service import (
    OWN_REQUEST,
    SESSION_ENDED,
    UNKNOWN_REQUEST,
    ApprovalView,
)
from bot.core.candidates import CandidateStatus
from bot.core.event import Event, EventKind
from bot.core.kick import Kick, KickId, State, UserId
from bot.core.outbox_message import MessageKind
from bot.core.policy import (
    AccountStatus,
    Grant,
    Protected,
    Quota,
    Role,
    Rules,
    Verdict,
    VerdictKind,
)
from bot.core.ports import (
    DirectoryUnavailable,
    GatewayError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StoreUnavailable,
)
from bot.core.roster import CustomId, ParticipantId, Peer, Session, SessionId
from bot.core.target import Outcome, OutcomeReason, Target
from tests.fakes import NOW, peer
from tests.scene import (
    ANN,
    ANN_ROW,
    AVA,
    BEN,
    BOB_ROW,
    EVE,
    KICKED,
    LATER,
    LEA,
    LIVE,
    MAX,
    Scene,
    outcomes,
)
from tests.stores import FlakyStore

TEN = timedelta(minutes=10)
HELPERS = frozenset({BEN, UserId("U9")})


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.spawn.finish()


async def seen(scene: Scene, kick: Kick, user: UserId = MAX) -> tuple[str, ...]:
    """Open the request, and return the fingerprints for an approval."""
    view = await scene.approval_service.open_request(kick.id, user)
    assert isinstance(view, ApprovalView)
    assert (view.is_requester, view.is_open, view.error) == (
        False,
        True,
        None,
    )
    return view.seen


async def approve(
    scene: Scene, kick: Kick, user: UserId = MAX, shown: Sequence[str] | None = None
) -> Kick | ApprovalView | Verdict:
    """Approve with these fingerprints, or with those of the current request."""
    shown = await seen(scene, kick, user) if shown is None else shown
    return await scene.approval_service.approve(kick.id, user, shown)


def refusals(scene: Scene) -> list[tuple[UserId | None, str, KickId | None]]:
    """Return the recorded refusals."""
    events = [event for event in scene.store.log if event.kind is EventKind.REFUSED]
    return [(event.actor, event.note, event.kick_id) for event in events]


async def nothing_happened(scene: Scene, kick: Kick) -> None:
    """Check that the kick is unchanged, and that only its card was delivered."""
    await scene.spawn.finish()
    assert scene.stored(kick) == kick
    assert scene.gateway.sent == []
    assert scene.notifier.kinds() == [MessageKind.CARD]


# --- opening


@pytest.mark.parametrize(("user", "role"), [(MAX, "moderator"), (LEA, "lead"), (AVA, "moderator")])
async def test_who_may_decide_is_shown_the_request_as_it_is_now(
    scene: Scene, user: UserId, role: str
) -> None:
    kick = await scene.waiting()
    scene.gateway.reads.clear()
    scene.change(BOB_ROW, left_at=NOW)
    view = await scene.approval_service.open_request(kick.id, user)
    assert isinstance(view, ApprovalView)
    assert (view.kick, view.is_requester, view.session) == (
        kick,
        False,
        LIVE,
    )
    assert view.verdict == Verdict(VerdictKind.ALLOWED, f"{role} in Weekly AMA")
    assert [candidate.status for candidate in view.candidates] == [
        CandidateStatus.LIVE,
        CandidateStatus.LEFT,
    ]
    assert (len(view.seen), view.changed, view.error) == (2, False, None)
    assert scene.gateway.reads == [("active_session", True), ("find", True)]
    await nothing_happened(scene, kick)
    assert refusals(scene) == []


async def test_whoever_asked_sees_it_and_may_only_take_it_back(scene: Scene) -> None:
    kick = await scene.waiting()
    view = await scene.approval_service.open_request(kick.id, BEN)
    assert isinstance(view, ApprovalView)
    assert (view.is_requester, view.is_open) == (True, True)
    assert view.verdict == Verdict(VerdictKind.REFUSED, OWN_REQUEST)
    assert [candidate.status for candidate in view.candidates] == [
        CandidateStatus.LIVE,
        CandidateStatus.LIVE,
    ]
    assert refusals(scene) == []


async def test_whoever_asked_and_lost_their_role_may_still_take_it_back(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.policy = replace(scene.policy, grants=(scene.policy.grants[0],))
    scene.use(scene.process("two"))
    assert isinstance(await scene.approval_service.open_request(kick.id, BEN), ApprovalView)
    cancelled = await scene.approval_service.cancel(kick.id, BEN)
    assert isinstance(cancelled, Kick)


STRANGERS = [
    pytest.param(EVE, AccountStatus.MEMBER, "no role", id="a stranger"),
    pytest.param(UserId("U9"), AccountStatus.MEMBER, "A helper may ask", id="another helper"),
    pytest.param(MAX, AccountStatus.DEACTIVATED, "deactivated", id="deactivated"),
    pytest.param(MAX, AccountStatus.GUEST, "a guest", id="a guest"),
    pytest.param(LEA, AccountStatus.BOT, "a bot", id="a bot"),
    pytest.param(LEA, AccountStatus.OUTSIDER, "another workspace", id="an outsider"),
    pytest.param(BEN, AccountStatus.DEACTIVATED, "deactivated", id="whoever asked, deactivated"),
    pytest.param(BEN, AccountStatus.OUTSIDER, "another workspace", id="whoever asked, an outsider"),
]
CLICKS = ["open", "approve", "deny", "cancel"]


async def click(scene: Scene, name: str, kick_id: KickId, user: UserId) -> object:
    """Call one of the four use cases, with nothing but the id of the kick."""
    service = scene.approval_service
    if name == "approve":
        return await service.approve(kick_id, user, ("?", "?"))
    if name == "deny":
        return await service.deny(kick_id, user, "")
    return await (service.open_request if name == "open" else service.cancel)(kick_id, user)


@pytest.mark.parametrize("name", CLICKS)
@pytest.mark.parametrize(("user", "standing", "word"), STRANGERS)
async def test_who_may_not_decide_is_refused_in_words_and_on_record(
    scene: Scene, name: str, user: UserId, standing: AccountStatus, word: str
) -> None:
    scene.policy = replace(
        scene.policy,
        grants=(*scene.policy.grants, Grant(HELPERS, frozenset(), Role.HELPER)),
    )
    scene.use(scene.process("two"))
    kick = await scene.waiting()
    scene.gateway.reads.clear()
    scene.directory.add(user, standing=standing)
    refused = await click(scene, name, kick.id, user)
    assert isinstance(refused, Verdict)
    assert (refused.kind, word in refused.reason) == (VerdictKind.REFUSED, True)
    assert refusals(scene) == [(user, refused.reason, kick.id)]
    assert scene.gateway.reads == []
    await nothing_happened(scene, kick)


@pytest.mark.parametrize("name", CLICKS)
async def test_a_moderator_of_another_meeting_decides_nothing_here(scene: Scene, name: str) -> None:
    elsewhere = Grant(frozenset({EVE}), frozenset(), Role.LEAD, ("Board",))
    scene.policy = replace(scene.policy, grants=(*scene.policy.grants, elsewhere))
    scene.use(scene.process("two"))
    kick = await scene.waiting()
    refused = await click(scene, name, kick.id, EVE)
    assert isinstance(refused, Verdict)
    assert "no role in Weekly AMA" in refused.reason
    await nothing_happened(scene, kick)


@pytest.mark.parametrize("name", CLICKS)
@pytest.mark.parametrize("user", [MAX, EVE])
async def test_a_forged_button_is_answered_and_changes_nothing(
    scene: Scene, name: str, user: UserId
) -> None:
    refused = await click(scene, name, KickId("forged"), user)
    assert refused == Verdict(VerdictKind.REFUSED, UNKNOWN_REQUEST)
    assert refusals(scene) == [(user, UNKNOWN_REQUEST, KickId("forged"))]
    assert (scene.store.kicks, scene.gateway.reads) == ({}, [])


@pytest.mark.parametrize("name", CLICKS)
@pytest.mark.parametrize("user", [EVE, BEN])
async def test_a_refusal_is_heard_though_it_could_not_be_put_on_record(
    scene: Scene, name: str, user: UserId, caplog: pytest.LogCaptureFixture
) -> None:
    class NoRecord(FlakyStore):
        async def record_event(self, event: Event) -> None:
            raise StoreUnavailable(f"the database is full: {event.kind}")

    scene.store = NoRecord()
    scene.use(scene.process("two"))
    kick = await scene.waiting()
    scene.directory.add(BEN, standing=AccountStatus.GUEST)
    assert isinstance(await click(scene, name, kick.id, user), Verdict)
    assert "not on record: the database is full" in caplog.text


@pytest.mark.parametrize("name", CLICKS)
async def test_that_slack_can_not_be_read_is_raised_and_nothing_is_decided(
    scene: Scene, name: str
) -> None:
    kick = await scene.waiting()
    scene.directory.error = "timeout"
    with pytest.raises(DirectoryUnavailable):
        await click(scene, name, kick.id, MAX)
    await nothing_happened(scene, kick)


@pytest.mark.parametrize("name", CLICKS)
async def test_a_membership_a_minute_old_decides_nothing(scene: Scene, name: str) -> None:
    kick = await scene.waiting()
    scene.directory.read_delay = 60
    assert isinstance(await click(scene, name, kick.id, MAX), Verdict)
    await nothing_happened(scene, kick)


# --- approving


@pytest.mark.parametrize("user", [MAX, LEA])
async def test_an_approved_request_is_carried_out_and_told(scene: Scene, user: UserId) -> None:
    kick = await scene.waiting()
    scene.clock.advance(42)
    approved = await approve(scene, kick, user)
    assert isinstance(approved, Kick)
    assert (approved.state, approved.approver) == (State.READY, user)
    assert approved.decided_at == scene.clock.now()
    assert scene.gateway.sent == []
    await scene.spawn.finish()
    done = scene.result()
    assert (done.state, done.approver, outcomes(done)) == (State.DONE, user, [KICKED, KICKED])
    assert sorted(scene.gateway.sent) == ["p1", "p2"]
    [event] = [event for event in scene.store.log if event.kind is EventKind.APPROVED]
    assert (event.actor, event.kick_id) == (user, kick.id)
    assert "in Weekly AMA" in event.note
    assert scene.notifier.delivered[-1][1] == done


@pytest.mark.parametrize("requester", [BEN, AVA, LEA])
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("session", [LIVE, LATER, None])
async def test_nobody_approves_their_own_request_not_even_a_lead(
    scene: Scene, requester: UserId, session: Session | None, *, shown: bool
) -> None:
    kick = await scene.waiting(requester=requester, needs_approval=True)
    view = await scene.approval_service.open_request(kick.id, requester)
    assert isinstance(view, ApprovalView)
    scene.gateway.sessions.clear()
    if session:
        scene.gateway.go_live(session, ANN_ROW, BOB_ROW)
    refused = await scene.approval_service.approve(kick.id, requester, view.seen if shown else ())
    assert refused == Verdict(VerdictKind.REFUSED, OWN_REQUEST)
    assert refusals(scene) == [(requester, OWN_REQUEST, kick.id)]
    await nothing_happened(scene, kick)


@pytest.mark.parametrize(
    ("age", "state"), [(600 - 1e-6, State.READY), (600, State.EXPIRED), (9999, State.EXPIRED)]
)
async def test_an_approval_loses_against_a_deadline_that_passed(
    scene: Scene, age: float, state: State
) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    scene.clock.advance(age)
    answer = await approve(scene, kick, MAX, shown)
    assert scene.stored(kick).state is state
    if state is State.EXPIRED:
        assert isinstance(answer, ApprovalView)
        assert answer.kick == scene.stored(kick)
        assert not answer.is_open
    await scene.spawn.finish()
    assert bool(scene.gateway.sent) is (state is State.READY)


async def test_a_deadline_that_comes_while_everything_is_judged_wins(scene: Scene) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    scene.clock.advance(599)

    def slow(session: SessionId) -> Sequence[Peer]:
        scene.clock.advance(5)
        return scene.gateway.rows_of(session)

    scene.gateway.on_roster = slow
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert answer.kick.state is State.EXPIRED
    await scene.spawn.finish()
    assert scene.result().state is State.EXPIRED
    assert scene.gateway.sent == []


async def test_whoever_opens_a_request_whose_time_is_over_ends_it_right_there(
    scene: Scene,
) -> None:
    kick = await scene.waiting()
    scene.clock.advance(600)
    scene.gateway.reads.clear()
    view = await scene.approval_service.open_request(kick.id, MAX)
    assert isinstance(view, ApprovalView)
    assert (view.kick.state, view.candidates) == (State.EXPIRED, ())
    assert scene.gateway.reads == []
    await scene.spawn.finish()
    assert scene.result() == view.kick
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.CARD, MessageKind.REQUESTER]


async def test_a_request_whose_time_is_over_is_ended_once(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.clock.advance(600)
    other = scene.process("two")
    views = await asyncio.gather(
        scene.approval_service.open_request(kick.id, MAX),
        other.approval_service.open_request(kick.id, LEA),
        other.approval_service.cancel(kick.id, BEN),
    )
    assert {one.kick.state for one in views if isinstance(one, ApprovalView)} == {State.EXPIRED}
    assert len(views) == 3
    await scene.spawn.finish()
    assert [event.kind for event in scene.store.log].count(EventKind.EXPIRED) == 1


# --- changes since the request was shown


@pytest.mark.parametrize("row", [ANN_ROW, BOB_ROW])
@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Anna"},
        {"preset": "presenter"},
        {"preset": "host"},
        {"custom_id": CustomId("staff-7")},
        {"preset": None},
    ],
)
async def test_who_is_not_as_they_were_shown_is_shown_again_instead(
    scene: Scene, row: Peer, changes: dict[str, object]
) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    scene.change(row, **changes)
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert (answer.changed, answer.verdict.is_allowed) == (True, True)
    assert answer.seen != shown
    await nothing_happened(scene, kick)
    again = await approve(scene, kick, MAX, answer.seen)
    assert isinstance(again, Kick)


async def test_what_changed_before_it_was_shown_is_no_change(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.change(ANN_ROW, name="Anna", preset="presenter")
    assert isinstance(await approve(scene, kick), Kick)


async def test_each_approver_is_held_to_what_they_were_shown_themselves(scene: Scene) -> None:
    kick = await scene.waiting()
    before = await seen(scene, kick, MAX)
    scene.change(ANN_ROW, name="Anna")
    later = await seen(scene, kick, LEA)
    assert isinstance(await approve(scene, kick, MAX, before), ApprovalView)
    assert isinstance(await approve(scene, kick, LEA, later), Kick)


@pytest.mark.parametrize("shown", [(), ("x",), ("x", "y"), ("x", "y", "z"), ("?", "?")])
async def test_an_approval_of_something_else_is_shown_first(
    scene: Scene, shown: tuple[str, ...]
) -> None:
    kick = await scene.waiting()
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert answer.changed
    await nothing_happened(scene, kick)


@pytest.mark.parametrize("gone", [True, False], ids=["row is gone", "row has left"])
async def test_someone_who_left_is_no_reason(scene: Scene, *, gone: bool) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    if gone:
        scene.gateway.rows[LIVE.id].remove(ANN_ROW)
    else:
        scene.change(ANN_ROW, left_at=NOW)
    assert isinstance(await approve(scene, kick, MAX, shown), Kick)
    await scene.spawn.finish()
    # A row that is gone proves nothing.
    outcome = Outcome.UNKNOWN if gone else Outcome.GONE
    assert outcomes(scene.result()) == [(outcome, OutcomeReason.NOT_FOUND), KICKED]


async def test_someone_who_comes_back_under_the_same_name_is_none_either(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.gateway.rows[LIVE.id].remove(ANN_ROW)
    shown = await seen(scene, kick)
    scene.gateway.rows[LIVE.id].append(peer("e9", "p1", "c1", name="Ann", joined=3))
    assert isinstance(await approve(scene, kick, MAX, shown), Kick)


async def test_someone_who_comes_back_under_another_name_is_shown_again(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.gateway.rows[LIVE.id].remove(ANN_ROW)
    shown = await seen(scene, kick)
    scene.gateway.rows[LIVE.id].append(peer("e9", "p1", "c1", name="The boss", joined=3))
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert answer.changed


async def test_all_records_of_one_custom_id_are_what_the_approver_saw(scene: Scene) -> None:
    # The first row has no participant id, so the custom id is what will be kicked.
    scene.gateway.rows[LIVE.id].append(peer("e7", None, "c7", name="Guest", joined=-5))
    kick = await scene.waiting(Target(None, CustomId("c7"), "Guest", "guest"))
    shown = await seen(scene, kick)
    scene.gateway.rows[LIVE.id].append(peer("e8", "p8", "c7", name="The boss", joined=-90))
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert answer.changed
    names = {one.person.name for one in answer.candidates if one.person}
    assert names == {"Guest", "The boss"}
    assert isinstance(await approve(scene, kick, MAX, answer.seen), Kick)


async def test_what_the_approver_is_shown_tells_people_apart(scene: Scene) -> None:
    kick = await scene.waiting()
    ann, bob = await seen(scene, kick)
    assert ann != bob
    # The value of a button and the metadata of a view have a limited length.
    assert len(ann) == len(bob) == 16


# --- evaluated again


async def test_with_everybody_protected_by_now_there_is_nothing_to_approve(scene: Scene) -> None:
    kick = await scene.waiting()
    for row in (ANN_ROW, BOB_ROW):
        scene.change(row, preset="host")
    shown = await seen(scene, kick)
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert "protects everybody" in answer.verdict.reason
    assert [candidate.status for candidate in answer.candidates] == [CandidateStatus.PROTECTED] * 2
    await nothing_happened(scene, kick)


async def test_one_who_is_protected_by_now_is_spared_and_the_other_is_not(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.change(ANN_ROW, preset="host")
    assert isinstance(await approve(scene, kick), Kick)
    await scene.spawn.finish()
    assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.PROTECTED), KICKED]


@pytest.mark.parametrize("standing", [AccountStatus.DEACTIVATED, AccountStatus.OUTSIDER])
async def test_a_request_of_somebody_who_may_not_ask_any_more_is_not_approved(
    scene: Scene, standing: AccountStatus
) -> None:
    kick = await scene.waiting()
    scene.directory.add(BEN, standing=standing)
    answer = await approve(scene, kick)
    assert isinstance(answer, ApprovalView)
    assert "Whoever asked may not any more" in answer.verdict.reason
    await nothing_happened(scene, kick)
    assert isinstance(await scene.approval_service.deny(kick.id, MAX, ""), Kick)


async def test_a_request_of_somebody_who_lost_their_role_is_not_approved(scene: Scene) -> None:
    kick = await scene.waiting()
    grants = (scene.policy.grants[0], *scene.policy.grants[2:])
    scene.policy = replace(scene.policy, grants=grants)
    scene.use(scene.process("two"))
    answer = await approve(scene, kick)
    assert isinstance(answer, ApprovalView)
    assert "no role" in answer.verdict.reason
    await nothing_happened(scene, kick)


async def test_a_request_for_an_absent_person_with_a_protected_preset_is_not_approved(
    scene: Scene,
) -> None:
    kick = await scene.waiting()
    rules = replace(scene.policy.rules, protected=Protected(frozenset({"guest"})))
    scene.policy = replace(scene.policy, rules=rules)
    scene.use(scene.process("two"))
    scene.gateway.rows[LIVE.id] = [replace(ANN_ROW, preset="speaker")]
    answer = await approve(scene, kick)
    assert isinstance(answer, ApprovalView)
    assert answer.verdict.reason.endswith("The policy protects Bob.")
    await nothing_happened(scene, kick)


async def test_only_what_was_asked_before_counts_towards_the_quota() -> None:
    scene = Scene(Rules(quota=Quota(2, TEN)))
    scene.directory.cached.clear()
    kicks = [await scene.waiting(needs_approval=True) for _ in range(2)]
    assert isinstance(await approve(scene, kicks[0]), Kick)
    await scene.spawn.finish()
    answer = await approve(scene, kicks[1])
    assert isinstance(answer, ApprovalView)
    assert "allows one moderator 2" in answer.verdict.reason


@pytest.mark.parametrize("session", [LATER, None])
async def test_a_session_that_is_over_can_not_be_approved_but_denied(
    scene: Scene, session: Session | None
) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    scene.gateway.sessions.clear()
    if session:
        scene.gateway.go_live(session, ANN_ROW, BOB_ROW)
    view = await scene.approval_service.open_request(kick.id, MAX)
    assert isinstance(view, ApprovalView)
    assert (view.verdict.reason, view.candidates) == (SESSION_ENDED, ())
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert answer.verdict == Verdict(VerdictKind.REFUSED, SESSION_ENDED)
    await nothing_happened(scene, kick)
    assert isinstance(await scene.approval_service.deny(kick.id, MAX, ""), Kick)


async def test_whoever_asked_can_take_it_back_when_the_session_is_over(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.gateway.sessions.clear()
    view = await scene.approval_service.open_request(kick.id, BEN)
    assert isinstance(view, ApprovalView)
    assert (view.verdict.reason, view.is_open) == (OWN_REQUEST, True)
    assert isinstance(await scene.approval_service.cancel(kick.id, BEN), Kick)


async def test_a_request_made_where_no_session_was_seen_goes_into_the_one_there_is(
    scene: Scene,
) -> None:
    kick = await scene.waiting(session_id=None)
    assert isinstance(await approve(scene, kick), Kick)
    await scene.spawn.finish()
    assert scene.result().session_id == LIVE.id


async def test_a_request_without_any_session_is_judged_by_its_meeting(scene: Scene) -> None:
    kick = await scene.waiting(session_id=None)
    scene.gateway.sessions.clear()
    view = await scene.approval_service.open_request(kick.id, MAX)
    assert isinstance(view, ApprovalView)
    assert (view.session, view.verdict.is_allowed) == (None, True)
    assert [candidate.status for candidate in view.candidates] == [CandidateStatus.NOWHERE] * 2


async def test_one_of_the_records_under_a_custom_id_stands_for_it(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "Nine", "guest")
    scene.gateway.rows[LIVE.id] += [peer("e8", "p8", "c9"), peer("e9", "p9", "c9")]
    kick = await scene.waiting(shared)
    assert isinstance(await approve(scene, kick), Kick)


# --- RealtimeKit can't be read


@pytest.mark.parametrize("read", ["active_session", "find"])
@pytest.mark.parametrize(
    "error", [OutcomeUnknown("500"), NotSent("down"), RateLimited("429"), Rejected("401")]
)
async def test_without_a_look_at_the_session_nobody_approves_but_anybody_denies(
    scene: Scene, read: str, error: GatewayError
) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    scene.gateway.errors[read] = [error, error]
    view = await scene.approval_service.open_request(kick.id, MAX)
    assert isinstance(view, ApprovalView)
    assert (view.error, view.candidates, view.seen) == (error, (), ())
    answer = await approve(scene, kick, MAX, shown)
    assert isinstance(answer, ApprovalView)
    assert answer.error == error
    await nothing_happened(scene, kick)
    scene.gateway.errors[read] = [error]
    denied = await scene.approval_service.deny(kick.id, MAX, "later")
    assert isinstance(denied, Kick)
    assert denied.state is State.DENIED


# --- denying


@pytest.mark.parametrize("note", ["", "not now: *later* <!channel>"])
async def test_a_denied_request_is_over_and_whoever_asked_hears_why(
    scene: Scene, note: str
) -> None:
    kick = await scene.waiting()
    denied = await scene.approval_service.deny(kick.id, MAX, note)
    assert isinstance(denied, Kick)
    assert (denied.state, denied.approver, denied.refusal) == (State.DENIED, MAX, note)
    await scene.spawn.finish()
    assert scene.result() == denied
    assert scene.store.log[-1] == Event(NOW, EventKind.DENIED, MAX, note, kick.id)
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.CARD, MessageKind.REQUESTER]
    assert (scene.gateway.sent, scene.gateway.reads) == ([], [])


async def test_nobody_denies_their_own_request(scene: Scene) -> None:
    kick = await scene.waiting(requester=LEA, needs_approval=True)
    assert await scene.approval_service.deny(kick.id, LEA, "") == Verdict(
        VerdictKind.REFUSED, OWN_REQUEST
    )
    assert refusals(scene) == [(LEA, OWN_REQUEST, kick.id)]
    await nothing_happened(scene, kick)


# --- cancelling


async def test_whoever_asked_takes_it_back_and_needs_not_be_told(scene: Scene) -> None:
    kick = await scene.waiting()
    cancelled = await scene.approval_service.cancel(kick.id, BEN)
    assert isinstance(cancelled, Kick)
    assert (cancelled.state, cancelled.done_at) == (State.CANCELLED, NOW)
    await scene.spawn.finish()
    assert scene.store.log[-1] == Event(NOW, EventKind.CANCELLED, BEN, "", kick.id)
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.CARD]
    assert scene.gateway.sent == []


@pytest.mark.parametrize("user", [MAX, LEA])
async def test_nobody_takes_back_what_somebody_else_asked_for(scene: Scene, user: UserId) -> None:
    kick = await scene.waiting()
    refused = await scene.approval_service.cancel(kick.id, user)
    assert isinstance(refused, Verdict)
    assert refusals(scene) == [(user, refused.reason, kick.id)]
    await nothing_happened(scene, kick)


# --- decided before


@pytest.mark.parametrize("first", ["approve", "deny", "cancel"])
@pytest.mark.parametrize("then", CLICKS)
@pytest.mark.parametrize("user", [LEA, MAX, BEN])
async def test_a_late_click_hears_how_it_was_decided_and_changes_nothing(
    scene: Scene, first: str, then: str, user: UserId
) -> None:
    kick = await scene.waiting()
    if first == "approve":
        await approve(scene, kick)
    else:
        await click(scene, first, kick.id, BEN if first == "cancel" else MAX)
    decided = scene.stored(kick)
    assert decided.state is not State.WAITING
    answer = await click(scene, then, kick.id, user)
    if then == "cancel" and user is not BEN:
        assert isinstance(answer, Verdict)
    else:
        assert isinstance(answer, ApprovalView)
        assert (answer.kick, answer.is_open) == (decided, False)
    assert scene.stored(kick) == decided
    await scene.spawn.finish()
    assert len(scene.gateway.sent) == (2 if first == "approve" else 0)


ROUNDS = [("approve", "approve"), ("approve", "deny"), ("deny", "deny"), ("approve", "cancel")]


@pytest.mark.parametrize("pair", ROUNDS)
@pytest.mark.parametrize("swapped", [False, True])
async def test_of_two_at_once_in_two_processes_one_decides_and_the_other_hears_who(
    scene: Scene, pair: tuple[str, str], *, swapped: bool
) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    sides = [scene.approval_service, scene.process("two").approval_service]
    users = [MAX, BEN if "cancel" in pair else LEA]

    async def press(at: int) -> Kick | ApprovalView | Verdict:
        if pair[at] == "approve":
            return await sides[at].approve(kick.id, users[at], shown)
        if pair[at] == "deny":
            return await sides[at].deny(kick.id, users[at], "")
        return await sides[at].cancel(kick.id, users[at])

    order = [1, 0] if swapped else [0, 1]
    answers = await asyncio.gather(*(press(at) for at in order))
    [decided] = [one for one in answers if isinstance(one, Kick)]
    [heard] = [one for one in answers if isinstance(one, ApprovalView)]
    assert heard.kick == decided == scene.stored(kick)
    await scene.spawn.finish()
    wanted = 2 if decided.state is State.READY else 0
    assert (len(scene.gateway.sent), len(set(scene.gateway.sent))) == (wanted, wanted)
    decisions = {EventKind.APPROVED, EventKind.DENIED, EventKind.CANCELLED}
    assert len([event for event in scene.store.log if event.kind in decisions]) == 1


async def test_a_double_click_decides_once(scene: Scene) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    answers = await asyncio.gather(
        *(scene.approval_service.approve(kick.id, MAX, shown) for _ in range(3))
    )
    assert [type(one) for one in answers].count(Kick) == 1
    await scene.spawn.finish()
    assert sorted(scene.gateway.sent) == ["p1", "p2"]


async def test_one_card_never_decides_another_request(scene: Scene) -> None:
    scene.gateway.rows[LIVE.id].append(peer("e3", "p3", "c3", name="Cem"))
    cem = Target(ParticipantId("p3"), CustomId("c3"), "Cem", "guest")
    first, second = await scene.waiting(ANN), await scene.waiting(cem)
    shown = await seen(scene, first)
    # The fingerprints of one request must not approve another one.
    assert isinstance(await approve(scene, second, MAX, shown), ApprovalView)
    assert isinstance(await approve(scene, second), Kick)
    await scene.spawn.finish()
    assert scene.stored(first) == first
    assert scene.gateway.sent == ["p3"]


async def test_how_a_kick_stands_by_now_is_read_again(scene: Scene) -> None:
    kick = await scene.waiting()
    await scene.approval_service.deny(kick.id, MAX, "")
    assert await scene.approval_service.refresh(kick) == scene.stored(kick)
    unknown = replace(kick, id=KickId("none"))
    assert await scene.approval_service.refresh(unknown) == unknown


# --- a store that fails


@pytest.mark.parametrize(
    "kind", [EventKind.APPROVED, EventKind.DENIED, EventKind.CANCELLED, EventKind.EXPIRED]
)
async def test_a_decision_that_is_not_stored_is_none(scene: Scene, kind: EventKind) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    if kind is EventKind.EXPIRED:
        scene.clock.advance(600)
    scene.store.down[kind] = 1
    with pytest.raises(StoreUnavailable):
        await decide(scene, kind, kick, shown)
    await nothing_happened(scene, kick)
    await decide(scene, kind, kick, shown)
    assert scene.stored(kick).state is not State.WAITING


async def decide(scene: Scene, kind: EventKind, kick: Kick, shown: Sequence[str]) -> object:
    """Make the decision that this event records."""
    if kind is EventKind.DENIED:
        return await scene.approval_service.deny(kick.id, MAX, "")
    if kind is EventKind.CANCELLED:
        return await scene.approval_service.cancel(kick.id, BEN)
    return await scene.approval_service.approve(kick.id, MAX, shown)


@pytest.mark.parametrize(
    "kind", [EventKind.APPROVED, EventKind.DENIED, EventKind.CANCELLED, EventKind.EXPIRED]
)
async def test_a_decision_whose_commit_was_lost_stands_and_is_carried_on(
    scene: Scene, kind: EventKind
) -> None:
    kick = await scene.waiting()
    shown = await seen(scene, kick)
    if kind is EventKind.EXPIRED:
        scene.clock.advance(600)
    scene.store.lost[kind] = 1
    with pytest.raises(StoreUnavailable):
        await decide(scene, kind, kick, shown)
    answer = await decide(scene, kind, kick, shown)
    assert isinstance(answer, ApprovalView)
    assert not answer.is_open
    for seconds in (5, 25):
        scene.clock.advance(seconds)
        await scene.tick()
    ended = scene.stored(kick)
    if kind is EventKind.APPROVED:
        assert (ended.state, outcomes(ended)) == (State.DONE, [KICKED, KICKED])
    assert scene.notifier.delivered[-1][1] == ended
    assert {message.due_at for message in scene.store.messages.values()} == {None}


async def test_evidence_holds_for_an_approved_kick_too(scene: Scene) -> None:
    kick = await scene.waiting(ANN)

    def lost(wanted: str) -> Sequence[str]:
        scene.gateway.remove(wanted)
        raise OutcomeUnknown("reset")

    scene.gateway.on_kick = lost
    await approve(scene, kick)
    await scene.spawn.finish()
    assert outcomes(scene.result()) == [(Outcome.GONE, OutcomeReason.LEFT)]
