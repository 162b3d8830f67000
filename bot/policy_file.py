"""The policy file: read, checked as a whole, every fault with its place."""

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from bot.core.kick import ChannelId, UserId
from bot.core.policy import (
    Grant,
    GroupId,
    Policy,
    Protected,
    Quota,
    Role,
    Rules,
    SecondPerson,
)

_UNITS = {"s": 1, "m": 60, "h": 3600}
_ID = re.compile(r"^[UWS][A-Z0-9]{2,}$")


class BadPolicy(Exception):
    """The policy file can't be used; `faults` names each, with its place."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {fault}" for fault in faults))
        self.faults = faults


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


def _slack_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{text!r} is no Slack id: users start with U or W, user groups with S")
    return text


def _role(text: object) -> Role:
    names = {role.name.lower(): role for role in Role}
    if not isinstance(text, str) or text not in names:
        raise ValueError(f"should be one of {', '.join(names)}")
    return names[text]


_SlackId = Annotated[str, AfterValidator(_slack_id)]
_Duration = Annotated[timedelta, BeforeValidator(_duration)]
_NonEmpty = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Grant(_Strict):
    who: Annotated[list[_SlackId], Field(min_length=1)]
    role: Annotated[Role, BeforeValidator(_role)]
    meetings: Annotated[list[_NonEmpty], Field(min_length=1)] = ["*"]

    def value(self) -> Grant:
        users = frozenset(UserId(one) for one in self.who if not one.startswith("S"))
        groups = frozenset(GroupId(one) for one in self.who if one.startswith("S"))
        return Grant(users, groups, self.role, tuple(self.meetings))


class _Protected(_Strict):
    presets: list[_NonEmpty] = []
    custom_ids: list[_NonEmpty] = []


class _Rules(_Strict):
    second_person: SecondPerson = SecondPerson.NEVER
    bulk: Annotated[int, Field(strict=True, ge=1, le=25)] = 3
    expires: _Duration = timedelta(minutes=10)
    reason: Annotated[str, Field(pattern="^(required|optional)$")] = "required"
    # Slack's radio buttons take ten options; the tenth is "Other".
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
    approvals_channel: Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{2,}$")] | None = None
    grant: Annotated[list[_Grant], Field(min_length=1)]
    rules: _Rules = _Rules()


def read_policy(path: Path) -> Policy:
    """Read and check the policy file; raises BadPolicy with all that is wrong at once."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPolicy(path, [f"can't be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPolicy(path, [f"is no TOML: {error}"]) from error
    return parse_policy(given, path)


def parse_policy(given: Mapping[str, Any], path: Path) -> Policy:
    """Check what a policy file says; raises BadPolicy."""
    try:
        file = _File.model_validate(given)
    except ValidationError as error:
        faults = [_fault(one) for one in error.errors(include_url=False)]
        raise BadPolicy(path, faults) from error
    policy = Policy(
        grants=tuple(grant.value() for grant in file.grant),
        rules=file.rules.value(),
        approvals_channel=ChannelId(file.approvals_channel) if file.approvals_channel else None,
    )
    if faults := _contradictions(policy):
        raise BadPolicy(path, faults)
    return policy


def _contradictions(policy: Policy) -> list[str]:
    faults = []
    if policy.rules.second_person is not SecondPerson.NEVER and policy.approvals_channel is None:
        faults.append("approvals_channel: is missing; second_person asks people there")
    deciders = [grant for grant in policy.grants if grant.role >= Role.MODERATOR]
    if not deciders:
        faults.append("grant: nobody may kick; at least one moderator or lead is needed")
    alone = len({user for grant in deciders for user in grant.users}) == 1
    if policy.rules.second_person is SecondPerson.ALWAYS and alone and not _groups(deciders):
        faults.append('rules.second_person: "always" needs two people who may decide; there is one')
    return faults


def _groups(grants: list[Grant]) -> frozenset[GroupId]:
    return frozenset[GroupId]().union(*(grant.groups for grant in grants))


def _fault(error: Mapping[str, Any]) -> str:
    place = ""
    for part in error["loc"]:
        place += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if place else str(part)
    if error["type"] == "extra_forbidden":
        return f"{place}: no such key"
    if error["type"] == "missing":
        return f"{place}: is missing"
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"
