import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.event import Event, EventKind
from bot.core.kick import OPEN, Kick, KickId, State, UserId
from bot.core.kick_service import ASK_NOW, FAILED_EACH_TIME, SubmitResult
from bot.core.outbox_message import MessageKind
from bot.core.policy import AccountStatus, Quota, Rules, SecondPerson, Verdict, VerdictKind
from bot.core.ports import (
    DirectoryUnavailable,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StoreUnavailable,
)
from bot.core.retries import MAX_FAILURES
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    PeerId,
    Session,
    SessionId,
)
from bot.core.runner import STORE_ATTEMPTS
from bot.core.service import NO_APPROVALS_CHANNEL
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from tests.fakes import NOW, TEAM, FakeNotifier, after, peer
from tests.scene import (
    AMA,
    ANN,
    ANN_ROW,
    AVA,
    BEN,
    BOB,
    BOB_ROW,
    CHANNEL,
    EVE,
    GUARDED,
    KICKED,
    LATER,
    LEA,
    LIVE,
    MAX,
    Scene,
    outcomes,
)


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- submit


async def test_a_review_that_is_sent_becomes_a_ready_kick(scene: Scene) -> None:
    draft = await scene.draft(repeats=3)
    proposed = await scene.kick_service.submit(draft.id, "view 1", AVA)
    assert isinstance(proposed, SubmitResult)
    assert proposed.created
    kick = proposed.kick
    assert (kick.state, kick.number, kick.version, kick.idempotency_key) == (
        State.READY,
        1,
        1,
        "view 1",
    )
    assert (kick.team_id, kick.app_id, kick.channel_id) == (TEAM, "app", CHANNEL)
    assert (kick.meeting, kick.session_id, kick.targets) == (AMA, LIVE.id, (ANN, BOB))
    assert (kick.requester, kick.reason, kick.created_at, kick.repeats) == (AVA, "spam", NOW, 3)
    assert (kick.expires_at, kick.approval_requested) == (None, False)
    assert scene.store.log == [Event(NOW, EventKind.ASKED, AVA, "2 in Weekly AMA: spam", kick.id)]
    assert scene.directory.reads == []
    assert scene.gateway.reads == []


@pytest.mark.parametrize("age", [60, 3600])
async def test_who_is_not_known_for_sure_is_judged_when_the_kick_runs(
    scene: Scene, age: int
) -> None:
    scene.clock.advance(age)
    assert (await scene.ready()).state is State.READY
    scene.directory.cached.clear()
    assert (await scene.ready()).state is State.READY


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"reason": ""}, "wants a reason"),
        ({"targets": (replace(ANN, preset="host"),)}, "protects Ann"),
        ({"requester": EVE}, "gives you no role"),
        ({"targets": ()}, "Nobody is left"),
        ({"meeting": Meeting(MeetingId("m2"), "Board")}, "no role in Board"),
    ],
)
async def test_what_the_policy_does_not_allow_is_refused_in_words_and_kept(
    scene: Scene, changes: dict[str, object], word: str
) -> None:
    draft = await scene.draft(**changes)
    proposed = await scene.kick_service.submit(draft.id, "view 1", draft.requester)
    assert isinstance(proposed, SubmitResult)
    kick = proposed.kick
    assert (kick.state, kick.done_at) == (State.REFUSED, NOW)
    assert word in kick.refusal
    assert scene.stored(kick) == kick
    assert [(event.kind, event.note) for event in scene.store.log] == [
        (EventKind.REFUSED, kick.refusal)
    ]


@pytest.mark.parametrize("user", [BEN, LEA])
async def test_a_review_is_sent_by_nobody_but_whom_it_was_shown_to(
    scene: Scene, user: UserId
) -> None:
    draft = await scene.draft()
    verdict = await scene.kick_service.submit(draft.id, "view 1", user)
    assert isinstance(verdict, Verdict)
    assert (verdict.kind, "not yours" in verdict.reason) == (VerdictKind.REFUSED, True)
    assert scene.store.kicks == {}
    assert scene.store.log == [Event(NOW, EventKind.REFUSED, user, verdict.reason)]


async def test_a_review_that_is_not_kept_any_more_is_refused(scene: Scene) -> None:
    assert isinstance(await scene.kick_service.submit("none", "view 1", AVA), Verdict)
    assert scene.store.kicks == {}


async def test_the_same_view_sent_twice_is_one_kick_that_runs_once(scene: Scene) -> None:
    draft = await scene.draft()
    first, second = await asyncio.gather(
        scene.kick_service.submit(draft.id, "view 1", AVA),
        scene.kick_service.submit(draft.id, "view 1", AVA),
    )
    assert isinstance(first, SubmitResult)
    assert isinstance(second, SubmitResult)
    assert first.kick == second.kick
    assert [first.created, second.created] == [True, False]
    assert len(scene.store.kicks) == 1
    scene.kick_service.start(first.kick)
    scene.kick_service.start(first.kick)
    await scene.spawn.finish()
    assert sorted(scene.gateway.sent) == ["p1", "p2"]
    assert outcomes(scene.result()) == [KICKED, KICKED]


async def test_the_same_view_sent_again_later_shows_how_the_kick_stands(scene: Scene) -> None:
    kick = await scene.carry_out()
    again = await scene.kick_service.submit("draft 0", kick.idempotency_key, AVA)
    assert again == SubmitResult(kick, created=False)
    assert kick.state is State.DONE


async def test_a_view_may_be_sent_again_after_its_kick_was_given_a_session(scene: Scene) -> None:
    scene.gateway.stored_records[AMA.id] = [Participant(ANN.participant_id, None, "Ann", "guest")]
    kick = await scene.carry_out(ANN, session_id=None)
    assert kick.session_id == LIVE.id
    again = await scene.kick_service.submit("draft 0", kick.idempotency_key, AVA)
    assert again == SubmitResult(kick, created=False)


@pytest.mark.parametrize(
    "changes", [{"targets": (ANN,)}, {"reason": "rude"}, {"session_id": LATER.id}]
)
async def test_the_same_view_with_other_content_changes_nothing(
    scene: Scene, changes: dict[str, object]
) -> None:
    kick = await scene.ready()
    other = await scene.draft(**changes)
    verdict = await scene.kick_service.submit(other.id, kick.idempotency_key, AVA)
    assert isinstance(verdict, Verdict)
    assert "already used" in verdict.reason
    assert scene.store.kicks == {kick.id: kick}
    assert scene.store.log[-1] == Event(NOW, EventKind.REFUSED, AVA, verdict.reason)


# --- run


async def test_a_ready_kick_is_claimed_called_and_told(scene: Scene) -> None:
    kick = await scene.carry_out()
    assert (kick.state, kick.owner, kick.session_id, kick.number) == (State.DONE, "one", LIVE.id, 1)
    assert outcomes(kick) == [KICKED, KICKED]
    assert [event.kind for event in scene.store.log] == [
        EventKind.ASKED,
        EventKind.CLAIMED,
        EventKind.CALLED,
        EventKind.CALLED,
        EventKind.SETTLED,
        EventKind.SETTLED,
        EventKind.FINISHED,
    ]
    assert scene.notifier.shown == [kick]


async def test_right_before_the_calls_everything_is_read_anew(scene: Scene) -> None:
    await scene.carry_out()
    assert scene.directory.reads == [True]
    assert scene.gateway.reads == [("active_session", True), ("find", True)]


async def test_a_kick_is_claimed_in_the_store_before_anything_is_called(scene: Scene) -> None:
    states: list[State] = []

    def look(wanted: str) -> Sequence[str]:
        states.extend(kick.state for kick in scene.store.kicks.values())
        return [wanted]

    scene.gateway.on_kick = look
    await scene.carry_out(ANN)
    assert states == [State.RUNNING]


async def test_two_processes_that_run_the_same_kick_call_each_target_once(scene: Scene) -> None:
    kick = await scene.ready()
    scene.kick_service.start(kick)
    scene.process("two").kick_service.start(kick)
    await scene.spawn.finish()
    assert sorted(scene.gateway.sent) == ["p1", "p2"]
    assert outcomes(scene.result()) == [KICKED, KICKED]


async def test_lost_answers_are_told_to_be_looked_into_and_then_how_they_ended(
    scene: Scene,
) -> None:
    def lost(wanted: str) -> Sequence[str]:
        scene.gateway.remove(wanted)
        raise OutcomeUnknown("reset")

    scene.gateway.on_kick = lost
    kick = await scene.carry_out()
    assert outcomes(kick) == [(Outcome.GONE, OutcomeReason.LEFT)] * 2
    [shown, ended] = scene.notifier.shown
    assert outcomes(shown) == [(None, None)] * 2
    assert ended == kick


# --- recheck


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        (AccountStatus.DEACTIVATED, "deactivated"),
        (AccountStatus.GUEST, "a guest"),
        (AccountStatus.OUTSIDER, "another workspace"),
    ],
)
async def test_who_lost_their_standing_meanwhile_removes_nobody(
    scene: Scene, standing: AccountStatus, word: str
) -> None:
    kick = await scene.ready()
    scene.directory.add(AVA, standing=standing)
    await scene.run(kick)
    refused = scene.result()
    assert (refused.state, refused.done_at) == (State.REFUSED, NOW)
    assert word in refused.refusal
    assert scene.gateway.sent == []
    assert scene.store.log[-1].kind is EventKind.REFUSED


async def test_who_lost_their_role_meanwhile_removes_nobody(scene: Scene) -> None:
    kick = await scene.ready()
    scene.policy = replace(scene.policy, grants=scene.policy.grants[1:])
    scene.use(scene.process("two"))
    await scene.run(kick)
    assert "no role" in scene.result().refusal
    assert scene.gateway.sent == []


async def test_a_membership_that_cannot_be_read_means_no(scene: Scene) -> None:
    kick = await scene.ready()
    scene.directory.error = "timeout"
    await scene.run(kick)
    assert scene.result().refusal == "Your role could not be checked with Slack (timeout)."
    assert scene.gateway.sent == []


async def test_a_membership_older_than_a_minute_means_no(scene: Scene) -> None:
    kick = await scene.ready()
    scene.directory.read_delay = 60
    await scene.run(kick)
    assert scene.result().state is State.REFUSED
    assert scene.gateway.sent == []


@pytest.mark.parametrize("read", ["active_session", "find"])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OutcomeUnknown("500"), "could not be read right before the kick: 500."),
        (NotSent("down"), "could not be read right before the kick: down."),
        (RateLimited("429"), "asks the bot to wait. Then try again."),
        (Rejected("401"), "refuses the bot: 401. Please tell its operator."),
    ],
)
async def test_a_session_that_cannot_be_read_means_no(
    scene: Scene, read: str, error: Exception, text: str
) -> None:
    kick = await scene.ready()
    scene.gateway.errors[read] = [error]
    await scene.run(kick)
    refused = scene.result()
    assert refused.state is State.REFUSED
    assert text in refused.refusal
    assert scene.gateway.sent == []


@pytest.mark.parametrize(
    ("now", "word"), [(None, "is over: RealtimeKit shows no live session"), (LATER, "another one")]
)
async def test_a_kick_does_not_reach_into_another_session(
    scene: Scene, now: Session | None, word: str
) -> None:
    kick = await scene.ready()
    scene.gateway.sessions.clear()
    if now:
        scene.gateway.go_live(now, ANN_ROW, BOB_ROW)
    await scene.run(kick)
    assert word in scene.result().refusal
    assert scene.gateway.sent == []


async def test_whoever_became_protected_meanwhile_is_spared_and_the_others_are_not(
    scene: Scene,
) -> None:
    kick = await scene.ready()
    scene.change(ANN_ROW, preset="host")
    await scene.run(kick)
    ended = scene.result()
    assert outcomes(ended) == [(Outcome.FAILED, OutcomeReason.PROTECTED), KICKED]
    assert ended.targets[0].detail == "host"
    assert scene.gateway.sent == ["p2"]


async def test_where_everybody_became_protected_nobody_is_removed(scene: Scene) -> None:
    kick = await scene.ready(ANN)
    scene.change(ANN_ROW, preset="host")
    await scene.run(kick)
    assert scene.result().state is State.REFUSED
    assert scene.gateway.sent == []


@pytest.mark.parametrize("user", [AVA, LEA])
async def test_somebody_protected_is_spared_by_whichever_id_they_were_asked_for(
    scene: Scene, user: UserId
) -> None:
    # At the review, the ids were unknown and counted as two people. Now both belong to one host.
    by_custom_id = Target(None, CustomId("c1"), "custom:c1", live=False, protection_checked=False)
    by_id = Target(
        ParticipantId("p1"), None, "participant:p1", live=False, protection_checked=False
    )
    kick = await scene.ready(by_custom_id, by_id, BOB, requester=LEA)
    kick = replace(kick, requester=user)
    scene.store.kicks[kick.id] = kick
    scene.change(ANN_ROW, preset="host")
    await scene.run(kick)
    assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.PROTECTED)] * 2 + [KICKED]
    assert scene.gateway.sent == ["p2"]


async def test_several_protected_records_of_one_custom_id_are_spared_as_one(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, protection_checked=False)
    kick = await scene.ready(shared, BOB, requester=LEA)
    scene.gateway.rows[LIVE.id] += [
        peer("e8", "p8", "c9", preset="host"),
        peer("e9", "p9", "c9", preset="host"),
    ]
    await scene.run(kick)
    assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.PROTECTED), KICKED]


async def test_one_protected_record_of_a_custom_id_protects_all_of_them(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, protection_checked=False)
    kick = await scene.ready(shared, BOB, requester=LEA)
    scene.gateway.rows[LIVE.id] += [peer("e8", "p8", "c9"), peer("e9", "p9", "c9", preset="host")]
    await scene.run(kick)
    assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.PROTECTED), KICKED]
    assert scene.gateway.sent == ["p2"]


@pytest.mark.parametrize("presets", [("host", "guest"), ("guest", "host")])
async def test_a_kick_of_a_custom_id_with_a_protected_record_is_refused(
    scene: Scene, presets: tuple[str, str]
) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, protection_checked=False)
    kick = await scene.ready(shared, requester=LEA)
    scene.gateway.rows[LIVE.id] += [
        peer(f"e{at}", f"p{at}", "c9", preset=preset) for at, preset in enumerate(presets, 8)
    ]
    await scene.run(kick)
    assert scene.result().refusal == "The policy protects them by now (host)."
    assert scene.gateway.sent == []


async def test_connections_of_all_records_of_a_custom_id_are_stored(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, protection_checked=False)
    scene.gateway.rows[LIVE.id] += [peer("e8", "p8", "c9"), peer("e9", "p9", "c9")]
    kick = await scene.carry_out(shared, requester=LEA)
    assert {seen.peer_id for seen in kick.targets[0].peers} == {"e8", "e9"}
    assert scene.gateway.sent == ["c9"]


async def test_whom_protection_can_not_be_checked_of_any_more_takes_a_lead(scene: Scene) -> None:
    kick = await scene.ready()
    scene.change(ANN_ROW, preset=None)
    await scene.run(kick)
    refused = scene.result()
    assert refused.state is State.REFUSED
    assert "could not be checked" in refused.refusal
    assert ASK_NOW in refused.refusal
    assert scene.gateway.sent == []


async def test_whoever_is_not_in_the_list_any_more_takes_a_lead(scene: Scene) -> None:
    kick = await scene.ready(ANN)
    scene.gateway.rows[LIVE.id].remove(ANN_ROW)
    await scene.run(kick)
    assert ASK_NOW in scene.result().refusal


async def test_a_lead_kicks_by_a_known_id_though_the_list_is_empty(scene: Scene) -> None:
    scene.gateway.rows[LIVE.id].clear()
    scene.gateway.on_kick = lambda wanted: [wanted]
    assert outcomes(await scene.carry_out(ANN, requester=LEA)) == [KICKED]


async def test_a_lead_kicks_where_no_session_is_seen(scene: Scene) -> None:
    scene.gateway.sessions.clear()
    scene.gateway.on_kick = lambda wanted: [wanted]
    kick = await scene.carry_out(replace(ANN, live=False), requester=LEA, session_id=None)
    assert (outcomes(kick), kick.session_id) == ([KICKED], None)
    assert scene.gateway.reads == [("active_session", True), ("records", True)]


async def test_whoever_left_between_review_and_kick_is_gone_not_kicked(scene: Scene) -> None:
    kick = await scene.ready(ANN)
    scene.change(ANN_ROW, left_at=NOW)
    await scene.run(kick)
    assert outcomes(scene.result()) == [(Outcome.GONE, OutcomeReason.NOT_FOUND)]


async def test_the_kick_itself_does_not_count_towards_its_quota() -> None:
    scene = Scene(Rules(quota=Quota(2, timedelta(minutes=10))))
    assert outcomes(await scene.carry_out()) == [KICKED, KICKED]


async def test_kicks_made_since_the_review_count_towards_the_quota() -> None:
    scene = Scene(Rules(quota=Quota(3, timedelta(minutes=10))))
    first, second = await scene.draft(), await scene.draft()
    scene.directory.cached.clear()
    kicks = [await scene.kick_service.submit(one.id, one.id, AVA) for one in (first, second)]
    for proposed in kicks:
        assert isinstance(proposed, SubmitResult)
        await scene.run(proposed.kick)
    assert {kick.state for kick, _ in scene.notifier.results} == {State.REFUSED, State.DONE}
    assert sorted(scene.gateway.sent) == ["p1", "p2"]


async def test_of_two_at_once_only_the_second_counts_both_towards_a_bulk() -> None:
    scene = Scene(Rules(second_person=SecondPerson.BULK, bulk=2))
    first, second = await scene.draft(), await scene.draft()
    scene.directory.cached.clear()
    kicks = [await scene.kick_service.submit(one.id, one.id, AVA) for one in (first, second)]
    for proposed in kicks:
        assert isinstance(proposed, SubmitResult)
        await scene.run(proposed.kick)
    assert [kick.state for kick, _ in scene.notifier.results] == [State.DONE, State.REFUSED]


async def test_what_needs_a_second_person_is_refused_in_words_when_it_runs() -> None:
    scene = Scene(Rules(second_person=SecondPerson.ALWAYS))
    scene.directory.cached.clear()
    refused = await scene.carry_out()
    assert refused.state is State.REFUSED
    assert refused.refusal == f"The policy wants a second person for every kick. {ASK_NOW}"
    assert scene.gateway.sent == []


async def test_a_refusal_is_put_on_record_and_returned(scene: Scene) -> None:
    verdict = await scene.kick_service.record_refusal(BEN, "no", KickId("k1"))
    assert verdict == Verdict(VerdictKind.REFUSED, "no")
    assert scene.store.log == [Event(NOW, EventKind.REFUSED, BEN, "no", KickId("k1"))]


# --- expiry


@pytest.mark.parametrize(("age", "state"), [(60, State.DONE), (61, State.EXPIRED)])
async def test_a_kick_that_nobody_took_up_within_a_minute_lapses(
    scene: Scene, age: int, state: State
) -> None:
    kick = await scene.ready()
    scene.clock.advance(age)
    await scene.run(kick)
    assert scene.result().state is state
    assert bool(scene.gateway.sent) is (state is State.DONE)


async def test_a_kick_whose_checks_took_too_long_lapses(scene: Scene) -> None:
    kick = await scene.ready()

    def slow(session: SessionId) -> Sequence[Peer]:
        scene.clock.advance(61)
        scene.directory.add(AVA)
        return scene.gateway.rows_of(session)

    scene.gateway.on_roster = slow
    scene.directory.read_delay = -61
    await scene.run(kick)
    assert scene.result().state is State.EXPIRED
    assert scene.store.log[-1] == Event(
        scene.clock.now(), EventKind.EXPIRED, None, "not claimed in time", kick.id
    )
    assert scene.gateway.sent == []


# --- the store


@pytest.mark.parametrize("kind", ["down", "lost"])
async def test_a_kick_that_cannot_be_claimed_calls_nobody_and_says_so(
    scene: Scene, kind: str
) -> None:
    kick = await scene.ready()
    getattr(scene.store, kind)[EventKind.CLAIMED] = 1
    await scene.run(kick)
    assert [problem.startswith("the ") for _, problem in scene.notifier.problems] == [True]
    assert (scene.notifier.results, scene.gateway.sent) == ([], [])


async def test_a_store_that_stays_down_after_the_calls_is_told_as_trouble(scene: Scene) -> None:
    kick = await scene.ready()
    scene.store.down[EventKind.SETTLED] = 2 * STORE_ATTEMPTS
    await scene.run(kick)
    assert [problem for _, problem in scene.notifier.problems] == ["the database is locked"]
    assert scene.notifier.results == []
    assert sorted(scene.gateway.sent) == ["p1", "p2"]
    assert scene.stored(kick).state is State.RUNNING


async def test_what_could_not_be_written_down_is_settled_by_whoever_takes_it_over(
    scene: Scene,
) -> None:
    kick = await scene.ready()
    scene.store.down[EventKind.SETTLED] = 2 * STORE_ATTEMPTS
    await scene.run(kick)
    scene.notifier.problems.clear()
    scene.clock.advance(15)
    scene.use(scene.process("two"))
    await scene.tick()
    assert outcomes(scene.result()) == [(Outcome.GONE, OutcomeReason.LEFT)] * 2
    assert sorted(scene.gateway.sent) == ["p1", "p2"]


async def test_a_store_that_is_down_at_submit_is_raised(scene: Scene) -> None:
    scene.store.down["get_draft"] = 1
    with pytest.raises(StoreUnavailable):
        await scene.kick_service.submit("draft 0", "view 1", AVA)


async def test_a_fault_of_the_bot_is_told_without_its_details(scene: Scene) -> None:
    kick = await scene.ready()
    scene.gateway.errors["find"] = [ZeroDivisionError("secret")]
    await scene.run(kick)
    assert [problem for _, problem in scene.notifier.problems] == [
        "The bot failed. Its log says how."
    ]
    assert scene.gateway.sent == []


# --- recovery

SEEN = (SeenPeer(ANN_ROW.id, ANN_ROW.joined_at),)
# Somebody else left a minute after NOW. A list that shows it is newer than the calls.
NEWER = peer("o1", "p9", name="Olu", left=60)


async def running(scene: Scene, *targets: Target) -> Kick:
    """Store a kick whose process died while it was running, and whose lease has ended."""
    kick = await scene.ready(*targets)
    claimed = kick.claim("dead", scene.clock.now(), LIVE.id)
    moved = await scene.store.transition(kick, claimed, Event(NOW, EventKind.CLAIMED, None))
    scene.clock.advance(15)
    return moved


async def recover(scene: Scene, kick: Kick) -> None:
    scene.kick_service.recover(kick)
    await scene.spawn.finish()


async def test_a_ready_kick_that_nobody_began_is_carried_out(scene: Scene) -> None:
    kick = await scene.ready()
    scene.clock.advance(30)
    await recover(scene, kick)
    assert outcomes(scene.result()) == [KICKED, KICKED]


@pytest.mark.parametrize("down", ["", "Slack is down too"])
async def test_an_old_ready_kick_lapses_and_nobody_is_asked(scene: Scene, down: str) -> None:
    kick = await scene.ready()
    scene.clock.advance(61)
    scene.directory.error = down
    await recover(scene, kick)
    assert scene.result().state is State.EXPIRED
    assert (scene.gateway.sent, scene.gateway.reads, scene.directory.reads) == ([], [], [])


async def test_a_request_that_nobody_decided_expires_and_whoever_asked_hears_so(
    scene: Scene,
) -> None:
    kick = await scene.waiting()
    scene.clock.advance(600)
    await recover(scene, kick)
    expired = scene.result()
    assert (expired.state, expired.approver) == (State.EXPIRED, None)
    assert scene.store.log[-1] == Event(
        scene.clock.now(), EventKind.EXPIRED, None, "not decided in time", kick.id
    )
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.CARD, MessageKind.REQUESTER]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([replace(ANN_ROW, left_at=NOW)], (Outcome.GONE, OutcomeReason.LEFT)),
        ([ANN_ROW, NEWER], (Outcome.FAILED, OutcomeReason.STILL_THERE)),
        ([ANN_ROW], (Outcome.UNKNOWN, OutcomeReason.STILL_LISTED)),
        ([], (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER)),
    ],
)
async def test_a_running_kick_is_settled_by_reading_and_never_called(
    scene: Scene, rows: list[Peer], expected: tuple[Outcome, OutcomeReason]
) -> None:
    called = replace(ANN, called_at=after(-60), peers=SEEN)
    kick = await running(scene, called, BOB)
    scene.gateway.rows[LIVE.id] = rows
    await recover(scene, kick)
    ended = scene.result()
    assert outcomes(ended) == [expected, (Outcome.FAILED, OutcomeReason.NOT_TRIED)]
    assert (ended.state, ended.owner) == (State.DONE, "one")
    assert scene.gateway.sent == []
    assert EventKind.TAKEN_OVER in {event.kind for event in scene.store.log}
    assert [outcomes(shown)[0] for shown in scene.notifier.shown] == [(None, None), expected]


async def test_a_lost_answer_is_not_called_lost_before_its_call_must_have_ended(
    scene: Scene,
) -> None:
    kick = await running(scene, replace(ANN, called_at=NOW, peers=SEEN))
    await recover(scene, kick)
    assert outcomes(scene.result()) == [(Outcome.UNKNOWN, OutcomeReason.STILL_LISTED)]
    assert scene.result().targets[0].detail == "12 s"
    assert scene.clock.now() - NOW == timedelta(seconds=2 + 8 + 12)


async def test_of_two_processes_one_takes_a_kick_over(scene: Scene) -> None:
    kick = await running(scene, replace(ANN, called_at=after(-60), peers=SEEN))
    scene.gateway.rows[LIVE.id].append(NEWER)
    scene.kick_service.recover(kick)
    scene.process("two").kick_service.recover(kick)
    await scene.spawn.finish()
    assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.STILL_THERE)]
    assert [event.kind for event in scene.store.log].count(EventKind.TAKEN_OVER) == 1


async def test_whoever_lost_shows_how_it_stands_and_posts_nothing(scene: Scene) -> None:
    kick = await scene.waiting()
    denied = kick.deny(MAX, "no", scene.clock.now())
    moved = await scene.store.transition(kick, denied, Event(NOW, EventKind.DENIED, MAX))
    scene.clock.advance(600)
    scene.notifier.shown.clear()
    await recover(scene, kick)
    assert scene.notifier.shown == [moved]
    assert scene.notifier.kinds() == [MessageKind.CARD]


async def test_of_two_processes_one_lets_a_request_expire(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.clock.advance(600)
    scene.kick_service.recover(kick)
    scene.process("two").kick_service.recover(kick)
    await scene.spawn.finish()
    assert [event.kind for event in scene.store.log].count(EventKind.EXPIRED) == 1
    assert scene.result().state is State.EXPIRED


@pytest.mark.parametrize("state", [State.WAITING, State.READY, State.RUNNING])
async def test_one_process_takes_a_kick_up_once_at_a_time(scene: Scene, state: State) -> None:
    kick = await (scene.waiting() if state is State.WAITING else scene.ready())
    if state is State.RUNNING:
        claimed = kick.claim("dead", NOW, LIVE.id)
        kick = await scene.store.transition(kick, claimed, Event(NOW, EventKind.CLAIMED, None))
    scene.clock.advance(600 if state is State.WAITING else 15)
    scene.kick_service.recover(kick)
    scene.kick_service.recover(kick)
    if state is State.READY:
        scene.kick_service.start(kick)
    assert len(scene.spawn.pending) == 1
    await scene.spawn.finish()
    assert scene.result().state in {State.EXPIRED, State.DONE}


@pytest.mark.parametrize("state", [State.DONE, State.DENIED, State.REFUSED])
async def test_what_has_ended_is_left_alone(scene: Scene, state: State) -> None:
    kick = replace(await scene.ready(), state=state)
    scene.kick_service.recover(kick)
    scene.kick_service.start(kick)
    assert scene.spawn.pending == []


@pytest.mark.parametrize("kind", ["down", "lost"])
async def test_a_take_over_that_the_store_does_not_take_is_tried_again_in_silence(
    scene: Scene, kind: str
) -> None:
    kick = await running(scene, ANN)
    getattr(scene.store, kind)[EventKind.TAKEN_OVER] = 1
    await recover(scene, kick)
    assert (scene.notifier.problems, scene.notifier.results) == ([], [])
    scene.clock.advance(15)
    await scene.tick()
    assert outcomes(scene.result()) == [(Outcome.FAILED, OutcomeReason.NOT_TRIED)]


async def fail_until_it_ends(scene: Scene, kick: Kick) -> list[float]:
    """Tick every second until the kick ends. Return when the bot failed, in seconds."""
    begun, failed = scene.clock.now(), list[float]()

    def fail(_: SessionId) -> Sequence[Peer]:
        failed.append((scene.clock.now() - begun).total_seconds())
        raise ZeroDivisionError("secret")

    scene.gateway.on_roster = fail
    for _ in range(200):
        await scene.tick()
        if scene.stored(kick).state not in OPEN:
            return failed
        scene.clock.advance(1)
        scene.directory.add(AVA)
    raise AssertionError("the kick never ended")


async def test_a_ready_kick_that_fails_each_time_ends_and_nobody_was_called(scene: Scene) -> None:
    kick = await scene.ready()
    scene.gateway.errors["find"] = [ZeroDivisionError("secret")]
    await scene.run(kick)
    failed = await fail_until_it_ends(scene, kick)
    pauses = [later - earlier for earlier, later in pairwise(failed)]
    assert len(failed) == MAX_FAILURES - 1
    assert pauses == sorted(set(pauses))
    assert [problem for _, problem in scene.notifier.problems] == [
        "The bot failed. Its log says how."
    ]
    scene.notifier.problems.clear()
    ended = scene.result()
    assert (ended.state, ended.refusal) == (State.REFUSED, FAILED_EACH_TIME)
    assert scene.gateway.sent == []


async def test_a_running_kick_that_fails_each_time_ends_as_unknown(scene: Scene) -> None:
    called = replace(ANN, called_at=after(-60), peers=SEEN)
    kick = await running(scene, called, BOB)
    assert len(await fail_until_it_ends(scene, kick)) == MAX_FAILURES
    assert len(scene.notifier.problems) == 1
    scene.notifier.problems.clear()
    assert outcomes(scene.result()) == [
        (Outcome.UNKNOWN, OutcomeReason.NO_ANSWER),
        (Outcome.FAILED, OutcomeReason.NOT_TRIED),
    ]
    assert scene.gateway.sent == []


@pytest.mark.parametrize("state", [State.READY, State.RUNNING])
@pytest.mark.parametrize("process", ["one", "two"])
async def test_what_failed_once_is_carried_on_by_any_process(
    scene: Scene, state: State, process: str
) -> None:
    if state is State.READY:
        kick = await scene.ready(ANN)
    else:
        kick = await running(scene, replace(ANN, called_at=after(-60), peers=SEEN))
    scene.gateway.errors["find"] = [ZeroDivisionError("secret")]
    scene.kick_service.recover(kick)
    await scene.spawn.finish()
    scene.notifier.problems.clear()
    if process == "two":
        scene.use(scene.process(process))
    scene.clock.advance(20)
    await scene.tick()
    if state is State.READY:
        assert outcomes(scene.result()) == [KICKED]
    else:
        assert scene.result().state is State.DONE
        assert scene.gateway.sent == []


async def test_whom_a_conflict_can_not_be_shown_to_does_not_keep_the_kick(scene: Scene) -> None:
    class Broken(FakeNotifier):
        async def update_modals(self, kick: Kick) -> None:
            raise ZeroDivisionError(kick.number)

    kick = await scene.ready(ANN)
    scene.notifier = Broken(scene.store)
    scene.use(scene.process("one"))
    moved = await scene.store.transition(
        kick, kick.claim("dead", NOW, LIVE.id), Event(NOW, EventKind.CLAIMED, None)
    )
    scene.kick_service.start(kick)
    with pytest.raises(ZeroDivisionError):
        await scene.spawn.finish()
    scene.clock.advance(15)
    scene.kick_service.recover(moved)
    with pytest.raises(ZeroDivisionError):
        await scene.spawn.finish()
    assert scene.stored(kick).state is State.DONE


GHOST = Target(None, None, "ghost")


async def test_targets_without_an_id_are_refused_at_the_door(scene: Scene) -> None:
    kick = await scene.submitted(ANN, GHOST, replace(GHOST, name="spirit"))
    assert kick.state is State.REFUSED
    assert kick.refusal.startswith("RealtimeKit lists no id for ghost, spirit")


async def test_old_rows_whose_targets_have_no_id_end(scene: Scene) -> None:
    ready = await scene.ready()
    old = replace(ready, id=KickId("old"), idempotency_key="old", targets=(GHOST, GHOST))
    kick = await scene.store.add(old, Event(NOW, EventKind.ASKED, AVA))
    await scene.run(kick)
    assert scene.stored(kick).state is State.REFUSED
    assert scene.gateway.sent == []


async def test_whom_somebody_waits_for_hears_that_the_store_is_down_and_it_goes_on(
    scene: Scene,
) -> None:
    kick = await scene.ready()
    scene.store.down[EventKind.CLAIMED] = 1
    await scene.run(kick)
    assert [problem for _, problem in scene.notifier.problems] == ["the database is locked"]
    scene.notifier.problems.clear()
    scene.clock.advance(5)
    await scene.tick()
    assert outcomes(scene.result()) == [KICKED, KICKED]


# --- approvals


async def test_what_a_helper_asks_for_waits_and_a_card_is_owed_at_once(scene: Scene) -> None:
    kick = await scene.submitted(requester=BEN)
    assert (kick.state, kick.expires_at) == (State.WAITING, NOW + timedelta(minutes=10))
    assert (kick.refusal, kick.done_at, kick.approver) == ("", None, None)
    scene.kick_service.start(kick)
    await scene.spawn.finish()
    assert [(message.kind, shown) for message, shown in scene.notifier.delivered] == [
        (MessageKind.CARD, kick)
    ]
    assert scene.notifier.shown == [kick]
    assert [event.kind for event in scene.store.log] == [EventKind.ASKED]


async def test_a_request_waits_for_as_long_as_the_policy_says() -> None:
    scene = Scene(replace(GUARDED, expires=timedelta(minutes=3)))
    kick = await scene.submitted(requester=BEN)
    assert kick.expires_at == NOW + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("user", "known", "asks", "state"),
    [
        (BEN, True, False, State.WAITING),
        (BEN, False, True, State.WAITING),
        (AVA, True, True, State.WAITING),
        (LEA, False, True, State.WAITING),
        (BEN, False, False, State.READY),
        (AVA, True, False, State.READY),
        (EVE, True, True, State.REFUSED),
    ],
)
async def test_who_was_told_that_somebody_is_asked_is_not_taken_at_their_word_by_less(
    scene: Scene, user: UserId, *, known: bool, asks: bool, state: State
) -> None:
    if not known:
        scene.directory.cached.clear()
    kick = await scene.submitted(requester=user, needs_approval=asks)
    assert kick.state is state


@pytest.mark.parametrize("known", [True, False])
async def test_where_there_is_nowhere_to_ask_it_is_refused_in_words(
    scene: Scene, *, known: bool
) -> None:
    scene.policy = replace(scene.policy, approvals_channel=None)
    scene.use(scene.process("two"))
    if not known:
        scene.directory.cached.clear()
    kick = await scene.submitted(requester=BEN, needs_approval=True)
    assert (kick.state, kick.refusal, kick.done_at) == (State.REFUSED, NO_APPROVALS_CHANNEL, NOW)
    assert scene.store.messages == {}


async def approved(scene: Scene, *targets: Target, by: UserId = MAX) -> Kick:
    kick = await scene.waiting(*targets)
    after = kick.approve(by, scene.clock.now())
    return await scene.store.transition(
        kick, after, Event(scene.clock.now(), EventKind.APPROVED, by)
    )


async def test_an_approved_kick_is_carried_out_and_both_are_judged_again(scene: Scene) -> None:
    kick = await approved(scene)
    scene.directory.reads.clear()
    await scene.run(kick)
    assert outcomes(scene.result()) == [KICKED, KICKED]
    assert scene.directory.reads == [True, True]
    claimed = next(event for event in scene.store.log if event.kind is EventKind.CLAIMED)
    assert claimed.note == "moderator in Weekly AMA"


@pytest.mark.parametrize(
    ("who", "standing", "word"),
    [
        (BEN, AccountStatus.DEACTIVATED, "deactivated"),
        (BEN, AccountStatus.OUTSIDER, "another workspace"),
        (MAX, AccountStatus.DEACTIVATED, "deactivated"),
        (MAX, AccountStatus.GUEST, "a guest"),
    ],
)
async def test_who_lost_their_standing_after_the_approval_removes_nobody(
    scene: Scene, who: UserId, standing: AccountStatus, word: str
) -> None:
    kick = await approved(scene)
    scene.directory.add(who, standing=standing)
    await scene.run(kick)
    refused = scene.result()
    assert (refused.state, word in refused.refusal) == (State.REFUSED, True)
    assert scene.gateway.sent == []
    assert scene.notifier.kinds() == [MessageKind.CARD, MessageKind.CARD, MessageKind.REQUESTER]


@pytest.mark.parametrize("at", [1, 3])
async def test_who_lost_their_role_after_the_approval_removes_nobody(scene: Scene, at: int) -> None:
    kick = await approved(scene)
    grants = (*scene.policy.grants[:at], *scene.policy.grants[at + 1 :])
    scene.policy = replace(scene.policy, grants=grants)
    scene.use(scene.process("two"))
    await scene.run(kick)
    assert "no role" in scene.result().refusal
    assert scene.gateway.sent == []


async def test_an_approver_who_can_not_be_read_means_no(scene: Scene) -> None:
    kick = await approved(scene)
    scene.directory.read_delay = 60
    await scene.run(kick)
    assert scene.result().state is State.REFUSED
    assert scene.gateway.sent == []


async def test_who_could_do_it_alone_by_now_needs_no_approver(scene: Scene) -> None:
    kick = await approved(scene)
    scene.directory.add(MAX, standing=AccountStatus.GUEST)
    kick = replace(kick, requester=LEA)
    scene.store.kicks[kick.id] = kick
    await scene.run(kick)
    assert outcomes(scene.result()) == [KICKED, KICKED]


async def test_a_second_person_stands_in_for_protection_that_could_not_be_checked(
    scene: Scene,
) -> None:
    kick = await approved(scene)
    scene.change(ANN_ROW, preset=None)
    await scene.run(kick)
    assert outcomes(scene.result()) == [KICKED, KICKED]


async def test_an_approved_kick_lapses_a_minute_after_the_approval(scene: Scene) -> None:
    kick = await scene.waiting()
    scene.clock.advance(300)
    after = kick.approve(MAX, scene.clock.now())
    kick = await scene.store.transition(
        kick, after, Event(scene.clock.now(), EventKind.APPROVED, MAX)
    )
    scene.clock.advance(61)
    await scene.tick()
    assert scene.result().state is State.EXPIRED
    assert scene.gateway.sent == []


# --- check again


async def unknown(scene: Scene, *targets: Target) -> Kick:
    """Run a kick whose replies are all lost while the session list is empty."""

    def lost(wanted: str) -> Sequence[str]:
        raise OutcomeUnknown("reset")

    scene.gateway.on_kick = lost
    before = scene.gateway.on_roster
    reads = iter(range(9))
    scene.gateway.on_roster = lambda session: [] if next(reads) else before(session)
    kick = await scene.carry_out(*targets)
    assert {target.outcome for target in kick.targets} == {Outcome.UNKNOWN}
    scene.gateway.on_roster = before
    scene.clock.advance(10)
    return kick


async def test_what_shows_later_settles_what_was_unknown(scene: Scene) -> None:
    kick = await unknown(scene)
    scene.change(ANN_ROW, left_at=scene.clock.now())
    checked = await scene.kick_service.check_again(kick.id, AVA)
    await scene.spawn.finish()
    assert isinstance(checked, Kick)
    assert scene.notifier.results[-1] == (checked, checked)
    assert outcomes(checked) == [
        (Outcome.GONE, OutcomeReason.LEFT),
        (Outcome.FAILED, OutcomeReason.STILL_THERE),
    ]
    assert checked == scene.stored(kick)
    assert checked.state is State.DONE
    assert len(scene.gateway.sent) == 2


async def test_what_still_does_not_show_stays_unknown(scene: Scene) -> None:
    kick = await unknown(scene)
    scene.gateway.rows[LIVE.id].clear()
    assert await scene.kick_service.check_again(kick.id, AVA) == kick
    scene.gateway.errors["find"] = [OutcomeUnknown("500")]
    assert await scene.kick_service.check_again(kick.id, LEA) == kick


async def test_what_was_settled_is_not_looked_at_again(scene: Scene) -> None:
    kick = await scene.carry_out()
    scene.gateway.reads.clear()
    assert await scene.kick_service.check_again(kick.id, AVA) == kick
    assert scene.gateway.reads == []


async def test_two_who_check_at_once_hear_the_same(scene: Scene) -> None:
    kick = await unknown(scene)
    scene.change(ANN_ROW, left_at=scene.clock.now())
    other = scene.process("two").kick_service
    both = await asyncio.gather(
        scene.kick_service.check_again(kick.id, AVA), other.check_again(kick.id, LEA)
    )
    await scene.spawn.finish()
    assert list(both) == [scene.stored(kick)] * 2
    assert outcomes(scene.stored(kick)) == [
        (Outcome.GONE, OutcomeReason.LEFT),
        (Outcome.FAILED, OutcomeReason.STILL_THERE),
    ]


async def test_who_looks_at_the_same_moment_and_sees_more_changes_nothing_again(
    scene: Scene,
) -> None:
    kick = await unknown(scene, ANN)
    left = replace(ANN_ROW, left_at=scene.clock.now())
    back = peer("e9", "p1", "c1", joined=20)
    rows = iter([[left], [left, back]])
    scene.gateway.on_roster = lambda _: next(rows)
    other = scene.process("two").kick_service
    both = await asyncio.gather(
        scene.kick_service.check_again(kick.id, AVA), other.check_again(kick.id, LEA)
    )
    await scene.spawn.finish()
    assert list(both) == [scene.stored(kick)] * 2
    assert scene.stored(kick).targets[0].rejoined_at is None


@pytest.mark.parametrize(("user", "word"), [(EVE, "gives you no role"), (BEN, "deactivated")])
async def test_who_may_not_see_the_meeting_checks_nothing_and_it_is_on_record(
    scene: Scene, user: UserId, word: str
) -> None:
    kick = await unknown(scene)
    scene.directory.add(BEN, standing=AccountStatus.DEACTIVATED)
    scene.gateway.reads.clear()
    verdict = await scene.kick_service.check_again(kick.id, user)
    assert isinstance(verdict, Verdict)
    assert word in verdict.reason
    assert scene.gateway.reads == []
    assert scene.store.log[-1] == Event(
        scene.clock.now(), EventKind.REFUSED, user, verdict.reason, kick.id
    )


async def test_a_kick_that_is_not_on_record_is_not_checked(scene: Scene) -> None:
    verdict = await scene.kick_service.check_again(KickId("none"), AVA)
    assert isinstance(verdict, Verdict)
    assert "not in this bot's record" in verdict.reason


async def test_what_could_not_be_read_or_written_is_raised(scene: Scene) -> None:
    kick = await unknown(scene)
    scene.gateway.rows[LIVE.id].append(NEWER)
    scene.store.down[EventKind.SETTLED] = STORE_ATTEMPTS
    with pytest.raises(StoreUnavailable):
        await scene.kick_service.check_again(kick.id, AVA)
    scene.directory.error = "timeout"
    with pytest.raises(DirectoryUnavailable):
        await scene.kick_service.check_again(kick.id, AVA)


# --- every outcome is true


class Service:
    """RealtimeKit with a different end for each kick, and with a list that lags."""

    def __init__(self, scene: Scene, ends: Sequence[str], lag: float, back: float | None) -> None:
        self._scene = scene
        self._ends = {f"x{at}": end for at, end in enumerate(ends)}
        self._rows = [peer(f"e {one}", one, f"c {one}") for one in self._ends]
        self._lag, self._back = timedelta(seconds=lag), back
        self.removed: dict[str, datetime] = {}
        scene.gateway.go_live(LIVE, *self._rows)
        scene.gateway.on_kick, scene.gateway.on_roster = self._kick, self._roster

    def targets(self) -> tuple[Target, ...]:
        return tuple(Target(ParticipantId(one), None, one, "guest") for one in self._ends)

    def _kick(self, wanted: str) -> Sequence[str]:
        end = self._ends[wanted]
        if end in {"kicked", "lost after", "empty", "broken", "left"}:
            self.removed[wanted] = self._scene.clock.now()
        errors = {
            "refused": Rejected("no"),
            "busy": RateLimited("later", 3),
            "unsent": NotSent("no route"),
            "lost before": OutcomeUnknown("reset"),
            "lost after": OutcomeUnknown("reset"),
            "left": NotFound("nobody"),
            "broken": KeyError("odd"),
        }
        if end in errors:
            raise errors[end]
        return [] if end == "empty" else [wanted]

    def _roster(self, _: SessionId) -> Sequence[Peer]:
        return [shown for row in self._rows for shown in self._as_shown(row)]

    def _as_shown(self, row: Peer) -> Sequence[Peer]:
        gone_at = self.removed.get(row.participant_id or "")
        if gone_at is None or self._scene.clock.now() < gone_at + self._lag:
            return [row]
        left = replace(row, left_at=gone_at)
        if self._back is None:
            return [left]
        joined = gone_at + timedelta(seconds=self._back)
        return [left, replace(row, id=PeerId(f"{row.id} again"), joined_at=joined)]


ENDS = ["kicked", "refused", "busy", "unsent", "lost before", "lost after", "empty", "left"]
FAULTS = st.fixed_dictionaries(
    {what: st.integers(0, 2) for what in (EventKind.CALLED, EventKind.SETTLED, EventKind.FINISHED)}
)


@settings(deadline=None)  # other processes may slow it down
@given(
    ends=st.lists(st.sampled_from([*ENDS, "broken"]), min_size=1, max_size=5),
    down=FAULTS,
    lost=FAULTS,
    lag=st.sampled_from([0, 1, 5, 10, 30]),
    back=st.sampled_from([None, 0.5, 3]),
    unreadable=st.integers(0, 3),
)
async def test_every_claim_is_true_of_the_meeting(
    ends: list[str],
    *,
    down: dict[EventKind, int],
    lost: dict[EventKind, int],
    lag: float,
    back: float | None,
    unreadable: int,
) -> None:
    scene = Scene()
    service = Service(scene, ends, lag, back)
    kick = await scene.ready(*service.targets())
    scene.store.down.update(down)
    scene.store.lost.update(lost)
    reads = iter(range(99))
    rows = scene.gateway.on_roster

    def read(session: SessionId) -> Sequence[Peer]:
        if 0 < next(reads) <= unreadable:
            raise OutcomeUnknown("500")
        return rows(session)

    scene.gateway.on_roster = read
    await scene.run(kick)
    ended = scene.result()
    assert ended.state is State.DONE
    assert len(scene.gateway.sent) == len(set(scene.gateway.sent))
    for target, end in zip(ended.targets, ends, strict=True):
        removed = target.participant_id in service.removed
        assert target.outcome
        if target.outcome in {Outcome.KICKED, Outcome.GONE}:
            assert removed
        if target.outcome is Outcome.FAILED and lag <= 10:
            assert not removed
        if target.outcome is Outcome.KICKED:
            assert end == "kicked"
        if target.outcome_reason is OutcomeReason.NOT_TRIED:
            assert target.participant_id not in scene.gateway.sent
