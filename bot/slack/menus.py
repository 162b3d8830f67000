"""The menus of the form that are searched while typing: each is asked for, and offered, here."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from bot.core.policy import MAX_TARGETS
from bot.core.review_service import SearchResult
from bot.core.roster import Meeting, MeetingId, Participant, Session
from bot.core.text import display
from bot.slack import blocks as kit
from bot.slack import texts
from bot.slack.blocks import Block, Element

MEETING = "meeting"
WHO = "who"

VALUE_LIMIT = 150


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


def who_question(meeting: MeetingId | None, chosen: Sequence[Element]) -> Block:
    """Ask for people; they belong to one meeting only."""
    who: Element = {
        "type": "multi_external_select",
        "action_id": WHO,
        "placeholder": kit.plain("Type a name or an id"),
        "min_query_length": 0,
        "max_selected_items": MAX_TARGETS,
    }
    if chosen:
        who["initial_options"] = list(chosen)
    hint = "Newest first. Nobody is removed before you press Kick on the next screen."
    return kit.input_block(_who_block(meeting), "Who", who, hint=hint, optional=True)


def _who_block(meeting: MeetingId | None) -> str:
    # Another block_id per meeting: Slack then forgets the people of the one chosen before.
    return f"{WHO}_{sha256((meeting or '').encode()).hexdigest()[:12]}"


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


def people_options(found: SearchResult, now: datetime) -> list[Element]:
    """Offer people, each told apart from those of the same name."""
    roster = found.roster
    made = (
        person_option(one, now, roster.same_name(one) if roster else ()) for one in found.people
    )
    return [one for one in made if one][: kit.OPTIONS_LIMIT]


def person_option(
    person: Participant, now: datetime, namesakes: Sequence[Participant] = ()
) -> Element | None:
    """Offer a person; None where their id does not fit into an option."""
    if person.key is None or len(person.key) > VALUE_LIMIT:
        return None
    return kit.option(person.name, person.key, texts.details(person, now, namesakes))
