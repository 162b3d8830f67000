"""The review: tells who would be removed and who not; what comes back is parsed beside it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from bot.core.candidates import Candidate, CandidateStatus
from bot.core.draft import Draft
from bot.core.review_service import Review
from bot.core.text import display
from bot.slack import blocks as kit
from bot.slack import texts
from bot.slack.blocks import Block, Element
from bot.slack.modals import Modal
from bot.slack.payloads import View, ViewMetadata

REVIEW = "kick_review"


def review(
    drawn: Review, context: ViewMetadata, now: datetime, *, back: bool, expires: timedelta
) -> Modal:
    """Show who would be removed and who not, and what its submit does if the policy lets it.

    That is *Kick*, or *Ask for approval*, which somebody has to give before it `expires`.
    """
    going = [line for line in drawn.candidates if line.target]
    staying = [line for line in drawn.candidates if not line.target]
    shown: list[Block] = []
    if going:
        title = f"{texts.people(len(going))} to remove from {display(drawn.meeting.title, 75)}"
        shown.append(listed(title, going, now))
    if staying:
        shown.append(listed("Not to be removed", staying, now))
    if drawn.draft is None:
        shown.append(kit.section(drawn.verdict.reason))
    else:
        if drawn.draft.needs_approval:
            shown.append(kit.section(f"{drawn.verdict.reason} {_decides_within(expires)}"))
        shown += [kit.section(f"Reason: {drawn.reason or 'none'}"), kit.context(texts.REJOIN)]
        if drawn.session is None:
            shown.append(kit.context(texts.NO_SESSION))
    return kit.modal(
        "Review",
        shown,
        callback_id=REVIEW,
        close="Back" if back else "Cancel",
        submit=_submit(drawn.draft),
        metadata=_Reviewed.model_validate(
            {**context.model_dump(), "draft": drawn.draft.id if drawn.draft else ""}
        ).model_dump_json(),
    )


def _decides_within(expires: timedelta) -> str:
    return f"A second person has {texts.span(expires)} to decide."


def _submit(draft: Draft | None) -> str | None:
    if draft is None:
        return None
    return "Ask for approval" if draft.needs_approval else "Kick"


class _Reviewed(ViewMetadata):
    draft: str = ""


def parse_review(view: View) -> str:
    """Read which draft a review showed; there is none of an empty name."""
    try:
        return _Reviewed.model_validate_json(view.private_metadata).draft
    except ValidationError:
        return ""


def listed(title: str, lines: Sequence[Candidate], now: datetime) -> Block:
    """List people under a title, each with how they stand."""
    return kit.rich(
        kit.line(kit.words(title, bold=True)),
        kit.bullets(told(line, now) for line in lines),
    )


def told(line: Candidate, now: datetime) -> list[Element]:
    """Name a person, tell them from others of the name, and say how they stand."""
    name = display(line.person.name if line.person else line.requested, 75)
    about = [kit.words(name, bold=True)]
    if line.person:
        about.append(kit.words(f" · {texts.details(line.person, now, line.same_name)}"))
    if standing := remark(line):
        about.append(kit.words(f"\n{standing}"))
    return about


def remark(line: Candidate) -> str:
    """Say what is to be known about a person before a kick; empty where nothing is."""
    is_checked = (
        line.target is None
        or line.target.protection_checked
        or line.status is CandidateStatus.NOWHERE
    )
    unchecked = "" if is_checked else "Protection not checked."
    return " ".join(filter(None, [_standing(line), unchecked]))


def _standing(line: Candidate) -> str:
    if line.status is CandidateStatus.LIVE:
        count = len(line.same_name)
        others = "another person" if count == 1 else f"{count} other people"
        return f"Not to be confused with {others} of this name." if count else ""
    return {
        CandidateStatus.UNLISTED: (
            "Not in the live list (it can lag): found in the meeting's records."
        ),
        CandidateStatus.NOWHERE: "Found nowhere: protection not checked.",
        CandidateStatus.LEFT: "Has already left.",
        CandidateStatus.PROTECTED: f"Protected by the policy ({display(line.protected_by, 75)}).",
        CandidateStatus.PEER: (
            "That is the id of one of their connections; paste the person's id instead."
        ),
        CandidateStatus.UNKNOWN: (
            "Nobody has this id. To try it all the same, write participant:… or custom:… before it."
        ),
    }[line.status]
