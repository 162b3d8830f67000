"""Hypothesis strategies for hostile text, as participants may choose it."""

from typing import Final

from hypothesis import strategies as st

PIECES: Final = (
    "<!channel>",
    "<@U0MAYA>",
    "<https://evil.example|click>",
    "&amp;",
    "`code`",
    "*bold*",
    ":bomb:",
    "\n",
    "\u202e",
    "\u200b",
    "\u200d",
    "\u0489",
    "\u3164",
    "\ud83d",
    "\x00",
    "\x1b[2J",
    "🧨",
    "👩‍👩‍👧‍👦",
    "ﷺ",
    "é",
    "W",
)

LONG: Final = st.builds(
    lambda piece, count: piece * count, st.sampled_from(PIECES), st.integers(0, 300)
)

TEXT: Final = st.text(max_size=200) | LONG | st.lists(st.sampled_from(PIECES)).map("".join)

WORST: Final = ("W" * 4000, "🧨" * 4000, "<!channel>" * 400, "\n" * 4000, "\u0489" * 4000)
"""One of each kind that is longer than every limit of Slack's (3000), or shows nothing."""
