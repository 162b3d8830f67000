"""What one kick or approval costs does not grow with the crowd, nor with its history."""

from collections.abc import Sequence

import pytest

from bot.app import Bot
from tests.journeys.approvals import sent, to_request
from tests.journeys.steps import ONE_TRANSPORT, result
from tests.sandbox.realtimekit import Participant
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = ONE_TRANSPORT

READ = ["active-session", "participants"]
MODES = ["search_exact", "search_substring", "search_by_peer_id"]


def crowd_around_mallory(sandbox: Sandbox, count: int) -> Participant:
    """Let only one meeting be live: with Mallory, who came first, and `count` others."""
    # The stand-in checks each row against the contract, which is slower than all else here.
    sandbox.realtimekit.checks_responses = False
    world = sandbox.demo.world
    world.end_session(sandbox.demo.ama)
    meeting = world.add_meeting("Weekly launch")
    (mallory,) = world.fill(meeting, 1)
    world.rename(mallory, "Mallory")
    world.fill(meeting, count)
    return mallory


async def choose_mallory(person: Person) -> None:
    """Choose Mallory in the form. On a slow machine, the bot may still be reading the pages."""
    await person.command("C0LIVE", "/kick")
    await person.until(lambda sees: sees.modal.title == "Kick from a meeting")
    while "Mallory" not in [option.text for option in await person.type_ahead("who", "mall")]:
        pass
    await person.choose("who", "Mallory")
    await person.write("reason", "spam")


def calls_since(sandbox: Sandbox, before: int) -> list[str]:
    return sorted(str(call.op) for call in sandbox.realtimekit.calls[before:])


async def kick_mallory(sandbox: Sandbox, person: Person) -> Sequence[str]:
    """Kick Mallory, and return the calls besides those of the form."""
    await choose_mallory(person)
    before = len(sandbox.realtimekit.calls)
    await person.submit()
    await person.until(lambda sees: sees.modal.submit == "Kick")
    await person.submit()
    await person.until(lambda sees: "Mallory — ✓ kicked" in sees.modal)
    return calls_since(sandbox, before)


@pytest.mark.parametrize("count", [10, 1_000, 10_000])
async def test_a_kick_takes_five_calls_in_every_crowd(
    sandbox: Sandbox, maya: Person, bot: Bot, count: int
) -> None:
    crowd_around_mallory(sandbox, count)
    assert await kick_mallory(sandbox, maya) == sorted([*READ, *READ, "kick"])


@pytest.mark.parametrize("mode", MODES)
async def test_a_kick_takes_five_calls_whatever_the_search_does(
    sandbox: Sandbox, maya: Person, bot: Bot, mode: str
) -> None:
    sandbox.realtimekit.faults.switch_on(mode, op="participants")
    crowd_around_mallory(sandbox, 1_000)
    assert await kick_mallory(sandbox, maya) == sorted([*READ, *READ, "kick"])


async def test_without_a_search_the_whole_session_is_read(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    sandbox.realtimekit.faults.switch_on("search_ignored", op="participants")
    crowd_around_mallory(sandbox, 1_000)
    calls = await kick_mallory(sandbox, maya)
    assert (len(calls), calls.count("kick")) == (2 * (1 + 6) + 1 + 1, 1)


@pytest.mark.parametrize("is_open", [True, False])
async def test_somebody_who_rejoined_very_often_costs_no_more(
    sandbox: Sandbox, maya: Person, bot: Bot, *, is_open: bool
) -> None:
    # If not, only their first connection is open, which is not among their newest ones.
    mallory = crowd_around_mallory(sandbox, 300)
    world = sandbox.demo.world
    for _ in range(3_000):
        world.leave(world.join(mallory))
    if is_open:
        world.join(mallory)
    assert await kick_mallory(sandbox, maya) == sorted([*READ, *READ, "kick"])


async def test_a_session_of_a_hundred_thousand_rows_is_no_refuge(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    mallory = crowd_around_mallory(sandbox, 100_000)
    assert await kick_mallory(sandbox, maya) == sorted([*READ, *READ, "kick"])
    assert [effect.participant for effect in sandbox.demo.world.kicks] == [mallory]


@pytest.mark.parametrize("count", [10, 1_000, 10_000])
async def test_an_approved_request_takes_nine_calls_in_every_crowd(
    sandbox: Sandbox, lea: Person, bot: Bot, count: int
) -> None:
    crowd_around_mallory(sandbox, count)
    hal = sandbox.slack.person("U0HAL")
    await choose_mallory(hal)
    before = len(sandbox.realtimekit.calls)
    await hal.submit()
    await hal.until(lambda sees: sees.modal.submit == "Ask for approval")
    await sent(hal)
    (card,) = await lea.until(lambda sees: sees.messages("C0MODS"))
    await to_request(lea, card)
    await lea.until(lambda sees: sees.modal.submit)
    await lea.submit()
    await result(hal)
    assert calls_since(sandbox, before) == sorted(READ * 4 + ["kick"])


async def test_the_last_calls_are_for_kicks_with_their_own_reads(
    sandbox: Sandbox, maya: Person, lea: Person, bot: Bot
) -> None:
    crowd_around_mallory(sandbox, 10)
    for person in (maya, lea):
        await choose_mallory(person)
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    sandbox.realtimekit.rate_limit.limit = len(sandbox.realtimekit.calls) + 17
    # From the answers to these reads, the bot learns that 15 calls are left.
    await lea.submit()
    await lea.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    await maya.until(lambda sees: "Mallory — ✓ kicked" in sees.modal)
