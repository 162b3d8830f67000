"""The result: true, complete, and safe for any name."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.kick import UserId
from bot.core.target import Outcome, OutcomeReason
from bot.slack.views import blocks, result, wording
from tests.hostile import TEXT, WORST
from tests.views import NOW, buttons, fits_message, kick, mentioned, shown, target


def test_a_result_says_who_whom_where_why_and_how_long() -> None:
    message = fits_message(result.result(kick()))
    line, people, reason = message["blocks"][0]["elements"]
    said = [one.get("text") or one.get("user_id") for one in line["elements"]]
    assert said == [
        "U0MAYA",
        " removed 1 person from ",
        "Weekly AMA",
        " · kick #7 · meeting …000000",
    ]
    assert [one["text"] for one in people["elements"][0]["elements"]] == ["Mallory", " — ✓ kicked"]
    assert reason["elements"][0]["text"] == "Reason: spam"
    assert "Kicked people can rejoin with the same link. Took 1.2 s." in shown(message)
    assert message["blocks"][-1]["elements"][0]["value"] == "a" * 32
    assert message["text"] == "Kick #7 in Weekly AMA: 1 kicked."


@pytest.mark.parametrize(
    ("outcomes", "deed", "summary"),
    [
        ([Outcome.KICKED, Outcome.KICKED], " removed 2 people from ", "2 kicked."),
        ([Outcome.KICKED, Outcome.GONE], " removed 1 of 2 people from ", "1 kicked, 1 gone."),
        (
            [Outcome.FAILED, Outcome.UNKNOWN],
            " tried to remove 2 people from ",
            "1 failed, 1 unknown.",
        ),
        ([Outcome.GONE], " tried to remove 1 person from ", "1 gone."),
    ],
)
def test_the_headline_counts_only_who_was_kicked(
    outcomes: list[Outcome], deed: str, summary: str
) -> None:
    one = kick([target(outcome=outcome, at=at) for at, outcome in enumerate(outcomes)])
    message = fits_message(result.result(one))
    assert message["blocks"][0]["elements"][0]["elements"][1]["text"] == deed
    assert message["text"] == f"Kick #7 in Weekly AMA: {summary}"


def test_a_return_is_shown_with_its_time_and_rejoining_only_after_a_kick() -> None:
    back = target(outcome=Outcome.GONE, why=OutcomeReason.LEFT, rejoined_at=NOW)
    message = fits_message(result.result(kick([back])))
    assert ", came back " in shown(message)
    assert f'"timestamp": {int(NOW.timestamp())}' in shown(message)
    assert "rejoin" not in shown(message)


AGAIN = ("Kick again", "kick_again", "a" * 32)

CHECK_AGAIN = ("Check again", "check_again", "a" * 32)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_is_not_known_can_be_checked_again(outcome: Outcome) -> None:
    one = kick([target(), target("Tom", outcome, at=1)])
    offered = [AGAIN, CHECK_AGAIN] if outcome is Outcome.UNKNOWN else [AGAIN]
    assert buttons(fits_message(result.result(one))) == offered


def test_a_result_says_who_approved_it_and_counts_the_time_from_then() -> None:
    approved = kick(approver=UserId("U0MO"), decided_at=NOW + timedelta(seconds=1))
    message = fits_message(result.result(approved))
    last = message["blocks"][0]["elements"][-1]["elements"]
    assert [one.get("text") or one.get("user_id") for one in last] == ["Approved by ", "U0MO"]
    assert "Took 0.2 s after the approval." in shown(message)
    alone = shown(result.result(kick()))
    assert "pproved by" not in alone
    assert "after the approval" not in alone


def test_a_kick_done_again_names_the_old_one() -> None:
    assert "Done again after kick #3." in shown(fits_message(result.result(kick(repeats=3))))
    assert "Done again" not in shown(result.result(kick()))


def test_a_result_that_may_be_there_already_says_so_and_nothing_else_is_different() -> None:
    certain, doubtful = (
        result.result(kick()),
        fits_message(result.result(kick(), maybe_delivered=True)),
    )
    assert result.MAYBE_TWICE not in shown(certain)
    assert result.MAYBE_TWICE in shown(doubtful)
    assert shown(doubtful).replace(f" {result.MAYBE_TWICE}", "") == shown(certain)
    assert doubtful["text"] == certain["text"]


MO: dict[str, Any] = {"approver": UserId("U0MO"), "decided_at": NOW}


def test_a_note_stands_above_the_result_and_in_the_notification() -> None:
    message = fits_message(result.result(kick(), note="Invite the bot."))
    line = "Kick #7 in Weekly AMA: 1 kicked. Invite the bot."
    assert message["text"] == line
    assert message["blocks"][0]["text"]["text"] == line
    assert message["blocks"][1:] == result.result(kick())["blocks"]


@given(
    name=TEXT,
    title=TEXT,
    reason=TEXT,
    detail=TEXT,
    outcome=st.sampled_from(Outcome),
    why=st.sampled_from(OutcomeReason),
)
@settings(max_examples=60, deadline=None)
def test_a_result_of_25_people_fits_message(  # noqa: PLR0917 - what hypothesis gives
    name: str, title: str, reason: str, detail: str, outcome: Outcome, why: OutcomeReason
) -> None:
    targets = [target(name, outcome, why, detail, at) for at in range(25)]
    one = kick(targets, title=title, reason=reason, repeats=10**9, **MO)
    fits_message(result.result(one, maybe_delivered=True))
    fits_message(result.result(one, note=detail * 9))
    fits_message(blocks.text_message(wording.checked_again(one)), 40_000)


@pytest.mark.parametrize("text", WORST, ids=range(len(WORST)))
@pytest.mark.parametrize(
    "why", [OutcomeReason.REFUSED, OutcomeReason.PROTECTED, OutcomeReason.NO_ANSWER]
)
def test_a_result_of_25_of_the_worst_names_fits_also_under_a_remark(
    text: str, why: OutcomeReason
) -> None:
    targets = [target(text, Outcome.FAILED, why, text, at, NOW) for at in range(25)]
    one = kick(targets, title=text, reason=text, **MO)
    fits_message(result.result(one, note="Invite the bot there with /invite."))


@given(text=TEXT)
@settings(deadline=None)
def test_a_result_mentions_only_who_asked_and_who_decided(text: str) -> None:
    one = kick([target(text, Outcome.FAILED, OutcomeReason.REFUSED, text)], title=text, reason=text)
    assert mentioned(result.result(replace(one, refusal=text, **MO))) == {"U0MAYA", "U0MO"}
