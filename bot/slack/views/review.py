"""The review: shows who would be removed and who not. Its submit is *Kick*."""

from datetime import datetime, timedelta

from bot.core.review_service import Review
from bot.slack.payloads import ViewMetadata
from bot.slack.views import blocks, wording
from bot.slack.views.blocks import Block, Modal

REVIEW = "kick_review"


class ReviewMetadata(ViewMetadata):
    """What a review carries: the id of its draft; empty if there is no draft."""

    draft: str = ""


def review(
    drawn: Review, metadata: ViewMetadata, now: datetime, *, back: bool, expires: timedelta
) -> Modal:
    """Return the review. Its submit is *Kick* or *Ask for approval*, if the policy allows one.

    `back`: the form is under it. `expires`: how long a second person has to decide.
    """
    draft = drawn.draft
    return blocks.modal(
        "Review",
        [*_people(drawn, now), *_consequences(drawn, expires)],
        callback_id=REVIEW,
        close="Back" if back else "Cancel",
        submit=("Ask for approval" if draft.needs_approval else "Kick") if draft else None,
        metadata=ReviewMetadata(
            **metadata.model_dump(), draft=draft.id if draft else ""
        ).model_dump_json(),
    )


def _people(drawn: Review, now: datetime) -> list[Block]:
    going = [one for one in drawn.candidates if one.target]
    staying = [one for one in drawn.candidates if not one.target]
    place = wording.name(drawn.meeting.title) + wording.meeting_id(drawn.meeting)
    title = f"{wording.count_people(len(going))} to remove from {place}"
    return [
        blocks.rich_text(
            blocks.line(blocks.text(heading, bold=True)),
            blocks.bullets(blocks.person(*wording.candidate(one, now)) for one in candidates),
        )
        for heading, candidates in ((title, going), ("Not to be removed", staying))
        if candidates
    ]


def _consequences(drawn: Review, expires: timedelta) -> list[Block]:
    if drawn.draft is None:
        return [blocks.section(drawn.verdict.reason)]
    within = f"A second person has {wording.duration(expires)} to decide."
    asks = (
        [blocks.section(f"{drawn.verdict.reason} {within}")] if drawn.draft.needs_approval else []
    )
    unseen = [blocks.context(wording.NO_SESSION)] if drawn.session is None else []
    reason = blocks.section(f"Reason: {drawn.reason or 'none'}")
    return [*asks, reason, blocks.context(wording.REJOIN), *unseen]
