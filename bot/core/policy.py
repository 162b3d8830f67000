"""The policy: who may do what. Pure functions from facts to a verdict and its reason."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from itertools import chain
from typing import NewType

from bot.core.kick import ChannelId, TeamId, UserId
from bot.core.roster import Meeting, Participant
from bot.core.target import Target
from bot.core.text import display, duration, fits, is_uuid, named, normalize_name

GroupId = NewType("GroupId", str)

MAX_MEMBERSHIP_AGE = 60.0  # seconds
BULK_WINDOW = timedelta(minutes=2)
MAX_TARGETS = 25
_TITLE_LIMIT = 75


class Role(IntEnum):
    """What a grant allows. A stronger role has a higher value."""

    HELPER = 1
    MODERATOR = 2
    LEAD = 3


class SecondPerson(StrEnum):
    """When a kick needs an approval."""

    NEVER = "never"
    BULK = "bulk"
    ALWAYS = "always"


class AccountStatus(StrEnum):
    """What kind of account a Slack user has. Only members can have a role."""

    MEMBER = "member"
    GUEST = "a guest"
    BOT = "a bot"
    DEACTIVATED = "deactivated"
    OUTSIDER = "from another workspace"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for users and user groups, in the meetings with these ids or title patterns."""

    users: frozenset[UserId]
    groups: frozenset[GroupId]
    role: Role
    meetings: tuple[str, ...] = ("*",)

    def covers(self, meeting: Meeting) -> bool:
        """Tell whether this grant is valid in the meeting."""
        # No title fits an id: whoever names meetings could give away roles.
        patterns = (one for one in self.meetings if not is_uuid(one))
        return meeting.id in self.meetings or any(fits(meeting.title, one) for one in patterns)


@dataclass(frozen=True, slots=True)
class Protected:
    """The participants that no kick may remove: presets by name, custom ids by pattern."""

    presets: frozenset[str] = frozenset()
    custom_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """A moderator may remove at most `targets` people within the time `within`."""

    targets: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that apply to every grant."""

    second_person: SecondPerson = SecondPerson.NEVER
    bulk: int = 3
    expires: timedelta = timedelta(minutes=10)
    reason_required: bool = True
    reasons: tuple[str, ...] = ()
    protected: Protected = field(default_factory=Protected)
    quota: Quota = Quota(20, timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class Policy:
    """The content of the policy file. An approval card mentions the groups in `ping`."""

    grants: tuple[Grant, ...]
    rules: Rules = field(default_factory=Rules)
    approvals_channel: ChannelId | None = None
    ping: tuple[GroupId, ...] = ()

    @property
    def groups(self) -> frozenset[GroupId]:
        """The user groups that a grant names."""
        return frozenset[GroupId]().union(*(grant.groups for grant in self.grants))


@dataclass(frozen=True, slots=True)
class Membership:
    """A Slack user's account and groups, in a read that began at `read_at`.

    That is in seconds of the monotonic clock, as is each `now` of this module: a wall clock that
    is set must not make a membership look young.

    `groups` are those of the policy's groups that the user is in.
    """

    user: UserId
    team: TeamId
    account_status: AccountStatus
    groups: frozenset[GroupId]
    read_at: float

    def is_fresh(self, now: float) -> bool:
        """Tell whether the read is younger than 60 s. An older one must not decide anything."""
        return now - self.read_at < MAX_MEMBERSHIP_AGE


class VerdictKind(StrEnum):
    """What the policy answers."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs approval"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says about one action. The reason is written for the requester."""

    kind: VerdictKind
    reason: str

    @property
    def is_allowed(self) -> bool:
        """Tell whether the action is allowed without an approval."""
        return self.kind is VerdictKind.ALLOWED


def refusal(reason: str) -> Verdict:
    """Return a verdict that refuses."""
    return Verdict(VerdictKind.REFUSED, reason)


@dataclass(frozen=True, slots=True)
class PolicyInput:
    """The facts of one request to remove people.

    `recent` counts the targets of the requester's other kicks within the time of the quota;
    `recent_bulk` those within two minutes.
    """

    requester: Membership
    meeting: Meeting
    targets: tuple[Target, ...]
    reason: str
    recent: int = 0
    recent_bulk: int = 0


def grants(policy: Policy, member: Membership) -> tuple[Grant, ...]:
    """Return the grants of a user. Only members of this workspace have any."""
    if member.account_status is not AccountStatus.MEMBER:
        return ()
    user, groups = member.user, member.groups
    return tuple(one for one in policy.grants if user in one.users or groups & one.groups)


def role_in(policy: Policy, member: Membership, meeting: Meeting) -> Role | None:
    """Return the strongest role of a user in a meeting; None if they have none."""
    roles = (grant.role for grant in grants(policy, member) if grant.covers(meeting))
    return max(roles, default=None)


def may_open(policy: Policy, member: Membership, now: float) -> Verdict:
    """Return whether a user may see meetings and participants at all."""
    if not member.is_fresh(now):
        return refusal("I could not read from Slack who you are. Try again in a moment.")
    if member.account_status is not AccountStatus.MEMBER:
        return refusal(f"Your Slack account is {member.account_status}: it can't remove anybody.")
    if not grants(policy, member):
        return refusal("The policy gives you no role. The operator of this bot can change that.")
    return Verdict(VerdictKind.ALLOWED, "the policy gives you a role")


def may_see(policy: Policy, member: Membership, meeting: Meeting, now: float) -> Verdict:
    """Return whether a user may see the participants of a meeting."""
    verdict = may_open(policy, member, now)
    if verdict.is_allowed and role_in(policy, member, meeting) is None:
        return refusal(f"The policy gives you no role in {named(meeting.title, _TITLE_LIMIT)}.")
    return verdict


def may_decide(
    policy: Policy, member: Membership, requester: UserId, meeting: Meeting, now: float
) -> Verdict:
    """Return whether a user may approve or deny a request. Requesters may not decide their own."""
    verdict = may_see(policy, member, meeting, now)
    if not verdict.is_allowed:
        return verdict
    if member.user == requester:
        return refusal("You asked for this kick: somebody else decides it, also for a lead.")
    role = role_in(policy, member, meeting)
    if role is None or role < Role.MODERATOR:
        return refusal("A helper may ask; a moderator or a lead decides.")
    return _allowed(role, meeting)


def evaluate(policy: Policy, request: PolicyInput, now: float) -> Verdict:
    """Return whether the requester may remove these targets, or needs an approval."""
    verdict = may_see(policy, request.requester, request.meeting, now)
    role = role_in(policy, request.requester, request.meeting)
    if not verdict.is_allowed or role is None:
        return verdict
    return (
        _exceeded_limit(policy.rules, request)
        or _approval_rule(policy.rules, role, request)
        or _allowed(role, request.meeting)
    )


def eligible_approvers(
    policy: Policy, meeting: Meeting, requester: UserId
) -> tuple[tuple[UserId, ...], tuple[GroupId, ...]]:
    """Return the users and the user groups who may decide this requester's kicks in a meeting."""
    deciding = [
        grant for grant in policy.grants if grant.role >= Role.MODERATOR and grant.covers(meeting)
    ]
    users = {user for grant in deciding for user in grant.users} - {requester}
    groups = {group for grant in deciding for group in grant.groups}
    return tuple(sorted(users)), tuple(sorted(groups))


def protected_by(rules: Rules, person: Target | Participant) -> str | None:
    """Return the preset or the pattern that protects a person; None if there is none.

    Any of their rows counts. Case, blanks and invisible characters make no difference.
    """
    presets, ids = {normalize_name(one) for one in person.presets}, person.custom_ids
    by_preset = (one for one in sorted(rules.protected.presets) if normalize_name(one) in presets)
    by_id = (one for one in rules.protected.custom_ids if any(fits(text, one) for text in ids))
    return next(chain(by_preset, by_id), None)


def _exceeded_limit(rules: Rules, request: PolicyInput) -> Verdict | None:
    count = len(request.targets)
    if not count:
        return refusal("Nobody is left to remove.")
    if count > MAX_TARGETS:
        return refusal(f"That is {count} people; at most {MAX_TARGETS} at once.")
    if rules.reason_required and not request.reason.strip():
        return refusal("The policy wants a reason.")
    total = request.recent + count
    if total > rules.quota.targets:
        return refusal(
            f"That would be {total} people within {duration(rules.quota.within)}; "
            f"the policy allows one moderator {rules.quota.targets}."
        )
    if names := [target.name for target in request.targets if protected_by(rules, target)]:
        return refusal(f"The policy protects {', '.join(names)}.")
    return None


def _approval_rule(rules: Rules, role: Role, request: PolicyInput) -> Verdict | None:
    if role is Role.LEAD:
        return None
    count = request.recent_bulk + len(request.targets)
    if role is Role.HELPER:
        reason = "A helper may ask; a moderator decides."
    elif not all(target.protection_checked for target in request.targets):
        reason = "Whether the policy protects them could not be checked: that takes a lead."
    elif rules.second_person is SecondPerson.ALWAYS:
        reason = "The policy wants a second person for every kick."
    elif rules.second_person is SecondPerson.BULK and count > rules.bulk:
        reason = (
            f"The policy wants a second person when more than {rules.bulk} go within two minutes."
        )
    else:
        return None
    return Verdict(VerdictKind.NEEDS_APPROVAL, reason)


def _allowed(role: Role, meeting: Meeting) -> Verdict:
    title = display(meeting.title, _TITLE_LIMIT)
    return Verdict(VerdictKind.ALLOWED, f"{role.name.lower()} in {title}")
