"""The views: each is built here, and what comes back from it is parsed beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from bot.core.flow import NOBODY_TO_ASK
from bot.core.identify import Asked, Line, Mark
from bot.core.kick import Kick, Outcome, State, TeamId, UserId
from bot.core.policy import MAX_TARGETS_AT_ONCE, Answer, Rules
from bot.core.ports import Busy, Refused, Unreachable
from bot.core.review import Choice, Found, Opening, Review
from bot.core.roster import Key, Meeting, MeetingId, Participant, Session, display
from bot.slack import blocks as kit
from bot.slack import texts
from bot.slack.blocks import Block, Element
from bot.slack.payloads import Context, View

FORM = "kick_form"
REVIEW = "kick_review"
NOTE = "kick_note"

MEETING = "meeting"
OTHER_MEETING = "other_meeting"
WHO = "who"
IDS = "ids"
REASON = "reason"
OTHER = "other"

REASON_LIMIT = 500
IDS_LIMIT = 2500
VALUE_LIMIT = 150

Modal = dict[str, Any]


def note(title: str, text: str, *, external_id: str | None = None, metadata: str = "") -> Modal:
    """Show a text: loading, refused, or broken; there is nothing to press in it but Close."""
    return kit.modal(
        title,
        [kit.section(text)],
        callback_id=NOTE,
        external_id=external_id,
        metadata=metadata,
    )


@dataclass(frozen=True, slots=True)
class Filled:
    """What the form already says when it opens; people as options."""

    people: Sequence[Element] = ()
    reason: str = ""
    hint: str = ""


def form(context: Context, opening: Opening, filled: Filled, rules: Rules) -> Modal:
    """Ask for meeting, people and reason."""
    meeting = opening.chosen.meeting.id if opening.chosen else None
    here = context.model_copy(update={"meeting": meeting})
    asked = questions(meeting, filled, rules)
    return _form([*_warnings(opening, filled), *_meeting(opening), *asked], here)


def form_for(context: Context, meeting: MeetingId | None, reason: str, rules: Rules) -> Modal:
    """Ask for the people of the meeting just chosen, or for a meeting; what was typed is kept."""
    here = context.model_copy(update={"meeting": meeting})
    return _form([meeting_question(None), *questions(meeting, Filled(reason=reason), rules)], here)


def _form(asked: Sequence[Block], context: Context) -> Modal:
    return kit.modal(
        "Kick from a meeting",
        asked,
        callback_id=FORM,
        close="Cancel",
        submit="Review",
        metadata=context.model_dump_json(),
    )


def _warnings(opening: Opening, filled: Filled) -> list[Block]:
    said = []
    if isinstance(opening.trouble, Refused | Busy | Unreachable):
        said.append(texts.trouble(opening.trouble))
    elif opening.trouble:
        said.append(
            f"{texts.trouble(opening.trouble)} You can still search a meeting and paste ids."
        )
    elif not opening.sessions:
        said.append(
            "RealtimeKit lists no live meeting that you may act in. The list can lag: search the"
            " meeting by title or id, and paste the person's id."
        )
    if filled.hint:
        said.append(filled.hint)
    return [kit.section(text) for text in said]


def _meeting(opening: Opening) -> list[Block]:
    if len(opening.sessions) == 1 and opening.chosen:
        other = kit.button("Another meeting", OTHER_MEETING, "other")
        return [{**kit.section(meeting_line(opening.chosen), other), "block_id": MEETING}]
    return [meeting_question(opening.chosen)]


def meeting_question(chosen: Session | None) -> Block:
    """Ask for the meeting; choosing one redraws the form for its people."""
    element: Element = {
        "type": "external_select",
        "action_id": MEETING,
        "placeholder": kit.plain("Type a title or an id"),
        "min_query_length": 0,
    }
    if chosen:
        element["initial_option"] = meeting_option(chosen)
    asked = kit.input_block(f"{MEETING}_question", "Meeting", element)
    return {**asked, "dispatch_action": True}


def questions(meeting: MeetingId | None, filled: Filled, rules: Rules) -> list[Block]:
    """Ask for people, pasted ids and the reason; people belong to one meeting only."""
    who: Element = {
        "type": "multi_external_select",
        "action_id": WHO,
        "placeholder": kit.plain("Type a name or an id"),
        "min_query_length": 0,
        "max_selected_items": MAX_TARGETS_AT_ONCE,
    }
    if filled.people:
        who["initial_options"] = list(filled.people)
    pasted = {
        "type": "plain_text_input",
        "action_id": IDS,
        "multiline": True,
        "max_length": IDS_LIMIT,
    }
    hint = "Newest first. Nobody is removed before you press Kick on the next screen."
    more = "For people the list does not show: one id per line, participant id or your app's own."
    return [
        kit.input_block(_who_block(meeting), "Who", who, hint=hint, optional=True),
        kit.input_block(IDS, "By id", pasted, hint=more, optional=True),
        *_reason(filled.reason, rules),
    ]


def _who_block(meeting: MeetingId | None) -> str:
    # Another block_id per meeting: Slack then forgets the people of the one chosen before.
    return f"{WHO}_{sha256((meeting or '').encode()).hexdigest()[:12]}"


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


def meeting_line(session: Session) -> str:
    """Name a live meeting, with how many people the service counts."""
    title = display(session.meeting.title, 60)
    return f"{title} · {session.people} live" if session.people is not None else f"{title} · live"


def meeting_option(session: Session) -> Element:
    """Offer a live meeting."""
    return kit.option(meeting_line(session), session.meeting.id)


def meeting_options(sessions: Sequence[Session], meetings: Sequence[Meeting]) -> dict[str, Any]:
    """Offer live meetings, then those not seen live; nothing matching is an empty list."""
    live = [meeting_option(one) for one in sessions][: kit.OPTIONS_LIMIT]
    others = [kit.option(one.title, one.id) for one in meetings][: kit.OPTIONS_LIMIT]
    groups = [("Live", live), ("Not seen live", others)]
    made = [{"label": kit.plain(name), "options": some} for name, some in groups if some]
    return {"option_groups": made} if made else {"options": []}


def people_options(found: Found, now: datetime) -> list[Element]:
    """Offer people, each told apart from those of the same name."""
    roster = found.roster
    made = (
        person_option(one, now, roster.namesakes(one) if roster else ()) for one in found.people
    )
    return [one for one in made if one][: kit.OPTIONS_LIMIT]


def person_option(
    person: Participant, now: datetime, namesakes: Sequence[Participant] = ()
) -> Element | None:
    """Offer a person; None where their id does not fit into an option."""
    if person.key is None or len(person.key) > VALUE_LIMIT:
        return None
    return kit.option(person.name, person.key, texts.details(person, now, namesakes))


def parse_form(
    view: View, context: Context, user: UserId, team: TeamId, rules: Rules
) -> Choice | dict[str, str]:
    """Read the form: a choice, or what is wrong by block."""
    meeting = view.answer(MEETING).selected_option
    chosen = MeetingId(meeting.value) if meeting else context.meeting
    if chosen is None:
        return {f"{MEETING}_question": "Choose a meeting."}
    people = tuple(dict.fromkeys(Key(one.value) for one in view.answer(WHO).selected_options))
    pasted = _ids(view.answer(IDS).value or "")
    reason = _reason_of(view, rules)
    errors = _errors(_block_of(view, WHO), people, pasted, reason, rules)
    if errors:
        return errors
    return Choice(user, team, context.channel, chosen, Asked(people, pasted), reason)


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
    who: str, people: Sequence[Key], pasted: Sequence[str], reason: str, rules: Rules
) -> dict[str, str]:
    if not people and not pasted:
        return {who: "Choose at least one person, or paste an id below."}
    if len(people) + len(pasted) > MAX_TARGETS_AT_ONCE:
        return {IDS if pasted else who: f"At most {MAX_TARGETS_AT_ONCE} people at once."}
    if len(reason) > REASON_LIMIT:
        return {REASON: f"At most {REASON_LIMIT} characters; this has {len(reason)}."}
    if rules.reason_required and not reason:
        return {REASON: "The policy wants a reason."}
    return {}


def review(drawn: Review, context: Context, now: datetime, *, back: bool) -> Modal:
    """Show who would be removed and who not; its submit is *Kick* if the policy allows it."""
    going = [line for line in drawn.lines if line.target]
    staying = [line for line in drawn.lines if not line.target]
    shown: list[Block] = []
    if going:
        title = f"{texts.people(len(going))} to remove from {display(drawn.meeting.title, 75)}"
        shown += _listed(title, going, now)
    if staying:
        shown += _listed("Not to be removed", staying, now)
    if drawn.draft is None:
        asks = drawn.verdict.answer is Answer.NEEDS_APPROVAL
        words = f"{drawn.verdict.reason} {NOBODY_TO_ASK}" if asks else drawn.verdict.reason
        shown.append(kit.section(words))
    else:
        shown += [kit.section(f"Reason: {drawn.reason or 'none'}"), kit.context(texts.REJOIN)]
        if drawn.session is None:
            shown.append(kit.context(texts.NO_SESSION))
    return kit.modal(
        "Review",
        shown,
        callback_id=REVIEW,
        close="Back" if back else "Cancel",
        submit="Kick" if drawn.draft else None,
        metadata=_Reviewed.model_validate(
            {**context.model_dump(), "draft": drawn.draft.id if drawn.draft else ""}
        ).model_dump_json(),
    )


class _Reviewed(Context):
    draft: str = ""


def parse_review(view: View) -> str:
    """Read which draft a review showed; there is none of an empty name."""
    try:
        return _Reviewed.model_validate_json(view.private_metadata).draft
    except ValidationError:
        return ""


def _listed(title: str, lines: Sequence[Line], now: datetime) -> list[Block]:
    return [
        kit.rich(
            kit.line(kit.words(title, bold=True)),
            kit.bullets(_told(line, now) for line in lines),
        )
    ]


def _told(line: Line, now: datetime) -> list[Element]:
    name = display(line.person.name if line.person else line.asked, 75)
    about = [kit.words(name, bold=True)]
    if line.person:
        about.append(kit.words(f" · {texts.details(line.person, now, line.namesakes)}"))
    if remark := _remark(line):
        about.append(kit.words(f"\n{remark}"))
    return about


def _remark(line: Line) -> str:
    if line.mark is Mark.LIVE:
        count = len(line.namesakes)
        others = "another person" if count == 1 else f"{count} other people"
        return f"Not to be confused with {others} of this name." if count else ""
    return {
        Mark.UNLISTED: "Not in the live list (it can lag): found in the meeting's records.",
        Mark.NOWHERE: "Found nowhere: protection not checked.",
        Mark.LEFT: "Has already left.",
        Mark.PROTECTED: f"Protected by the policy ({display(line.by, 75)}).",
        Mark.PEER: "That is the id of one of their connections; paste the person's id instead.",
        Mark.UNKNOWN: (
            "Nobody has this id. To try it all the same, write participant:… or custom:… before it."
        ),
    }[line.mark]


def working(kick: Kick) -> Modal:
    """Show that a kick is on its way."""
    what = texts.people(len(kick.targets))
    text = f"Removing {what} from {display(kick.meeting.title, 75)}…"
    return note(f"Kick #{kick.number}", text)


def doubtful(kick: Kick) -> Modal:
    """Show that some answers were lost, and that their outcome is being looked into."""
    text = "Some answers of RealtimeKit were lost. Looking who is still there; up to 20 s…"
    shown = [kit.section(text), kit.rich(kit.bullets(outcomes(kick)))]
    return kit.modal(f"Kick #{kick.number}", shown, callback_id=NOTE)


def done(kick: Kick, remark: str = "") -> Modal:
    """Show how a kick ended."""
    if kick.state is not State.DONE:
        return note(f"Kick #{kick.number}", texts.ending(kick))
    shown = [kit.rich(kit.bullets(outcomes(kick)))]
    rejoin = texts.REJOIN if any(one.outcome is Outcome.KICKED for one in kick.targets) else ""
    shown += [kit.context(text) for text in (rejoin, remark) if text]
    return kit.modal(f"Kick #{kick.number}", shown, callback_id=NOTE)


def outcomes(kick: Kick) -> list[list[Element]]:
    """Say per person what became of them."""
    told = []
    for target in kick.targets:
        why = texts.because(target)
        said = [kit.words(display(target.name, 75), bold=True)]
        said.append(kit.words(f" — {texts.outcome(target)}{f': {why}' if why else ''}"))
        if target.back_at:
            said += [kit.words(", came back "), kit.moment(target.back_at)]
        told.append(said)
    return told
