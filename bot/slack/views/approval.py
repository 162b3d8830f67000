"""The modals of a request, in which a second person approves or denies it."""

from dataclasses import replace
from datetime import datetime

from pydantic import Field

from bot.core.approval_service import ApprovalView
from bot.core.candidates import Candidate
from bot.core.kick import KickId
from bot.core.target import Target
from bot.core.text import display
from bot.slack.payloads import KICK_ID, View, ViewMetadata
from bot.slack.views import blocks, failures, wording
from bot.slack.views.blocks import Block, Element, Modal

# Ids of the two modals, of the button between them, and of the note.
APPROVAL = "approval"
DENIAL = "denial"
DENY = "deny"
NOTE = "note"
NOTE_LIMIT = 500


class ApprovalMetadata(ViewMetadata):
    """What both modals carry: which request, and what was shown of each target."""

    kick: KickId = Field(pattern=KICK_ID)
    seen: tuple[str, ...] = ()


def approval(request: ApprovalView, metadata: ViewMetadata, now: datetime) -> Modal:
    """Return the modal of an open request. Its submit is *Approve*, if this user may approve."""
    kick = request.kick
    is_approver = not request.is_requester
    may_approve = request.verdict.is_allowed and request.error is None
    button = (
        {**blocks.button("Deny", DENY, kick.id), "style": "danger"}
        if is_approver
        else blocks.cancel_button(kick.id)
    )
    changed = "This changed since you looked: read it again."
    return blocks.modal(
        f"Kick #{kick.number}",
        [
            *([blocks.section(changed)] if request.changed else []),
            _request(request, now),
            *_remarks(request),
            blocks.actions(button),
        ],
        callback_id=APPROVAL,
        submit="Approve" if may_approve and is_approver else None,
        metadata=_metadata(metadata, kick.id, request.seen),
    )


def _request(request: ApprovalView, now: datetime) -> Block:
    kick = request.kick
    return blocks.rich_text(
        blocks.headline(kick.requester, *wording.request_deed(kick)),
        blocks.bullets(_people(request, now)),
        blocks.line(blocks.text(wording.reason(kick))),
        blocks.waiting_time(kick.created_at, kick.expires_at),
    )


def _people(request: ApprovalView, now: datetime) -> list[list[Element]]:
    targets = {target.key or "": target for target in request.kick.targets}
    if not request.candidates:
        return [blocks.person(*wording.target_details(one)) for one in targets.values()]
    return [_candidate(one, targets.get(one.requested), now) for one in request.candidates]


def _candidate(candidate: Candidate, target: Target | None, now: datetime) -> list[Element]:
    if target and candidate.person is None:
        candidate = replace(candidate, requested=target.name)
    shown = blocks.person(*wording.candidate(candidate, now))
    before = _changes(candidate, target) if target else ""
    return [*shown, blocks.text(f"\nWas {before} when asked for.")] if before else shown


def _changes(candidate: Candidate, target: Target) -> str:
    """Return a person's name and preset at the time of the request, if they have changed."""
    person = candidate.person
    if person is None or not target.live:
        return ""
    is_renamed = wording.name(person.name) != target.name
    has_other_preset = None not in {person.preset, target.preset} and person.preset != target.preset
    preset = display(target.preset or "", wording.PRESET_LIMIT)
    return " · ".join([target.name] * is_renamed + [preset] * has_other_preset)


def _remarks(request: ApprovalView) -> list[Block]:
    if request.error:
        return [blocks.section(failures.action_failed(request.error))]
    if not request.verdict.is_allowed:
        return [blocks.section(request.verdict.reason)]
    unseen = [blocks.context(wording.NO_SESSION)] if request.session is None else []
    return [blocks.context(wording.REJOIN), *unseen]


def denial(kick: KickId, metadata: ViewMetadata) -> Modal:
    """Return the modal that asks for a note before a request is denied."""
    element = blocks.text_input(NOTE, NOTE_LIMIT, multiline=True)
    hint = "Whoever asked reads it, and so does everybody in the approvals channel."
    return blocks.modal(
        "Deny the request",
        [blocks.input_block(NOTE, "Note", element, hint=hint, optional=True)],
        callback_id=DENIAL,
        close="Back",
        submit="Deny",
        metadata=_metadata(metadata, kick),
    )


def _metadata(metadata: ViewMetadata, kick: KickId, seen: tuple[str, ...] = ()) -> str:
    carried = metadata.model_dump(include={"channel", "response_id"})
    return ApprovalMetadata(**carried, kick=kick, seen=seen).model_dump_json()


def parse_note(view: View) -> str:
    """Return the note of a denial, on one line."""
    return " ".join((view.answer(NOTE).value or "").split())[:NOTE_LIMIT]
