"""The documentation draws the states of a kick from the code's own table of moves."""

import re
from pathlib import Path

from bot.core.kick import INITIAL_STATES, TRANSITIONS, Kick

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"


def drawn() -> str:
    """Draw the table as a diagram that code hosts render."""
    firsts = [f"    [*] --> {state}" for state in INITIAL_STATES]
    moves = [
        f"    {state} --> {to}: {', '.join(name.replace('_', ' ') for name in names)}"
        for state, moves in TRANSITIONS.items()
        for to, names in moves.items()
    ]
    ends = [
        f"    {state} --> [*]" for state, moves in TRANSITIONS.items() if not set(moves) - {state}
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *firsts, *moves, *ends, "```"])


def test_the_documentation_shows_the_states_as_the_code_has_them() -> None:
    assert drawn() in ARCHITECTURE.read_text(encoding="utf-8"), drawn()


def test_every_move_in_the_table_is_a_method_of_a_kick() -> None:
    names = {name for moves in TRANSITIONS.values() for names in moves.values() for name in names}
    assert {name for name in names if not callable(getattr(Kick, name, None))} == set()


def test_the_pictures_are_there_and_each_says_what_it_shows() -> None:
    text = README.read_text()
    shown = re.findall(r"!\[([^\]]+)\]\(([^)]+\.png)\)", text)
    shown += [(alt, src) for src, alt in re.findall(r'<img src="([^"]+)" alt="([^"]+)"', text)]
    kept = (README.parent / "tests/browser/pictures").glob("*.png")
    assert sorted(src for _, src in shown) == sorted(
        f"tests/browser/pictures/{one.name}" for one in kept
    )
    assert len(shown) == 5
