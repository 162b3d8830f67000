from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.identify import Asked, Mark
from bot.core.kick import ChannelId, Event, Kick, KickId, State, Target, TeamId, UserId, What
from bot.core.policy import (
    Answer,
    Grant,
    GroupId,
    Policy,
    Protected,
    Quota,
    Role,
    Rules,
    SecondPerson,
    Standing,
)
from bot.core.ports import NotThere, Unreachable, Unreadable, Unsure
from bot.core.review import NOBODY_TO_ASK, NOWHERE_TO_ASK, Choice, Desk
from bot.core.roster import (
    CustomId,
    Key,
    Match,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Session,
    SessionId,
)
from tests.fakes import NOW, TEAM, FakeClock, FakePeople, FakeRooms, MemoryStore, peer

AVA, BEN, EVE, LEA = UserId("U1"), UserId("U2"), UserId("U3"), UserId("U4")
LEADS = GroupId("S2")
CHANNEL = ChannelId("C1")
AMA = Meeting(MeetingId("m1"), "Weekly AMA")
DAILY = Meeting(MeetingId("m2"), "Daily")
BOARD = Meeting(MeetingId("m3"), "Board")
AMA_LIVE = Session(SessionId("s1"), AMA, 2)
DAILY_LIVE = Session(SessionId("s2"), DAILY)
ANN = peer("e1", "p1", "c1", name="Ann")
BOB = peer("e2", "p2", "c2", name="Bob", joined=-30)
HOST = peer("e3", "p3", "c3", name="Host", preset="host")


class Scene:
    """A desk, and the world around it.

    Ava is a moderator, Ben helps in the AMA, Lea leads there as the group does, Eve is nobody.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.clock = FakeClock()
        self.rooms = FakeRooms(self.clock)
        self.people = FakePeople(self.clock)
        self.store = MemoryStore()
        self.policy = Policy(
            (
                Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, ("Weekly*", "Daily*")),
                Grant(frozenset({BEN}), frozenset(), Role.HELPER, ("Weekly*",)),
                Grant(frozenset({LEA}), frozenset({LEADS}), Role.LEAD, ("Weekly*",)),
            ),
            rules or Rules(protected=Protected(frozenset({"host"}))),
            approvals_channel=ChannelId("C2"),
        )
        self.desk = self.desk_by(self.policy)
        for user in (AVA, BEN, EVE, LEA):
            self.people.add(user)
        self.rooms.titles = {one.id: one for one in (AMA, DAILY, BOARD)}
        self.rooms.go_live(AMA_LIVE, ANN, BOB, HOST)

    def desk_by(self, policy: Policy) -> Desk:
        """Make a desk that judges by another policy."""
        return Desk(
            policy=policy,
            rooms=self.rooms,
            people=self.people,
            store=self.store,
            clock=self.clock,
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def choice(
    *keys: str, pasted: tuple[str, ...] = (), user: UserId = AVA, reason: str = "spam"
) -> Choice:
    asked = Asked(tuple(Key(one) for one in keys), pasted)
    return Choice(user, TEAM, CHANNEL, AMA.id, asked, reason)


def earlier(number: int = 1, *, count: int = 1, meeting: Meeting = AMA) -> Kick:
    targets = tuple(Target(ParticipantId(f"x{at}"), None, "x") for at in range(count))
    one = str(number)
    return Kick(
        id=KickId(one),
        key=one,
        team_id=TEAM,
        app_id="app",
        channel_id=CHANNEL,
        meeting=meeting,
        session_id=None,
        requester=AVA,
        reason="rude",
        targets=targets,
        created_at=NOW,
        state=State.DONE,
    )


# --- who may open


@pytest.mark.parametrize(("user", "answer"), [(AVA, True), (BEN, True), (EVE, False)])
def test_what_is_known_is_judged_at_once(scene: Scene, user: UserId, *, answer: bool) -> None:
    verdict = scene.desk.may_open_now(user)
    assert verdict is not None
    assert verdict.is_allowed is answer


def test_nobody_is_judged_by_what_is_not_known_or_old(scene: Scene) -> None:
    assert scene.desk.may_open_now(UserId("U9")) is None
    scene.clock.pass_by(60)
    assert scene.desk.may_open_now(AVA) is None
    assert scene.people.asked == []


async def test_the_standing_of_a_user_is_their_strongest_role_anywhere(scene: Scene) -> None:
    verdict, role = await scene.desk.standing(AVA)
    assert (verdict.answer, role) == (Answer.ALLOWED, Role.MODERATOR)
    refused, none = await scene.desk.standing(EVE)
    assert (refused.answer, none) == (Answer.REFUSED, None)
    assert scene.desk.rules == scene.policy.rules


async def test_that_slack_cannot_be_read_is_not_hidden(scene: Scene) -> None:
    scene.people.down = "timeout"
    with pytest.raises(Unreadable):
        await scene.desk.standing(AVA)
    with pytest.raises(Unreadable):
        await scene.desk.open(AVA, TEAM, CHANNEL, "")
    with pytest.raises(Unreadable):
        await scene.desk.review(choice("participant:p1"))


# --- opening the form


async def test_who_has_no_role_sees_no_meeting(scene: Scene) -> None:
    opening = await scene.desk.open(EVE, TEAM, CHANNEL, "ann")
    assert (opening.verdict.answer, opening.sessions, opening.chosen) == (Answer.REFUSED, (), None)
    assert scene.rooms.reads == []


@pytest.mark.parametrize("late", [60, 3600])
async def test_a_membership_a_minute_old_opens_nothing(scene: Scene, late: int) -> None:
    scene.people.late = timedelta(seconds=late)
    assert not (await scene.desk.open(AVA, TEAM, CHANNEL, "")).verdict.is_allowed
    assert await scene.desk.meetings(AVA, "") == ((), ())
    assert (await scene.desk.people(AVA, AMA.id, "", 25)).people == ()
    review = await scene.desk.review(choice("participant:p1"))
    assert (review.verdict.answer, review.lines, review.draft) == (Answer.REFUSED, (), None)


async def test_the_only_live_meeting_is_chosen(scene: Scene) -> None:
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "")
    assert (opening.sessions, opening.chosen) == ((AMA_LIVE,), AMA_LIVE)
    assert opening.match == Match((), "", "")


async def test_meetings_without_a_role_are_not_listed(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE)
    scene.rooms.go_live(Session(SessionId("s3"), BOARD))
    assert (await scene.desk.open(AVA, TEAM, CHANNEL, "")).sessions == (AMA_LIVE, DAILY_LIVE)
    assert (await scene.desk.open(BEN, TEAM, CHANNEL, "")).sessions == (AMA_LIVE,)


@pytest.mark.parametrize(
    ("last", "team", "chosen"),
    [
        (DAILY, TEAM, DAILY_LIVE),
        (AMA, TEAM, AMA_LIVE),
        (BOARD, TEAM, None),
        (None, TEAM, None),
        (DAILY, TeamId("T2"), None),
    ],
)
async def test_of_several_the_one_this_channel_used_last_is_chosen(
    scene: Scene, last: Meeting | None, team: TeamId, chosen: Session | None
) -> None:
    scene.rooms.go_live(DAILY_LIVE)
    if last:
        await scene.store.add(earlier(meeting=last), Event(NOW, What.ASKED, AVA))
    opening = await scene.desk.open(AVA, team, CHANNEL, "")
    assert opening.chosen == chosen


async def test_that_the_list_of_sessions_cannot_be_read_is_told(scene: Scene) -> None:
    scene.rooms.faults["live_sessions"] = [Unreachable("down")]
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "ann spam")
    assert isinstance(opening.trouble, Unreachable)
    assert (opening.verdict.is_allowed, opening.sessions) == (True, ())
    assert (opening.match.people, opening.match.who) == ((), "")


async def test_that_one_session_cannot_be_read_loses_no_meeting(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE)
    scene.rooms.faults["roster"] = [Unsure("500 while it starts")]
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "ann spam")
    assert opening.sessions == (AMA_LIVE, DAILY_LIVE)
    assert opening.trouble is None
    assert opening.match == Match((), "", "ann spam")


async def test_the_text_of_the_command_finds_whom_it_means(scene: Scene) -> None:
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "ann spamming links")
    assert [one.id for one in opening.match.people] == ["p1"]
    assert (opening.match.who, opening.match.rest) == ("ann", "spamming links")


async def test_the_meeting_where_the_text_fits_is_chosen(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE, peer("e9", "p9", name="Mallory"))
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "mallory")
    assert opening.chosen == DAILY_LIVE
    assert [one.id for one in opening.match.people] == ["p9"]


async def test_text_that_fits_in_two_meetings_chooses_none_and_hides_none(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE, peer("e9", "p9", name="Ann"))
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "ann spam")
    assert opening.chosen is None
    assert {one.id for one in opening.match.people} == {"p1", "p9"}
    assert (opening.match.who, opening.match.rest) == ("ann", "spam")


async def test_text_that_fits_nobody_is_told(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE)
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "nobody here")
    assert (opening.chosen, opening.match) == (None, Match((), "nobody here", ""))


async def test_nobody_is_said_to_be_missing_from_meetings_that_were_not_searched(
    scene: Scene,
) -> None:
    for at in range(5, 10):
        meeting = Meeting(MeetingId(f"m{at}"), f"Daily {at}")
        scene.rooms.go_live(Session(SessionId(f"s{at}"), meeting))
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "mallory")
    assert opening.match == Match((), "", "mallory")
    assert scene.rooms.reads.count(("roster", False)) == 5


async def test_text_is_searched_only_in_the_meeting_this_channel_uses(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE, peer("e9", "p9", name="Mallory"))
    await scene.store.add(earlier(meeting=AMA), Event(NOW, What.ASKED, AVA))
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "mallory")
    assert (opening.chosen, opening.match.people) == (AMA_LIVE, ())


async def test_text_fits_nobody_where_nothing_is_live(scene: Scene) -> None:
    scene.rooms.sessions.clear()
    opening = await scene.desk.open(AVA, TEAM, CHANNEL, "ann")
    assert (opening.sessions, opening.chosen, opening.match.people) == ((), None, ())


# --- type-aheads


@pytest.mark.parametrize(
    ("user", "query", "live", "others"),
    [
        (AVA, "", ["Weekly AMA"], ["Daily"]),
        (AVA, " weekly ", ["Weekly AMA"], []),
        (AVA, "m1", ["Weekly AMA"], []),
        (AVA, "Dai", [], ["Daily"]),
        (BEN, "", ["Weekly AMA"], []),
        (EVE, "", [], []),
    ],
)
async def test_meetings_are_offered_to_who_has_a_role_there(
    scene: Scene, user: UserId, query: str, live: list[str], others: list[str]
) -> None:
    sessions, meetings = await scene.desk.meetings(user, query)
    assert [one.meeting.title for one in sessions] == live
    assert [one.title for one in meetings] == others


@pytest.mark.parametrize("read", ["live_sessions", "meetings"])
async def test_that_meetings_cannot_be_read_is_raised(scene: Scene, read: str) -> None:
    scene.rooms.faults[read] = [Unreachable("down")]
    with pytest.raises(Unreachable):
        await scene.desk.meetings(AVA, "")


async def test_people_are_offered_newest_first_to_who_has_a_role_there(scene: Scene) -> None:
    found = await scene.desk.people(AVA, AMA.id, "", 2)
    assert [one.id for one in found.people] == ["p2", "p3"]
    assert found.roster
    assert len(found.roster.live) == 3
    assert [one.id for one in (await scene.desk.people(BEN, AMA.id, "an", 25)).people] == ["p1"]


async def test_nobody_is_offered_to_who_has_no_role_there(scene: Scene) -> None:
    scene.rooms.go_live(DAILY_LIVE, BOB)
    for user, meeting in ((EVE, AMA.id), (BEN, DAILY.id)):
        found = await scene.desk.people(user, meeting, "", 25)
        assert (found.people, found.roster) == ((), None)
    assert ("roster", False) not in scene.rooms.reads


async def test_nobody_is_offered_where_no_session_is(scene: Scene) -> None:
    assert (await scene.desk.people(AVA, DAILY.id, "", 25)).roster is None


# --- reviews


async def test_a_review_shows_what_a_fresh_read_shows_and_keeps_it(scene: Scene) -> None:
    review = await scene.desk.review(choice("participant:p1", pasted=("c1", "c2")))
    assert [(line.asked, line.mark) for line in review.lines] == [
        ("participant:p1", Mark.LIVE),
        ("c2", Mark.LIVE),
    ]
    assert (review.meeting, review.session, review.reason) == (AMA, AMA_LIVE, "spam")
    assert scene.rooms.reads == [("active_session", True), ("roster", True)]
    draft = review.draft
    assert draft
    assert await scene.store.draft(draft.id) == draft
    assert [target.key for target in draft.targets] == ["participant:p1", "participant:p2"]
    assert (draft.requester, draft.meeting, draft.session_id) == (AVA, AMA, AMA_LIVE.id)
    assert (draft.reason, draft.created_at, draft.repeats) == ("spam", NOW, None)


async def test_every_review_has_a_draft_of_its_own(scene: Scene) -> None:
    drafts = [(await scene.desk.review(choice("participant:p1"))).draft for _ in range(2)]
    assert drafts[0] != drafts[1]
    assert len(scene.store.drafts) == 2


@pytest.mark.parametrize(
    ("asked", "answer", "word"),
    [
        (choice("participant:p1"), Answer.ALLOWED, "moderator"),
        (choice("participant:p1", "participant:p3"), Answer.ALLOWED, "moderator"),
        (choice("participant:p3"), Answer.REFUSED, "Nobody is left"),
        (choice(pasted=("unknown",)), Answer.REFUSED, "Nobody is left"),
        (choice(pasted=("e1",)), Answer.REFUSED, "Nobody is left"),
        (choice(), Answer.REFUSED, "Nobody is left"),
        (choice("participant:p1", reason=""), Answer.REFUSED, "reason"),
        (choice("participant:p1", user=BEN), Answer.NEEDS_APPROVAL, "helper"),
        (choice("participant:p9"), Answer.NEEDS_APPROVAL, "could not be checked"),
        (choice("participant:p1", "custom:x"), Answer.NEEDS_APPROVAL, "could not be checked"),
    ],
)
async def test_a_draft_is_kept_of_what_is_allowed_or_may_be_asked_for(
    scene: Scene, asked: Choice, answer: Answer, word: str
) -> None:
    review = await scene.desk.review(asked)
    assert review.verdict.answer is answer
    assert word in review.verdict.reason
    assert len(scene.store.drafts) == (answer is not Answer.REFUSED)
    assert (review.draft is None) is (answer is Answer.REFUSED)
    if review.draft:
        assert review.draft.asks is (answer is Answer.NEEDS_APPROVAL)


async def test_the_protected_stand_in_the_review_and_not_in_the_draft(scene: Scene) -> None:
    review = await scene.desk.review(choice("participant:p3", "participant:p1"))
    assert [line.mark for line in review.lines] == [Mark.PROTECTED, Mark.LIVE]
    assert review.draft
    assert [target.key for target in review.draft.targets] == ["participant:p1"]


@pytest.mark.parametrize(("user", "standing"), [(EVE, Standing.MEMBER), (AVA, Standing.GUEST)])
async def test_who_may_not_act_there_learns_nothing_of_who_is_in(
    scene: Scene, user: UserId, standing: Standing
) -> None:
    scene.people.add(user, GroupId("S1"), standing=standing)
    review = await scene.desk.review(choice("participant:p1", user=user))
    assert (review.verdict.answer, review.lines) == (Answer.REFUSED, ())
    assert ("roster", True) not in scene.rooms.reads


async def test_somebody_in_a_meeting_not_seen_live_is_found_in_its_records(scene: Scene) -> None:
    scene.rooms.sessions.clear()
    scene.rooms.kept_records[AMA.id] = [
        Participant(ParticipantId("p7"), CustomId("c7"), "Seven", "guest")
    ]
    review = await scene.desk.review(choice(pasted=("c7",)))
    assert (review.session, review.meeting) == (None, AMA)
    assert [line.mark for line in review.lines] == [Mark.UNLISTED]
    assert review.draft
    assert review.draft.session_id is None
    assert ("roster", True) not in scene.rooms.reads


async def test_records_are_read_only_for_who_was_not_found(scene: Scene) -> None:
    await scene.desk.review(choice("participant:p1", pasted=("e2", "p3")))
    assert ("records", True) not in scene.rooms.reads
    await scene.desk.review(choice(pasted=("p7",)))
    assert ("records", True) in scene.rooms.reads


async def test_records_that_cannot_be_read_leave_whom_they_hold_unidentified(
    scene: Scene,
) -> None:
    scene.rooms.faults["records"] = [Unsure("502"), Unsure("502")]
    review = await scene.desk.review(choice(pasted=("p7", "p1")))
    assert [line.mark for line in review.lines] == [Mark.UNKNOWN, Mark.LIVE]
    assert review.draft
    unchecked = await scene.desk.review(choice(pasted=("participant:p7",)))
    assert [line.mark for line in unchecked.lines] == [Mark.NOWHERE]
    assert unchecked.verdict.answer is Answer.NEEDS_APPROVAL


@pytest.mark.parametrize("read", ["active_session", "roster"])
async def test_a_session_that_cannot_be_read_is_no_empty_session(scene: Scene, read: str) -> None:
    scene.rooms.faults[read] = [Unsure("500")]
    with pytest.raises(Unsure):
        await scene.desk.review(choice("participant:p1"))
    assert scene.store.drafts == {}


async def test_a_meeting_that_does_not_exist_is_told(scene: Scene) -> None:
    with pytest.raises(NotThere):
        await scene.desk.review(replace(choice("participant:p1"), meeting=MeetingId("none")))


async def test_earlier_kicks_count_towards_the_quota() -> None:
    scene = Scene(Rules(quota=Quota(3, timedelta(minutes=10))))
    await scene.store.add(earlier(count=2), Event(NOW, What.ASKED, AVA))
    both = choice("participant:p1", "participant:p2")
    assert (await scene.desk.review(both)).verdict.answer is Answer.REFUSED
    assert (await scene.desk.review(choice("participant:p1"))).verdict.is_allowed
    scene.clock.pass_by(601)
    assert (await scene.desk.review(both)).verdict.is_allowed


async def test_earlier_kicks_make_a_bulk_for_two_minutes() -> None:
    scene = Scene(Rules(second_person=SecondPerson.BULK, bulk=2))
    await scene.store.add(earlier(count=2), Event(NOW, What.ASKED, AVA))
    asked = choice("participant:p1")
    assert (await scene.desk.review(asked)).verdict.answer is Answer.NEEDS_APPROVAL
    scene.clock.pass_by(121)
    assert (await scene.desk.review(asked)).verdict.is_allowed


# --- whom one could ask

HELP = choice("participant:p1", user=BEN)


async def test_without_a_channel_there_is_nowhere_to_ask(scene: Scene) -> None:
    desk = scene.desk_by(replace(scene.policy, approvals_channel=None))
    review = await desk.review(HELP)
    assert (review.verdict.answer, review.draft) == (Answer.REFUSED, None)
    assert review.verdict.reason.endswith(NOWHERE_TO_ASK)
    assert (await desk.review(choice("participant:p1"))).verdict.is_allowed


async def test_that_nobody_could_decide_is_said_at_once(scene: Scene) -> None:
    for user in (AVA, LEA):
        scene.people.add(user, standing=Standing.DEACTIVATED)
    review = await scene.desk.review(HELP)
    assert (review.verdict.answer, review.draft) == (Answer.REFUSED, None)
    assert review.verdict.reason == f"A helper may ask; a moderator decides. {NOBODY_TO_ASK}"


@pytest.mark.parametrize(
    ("standing", "answer"),
    [(Standing.MEMBER, Answer.NEEDS_APPROVAL), (Standing.GUEST, Answer.REFUSED)],
)
async def test_somebody_of_a_group_may_be_asked_too(
    scene: Scene, standing: Standing, answer: Answer
) -> None:
    for user in (AVA, LEA):
        scene.people.add(user, standing=Standing.DEACTIVATED)
    scene.people.add(EVE, LEADS, standing=standing)
    assert (await scene.desk.review(HELP)).verdict.answer is answer


async def test_nobody_is_asked_about_what_they_want_themselves() -> None:
    scene = Scene(Rules(second_person=SecondPerson.ALWAYS))
    scene.people.add(LEA, standing=Standing.DEACTIVATED)
    review = await scene.desk.review(choice("participant:p1"))
    assert review.verdict.reason.endswith(NOBODY_TO_ASK)
    scene.people.add(LEA)
    assert (await scene.desk.review(choice("participant:p1"))).draft


async def test_that_slack_can_not_say_who_decides_does_not_say_that_nobody_does(
    scene: Scene,
) -> None:
    class Halting(FakePeople):
        async def members(self, group: GroupId) -> Sequence[UserId]:
            raise Unreadable(f"{group}: timeout")

    scene.people = people = Halting(scene.clock)
    for user in (BEN, EVE):
        people.add(user)
    desk = scene.desk_by(scene.policy)
    assert (await desk.review(HELP)).verdict.answer is Answer.NEEDS_APPROVAL


# --- again


async def test_a_kick_again_asks_for_the_same_people_for_the_same_reason(scene: Scene) -> None:
    await scene.store.add(earlier(count=2), Event(NOW, What.ASKED, AVA))
    again = await scene.desk.again(KickId("1"), BEN, ChannelId("C9"))
    assert again == Choice(
        BEN,
        TEAM,
        ChannelId("C9"),
        AMA.id,
        Asked((Key("participant:x0"), Key("participant:x1"))),
        "rude",
        1,
    )


async def test_a_kick_that_is_not_on_record_can_not_be_done_again(scene: Scene) -> None:
    assert await scene.desk.again(KickId("none"), AVA, CHANNEL) is None


async def test_the_draft_of_a_kick_again_names_the_old_one(scene: Scene) -> None:
    review = await scene.desk.review(replace(choice("participant:p1"), repeats=7))
    assert review.draft
    assert review.draft.repeats == 7
