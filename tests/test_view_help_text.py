"""The answer to the help command: what this user may do under these rules."""

from datetime import timedelta

import pytest

from bot.core.policy import Quota, Role, Rules, SecondPerson, Verdict, VerdictKind
from bot.slack.views import help_text, wording
from tests.views import ALLOWED

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
def test_help_says_what_a_user_may_do_under_these_rules(
    role: Role, second_person: SecondPerson, words: str
) -> None:
    rules = Rules(second_person=second_person)
    assert words in help_text.help_text("/kick", ALLOWED, role, rules)


def test_help_says_why_a_user_may_do_nothing() -> None:
    no = Verdict(VerdictKind.REFUSED, "The policy gives you no role.")
    assert no.reason in help_text.help_text("/kick", no, None, Rules())


@pytest.mark.parametrize("seconds", [1, 90, 60, 600, 3600, 36 * 3600])
def test_help_says_how_many_people_may_be_removed_in_which_time(seconds: int) -> None:
    within = timedelta(seconds=seconds)
    usage = help_text.help_text("/kick", ALLOWED, Role.LEAD, Rules(quota=Quota(1, within)))
    assert f"At most 1 person per moderator within {wording.duration(within)}." in usage
