"""The messages that the channel sees, and those for one person."""

from collections.abc import Mapping
from typing import Any

from bot.core.kick import Kick
from bot.core.target import Outcome
from bot.core.text import display, truncate
from bot.slack import blocks as kit
from bot.slack import progress, texts
from bot.slack.blocks import Block, Element

AGAIN = "kick_again"
CHECK_AGAIN = "check_again"
REVIEW_REQUEST = "review_request"
NOTIFICATION_LIMIT = 500
SENT_AGAIN = "Slack did not confirm an earlier copy of this message: it may be here twice."

Message = Mapping[str, Any]


def result(kick: Kick, *, doubtful: bool = False) -> Message:
    """Tell how a kick ended: who, whom and what became of each, where, why, how long it took.

    `doubtful`: the same may have been posted before.
    """
    return post(
        texts.summary(kick),
        [
            kit.rich(
                kit.line(*_headline(kick)), kit.bullets(progress.outcomes(kick)), *_details(kick)
            ),
            kit.context(" ".join([*_remarks(kick), *([SENT_AGAIN] if doubtful else [])])),
            {"type": "actions", "elements": _buttons(kick)},
        ],
    )


def _headline(kick: Kick) -> list[Element]:
    title = display(kick.meeting.title, 75)
    where = [kit.words(" from "), kit.words(title, bold=True), kit.words(f" · kick #{kick.number}")]
    return [kit.user(kick.requester), kit.words(f" {_deed(kick)}"), *where]


def _deed(kick: Kick) -> str:
    count = texts.people(len(kick.targets))
    kicked = sum(target.outcome is Outcome.KICKED for target in kick.targets)
    if not kicked:
        return f"tried to remove {count}"
    return f"removed {count}" if kicked == len(kick.targets) else f"removed {kicked} of {count}"


def _details(kick: Kick) -> list[Block]:
    told = [reason(kick)]
    if kick.approver:
        told.append(kit.line(kit.words("Approved by "), kit.user(kick.approver)))
    return told


def reason(kick: Kick) -> Block:
    """Say why, in the requester's own words."""
    return kit.line(kit.words(f"Reason: {display(kick.reason, 1000) if kick.reason else 'none'}"))


def _remarks(kick: Kick) -> list[str]:
    kicked = any(target.outcome is Outcome.KICKED for target in kick.targets)
    begun, done = kick.decided_at or kick.created_at, kick.done_at or kick.created_at
    took = f"Took {(done - begun).total_seconds():.1f} s."
    if kick.decided_at:
        took = f"Took {(done - begun).total_seconds():.1f} s after the approval."
    again = f"Done again after kick #{kick.repeats}." if kick.repeats else ""
    return list(filter(None, [texts.REJOIN if kicked else "", took, again]))


def _buttons(kick: Kick) -> list[Element]:
    made = [kit.button("Kick again", AGAIN, kick.id)]
    if any(target.outcome is Outcome.UNKNOWN for target in kick.targets):
        made.append(kit.button("Check again", CHECK_AGAIN, kick.id))
    return made


def word(kick: Kick) -> Message:
    """Tell whoever asked that their kick came to nothing, and why."""
    summary = texts.summary(kick)
    return post(summary, [kit.section(summary), *progress.view(kick)["blocks"]])


def remark(kick: Kick, text: str) -> Message:
    """Tell one person how a kick ended, and what more there is to say of it."""
    told = result(kick)
    line = f"{texts.summary(kick)} {text}"
    return post(line, [kit.section(line), *told["blocks"]])


def whisper(text: str) -> Message:
    """Make a note for one person."""
    return post(text, [kit.section(text)])


def post(text: str, blocks: list[Block]) -> Message:
    """Make a message; `text` is what a notification or a screen reader gets."""
    return {
        # Cut before it is escaped, which can make five characters of one.
        "text": kit.escape(truncate(text, NOTIFICATION_LIMIT)),
        "blocks": blocks,
    }
