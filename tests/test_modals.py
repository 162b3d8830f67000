"""The note: within Slack's limits, whatever stands in it."""

from hypothesis import given

from bot.slack.views import blocks
from tests.hostile import TEXT
from tests.views import fits


@given(title=TEXT, text=TEXT)
def test_a_note_fits(title: str, text: str) -> None:
    fits(blocks.text_modal(title or "Kick", text or "-"))
