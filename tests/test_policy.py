from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from bot.core.kick import UserId
from bot.core.policy import (
    AccountStatus,
    Grant,
    GroupId,
    Membership,
    Policy,
    PolicyInput,
    Protected,
    Quota,
    Role,
    Rules,
    SecondPerson,
    Verdict,
    VerdictKind,
    eligible_approvers,
    evaluate,
    grants,
    may_decide,
    may_open,
    may_see,
    role_in,
)
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId
from bot.core.target import Target
from bot.core.text import fits
from tests.fakes import TEAM

AVA, BEN = UserId("U1"), UserId("U2")
MODS = GroupId("S1")
AMA = Meeting(MeetingId("m-1"), "Weekly AMA")
ALLOWED, NEEDS, REFUSED = VerdictKind.ALLOWED, VerdictKind.NEEDS_APPROVAL, VerdictKind.REFUSED
SECOND = timedelta(seconds=1)
NOW = 1000.0  # seconds of the monotonic clock


def member(
    user: UserId = AVA,
    *groups: GroupId,
    standing: AccountStatus = AccountStatus.MEMBER,
    age: timedelta = timedelta(),
) -> Membership:
    return Membership(user, TEAM, standing, frozenset(groups), NOW - age.total_seconds())


def grant(role: Role, *meetings: str, users: tuple[UserId, ...] = (AVA,)) -> Grant:
    return Grant(frozenset(users), frozenset(), role, meetings or ("*",))


def policy(*given: Grant, rules: Rules | None = None) -> Policy:
    return Policy(given, rules or Rules())


def people(count: int, *, checked: bool = True) -> tuple[Target, ...]:
    return tuple(
        Target(
            ParticipantId(f"p{at}"),
            CustomId(f"c{at}"),
            f"P {at}",
            "guest",
            protection_checked=checked,
        )
        for at in range(count)
    )


def request(
    targets: tuple[Target, ...] = people(1),
    reason: str = "spam",
    *,
    who: Membership | None = None,
    recent: int = 0,
    recent_bulk: int = 0,
) -> PolicyInput:
    return PolicyInput(who or member(), AMA, targets, reason, recent, recent_bulk)


# --- who may open the form


@pytest.mark.parametrize(
    ("who", "answer", "word"),
    [
        (member(), ALLOWED, "role"),
        (member(BEN, MODS), ALLOWED, "role"),
        (member(BEN), REFUSED, "no role"),
        (member(BEN, GroupId("S2")), REFUSED, "no role"),
        (member(standing=AccountStatus.GUEST), REFUSED, "a guest"),
        (member(standing=AccountStatus.BOT), REFUSED, "a bot"),
        (member(standing=AccountStatus.DEACTIVATED), REFUSED, "deactivated"),
        (member(standing=AccountStatus.OUTSIDER), REFUSED, "from another workspace"),
        (member(BEN, MODS, standing=AccountStatus.GUEST), REFUSED, "a guest"),
        (member(age=59 * SECOND), ALLOWED, "role"),
        (member(age=60 * SECOND), REFUSED, "could not read"),
        (member(age=timedelta(days=1)), REFUSED, "could not read"),
        (member(standing=AccountStatus.GUEST, age=60 * SECOND), REFUSED, "could not read"),
    ],
)
def test_only_members_with_a_role_who_were_read_just_now_may_look(
    who: Membership, answer: VerdictKind, word: str
) -> None:
    given = policy(Grant(frozenset({AVA}), frozenset({MODS}), Role.HELPER))
    verdict = may_open(given, who, NOW)
    assert verdict.kind is answer
    assert word in verdict.reason


@pytest.mark.parametrize(
    "standing", [one for one in AccountStatus if one is not AccountStatus.MEMBER]
)
def test_a_grant_gives_nothing_to_who_is_no_member(standing: AccountStatus) -> None:
    given = policy(grant(Role.LEAD))
    assert grants(given, member(standing=standing)) == ()
    assert role_in(given, member(standing=standing), AMA) is None
    assert not evaluate(given, request(who=member(standing=standing)), NOW).is_allowed


def test_nobody_has_a_role_where_nothing_is_granted() -> None:
    assert not may_open(policy(), member(), NOW).is_allowed


def test_only_allowed_is_a_yes() -> None:
    assert [Verdict(answer, "").is_allowed for answer in VerdictKind] == [True, False, False]


def test_the_groups_of_all_grants_must_be_known() -> None:
    first = Grant(frozenset(), frozenset({MODS, GroupId("S2")}), Role.LEAD)
    second = Grant(frozenset(), frozenset({GroupId("S3")}), Role.LEAD)
    assert policy(first, second, grant(Role.LEAD)).groups == {"S1", "S2", "S3"}
    assert policy().groups == frozenset()


# --- in which meeting


@pytest.mark.parametrize(
    ("patterns", "covered"),
    [
        (("*",), True),
        (("m-1",), True),
        (("M-1",), False),
        (("m-*",), False),
        (("weekly\u200bama",), False),
        (("Weekly AMA",), True),
        (("weekly*",), True),
        (("*ama",), True),
        (("other", "weekly ama"), True),
        (("weekly",), False),
        (("AMA",), False),
        (("m-",), False),
        (("m-2", "daily*"), False),
        (("",), False),
        ((), False),
    ],
)
def test_a_grant_reaches_where_its_patterns_do(patterns: tuple[str, ...], *, covered: bool) -> None:
    given = Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, patterns)
    assert given.covers(AMA) is covered
    assert evaluate(policy(given), request(), NOW).kind is (ALLOWED if covered else REFUSED)


MEETING_ID = MeetingId("5b0a0c1e-7a51-4a7b-9d0f-3a5d4c2b1e00")


@pytest.mark.parametrize(
    ("title", "pattern", "covered"),
    [
        ("\u200bWeekly AMA", "Weekly*", True),
        (" Weekly AMA", "Weekly*", True),
        ("Weekly  AMA ", "weekly ama", True),
        ("\uff37eekly AMA", "Weekly*", True),
        ("W\u200beekly AMA", "Weekly*", True),
        ("The Weekly AMA", "Weekly*", False),
        ("[Team A] standup", "[Team A] standup", True),
        ("[team a]  standup", "[Team ?] *", True),
        ("T standup", "[Team A] standup", False),
        ("\u200b", "*", True),
        (MEETING_ID, MEETING_ID, False),
        (f"\u200b{MEETING_ID.upper()}", MEETING_ID, False),
        (MEETING_ID, "5b0a*", True),
    ],
)
def test_titles_are_compared_as_names_are_and_never_as_ids(
    title: str, pattern: str, *, covered: bool
) -> None:
    given = Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, (pattern,))
    assert given.covers(Meeting(MeetingId("another id"), title)) is covered


def test_an_id_covers_its_meeting_whatever_the_title_is() -> None:
    given = Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, (MEETING_ID,))
    assert given.covers(Meeting(MEETING_ID, "Weekly AMA"))
    assert not given.covers(Meeting(MeetingId("other"), "Weekly AMA"))


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Weekly AMA", "Weekly AMA"),
        ("Wéekly 👩\u200d💻", "Wéekly 👩\u200d💻"),
        ("W\u200beekly AMA", "Weekly AMA (with hidden characters)"),
        (" Weekly AMA", "Weekly AMA (with hidden characters)"),
        ("\u202eAMA", "AMA (with hidden characters)"),
        ("\u200b", "(no visible name) (with hidden characters)"),
        ("x" * 100, "x" * 74 + "…"),
    ],
)
def test_a_refusal_says_that_a_title_is_not_what_it_looks_like(title: str, shown: str) -> None:
    given = policy(Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, ("Daily*",)))
    verdict = may_see(given, member(), Meeting(MeetingId("m-2"), title), NOW)
    assert verdict.reason == f"The policy gives you no role in {shown}."


@given_any(
    st.text(max_size=40), st.sampled_from(["\u200b", "\u2060", "\u202e", "\u00ad"]), st.data()
)
def test_no_hidden_character_takes_or_gives_a_role(
    title: str, hidden: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(title)))
    changed = f" {title[:at]}{hidden}{title[at:]} "
    for pattern in ("*", "weekly*", "*ama", "?"):
        assert fits(changed, pattern) is fits(title, pattern)


def test_of_several_grants_the_strongest_that_reaches_there_counts() -> None:
    helper, lead = grant(Role.HELPER), grant(Role.LEAD, "daily*")
    mods = Grant(frozenset(), frozenset({MODS}), Role.MODERATOR, ("weekly*",))
    given = policy(lead, helper, mods)
    assert role_in(given, member(), AMA) is Role.HELPER
    assert role_in(given, member(AVA, MODS), AMA) is Role.MODERATOR
    assert role_in(given, member(), replace(AMA, title="Daily")) is Role.LEAD
    assert role_in(given, member(BEN), AMA) is None


# --- verdicts


BULK = Rules(second_person=SecondPerson.BULK, bulk=3)
ALWAYS = Rules(second_person=SecondPerson.ALWAYS)
NEVER = Rules(second_person=SecondPerson.NEVER, bulk=1)


@pytest.mark.parametrize(
    ("role", "rules", "count", "before", "answer", "word"),
    [
        (Role.HELPER, NEVER, 1, 0, NEEDS, "helper"),
        (Role.HELPER, BULK, 1, 0, NEEDS, "helper"),
        (Role.HELPER, ALWAYS, 9, 0, NEEDS, "helper"),
        (Role.MODERATOR, NEVER, 1, 0, ALLOWED, "moderator in Weekly AMA"),
        (Role.MODERATOR, NEVER, 20, 0, ALLOWED, "moderator"),
        (Role.MODERATOR, BULK, 3, 0, ALLOWED, "moderator"),
        (Role.MODERATOR, BULK, 4, 0, NEEDS, "more than 3"),
        (Role.MODERATOR, BULK, 1, 2, ALLOWED, "moderator"),
        (Role.MODERATOR, BULK, 1, 3, NEEDS, "more than 3"),
        (Role.MODERATOR, ALWAYS, 1, 0, NEEDS, "every kick"),
        (Role.LEAD, NEVER, 20, 0, ALLOWED, "lead in Weekly AMA"),
        (Role.LEAD, BULK, 4, 9, ALLOWED, "lead"),
        (Role.LEAD, ALWAYS, 1, 0, ALLOWED, "lead"),
    ],
)
def test_role_and_rules_say_who_may_act_alone(
    role: Role, rules: Rules, count: int, before: int, *, answer: VerdictKind, word: str
) -> None:
    asked = request(people(count), recent=before, recent_bulk=before)
    verdict = evaluate(policy(grant(role), rules=rules), asked, NOW)
    assert verdict.kind is answer
    assert word in verdict.reason


@pytest.mark.parametrize(
    ("role", "answer"),
    [(Role.HELPER, NEEDS), (Role.MODERATOR, NEEDS), (Role.LEAD, ALLOWED)],
)
def test_whom_protection_could_not_be_checked_of_takes_a_lead(
    role: Role, answer: VerdictKind
) -> None:
    some = people(2) + people(1, checked=False)
    assert evaluate(policy(grant(role), rules=NEVER), request(some), NOW).kind is answer


@pytest.mark.parametrize(
    ("targets", "reason", "recent", "word"),
    [
        ((), "spam", 0, "Nobody is left"),
        (people(26), "spam", 0, "at most 25"),
        (people(25), "spam", 0, "25 people within 10 minutes"),
        (people(1), "", 0, "wants a reason"),
        (people(1), " \n ", 0, "wants a reason"),
        (people(1), "spam", 20, "21 people within 10 minutes"),
        (people(20), "spam", 1, "21 people"),
    ],
)
def test_nobody_goes_beyond_the_bounds_leads_neither(
    targets: tuple[Target, ...], reason: str, recent: int, word: str
) -> None:
    for role in Role:
        verdict = evaluate(policy(grant(role)), request(targets, reason, recent=recent), NOW)
        assert verdict.kind is REFUSED
        assert word in verdict.reason


def test_up_to_the_bounds_all_is_well() -> None:
    given = policy(grant(Role.MODERATOR), rules=Rules(quota=Quota(30, timedelta(minutes=1))))
    assert evaluate(given, request(people(25), recent=5), NOW).is_allowed
    assert not evaluate(given, request(people(25), recent=6), NOW).is_allowed


@pytest.mark.parametrize(
    ("within", "words"),
    [
        (timedelta(seconds=30), "within 30 seconds;"),
        (timedelta(seconds=90), "within 90 seconds;"),
        (timedelta(minutes=1), "within 1 minute;"),
        (timedelta(hours=1), "within 60 minutes;"),
    ],
)
def test_the_refusal_names_the_time_that_the_policy_does(within: timedelta, words: str) -> None:
    given = policy(grant(Role.LEAD), rules=Rules(quota=Quota(1, within)))
    assert words in evaluate(given, request(people(2)), NOW).reason


def test_a_reason_may_be_optional() -> None:
    given = policy(grant(Role.MODERATOR), rules=Rules(reason_required=False))
    assert evaluate(given, request(reason=""), NOW).is_allowed


@pytest.mark.parametrize(
    ("preset", "custom", "spared"),
    [
        ("host", "c1", True),
        ("guest", "staff-1", True),
        (None, "staff-1", True),
        ("guest", "c1", False),
        (None, None, False),
        ("Host ", "c1", True),
        ("\u200bHOST", "c1", True),
        ("ho st", "c1", False),
        ("guest", " Staff-1", True),
        ("guest", "\uff33TAFF-1", True),
        ("guest", "xstaff-1", False),
        ("guest", "OPS[1]", True),
        ("guest", "ops1", False),
    ],
)
def test_protection_binds_everyone(
    preset: str | None, custom: CustomId | None, *, spared: bool
) -> None:
    rules = Rules(protected=Protected(frozenset({"host"}), ("staff-*", "ops[1]")))
    targets = (*people(1), Target(ParticipantId("p9"), custom, "Mallory", preset))
    verdict = evaluate(policy(grant(Role.LEAD), rules=rules), request(targets), NOW)
    assert verdict.kind is (REFUSED if spared else ALLOWED)
    assert ("protects Mallory." in verdict.reason) is spared


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (
            request(people(2), who=member(standing=AccountStatus.BOT, age=60 * SECOND)),
            "could not read",
        ),
        (request(people(2), who=member(standing=AccountStatus.BOT)), "a bot"),
        (request(people(2), who=member(BEN)), "no role. The operator"),
        (replace(request(people(2)), meeting=Meeting(MeetingId("2"), "Daily")), "no role in Daily"),
        (request((), "", recent=9), "Nobody is left"),
        (request(people(26), "", recent=9), "at most 25"),
        (request(people(2, checked=False), "", recent=9), "wants a reason"),
        (request(people(2, checked=False), recent=9), "11 people"),
        (request(people(1, checked=False)), "protects P 0"),
    ],
)
def test_the_first_rule_that_says_no_speaks(asked: PolicyInput, word: str) -> None:
    rules = Rules(protected=Protected(frozenset({"guest"})), quota=Quota(1, SECOND))
    given = policy(grant(Role.HELPER, "weekly*"), rules=rules)
    verdict = evaluate(given, asked, NOW)
    assert verdict.kind is REFUSED
    assert word in verdict.reason


def test_who_is_refused_is_not_told_to_ask_somebody_else() -> None:
    asked = request(people(1, checked=False), reason="")
    assert evaluate(policy(grant(Role.HELPER)), asked, NOW).kind is REFUSED


# --- approvals

CAT = UserId("U3")
DAILY = Meeting(MeetingId("m-2"), "Daily")
OWN = "You asked for this kick: somebody else decides it, also for a lead."
DECIDING = policy(
    grant(Role.MODERATOR, "weekly*"),
    grant(Role.LEAD, "daily*", users=(BEN,)),
    grant(Role.HELPER, users=(BEN, CAT)),
    Grant(frozenset(), frozenset({MODS}), Role.MODERATOR, ("m-2",)),
)


@pytest.mark.parametrize(
    ("who", "meeting", "words"),
    [
        (member(), AMA, None),
        (member(BEN), AMA, None),
        (member(CAT), DAILY, None),
        (member(), DAILY, "The policy gives you no role in Daily."),
        (member(UserId("U9")), AMA, "The policy gives you no role. The operator of this bot can"),
        (member(UserId("U9"), MODS), AMA, "The policy gives you no role in Weekly AMA."),
        (
            member(standing=AccountStatus.GUEST),
            AMA,
            "Your Slack account is a guest: it can't remove",
        ),
        (member(age=60 * SECOND), AMA, "I could not read from Slack who you are."),
        (member(age=59 * SECOND), AMA, None),
    ],
)
def test_a_role_in_the_meeting_lets_somebody_see_it(
    who: Membership, meeting: Meeting, words: str | None
) -> None:
    verdict = may_see(DECIDING, who, meeting, NOW)
    assert verdict.kind is (REFUSED if words else ALLOWED)
    assert verdict.reason.startswith(words or "the policy gives you a role")


@pytest.mark.parametrize(
    ("who", "meeting", "answer", "words"),
    [
        (member(), AMA, ALLOWED, "moderator in Weekly AMA"),
        (member(BEN), DAILY, ALLOWED, "lead in Daily"),
        (member(UserId("U9"), MODS), DAILY, ALLOWED, "moderator in Daily"),
        (member(age=59 * SECOND), AMA, ALLOWED, "moderator in Weekly AMA"),
        (member(CAT, MODS), DAILY, ALLOWED, "moderator in Daily"),
        (member(CAT), AMA, REFUSED, "A helper may ask; a moderator or a lead decides."),
        # A role in another meeting does not count here.
        (member(BEN), AMA, REFUSED, "A helper may ask; a moderator or a lead decides."),
        (member(), DAILY, REFUSED, "The policy gives you no role in Daily."),
        (member(UserId("U9"), MODS), AMA, REFUSED, "The policy gives you no role in Weekly AMA."),
        (member(UserId("U9")), AMA, REFUSED, "The policy gives you no role. The operator of this"),
        (member(age=60 * SECOND), AMA, REFUSED, "I could not read from Slack who you are. Try"),
        *(
            (member(standing=one), AMA, REFUSED, f"Your Slack account is {one}: it can't remove")
            for one in AccountStatus
            if one is not AccountStatus.MEMBER
        ),
    ],
)
def test_a_moderator_or_a_lead_of_the_meeting_decides(
    who: Membership, meeting: Meeting, answer: VerdictKind, words: str
) -> None:
    verdict = may_decide(DECIDING, who, UserId("U8"), meeting, NOW)
    assert verdict.kind is answer
    assert verdict.reason.startswith(words)


@pytest.mark.parametrize("role", Role)
def test_nobody_decides_what_they_asked_for(role: Role) -> None:
    verdict = may_decide(policy(grant(role)), member(), AVA, AMA, NOW)
    assert verdict == Verdict(REFUSED, OWN)


@pytest.mark.parametrize(
    ("who", "word"),
    [
        (member(standing=AccountStatus.DEACTIVATED), "deactivated"),
        (member(age=60 * SECOND), "could not read"),
        (member(BEN), "no role"),
    ],
)
def test_who_may_see_nothing_hears_that_first_also_of_their_own_request(
    who: Membership, word: str
) -> None:
    verdict = may_decide(policy(grant(Role.LEAD)), who, who.user, AMA, NOW)
    assert verdict.kind is REFUSED
    assert word in verdict.reason


@pytest.mark.parametrize(
    ("meeting", "besides", "users", "groups"),
    [
        (AMA, CAT, (AVA,), ()),
        (AMA, AVA, (), ()),
        (DAILY, CAT, (BEN,), (MODS,)),
        (DAILY, BEN, (), (MODS,)),
        (Meeting(MeetingId("m-3"), "Evening show"), AVA, (), ()),
    ],
)
def test_those_who_could_decide_are_its_moderators_and_leads_but_one(
    meeting: Meeting, besides: UserId, users: tuple[UserId, ...], groups: tuple[GroupId, ...]
) -> None:
    assert eligible_approvers(DECIDING, meeting, besides) == (users, groups)


def test_who_could_decide_by_several_grants_is_named_once() -> None:
    mods = Grant(frozenset({BEN, AVA}), frozenset({MODS, GroupId("S0")}), Role.MODERATOR)
    leads = Grant(frozenset({BEN}), frozenset({MODS}), Role.LEAD)
    given = policy(leads, mods, grant(Role.LEAD, users=(CAT,)))
    assert eligible_approvers(given, AMA, AVA) == ((BEN, CAT), (GroupId("S0"), MODS))


def test_a_group_that_is_mentioned_decides_nothing() -> None:
    given = Policy((grant(Role.HELPER),), ping=(MODS,))
    assert eligible_approvers(given, AMA, AVA) == ((), ())
    assert not may_decide(given, member(BEN, MODS), AVA, AMA, NOW).is_allowed
    assert given.groups == frozenset()
