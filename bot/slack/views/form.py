"""The form: asks for a meeting, people and a reason. Its menus search while the user types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from bot.core.kick import TeamId, UserId
from bot.core.namesakes import Namesakes
from bot.core.policy import MAX_TARGETS, Rules
from bot.core.ports import NotSent, RateLimited, Rejected
from bot.core.review_service import FormContext, KickRequest, SearchResult
from bot.core.roster import Meeting, MeetingId, Participant, ParticipantKey, Session
from bot.core.selection import Selection
from bot.core.text import display, normalize_name
from bot.slack.payloads import View, ViewMetadata
from bot.slack.views import blocks, failures
from bot.slack.views.blocks import Block, Element, Modal
from bot.slack.views.wording import person_details

# Ids of the form, its questions and its actions.
FORM = "kick_form"
MEETING = "meeting"
OTHER_MEETING = "other_meeting"
WHO = "who"
IDS = "ids"
REASON = "reason"
REASONS = "reasons"
OTHER_REASON = "other"

REASON_LIMIT = 500
IDS_LIMIT = 2500
OPTION_VALUE_LIMIT = 150
# A title, the end of an id and the state fit into an option.
TITLE_LIMIT = 42
SUFFIX_LIMIT = 10
NOT_LIVE = "not seen live"
NO_LIVE_MEETING = (
    "RealtimeKit lists no live meeting that you may act in. The list can lag: search the"
    " meeting by title or id, and paste the person's id."
)


@dataclass(frozen=True, slots=True)
class FormPrefill:
    """The initial values of the form. `people` are options of its menu."""

    people: Sequence[Element] = ()
    reason: str = ""
    hint: str = ""


def form(metadata: ViewMetadata, opening: FormContext, prefill: FormPrefill, rules: Rules) -> Modal:
    """Return the form as it opens."""
    meeting = opening.chosen.meeting.id if opening.chosen else None
    shown = [blocks.section(text) for text in _warnings(opening, prefill)]
    shown.append(_chosen_meeting(opening))
    return _form(shown, metadata, meeting, prefill, rules)


def form_for_meeting(
    metadata: ViewMetadata, meeting: MeetingId | None, reason: str, rules: Rules
) -> Modal:
    """Return the form for another meeting (None: to be chosen). The typed reason stays."""
    return _form([_meeting_question(None)], metadata, meeting, FormPrefill(reason=reason), rules)


def _form(
    shown: Sequence[Block],
    metadata: ViewMetadata,
    meeting: MeetingId | None,
    prefill: FormPrefill,
    rules: Rules,
) -> Modal:
    return blocks.modal(
        "Kick from a meeting",
        [*shown, _who_question(meeting, prefill.people), _ids_question(), *_reason(prefill, rules)],
        callback_id=FORM,
        close="Cancel",
        submit="Review",
        metadata=metadata.model_copy(update={"meeting": meeting}).model_dump_json(),
    )


def _warnings(opening: FormContext, prefill: FormPrefill) -> list[str]:
    warnings = [prefill.hint] if prefill.hint else []
    if isinstance(opening.error, Rejected | RateLimited | NotSent):
        return [failures.action_failed(opening.error), *warnings]
    if opening.error:
        text = failures.action_failed(opening.error)
        return [f"{text} You can still search a meeting and paste ids.", *warnings]
    return warnings if opening.sessions else [NO_LIVE_MEETING, *warnings]


# Questions


def _chosen_meeting(opening: FormContext) -> Block:
    if len(opening.sessions) == 1 and opening.chosen:
        other = blocks.button("Another meeting", OTHER_MEETING, "other")
        line = _meeting_lines(opening.sessions, ())[opening.chosen.meeting.id]
        return {**blocks.section(line, other), "block_id": MEETING}
    return _meeting_question(opening.chosen, opening.sessions)


def _meeting_question(chosen: Session | None, sessions: Sequence[Session] = ()) -> Block:
    element = blocks.search_menu("external_select", MEETING, "Type a title or an id")
    if chosen:
        [element["initial_option"]] = [
            one
            for one in _options(_meeting_lines(sessions, ()))
            if one["value"] == chosen.meeting.id
        ]
    question = blocks.input_block(f"{MEETING}_question", "Meeting", element)
    return {**question, "dispatch_action": True}


def _who_question(meeting: MeetingId | None, chosen: Sequence[Element]) -> Block:
    element = blocks.search_menu("multi_external_select", WHO, "Type a name or an id")
    element["max_selected_items"] = MAX_TARGETS
    if chosen:
        element["initial_options"] = list(chosen)
    hint = "Newest first. Nobody is removed before you press Kick on the next screen."
    # With another block_id, Slack forgets the people of the meeting chosen before.
    block_id = f"{WHO}_{sha256((meeting or '').encode()).hexdigest()[:12]}"
    return blocks.input_block(block_id, "Who", element, hint=hint, optional=True)


def _ids_question() -> Block:
    element = blocks.text_input(IDS, IDS_LIMIT, multiline=True)
    hint = "For people the list does not show: one id per line, participant id or your app's own."
    return blocks.input_block(IDS, "By id", element, hint=hint, optional=True)


def _reason(prefill: FormPrefill, rules: Rules) -> list[Block]:
    optional = not rules.reason_required
    text = blocks.text_input(REASON, REASON_LIMIT)
    if prefill.reason:
        text["initial_value"] = blocks.valid_unicode(prefill.reason)[:REASON_LIMIT]
    hint = "Everybody in this channel will see it."
    if not rules.reasons:
        return [blocks.input_block(REASON, "Reason", text, hint=hint, optional=optional)]
    options = [blocks.option(one, f"{at}") for at, one in enumerate(rules.reasons)]
    options.append(blocks.option("Other", OTHER_REASON))
    radio: Element = {"type": "radio_buttons", "action_id": REASONS, "options": options}
    if prefill.reason:
        radio["initial_option"] = options[-1]
    return [
        blocks.input_block(REASONS, "Reason", radio, hint=hint, optional=optional),
        blocks.input_block(REASON, "Other reason, or more about it", text, optional=True),
    ]


# Options of the menus


def meeting_options(sessions: Sequence[Session], meetings: Sequence[Meeting]) -> dict[str, Any]:
    """Return live meetings, then the others, in the shape of an answer to Slack."""
    sessions, meetings = sessions[: blocks.MAX_OPTIONS], meetings[: blocks.MAX_OPTIONS]
    lines = _meeting_lines(sessions, meetings)
    live = _options({one.meeting.id: lines[one.meeting.id] for one in sessions})
    others = _options({one.id: lines[one.id] for one in meetings})
    groups = [("Live", live), ("Not seen live", others)]
    made = [{"label": blocks.plain_text(name), "options": some} for name, some in groups if some]
    return {"option_groups": made} if made else {"options": []}


def people_options(found: SearchResult, now: datetime) -> list[Element]:
    """Return people as options. The details differ for people of the same name."""
    roster = found.roster
    made = (
        person_option(one, now, roster.id_suffix(one) if roster else "") for one in found.people
    )
    return [one for one in made if one][: blocks.MAX_OPTIONS]


def person_option(person: Participant, now: datetime, id_suffix: str = "") -> Element | None:
    """Return a person as an option; None if their id is too long for one."""
    if person.key is None or len(person.key) > OPTION_VALUE_LIMIT:
        return None
    return blocks.option(person.name, person.key, person_details(person, now, id_suffix))


def _options(lines: Mapping[MeetingId, str]) -> list[Element]:
    return [blocks.option(line, meeting) for meeting, line in lines.items()]


def _meeting_lines(
    sessions: Sequence[Session], meetings: Sequence[Meeting]
) -> dict[MeetingId, str]:
    """Return a line for each meeting, all different.

    Its end says whether the meeting is live. If the titles of two look the same, each line also has
    the end of the id. A title can't imitate either: it comes first.
    """
    states = {one.id: (one, NOT_LIVE) for one in meetings}
    states |= {
        one.meeting.id: (one.meeting, "live" if one.people is None else f"{one.people} live")
        for one in sessions
    }
    shown = {one: display(meeting.title, TITLE_LIMIT) for one, (meeting, _) in states.items()}
    names = {one: normalize_name(title) for one, title in shown.items()}
    alike = Namesakes((name, one) for one, name in names.items())
    if len(set(names.values())) < len(names):
        suffixes = {one: display(alike.suffix(names[one], one), SUFFIX_LIMIT) for one in names}
        shown = {one: f"{title} · id …{suffixes[one]}" for one, title in shown.items()}
    return {one: f"{shown[one]} · {state}" for one, (_, state) in states.items()}


# What comes back


def parse_form(
    view: View, metadata: ViewMetadata, user: UserId, team: TeamId, rules: Rules
) -> KickRequest | dict[str, str]:
    """Return the request, or the errors by block id."""
    option = view.answer(MEETING).selected_option
    meeting = MeetingId(option.value) if option else metadata.meeting
    if meeting is None:
        return {f"{MEETING}_question": "Choose a meeting."}
    people = tuple(
        dict.fromkeys(ParticipantKey(one.value) for one in view.answer(WHO).selected_options)
    )
    selection = Selection(people, _parse_ids(view.answer(IDS).value or ""))
    reason = _parse_reason(view, rules)
    errors = _errors(view.block_of(WHO), selection, reason, rules)
    return errors or KickRequest(user, team, metadata.channel, meeting, selection, reason)


def _parse_ids(text: str) -> tuple[str, ...]:
    lines = text.replace(",", "\n").replace(";", "\n").splitlines()
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _parse_reason(view: View, rules: Rules) -> str:
    typed = " ".join((view.answer(REASON).value or "").split())
    chosen = view.answer(REASONS).selected_option
    presets = {f"{at}": one for at, one in enumerate(rules.reasons)}
    preset = presets.get(chosen.value, "") if chosen else ""
    return ": ".join(filter(None, [preset, typed]))


def _errors(who_block: str, selection: Selection, reason: str, rules: Rules) -> dict[str, str]:
    people, pasted = selection.people, selection.pasted
    if not people and not pasted:
        return {who_block: "Choose at least one person, or paste an id below."}
    if len(people) + len(pasted) > MAX_TARGETS:
        return {IDS if pasted else who_block: f"At most {MAX_TARGETS} people at once."}
    if len(reason) > REASON_LIMIT:
        return {REASON: f"At most {REASON_LIMIT} characters; this has {len(reason)}."}
    if rules.reason_required and not reason:
        return {REASON: "The policy wants a reason."}
    return {}
