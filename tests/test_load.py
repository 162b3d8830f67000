"""Many decisions at once, on a real database: all of them end."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.clock import Differences, StoreClock
from bot.core.kick import State
from bot.core.kick_service import SubmitResult
from bot.core.outbox import Outbox
from bot.core.policy import Quota, Rules
from bot.core.roster import ParticipantId
from bot.core.target import Target
from bot.store import SqlStore
from bot.tasks import Tasks
from tests.fakes import peer
from tests.scene import BEN, KICKED, LEA, LIVE, Scene, outcomes

pytestmark = pytest.mark.services

DECISIONS = int(os.environ.get("KICKBOT_DECISIONS", "150"))  # 500 in the fault runs


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


async def test_many_decisions_at_once_all_end(database_url: str) -> None:
    rules = Rules(quota=Quota(DECISIONS, timedelta(minutes=10)))
    store = SqlStore(database_url, timeout=2)
    await store.start()
    scene, tasks = Scene(rules), Tasks()
    clock = await StoreClock.started(store.time, Differences())
    scene.clock.advance(clock.monotonic() - scene.clock.monotonic())
    scene.clock.time = clock.now()
    ids = [ParticipantId(f"p{number}") for number in range(DECISIONS)]
    scene.gateway.go_live(LIVE, *(peer(f"e{one}", one, name=one) for one in ids))
    scene.gateway.on_kick = lambda one: [one]
    scene.use(scene.process("one"))
    for user in (BEN, LEA):
        scene.directory.add(user)
    outbox = Outbox(store=store, notifier=scene.notifier, clock=clock)
    kicks = replace(scene.kick_service, store=store, outbox=outbox, clock=clock, spawn=tasks.spawn)
    approvals = replace(scene.approval_service, store=store, kick_service=kicks, clock=clock)

    async def request(one: ParticipantId) -> SubmitResult:
        draft = await scene.draft(Target(one, None, one, "guest"), requester=BEN)
        await store.save_draft(draft)
        submitted = await kicks.submit(draft.id, f"view {draft.id}", BEN)
        assert isinstance(submitted, SubmitResult)
        assert submitted.kick.state is State.WAITING
        return submitted

    asked = [(await request(one)).kick for one in ids]
    views = await asyncio.gather(*(approvals.open_request(kick.id, LEA) for kick in asked))
    await asyncio.gather(
        *(approvals.approve(view.kick.id, LEA, view.seen) for view in views)  # type: ignore[union-attr] # Lea may see all
    )
    await tasks.drain(60)
    ended = [await store.get_kick(kick.id) for kick in asked]
    await store.close()
    assert [kick and outcomes(kick) for kick in ended] == [[KICKED]] * DECISIONS
