"""The card in the approvals channel: what a second person is asked, and what came of it."""

from collections.abc import Sequence

from bot.core.kick import Kick, State, UserId
from bot.core.target import Target
from bot.core.text import display
from bot.slack import blocks as kit
from bot.slack import messages, progress, texts
from bot.slack.blocks import Block, Element
from bot.slack.messages import Message

TAIL = 6  # characters of an id that tell it from others of the same name


def card(kick: Kick, ping: Sequence[str] = ()) -> Message:
    """Ask for a decision while the kick waits for one; afterwards say how it went.

    `ping` are user groups to mention. The one button carries the kick's id and nothing else.
    """
    text = f"{texts.summary(kick)}" if kick.state is not State.WAITING else _question(kick)
    return messages.post(text, [kit.rich(*_asked(kick, ping)), *_rest(kick)])


def _question(kick: Kick) -> str:
    where = display(kick.meeting.title, 75)
    return f"Kick #{kick.number}: may {texts.people(len(kick.targets))} be removed from {where}?"


def _asked(kick: Kick, ping: Sequence[str]) -> list[Block]:
    has_run = kick.state is State.DONE
    people = progress.outcomes(kick) if has_run else [named(one) for one in kick.targets]
    told = [headline(kick), kit.bullets(people), messages.reason(kick)]
    if kick.state is not State.WAITING:
        return told
    told.append(times(kick))
    if ping:
        told.append(kit.line(*(_mention(group) for group in ping)))
    return told


def headline(kick: Kick) -> Block:
    """Say who asks to remove how many from where."""
    again = f", again after #{kick.repeats}" if kick.repeats else ""
    return kit.line(
        kit.user(kick.requester),
        kit.words(f" asks to remove {texts.people(len(kick.targets))} from "),
        kit.words(display(kick.meeting.title, 75), bold=True),
        kit.words(f" · kick #{kick.number}{again}"),
    )


def named(target: Target) -> list[Element]:
    """Name a target as it was when asked for."""
    preset = display(target.preset, 28) if target.preset else "preset unknown"
    tail = display((target.participant_id or target.custom_id or "?")[-TAIL:], TAIL)
    name = kit.words(display(target.name, 75), bold=True)
    told = [name, kit.words(f" · {preset} · id …{tail}")]
    if not target.protection_checked:
        told.append(kit.words(" · protection not checked"))
    return told


def times(kick: Kick) -> Block:
    """Say since when a request waits, and until when."""
    until = [kit.words(", until "), kit.moment(kick.expires_at)] if kick.expires_at else []
    return kit.line(kit.words("Waits since "), kit.moment(kick.created_at), *until)


def _mention(group: str) -> Element:
    return {"type": "usergroup", "usergroup_id": group}


def _rest(kick: Kick) -> list[Block]:
    if kick.state is State.WAITING:
        button = kit.button("Review", messages.REVIEW_REQUEST, kick.id)
        return [{"type": "actions", "elements": [button]}]
    return [kit.rich(kit.line(*_decision(kick)))]


def _decision(kick: Kick) -> list[Element]:
    """Say what came of the request, and by whom."""
    if kick.state is State.CANCELLED:
        return [kit.words("Taken back by "), kit.user(kick.requester), kit.words(". Nobody went.")]
    if kick.state is State.DENIED and kick.approver:
        note = f": {display(kick.refusal, 500)}" if kick.refusal else ""
        return [kit.words("✗ Denied by "), kit.user(kick.approver), kit.words(note or ".")]
    if kick.approver is None:
        return [kit.words("Nobody decided in time. Nobody was removed.")]
    return [*_approved(kick.approver), kit.words(_since(kick))]


def _approved(approver: UserId) -> list[Element]:
    return [kit.words("✓ Approved by "), kit.user(approver)]


def _since(kick: Kick) -> str:
    if kick.state is State.DONE:
        return ". How it went is above."
    on_its_way = kick.state in {State.READY, State.RUNNING}
    return ". Removing…" if on_its_way else f". {texts.ending(kick)}"
