"""The state of a kick, for its requester and its approvers: in a modal, or in a message."""

from bot.core.kick import Kick, State, UserId
from bot.core.target import Outcome
from bot.core.text import display
from bot.slack.payloads import ViewMetadata
from bot.slack.views import blocks, wording
from bot.slack.views.blocks import Block, Message, Modal


def progress(kick: Kick, extra: str = "") -> Modal:
    """Return the modal that shows a kick's state. `extra` is a text at its end."""
    return blocks.modal(
        f"Kick #{kick.number}",
        [*_blocks(kick), *([blocks.context(extra)] if extra else [])],
        callback_id=blocks.TEXT_MODAL,
        metadata=ViewMetadata(channel=kick.channel_id).model_dump_json(),
        # The modal under it was replaced, and shows the same.
        closes_all=True,
    )


def requester_message(kick: Kick) -> Message:
    """Return the message that tells the requester how their kick ended, and why."""
    summary = wording.summary(kick)
    return blocks.message(summary, [blocks.section(summary), *_blocks(kick)])


def _blocks(kick: Kick) -> list[Block]:
    if kick.approver is None:
        return _state(kick)
    if kick.state is State.DENIED:
        return _denied(kick, kick.approver)
    return [*_state(kick), blocks.rich_text(_decision(kick, "Approved by ", kick.approver))]


def _state(kick: Kick) -> list[Block]:
    match kick.state:
        case State.WAITING:
            return _waiting(kick)
        case State.READY | State.RUNNING:
            return _running(kick)
        case State.DONE:
            return _done(kick)
    return [blocks.section(wording.ended_without_call(kick))]


def _waiting(kick: Kick) -> list[Block]:
    where = [blocks.text("In "), blocks.text(wording.name(kick.meeting.title), bold=True)]
    if kick.expires_at:
        where += [blocks.text(", until "), blocks.time_of_day(kick.expires_at)]
    title = f"Kick #{kick.number} waits for a second person"
    return [
        blocks.rich_text(
            blocks.line(blocks.text(title, bold=True)),
            blocks.bullets(blocks.person(wording.name(one.name)) for one in kick.targets),
            blocks.line(*where),
        ),
        blocks.context("You will hear of it either way."),
        blocks.actions(blocks.cancel_button(kick.id)),
    ]


def _running(kick: Kick) -> list[Block]:
    if any(one.called_at or one.outcome for one in kick.targets):
        missing = "Some answers of RealtimeKit are missing. Looking who is still there; up to 20 s…"
        return [blocks.section(missing), _outcomes(kick)]
    people = wording.count_people(len(kick.targets))
    return [blocks.section(f"Removing {people} from {wording.name(kick.meeting.title)}…")]


def _done(kick: Kick) -> list[Block]:
    has_kicked = any(one.outcome is Outcome.KICKED for one in kick.targets)
    rejoin = [blocks.context(wording.REJOIN)] if has_kicked else []
    again = blocks.actions(*blocks.again_buttons(kick.id, has_unknown=True))
    return [_outcomes(kick), *rejoin, *([again] if kick.has_unknown else [])]


def _outcomes(kick: Kick) -> Block:
    people = (blocks.person(*wording.target_outcome(one)) for one in kick.targets)
    return blocks.rich_text(blocks.bullets(people))


def _denied(kick: Kick, approver: UserId) -> list[Block]:
    lines = [_decision(kick, "Denied by ", approver, " Nobody was removed.")]
    if kick.refusal:
        lines.append(blocks.line(blocks.text(f"Note: {display(kick.refusal, 500)}")))
    return [blocks.rich_text(*lines)]


def _decision(kick: Kick, deed: str, approver: UserId, more: str = "") -> Block:
    at = []
    if kick.decided_at:
        at = [blocks.text(" at "), blocks.time_of_day(kick.decided_at)]
    end = [blocks.text("."), *([blocks.text(more)] if more else [])]
    return blocks.line(blocks.text(deed), blocks.user(approver), *at, *end)
