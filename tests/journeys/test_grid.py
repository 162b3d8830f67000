"""Enterprise Grid: a member's home may be another workspace of the organization."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.app import Bot
from tests.journeys.steps import result, to_review
from tests.machine import ACKS_WITHIN
from tests.sandbox.sandbox import Sandbox, open_sandbox
from tests.sandbox.slack import DEMO_TEAM, MAYA, OTHER_TEAM_ID, TEAM_ID, Person


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    colleague = replace(MAYA, team_id=OTHER_TEAM_ID, workspaces=(OTHER_TEAM_ID, TEAM_ID))
    users = [colleague if user == MAYA else user for user in DEMO_TEAM.users]
    team = replace(DEMO_TEAM, users=users, enterprise_id="E0ORG")
    async with open_sandbox(ack_timeout=ACKS_WITHIN, team=team) as opened:
        yield opened
        assert opened.slack.problems == []


async def test_a_member_can_kick_and_a_stranger_still_cannot(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_review(maya)
    await maya.submit()
    posted = await result(maya)
    assert "✓ kicked" in maya.read(posted)
    await maya.click(posted, "kick_again")
    await maya.until(lambda sees: sees.modal.title == "Review")
    xen = sandbox.slack.person("U0XEN")
    await xen.click(posted, "kick_again")
    await xen.until(lambda sees: "from another workspace" in sees.screen())
    assert not any(view.submit for view in xen.stack)
