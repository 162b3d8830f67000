from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.core.candidates import CandidateStatus
from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.policy import (
    AccountStatus,
    Grant,
    GroupId,
    Policy,
    Protected,
    Quota,
    Role,
    Rules,
    SecondPerson,
    VerdictKind,
)
from bot.core.ports import DirectoryUnavailable, NotFound, NotSent, OutcomeUnknown
from bot.core.review_service import KickRequest, ReviewService
from bot.core.roster import (
    CustomId,
    Match,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    ParticipantKey,
    PeerId,
    Roster,
    Session,
    SessionId,
)
from bot.core.selection import Selection
from bot.core.service import NO_APPROVALS_CHANNEL, NO_APPROVER
from bot.core.target import Target
from tests.fakes import NOW, TEAM, FakeClock, FakeDirectory, FakeGateway, peer
from tests.stores import MemoryStore

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
    """A review service on top of the fakes.

    Ava is a moderator, Ben is a helper and Lea a lead in the AMA, and Eve has no role.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.clock = FakeClock()
        self.gateway = FakeGateway(self.clock)
        self.directory = FakeDirectory(self.clock)
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
        self.review_service = self.service_with(self.policy)
        for user in (AVA, BEN, EVE, LEA):
            self.directory.add(user)
        self.gateway.all_meetings = {one.id: one for one in (AMA, DAILY, BOARD)}
        self.gateway.go_live(AMA_LIVE, ANN, BOB, HOST)

    def service_with(self, policy: Policy) -> ReviewService:
        """Return a review service with another policy."""
        return ReviewService(
            policy=policy,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            clock=self.clock,
        )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def choice(
    *keys: str, pasted: tuple[str, ...] = (), user: UserId = AVA, reason: str = "spam"
) -> KickRequest:
    selection = Selection(tuple(ParticipantKey(one) for one in keys), pasted)
    return KickRequest(user, TEAM, CHANNEL, AMA.id, selection, reason)


def earlier(number: int = 1, *, count: int = 1, meeting: Meeting = AMA) -> Kick:
    targets = tuple(Target(ParticipantId(f"x{at}"), None, "x") for at in range(count))
    one = str(number)
    return Kick(
        id=KickId(one),
        idempotency_key=one,
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
    verdict = scene.review_service.may_open_cached(user)
    assert verdict is not None
    assert verdict.is_allowed is answer


def test_nobody_is_judged_by_what_is_not_known_or_old(scene: Scene) -> None:
    assert scene.review_service.may_open_cached(UserId("U9")) is None
    scene.clock.advance(60)
    assert scene.review_service.may_open_cached(AVA) is None
    assert scene.directory.reads == []


async def test_the_standing_of_a_user_is_their_strongest_role_anywhere(scene: Scene) -> None:
    verdict, role = await scene.review_service.permissions(AVA)
    assert (verdict.kind, role) == (VerdictKind.ALLOWED, Role.MODERATOR)
    refused, none = await scene.review_service.permissions(EVE)
    assert (refused.kind, none) == (VerdictKind.REFUSED, None)
    assert scene.review_service.rules == scene.policy.rules


async def test_that_slack_cannot_be_read_is_not_hidden(scene: Scene) -> None:
    scene.directory.error = "timeout"
    with pytest.raises(DirectoryUnavailable):
        await scene.review_service.permissions(AVA)
    with pytest.raises(DirectoryUnavailable):
        await scene.review_service.form_context(AVA, TEAM, CHANNEL, "")
    with pytest.raises(DirectoryUnavailable):
        await scene.review_service.review(choice("participant:p1"))


# --- opening the form


async def test_who_has_no_role_sees_no_meeting(scene: Scene) -> None:
    context = await scene.review_service.form_context(EVE, TEAM, CHANNEL, "ann")
    assert (context.verdict.kind, context.sessions, context.chosen) == (
        VerdictKind.REFUSED,
        (),
        None,
    )
    assert scene.gateway.reads == []


@pytest.mark.parametrize("late", [60, 3600])
async def test_a_membership_a_minute_old_opens_nothing(scene: Scene, late: int) -> None:
    scene.directory.read_delay = late
    assert not (await scene.review_service.form_context(AVA, TEAM, CHANNEL, "")).verdict.is_allowed
    assert await scene.review_service.search_meetings(AVA, "") == ((), ())
    assert (await scene.review_service.search_people(AVA, AMA.id, "", 25)).people == ()
    review = await scene.review_service.review(choice("participant:p1"))
    assert (review.verdict.kind, review.candidates, review.draft) == (VerdictKind.REFUSED, (), None)


async def test_the_only_live_meeting_is_chosen(scene: Scene) -> None:
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "")
    assert (context.sessions, context.chosen) == ((AMA_LIVE,), AMA_LIVE)
    assert context.match == Match((), "", "")


async def test_meetings_without_a_role_are_not_listed(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE)
    scene.gateway.go_live(Session(SessionId("s3"), BOARD))
    assert (await scene.review_service.form_context(AVA, TEAM, CHANNEL, "")).sessions == (
        AMA_LIVE,
        DAILY_LIVE,
    )
    assert (await scene.review_service.form_context(BEN, TEAM, CHANNEL, "")).sessions == (AMA_LIVE,)


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
    scene.gateway.go_live(DAILY_LIVE)
    if last:
        await scene.store.add(earlier(meeting=last), Event(NOW, EventKind.ASKED, AVA))
    context = await scene.review_service.form_context(AVA, team, CHANNEL, "")
    assert context.chosen == chosen


async def test_that_the_list_of_sessions_cannot_be_read_is_told(scene: Scene) -> None:
    scene.gateway.errors["live_sessions"] = [NotSent("down")]
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "ann spam")
    assert isinstance(context.error, NotSent)
    assert (context.verdict.is_allowed, context.sessions) == (True, ())
    assert (context.match.people, context.match.who) == ((), "")


async def test_that_one_session_cannot_be_read_loses_no_meeting(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE)
    scene.gateway.errors["roster"] = [OutcomeUnknown("500 while it starts")]
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "ann spam")
    assert context.sessions == (AMA_LIVE, DAILY_LIVE)
    assert context.error is None
    assert context.match == Match((), "", "ann spam")


async def test_the_text_of_the_command_finds_whom_it_means(scene: Scene) -> None:
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "ann spamming links")
    assert [one.id for one in context.match.people] == ["p1"]
    assert (context.match.who, context.match.rest) == ("ann", "spamming links")


async def test_the_meeting_where_the_text_fits_is_chosen(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE, peer("e9", "p9", name="Mallory"))
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "mallory")
    assert context.chosen == DAILY_LIVE
    assert [one.id for one in context.match.people] == ["p9"]


async def test_text_that_fits_in_two_meetings_chooses_none_and_hides_none(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE, peer("e9", "p9", name="Ann"))
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "ann spam")
    assert context.chosen is None
    assert {one.id for one in context.match.people} == {"p1", "p9"}
    assert (context.match.who, context.match.rest) == ("ann", "spam")


async def test_text_that_fits_nobody_is_told(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE)
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "nobody here")
    assert (context.chosen, context.match) == (None, Match((), "nobody here", ""))


async def test_nobody_is_said_to_be_missing_from_meetings_that_were_not_searched(
    scene: Scene,
) -> None:
    for at in range(5, 10):
        meeting = Meeting(MeetingId(f"m{at}"), f"Daily {at}")
        scene.gateway.go_live(Session(SessionId(f"s{at}"), meeting))
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "mallory")
    assert context.match == Match((), "", "mallory")
    assert scene.gateway.reads.count(("roster", False)) == 5


async def test_nobody_is_said_to_be_missing_from_a_session_too_long_to_search(scene: Scene) -> None:
    scene.gateway.partial = {"mallory"}
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "mallory spam")
    assert scene.gateway.searches == ["mallory"]
    assert context.match == Match((), "", "mallory spam")


async def test_text_is_searched_only_in_the_meeting_this_channel_uses(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE, peer("e9", "p9", name="Mallory"))
    await scene.store.add(earlier(meeting=AMA), Event(NOW, EventKind.ASKED, AVA))
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "mallory")
    assert (context.chosen, context.match.people) == (AMA_LIVE, ())


async def test_text_fits_nobody_where_nothing_is_live(scene: Scene) -> None:
    scene.gateway.sessions.clear()
    context = await scene.review_service.form_context(AVA, TEAM, CHANNEL, "ann")
    assert (context.sessions, context.chosen, context.match.people) == ((), None, ())


# --- searches


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
    sessions, meetings = await scene.review_service.search_meetings(user, query)
    assert [one.meeting.title for one in sessions] == live
    assert [one.title for one in meetings] == others


@pytest.mark.parametrize("read", ["live_sessions", "meetings"])
async def test_that_meetings_cannot_be_read_is_raised(scene: Scene, read: str) -> None:
    scene.gateway.errors[read] = [NotSent("down")]
    with pytest.raises(NotSent):
        await scene.review_service.search_meetings(AVA, "")


async def test_people_are_offered_newest_first_to_who_has_a_role_there(scene: Scene) -> None:
    found = await scene.review_service.search_people(AVA, AMA.id, "", 2)
    assert [one.id for one in found.people] == ["p2", "p3"]
    assert found.roster
    assert len(found.roster.live) == 3
    assert [
        one.id for one in (await scene.review_service.search_people(BEN, AMA.id, "an", 25)).people
    ] == ["p1"]


async def test_nobody_is_offered_to_who_has_no_role_there(scene: Scene) -> None:
    scene.gateway.go_live(DAILY_LIVE, BOB)
    for user, meeting in ((EVE, AMA.id), (BEN, DAILY.id)):
        found = await scene.review_service.search_people(user, meeting, "", 25)
        assert (found.people, found.roster) == ((), None)
    assert ("roster", False) not in scene.gateway.reads


async def test_nobody_is_offered_where_no_session_is(scene: Scene) -> None:
    assert (await scene.review_service.search_people(AVA, DAILY.id, "", 25)).roster is None


# --- reviews


async def test_a_review_shows_what_a_fresh_read_shows_and_keeps_it(scene: Scene) -> None:
    review = await scene.review_service.review(choice("participant:p1", pasted=("c1", "c2")))
    assert [(candidate.requested, candidate.status) for candidate in review.candidates] == [
        ("participant:p1", CandidateStatus.LIVE),
        ("c2", CandidateStatus.LIVE),
    ]
    assert (review.meeting, review.session, review.reason) == (AMA, AMA_LIVE, "spam")
    assert scene.gateway.reads == [("active_session", True), ("find", True)]
    draft = review.draft
    assert draft
    assert await scene.store.get_draft(draft.id) == draft
    assert [target.key for target in draft.targets] == ["participant:p1", "participant:p2"]
    assert (draft.requester, draft.meeting, draft.session_id) == (AVA, AMA, AMA_LIVE.id)
    assert (draft.reason, draft.created_at, draft.repeats) == ("spam", NOW, None)


async def test_every_review_has_a_draft_of_its_own(scene: Scene) -> None:
    drafts = [(await scene.review_service.review(choice("participant:p1"))).draft for _ in range(2)]
    assert drafts[0] != drafts[1]
    assert len(scene.store.drafts) == 2


@pytest.mark.parametrize(
    ("kick_request", "answer", "text"),
    [
        (choice("participant:p1"), VerdictKind.ALLOWED, "moderator"),
        (choice("participant:p1", "participant:p3"), VerdictKind.ALLOWED, "moderator"),
        (choice("participant:p3"), VerdictKind.REFUSED, "Nobody is left"),
        (choice(pasted=("unknown",)), VerdictKind.REFUSED, "Nobody is left"),
        (choice(pasted=("e1",)), VerdictKind.REFUSED, "Nobody is left"),
        (choice(), VerdictKind.REFUSED, "Nobody is left"),
        (choice("participant:p1", reason=""), VerdictKind.REFUSED, "reason"),
        (choice("participant:p1", user=BEN), VerdictKind.NEEDS_APPROVAL, "helper"),
        (choice("participant:p9"), VerdictKind.NEEDS_APPROVAL, "could not be checked"),
        (choice("participant:p1", "custom:x"), VerdictKind.NEEDS_APPROVAL, "could not be checked"),
    ],
)
async def test_a_draft_is_kept_of_what_is_allowed_or_may_be_asked_for(
    scene: Scene, kick_request: KickRequest, answer: VerdictKind, text: str
) -> None:
    review = await scene.review_service.review(kick_request)
    assert review.verdict.kind is answer
    assert text in review.verdict.reason
    assert len(scene.store.drafts) == (answer is not VerdictKind.REFUSED)
    assert (review.draft is None) is (answer is VerdictKind.REFUSED)
    if review.draft:
        assert review.draft.needs_approval is (answer is VerdictKind.NEEDS_APPROVAL)


async def test_the_protected_stand_in_the_review_and_not_in_the_draft(scene: Scene) -> None:
    review = await scene.review_service.review(choice("participant:p3", "participant:p1"))
    assert [candidate.status for candidate in review.candidates] == [
        CandidateStatus.PROTECTED,
        CandidateStatus.LIVE,
    ]
    assert review.draft
    assert [target.key for target in review.draft.targets] == ["participant:p1"]


@pytest.mark.parametrize(
    ("user", "standing"), [(EVE, AccountStatus.MEMBER), (AVA, AccountStatus.GUEST)]
)
async def test_who_may_not_act_there_learns_nothing_of_who_is_in(
    scene: Scene, user: UserId, standing: AccountStatus
) -> None:
    scene.directory.add(user, GroupId("S1"), standing=standing)
    review = await scene.review_service.review(choice("participant:p1", user=user))
    assert (review.verdict.kind, review.candidates) == (VerdictKind.REFUSED, ())
    assert ("find", True) not in scene.gateway.reads


async def test_somebody_in_a_meeting_not_seen_live_is_found_in_its_records(scene: Scene) -> None:
    scene.gateway.sessions.clear()
    scene.gateway.stored_records[AMA.id] = [
        Participant(ParticipantId("p7"), CustomId("c7"), "Seven", "guest")
    ]
    review = await scene.review_service.review(choice(pasted=("c7",)))
    assert (review.session, review.meeting) == (None, AMA)
    assert [candidate.status for candidate in review.candidates] == [CandidateStatus.UNLISTED]
    assert review.draft
    assert review.draft.session_id is None
    assert ("find", True) not in scene.gateway.reads


async def test_who_seems_to_have_left_may_be_there_if_connections_may_be_missing(
    scene: Scene,
) -> None:
    scene.gateway.change("p1", left_at=NOW)
    scene.gateway.partial = {"participant:p1"}
    review = await scene.review_service.review(choice("participant:p1"))
    (one,) = review.candidates
    assert (one.status, one.target and one.target.live) == (CandidateStatus.MAYBE_LEFT, False)
    assert review.verdict.is_allowed


async def test_whose_connections_may_be_missing_is_unchecked_without_a_participant_id(
    scene: Scene,
) -> None:
    scene.gateway.go_live(AMA_LIVE, peer("e7", None, "c7"), peer("e1", "p1", "c1"))
    scene.gateway.partial = {"custom:c7", "participant:p1"}
    review = await scene.review_service.review(choice("custom:c7", "participant:p1"))
    assert [one.target and one.target.protection_checked for one in review.candidates] == [
        False,
        True,
    ]
    assert review.verdict.kind is VerdictKind.NEEDS_APPROVAL


async def test_namesakes_are_known_from_the_menu(scene: Scene) -> None:
    rows = [peer("e1", "p1", "c1", name="Ann"), peer("e9", "p9", "c9", name=" ANN ")]
    scene.gateway.go_live(AMA_LIVE, *rows)
    scene.gateway.cached[AMA_LIVE.id] = Roster([replace(rows[0], id=PeerId("older")), rows[1]])
    review = await scene.review_service.review(choice("participant:p1"))
    assert [one.namesakes for one in review.candidates] == [1]


async def test_records_are_read_only_for_who_was_not_found(scene: Scene) -> None:
    await scene.review_service.review(choice("participant:p1", pasted=("e2", "p3")))
    assert ("records", True) not in scene.gateway.reads
    await scene.review_service.review(choice(pasted=("p7",)))
    assert ("records", True) in scene.gateway.reads


async def test_records_that_cannot_be_read_leave_whom_they_hold_unidentified(
    scene: Scene,
) -> None:
    scene.gateway.errors["records"] = [OutcomeUnknown("502"), OutcomeUnknown("502")]
    review = await scene.review_service.review(choice(pasted=("p7", "p1")))
    assert [candidate.status for candidate in review.candidates] == [
        CandidateStatus.UNKNOWN,
        CandidateStatus.LIVE,
    ]
    assert review.draft
    unchecked = await scene.review_service.review(choice(pasted=("participant:p7",)))
    assert [candidate.status for candidate in unchecked.candidates] == [CandidateStatus.NOWHERE]
    assert unchecked.verdict.kind is VerdictKind.NEEDS_APPROVAL


@pytest.mark.parametrize("read", ["active_session", "find"])
async def test_a_session_that_cannot_be_read_is_no_empty_session(scene: Scene, read: str) -> None:
    scene.gateway.errors[read] = [OutcomeUnknown("500")]
    with pytest.raises(OutcomeUnknown):
        await scene.review_service.review(choice("participant:p1"))
    assert scene.store.drafts == {}


async def test_a_meeting_that_does_not_exist_is_told(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.review_service.review(
            replace(choice("participant:p1"), meeting=MeetingId("none"))
        )


async def test_earlier_kicks_count_towards_the_quota() -> None:
    scene = Scene(Rules(quota=Quota(3, timedelta(minutes=10))))
    await scene.store.add(earlier(count=2), Event(NOW, EventKind.ASKED, AVA))
    both = choice("participant:p1", "participant:p2")
    assert (await scene.review_service.review(both)).verdict.kind is VerdictKind.REFUSED
    assert (await scene.review_service.review(choice("participant:p1"))).verdict.is_allowed
    scene.clock.advance(601)
    assert (await scene.review_service.review(both)).verdict.is_allowed


async def test_earlier_kicks_make_a_bulk_for_two_minutes() -> None:
    scene = Scene(Rules(second_person=SecondPerson.BULK, bulk=2))
    await scene.store.add(earlier(count=2), Event(NOW, EventKind.ASKED, AVA))
    request = choice("participant:p1")
    assert (await scene.review_service.review(request)).verdict.kind is VerdictKind.NEEDS_APPROVAL
    scene.clock.advance(121)
    assert (await scene.review_service.review(request)).verdict.is_allowed


# --- eligible approvers

HELP = choice("participant:p1", user=BEN)


async def test_without_a_channel_there_is_nowhere_to_ask(scene: Scene) -> None:
    review_service = scene.service_with(replace(scene.policy, approvals_channel=None))
    review = await review_service.review(HELP)
    assert (review.verdict.kind, review.draft) == (VerdictKind.REFUSED, None)
    assert review.verdict.reason.endswith(NO_APPROVALS_CHANNEL)
    assert (await review_service.review(choice("participant:p1"))).verdict.is_allowed


async def test_that_nobody_could_decide_is_said_at_once(scene: Scene) -> None:
    for user in (AVA, LEA):
        scene.directory.add(user, standing=AccountStatus.DEACTIVATED)
    review = await scene.review_service.review(HELP)
    assert (review.verdict.kind, review.draft) == (VerdictKind.REFUSED, None)
    assert review.verdict.reason == f"A helper may ask; a moderator decides. {NO_APPROVER}"


@pytest.mark.parametrize(
    ("standing", "answer"),
    [
        (AccountStatus.MEMBER, VerdictKind.NEEDS_APPROVAL),
        (AccountStatus.GUEST, VerdictKind.REFUSED),
    ],
)
async def test_somebody_of_a_group_may_be_asked_too(
    scene: Scene, standing: AccountStatus, answer: VerdictKind
) -> None:
    for user in (AVA, LEA):
        scene.directory.add(user, standing=AccountStatus.DEACTIVATED)
    scene.directory.add(EVE, LEADS, standing=standing)
    assert (await scene.review_service.review(HELP)).verdict.kind is answer


async def test_nobody_is_asked_about_what_they_want_themselves() -> None:
    scene = Scene(Rules(second_person=SecondPerson.ALWAYS))
    scene.directory.add(LEA, standing=AccountStatus.DEACTIVATED)
    review = await scene.review_service.review(choice("participant:p1"))
    assert review.verdict.reason.endswith(NO_APPROVER)
    scene.directory.add(LEA)
    assert (await scene.review_service.review(choice("participant:p1"))).draft


async def test_that_slack_can_not_say_who_decides_does_not_say_that_nobody_does(
    scene: Scene,
) -> None:
    class Halting(FakeDirectory):
        async def members(self, group: GroupId) -> Sequence[UserId]:
            raise DirectoryUnavailable(f"{group}: timeout")

    scene.directory = people = Halting(scene.clock)
    for user in (BEN, EVE):
        people.add(user)
    review_service = scene.service_with(scene.policy)
    assert (await review_service.review(HELP)).verdict.kind is VerdictKind.NEEDS_APPROVAL


# --- kick again


async def test_a_kick_again_asks_for_the_same_people_for_the_same_reason(scene: Scene) -> None:
    await scene.store.add(earlier(count=2), Event(NOW, EventKind.ASKED, AVA))
    again = await scene.review_service.repeat_kick(KickId("1"), BEN, ChannelId("C9"))
    assert again == KickRequest(
        BEN,
        TEAM,
        ChannelId("C9"),
        AMA.id,
        Selection((ParticipantKey("participant:x0"), ParticipantKey("participant:x1"))),
        "rude",
        1,
    )


async def test_a_kick_that_is_not_on_record_can_not_be_done_again(scene: Scene) -> None:
    assert await scene.review_service.repeat_kick(KickId("none"), AVA, CHANNEL) is None


async def test_the_draft_of_a_kick_again_names_the_old_one(scene: Scene) -> None:
    review = await scene.review_service.review(replace(choice("participant:p1"), repeats=7))
    assert review.draft
    assert review.draft.repeats == 7
