"""Replies of RealtimeKit to a kick, and what the moderator and the audit log then see."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.core.kick import State
from bot.core.target import Outcome, OutcomeReason
from bot.core.timing import SEND_WITHIN
from tests.clocks import HastyClock
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    LEFT,
    LISTED,
    ONE_TRANSPORT,
    assert_in_plain_words,
    choose,
    kick_calls,
    pick,
    result,
    stored,
    to_form,
    to_review,
)
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = ONE_TRANSPORT


@dataclass(frozen=True)
class Case:
    fault: str
    outcome: Outcome
    why: OutcomeReason
    words: str
    gone: bool = False
    posts: int = 1
    times: int | None = 1
    how: Mapping[str, Any] = field(default_factory=dict)


REFUSED = "✗ failed: RealtimeKit refused the bot; tell its operator"
BUSY = "✗ failed: RealtimeKit's rate limit was reached"


def refused(name: str, words: str, **how: Any) -> Any:
    case = Case(name, Outcome.FAILED, OutcomeReason.REFUSED, f"{REFUSED} (HTTP {words}", how=how)
    return pytest.param(case, id=f"{name}-{how or 'plain'}")


def lost_before(name: str, **how: Any) -> Any:
    """Return a case in which the reply is lost or wrong, and the call had no effect."""
    case = Case(
        name, Outcome.UNKNOWN, OutcomeReason.STILL_LISTED, LISTED, how={"effect": False, **how}
    )
    return pytest.param(case, id=f"{name}-{how or 'plain'}-without-effect")


def lost_after(name: str, **how: Any) -> Any:
    """Return a case in which the reply is lost or wrong, and the call had an effect."""
    case = Case(
        name, Outcome.GONE, OutcomeReason.LEFT, LEFT, gone=True, how={"effect": True, **how}
    )
    return pytest.param(case, id=f"{name}-{how or 'plain'}-with-effect")


CASES = [
    refused("server_error", "400: Internal Server Error)", status=400),
    refused("server_error", "422: Internal Server Error)", status=422),
    refused("unauthorized", "401: Authentication error (the API token is not valid))"),
    refused("forbidden", "403: Authentication error (the API token needs the permission"),
    pytest.param(
        Case(
            "server_error",
            Outcome.UNKNOWN,
            OutcomeReason.NOT_FOUND_LISTED,
            "? unknown: RealtimeKit found nobody by this id, but still lists them ",
            how={"status": 404},
        ),
        id="404-although-they-are-there",
    ),
    pytest.param(
        Case(
            "rate_limited",
            Outcome.KICKED,
            OutcomeReason.CONFIRMED,
            "Mallory — ✓ kicked",
            gone=True,
            posts=2,
            how={"retry_after": 0.1},
        ),
        id="429-with-a-short-wait",
    ),
    pytest.param(
        Case(
            "rate_limited",
            Outcome.FAILED,
            OutcomeReason.BUSY,
            "; try again in 120 s)",
            how={"retry_after": 120},
        ),
        id="429-with-a-long-wait",
    ),
    pytest.param(
        Case("rate_limited", Outcome.FAILED, OutcomeReason.BUSY, BUSY),
        id="429-without-a-wait",
    ),
    lost_before("server_error"),
    lost_after("server_error"),
    lost_after("server_error", status=408),
    lost_before("bad_gateway"),
    lost_after("bad_gateway"),
    lost_before("unknown_format"),
    lost_after("empty_body"),
    lost_after("wrong_shape"),
    lost_after("wrong_shape", body={"success": "true"}),
    lost_before("success_false"),
    lost_after("success_false"),
    lost_before("kick_empty"),
    lost_after("kick_empty"),
    lost_after("truncated"),
    lost_before("truncated"),
    lost_before("reset_before"),
    lost_after("reset_after"),
    lost_before("closed_before"),
    lost_after("closed_after"),
]


@pytest.mark.parametrize("case", CASES)
async def test_what_is_told_and_stored_is_what_happened(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str, case: Case
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on(case.fault, op="kick", times=case.times, **case.how)
    await maya.submit()
    posted = maya.read(await result(maya))
    assert case.words in posted
    await maya.until(lambda sees: case.words in sees.modal)
    kick = await stored(sqlite_url)
    assert kick.state is State.DONE
    assert [(one.outcome, one.outcome_reason) for one in kick.targets] == [(case.outcome, case.why)]
    is_gone = sandbox.demo.mallory not in sandbox.demo.world.who_is_in(sandbox.demo.ama)
    assert is_gone is case.gone
    assert len(kick_calls(sandbox)) == case.posts
    assert_in_plain_words(sandbox)


async def test_each_person_of_a_kick_has_an_outcome_of_their_own(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    tom, ana, jun, olu, mia = sandbox.demo.crowd
    silent: dict[str, Any] = {"op": "kick", "times": 1}
    sandbox.realtimekit.faults.switch_on("hang", participant_id=tom.id, **silent)
    sandbox.realtimekit.faults.switch_on(
        "dripping", participant_id=ana.id, endless=True, seconds=0.5, **silent
    )
    sandbox.realtimekit.faults.switch_on("reset_after", participant_id=jun.id, **silent)
    sandbox.realtimekit.faults.switch_on("forbidden", participant_id=olu.id, **silent)
    await choose(maya, "Tom", "Ana", "Jun", "Olu", "Mia")
    await maya.submit()
    posted = maya.read(await result(maya))
    for told in (
        f"Tom — {LISTED}",
        f"Ana — {LEFT}",
        f"Jun — {LEFT}",
        f"Olu — {REFUSED}",
        "Mia — ✓ kicked",
        "@Maya removed 1 of 5 people",
    ):
        assert told in posted
    kick = await stored(sqlite_url)
    assert {one.name: one.outcome for one in kick.targets} == {
        "Tom": Outcome.UNKNOWN,
        "Ana": Outcome.GONE,
        "Jun": Outcome.GONE,
        "Olu": Outcome.FAILED,
        "Mia": Outcome.KICKED,
    }
    inside = sandbox.demo.world.who_is_in(sandbox.demo.ama)
    assert [one in inside for one in (tom, ana, jun, olu, mia)] == [True, False, False, True, False]
    assert len(kick_calls(sandbox)) == 5


async def test_three_tabs_are_one_person_one_call_and_all_closed(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    sandbox.realtimekit.faults.switch_on("kick_answers_peer_ids")
    await to_review(maya, "/kick yusuf three tabs")
    assert "3 connections" in maya.modal
    await maya.submit()
    assert "Yusuf — ✓ kicked" in maya.read(await result(maya))
    [effect] = sandbox.demo.world.kicks
    assert len(effect.peers) == 3
    assert len(kick_calls(sandbox)) == 1
    assert len((await stored(sqlite_url)).targets) == 1


async def test_while_answers_are_looked_into_the_moderator_sees_so(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    await to_review(maya)
    hasty.awake.clear()
    sandbox.realtimekit.faults.switch_on("reset_before", op="kick", times=1)
    await maya.submit()
    await maya.until(lambda sees: "Looking who is still there" in sees.modal)
    assert "Mallory — … not known yet" in maya.modal
    assert maya.messages("C0LIVE") == []
    hasty.awake.set()
    assert re.search(f"{re.escape(LISTED)}12 s after the call", maya.read(await result(maya)))


async def test_who_came_back_after_a_lost_answer_is_told_and_can_be_kicked_again(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    await to_review(maya)
    sandbox.demo.world.comes_back(sandbox.demo.mallory, after=5)
    sandbox.realtimekit.faults.switch_on("lagging_list", seconds=4)
    sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    await maya.submit()
    message = await result(maya)
    assert f"Mallory — {LEFT}, came back " in maya.read(message)
    await maya.click(message, "kick_again")
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    await maya.until(lambda sees: "Mallory — ✓ kicked" in sees.modal)
    assert sandbox.demo.mallory not in sandbox.demo.world.who_is_in(sandbox.demo.ama)
    first, second = await stored(sqlite_url, 1), await stored(sqlite_url, 2)
    assert second.repeats == first.number


@pytest.mark.parametrize("fault", ["empty_participants", "server_error", "success_false"])
async def test_what_nothing_proves_stays_unknown(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str, fault: str
) -> None:
    await to_review(maya)
    hasty.awake.clear()
    sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    await asyncio.gather(
        maya.submit(), sandbox.realtimekit.until(lambda: bool(kick_calls(sandbox)))
    )
    sandbox.realtimekit.faults.switch_on(fault, op="participants")
    await maya.until(lambda sees: "Looking" in sees.modal)
    hasty.awake.set()
    posted = maya.read(await result(maya))
    assert "Mallory — ? unknown: RealtimeKit's answer was lost, and nothing proves" in posted
    assert "Kick again" in posted
    assert (await stored(sqlite_url)).targets[0].outcome is Outcome.UNKNOWN
    assert_in_plain_words(sandbox)


async def test_a_lost_answer_is_settled_although_the_list_lags(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    sandbox.realtimekit.faults.switch_on("lagging_list", seconds=10)
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
    await maya.submit()
    assert f"Mallory — {LEFT}" in maya.read(await result(maya))
    assert (await stored(sqlite_url)).targets[0].outcome is Outcome.GONE


async def test_all_of_25_are_kicked_although_they_wait_long_for_their_turn(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    async with start({"max_targets": "25/10m"}):
        sandbox.demo.world.fill(sandbox.demo.ama, 25)
        await choose(maya, *(f"Guest {number}" for number in range(1, 26)))
        # Eight calls at once: the last one waits for 8.1 s, which is longer than a call may take.
        sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=2.7)
        await maya.submit()
        posted = maya.read(await result(maya))
    assert posted.count("✓ kicked") == 25
    assert len(sandbox.demo.world.kicks) == len(kick_calls(sandbox)) == 25
    targets = (await stored(sqlite_url)).targets
    assert {one.outcome for one in targets} == {Outcome.KICKED}
    # The marks tell a process that takes over when each call ended at the latest.
    sent = {call.body["participant_ids"][0]: call.started_at for call in kick_calls(sandbox)}
    called = {str(one.participant_id): one.called_at for one in targets if one.called_at}
    assert all(sent[key] - at <= SEND_WITHIN for key, at in called.items())
    assert len(called) == 25


async def test_what_was_never_sent_is_told_apart_from_what_may_have_happened(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    sandbox.demo.world.fill(sandbox.demo.ama, 9)
    await choose(maya, *(f"Guest {number}" for number in range(1, 10)))
    hasty.awake.clear()
    sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=None)
    all_slots = sandbox.realtimekit.until(lambda: len(kick_calls(sandbox)) == 8)
    await asyncio.gather(maya.submit(), all_slots)
    # Eight calls were sent and had an effect. The ninth waits for its turn.
    await sandbox.realtimekit.until(lambda: len(sandbox.demo.world.kicks) == 8)
    await sandbox.realtimekit.pause()
    await maya.until(lambda sees: "Looking who is still there" in sees.modal)
    await sandbox.realtimekit.resume()
    hasty.awake.set()
    posted = maya.read(await result(maya))
    assert posted.count(LEFT) == 8
    assert posted.count("✗ failed: the call could not be sent (no connection)") == 1
    unsent = [
        one
        for one in (await stored(sqlite_url)).targets
        if one.outcome_reason is OutcomeReason.UNREACHABLE
    ]
    inside = {one.id for one in sandbox.demo.world.who_is_in(sandbox.demo.ama)}
    assert [one.participant_id in inside for one in unsent] == [True]
    assert len(kick_calls(sandbox)) == 8


async def test_nothing_is_called_when_the_last_look_fails(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str
) -> None:
    await to_review(maya)
    await sandbox.realtimekit.pause()
    await maya.submit()
    await maya.until(lambda sees: "could not be read right before the kick" in sees.modal)
    assert "Nobody was removed." in maya.modal
    assert maya.messages("C0LIVE") == []
    assert (await stored(sqlite_url)).state is State.REFUSED
    assert kick_calls(sandbox) == []


@dataclass(frozen=True)
class Unread:
    fault: str
    words: str
    how: Mapping[str, Any] = field(default_factory=dict)


REFUSES = (
    "RealtimeKit refuses the bot: HTTP 40{}: Authentication error ({}). Please tell its operator."
)
NO_TOKEN = "the API token is not valid"
MAY_NOT = "the API token needs the permission Realtime or Realtime Admin, on this account"
UNREADABLE = "RealtimeKit could not be read: "
UNREAD = [
    Unread("unauthorized", REFUSES.format(1, NO_TOKEN)),
    Unread("forbidden", REFUSES.format(3, MAY_NOT)),
    Unread("rate_limited", "RealtimeKit asks the bot to wait 120 s.", {"retry_after": 120}),
    Unread("rate_limited", "RealtimeKit asks the bot to wait."),
    Unread("server_error", f"{UNREADABLE}HTTP 500: Internal Server Error."),
    Unread("bad_gateway", f"{UNREADABLE}HTTP 502: Bad Gateway."),
    Unread("truncated", UNREADABLE),
    Unread("wrong_shape", UNREADABLE),
    Unread("success_false", UNREADABLE),
    Unread("reset_before", UNREADABLE),
    Unread("closed_before", UNREADABLE),
]


@pytest.mark.parametrize("unread", UNREAD, ids=lambda one: f"{one.fault}-{one.how or 'plain'}")
async def test_a_form_that_could_not_be_filled_says_why(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, unread: Unread
) -> None:
    sandbox.realtimekit.faults.switch_on(unread.fault, op="sessions", **unread.how)
    await to_form(maya)
    assert unread.words in maya.modal
    helps = "You can still search a meeting and paste ids."
    assert (helps in maya.modal) is unread.words.startswith(UNREADABLE)


@pytest.mark.parametrize("unread", UNREAD[::2], ids=lambda one: f"{one.fault}-{one.how or 'plain'}")
async def test_a_kick_before_which_nobody_could_look_is_refused(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, sqlite_url: str, unread: Unread
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on(unread.fault, op="participants", **unread.how)
    await maya.submit()
    await maya.until(lambda sees: "Nobody was removed." in sees.modal)
    kick = await stored(sqlite_url)
    assert kick.state is State.REFUSED
    assert kick.refusal in maya.modal
    assert maya.messages("C0LIVE") == []
    assert kick_calls(sandbox) == []
    assert sandbox.demo.mallory in sandbox.demo.world.who_is_in(sandbox.demo.ama)


async def test_a_review_that_could_not_be_drawn_says_why_and_offers_no_kick(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    await to_form(maya)
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    sandbox.realtimekit.faults.switch_on("bad_gateway", op="participants")
    await maya.submit()
    await maya.until(lambda sees: f"{UNREADABLE}HTTP 502: Bad Gateway." in sees.modal)
    assert maya.modal.submit is None
    # The form is under the review, unchanged.
    await maya.cancel()
    assert maya.modal.values["reason"] == "spam"


@pytest.mark.parametrize("fault", ["unauthorized", "forbidden"])
async def test_a_token_refused_right_before_the_kick_is_for_the_operator(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, fault: str
) -> None:
    await to_review(maya)
    sandbox.realtimekit.faults.switch_on(fault)
    await maya.submit()
    await maya.until(lambda sees: "Nobody was removed." in sees.modal)
    assert "operator" in maya.modal


@pytest.mark.parametrize("fault", ["reset_before", "closed_before", "truncated", "wrong_shape"])
async def test_a_moderator_reads_no_names_of_a_program_s_parts(
    sandbox: Sandbox, maya: Person, hasty: HastyClock, fault: str
) -> None:
    sandbox.realtimekit.faults.switch_on(fault, op="sessions")
    await to_form(maya)
    assert_in_plain_words(sandbox)
    for inside in ("char ", "Field required", "Protocol"):
        assert inside not in maya.modal


async def test_a_form_says_that_realtimekit_can_not_be_reached(
    sandbox: Sandbox, maya: Person, hasty: HastyClock
) -> None:
    await sandbox.realtimekit.pause()
    await to_form(maya)
    assert "RealtimeKit can't be reached." in maya.modal
    await sandbox.realtimekit.resume()
