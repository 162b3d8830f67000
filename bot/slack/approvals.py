"""The views of a request: what a second person is shown; what comes back is parsed beside it."""

from dataclasses import replace
from datetime import datetime

from pydantic import Field, ValidationError

from bot.core.approval_service import ApprovalView, Participation
from bot.core.candidates import Candidate
from bot.core.kick import KickId
from bot.core.target import Target
from bot.core.text import display
from bot.slack import blocks as kit
from bot.slack import cards, messages, progress, texts
from bot.slack.blocks import Block, Element
from bot.slack.modals import Modal
from bot.slack.payloads import KICK_ID, View, ViewMetadata
from bot.slack.reviews import told

APPROVAL = "approval"
DENIAL = "denial"
DENY = "deny"
NOTE = "note"
NOTE_LIMIT = 500


class Asked(ViewMetadata):
    """What the views of a request carry: which one, and what was shown of its targets."""

    kick: KickId = Field(pattern=KICK_ID)
    seen: tuple[str, ...] = ()


def _asked(context: ViewMetadata, kick: KickId, seen: tuple[str, ...] = ()) -> Asked:
    return Asked(channel=context.channel, origin=context.origin, kick=kick, seen=seen)


def hearing(heard: ApprovalView, context: ViewMetadata, now: datetime) -> Modal:
    """Show an open request, as it is now; its submit is *Approve* if this person may."""
    kick, may = heard.kick, heard.verdict.is_allowed and heard.error is None
    asked = _asked(context, kick.id, heard.seen)
    return kit.modal(
        f"Kick #{kick.number}",
        [*_changed(heard), kit.rich(*_request(heard, now)), *_remarks(heard), _buttons(heard)],
        callback_id=APPROVAL,
        submit="Approve" if may and heard.participation is Participation.APPROVER else None,
        metadata=asked.model_dump_json(),
    )


def _changed(heard: ApprovalView) -> list[Block]:
    return [kit.section("This changed since you looked: read it again.")] if heard.changed else []


def _request(heard: ApprovalView, now: datetime) -> list[Block]:
    kick = heard.kick
    people = kit.bullets(_people(heard, now))
    return [cards.headline(kick), people, messages.reason(kick), cards.times(kick)]


def _people(heard: ApprovalView, now: datetime) -> list[list[Element]]:
    if not heard.candidates:
        return [cards.named(target) for target in heard.kick.targets]
    asked_for = {target.key or "": target for target in heard.kick.targets}
    return [_as_now(line, asked_for.get(line.requested), now) for line in heard.candidates]


def _as_now(line: Candidate, asked_for: Target | None, now: datetime) -> list[Element]:
    if asked_for is None:
        return told(line, now)
    if line.person is None:
        return told(replace(line, requested=asked_for.name), now)
    about = told(line, now)
    if was := _was(line, asked_for):
        about.append(kit.words(f"\nWas {was} when asked for."))
    return about


def _was(line: Candidate, asked_for: Target) -> str:
    """Say what a person was when they were asked for, where that is not what they are now."""
    person = line.person
    if person is None or not asked_for.live:
        return ""
    name = asked_for.name if display(person.name, 75) != asked_for.name else ""
    is_other = None not in {person.preset, asked_for.preset} and person.preset != asked_for.preset
    preset = display(asked_for.preset or "", 28) if is_other else ""
    return " · ".join(filter(None, [name, preset]))


def _remarks(heard: ApprovalView) -> list[Block]:
    if heard.error:
        return [kit.section(texts.trouble(heard.error))]
    if not heard.verdict.is_allowed:
        return [kit.section(heard.verdict.reason)]
    unseen = [kit.context(texts.NO_SESSION)] if heard.session is None else []
    return [kit.context(texts.REJOIN), *unseen]


def _buttons(heard: ApprovalView) -> Block:
    kick = heard.kick
    deny = {**kit.button("Deny", DENY, kick.id), "style": "danger"}
    button = deny if heard.participation is Participation.APPROVER else progress.cancel_button(kick)
    return {"type": "actions", "elements": [button]}


def denial(kick: KickId, context: ViewMetadata) -> Modal:
    """Ask for a last tap before a request is denied, and for a word why."""
    asked = _asked(context, kick)
    text = {
        "type": "plain_text_input",
        "action_id": NOTE,
        "multiline": True,
        "max_length": NOTE_LIMIT,
    }
    hint = "Whoever asked reads it, and so does everybody in the approvals channel."
    return kit.modal(
        "Deny the request",
        [kit.input_block(NOTE, "Note", text, hint=hint, optional=True)],
        callback_id=DENIAL,
        close="Back",
        submit="Deny",
        metadata=asked.model_dump_json(),
    )


def parse_asked(view: View) -> Asked | None:
    """Read which request a view was about; None for one that this version did not make."""
    try:
        return Asked.model_validate_json(view.private_metadata)
    except ValidationError:
        return None


def parse_note(view: View) -> str:
    """Read the note of a denial."""
    return " ".join((view.answer(NOTE).value or "").split())[:NOTE_LIMIT]
