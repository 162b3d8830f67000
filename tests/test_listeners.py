"""What the listeners turn away: too much work at once, and users who are refused too often."""

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck

from bot.core.kick import TeamId
from bot.core.refusals import MAX_REFUSALS, TOO_OFTEN
from bot.slack.api import MAX_URLS_PER_USER, ResponseUrls, web_client
from bot.slack.listeners import BUSY, MAX_BEFORE_OPENING, MAX_BEFORE_SUBMIT, Listeners
from bot.slack.modals import Modals
from bot.slack.payloads import ViewMetadata
from bot.tasks import Tasks
from tests.fakes import FakeClock
from tests.scene import AVA, EVE, LEA, Scene

TEAM = TeamId("T1")
FLOOD = 3 * MAX_BEFORE_SUBMIT


class Bot:
    """Listeners whose work is held until `gate` is set."""

    def __init__(self, modals: Modals) -> None:
        self.scene, self.tasks, self.gate = Scene(), Tasks(), asyncio.Event()
        self.accepted = 0
        self.listeners = Listeners(
            team=TEAM,
            enterprise=None,
            kick_service=self.scene.kick_service,
            modals=modals,
            spawn=self.tasks.spawn,
            tasks=self.tasks.count,
        )

    async def handle(self, ack: AsyncAck, *_: object) -> None:
        self.accepted += 1
        self.tasks.spawn(self.gate.wait())
        await ack()


@pytest.fixture
def modals() -> Modals:
    """Return modals that reach nobody."""
    client, clock = web_client("xoxb-1", "http://127.0.0.1:1/", None), FakeClock()  # type: ignore[arg-type] # no call is made
    return Modals(client, ResponseUrls(client, clock), clock)


@pytest.fixture
def bot(modals: Modals) -> Bot:
    return Bot(modals)


def command(user: str = AVA) -> dict[str, Any]:
    return {
        "team_id": TEAM,
        "channel_id": "C1",
        "user_id": user,
        "trigger_id": "1",
        "response_url": "",
    }


def interaction(user: str = AVA, **more: Any) -> dict[str, Any]:
    return {"user": {"id": user, "team_id": TEAM}, **more}


BUTTON: dict[str, Any] = {"actions": [{"value": "0" * 32}]}
VIEW: dict[str, Any] = {"view": {"id": "V1", "private_metadata": '{"channel": "C1"}'}}


async def answers(listener: Any, body: dict[str, Any], times: int) -> list[Any]:
    given = []
    for _ in range(times):
        ack = AsyncAck()
        await listener(ack, body)
        given.append(ack.response)
    return given


async def test_a_flood_of_commands_does_not_grow_the_backlog(bot: Bot) -> None:
    given = await answers(bot.listeners.command(bot.handle), command(), FLOOD)
    assert bot.accepted == bot.tasks.count() == MAX_BEFORE_OPENING
    assert {BUSY in reply.body for reply in given[MAX_BEFORE_OPENING:]} == {True}
    bot.gate.set()
    await bot.tasks.drain(10)
    await answers(bot.listeners.command(bot.handle), command(), 1)
    assert bot.accepted == MAX_BEFORE_OPENING + 1
    await bot.tasks.drain(10)


async def test_a_flood_of_submits_is_answered_on_top_of_the_modal(bot: Bot) -> None:
    listener = bot.listeners.submit(bot.handle, ViewMetadata)
    given = await answers(listener, interaction(**VIEW), FLOOD)
    assert bot.accepted == bot.tasks.count() == MAX_BEFORE_SUBMIT
    assert {BUSY in reply.body for reply in given[MAX_BEFORE_SUBMIT:]} == {True}
    assert {'"push"' in reply.body for reply in given[MAX_BEFORE_SUBMIT:]} == {True}
    bot.gate.set()
    await bot.tasks.drain(10)


@pytest.mark.parametrize("kind", ["button", "menu"])
async def test_a_flood_of_clicks_is_answered_one_at_a_time(bot: Bot, kind: str) -> None:
    listener = getattr(bot.listeners, kind)(bot.handle)
    await answers(listener, interaction(**BUTTON, **VIEW), FLOOD)
    assert bot.accepted == MAX_BEFORE_OPENING
    assert bot.tasks.count() <= MAX_BEFORE_OPENING + 1
    bot.gate.set()
    await bot.tasks.drain(10)


async def test_a_user_without_a_role_is_only_counted_after_some_refusals(bot: Bot) -> None:
    service, store = bot.scene.kick_service, bot.scene.store
    for _ in range(MAX_REFUSALS):
        await service.record_refusal(EVE, "no role")
    assert len(store.log) == 1
    given = await answers(bot.listeners.command(bot.handle), command(EVE), 1000)
    assert bot.accepted == 0
    assert {TOO_OFTEN in reply.body for reply in given} == {True}
    await service.flush_refusals()
    assert [(one.note, one.count) for one in store.log] == [
        ("no role", MAX_REFUSALS),
        (TOO_OFTEN, 1000),
    ]
    bot.scene.clock.advance(60)
    await answers(bot.listeners.command(bot.handle), command(EVE), 1)
    assert bot.accepted == 1
    bot.gate.set()
    await bot.tasks.drain(10)


async def test_a_user_with_a_role_is_never_turned_away(bot: Bot) -> None:
    for _ in range(3 * MAX_REFUSALS):
        await bot.scene.kick_service.record_refusal(AVA, "too many")
    assert bot.scene.kick_service.turn_away(AVA) == ""


async def test_who_clicks_often_pushes_out_no_other_answers(modals: Modals) -> None:
    urls = modals.responses
    mine = urls.register(LEA, "http://127.0.0.1:1/lea")
    for stranger in range(100):
        for _ in range(2 * MAX_URLS_PER_USER):
            urls.register(EVE if stranger % 2 else AVA, "http://127.0.0.1:1/x")
    assert mine in urls._urls
    assert len(urls._urls) == 2 * MAX_URLS_PER_USER + 1
