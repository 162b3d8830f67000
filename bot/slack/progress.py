"""The view that tells how a kick stands: waiting, on its way, in doubt, and how it ended."""

from bot.core.kick import Kick, State, UserId
from bot.core.target import Outcome
from bot.core.text import display
from bot.slack import blocks as kit
from bot.slack import texts
from bot.slack.blocks import Block, Element
from bot.slack.modals import NOTE, Modal
from bot.slack.payloads import ViewMetadata

CANCEL = "cancel_request"


def view(kick: Kick, remark: str = "") -> Modal:
    """Show how a kick stands; `remark` is what else is to be known about it."""
    shown = [*_told(kick), *_approved(kick)]
    shown += [kit.context(remark)] if remark else []
    here = ViewMetadata(channel=kick.channel_id).model_dump_json()
    # What lies under it is the form that was sent, covered with the same words.
    return kit.modal(
        f"Kick #{kick.number}", shown, callback_id=NOTE, metadata=here, closes_all=True
    )


def _told(kick: Kick) -> list[Block]:
    match kick.state:
        case State.WAITING:
            return _waiting(kick)
        case State.READY | State.RUNNING:
            return _going(kick)
        case State.DONE:
            return _done(kick)
        case State.DENIED if kick.approver:
            return _denied(kick, kick.approver)
    return [kit.section(texts.ending(kick))]


def _waiting(kick: Kick) -> list[Block]:
    where = [kit.words("In "), kit.words(display(kick.meeting.title, 75), bold=True)]
    until = [kit.words(", until "), kit.moment(kick.expires_at)] if kick.expires_at else []
    return [
        kit.rich(
            kit.line(kit.words(f"Kick #{kick.number} waits for a second person", bold=True)),
            kit.bullets([kit.words(display(one.name, 75), bold=True)] for one in kick.targets),
            kit.line(*where, *until),
        ),
        kit.context("You will hear of it either way."),
        {"type": "actions", "elements": [cancel_button(kick)]},
    ]


def cancel_button(kick: Kick) -> Element:
    """Offer to take a request back."""
    return {
        **kit.button("Cancel request", CANCEL, kick.id),
        "style": "danger",
        "confirm": {
            "title": kit.plain("Cancel request"),
            "text": kit.plain("Nobody will be removed by it."),
            "confirm": kit.plain("Cancel request"),
            "deny": kit.plain("Keep it"),
        },
    }


def _going(kick: Kick) -> list[Block]:
    if any(one.called_at or one.outcome for one in kick.targets):
        return [
            kit.section(
                "Some answers of RealtimeKit are missing. Looking who is still there; up to 20 s…"
            ),
            kit.rich(kit.bullets(outcomes(kick))),
        ]
    what = texts.people(len(kick.targets))
    return [kit.section(f"Removing {what} from {display(kick.meeting.title, 75)}…")]


def _done(kick: Kick) -> list[Block]:
    rejoin = any(one.outcome is Outcome.KICKED for one in kick.targets)
    return [
        kit.rich(kit.bullets(outcomes(kick))),
        *([kit.context(texts.REJOIN)] if rejoin else []),
    ]


def _denied(kick: Kick, by: UserId) -> list[Block]:
    told = [*_decided(kick, "Denied by ", by), kit.words(" Nobody was removed.")]
    note = [kit.line(kit.words(f"Note: {display(kick.refusal, 500)}"))] if kick.refusal else []
    return [kit.rich(kit.line(*told), *note)]


def _approved(kick: Kick) -> list[Block]:
    if kick.approver is None or kick.state is State.DENIED:
        return []
    return [kit.rich(kit.line(*_decided(kick, "Approved by ", kick.approver)))]


def _decided(kick: Kick, deed: str, by: UserId) -> list[Element]:
    at = [kit.words(" at "), kit.moment(kick.decided_at)] if kick.decided_at else []
    return [kit.words(deed), kit.user(by), *at, kit.words(".")]


def outcomes(kick: Kick) -> list[list[Element]]:
    """Say per person what became of them."""
    told = []
    for target in kick.targets:
        why = texts.because(target)
        said = [kit.words(display(target.name, 75), bold=True)]
        said.append(kit.words(f" — {texts.outcome(target)}{f': {why}' if why else ''}"))
        if target.rejoined_at:
            said += [kit.words(", came back "), kit.moment(target.rejoined_at)]
        told.append(said)
    return told
