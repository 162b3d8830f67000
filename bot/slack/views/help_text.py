"""The answer to `/kick help`."""

from bot.core.policy import BULK_WINDOW, Role, Rules, SecondPerson, Verdict
from bot.slack.views.wording import REJOIN, count_people, duration


def help_text(command: str, verdict: Verdict, role: Role | None, rules: Rules) -> str:
    """Explain the command, and what this user may do with it."""
    may = _may(role, rules) if verdict.is_allowed and role else verdict.reason
    return f"""\
{command} opens a form: meeting, who, reason, then a review.
{command} mallory spamming links fills the form in; one match and a reason open the review.
Nobody is removed before you press Kick under the names. {REJOIN}
{may}
At most {count_people(rules.quota.targets)} per moderator within {duration(rules.quota.within)}."""


def _may(role: Role, rules: Rules) -> str:
    if role is Role.HELPER:
        return "As a helper you may ask for a kick; a moderator or a lead decides."
    alone = ", also where two are needed." if role is Role.LEAD else _together(rules)
    return f"As a {role.name.lower()} you may remove people{alone} You decide what others ask for."


def _together(rules: Rules) -> str:
    if rules.second_person is SecondPerson.ALWAYS:
        return "; each kick needs a second person."
    if rules.second_person is SecondPerson.BULK:
        return f"; more than {rules.bulk} within {duration(BULK_WINDOW)} need a second person."
    return "."
