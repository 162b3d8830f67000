"""Who Slack users are: the workspace's own answer, read when it is needed, kept for a minute."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import TeamId, UserId
from bot.core.policy import MAX_MEMBERSHIP_AGE, AccountStatus, GroupId, Membership
from bot.core.ports import Clock, DirectoryUnavailable
from bot.slack.api import SlackCallError, post_form

# Half the time for which facts count: what was just read stays good while somebody decides.
READ_AFTER = MAX_MEMBERSHIP_AGE / 2
MAX_CACHED = 1000

UNKNOWN_USER = {"user_not_found", "user_not_visible"}
NO_SUCH_GROUP = {"no_such_subteam", "subteam_not_found", "plan_upgrade_required"}


@dataclass(frozen=True, slots=True)
class _Members:
    users: frozenset[UserId]
    read_at: datetime


class SlackDirectory:
    """Implements the port People over users.info and usergroups.users.list.

    https://docs.slack.dev/reference/methods/users.info (tier 4) and
    https://docs.slack.dev/reference/methods/usergroups.users.list (tier 2: shared by all who ask).
    `named` are the users to whom the policy gives a role without a group: they keep that role
    while groups can't be read; for anybody else that means DirectoryUnavailable.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        clock: Clock,
        *,
        team: TeamId,
        groups: Collection[GroupId],
        named: Collection[UserId],
    ) -> None:
        self._client = client
        self._clock = clock
        self._team = team
        self._named = frozenset(named)
        self._groups = tuple(groups)
        self._members: dict[GroupId, _Members] = {}
        self._cached: dict[UserId, Membership] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def cached_membership(self, user: UserId) -> Membership | None:
        """Return what was last read of a user."""
        return self._cached.get(user)

    async def membership(self, user: UserId, *, fresh: bool = False) -> Membership:
        """Read who a user is; raises DirectoryUnavailable."""
        since = self._clock.now() - (timedelta() if fresh else READ_AFTER)
        async with self._locks[user]:
            known = self._cached.get(user)
            if known is None or known.read_at < since:
                known = await self._read(user, since)
                self._cache(known)
        return known

    async def members(self, group: GroupId) -> tuple[UserId, ...]:
        """Read who is in a user group; raises DirectoryUnavailable."""
        found = await self._group(group, since=self._clock.now() - READ_AFTER)
        return tuple(sorted(found.users))

    def _cache(self, membership: Membership) -> None:
        self._cached.pop(membership.user, None)
        self._cached[membership.user] = membership
        while len(self._cached) > MAX_CACHED:
            oldest = next(iter(self._cached))
            del self._cached[oldest]
            self._locks.pop(oldest, None)

    async def _read(self, user: UserId, since: datetime) -> Membership:
        read_at = self._clock.now()
        account_status = await self._account_status(user)
        found = {group: await self._group_of(group, user, since) for group in self._groups}
        return Membership(
            user=user,
            team=self._team,
            account_status=account_status,
            groups=frozenset(group for group, members in found.items() if user in members.users),
            read_at=min([read_at, *(members.read_at for members in found.values())]),
        )

    async def _account_status(self, user: UserId) -> AccountStatus:
        try:
            reply = await post_form(self._client, "users.info", user=user)
        except SlackCallError as error:
            if error.code in UNKNOWN_USER:
                return AccountStatus.OUTSIDER
            raise DirectoryUnavailable(str(error)) from error
        return account_status(reply["user"], self._team)

    async def _group_of(self, group: GroupId, user: UserId, since: datetime) -> _Members:
        try:
            return await self._group(group, since)
        except DirectoryUnavailable:
            if user not in self._named:
                raise
            return _Members(frozenset(), self._clock.now())

    async def _group(self, group: GroupId, since: datetime) -> _Members:
        async with self._locks[group]:
            members = self._members.get(group)
            if members is None or members.read_at < since:
                self._members[group] = members = await self._read_group(group)
        return members

    async def _read_group(self, group: GroupId) -> _Members:
        read_at = self._clock.now()
        try:
            reply = await post_form(self._client, "usergroups.users.list", usergroup=group)
        except SlackCallError as error:
            if error.code in NO_SUCH_GROUP:
                return _Members(frozenset(), read_at)
            raise DirectoryUnavailable(str(error)) from error
        return _Members(frozenset(UserId(one) for one in reply["users"]), read_at)


def account_status(user: Mapping[str, Any], team: TeamId) -> AccountStatus:
    """Say what a user object makes of somebody.

    https://docs.slack.dev/reference/objects/user-object (USLACKBOT has is_bot false).
    """
    if user.get("deleted"):
        return AccountStatus.DEACTIVATED
    if user.get("is_bot") or user.get("id") == "USLACKBOT":
        return AccountStatus.BOT
    if user.get("is_stranger") or user.get("team_id") != team:
        return AccountStatus.OUTSIDER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return AccountStatus.GUEST
    return AccountStatus.MEMBER
