"""Texts that several surfaces share. No Block Kit."""

from datetime import datetime, timedelta

from bot.core.candidates import Candidate, CandidateStatus
from bot.core.kick import OPEN, Kick, State
from bot.core.namesakes import SHORTEST_SUFFIX
from bot.core.roster import Meeting, Participant
from bot.core.target import Outcome, OutcomeReason, Target
from bot.core.text import display

REJOIN = "Kicked people can rejoin with the same link."
NO_SESSION = "RealtimeKit shows no live session of this meeting; that can lag, or it is over."

NAME_LIMIT = 75
PRESET_LIMIT = 28
SUFFIX_LENGTH = 6  # characters; enough to distinguish two people of one name
# Slack limits the text of a whole message, and a message can name 25 people.
DETAIL_LIMIT = 100
TIME_LIMIT = 12


# Numbers and times


def count_people(count: int) -> str:
    """Count people in words."""
    return "1 person" if count == 1 else f"{count} people"


_UNITS = ((3600, "hour"), (60, "minute"), (1, "second"))


def duration(time: timedelta) -> str:
    """Return a duration in the largest unit that divides it."""
    seconds = int(time.total_seconds())
    unit, name = next(one for one in _UNITS if seconds % one[0] == 0)
    count = seconds // unit
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def joined_ago(date: datetime | None, now: datetime) -> str:
    """Return how long ago a person joined. Menus can't show times in the reader's time zone."""
    if date is None:
        return "join time unknown"
    minutes = int((now - date).total_seconds()) // 60
    if minutes < 1:
        return "joined just now"
    return f"joined {minutes} min ago" if minutes < 60 else f"joined {minutes // 60} h ago"  # noqa: PLR2004 - an hour


# People


def name(raw: str) -> str:
    """Return a name, a title or an id as one safe line."""
    return display(raw, NAME_LIMIT)


def meeting_id(meeting: Meeting) -> str:
    """Return the end of a meeting's id: another meeting may have the same title."""
    return f" · meeting …{display(meeting.id[-SUFFIX_LENGTH:], SUFFIX_LENGTH)}"


def person_details(person: Participant, now: datetime, id_suffix: str = "") -> str:
    """Return details that distinguish a person from others of the same name.

    `id_suffix` is the end of the id that no other one of the same name has.
    """
    tabs = len(person.open_peers)
    parts = [
        display(person.preset, PRESET_LIMIT) if person.preset else "preset unknown",
        joined_ago(person.joined_at, now),
        f"{tabs} connections" if tabs > 1 else "",
        f"id …{display(id_suffix or person.shown_id[-SHORTEST_SUFFIX:], 12)}",
    ]
    return " · ".join(filter(None, parts))


def candidate(one: Candidate, now: datetime) -> tuple[str, str]:
    """Return a candidate's name and details, with a note if there is one."""
    person, note = one.person, candidate_note(one)
    details = f" · {person_details(person, now, one.id_suffix)}" if person else ""
    return name(person.name if person else one.requested), details + (f"\n{note}" if note else "")


def candidate_note(one: Candidate) -> str:
    """Return why a candidate can't be removed, or a caution. Empty if there is neither."""
    is_checked = (
        one.target is None or one.target.protection_checked or one.status is CandidateStatus.NOWHERE
    )
    unchecked = "" if is_checked else "Protection not checked."
    return " ".join(filter(None, [_status(one), unchecked]))


def _status(one: Candidate) -> str:
    if one.status is CandidateStatus.LIVE:
        count = one.namesakes
        others = "another person" if count == 1 else f"{count} other people"
        return f"Not to be confused with {others} of this name." if count else ""
    if one.status is CandidateStatus.PROTECTED:
        return f"Protected by the policy ({name(one.protected_by)})."
    if one.status is CandidateStatus.AMBIGUOUS and one.person:
        exact = name(one.person.id or one.person.custom_id or "")
        asked = f"Several people have an id like “{name(one.requested)}”"
        return f"{asked}. To remove this one, paste {exact}."
    return _STATUS[one.status]


_STATUS = {
    CandidateStatus.UNLISTED: (
        "Not in the live list (it can lag): found in the meeting's records."
    ),
    CandidateStatus.MAYBE_LEFT: "May have left: they came and went too often to read it all.",
    CandidateStatus.NOWHERE: "Found nowhere: protection not checked.",
    CandidateStatus.LEFT: "Has already left.",
    CandidateStatus.PEER: (
        "That is the id of one of their connections; paste the person's id instead."
    ),
    CandidateStatus.UNKNOWN: (
        "Nobody was found with this id. To try it all the same, write participant:… or custom:… "
        "before it."
    ),
}


# Outcomes

_REASON = {
    OutcomeReason.CONFIRMED: "",
    OutcomeReason.NOT_FOUND: "had left before the kick",
    OutcomeReason.LEFT: "left since, but RealtimeKit did not confirm the kick",
    OutcomeReason.NOBODY: "nobody with this id in the session",
    OutcomeReason.NOT_TRIED: "not tried",
    OutcomeReason.NO_ID: "not tried: RealtimeKit lists no id for them",
    OutcomeReason.PROTECTED: "protected by the policy",
    OutcomeReason.STILL_THERE: "still there: the kick had no effect",
    OutcomeReason.STILL_LISTED: (
        "RealtimeKit did not confirm the kick, and still lists them {} after the call"
    ),
    OutcomeReason.NOT_FOUND_LISTED: (
        "RealtimeKit found nobody by this id, but still lists them {} after the call"
    ),
    OutcomeReason.NO_ANSWER: "RealtimeKit's answer was lost, and nothing proves what happened",
    OutcomeReason.EMPTY_ANSWER: "RealtimeKit said yes but named nobody",
    OutcomeReason.REFUSED: "RealtimeKit refused the bot; tell its operator",
    OutcomeReason.BUSY: "RealtimeKit's rate limit was reached",
    OutcomeReason.UNREACHABLE: "the call could not be sent",
}
_WITH_DETAIL = {
    OutcomeReason.PROTECTED,
    OutcomeReason.REFUSED,
    OutcomeReason.BUSY,
    OutcomeReason.NOT_TRIED,
    OutcomeReason.UNREACHABLE,
}
_WITH_TIME = {OutcomeReason.STILL_LISTED, OutcomeReason.NOT_FOUND_LISTED}
_SIGN = {Outcome.KICKED: "✓", Outcome.GONE: "○", Outcome.FAILED: "✗", Outcome.UNKNOWN: "?"}


def outcome(target: Target) -> str:
    """Return a target's outcome. The sign before it does not depend on colour."""
    if target.outcome is None:
        return "… not known yet"
    return f"{_SIGN[target.outcome]} {target.outcome}"


def outcome_reason(target: Target) -> str:
    """Return the reason for a target's outcome. Empty if none is needed."""
    if target.outcome_reason is None:
        return ""
    if target.outcome is Outcome.UNKNOWN and target.outcome_reason is OutcomeReason.NOT_FOUND:
        return "RealtimeKit found nobody by this id, and its list could not confirm that"
    if target.outcome_reason in _WITH_TIME:
        return _REASON[target.outcome_reason].format(display(target.detail, TIME_LIMIT))
    if target.outcome_reason is OutcomeReason.NOT_TRIED and not target.detail:
        return f"{_REASON[OutcomeReason.NOT_TRIED]}: the bot stopped before"
    detail = f" ({display(target.detail, DETAIL_LIMIT)})" if target.detail else ""
    with_detail = target.outcome_reason in _WITH_DETAIL
    return _REASON[target.outcome_reason] + (detail if with_detail else "")


def target_outcome(target: Target) -> tuple[str, str, datetime | None]:
    """Return a target's name, its outcome with the reason, and when the person came back."""
    reason = outcome_reason(target)
    details = f" — {outcome(target)}{f': {reason}' if reason else ''}"
    return name(target.name), details, target.rejoined_at


def target_details(target: Target) -> tuple[str, str]:
    """Return a target's name, and its details at the time of the request."""
    preset = display(target.preset, PRESET_LIMIT) if target.preset else "preset unknown"
    target_id = (target.participant_id or target.custom_id or "?")[-SUFFIX_LENGTH:]
    unchecked = "" if target.protection_checked else " · protection not checked"
    return name(target.name), f" · {preset} · id …{display(target_id, SUFFIX_LENGTH)}{unchecked}"


# Kicks


def summary(kick: Kick) -> str:
    """Return a kick's state or its outcomes in one line."""
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
    return f"Kick #{kick.number} in {name(kick.meeting.title)}: {', '.join(counts)}."


def ended_without_call(kick: Kick) -> str:
    """Return why a kick ended before RealtimeKit was called."""
    if kick.state is State.CANCELLED:
        return "It was taken back. Nobody was removed."
    if kick.state is State.EXPIRED and kick.approval_requested and kick.approver is None:
        return "Nobody decided in time, so it expired. Nobody was removed."
    if kick.state is State.EXPIRED:
        return "It was not carried out within a minute, so it lapsed. Nobody was removed."
    return f"Nobody was removed. {kick.refusal}"


def checked_again(kick: Kick) -> str:
    """Return what is known now about the targets whose outcome was unknown."""
    if kick.state is not State.DONE:
        return summary(kick)
    unknown = [name(one.name) for one in kick.targets if one.outcome is Outcome.UNKNOWN]
    if unknown:
        return f"Still not known: {', '.join(unknown)}."
    return "\n".join(f"{name(one.name)} — {outcome(one)}" for one in kick.targets)


def request_deed(kick: Kick) -> tuple[str, str, str]:
    """Return what a request asks for: the action, the meeting, and the number of the kick."""
    again = f", again after #{kick.repeats}" if kick.repeats else ""
    deed = f" asks to remove {count_people(len(kick.targets))} from "
    rest = f" · kick #{kick.number}{again}{meeting_id(kick.meeting)}"
    return deed, name(kick.meeting.title), rest


def reason(kick: Kick) -> str:
    """Return the line with the requester's reason."""
    return f"Reason: {display(kick.reason, 1000) if kick.reason else 'none'}"
