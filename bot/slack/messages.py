"""The messages that the channel sees."""

from collections.abc import Mapping
from typing import Any

from bot.core.kick import Kick, Outcome, State
from bot.core.roster import cut, display
from bot.slack import blocks as kit
from bot.slack import texts
from bot.slack.blocks import Block, Element
from bot.slack.modals import outcomes

AGAIN = "kick_again"
NOTIFICATION_LIMIT = 500

Message = Mapping[str, Any]


def result(kick: Kick) -> Message:
    """Tell how a kick ended: who, whom and what became of each, where, why, how long it took."""
    blocks: list[Block] = [kit.rich(kit.line(*_headline(kick)), *_bullets(kick))]
    if remarks := _remarks(kick):
        blocks.append(kit.context(remarks))
    if kick.state is State.DONE:
        button = kit.button("Kick again", AGAIN, kick.id)
        blocks.append({"type": "actions", "elements": [button]})
    return {
        "text": _notification(texts.summary(kick)),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _headline(kick: Kick) -> list[Element]:
    title = display(kick.meeting.title, 75)
    where = [kit.words(" from "), kit.words(title, bold=True), kit.words(f" · kick #{kick.number}")]
    return [kit.user(kick.requester), kit.words(f" {_deed(kick)}"), *where]


def _deed(kick: Kick) -> str:
    count = texts.people(len(kick.targets))
    if kick.state is not State.DONE:
        return f"asked to remove {count}"
    kicked = sum(target.outcome is Outcome.KICKED for target in kick.targets)
    if not kicked:
        return f"tried to remove {count}"
    return f"removed {count}" if kicked == len(kick.targets) else f"removed {kicked} of {count}"


def _bullets(kick: Kick) -> list[Block]:
    reason = kit.line(kit.words(f"Reason: {display(kick.reason, 1000) if kick.reason else 'none'}"))
    if kick.state is not State.DONE:
        return [reason, kit.line(kit.words(texts.ending(kick)))]
    return [kit.bullets(outcomes(kick)), reason]


def _remarks(kick: Kick) -> str:
    if kick.state is not State.DONE or kick.done_at is None:
        return ""
    took = f"Took {(kick.done_at - kick.created_at).total_seconds():.1f} s."
    kicked = any(target.outcome is Outcome.KICKED for target in kick.targets)
    return " ".join([texts.REJOIN, took] if kicked else [took])


def whisper(text: str) -> Message:
    """Make a note for one person."""
    return {"text": _notification(text), "blocks": [kit.section(text)]}


def _notification(text: str) -> str:
    # Cut before it is escaped, which can make five characters of one.
    return kit.escape(cut(text, NOTIFICATION_LIMIT))
