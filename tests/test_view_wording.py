"""The texts that several surfaces share: true in each case."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.core.kick import Kick, State, UserId
from bot.core.roster import Participant, ParticipantId, Peer, PeerId
from bot.core.target import Outcome, OutcomeReason
from bot.slack.views import wording
from tests.views import NOW, kick, target

LEA = UserId("U0LEA")


def standing(state: State, *outcomes: Outcome, **changes: Any) -> Kick:
    people = zip(("Tom", "Ann", "Eve"), outcomes, strict=False)
    targets = [target(name, outcome, OutcomeReason.LEFT) for name, outcome in people]
    return kick(targets, state=state, **changes)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (standing(State.WAITING), "Kick #7 waits for a second person."),
        (standing(State.READY), "Kick #7 is on its way."),
        (standing(State.RUNNING), "Kick #7 is on its way."),
        (standing(State.DENIED), "Kick #7 denied: nobody was removed."),
        (standing(State.CANCELLED), "Kick #7 cancelled: nobody was removed."),
    ],
)
def test_a_summary_claims_nothing_of_a_kick_that_is_open(one: Kick, words: str) -> None:
    assert wording.summary(one) == words
    assert wording.checked_again(one) == words


def test_a_summary_of_a_kick_that_is_done_counts_its_outcomes() -> None:
    assert wording.summary(standing(State.DONE, Outcome.GONE)) == "Kick #7 in Weekly AMA: 1 gone."


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (standing(State.CANCELLED), "It was taken back. Nobody was removed."),
        (
            standing(State.EXPIRED, expires_at=NOW),
            "Nobody decided in time, so it expired. Nobody was removed.",
        ),
        (
            standing(State.EXPIRED, expires_at=NOW, approver=LEA),
            "It was not carried out within a minute, so it lapsed. Nobody was removed.",
        ),
        (
            standing(State.EXPIRED),
            "It was not carried out within a minute, so it lapsed. Nobody was removed.",
        ),
        (standing(State.REFUSED, refusal="Because."), "Nobody was removed. Because."),
    ],
)
def test_an_ending_says_why(one: Kick, words: str) -> None:
    assert wording.ended_without_call(one) == words


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (standing(State.DONE, Outcome.GONE, Outcome.KICKED), "Tom — ○ gone\nAnn — ✓ kicked"),
        (standing(State.DONE, Outcome.GONE, Outcome.UNKNOWN), "Still not known: Ann."),
        (standing(State.DONE, Outcome.UNKNOWN, Outcome.UNKNOWN), "Still not known: Tom, Ann."),
        (
            standing(State.DONE, Outcome.GONE, Outcome.UNKNOWN, Outcome.UNKNOWN),
            "Still not known: Ann, Eve.",
        ),
        (standing(State.WAITING), "Kick #7 waits for a second person."),
    ],
)
def test_a_second_check_names_the_unknown_or_lists_all_outcomes(one: Kick, words: str) -> None:
    assert wording.checked_again(one) == words


@pytest.mark.parametrize("why", OutcomeReason)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_and_reason_has_words(outcome: Outcome, why: OutcomeReason) -> None:
    one = target(outcome=outcome, why=why, detail="HTTP 500")
    assert wording.outcome(one).endswith(str(outcome))
    assert bool(wording.outcome_reason(one)) is (why is not OutcomeReason.CONFIRMED)
    assert "HTTP" not in wording.outcome_reason(replace(one, detail=""))


def test_the_four_outcomes_can_be_told_apart_without_colour() -> None:
    signs = {wording.outcome(target(outcome=one))[0] for one in Outcome}
    assert len(signs) == 4
    assert wording.outcome(target(outcome=None)) == "… not known yet"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (None, "join time unknown"),
        (0, "joined just now"),
        (-5, "joined just now"),
        (1, "joined 1 min ago"),
        (59, "joined 59 min ago"),
        (60, "joined 1 h ago"),
        (3000, "joined 50 h ago"),
    ],
)
def test_a_join_time_is_given_without_a_time_zone(minutes: int | None, words: str) -> None:
    date = None if minutes is None else NOW - timedelta(minutes=minutes)
    assert wording.joined_ago(date, NOW) == words


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=10), "10 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=36), "36 hours"),
    ],
)
def test_a_duration_is_given_in_the_largest_unit_that_divides_it(
    time: timedelta, words: str
) -> None:
    assert wording.duration(time) == words


def test_details_tell_three_tabs_and_no_preset() -> None:
    own = ParticipantId("aaaa-1111")
    peers = tuple(Peer(PeerId(f"{at}"), own, None, "Yusuf", None, NOW, None) for at in range(3))
    person = Participant(own, None, "Yusuf", None, peers)
    details = wording.person_details(person, NOW)
    assert details == "preset unknown · joined just now · 3 connections · id …1111"


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (
            OutcomeReason.STILL_LISTED,
            "RealtimeKit did not confirm the kick, and still lists them 12 s after the call",
        ),
        (
            OutcomeReason.NOT_FOUND_LISTED,
            "RealtimeKit found nobody by this id, but still lists them 12 s after the call",
        ),
    ],
)
def test_an_unknown_outcome_says_what_is_seen(why: OutcomeReason, words: str) -> None:
    one = target("Mallory", Outcome.UNKNOWN, why, "12 s")
    assert wording.target_outcome(one)[1] == f" — ? unknown: {words}"


@pytest.mark.parametrize(
    ("why", "detail", "words"),
    [
        (OutcomeReason.NOT_TRIED, "", "not tried: the bot stopped before"),
        (OutcomeReason.NOT_TRIED, "the database is locked", "not tried (the database is locked)"),
        (OutcomeReason.UNREACHABLE, "no connection", "the call could not be sent (no connection)"),
        (
            OutcomeReason.BUSY,
            "few calls are left for 9 s; they are for kicks",
            "RealtimeKit's rate limit was reached (few calls are left for 9 s; they are for kicks)",
        ),
    ],
)
def test_a_failure_says_why_and_no_more(why: OutcomeReason, detail: str, words: str) -> None:
    one = target("Mallory", Outcome.FAILED, why, detail)
    assert wording.target_outcome(one)[1] == f" — ✗ failed: {words}"
