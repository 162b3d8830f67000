"""Memberships of Slack users, read from Slack when needed and cached."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import TeamId, UserId
from bot.core.policy import MAX_MEMBERSHIP_AGE, AccountStatus, GroupId, Membership
from bot.core.ports import Clock, DirectoryUnavailable
from bot.slack.api import APP_REMOVED, SlackCallError, post_form, required

# Half of the maximum age: a membership that was read now stays valid while people decide.
_READ_AGAIN_AFTER = MAX_MEMBERSHIP_AGE / 2  # seconds
MAX_CACHED = 1000

_UNKNOWN_USER = {"user_not_found", "user_not_visible"}
_UNKNOWN_GROUP = {"no_such_subteam", "subteam_not_found", "plan_upgrade_required"}


@dataclass(frozen=True, slots=True)
class _Members:
    users: frozenset[UserId]
    read_at: float


@dataclass(frozen=True, slots=True)
class SlackDirectory:
    """Implements the port Directory over users.info and usergroups.users.list.

    https://docs.slack.dev/reference/methods/users.info (tier 4) and
    https://docs.slack.dev/reference/methods/usergroups.users.list (tier 2: shared by all callers).
    `groups` are those of the policy. `named` are the users who have a role without a group. They
    keep it while a group can't be read. For other users, `membership` then raises
    DirectoryUnavailable.
    """

    client: AsyncWebClient
    clock: Clock
    _: KW_ONLY
    team: TeamId
    groups: Collection[GroupId]
    named: Collection[UserId]
    _members: dict[GroupId, _Members] = field(init=False, default_factory=dict)
    _cached: dict[UserId, Membership] = field(init=False, default_factory=dict)
    _locks: defaultdict[str, asyncio.Lock] = field(
        init=False, default_factory=lambda: defaultdict(asyncio.Lock)
    )

    def cached_membership(self, user: UserId) -> Membership | None:
        """Return what was last read of a user, however old. Makes no remote call."""
        return self._cached.get(user)

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        """Return a user's membership; with `fresh`, read it now. Raises DirectoryUnavailable."""
        since = self.clock.monotonic() - (0.0 if fresh else _READ_AGAIN_AFTER)
        async with self._locks[user]:
            known = self._cached.get(user)
            if known is None or known.read_at < since:
                known = await self._read(user, since)
                self._cache(known)
        return known

    async def members(self, group: GroupId) -> tuple[UserId, ...]:
        """Return who is in a user group. Raises DirectoryUnavailable."""
        found = await self._group(group, since=self.clock.monotonic() - _READ_AGAIN_AFTER)
        return tuple(sorted(found.users))

    def _cache(self, membership: Membership) -> None:
        self._cached.pop(membership.user, None)
        self._cached[membership.user] = membership
        while len(self._cached) > MAX_CACHED:
            oldest = next(iter(self._cached))
            del self._cached[oldest]
            self._locks.pop(oldest, None)

    async def _read(self, user: UserId, since: float) -> Membership:
        read_at = self.clock.monotonic()
        groups = [self._group_for(group, user, since) for group in self.groups]
        status, members = await asyncio.gather(self._account_status(user), asyncio.gather(*groups))
        found = dict(zip(self.groups, members, strict=True))
        return Membership(
            user=user,
            team=self.team,
            account_status=status,
            groups=frozenset(group for group, members in found.items() if user in members.users),
            read_at=min([read_at, *(members.read_at for members in found.values())]),
        )

    async def _account_status(self, user: UserId) -> AccountStatus:
        try:
            reply = await post_form(self.client, "users.info", user=user)
            account = required(reply, "users.info", "user", dict)
            is_asked_for = required(account, "users.info", "id", str) == user
        except SlackCallError as error:
            if error.code in _UNKNOWN_USER:
                return AccountStatus.OUTSIDER
            raise _unavailable(error) from error
        if not is_asked_for:
            raise DirectoryUnavailable("users.info: the answer is about another user")
        return account_status(account, self.team)

    async def _group_for(self, group: GroupId, user: UserId, since: float) -> _Members:
        try:
            return await self._group(group, since)
        except DirectoryUnavailable:
            if user not in self.named:
                raise
            return _Members(frozenset(), self.clock.monotonic())

    async def _group(self, group: GroupId, since: float) -> _Members:
        async with self._locks[group]:
            members = self._members.get(group)
            if members is None or members.read_at < since:
                self._members[group] = members = await self._read_group(group)
        return members

    async def _read_group(self, group: GroupId) -> _Members:
        read_at = self.clock.monotonic()
        try:
            reply = await post_form(self.client, "usergroups.users.list", usergroup=group)
            users = required(reply, "usergroups.users.list", "users", list)
        except SlackCallError as error:
            if error.code in _UNKNOWN_GROUP:
                return _Members(frozenset(), read_at)
            raise _unavailable(error) from error
        return _Members(frozenset(UserId(str(one)) for one in users), read_at)


def _unavailable(error: SlackCallError) -> DirectoryUnavailable:
    if error.is_token_refused:
        return DirectoryUnavailable(str(error), APP_REMOVED)
    return DirectoryUnavailable(str(error))


def account_status(user: Mapping[str, Any], team: TeamId) -> AccountStatus:
    """Return what a user object of Slack says of an account.

    https://docs.slack.dev/reference/objects/user-object (USLACKBOT has is_bot false). On
    Enterprise Grid, a user is a member of all workspaces in `enterprise_user.teams`, and `team_id`
    may be another one.
    """
    org = user.get("enterprise_user") or {}
    workspaces = {user.get("team_id"), *(org.get("teams") or ())}
    if user.get("deleted"):
        return AccountStatus.DEACTIVATED
    if user.get("is_bot") or user.get("id") == "USLACKBOT":
        return AccountStatus.BOT
    if user.get("is_stranger") or team not in workspaces:
        return AccountStatus.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return AccountStatus.GUEST
    return AccountStatus.MEMBER
