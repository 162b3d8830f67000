"""The texts for failures: what is certain, who can fix it, and how."""

from collections.abc import Callable

import pytest

from bot.core.kick import ChannelId
from bot.core.ports import (
    DirectoryUnavailable,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StoreUnavailable,
)
from bot.slack.views import failures
from tests.views import kick

CHANNEL = ChannelId("C0MODS")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("not_in_channel", "not in the approvals channel (C0MODS). Invite it there"),
        ("channel_not_found", "Invite it there with /invite"),
        ("is_archived", "is archived. Tell the bot's operator"),
        ("ratelimited", "(ratelimited). The bot tries again"),
    ],
)
def test_a_card_that_was_not_posted(code: str, words: str) -> None:
    said = failures.card_not_posted(kick(number=12), CHANNEL, code)
    assert said.startswith("Nobody could be asked about kick #12 yet")
    assert words in said


def test_a_result_that_is_posted_later() -> None:
    assert "(ratelimited); the bot keeps trying" in failures.result_delayed("ratelimited")


@pytest.mark.parametrize(
    ("channel", "code", "words"),
    [
        ("C0LIVE", "is_archived", "it is archived"),
        ("C0LIVE", "not_in_channel", "invite the bot there with /invite"),
        ("D0PAIR", "channel_not_found", "a conversation between others"),
        ("C0LIVE", "restricted_action", "(restricted_action)"),
    ],
)
def test_a_result_that_was_not_posted(channel: str, code: str, words: str) -> None:
    assert words in failures.result_not_posted(kick(channel_id=channel), code)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            DirectoryUnavailable("HTTP 500"),
            "Your role could not be checked with Slack (HTTP 500). Nobody was removed. Try again.",
        ),
        (
            StoreUnavailable("locked"),
            "The bot's database does not answer (locked). Nobody was removed. Try again.",
        ),
        (Rejected("401"), "RealtimeKit refuses the bot: 401. Please tell its operator."),
        (RateLimited("x", 6.6), "RealtimeKit asks the bot to wait 7 s. Then try again."),
        (RateLimited("x"), "RealtimeKit asks the bot to wait. Then try again."),
        (NotSent("x"), "RealtimeKit can't be reached. Nobody was removed. Try again."),
        (OutcomeUnknown("x"), "RealtimeKit could not be read: x. Nobody was removed. Try again."),
        (NotFound("x"), "RealtimeKit could not be read: x. Nobody was removed. Try again."),
    ],
)
def test_every_failure_says_what_is_wrong_and_what_to_do(
    error: failures.PortError, words: str
) -> None:
    assert failures.action_failed(error) == words


DECIDED = (
    "did not confirm that (locked): whether your decision was recorded is not known."
    " Look at the card again."
)


@pytest.mark.parametrize(
    ("error", "not_shown", "not_decided"),
    [
        (
            DirectoryUnavailable("HTTP 500"),
            "Your role could not be checked with Slack (HTTP 500). Nothing was changed.",
            "Roles could not be checked with Slack (HTTP 500). Nothing was decided. Try again.",
        ),
        (StoreUnavailable("locked"), "does not answer (locked). Nothing was changed.", DECIDED),
        (RateLimited("x", 2), *[failures.action_failed(RateLimited("x", 2))] * 2),
    ],
)
def test_a_failed_view_or_decision_says_what_is_certain(
    error: failures.PortError, not_shown: str, not_decided: str
) -> None:
    assert not_shown in failures.nothing_shown(error)
    assert not_decided in failures.decision_unconfirmed(error)


def test_a_request_that_may_be_stored_is_not_called_lost() -> None:
    said = failures.submit_unconfirmed(StoreUnavailable("locked"))
    assert "did not confirm that it kept this (locked)" in said
    assert "within a minute" in said
    assert "the result is posted. Look there before you try again." in said
    assert "obody was removed" not in said


@pytest.mark.parametrize(
    ("describe", "words"),
    [
        (failures.action_failed, "Nobody was removed. Try again."),
        (failures.nothing_shown, "Try again."),
        (failures.decision_unconfirmed, "Look at the card again."),
        (failures.submit_unconfirmed, "Look there before you try again."),
    ],
)
def test_a_bug_is_told_without_its_details(
    describe: Callable[[failures.BotFailed], str], words: str
) -> None:
    text = describe(failures.BotFailed("secret"))
    assert text.startswith("The bot failed. Its log says how. ")
    assert text.endswith(words)
    assert "secret" not in text
