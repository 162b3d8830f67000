"""The card in the approvals channel. It asks for a decision, and then shows it."""

from collections.abc import Sequence

from bot.core.kick import Kick, State
from bot.core.text import display
from bot.slack.views import blocks, wording
from bot.slack.views.blocks import Block, Element, Message

# Stored in messages of earlier versions: the value must stay.
REVIEW_REQUEST = "review_request"


def card(kick: Kick, ping: Sequence[str] = ()) -> Message:
    """Return the card. While the kick waits, its one button opens the request.

    `ping` are the ids of user groups to mention.
    """
    if kick.state is State.WAITING:
        button = blocks.button("Review", REVIEW_REQUEST, kick.id)
        return blocks.message(_question(kick), [_request(kick, ping), blocks.actions(button)])
    decision = blocks.rich_text(blocks.line(*_decision(kick)))
    return blocks.message(wording.summary(kick), [_request(kick, ()), decision])


def _question(kick: Kick) -> str:
    people, title = wording.count_people(len(kick.targets)), wording.name(kick.meeting.title)
    return f"Kick #{kick.number}: may {people} be removed from {title}?"


def _request(kick: Kick, ping: Sequence[str]) -> Block:
    is_done = kick.state is State.DONE
    lines = [
        blocks.headline(kick.requester, *wording.request_deed(kick)),
        blocks.bullets(
            blocks.person(
                *(wording.target_outcome(one) if is_done else wording.target_details(one))
            )
            for one in kick.targets
        ),
        blocks.line(blocks.text(wording.reason(kick))),
    ]
    if kick.state is State.WAITING:
        lines.append(blocks.waiting_time(kick.created_at, kick.expires_at))
    if ping:
        lines.append(blocks.line(*({"type": "usergroup", "usergroup_id": one} for one in ping)))
    return blocks.rich_text(*lines)


def _decision(kick: Kick) -> list[Element]:
    """Return who decided the request, and how it ended."""
    text, user = blocks.text, blocks.user
    if kick.state is State.CANCELLED:
        return [text("Taken back by "), user(kick.requester), text(". Nobody went.")]
    if kick.approver is None:
        return [text("Nobody decided in time. Nobody was removed.")]
    if kick.state is State.DENIED:
        note = f": {display(kick.refusal, 500)}" if kick.refusal else "."
        return [text("✗ Denied by "), user(kick.approver), text(note)]
    return [text("✓ Approved by "), user(kick.approver), text(_after_approval(kick))]


def _after_approval(kick: Kick) -> str:
    if kick.state is State.DONE:
        return ". How it went is above."
    is_running = kick.state in {State.READY, State.RUNNING}
    return ". Removing…" if is_running else f". {wording.ended_without_call(kick)}"
