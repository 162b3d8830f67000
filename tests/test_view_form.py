"""The form: within Slack's limits for any name. Its answers are parsed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.policy import Rules
from bot.core.ports import GatewayError, NotFound, NotSent, OutcomeUnknown, RateLimited, Rejected
from bot.core.review_service import FormContext, KickRequest, SearchResult
from bot.core.roster import Match, Participant, ParticipantId, ParticipantKey, Peer, PeerId, Roster
from bot.slack.payloads import View
from bot.slack.views import form
from bot.slack.views.form import FormPrefill
from tests.hostile import TEXT
from tests.sandbox.slack.block_kit import validate_options
from tests.views import (
    ALLOWED,
    HERE,
    HOSTILE,
    MAYA,
    NOW,
    RULES,
    TEAM,
    fits,
    literal,
    meeting,
    participant,
    session,
    shown,
)


@given(
    titles=st.lists(TEXT, max_size=5),
    reason=TEXT,
    hint=TEXT,
    reasons=st.lists(st.text(min_size=1, max_size=75), max_size=9),
    people=st.lists(TEXT, max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_a_form_fits(
    titles: list[str], reason: str, hint: str, reasons: list[str], people: list[str]
) -> None:
    sessions = tuple(session(title, at) for at, title in enumerate(titles))
    opening = FormContext(ALLOWED, sessions, sessions[0] if sessions else None, Match((), "", ""))
    made = [form.person_option(participant(name, at=at), NOW) for at, name in enumerate(people)]
    filled = FormPrefill([one for one in made if one], reason, hint)
    rules = Rules(reasons=tuple(reasons))
    fits(form.form(HERE, opening, filled, rules))
    fits(form.form_for_meeting(HERE, meeting().id, reason, rules))
    fits(form.form_for_meeting(HERE, None, reason, rules))


def test_text_from_the_meeting_is_never_markup() -> None:
    opening = FormContext(ALLOWED, (session(HOSTILE),), session(HOSTILE))
    assert literal(form.form(HERE, opening, FormPrefill(), RULES))


@pytest.mark.parametrize(
    ("error", "words", "goes_on"),
    [
        (Rejected("401"), "RealtimeKit refuses the bot: 401. Please tell its operator.", False),
        (RateLimited("x", 7), "RealtimeKit asks the bot to wait 7 s. Then try again.", False),
        (NotSent("x"), "RealtimeKit can't be reached.", False),
        (OutcomeUnknown("x"), "You can still search a meeting and paste ids.", True),
        (NotFound("x"), "You can still search a meeting and paste ids.", True),
    ],
)
def test_a_form_says_why_no_meeting_is_listed(
    error: GatewayError, words: str, *, goes_on: bool
) -> None:
    text = shown(form.form(HERE, FormContext(ALLOWED, error=error), FormPrefill(), RULES))
    assert words in text
    assert ("You can still search" in text) is goes_on


def test_a_form_says_when_no_meeting_is_live() -> None:
    text = shown(form.form(HERE, FormContext(ALLOWED), FormPrefill(), RULES))
    assert "RealtimeKit lists no live meeting that you may act in." in text


def test_people_of_another_meeting_are_forgotten() -> None:
    first, last = (
        {block["block_id"] for block in form.form_for_meeting(HERE, chosen, "", RULES)["blocks"]}
        for chosen in (meeting(at=1).id, meeting(at=2).id)
    )
    assert len(first ^ last) == 2
    assert "reason" in first & last


def answered(**values: Any) -> View:
    blocks = {f"{name}_block": {name: value} for name, value in values.items()}
    return View.model_validate({"id": "V0", "state": {"values": blocks}})


def chosen(*values: str) -> dict[str, Any]:
    return {"selected_options": [{"value": value} for value in values]}


def parsed(view: View, rules: Rules = RULES, meeting_id: str | None = "m") -> Any:
    context = HERE.model_copy(update={"meeting": meeting_id})
    return form.parse_form(view, context, MAYA, TEAM, rules)


def test_a_filled_form_is_a_choice() -> None:
    choice = parsed(
        answered(
            who=chosen("participant:a", "participant:b", "participant:a"),
            ids={"value": " x, y;x\n\n y\r\nz "},
            reason={"value": "  two\n lines "},
        )
    )
    assert isinstance(choice, KickRequest)
    assert choice.selection.people == (
        ParticipantKey("participant:a"),
        ParticipantKey("participant:b"),
    )
    assert choice.selection.pasted == ("x", "y", "z")
    assert (choice.reason, choice.meeting, choice.channel) == ("two lines", "m", "C0LIVE")


def test_the_meeting_chosen_in_the_form_counts_before_the_one_it_opened_with() -> None:
    meeting_chosen = {"selected_option": {"value": "other"}}
    view = answered(meeting=meeting_chosen, ids={"value": "x"}, reason={"value": "r"})
    assert parsed(view).meeting == "other"


@pytest.mark.parametrize(
    ("view", "meeting_id", "errors"),
    [
        (answered(), None, {"meeting_question": "Choose a meeting."}),
        (answered(), "m", {"who": "Choose at least one person, or paste an id below."}),
        (
            answered(who=chosen()),
            "m",
            {"who_block": "Choose at least one person, or paste an id below."},
        ),
        (answered(ids={"value": " , \n"}), "m", {"who": "Choose at least one person, or paste"}),
        (
            answered(who=chosen(*(f"participant:{at}" for at in range(26)))),
            "m",
            {"who_block": "At most 25 people at once."},
        ),
        (
            answered(ids={"value": "\n".join(map(str, range(26)))}),
            "m",
            {"ids": "At most 25 people at once."},
        ),
        (answered(ids={"value": "x"}), "m", {"reason": "The policy wants a reason."}),
        (
            answered(ids={"value": "x"}, reason={"value": "r" * 501}),
            "m",
            {"reason": "At most 500 characters; this has 501."},
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_question(
    view: View, meeting_id: str | None, errors: dict[str, str]
) -> None:
    found = parsed(view, meeting_id=meeting_id)
    assert list(found) == list(errors)
    assert all(found[block].startswith(words) for block, words in errors.items())


@pytest.mark.parametrize(
    ("value", "typed", "reason"),
    [
        ("0", None, "Spam"),
        ("1", "badly", "Rude: badly"),
        ("other", "badly", "badly"),
        ("2", "badly", "badly"),
        ("-1", "badly", "badly"),
        ("9" * 50, "badly", "badly"),
        ("²", "badly", "badly"),
        ("", "badly", "badly"),
    ],
)
def test_a_forged_reason_button_counts_for_nothing(
    value: str, typed: str | None, reason: str
) -> None:
    rules = Rules(reasons=("Spam", "Rude"))
    button = {"selected_option": {"value": value}}
    choice = parsed(answered(ids={"value": "x"}, reasons=button, reason={"value": typed}), rules)
    assert isinstance(choice, KickRequest)
    assert choice.reason == reason


states = st.dictionaries(
    st.sampled_from(["who_1", "ids", "reason", "reasons", "meeting_question", "x"]),
    st.dictionaries(
        st.sampled_from(["who", "ids", "reason", "reasons", "meeting"]),
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.text(max_size=5),
                "value": TEXT | st.none(),
                "selected_option": st.none() | st.fixed_dictionaries({"value": TEXT}),
                "selected_options": st.lists(st.fixed_dictionaries({"value": TEXT}), max_size=30),
            },
        ),
    ),
)


@given(state=states, with_reasons=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_forged_state_is_a_choice_within_bounds_or_words_at_a_question(
    state: dict[str, Any], *, with_reasons: bool
) -> None:
    rules = Rules(reasons=("Spam",) if with_reasons else ())
    view = View.model_validate({"id": "V0", "state": {"values": state}})
    found = parsed(view, rules)
    if isinstance(found, KickRequest):
        assert 1 <= len(found.selection.people) + len(found.selection.pasted) <= 25
        assert 1 <= len(found.reason) <= 500
    else:
        assert all(found.values())


# The menus


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given by `timezones`


@given(name=TEXT, preset=TEXT | st.none(), twins=st.integers(0, 3), joined=moments | st.none())
@settings(deadline=None)
def test_an_option_for_a_person_fits(
    name: str, preset: str | None, twins: int, joined: datetime | None
) -> None:
    peers = [
        Peer(PeerId(f"{at}"), ParticipantId(f"{at:036}"), None, name, preset, joined, None)
        for at in range(twins + 1)
    ]
    found = SearchResult(tuple((roster := Roster(peers)).live), roster)
    options = validate_options({"options": form.people_options(found, NOW)})
    assert len(options) == twins + 1
    # All have the same name, but no two options look the same.
    assert len({option["description"]["text"] for option in options}) == twins + 1


@given(titles=st.lists(TEXT, max_size=3), others=st.lists(TEXT, max_size=3))
@settings(deadline=None)
def test_options_for_meetings_fit(titles: list[str], others: list[str]) -> None:
    live = [session(title, at) for at, title in enumerate(titles)]
    rest = [meeting(title, at + 100) for at, title in enumerate(others)]
    assert len(validate_options(form.meeting_options(live, rest))) == len(titles) + len(others)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 10_000])
def test_at_most_100_people_and_meetings_are_offered(count: int) -> None:
    peers = [
        Peer(PeerId(f"{at}"), ParticipantId(f"{at}"), None, "Guest", None, NOW, None)
        for at in range(count)
    ]
    roster = Roster(peers)
    found = SearchResult(roster.live[:200], None)
    assert len(form.people_options(found, NOW)) == min(count, 100)
    meetings = [meeting(at=at) for at in range(min(count, 200))]
    options = validate_options(form.meeting_options([], meetings))
    assert len(options) == min(count, 100)


@pytest.mark.parametrize(("length", "offered"), [(138, True), (139, False), (10_000, False)])
def test_a_person_whose_id_is_too_long_for_an_option_is_not_offered(
    length: int, *, offered: bool
) -> None:
    person = Participant(ParticipantId("x" * length), None, "Tom", None)
    assert (form.person_option(person, NOW) is not None) is offered
