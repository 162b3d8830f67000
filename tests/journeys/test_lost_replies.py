"""Replies that are lost, while the list of the session is late and the clocks are apart."""

import pytest

from bot.core.target import Outcome, OutcomeReason
from tests.clocks import HastyClock
from tests.journeys.steps import (
    LEFT,
    LISTED,
    ONE_TRANSPORT,
    STILL,
    kick_calls,
    result,
    stored,
    to_review,
)
from tests.sandbox.realtimekit import Participant
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = ONE_TRANSPORT


def leave(sandbox: Sandbox, person: Participant) -> None:
    """Let a person leave by themselves."""
    session = sandbox.demo.world.live_session(sandbox.demo.ama)
    assert session
    for peer in list(session.present[person.id]):
        sandbox.demo.world.leave(peer)


async def in_doubt(maya: Person, hasty: HastyClock) -> None:
    """Submit the review, and wait until the bot looks what happened. Then time stands still."""
    hasty.awake.clear()
    await maya.submit()
    await maya.until(lambda sees: "Looking who is still there" in sees.modal)


async def test_still_there_is_said_once_the_list_shows_something_later(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_before", op="kick", times=1)
    await in_doubt(maya, hasty)
    hasty.pass_by(4)
    leave(sandbox, sandbox.demo.crowd[0])
    hasty.awake.set()
    assert f"Mallory — {STILL}" in maya.read(await result(maya))


@pytest.mark.parametrize(
    ("after", "told"), [(1, {Outcome.GONE, Outcome.UNKNOWN}), (3, {Outcome.GONE})]
)
async def test_who_was_kicked_and_is_back_is_not_called_still_there_by_a_fast_clock(
    sandbox: Sandbox,
    maya: Person,
    hasty: HastyClock,
    sqlite_url: str,
    *,
    after: int,
    told: set[Outcome],
) -> None:
    sandbox.realtimekit.faults.switch_on("clock_apart", seconds=-2)
    sandbox.realtimekit.faults.switch_on("lagging_list", seconds=8)
    await to_review(maya)
    sandbox.demo.world.comes_back(sandbox.demo.mallory, after=after)
    sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    await maya.submit()
    posted = maya.read(await result(maya))
    assert "no effect" not in posted
    outcome = (await stored(sqlite_url)).targets[0].outcome
    assert outcome in told
    assert (f"Mallory — {LEFT}, came back " in posted) is (outcome is Outcome.GONE)


async def test_an_unseen_reload_is_not_called_gone_and_back_by_a_slow_clock(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    sandbox.realtimekit.faults.switch_on("clock_apart", seconds=5)
    sandbox.realtimekit.faults.switch_on("lagging_list", seconds=8)
    hasty.pass_by(60)
    await to_review(maya)
    leave(sandbox, sandbox.demo.mallory)
    sandbox.demo.world.join(sandbox.demo.mallory)
    hasty.pass_by(3)
    sandbox.realtimekit.faults.switch_on("reset_before", op="kick", times=1)
    await maya.submit()
    posted = maya.read(await result(maya))
    assert f"Mallory — {LISTED}12 s after the call" in posted
    assert sandbox.demo.world.kicks == []


async def test_a_list_that_is_late_proves_nothing_until_a_later_check(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    sandbox.realtimekit.faults.switch_on("lagging_list", seconds=15)
    hasty.pass_by(60)
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    await maya.submit()
    message = await result(maya)
    assert f"Mallory — {LISTED}12 s after the call" in maya.read(message)
    assert "Kick again" in maya.read(message)
    hasty.pass_by(10)
    await maya.click(message, "check_again")
    await maya.until(lambda sees: LEFT in sees.read(sees.messages("C0LIVE")[0]))
    assert (await stored(sqlite_url)).targets[0].outcome is Outcome.GONE
    assert len(kick_calls(sandbox)) == 1


async def test_a_later_check_may_find_that_the_kick_had_no_effect(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_before", op="kick", times=1)
    await maya.submit()
    message = await result(maya)
    assert f"Mallory — {LISTED}" in maya.read(message)
    hasty.pass_by(10)
    leave(sandbox, sandbox.demo.crowd[0])
    await maya.click(message, "check_again")
    await maya.until(lambda sees: STILL in sees.read(sees.messages("C0LIVE")[0]))


async def test_the_modal_of_an_unknown_outcome_offers_both_buttons(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_before", op="kick", times=1)
    await maya.submit()
    await result(maya)
    await maya.until(lambda sees: LISTED in sees.modal)
    await maya.press("check_again")
    await maya.until(lambda sees: "Still not known: Mallory" in sees.modal)


async def test_kick_again_in_the_modal_of_an_unknown_outcome_kicks(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_before", op="kick", times=1)
    await maya.submit()
    await maya.until(lambda sees: LISTED in sees.modal)
    await maya.press("kick_again")
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    await maya.until(lambda sees: "Mallory — ✓ kicked" in sees.modal)
    second = await stored(sqlite_url, 2)
    assert (second.repeats, second.channel_id) == (1, "C0LIVE")
    await maya.until(lambda sees: len(sees.messages("C0LIVE")) == 2)


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
async def test_a_service_that_never_shows_who_left_proves_nothing(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, fault: str
) -> None:
    sandbox.realtimekit.faults.switch_on("frozen_left_at")
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on(fault, op="kick", times=1)
    await in_doubt(maya, hasty)
    hasty.pass_by(4)
    sandbox.demo.world.fill(sandbox.demo.ama, 1)
    leave(sandbox, sandbox.demo.crowd[0])
    hasty.awake.set()
    assert f"Mallory — {LISTED}12 s after the call" in maya.read(await result(maya))


@pytest.mark.parametrize("fault", ["frozen_left_at", "lagging_list"])
async def test_nobody_is_called_still_there_after_a_404(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str, fault: str
) -> None:
    hasty.pass_by(60)
    sandbox.realtimekit.faults.switch_on(fault, seconds=15)
    await to_review(maya)
    leave(sandbox, sandbox.demo.mallory)
    await maya.submit()
    message = await result(maya)
    words = "RealtimeKit found nobody by this id, but still lists them 12 s after the call"
    assert f"Mallory — ? unknown: {words}" in maya.read(message)
    hasty.pass_by(10)
    await maya.click(message, "check_again")
    if fault == "lagging_list":
        words = "○ gone: had left before the kick"
        await maya.until(lambda sees: words in sees.read(sees.messages("C0LIVE")[0]))
    else:
        await maya.until(lambda sees: sees.messages("C0LIVE")[-1].only_for == "U0MAYA")
        kick = await stored(sqlite_url)
        assert kick.targets[0].outcome_reason is OutcomeReason.NOT_FOUND_LISTED


async def test_without_the_clock_of_realtimekit_nothing_is_claimed(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    sandbox.realtimekit.faults.switch_on("no_date")
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    await maya.submit()
    assert "Mallory — ? unknown: RealtimeKit's answer was lost" in maya.read(await result(maya))
