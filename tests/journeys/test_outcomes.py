"""What RealtimeKit may answer to a kick, and what the moderator and the record then say."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.core.kick import Outcome, State, Why
from bot.sandbox.place import Place
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    HastyClock,
    assert_in_plain_words,
    kick_calls,
    result,
    stored,
    to_form,
    to_review,
)


@dataclass(frozen=True)
class Case:
    fault: str
    outcome: Outcome
    why: Why
    words: str
    gone: bool = False
    posts: int = 1
    times: int | None = 1
    how: Mapping[str, Any] = field(default_factory=dict)


REFUSED = "✗ failed: RealtimeKit refused the bot; tell its operator"
BUSY = "✗ failed: RealtimeKit was too busy"
STILL = "✗ failed: still there: the kick had no effect"
LEFT = "○ gone: left; the answer to the kick was lost"


def refused(name: str, words: str, **how: Any) -> Any:
    case = Case(name, Outcome.FAILED, Why.REFUSED, f"{REFUSED} (HTTP {words}", how=how)
    return pytest.param(case, id=f"{name}-{how or 'plain'}")


def lost_before(name: str, **how: Any) -> Any:
    """Make a case of an answer lost, or not to be trusted, without the effect."""
    case = Case(name, Outcome.FAILED, Why.STILL_THERE, STILL, how={"effect": False, **how})
    return pytest.param(case, id=f"{name}-{how or 'plain'}-without-effect")


def lost_after(name: str, **how: Any) -> Any:
    """Make a case of an answer lost, or not to be trusted, with the effect."""
    case = Case(name, Outcome.GONE, Why.LEFT, LEFT, gone=True, how={"effect": True, **how})
    return pytest.param(case, id=f"{name}-{how or 'plain'}-with-effect")


CASES = [
    refused("server_error", "400: Internal Server Error)", status=400),
    refused("server_error", "422: Internal Server Error)", status=422),
    refused("unauthorized", "401: Authentication error (the API token is not valid))"),
    refused("forbidden", "403: Authentication error (the API token needs the permission"),
    pytest.param(
        Case("server_error", Outcome.FAILED, Why.STILL_THERE, STILL, how={"status": 404}),
        id="404-although-they-are-there",
    ),
    pytest.param(
        Case(
            "rate_limited",
            Outcome.KICKED,
            Why.CONFIRMED,
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
            Why.BUSY,
            "; try again in 120 s)",
            how={"retry_after": 120},
        ),
        id="429-with-a-long-wait",
    ),
    pytest.param(
        Case("rate_limited", Outcome.FAILED, Why.BUSY, BUSY),
        id="429-without-a-wait",
    ),
    lost_before("server_error"),
    lost_after("server_error"),
    lost_before("server_error", status=408),
    lost_after("server_error", status=408),
    lost_before("bad_gateway"),
    lost_after("bad_gateway"),
    lost_before("unknown_format"),
    lost_after("empty_body"),
    lost_after("empty_body", status=504),
    lost_after("wrong_shape"),
    lost_after("wrong_shape", body=[]),
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


@pytest.fixture
async def hasty(start: Start) -> AsyncIterator[HastyClock]:
    clock = HastyClock()
    async with start(clock=clock):
        yield clock


@ONE_TRANSPORT
@pytest.mark.parametrize("case", CASES)
async def test_what_is_told_and_stored_is_what_happened(
    place: Place, hasty: HastyClock, sqlite_url: str, case: Case
) -> None:
    maya = place.slack.person("U0MAYA")
    await to_review(maya)
    place.rooms.faults.switch_on(case.fault, op="kick", times=case.times, **case.how)
    await maya.submit()
    posted = maya.read(await result(maya))
    assert case.words in posted
    await maya.until(lambda sees: case.words in sees.modal)
    kick = await stored(sqlite_url)
    assert kick.state is State.DONE
    assert [(one.outcome, one.why) for one in kick.targets] == [(case.outcome, case.why)]
    is_gone = place.cast.mallory not in place.cast.world.who_is_in(place.cast.ama)
    assert is_gone is case.gone
    assert len(kick_calls(place)) == case.posts
    assert_in_plain_words(place)
