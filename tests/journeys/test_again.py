"""Kick again: the review of a kick that repeats another one."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.app import Bot
from tests.clocks import HastyClock, TirelessClock
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    kick_calls,
    kicks_stored,
    result,
    stored,
    to_review,
)
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Message, Person


async def kicked(person: Person) -> Message:
    """Kick Mallory, and return the message in the channel."""
    await to_review(person)
    await person.submit()
    await person.until(lambda sees: "✓ kicked" in sees.modal)
    posted = await result(person)
    await person.dismiss()
    return posted


async def again(person: Person, message: Message) -> None:
    """Press *Kick again*, and wait for the review."""
    await person.click(message, "kick_again")
    await person.until(lambda sees: sees.modal.title == "Review")


def with_button(message: Message, **button: Any) -> Message:
    """Change the value of a button under a message, as an attacker would."""
    blocks = [dict(block) for block in message.blocks]
    blocks[-1]["elements"] = [blocks[-1]["elements"][0] | button]
    return replace(message, blocks=blocks)


@pytest.mark.parametrize("who", ["U0MAYA", "U0MO", "U0LEA"])
async def test_whoever_came_back_is_kicked_again_in_two_taps(
    sandbox: Sandbox, bot: Bot, maya: Person, sqlite_url: str, who: str
) -> None:
    posted = await kicked(maya)
    sandbox.demo.world.join(sandbox.demo.mallory)
    person = sandbox.slack.person(who)
    await again(person, posted)
    assert "Mallory" in person.modal
    assert "Reason: spamming links" in person.modal
    assert (person.modal.submit, person.modal.close) == ("Kick", "Cancel")
    await person.submit()
    await person.until(lambda sees: len(sees.messages("C0LIVE")) == 2)
    assert sandbox.demo.mallory not in sandbox.demo.world.who_is_in(sandbox.demo.ama)
    first, second = await stored(sqlite_url, 1), await stored(sqlite_url, 2)
    assert second.repeats == first.number
    assert second.requester == who
    told = [person.read(one) for one in person.messages("C0LIVE")]
    assert ["Done again after kick #1." in one for one in told] == [False, True]


@ONE_TRANSPORT
async def test_whoever_may_only_ask_asks_for_it_again(
    sandbox: Sandbox, bot: Bot, maya: Person, sqlite_url: str
) -> None:
    hal = sandbox.slack.person("U0HAL")
    posted = await kicked(maya)
    sandbox.demo.world.join(sandbox.demo.mallory)
    await again(hal, posted)
    assert hal.modal.submit == "Ask for approval"
    await hal.submit()
    card = (await maya.until(lambda sees: sees.messages("C0MODS")))[0]
    assert "@Hal asks to remove 1 person from Weekly AMA · kick #2, again after #1" in maya.read(
        card
    )
    assert kicks_stored(sqlite_url) == ["done", "waiting"]
    assert len(kick_calls(sandbox)) == 1


async def test_whoever_stayed_away_is_not_kicked_again(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await again(maya, await kicked(maya))
    assert "Has already left." in maya.modal
    assert "Nobody is left to remove." in maya.modal
    assert maya.modal.submit is None


async def test_an_old_message_works_after_a_restart(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start():
        posted = await kicked(maya)
    sandbox.demo.world.join(sandbox.demo.mallory)
    async with start():
        await again(maya, posted)
        await maya.submit()
        await maya.until(lambda sees: len(sees.messages("C0LIVE")) == 2)
    assert kicks_stored(sqlite_url) == ["done", "done"]


@ONE_TRANSPORT
async def test_a_kick_that_nobody_knows_is_answered(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    forged = with_button(await kicked(maya), value="0" * 32)
    await maya.click(forged, "kick_again", force=True)
    words = "That kick is not in this bot's record any more."
    await maya.until(lambda sees: words in sees.modal)
    assert len(kick_calls(sandbox)) == 1


@pytest.mark.parametrize("value", ["1", "' OR 1=1 --", "x" * 2000])
@ONE_TRANSPORT
async def test_a_value_that_is_no_id_of_a_kick_is_answered(
    sandbox: Sandbox, bot: Bot, maya: Person, value: str
) -> None:
    forged = with_button(await kicked(maya), value=value)
    await maya.click(forged, "kick_again", force=True)
    await maya.until(
        lambda sees: "This belongs to an older version" in sees.read(sees.messages("C0LIVE")[-1])
    )
    assert maya.stack == []
    assert len(kick_calls(sandbox)) == 1


@ONE_TRANSPORT
async def test_a_button_without_a_kick_is_answered(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    posted = await kicked(maya)
    button = dict(posted.blocks[-1]["elements"][0])
    del button["value"]
    forged = replace(posted, blocks=[{**posted.blocks[-1], "elements": [button]}])
    await maya.click(forged, "kick_again", force=True)
    await maya.until(
        lambda sees: "This belongs to an older version" in sees.read(sees.messages("C0LIVE")[-1])
    )


async def test_a_double_click_and_two_taps_kick_once(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start(clock=TirelessClock()):
        posted = await kicked(maya)
        sandbox.demo.world.join(sandbox.demo.mallory)
        await asyncio.gather(maya.click(posted, "kick_again"), maya.click(posted, "kick_again"))
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await asyncio.gather(maya.submit(), maya.submit())
        await maya.until(lambda sees: len(sees.messages("C0LIVE")) == 2)
    assert kicks_stored(sqlite_url) == ["done", "done"]
    assert len(kick_calls(sandbox)) == 2


@ONE_TRANSPORT
async def test_a_click_that_slack_took_too_long_over_is_answered(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    posted = await kicked(maya)
    sandbox.slack.faults.switch_on("expired_trigger", times=1)
    await maya.click(posted, "kick_again")
    await maya.until(
        lambda sees: "did not open the form in time" in sees.read(sees.messages("C0LIVE")[-1])
    )
    assert maya.messages("C0LIVE")[-1].only_for == "U0MAYA"


@ONE_TRANSPORT
async def test_the_button_works_in_the_direct_message_as_well(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    clock = HastyClock()
    async with start(clock=clock):
        await maya.command("C0QUIET", "/kick mallory spam")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await clock.sleep(30 * 60)
        await maya.submit()
        message = (await maya.until(lambda sees: sees.dm()))[0]
        sandbox.demo.world.join(sandbox.demo.mallory)
        await maya.click(message, "kick_again")
        await maya.until(lambda sees: sees.modal.title == "Review")
        await maya.submit()
        await maya.until(lambda sees: len(sees.dm()) == 2)
        assert "✓ kicked" in maya.read(maya.dm()[-1])
