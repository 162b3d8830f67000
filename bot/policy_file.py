"""The policy file: reads it, and reports all problems at once, each with its place."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.config import describe
from bot.core.kick import ChannelId, UserId
from bot.core.policy import Grant, GroupId, Policy, Protected, Quota, Role, Rules, SecondPerson
from bot.core.text import display, is_uuid, normalize_name

_UNITS = {"s": 1, "m": 60, "h": 3600}


class PolicyError(Exception):
    """The policy file can't be used. `problems` names each problem, with its place."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.problems = problems


def _duration(text: object) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smh])", text) if isinstance(text, str) else None
    if found is None or int(found[1]) == 0:
        raise ValueError('should be a duration such as "10m", "90s" or "1h"')
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _quota(text: object) -> Quota:
    count, slash, within = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not slash or not count.isdecimal() or int(count) == 0:
        raise ValueError('should be people per duration, such as "20/10m"')
    return Quota(int(count), _duration(within))


def _slack_id(first_letters: str, problem: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(f"[{first_letters}][A-Z0-9]{{2,}}", text):
            raise ValueError(f"{text!r} is no {problem}")
        return text

    return AfterValidator(check)


def _role(text: object) -> Role:
    names = {role.name.lower(): role for role in Role}
    if not isinstance(text, str) or text not in names:
        raise ValueError(f"should be one of {', '.join(names)}")
    return names[text]


def _meeting_pattern(text: str) -> str:
    # RealtimeKit writes its ids in small letters.
    return normalize_name(text) if is_uuid(text) else text


_GranteeId = Annotated[
    str, _slack_id("UWS", "Slack id: users start with U or W, user groups with S")
]
_GroupId = Annotated[str, _slack_id("S", "user group's id: those start with S")]
_ChannelId = Annotated[str, _slack_id("CG", "channel's id: those start with C or G")]
_Duration = Annotated[timedelta, BeforeValidator(_duration)]
# RealtimeKit's names are cut to this length, too.
_NonEmpty = Annotated[str, Field(min_length=1, max_length=200)]
_MeetingPattern = Annotated[_NonEmpty, AfterValidator(_meeting_pattern)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Grant(_Strict):
    who: Annotated[list[_GranteeId], Field(min_length=1)]
    role: Annotated[Role, BeforeValidator(_role)]
    meetings: Annotated[list[_MeetingPattern], Field(min_length=1)] = ["*"]

    def value(self) -> Grant:
        users = frozenset(UserId(text) for text in self.who if not text.startswith("S"))
        groups = frozenset(GroupId(text) for text in self.who if text.startswith("S"))
        return Grant(users, groups, self.role, tuple(self.meetings))


class _Protected(_Strict):
    presets: list[_NonEmpty] = []
    custom_ids: list[_NonEmpty] = []


class _Rules(_Strict):
    second_person: SecondPerson = SecondPerson.NEVER
    bulk: Annotated[int, Field(strict=True, ge=1, le=25)] = 3
    expires: _Duration = timedelta(minutes=10)
    reason: Annotated[str, Field(pattern="^(required|optional)$")] = "required"
    # Slack allows ten radio buttons, and the tenth is "Other".
    reasons: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=75)]], Field(max_length=9)
    ] = []
    protected: _Protected = _Protected()
    max_targets: Annotated[Quota, BeforeValidator(_quota)] = Quota(20, timedelta(minutes=10))

    def value(self) -> Rules:
        return Rules(
            second_person=self.second_person,
            bulk=self.bulk,
            expires=self.expires,
            reason_required=self.reason == "required",
            reasons=tuple(self.reasons),
            protected=Protected(
                frozenset(self.protected.presets), tuple(self.protected.custom_ids)
            ),
            quota=self.max_targets,
        )


class _File(_Strict):
    approvals_channel: _ChannelId | None = None
    ping: list[_GroupId] = []
    grant: Annotated[list[_Grant], Field(min_length=1)]
    rules: _Rules = _Rules()

    def value(self) -> Policy:
        return Policy(
            grants=tuple(grant.value() for grant in self.grant),
            rules=self.rules.value(),
            approvals_channel=ChannelId(self.approvals_channel) if self.approvals_channel else None,
            ping=tuple(map(GroupId, self.ping)),
        )


class _ValidParts(_File):
    """A file without its invalid parts."""

    grant: list[_Grant] = []


def read_policy(path: Path) -> Policy:
    """Return the policy of a file. Raises PolicyError with all problems at once."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(path, [f"can't be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(path, [f"is no TOML: {error}"]) from error
    return parse_policy(content, path)


def parse_policy(content: Mapping[str, Any], path: Path) -> Policy:
    """Return the policy of a file with this content. Raises PolicyError with all problems at once.

    `path` is for the messages only.
    """
    problems: list[str] = []
    try:
        policy = _File.model_validate(content).value()
    except ValidationError as error:
        errors = error.errors(include_url=False)
        problems = [describe(one) for one in errors]
        valid = _without(content, [one["loc"] for one in errors])
        policy = _ValidParts.model_validate(valid).value()
    problems += _contradictions(policy, has_channel="approvals_channel" in content)
    if problems:
        raise PolicyError(path, problems)
    return policy


def warnings(policy: Policy) -> list[str]:
    """Return what is probably a mistake in a valid policy, each with its place."""
    rules, found = policy.rules, []
    if rules.second_person is SecondPerson.BULK and _only_one_decides(policy):
        wants = f'"bulk" wants a second person for more than {rules.bulk}; only one may decide'
        found.append(f"rules.second_person: {wants}")
    patterns = {f"grant[{at}].meetings": one.meetings for at, one in enumerate(policy.grants, 1)}
    patterns["rules.protected.custom_ids"] = rules.protected.custom_ids
    return found + [
        f"{place}: the brackets in {one!r} are taken literally; wildcards are * and ?"
        for place, group in patterns.items()
        for one in group
        if re.search(r"\[.+\]", one)
    ]


def notes(policy: Policy) -> list[str]:
    """Return what an operator should know about a valid policy, each with its place."""
    by_title = {
        f"grant[{at}].meetings": [one for one in grant.meetings if one != "*" and not is_uuid(one)]
        for at, grant in enumerate(policy.grants, 1)
    }
    return [
        f"{place}: whoever names meetings decides which fit {', '.join(map(repr, group))};"
        " to be safe, name meetings by id"
        for place, group in by_title.items()
        if group
    ]


def unknown_presets(policy: Policy, presets: Iterable[str]) -> list[str]:
    """Return a problem for each protected preset that is not among the presets of the app."""
    known = {normalize_name(one): one for one in presets}
    listed = ", ".join(sorted(known.values())) or "none"
    return [
        f"rules.protected.presets: the app has no preset {one!r}, so it protects nobody;"
        f" the app has: {display(listed, 300)}"
        for one in sorted(policy.rules.protected.presets)
        if normalize_name(one) not in known
    ]


def _without(content: Mapping[str, Any], places: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """Return the content without its invalid parts: a single rule, or else a whole part."""
    valid = dict(content)
    for part, *inner in places:
        if part == "rules" and inner:
            rules = valid["rules"].items()
            valid["rules"] = {name: value for name, value in rules if name != inner[0]}
        else:
            valid.pop(str(part), None)
    return valid


def _contradictions(policy: Policy, *, has_channel: bool) -> list[str]:
    """Return the contradictions between the valid parts of a file."""
    problems = [] if has_channel else _channel_needed(policy)
    if policy.grants and not _deciding(policy):
        problems.append("grant: nobody may kick; at least one moderator or lead is needed")
    if policy.rules.second_person is SecondPerson.ALWAYS and _only_one_decides(policy):
        needs = '"always" needs two people who may decide; there is one'
        problems.append(f"rules.second_person: {needs}")
    return problems


def _channel_needed(policy: Policy) -> list[str]:
    problems = []
    if policy.rules.second_person is not SecondPerson.NEVER:
        problems.append("approvals_channel: is missing; second_person asks people there")
    if policy.ping:
        problems.append(
            "ping: needs an approvals_channel; what mentions the groups is posted there"
        )
    problems += [
        f"grant[{at}].role: a helper needs an approvals_channel; what they ask is decided there"
        for at, grant in enumerate(policy.grants, 1)
        if grant.role is Role.HELPER
    ]
    return problems


def _deciding(policy: Policy) -> list[Grant]:
    return [grant for grant in policy.grants if grant.role >= Role.MODERATOR]


def _only_one_decides(policy: Policy) -> bool:
    """Tell whether only one user may decide. A group counts as several users."""
    deciding = _deciding(policy)
    users = {user for grant in deciding for user in grant.users}
    return len(users) == 1 and not any(grant.groups for grant in deciding)
