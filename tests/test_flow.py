import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.execution import STORE_TRIES
from bot.core.flow import NOBODY_TO_ASK, Flow, Identity
from bot.core.kick import (
    ChannelId,
    Draft,
    Event,
    Kick,
    KickId,
    Outcome,
    Seen,
    State,
    Target,
    UserId,
    What,
    Why,
)
from bot.core.policy import (
    Answer,
    Grant,
    Policy,
    Protected,
    Quota,
    Role,
    Rules,
    SecondPerson,
    Standing,
    Verdict,
)
from bot.core.ports import Busy, NotThere, Refused, StoreDown, Unreachable, Unsure
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
from tests.fakes import (
    NOW,
    TEAM,
    FakeClock,
    FakeNotices,
    FakePeople,
    FakeRooms,
    FakeSpawn,
    FlakyStore,
    after,
    peer,
)

AVA, BEN, LEA = UserId("U1"), UserId("U2"), UserId("U3")
CHANNEL = ChannelId("C1")
AMA = Meeting(MeetingId("m1"), "Weekly AMA")
LIVE = Session(SessionId("s1"), AMA)
LATER = Session(SessionId("s2"), AMA)
ANN_ROW = peer("e1", "p1", "c1", name="Ann")
BOB_ROW = peer("e2", "p2", "c2", name="Bob")
ANN = Target(ParticipantId("p1"), CustomId("c1"), "Ann", "guest")
BOB = Target(ParticipantId("p2"), CustomId("c2"), "Bob", "guest")
GUARDED = Rules(protected=Protected(frozenset({"host"}), ("staff-*",)))


class Scene:
    """The bot's core in a world: Ava is a moderator, Ben a helper, Lea a lead; two are in."""

    def __init__(self, rules: Rules = GUARDED) -> None:
        self.clock = FakeClock()
        self.rooms = FakeRooms(self.clock)
        self.people = FakePeople(self.clock)
        self.store = FlakyStore()
        self.notices = FakeNotices(self.store)
        self.spawn = FakeSpawn()
        self.policy = Policy(
            (
                Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, ("Weekly*",)),
                Grant(frozenset({BEN}), frozenset(), Role.HELPER),
                Grant(frozenset({LEA}), frozenset(), Role.LEAD),
            ),
            rules,
        )
        self.flow = self.process("one")
        for user in (AVA, BEN, LEA):
            self.people.add(user)
        self.rooms.go_live(LIVE, ANN_ROW, BOB_ROW)

    def process(self, name: str) -> Flow:
        """Start the core as another process would, on the same store."""
        return Flow(
            identity=Identity(TEAM, "app", name),
            policy=self.policy,
            rooms=self.rooms,
            people=self.people,
            store=self.store,
            notices=self.notices,
            clock=self.clock,
            spawn=self.spawn,
        )

    async def draft(self, *targets: Target, **changes: object) -> Draft:
        """Keep what a review showed."""
        draft = Draft(
            id=f"draft {len(self.store.drafts)}",
            team_id=TEAM,
            channel_id=CHANNEL,
            requester=AVA,
            meeting=AMA,
            session_id=LIVE.id,
            targets=targets or (ANN, BOB),
            reason="spam",
            created_at=self.clock.now(),
        )
        draft = replace(draft, **changes)  # type: ignore[arg-type] # the fields of a draft
        await self.store.keep(draft)
        return draft

    async def ready(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review."""
        draft = await self.draft(*targets, **changes)
        kick = await self.flow.propose(draft.id, f"view {draft.id}", draft.requester)
        assert isinstance(kick, Kick)
        assert kick.state is State.READY
        return kick

    def stored(self, kick: Kick) -> Kick:
        return self.store.kicks[kick.id]

    async def carry_out(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review, run the kick, and return the one result that was told."""
        await self.flow.run(await self.ready(*targets, **changes))
        return self.result()

    def result(self) -> Kick:
        """Return the one result that was told: it is what the store held at that moment."""
        assert self.notices.troubles == []
        [(told, stored)] = self.notices.results
        assert told == stored == self.stored(told)
        return told

    def change(self, row: Peer, **changes: object) -> None:
        """Change a row of the session."""
        rows = self.rooms.rows[LIVE.id]
        rows[rows.index(row)] = replace(row, **changes)  # type: ignore[arg-type] # of a row


@pytest.fixture
def scene() -> Scene:
    return Scene()


def told(kick: Kick) -> list[tuple[Outcome | None, Why | None]]:
    return [(target.outcome, target.why) for target in kick.targets]


KICKED = (Outcome.KICKED, Why.CONFIRMED)


# --- proposing


async def test_a_review_that_is_sent_becomes_a_ready_kick(scene: Scene) -> None:
    draft = await scene.draft(repeats=KickId("old"))
    kick = await scene.flow.propose(draft.id, "view 1", AVA)
    assert isinstance(kick, Kick)
    assert (kick.state, kick.number, kick.version, kick.key) == (State.READY, 1, 1, "view 1")
    assert (kick.team_id, kick.app_id, kick.channel_id) == (TEAM, "app", CHANNEL)
    assert (kick.meeting, kick.session_id, kick.targets) == (AMA, LIVE.id, (ANN, BOB))
    assert (kick.requester, kick.reason, kick.created_at, kick.repeats) == (AVA, "spam", NOW, "old")
    assert scene.store.log == [Event(NOW, What.ASKED, AVA, "2 in Weekly AMA: spam", kick.id)]
    assert scene.people.asked == []
    assert scene.rooms.reads == []


@pytest.mark.parametrize("age", [60, 3600])
async def test_who_is_not_known_for_sure_is_judged_when_the_kick_runs(
    scene: Scene, age: int
) -> None:
    scene.clock.pass_by(age)
    assert (await scene.ready()).state is State.READY
    scene.people.cached.clear()
    assert (await scene.ready()).state is State.READY


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"requester": BEN}, NOBODY_TO_ASK),
        ({"reason": ""}, "wants a reason"),
        ({"targets": (replace(ANN, preset="host"),)}, "protects Ann"),
        ({"targets": (replace(ANN, checked=False),)}, NOBODY_TO_ASK),
        ({"targets": ()}, "Nobody is left"),
        ({"meeting": Meeting(MeetingId("m2"), "Board")}, "no role in Board"),
    ],
)
async def test_what_the_policy_does_not_allow_is_refused_in_words_and_kept(
    scene: Scene, changes: dict[str, object], word: str
) -> None:
    draft = await scene.draft(**changes)
    kick = await scene.flow.propose(draft.id, "view 1", draft.requester)
    assert isinstance(kick, Kick)
    assert (kick.state, kick.done_at) == (State.REFUSED, NOW)
    assert word in kick.refusal
    assert scene.stored(kick) == kick
    assert [(event.what, event.note) for event in scene.store.log] == [(What.REFUSED, kick.refusal)]


@pytest.mark.parametrize("user", [BEN, LEA])
async def test_a_review_is_sent_by_nobody_but_whom_it_was_shown_to(
    scene: Scene, user: UserId
) -> None:
    draft = await scene.draft()
    verdict = await scene.flow.propose(draft.id, "view 1", user)
    assert isinstance(verdict, Verdict)
    assert (verdict.answer, "not yours" in verdict.reason) == (Answer.REFUSED, True)
    assert scene.store.kicks == {}
    assert scene.store.log == [Event(NOW, What.REFUSED, user, verdict.reason)]


async def test_a_review_that_is_not_kept_any_more_is_refused(scene: Scene) -> None:
    assert isinstance(await scene.flow.propose("none", "view 1", AVA), Verdict)
    assert scene.store.kicks == {}


async def test_the_same_view_sent_twice_is_one_kick_that_runs_once(scene: Scene) -> None:
    draft = await scene.draft()
    first, second = await asyncio.gather(
        scene.flow.propose(draft.id, "view 1", AVA), scene.flow.propose(draft.id, "view 1", AVA)
    )
    assert isinstance(first, Kick)
    assert first == second
    assert len(scene.store.kicks) == 1
    scene.flow.start(first)
    scene.flow.start(first)
    await scene.spawn.finish()
    assert sorted(scene.rooms.sent) == ["p1", "p2"]
    assert told(scene.result()) == [KICKED, KICKED]


async def test_the_same_view_sent_again_later_shows_how_the_kick_stands(scene: Scene) -> None:
    kick = await scene.carry_out()
    again = await scene.flow.propose("draft 0", kick.key, AVA)
    assert again == kick
    assert again.state is State.DONE


async def test_a_view_may_be_sent_again_after_its_kick_was_given_a_session(scene: Scene) -> None:
    scene.rooms.kept_records[AMA.id] = [Participant(ANN.participant_id, None, "Ann", "guest")]
    kick = await scene.carry_out(ANN, session_id=None)
    assert kick.session_id == LIVE.id
    assert await scene.flow.propose("draft 0", kick.key, AVA) == kick


@pytest.mark.parametrize(
    "changes", [{"targets": (ANN,)}, {"reason": "rude"}, {"session_id": LATER.id}]
)
async def test_the_same_view_with_other_content_changes_nothing(
    scene: Scene, changes: dict[str, object]
) -> None:
    kick = await scene.ready()
    other = await scene.draft(**changes)
    verdict = await scene.flow.propose(other.id, kick.key, AVA)
    assert isinstance(verdict, Verdict)
    assert "already used" in verdict.reason
    assert scene.store.kicks == {kick.id: kick}
    assert scene.store.log[-1] == Event(NOW, What.REFUSED, AVA, verdict.reason)


# --- running


async def test_a_ready_kick_is_claimed_called_and_told(scene: Scene) -> None:
    kick = await scene.carry_out()
    assert (kick.state, kick.owner, kick.session_id, kick.number) == (State.DONE, "one", LIVE.id, 1)
    assert told(kick) == [KICKED, KICKED]
    assert [event.what for event in scene.store.log] == [
        What.ASKED,
        What.CLAIMED,
        What.CALLED,
        What.CALLED,
        What.SETTLED,
        What.SETTLED,
        What.FINISHED,
    ]
    assert scene.notices.shown == []


async def test_right_before_the_calls_everything_is_read_anew(scene: Scene) -> None:
    await scene.carry_out()
    assert scene.people.asked == [True]
    assert scene.rooms.reads == [("active_session", True), ("roster", True)]


async def test_a_kick_is_claimed_in_the_store_before_anything_is_called(scene: Scene) -> None:
    states: list[State] = []

    def look(wanted: str) -> Sequence[str]:
        states.extend(kick.state for kick in scene.store.kicks.values())
        return [wanted]

    scene.rooms.on_kick = look
    await scene.carry_out(ANN)
    assert states == [State.RUNNING]


async def test_two_processes_that_run_the_same_kick_call_each_target_once(scene: Scene) -> None:
    kick = await scene.ready()
    await asyncio.gather(scene.flow.run(kick), scene.process("two").run(kick))
    assert sorted(scene.rooms.sent) == ["p1", "p2"]
    assert told(scene.result()) == [KICKED, KICKED]


async def test_lost_answers_are_told_to_be_looked_into_and_then_how_they_ended(
    scene: Scene,
) -> None:
    def lost(wanted: str) -> Sequence[str]:
        scene.rooms.remove(wanted)
        raise Unsure("reset")

    scene.rooms.on_kick = lost
    kick = await scene.carry_out()
    assert told(kick) == [(Outcome.GONE, Why.LEFT)] * 2
    [shown] = scene.notices.shown
    assert told(shown) == [(None, None)] * 2


# --- judged again


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        (Standing.DEACTIVATED, "deactivated"),
        (Standing.GUEST, "a guest"),
        (Standing.OUTSIDER, "another workspace"),
    ],
)
async def test_who_lost_their_standing_meanwhile_removes_nobody(
    scene: Scene, standing: Standing, word: str
) -> None:
    kick = await scene.ready()
    scene.people.add(AVA, standing=standing)
    await scene.flow.run(kick)
    refused = scene.result()
    assert (refused.state, refused.done_at) == (State.REFUSED, NOW)
    assert word in refused.refusal
    assert scene.rooms.sent == []
    assert scene.store.log[-1].what is What.REFUSED


async def test_who_lost_their_role_meanwhile_removes_nobody(scene: Scene) -> None:
    kick = await scene.ready()
    scene.policy = replace(scene.policy, grants=scene.policy.grants[1:])
    await scene.process("two").run(kick)
    assert "no role" in scene.result().refusal
    assert scene.rooms.sent == []


async def test_a_membership_that_cannot_be_read_means_no(scene: Scene) -> None:
    kick = await scene.ready()
    scene.people.down = "timeout"
    await scene.flow.run(kick)
    assert scene.result().refusal == "Your role could not be checked with Slack (timeout)."
    assert scene.rooms.sent == []


async def test_a_membership_older_than_a_minute_means_no(scene: Scene) -> None:
    kick = await scene.ready()
    scene.people.late = timedelta(seconds=60)
    await scene.flow.run(kick)
    assert scene.result().state is State.REFUSED
    assert scene.rooms.sent == []


@pytest.mark.parametrize("read", ["active_session", "roster"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unsure("500"), "could not be read right before the kick: 500."),
        (Unreachable("down"), "could not be read right before the kick: down."),
        (Busy("429"), "asks the bot to wait. Then try again."),
        (Refused("401"), "refuses the bot: 401. Please tell its operator."),
    ],
)
async def test_a_session_that_cannot_be_read_means_no(
    scene: Scene, read: str, error: Exception, words: str
) -> None:
    kick = await scene.ready()
    scene.rooms.faults[read] = [error]
    await scene.flow.run(kick)
    refused = scene.result()
    assert refused.state is State.REFUSED
    assert words in refused.refusal
    assert scene.rooms.sent == []


@pytest.mark.parametrize(("now", "word"), [(None, "is over: nobody"), (LATER, "another one")])
async def test_a_kick_does_not_reach_into_another_session(
    scene: Scene, now: Session | None, word: str
) -> None:
    kick = await scene.ready()
    scene.rooms.sessions.clear()
    if now:
        scene.rooms.go_live(now, ANN_ROW, BOB_ROW)
    await scene.flow.run(kick)
    assert word in scene.result().refusal
    assert scene.rooms.sent == []


async def test_whoever_became_protected_meanwhile_is_spared_and_the_others_are_not(
    scene: Scene,
) -> None:
    kick = await scene.ready()
    scene.change(ANN_ROW, preset="host")
    await scene.flow.run(kick)
    ended = scene.result()
    assert told(ended) == [(Outcome.FAILED, Why.PROTECTED), KICKED]
    assert ended.targets[0].detail == "host"
    assert scene.rooms.sent == ["p2"]


async def test_where_everybody_became_protected_nobody_is_removed(scene: Scene) -> None:
    kick = await scene.ready(ANN)
    scene.change(ANN_ROW, preset="host")
    await scene.flow.run(kick)
    assert scene.result().state is State.REFUSED
    assert scene.rooms.sent == []


@pytest.mark.parametrize("user", [AVA, LEA])
async def test_somebody_protected_is_spared_by_whichever_id_they_were_asked_for(
    scene: Scene, user: UserId
) -> None:
    # Found nowhere at the review, so taken for two; the list shows one host by now.
    by_custom_id = Target(None, CustomId("c1"), "custom:c1", live=False, checked=False)
    by_id = Target(ParticipantId("p1"), None, "participant:p1", live=False, checked=False)
    kick = await scene.ready(by_custom_id, by_id, BOB, requester=LEA)
    kick = replace(kick, requester=user)
    scene.store.kicks[kick.id] = kick
    scene.change(ANN_ROW, preset="host")
    await scene.flow.run(kick)
    assert told(scene.result()) == [(Outcome.FAILED, Why.PROTECTED)] * 2 + [KICKED]
    assert scene.rooms.sent == ["p2"]


async def test_several_protected_records_of_one_custom_id_are_spared_as_one(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, checked=False)
    kick = await scene.ready(shared, BOB, requester=LEA)
    scene.rooms.rows[LIVE.id] += [
        peer("e8", "p8", "c9", preset="host"),
        peer("e9", "p9", "c9", preset="host"),
    ]
    await scene.flow.run(kick)
    assert told(scene.result()) == [(Outcome.FAILED, Why.PROTECTED), KICKED]


async def test_one_protected_record_of_a_custom_id_protects_all_of_them(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, checked=False)
    kick = await scene.ready(shared, BOB, requester=LEA)
    scene.rooms.rows[LIVE.id] += [peer("e8", "p8", "c9"), peer("e9", "p9", "c9", preset="host")]
    await scene.flow.run(kick)
    assert told(scene.result()) == [(Outcome.FAILED, Why.PROTECTED), KICKED]
    assert scene.rooms.sent == ["p2"]


async def test_connections_of_all_records_of_a_custom_id_are_stored(scene: Scene) -> None:
    shared = Target(None, CustomId("c9"), "custom:c9", live=False, checked=False)
    scene.rooms.rows[LIVE.id] += [peer("e8", "p8", "c9"), peer("e9", "p9", "c9")]
    kick = await scene.carry_out(shared, requester=LEA)
    assert {seen.peer_id for seen in kick.targets[0].peers} == {"e8", "e9"}
    assert scene.rooms.sent == ["c9"]


async def test_whom_protection_can_not_be_checked_of_any_more_takes_a_lead(scene: Scene) -> None:
    kick = await scene.ready()
    scene.change(ANN_ROW, preset=None)
    await scene.flow.run(kick)
    assert NOBODY_TO_ASK in scene.result().refusal
    assert scene.rooms.sent == []


async def test_whoever_is_not_in_the_list_any_more_takes_a_lead(scene: Scene) -> None:
    kick = await scene.ready(ANN)
    scene.rooms.rows[LIVE.id].remove(ANN_ROW)
    await scene.flow.run(kick)
    assert NOBODY_TO_ASK in scene.result().refusal


async def test_a_lead_kicks_by_a_known_id_though_the_list_is_empty(scene: Scene) -> None:
    scene.rooms.rows[LIVE.id].clear()
    scene.rooms.on_kick = lambda wanted: [wanted]
    assert told(await scene.carry_out(ANN, requester=LEA)) == [KICKED]


async def test_a_lead_kicks_where_no_session_is_seen(scene: Scene) -> None:
    scene.rooms.sessions.clear()
    scene.rooms.on_kick = lambda wanted: [wanted]
    kick = await scene.carry_out(replace(ANN, live=False), requester=LEA, session_id=None)
    assert (told(kick), kick.session_id) == ([KICKED], None)
    assert scene.rooms.reads == [("active_session", True), ("records", True)]


async def test_whoever_left_between_review_and_kick_is_gone_not_kicked(scene: Scene) -> None:
    kick = await scene.ready(ANN)
    scene.change(ANN_ROW, left_at=NOW)
    await scene.flow.run(kick)
    assert told(scene.result()) == [(Outcome.GONE, Why.NOT_FOUND)]


async def test_the_kick_itself_does_not_count_towards_its_quota() -> None:
    scene = Scene(Rules(quota=Quota(2, timedelta(minutes=10))))
    assert told(await scene.carry_out()) == [KICKED, KICKED]


async def test_kicks_made_since_the_review_count_towards_the_quota() -> None:
    scene = Scene(Rules(quota=Quota(3, timedelta(minutes=10))))
    first, second = await scene.draft(), await scene.draft()
    scene.people.cached.clear()
    kicks = [await scene.flow.propose(one.id, one.id, AVA) for one in (first, second)]
    for kick in kicks:
        assert isinstance(kick, Kick)
        await scene.flow.run(kick)
    assert {told.state for told, _ in scene.notices.results} == {State.REFUSED, State.DONE}
    assert sorted(scene.rooms.sent) == ["p1", "p2"]


async def test_what_needs_a_second_person_is_refused_in_words_when_it_runs() -> None:
    scene = Scene(Rules(second_person=SecondPerson.ALWAYS))
    scene.people.cached.clear()
    refused = await scene.carry_out()
    assert refused.state is State.REFUSED
    assert refused.refusal == f"The policy wants a second person for every kick. {NOBODY_TO_ASK}"
    assert scene.rooms.sent == []


async def test_a_refusal_is_put_on_record_and_returned(scene: Scene) -> None:
    verdict = await scene.flow.refused(BEN, "no", KickId("k1"))
    assert verdict == Verdict(Answer.REFUSED, "no")
    assert scene.store.log == [Event(NOW, What.REFUSED, BEN, "no", KickId("k1"))]


# --- lapsing


@pytest.mark.parametrize(("age", "state"), [(60, State.DONE), (61, State.EXPIRED)])
async def test_a_kick_that_nobody_took_up_within_a_minute_lapses(
    scene: Scene, age: int, state: State
) -> None:
    kick = await scene.ready()
    scene.clock.pass_by(age)
    await scene.flow.run(kick)
    assert scene.result().state is state
    assert bool(scene.rooms.sent) is (state is State.DONE)


async def test_a_kick_whose_checks_took_too_long_lapses(scene: Scene) -> None:
    kick = await scene.ready()

    def slow(session: SessionId) -> Sequence[Peer]:
        scene.clock.pass_by(61)
        scene.people.add(AVA)
        return scene.rooms.rows_of(session)

    scene.rooms.on_roster = slow
    scene.people.late = timedelta(seconds=-61)
    await scene.flow.run(kick)
    assert scene.result().state is State.EXPIRED
    assert scene.store.log[-1] == Event(
        scene.clock.now(), What.EXPIRED, None, "not claimed in time", kick.id
    )
    assert scene.rooms.sent == []


# --- the store


@pytest.mark.parametrize("kind", ["down", "lost"])
async def test_a_kick_that_cannot_be_claimed_calls_nobody_and_says_so(
    scene: Scene, kind: str
) -> None:
    kick = await scene.ready()
    getattr(scene.store, kind)[What.CLAIMED] = 1
    await scene.flow.run(kick)
    assert [words.startswith("the ") for _, words in scene.notices.troubles] == [True]
    assert (scene.notices.results, scene.rooms.sent) == ([], [])


async def test_a_store_that_stays_down_after_the_calls_is_told_as_trouble(scene: Scene) -> None:
    kick = await scene.ready()
    scene.store.down[What.SETTLED] = 2 * STORE_TRIES
    await scene.flow.run(kick)
    assert [words for _, words in scene.notices.troubles] == ["the database is locked"]
    assert scene.notices.results == []
    assert sorted(scene.rooms.sent) == ["p1", "p2"]
    assert scene.stored(kick).state is State.RUNNING


async def test_what_could_not_be_written_down_is_settled_at_the_next_start(scene: Scene) -> None:
    kick = await scene.ready()
    scene.store.down[What.SETTLED] = 2 * STORE_TRIES
    await scene.flow.run(kick)
    scene.notices.troubles.clear()
    await scene.process("two").resume()
    await scene.spawn.finish()
    assert told(scene.result()) == [(Outcome.GONE, Why.LEFT)] * 2
    assert sorted(scene.rooms.sent) == ["p1", "p2"]


async def test_a_store_that_is_down_at_submit_is_raised(scene: Scene) -> None:
    class Down(FlakyStore):
        async def draft(self, draft_id: str) -> Draft | None:
            raise StoreDown(draft_id)

    scene.store = Down()
    with pytest.raises(StoreDown):
        await scene.process("two").propose("draft 0", "view 1", AVA)


async def test_a_fault_of_the_bot_is_told_without_its_details(scene: Scene) -> None:
    kick = await scene.ready()
    scene.rooms.faults["roster"] = [ZeroDivisionError("secret")]
    await scene.flow.run(kick)
    assert [words for _, words in scene.notices.troubles] == ["The bot failed. Its log says how."]
    assert scene.rooms.sent == []


# --- taking up what a process that died left

SEEN = (Seen(ANN_ROW.id, ANN_ROW.joined_at),)


async def running(scene: Scene, *targets: Target) -> Kick:
    """Leave a kick behind as a process does that dies while it runs."""
    kick = await scene.ready(*targets)
    claimed = kick.claim("dead", scene.clock.now(), LIVE.id)
    return await scene.store.move(kick, claimed, Event(NOW, What.CLAIMED, None))


async def resume(scene: Scene) -> None:
    await scene.flow.resume()
    await scene.spawn.finish()


async def test_a_young_ready_kick_is_carried_out_at_start(scene: Scene) -> None:
    await scene.ready()
    scene.clock.pass_by(30)
    await resume(scene)
    assert told(scene.result()) == [KICKED, KICKED]


@pytest.mark.parametrize("down", ["", "Slack is down too"])
async def test_an_old_ready_kick_lapses_at_start_and_nobody_is_asked(
    scene: Scene, down: str
) -> None:
    await scene.ready()
    scene.clock.pass_by(61)
    scene.people.down = down
    await resume(scene)
    assert scene.result().state is State.EXPIRED
    assert (scene.rooms.sent, scene.rooms.reads, scene.people.asked) == ([], [], [])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([replace(ANN_ROW, left_at=NOW)], (Outcome.GONE, Why.LEFT)),
        ([ANN_ROW], (Outcome.FAILED, Why.STILL_THERE)),
        ([], (Outcome.UNKNOWN, Why.NO_ANSWER)),
    ],
)
async def test_a_running_kick_is_settled_by_reading_at_start_and_never_called(
    scene: Scene, rows: list[Peer], expected: tuple[Outcome, Why]
) -> None:
    called = replace(ANN, called_at=after(-60), peers=SEEN)
    await running(scene, called, BOB)
    scene.rooms.rows[LIVE.id] = rows
    await resume(scene)
    ended = scene.result()
    assert told(ended) == [expected, (Outcome.FAILED, Why.NOT_TRIED)]
    assert (ended.state, ended.owner) == (State.DONE, "one")
    assert scene.rooms.sent == []
    assert What.TAKEN_OVER in {event.what for event in scene.store.log}
    assert [told(shown)[0] for shown in scene.notices.shown] == [(None, None)]


async def test_of_two_processes_that_start_one_takes_a_kick_over(scene: Scene) -> None:
    await running(scene, replace(ANN, called_at=after(-60), peers=SEEN))
    await scene.flow.resume()
    await scene.process("two").resume()
    await scene.spawn.finish()
    assert told(scene.result()) == [(Outcome.FAILED, Why.STILL_THERE)]


async def test_a_take_over_that_the_store_does_not_take_is_told_as_trouble(scene: Scene) -> None:
    kick = await running(scene, ANN)
    scene.store.down[What.TAKEN_OVER] = 1
    await resume(scene)
    assert [words for _, words in scene.notices.troubles] == ["the database is locked"]
    assert scene.stored(kick) == kick


async def test_a_take_over_that_fails_is_told_as_trouble(scene: Scene) -> None:
    await running(scene, replace(ANN, called_at=after(-60), peers=SEEN))
    scene.rooms.faults["roster"] = [ZeroDivisionError("secret")]
    await resume(scene)
    assert [words for _, words in scene.notices.troubles] == ["The bot failed. Its log says how."]


async def test_what_waits_or_has_ended_is_left_alone_at_start(scene: Scene) -> None:
    kick = await scene.ready()
    scene.store.kicks[kick.id] = replace(kick, state=State.WAITING)
    await resume(scene)
    scene.store.kicks[kick.id] = replace(kick, state=State.DENIED)
    await resume(scene)
    assert (scene.notices.results, scene.notices.troubles, scene.rooms.sent) == ([], [], [])


# --- the truth, whatever happens


class Service:
    """RealtimeKit on a bad day: each person's kick ends in its own way, and the list lags."""

    def __init__(self, scene: Scene, ends: Sequence[str], lag: float, back: float | None) -> None:
        self._scene = scene
        self._ends = {f"x{at}": end for at, end in enumerate(ends)}
        self._rows = [peer(f"e {one}", one, f"c {one}") for one in self._ends]
        self._lag, self._back = timedelta(seconds=lag), back
        self.removed: dict[str, datetime] = {}
        scene.rooms.go_live(LIVE, *self._rows)
        scene.rooms.on_kick, scene.rooms.on_roster = self._kick, self._roster

    def targets(self) -> tuple[Target, ...]:
        return tuple(Target(ParticipantId(one), None, one, "guest") for one in self._ends)

    def _kick(self, wanted: str) -> Sequence[str]:
        end = self._ends[wanted]
        if end in {"kicked", "lost after", "empty", "broken", "left"}:
            self.removed[wanted] = self._scene.clock.now()
        errors = {
            "refused": Refused("no"),
            "busy": Busy("later", 3),
            "unsent": Unreachable("no route"),
            "lost before": Unsure("reset"),
            "lost after": Unsure("reset"),
            "left": NotThere("nobody"),
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
    {what: st.integers(0, 2) for what in (What.CALLED, What.SETTLED, What.FINISHED)}
)


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
    down: dict[What, int],
    lost: dict[What, int],
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
    rows = scene.rooms.on_roster

    def read(session: SessionId) -> Sequence[Peer]:
        if 0 < next(reads) <= unreadable:
            raise Unsure("500")
        return rows(session)

    scene.rooms.on_roster = read
    await scene.flow.run(kick)
    ended = scene.result()
    assert ended.state is State.DONE
    assert len(scene.rooms.sent) == len(set(scene.rooms.sent))
    for target, end in zip(ended.targets, ends, strict=True):
        removed = target.participant_id in service.removed
        assert target.outcome
        if target.outcome in {Outcome.KICKED, Outcome.GONE}:
            assert removed
        if target.outcome is Outcome.FAILED and lag <= 10:
            assert not removed
        if target.outcome is Outcome.KICKED:
            assert end == "kicked"
        if target.why is Why.NOT_TRIED:
            assert target.participant_id not in scene.rooms.sent
