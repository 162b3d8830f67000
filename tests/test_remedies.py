"""What is said where a message could not be posted: whose it is, and what to do."""

import pytest

from bot.core.kick import ChannelId
from bot.slack.views import failures
from tests.test_cards import asked

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
def test_approvers_who_could_not_be_asked(code: str, words: str) -> None:
    said = failures.card_not_posted(asked(number=12), CHANNEL, code)
    assert said.startswith("Nobody could be asked about kick #12 yet")
    assert words in said


def test_a_result_that_comes_later() -> None:
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
def test_a_result_that_can_not_stand_in_its_channel(channel: str, code: str, words: str) -> None:
    assert words in failures.result_not_posted(asked(channel_id=channel), code)
