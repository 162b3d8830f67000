"""Who may do what: pure functions from the policy and the facts to a verdict with its reason."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase
from typing import NewType

from bot.core.kick import ChannelId, Target, TeamId, UserId
from bot.core.roster import CustomId, Meeting, display

GroupId = NewType("GroupId", str)

MAX_MEMBERSHIP_AGE = timedelta(seconds=60)
BULK_WINDOW = timedelta(minutes=2)
MAX_TARGETS = 25


class Role(IntEnum):
    """What a grant gives, the stronger the higher."""

    HELPER = 1
    MODERATOR = 2
    LEAD = 3


class SecondPerson(StrEnum):
    """When a kick needs a second person."""

    NEVER = "never"
    BULK = "bulk"
    ALWAYS = "always"


class AccountStatus(StrEnum):
    """What Slack says a user is; only members can have a role."""

    MEMBER = "member"
    GUEST = "a guest"
    BOT = "a bot"
    DEACTIVATED = "deactivated"
    OUTSIDER = "from another workspace"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for users and groups, in meetings named by id or title pattern."""

    users: frozenset[UserId]
    groups: frozenset[GroupId]
    role: Role
    meetings: tuple[str, ...] = ("*",)

    def covers(self, meeting: Meeting) -> bool:
        """Tell whether this grant reaches into the meeting."""
        return any(
            _matches(meeting.id, one) or _matches(meeting.title, one) for one in self.meetings
        )


@dataclass(frozen=True, slots=True)
class Protected:
    """Whom nobody may remove: presets by name, custom ids by pattern."""

    presets: frozenset[str] = frozenset()
    custom_ids: tuple[str, ...] = ()

    def protected_by(self, preset: str | None, custom_id: CustomId | None) -> str | None:
        """Say by what a participant is protected, or None."""
        if preset and preset in self.presets:
            return preset
        matches = (one for one in self.custom_ids if custom_id and fnmatchcase(custom_id, one))
        return next(matches, None)


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `targets` people per moderator within `within`."""

    targets: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that hold for every grant."""

    second_person: SecondPerson = SecondPerson.NEVER
    bulk: int = 3
    expires: timedelta = timedelta(minutes=10)
    reason_required: bool = True
    reasons: tuple[str, ...] = ()
    protected: Protected = field(default_factory=Protected)
    quota: Quota = Quota(20, timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything the policy file says; `ping` are the groups that a card mentions."""

    grants: tuple[Grant, ...]
    rules: Rules = field(default_factory=Rules)
    approvals_channel: ChannelId | None = None
    ping: tuple[GroupId, ...] = ()

    @property
    def groups(self) -> frozenset[GroupId]:
        """The user groups whose members must be known."""
        return frozenset[GroupId]().union(*(grant.groups for grant in self.grants))


@dataclass(frozen=True, slots=True)
class Membership:
    """What Slack said of a user, in a read begun at `read_at`: the groups are the policy's."""

    user: UserId
    team: TeamId
    account_status: AccountStatus
    groups: frozenset[GroupId]
    read_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether it is young enough to decide by."""
        return now - self.read_at < MAX_MEMBERSHIP_AGE


class VerdictKind(StrEnum):
    """The three verdicts."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs approval"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says of one act, and why, in words for the person who asked."""

    kind: VerdictKind
    reason: str

    @property
    def is_allowed(self) -> bool:
        """Tell whether it is a yes without more; a verdict itself is neither true nor false."""
        return self.kind is VerdictKind.ALLOWED


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """The facts of one request: who, where, whom, and how many they removed before.

    `recent`: people this requester's other kicks were aimed at within the quota's time;
    `recent_bulk`: the same within two minutes.
    """

    requester: Membership
    meeting: Meeting
    targets: tuple[Target, ...]
    reason: str
    recent: int = 0
    recent_bulk: int = 0


def grants(policy: Policy, who: Membership) -> tuple[Grant, ...]:
    """List the grants that a user has; none, unless they are a member of this workspace."""
    if who.account_status is not AccountStatus.MEMBER:
        return ()
    return tuple(one for one in policy.grants if who.user in one.users or one.groups & who.groups)


def role_in(policy: Policy, who: Membership, meeting: Meeting) -> Role | None:
    """Find the strongest role that a user has in a meeting."""
    return max((one.role for one in grants(policy, who) if one.covers(meeting)), default=None)


def may_open(policy: Policy, who: Membership, now: datetime) -> Verdict:
    """Judge whether a user may see meetings and people at all."""
    if not who.is_fresh(now):
        return _refusal("I could not read from Slack who you are. Try again in a moment.")
    if who.account_status is not AccountStatus.MEMBER:
        return _refusal(f"Your Slack account is {who.account_status}: it can't remove anybody.")
    if not grants(policy, who):
        return _refusal("The policy gives you no role. The operator of this bot can change that.")
    return Verdict(VerdictKind.ALLOWED, "the policy gives you a role")


def evaluate(policy: Policy, request: PolicyInput, now: datetime) -> Verdict:
    """Judge a request to remove people from a meeting: the first rule that says no speaks."""
    seeing = may_see(policy, request.requester, request.meeting, now)
    role = role_in(policy, request.requester, request.meeting)
    if not seeing.is_allowed or role is None:
        return seeing
    verdicts = (_limits(policy.rules, request), _second_person(policy.rules, role, request))
    allowed = Verdict(
        VerdictKind.ALLOWED, f"{role.name.lower()} in {display(request.meeting.title, 75)}"
    )
    return next((one for one in verdicts if one is not None), allowed)


def may_see(policy: Policy, who: Membership, meeting: Meeting, now: datetime) -> Verdict:
    """Judge whether a user may see what goes on in a meeting."""
    opening = may_open(policy, who, now)
    if opening.is_allowed and role_in(policy, who, meeting) is None:
        return _refusal(f"The policy gives you no role in {display(meeting.title, 75)}.")
    return opening


def may_decide(
    policy: Policy, who: Membership, requester: UserId, meeting: Meeting, now: datetime
) -> Verdict:
    """Judge whether a user may approve or deny somebody's request; nobody decides their own."""
    seeing = may_see(policy, who, meeting, now)
    if not seeing.is_allowed:
        return seeing
    if who.user == requester:
        return _refusal("You asked for this kick: somebody else decides it, also for a lead.")
    role = role_in(policy, who, meeting)
    if role is None or role < Role.MODERATOR:
        return _refusal("A helper may ask; a moderator or a lead decides.")
    return Verdict(VerdictKind.ALLOWED, f"{role.name.lower()} in {display(meeting.title, 75)}")


def eligible_approvers(
    policy: Policy, meeting: Meeting, *, besides: UserId
) -> tuple[tuple[UserId, ...], tuple[GroupId, ...]]:
    """List the users and the groups who could decide in a meeting, besides one user."""
    deciding = [one for one in policy.grants if one.role >= Role.MODERATOR and one.covers(meeting)]
    users = {user for one in deciding for user in one.users} - {besides}
    groups = {group for one in deciding for group in one.groups}
    return tuple(sorted(users)), tuple(sorted(groups))


def _limits(rules: Rules, request: PolicyInput) -> Verdict | None:
    count = len(request.targets)
    if not count:
        return _refusal("Nobody is left to remove.")
    if count > MAX_TARGETS:
        return _refusal(f"That is {count} people; at most {MAX_TARGETS} at once.")
    if rules.reason_required and not request.reason.strip():
        return _refusal("The policy wants a reason.")
    if request.recent + count > rules.quota.targets:
        return _refusal(
            f"That would be {request.recent + count} people within"
            f" {_duration(rules.quota.within)}; "
            f"the policy allows one moderator {rules.quota.targets}.",
        )
    spared = [one.name for one in request.targets if protected_by(rules, one)]
    if spared:
        return _refusal(f"The policy protects {', '.join(spared)}.")
    return None


def protected_by(rules: Rules, target: Target) -> str | None:
    """Say by what the policy protects a target, or None."""
    return rules.protected.protected_by(target.preset, target.custom_id)


def _second_person(rules: Rules, role: Role, request: PolicyInput) -> Verdict | None:
    if role is Role.LEAD:
        return None
    why = _approval_reason(rules, role, request)
    return Verdict(VerdictKind.NEEDS_APPROVAL, why) if why else None


def _approval_reason(rules: Rules, role: Role, request: PolicyInput) -> str | None:
    if role is Role.HELPER:
        return "A helper may ask; a moderator decides."
    if not all(target.protection_checked for target in request.targets):
        return "Whether the policy protects them could not be checked: that takes a lead."
    if rules.second_person is SecondPerson.ALWAYS:
        return "The policy wants a second person for every kick."
    count = request.recent_bulk + len(request.targets)
    if rules.second_person is SecondPerson.BULK and count > rules.bulk:
        return (
            f"The policy wants a second person when more than {rules.bulk} go within two minutes."
        )
    return None


def _duration(time: timedelta) -> str:
    minutes, rest = divmod(time, timedelta(minutes=1))
    if rest:
        return f"{time.total_seconds():.0f} seconds"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _matches(text: str, pattern: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())


def _refusal(reason: str) -> Verdict:
    return Verdict(VerdictKind.REFUSED, reason)
