"""The short form of the races. It also checks that their audit finds faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from bot.core.event import Event, EventKind
from bot.core.kick import Kick, State, UserId
from bot.core.ports import NotFound
from bot.core.roster import MeetingId, ParticipantId
from bot.core.target import Outcome, OutcomeReason
from bot.realtimekit import App, RealtimeKit, http_client
from tests.faults.judge import Told, faults_of, judge, untrue
from tests.faults.owners import race_owners, undisturbed
from tests.faults.races import judge_all, lanes_of, race_against_time, races_of_people
from tests.faults.stage import Stage, stage
from tests.sandbox.realtimekit import Participant

SEED = 3


async def test_the_races_in_short_find_nothing(postgres_server: Any) -> None:
    async with (
        stage(postgres_server, people=90, seed=SEED) as crowded,
        stage(postgres_server, people=3, seed=SEED) as owned,
    ):
        owning = asyncio.create_task(race_owners(owned, held=0, cases=2, owners=1, spread=1))
        await crowded.start(2)
        people, time = await asyncio.gather(
            races_of_people(crowded, cases=40, some=4, lanes=20),
            race_against_time(crowded, cases=4, lanes=lanes_of(crowded, 30)[-4:]),
        )
        tallies = [*await judge_all(crowded, [*people, time]), await owning]
    assert [one for tally in tallies for one in tally.findings] == []
    assert [tally.cases for tally in tallies] == [40, 4, 4, 4, 2]


# Faults on purpose, which the audit must find


@pytest.fixture
async def bare(postgres_server: Any) -> AsyncIterator[Stage]:
    """Open a stage without a bot."""
    async with stage(postgres_server, people=3, seed=SEED) as opened:
        yield opened


@pytest.fixture
def target(bare: Stage) -> Participant:
    return bare.crowd(1)[0]


async def approved(bare: Stage, target: Participant) -> Kick:
    """Store a request and its approval."""
    kick = await bare.ask(bare.kick(bare.person(0), target))
    after = kick.approve(UserId(bare.person(1).user.id), now())
    return await bare.store.transition(kick, after, happened(kick, EventKind.APPROVED))


async def carried_out(bare: Stage, target: Participant) -> Kick:
    """Store a kick that was approved, and run by one process."""
    kick = await approved(bare, target)
    claimed = kick.claim("one", now(), kick.session_id)
    marked = claimed.mark_called(claimed.targets[0], (), now())
    told = marked.settle(marked.targets[0], Outcome.KICKED, OutcomeReason.CONFIRMED)
    steps = [(claimed, EventKind.CLAIMED), (marked, EventKind.CALLED), (told, EventKind.SETTLED)]
    for step, what in [*steps, (told.finish(now()), EventKind.FINISHED)]:
        kick = await bare.store.transition(kick, step, happened(kick, what))
    return kick


async def call(bare: Stage, target: Participant) -> None:
    """Call RealtimeKit as the bot does."""
    realtimekit = bare.sandbox.realtimekit
    async with http_client(realtimekit.url) as http:
        app = App(realtimekit.account_id, realtimekit.app_id, SecretStr(realtimekit.api_token))
        with suppress(NotFound):
            await RealtimeKit(http, app).kick(
                MeetingId(target.meeting.id), participant_ids=[ParticipantId(target.id)]
            )


def happened(kick: Kick, what: EventKind) -> Event:
    named = f"{kick.targets[0].name} [{kick.targets[0].key}]: "
    return Event(now(), what, None, named if what is EventKind.SETTLED else "", kick.id)


def now() -> datetime:
    return datetime.now(UTC)


async def found(bare: Stage, kick: Kick, column: str) -> list[str]:
    tally = await judge(bare, "planted", [kick.id], ())
    assert getattr(tally, column) > 0
    return [one for one in tally.findings if one.startswith(column)]


async def test_a_second_decision_is_found(bare: Stage, target: Participant) -> None:
    kick = await approved(bare, target)
    await bare.store.record_event(happened(kick, EventKind.CANCELLED))
    (finding,) = await found(bare, kick, "doubled")
    assert "decided 2 times" in finding


async def test_a_second_call_is_found(bare: Stage, target: Participant) -> None:
    await call(bare, target)
    kick = await carried_out(bare, target)
    await call(bare, target)
    assert any("2 calls for Guest 1" in one for one in await found(bare, kick, "doubled"))


async def test_a_call_for_a_request_that_was_taken_back_is_found(
    bare: Stage, target: Participant
) -> None:
    kick = await bare.ask(bare.kick(bare.person(0), target))
    await call(bare, target)
    after = kick.cancel(now())
    kick = await bare.store.transition(kick, after, happened(kick, EventKind.CANCELLED))
    findings = await found(bare, kick, "doubled")
    assert any("cancelled: 1 calls" in one for one in findings)


async def test_a_call_by_who_took_over_and_an_outcome_given_twice_are_found(
    bare: Stage, target: Participant
) -> None:
    kick = await carried_out(bare, target)
    for what in (EventKind.TAKEN_OVER, EventKind.CALLED, EventKind.SETTLED):
        await bare.store.record_event(happened(kick, what))
    events = await bare.store.events(kick.id)
    wrong = " ".join(faults_of(kick, events, {}))
    assert "called after it was taken over" in wrong
    assert "was given an outcome 2 times" in wrong


async def test_a_kick_that_changed_after_it_was_done_is_found(
    bare: Stage, target: Participant
) -> None:
    kick = await carried_out(bare, target)
    tally = await undisturbed(bare, {kick.id: replace(kick, version=kick.version - 1)})
    findings = " ".join(tally.findings)
    assert "was changed after it was done" in findings
    assert "this run shows nothing" in findings


@pytest.mark.parametrize(
    ("state", "text", "is_true"),
    [
        (State.DONE, "Approved by @Ann 1 at 12:00.", True),
        (State.DONE, "Approved by @Ann 2 at 12:00.", False),
        (State.DONE, "It was taken back. Nobody was removed.", False),
        (State.DENIED, "Denied by @Ann 1. Nobody was removed.", True),
        (State.DENIED, "Approved by @Ann 1 at 12:00.", False),
        (State.CANCELLED, "It was taken back. Nobody was removed.", True),
        (State.CANCELLED, "Nobody decided in time, so it expired. Nobody was removed.", False),
        (State.EXPIRED, "Nobody decided in time, so it expired. Nobody was removed.", True),
        (State.EXPIRED, "Approved by @Ann 1 at 12:00.", False),
        (State.DONE, None, False),
    ],
)
async def test_what_was_told_and_is_not_so_is_found(
    bare: Stage, target: Participant, state: State, text: str | None, *, is_true: bool
) -> None:
    kick = bare.kick(bare.person(0), target)
    kick = replace(kick, state=state, approver=UserId(bare.person(1).user.id))
    told = Told(kick.id, bare.person(2), text)
    assert (untrue(told, kick, bare.sandbox) == []) is is_true
    seen = replace(told, strips=("We had some trouble connecting. Try again?",))
    assert "trouble" in untrue(seen, kick, bare.sandbox)[0]
