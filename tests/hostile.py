"""Text as the rudest people of a meeting would choose it, for hypothesis."""

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

WORST: Final = ("W" * 10_000, "🧨" * 10_000, "<!channel>" * 1000, "\n" * 10_000, "\u0489" * 10_000)
"""One of each kind that fills a limit to the brim, or empties it."""
