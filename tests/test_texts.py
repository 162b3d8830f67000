"""The words for a request and its decision: true in each case, and never more than is known."""

from datetime import timedelta
from typing import Any

import pytest

from bot.core.kick import ChannelId, Kick, KickId, State, UserId
from bot.core.policy import Role, Rules, SecondPerson, Verdict, VerdictKind
from bot.core.ports import DirectoryUnavailable, RateLimited, StoreUnavailable
from bot.core.roster import ParticipantId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.views import failures, help_text, wording
from tests.views import ALLOWED, MAYA, NOW, TEAM, meeting

LEA = UserId("U0LEA")


def kick(state: State, *outcomes: Outcome, **changes: Any) -> Kick:
    names = ("Tom", "Ann")
    targets = tuple(
        Target(
            ParticipantId(f"{at}"),
            None,
            names[at],
            outcome=outcome,
            outcome_reason=OutcomeReason.LEFT,
        )
        for at, outcome in enumerate(outcomes)
    )
    return Kick(
        id=KickId("a" * 32),
        idempotency_key="V0",
        team_id=TEAM,
        app_id="app",
        channel_id=ChannelId("C0LIVE"),
        meeting=meeting(),
        session_id=None,
        requester=MAYA,
        reason="spam",
        targets=targets,
        created_at=NOW,
        state=state,
        number=7,
        **changes,
    )


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (kick(State.WAITING), "Kick #7 waits for a second person."),
        (kick(State.READY), "Kick #7 is on its way."),
        (kick(State.RUNNING), "Kick #7 is on its way."),
        (kick(State.DENIED), "Kick #7 denied: nobody was removed."),
        (kick(State.CANCELLED), "Kick #7 cancelled: nobody was removed."),
        (kick(State.DONE, Outcome.GONE), "Kick #7 in Weekly AMA: 1 gone."),
    ],
)
def test_a_summary_claims_nothing_of_a_kick_that_is_open(one: Kick, words: str) -> None:
    assert wording.summary(one) == words


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (kick(State.CANCELLED), "It was taken back. Nobody was removed."),
        (
            kick(State.EXPIRED, expires_at=NOW),
            "Nobody decided in time, so it expired. Nobody was removed.",
        ),
        (
            kick(State.EXPIRED, expires_at=NOW, approver=LEA),
            "It was not carried out within a minute, so it lapsed. Nobody was removed.",
        ),
        (
            kick(State.EXPIRED),
            "It was not carried out within a minute, so it lapsed. Nobody was removed.",
        ),
        (kick(State.REFUSED, refusal="Because."), "Nobody was removed. Because."),
    ],
)
def test_an_ending_says_why(one: Kick, words: str) -> None:
    assert wording.ended_without_call(one) == words


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (kick(State.DONE, Outcome.GONE, Outcome.KICKED), "Tom — ○ gone\nAnn — ✓ kicked"),
        (kick(State.DONE, Outcome.GONE, Outcome.UNKNOWN), "Still not known: Ann."),
        (kick(State.DONE, Outcome.UNKNOWN, Outcome.UNKNOWN), "Still not known: Tom, Ann."),
        (kick(State.WAITING), "Kick #7 waits for a second person."),
    ],
)
def test_what_is_known_by_now_is_said_of_everybody_or_of_whom_not(one: Kick, words: str) -> None:
    assert wording.checked_again(one) == words


def test_a_decision_that_was_not_confirmed_is_not_called_undone() -> None:
    words = failures.decision_unconfirmed(StoreUnavailable("locked"))
    assert "not known" in words
    assert "Look at the card again." in words
    assert "Nothing was decided" in failures.decision_unconfirmed(DirectoryUnavailable("HTTP 500"))
    assert failures.decision_unconfirmed(RateLimited("slow down", 3)) == failures.action_failed(
        RateLimited("slow down", 3)
    )


def test_what_could_not_be_shown_changed_nothing() -> None:
    assert "Nothing was changed" in failures.nothing_shown(StoreUnavailable("locked"))
    assert "Nothing was changed" in failures.nothing_shown(DirectoryUnavailable("HTTP 500"))
    assert failures.nothing_shown(RateLimited("slow down", 3)) == failures.action_failed(
        RateLimited("slow down", 3)
    )


def test_a_request_that_was_not_confirmed_may_still_be_carried_out() -> None:
    words = failures.submit_unconfirmed(StoreUnavailable("locked"))
    assert "(locked)" in words
    assert "within a minute" in words
    assert "Nobody was removed" not in words


MAY: dict[str, tuple[Role, SecondPerson, str]] = {
    "helper": (
        Role.HELPER,
        SecondPerson.BULK,
        "As a helper you may ask for a kick; a moderator or a lead decides.",
    ),
    "moderator, alone": (
        Role.MODERATOR,
        SecondPerson.NEVER,
        "As a moderator you may remove people. You decide what others ask for.",
    ),
    "moderator, a few": (
        Role.MODERATOR,
        SecondPerson.BULK,
        "As a moderator you may remove people; more than 3 within 2 minutes need a second person.",
    ),
    "moderator, with another": (
        Role.MODERATOR,
        SecondPerson.ALWAYS,
        "As a moderator you may remove people; each kick needs a second person.",
    ),
    "lead": (
        Role.LEAD,
        SecondPerson.ALWAYS,
        "As a lead you may remove people, also where two are needed. You decide",
    ),
}


@pytest.mark.parametrize(("role", "second_person", "words"), MAY.values(), ids=MAY)
def test_help_says_what_somebody_may_do_under_these_rules(
    role: Role, second_person: SecondPerson, words: str
) -> None:
    rules = Rules(second_person=second_person)
    assert words in help_text.help_text("/kick", ALLOWED, role, rules)


def test_help_says_why_somebody_may_do_nothing() -> None:
    no = Verdict(VerdictKind.REFUSED, "The policy gives you no role.")
    assert no.reason in help_text.help_text("/kick", no, None, Rules())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(600, "10 minutes"), (60, "1 minute"), (3600, "1 hour"), (90, "90 seconds")],
)
def test_a_span_is_said_in_the_largest_unit_that_fits(seconds: int, words: str) -> None:
    assert wording.duration(timedelta(seconds=seconds)) == words
