"""The form: asks for meeting, people and reason; what comes back from it is parsed beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.candidates import Selection
from bot.core.kick import TeamId, UserId
from bot.core.policy import MAX_TARGETS, Rules
from bot.core.ports import NotSent, RateLimited, Rejected
from bot.core.review_service import FormContext, KickRequest
from bot.core.roster import MeetingId, ParticipantKey
from bot.slack import blocks as kit
from bot.slack import texts
from bot.slack.blocks import Block, Element
from bot.slack.menus import MEETING, WHO, meeting_line, meeting_question, who_question
from bot.slack.modals import Modal
from bot.slack.payloads import View, ViewMetadata

FORM = "kick_form"

OTHER_MEETING = "other_meeting"
IDS = "ids"
REASON = "reason"
OTHER = "other"

REASON_LIMIT = 500
IDS_LIMIT = 2500


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form already says when it opens; people as options."""

    people: Sequence[Element] = ()
    reason: str = ""
    hint: str = ""


def form(context: ViewMetadata, opening: FormContext, filled: Filled, rules: Rules) -> Modal:
    """Ask for meeting, people and reason."""
    meeting = opening.chosen.meeting.id if opening.chosen else None
    here = context.model_copy(update={"meeting": meeting})
    asked = questions(meeting, filled, rules)
    return _form([*_warnings(opening, filled), *_meeting(opening), *asked], here)


def form_for(context: ViewMetadata, meeting: MeetingId | None, reason: str, rules: Rules) -> Modal:
    """Ask for the people of the meeting just chosen, or for a meeting; what was typed is kept."""
    here = context.model_copy(update={"meeting": meeting})
    return _form([meeting_question(None), *questions(meeting, Filled(reason=reason), rules)], here)


def _form(asked: Sequence[Block], context: ViewMetadata) -> Modal:
    return kit.modal(
        "Kick from a meeting",
        asked,
        callback_id=FORM,
        close="Cancel",
        submit="Review",
        metadata=context.model_dump_json(),
    )


def _warnings(opening: FormContext, filled: Filled) -> list[Block]:
    said = []
    if isinstance(opening.error, Rejected | RateLimited | NotSent):
        said.append(texts.trouble(opening.error))
    elif opening.error:
        said.append(f"{texts.trouble(opening.error)} You can still search a meeting and paste ids.")
    elif not opening.sessions:
        said.append(
            "RealtimeKit lists no live meeting that you may act in. The list can lag: search the"
            " meeting by title or id, and paste the person's id."
        )
    if filled.hint:
        said.append(filled.hint)
    return [kit.section(text) for text in said]


def _meeting(opening: FormContext) -> list[Block]:
    if len(opening.sessions) == 1 and opening.chosen:
        other = kit.button("Another meeting", OTHER_MEETING, "other")
        return [{**kit.section(meeting_line(opening.chosen), other), "block_id": MEETING}]
    return [meeting_question(opening.chosen)]


def questions(meeting: MeetingId | None, filled: Filled, rules: Rules) -> list[Block]:
    """Ask for people, pasted ids and the reason; people belong to one meeting only."""
    pasted = {
        "type": "plain_text_input",
        "action_id": IDS,
        "multiline": True,
        "max_length": IDS_LIMIT,
    }
    more = "For people the list does not show: one id per line, participant id or your app's own."
    return [
        who_question(meeting, filled.people),
        kit.input_block(IDS, "By id", pasted, hint=more, optional=True),
        *_reason(filled.reason, rules),
    ]


def _reason(reason: str, rules: Rules) -> list[Block]:
    optional = not rules.reason_required
    text: Element = {"type": "plain_text_input", "action_id": REASON, "max_length": REASON_LIMIT}
    if reason:
        text["initial_value"] = kit.whole(reason)[:REASON_LIMIT]
    hint = "Everybody in this channel will see it."
    if not rules.reasons:
        return [kit.input_block(REASON, "Reason", text, hint=hint, optional=optional)]
    options = [kit.option(one, f"{at}") for at, one in enumerate(rules.reasons)]
    options.append(kit.option("Other", OTHER))
    radio: Element = {"type": "radio_buttons", "action_id": "reasons", "options": options}
    if reason:
        radio["initial_option"] = options[-1]
    return [
        kit.input_block("reasons", "Reason", radio, hint=hint, optional=optional),
        kit.input_block(REASON, "Other reason, or more about it", text, optional=True),
    ]


def parse_form(
    view: View, context: ViewMetadata, user: UserId, team: TeamId, rules: Rules
) -> KickRequest | dict[str, str]:
    """Read the form: a choice, or what is wrong by block."""
    meeting = view.answer(MEETING).selected_option
    chosen = MeetingId(meeting.value) if meeting else context.meeting
    if chosen is None:
        return {f"{MEETING}_question": "Choose a meeting."}
    people = tuple(
        dict.fromkeys(ParticipantKey(one.value) for one in view.answer(WHO).selected_options)
    )
    pasted = _ids(view.answer(IDS).value or "")
    reason = _reason_of(view, rules)
    errors = _errors(_block_of(view, WHO), people, pasted, reason, rules)
    if errors:
        return errors
    return KickRequest(user, team, context.channel, chosen, Selection(people, pasted), reason)


def _ids(text: str) -> tuple[str, ...]:
    lines = text.replace(",", "\n").replace(";", "\n").splitlines()
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _block_of(view: View, action_id: str) -> str:
    blocks = (name for name, block in view.state.values.items() if action_id in block)
    return next(blocks, action_id)


def _reason_of(view: View, rules: Rules) -> str:
    typed = " ".join((view.answer(REASON).value or "").split())
    chosen = view.answer("reasons").selected_option
    offered = {f"{at}": one for at, one in enumerate(rules.reasons)}
    ready = offered.get(chosen.value, "") if chosen else ""
    return ": ".join(filter(None, [ready, typed]))


def _errors(
    who: str, people: Sequence[ParticipantKey], pasted: Sequence[str], reason: str, rules: Rules
) -> dict[str, str]:
    if not people and not pasted:
        return {who: "Choose at least one person, or paste an id below."}
    if len(people) + len(pasted) > MAX_TARGETS:
        return {IDS if pasted else who: f"At most {MAX_TARGETS} people at once."}
    if len(reason) > REASON_LIMIT:
        return {REASON: f"At most {REASON_LIMIT} characters; this has {len(reason)}."}
    if rules.reason_required and not reason:
        return {REASON: "The policy wants a reason."}
    return {}
