"""The result: the message that says who removed whom, and each person's outcome."""

from bot.core.kick import Kick
from bot.core.target import Outcome
from bot.slack.views import blocks, wording
from bot.slack.views.blocks import Block, Message

MAYBE_TWICE = "Slack did not confirm an earlier copy of this message: it may be here twice."


def result(kick: Kick, *, maybe_delivered: bool = False, note: str = "") -> Message:
    """Return the result. `maybe_delivered`: an earlier copy may have been posted.

    `note` is an extra text for the requester. It comes first.
    """
    summary = f"{wording.summary(kick)} {note}" if note else wording.summary(kick)
    remarks = [*_remarks(kick), *([MAYBE_TWICE] if maybe_delivered else [])]
    people = (blocks.person(*wording.target_outcome(one)) for one in kick.targets)
    return blocks.message(
        summary,
        [
            *([blocks.section(summary)] if note else []),
            blocks.rich_text(
                blocks.headline(kick.requester, *_deed(kick)), blocks.bullets(people), *_why(kick)
            ),
            blocks.context(" ".join(remarks)),
            blocks.actions(*blocks.again_buttons(kick.id, has_unknown=kick.has_unknown)),
        ],
    )


def _deed(kick: Kick) -> tuple[str, str, str]:
    count = wording.count_people(len(kick.targets))
    kicked = sum(target.outcome is Outcome.KICKED for target in kick.targets)
    deed = f"removed {count}" if kicked == len(kick.targets) else f"removed {kicked} of {count}"
    if not kicked:
        deed = f"tried to remove {count}"
    rest = f" · kick #{kick.number}{wording.meeting_id(kick.meeting)}"
    return f" {deed} from ", wording.name(kick.meeting.title), rest


def _why(kick: Kick) -> list[Block]:
    lines = [blocks.line(blocks.text(wording.reason(kick)))]
    if kick.approver:
        lines.append(blocks.line(blocks.text("Approved by "), blocks.user(kick.approver)))
    return lines


def _remarks(kick: Kick) -> list[str]:
    has_kicked = any(target.outcome is Outcome.KICKED for target in kick.targets)
    begun, done = kick.decided_at or kick.created_at, kick.done_at or kick.created_at
    since = " after the approval" if kick.decided_at else ""
    took = f"Took {(done - begun).total_seconds():.1f} s{since}."
    again = f"Done again after kick #{kick.repeats}." if kick.repeats else ""
    return list(filter(None, [wording.REJOIN if has_kicked else "", took, again]))
