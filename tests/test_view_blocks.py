"""The Block Kit helpers: within Slack's limits, and safe for any text."""

from hypothesis import given, settings

from bot.slack.views import blocks
from tests.hostile import TEXT
from tests.views import fits


@given(title=TEXT, text=TEXT)
@settings(deadline=None)
def test_a_text_modal_fits(title: str, text: str) -> None:
    fits(blocks.text_modal(title or "Kick", text or "-"))


@given(text=TEXT)
@settings(deadline=None)
def test_escaped_text_pings_nobody_and_can_be_read_back(text: str) -> None:
    safe = blocks.escape(text)
    assert not {"<", ">"} & set(safe)
    back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert back == blocks.valid_unicode(text)


def test_a_button_carries_the_kick_s_id_and_nothing_else() -> None:
    assert blocks.cancel_button("a" * 32)["value"] == "a" * 32
