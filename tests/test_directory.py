"""Who Slack users are: read from Slack, kept for half a minute, never older than a minute."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from bot.core.kick import TeamId, UserId
from bot.core.policy import AccountStatus, GroupId
from bot.core.ports import DirectoryUnavailable
from bot.slack import directory
from bot.slack.api import web_client
from bot.slack.directory import SlackDirectory, account_status
from tests.sandbox.sandbox import MANIFEST
from tests.sandbox.slack import TEAM_ID, Group, SlackStandIn

pytestmark = pytest.mark.services

MO, MIA, MAYA = UserId("U0MO"), UserId("U0MIA"), UserId("U0MAYA")
MODS = GroupId("S0MODS")
USER: dict[str, Any] = {"id": "U0MO", "team_id": TEAM_ID}


class ManualClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, tzinfo=UTC)
        self.elapsed = 1000.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.elapsed

    async def sync(self) -> bool:
        return False

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.elapsed += seconds


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(MANIFEST) as stand_in:
        yield stand_in


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def known_people(slack: SlackStandIn, clock: ManualClock) -> AsyncIterator[SlackDirectory]:
    async with aiohttp.ClientSession() as session:
        client = web_client(slack.bot_token, slack.api_url, session)
        yield SlackDirectory(client, clock, team=TeamId(TEAM_ID), groups=[MODS], named=[MAYA])


def asked(slack: SlackStandIn) -> list[str]:
    return [call.method for call in slack.calls]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, AccountStatus.MEMBER),
        ({"is_admin": True, "is_owner": True}, AccountStatus.MEMBER),
        ({"deleted": True}, AccountStatus.DEACTIVATED),
        ({"deleted": True, "is_bot": True}, AccountStatus.DEACTIVATED),
        ({"is_bot": True}, AccountStatus.BOT),
        ({"id": "USLACKBOT"}, AccountStatus.BOT),
        ({"is_stranger": True}, AccountStatus.OUTSIDER),
        ({"team_id": "T0OTHER"}, AccountStatus.OUTSIDER),
        ({"team_id": None}, AccountStatus.OUTSIDER),
        ({"team_id": "T0OTHER", "enterprise_user": {"teams": [TEAM_ID]}}, AccountStatus.MEMBER),
        ({"team_id": "T0OTHER", "enterprise_user": {"teams": ["T0X"]}}, AccountStatus.OUTSIDER),
        ({"team_id": "T0OTHER", "enterprise_user": {}}, AccountStatus.OUTSIDER),
        ({"team_id": "T0OTHER", "enterprise_user": None}, AccountStatus.OUTSIDER),
        (
            {"is_stranger": True, "enterprise_user": {"teams": [TEAM_ID]}},
            AccountStatus.OUTSIDER,
        ),
        ({"is_restricted": True}, AccountStatus.GUEST),
        ({"is_ultra_restricted": True}, AccountStatus.GUEST),
    ],
)
def test_only_a_full_member_of_this_workspace_stands_as_one(
    changes: dict[str, Any], found: AccountStatus
) -> None:
    assert account_status(USER | changes, TeamId(TEAM_ID)) is found


async def test_a_member_is_read_with_the_groups_of_the_policy(known_people: SlackDirectory) -> None:
    assert known_people.cached_membership(MO) is None
    mo = await known_people.membership(MO)
    assert (mo.account_status, mo.groups, mo.team) == (
        AccountStatus.MEMBER,
        frozenset({MODS}),
        TEAM_ID,
    )
    assert known_people.cached_membership(MO) == mo
    assert (await known_people.membership(MAYA)).groups == frozenset()


async def test_all_who_ask_at_once_share_one_read(
    slack: SlackStandIn, known_people: SlackDirectory
) -> None:
    await asyncio.gather(*(known_people.membership(MO) for _ in range(10)))
    assert sorted(asked(slack)) == ["usergroups.users.list", "users.info"]
    await known_people.membership(MIA)
    assert asked(slack).count("usergroups.users.list") == 1


async def test_what_was_read_is_read_again_after_half_a_minute(
    slack: SlackStandIn, known_people: SlackDirectory, clock: ManualClock
) -> None:
    first = await known_people.membership(MO)
    await clock.sleep(30)
    assert await known_people.membership(MO) == first
    await clock.sleep(1)
    second = await known_people.membership(MO)
    assert second.read_at == clock.monotonic()
    assert asked(slack).count("users.info") == 2


async def test_a_fresh_read_begins_now(
    slack: SlackStandIn, known_people: SlackDirectory, clock: ManualClock
) -> None:
    await known_people.membership(MO)
    slack.upsert(Group("S0MODS", "mods", ()))
    await clock.sleep(0.001)
    assert (await known_people.membership(MO)).groups == frozenset({MODS})
    assert (await known_people.membership(MO, fresh=True)).groups == frozenset()


@pytest.mark.parametrize("step", [-3600, 3600])
async def test_a_clock_that_is_set_makes_no_membership_younger(
    slack: SlackStandIn, known_people: SlackDirectory, clock: ManualClock, step: float
) -> None:
    await known_people.membership(MO)
    slack.upsert(Group("S0MODS", "mods", ()))
    clock.time += timedelta(seconds=step)
    clock.elapsed += 0.001
    assert (await known_people.membership(MO)).groups == frozenset({MODS})
    assert (await known_people.membership(MO, fresh=True)).groups == frozenset()


async def test_a_membership_is_as_old_as_the_oldest_of_its_reads(
    known_people: SlackDirectory, clock: ManualClock
) -> None:
    begun = clock.monotonic()
    await known_people.membership(MO)
    await clock.sleep(20)
    mia = await known_people.membership(MIA)
    assert mia.read_at == begun
    assert mia.is_fresh(clock.monotonic())
    await clock.sleep(40)
    assert not mia.is_fresh(clock.monotonic())


@pytest.mark.parametrize("error", ["user_not_found", "user_not_visible"])
async def test_a_user_that_slack_does_not_show_is_an_outsider(
    slack: SlackStandIn, known_people: SlackDirectory, error: str
) -> None:
    slack.faults.switch_on("refused", method="users.info", error=error)
    assert (await known_people.membership(MO)).account_status is AccountStatus.OUTSIDER


@pytest.mark.parametrize("error", ["no_such_subteam", "subteam_not_found", "plan_upgrade_required"])
async def test_a_group_that_does_not_exist_has_nobody(
    slack: SlackStandIn, known_people: SlackDirectory, error: str
) -> None:
    slack.faults.switch_on("refused", method="usergroups.users.list", error=error)
    assert (await known_people.membership(MO)).groups == frozenset()


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
async def test_what_cannot_be_read_is_not_guessed_and_not_kept(
    slack: SlackStandIn, known_people: SlackDirectory, method: str
) -> None:
    slack.faults.switch_on("refused", method=method, error="missing_scope")
    with pytest.raises(DirectoryUnavailable, match=f"{method}: missing_scope"):
        await known_people.membership(MO)
    assert known_people.cached_membership(MO) is None
    slack.faults.switch_off()
    assert (await known_people.membership(MO)).groups == frozenset({MODS})


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
async def test_an_answer_that_says_nothing_is_not_guessed_and_not_kept(
    slack: SlackStandIn, known_people: SlackDirectory, method: str
) -> None:
    slack.faults.switch_on("bare_ok", method=method, times=1)
    with pytest.raises(DirectoryUnavailable, match=f"{method}: no usable answer"):
        await known_people.membership(MO)
    assert known_people.cached_membership(MO) is None
    assert (await known_people.membership(MO)).groups == frozenset({MODS})


async def test_the_members_of_a_group_are_read_once_in_half_a_minute(
    slack: SlackStandIn, known_people: SlackDirectory, clock: ManualClock
) -> None:
    assert await known_people.members(MODS) == (MIA, MO)
    await known_people.membership(MO)
    slack.upsert(Group("S0MODS", "mods", (MAYA,)))
    await clock.sleep(30)
    assert await known_people.members(MODS) == (MIA, MO)
    assert asked(slack).count("usergroups.users.list") == 1
    await clock.sleep(1)
    assert await known_people.members(MODS) == (MAYA,)


async def test_of_a_group_that_does_not_exist_nobody_is_a_member(
    slack: SlackStandIn, known_people: SlackDirectory
) -> None:
    slack.faults.switch_on(
        "refused", method="usergroups.users.list", error="no_such_subteam", times=1
    )
    assert await known_people.members(MODS) == ()


@pytest.mark.parametrize("fault", ["server_error", "refused", "broken_before"])
async def test_members_that_cannot_be_read_are_not_guessed_and_not_kept(
    slack: SlackStandIn, known_people: SlackDirectory, fault: str
) -> None:
    slack.faults.switch_on(fault, method="usergroups.users.list", times=1)
    with pytest.raises(DirectoryUnavailable, match=r"usergroups\.users\.list: "):
        await known_people.members(MODS)
    assert await known_people.members(MODS) == (MIA, MO)


async def test_whoever_has_a_role_by_name_keeps_it_while_groups_cannot_be_read(
    slack: SlackStandIn, known_people: SlackDirectory, clock: ManualClock
) -> None:
    slack.faults.switch_on("server_error", method="usergroups.users.list")
    assert (await known_people.membership(MAYA)).account_status is AccountStatus.MEMBER
    slack.faults.switch_on("server_error", method="users.info")
    await clock.sleep(1)
    with pytest.raises(DirectoryUnavailable):
        await known_people.membership(MAYA, fresh=True)


async def test_only_so_many_people_are_remembered(
    known_people: SlackDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MAX_CACHED", 2)
    for user in (MO, MIA, MAYA):
        await known_people.membership(user)
    assert known_people.cached_membership(MO) is None
    assert known_people.cached_membership(MIA)
    assert known_people.cached_membership(MAYA)
