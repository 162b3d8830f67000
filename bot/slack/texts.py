"""The words that people read, where they are more than a label."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

from bot.core.kick import OPEN, Kick, State
from bot.core.policy import BULK_WINDOW, Role, Rules, SecondPerson, Verdict
from bot.core.ports import (
    DirectoryUnavailable,
    GatewayError,
    NotSent,
    RateLimited,
    Rejected,
    StoreUnavailable,
)
from bot.core.roster import Participant, id_suffix
from bot.core.target import Outcome, OutcomeReason, Target
from bot.core.text import display

REJOIN = "Kicked people can rejoin with the same link."
NO_SESSION = "RealtimeKit shows no live session of this meeting; that can lag, or it is over."

Trouble = GatewayError | DirectoryUnavailable | StoreUnavailable


def trouble(error: Trouble) -> str:
    """Say what is wrong, whose it is, and what to do; nothing was changed."""
    if isinstance(error, DirectoryUnavailable):
        return (
            f"Your role could not be checked with Slack ({error}). Nobody was removed. Try again."
        )
    if isinstance(error, StoreUnavailable):
        return f"The bot's database does not answer ({error}). Nobody was removed. Try again."
    if isinstance(error, Rejected):
        return f"RealtimeKit refuses the bot: {error}. Please tell its operator."
    if isinstance(error, RateLimited):
        return f"RealtimeKit asks the bot to wait{_seconds(error.retry_after)}. Then try again."
    if isinstance(error, NotSent):
        return "RealtimeKit can't be reached. Nobody was removed. Try again."
    return f"RealtimeKit could not be read: {error}. Nobody was removed. Try again."


def unconfirmed(error: StoreUnavailable) -> str:
    """Say that a request may or may not have been kept, and what comes of it if it was."""
    return (
        f"The bot's database did not confirm that it kept this ({error}). If it kept it all the"
        " same, it is carried out or asked about within a minute, and the result is posted. Look"
        " there before you try again."
    )


def unheard(error: Trouble) -> str:
    """Say why something can't be shown; nothing was changed."""
    if isinstance(error, DirectoryUnavailable):
        return f"Your role could not be checked with Slack ({error}). Nothing was changed."
    if isinstance(error, StoreUnavailable):
        return f"The bot's database does not answer ({error}). Nothing was changed. Try again."
    return trouble(error)


def undecided(error: Trouble) -> str:
    """Say what is known of a decision that could not be confirmed."""
    if isinstance(error, DirectoryUnavailable):
        return f"Roles could not be checked with Slack ({error}). Nothing was decided. Try again."
    if isinstance(error, StoreUnavailable):
        return (
            f"The bot's database did not confirm that ({error}): whether your decision was"
            " recorded is not known. Look at the card again."
        )
    return trouble(error)


def _seconds(wait: float | None) -> str:
    return f" {ceil(wait)} s" if wait else ""


def people(count: int) -> str:
    """Count people in words."""
    return "1 person" if count == 1 else f"{count} people"


def span(time: timedelta) -> str:
    """Say how long, in the largest unit that fits."""
    seconds = int(time.total_seconds())
    unit, name = next(one for one in _UNITS if seconds % one[0] == 0)
    count = seconds // unit
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


_UNITS = ((3600, "hour"), (60, "minute"), (1, "second"))


def ago(date: datetime | None, now: datetime) -> str:
    """Say how long ago somebody joined; menus have no other way to be right in every time zone."""
    if date is None:
        return "join time unknown"
    minutes = int((now - date).total_seconds()) // 60
    if minutes < 1:
        return "joined just now"
    return f"joined {minutes} min ago" if minutes < 60 else f"joined {minutes // 60} h ago"  # noqa: PLR2004 - an hour


def details(person: Participant, now: datetime, among: Iterable[Participant] = ()) -> str:
    """Tell a person from another of the same name."""
    tabs = len(person.open_peers)
    parts = [
        display(person.preset, 28) if person.preset else "preset unknown",
        ago(person.joined_at, now),
        f"{tabs} connections" if tabs > 1 else "",
        f"id …{display(id_suffix(person, among), 12)}",
    ]
    return " · ".join(filter(None, parts))


_WHY = {
    OutcomeReason.CONFIRMED: "",
    OutcomeReason.NOT_FOUND: "had left before the kick",
    OutcomeReason.LEFT: "left since, but RealtimeKit did not confirm the kick",
    OutcomeReason.NOBODY: "nobody with this id in the session",
    OutcomeReason.NOT_TRIED: "not tried: the bot stopped before",
    OutcomeReason.PROTECTED: "protected by the policy",
    OutcomeReason.STILL_THERE: "still there: the kick had no effect",
    OutcomeReason.NO_ANSWER: "RealtimeKit's answer was lost, and nothing proves what happened",
    OutcomeReason.EMPTY_ANSWER: "RealtimeKit said yes but named nobody",
    OutcomeReason.REFUSED: "RealtimeKit refused the bot; tell its operator",
    OutcomeReason.BUSY: "RealtimeKit was too busy",
    OutcomeReason.UNREACHABLE: "RealtimeKit could not be reached",
}

# Of each of 25 people: Slack counts a message's text as a whole, escapes included.
DETAIL_LIMIT = 100
_WITH_DETAIL = {
    OutcomeReason.PROTECTED,
    OutcomeReason.REFUSED,
    OutcomeReason.BUSY,
    OutcomeReason.NOT_TRIED,
}


def because(target: Target) -> str:
    """Say what a target's outcome rests on; empty where the outcome says it all."""
    if target.outcome_reason is None:
        return ""
    if target.outcome is Outcome.UNKNOWN and target.outcome_reason is OutcomeReason.NOT_FOUND:
        return "RealtimeKit found nobody by this id, and its list could not confirm that"
    detail = f" ({display(target.detail, DETAIL_LIMIT)})" if target.detail else ""
    return _WHY[target.outcome_reason] + (detail if target.outcome_reason in _WITH_DETAIL else "")


_SIGN = {
    Outcome.KICKED: "✓",
    Outcome.GONE: "○",
    Outcome.FAILED: "✗",
    Outcome.UNKNOWN: "?",
}


def outcome(target: Target) -> str:
    """Say what became of a target, with a sign that can be told apart without colour."""
    if target.outcome is None:
        return "… not known yet"
    return f"{_SIGN[target.outcome]} {target.outcome}"


def summary(kick: Kick) -> str:
    """Say in a line how a kick ended: what a notification or a screen reader gets."""
    if kick.state in OPEN:
        waits = kick.state is State.WAITING
        return f"Kick #{kick.number} {'waits for a second person' if waits else 'is on its way'}."
    if kick.state is not State.DONE:
        return f"Kick #{kick.number} {kick.state}: nobody was removed."
    counts = [
        f"{sum(target.outcome is one for target in kick.targets)} {one}"
        for one in Outcome
        if any(target.outcome is one for target in kick.targets)
    ]
    return f"Kick #{kick.number} in {display(kick.meeting.title, 75)}: {', '.join(counts)}."


def ending(kick: Kick) -> str:
    """Say why a kick ended before anybody was called."""
    if kick.state is State.CANCELLED:
        return "It was taken back. Nobody was removed."
    if kick.state is State.EXPIRED and kick.approval_requested and kick.approver is None:
        return "Nobody decided in time, so it expired. Nobody was removed."
    if kick.state is State.EXPIRED:
        return "It was not carried out within a minute, so it lapsed. Nobody was removed."
    return f"Nobody was removed. {kick.refusal}"


def known(kick: Kick) -> str:
    """Say what is known by now of a kick some of whose outcomes were not."""
    if kick.state is not State.DONE:
        return summary(kick)
    unknown = [one for one in kick.targets if one.outcome is Outcome.UNKNOWN]
    if unknown:
        return f"Still not known: {', '.join(display(one.name, 75) for one in unknown)}."
    told = (f"{display(one.name, 75)} — {outcome(one)}" for one in kick.targets)
    return "\n".join(told)


def usage(command: str, verdict: Verdict, role: Role | None, rules: Rules) -> str:
    """Explain the command, and what this user may do with it."""
    may = _may(role, rules) if verdict.is_allowed and role else verdict.reason
    return f"""\
{command} opens a form: meeting, who, reason, then a review.
{command} mallory spamming links fills the form in; one match and a reason open the review.
Nobody is removed before you press Kick under the names. {REJOIN}
{may}
At most {people(rules.quota.targets)} per moderator within {span(rules.quota.within)}."""


def _may(role: Role, rules: Rules) -> str:
    if role is Role.HELPER:
        return "As a helper you may ask for a kick; a moderator or a lead decides."
    alone = ", also where two are needed." if role is Role.LEAD else _together(rules)
    return f"As a {role.name.lower()} you may remove people{alone} You decide what others ask for."


def _together(rules: Rules) -> str:
    if rules.second_person is SecondPerson.ALWAYS:
        return "; each kick needs a second person."
    if rules.second_person is SecondPerson.BULK:
        return f"; more than {rules.bulk} within {span(BULK_WINDOW)} need a second person."
    return "."
