"""The documentation shows the states of a kick as the code has them."""

import re
from pathlib import Path

from bot.core.kick import INITIAL_STATES, TRANSITIONS, Kick

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"


def drawn() -> str:
    """Return the table of transitions as a Mermaid diagram."""
    firsts = [f"    [*] --> {state}" for state in INITIAL_STATES]
    transitions = [
        f"    {state} --> {to}: {', '.join(name.replace('_', ' ') for name in names)}"
        for state, following in TRANSITIONS.items()
        for to, names in following.items()
    ]
    ends = [
        f"    {state} --> [*]"
        for state, following in TRANSITIONS.items()
        if not set(following) - {state}
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *firsts, *transitions, *ends, "```"])


def test_the_documentation_shows_the_states_as_the_code_has_them() -> None:
    assert drawn() in ARCHITECTURE.read_text(encoding="utf-8"), drawn()


def test_every_transition_in_the_table_is_a_method_of_a_kick() -> None:
    names = {name for to in TRANSITIONS.values() for names in to.values() for name in names}
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
