"""The views: within Slack's limits whatever people call themselves; what comes back is parsed."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.views import View as SdkView

from bot.core.identify import Line, Mark, target_of
from bot.core.kick import (
    ChannelId,
    Draft,
    Kick,
    KickId,
    Outcome,
    State,
    Target,
    TeamId,
    UserId,
    Why,
)
from bot.core.policy import Answer, Rules, Verdict
from bot.core.ports import Busy, NotThere, Refused, RoomsError, Unreachable, Unsure
from bot.core.review import Choice, Found, Opening, Review
from bot.core.roster import (
    CustomId,
    Key,
    Match,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    PeerId,
    Roster,
    Session,
    SessionId,
)
from bot.sandbox.slack.checks import checked_options, checked_view
from bot.slack import modals
from bot.slack.modals import Filled, Modal
from bot.slack.payloads import Context, View
from tests.hostile import TEXT, WORST

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
HERE = Context(channel=ChannelId("C0LIVE"), origin="f" * 32)
MAYA, TEAM = UserId("U0MAYA"), TeamId("T0KICK")
RULES = Rules()
ALLOWED = Verdict(Answer.ALLOWED, "moderator")

moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given by `timezones`
names = TEXT
ids = st.uuids().map(str)


def participant(
    name: str, preset: str | None = "guest", at: int = 0, custom_id: str | None = None
) -> Participant:
    own, custom = ParticipantId(f"{at:08}-id"), CustomId(custom_id) if custom_id else None
    peer = Peer(PeerId(f"peer-{at}"), own, custom, name, preset, NOW, None)
    return Participant(own, custom, name, preset, (peer,))


def meeting(title: str = "Weekly AMA", at: int = 0) -> Meeting:
    return Meeting(MeetingId(f"00000000-0000-4000-8000-{at:012}"), title)


def session(title: str = "Weekly AMA", at: int = 0, people: int | None = 12) -> Session:
    return Session(SessionId(f"session-{at}"), meeting(title, at), people)


def fits(view: Modal) -> Modal:
    """Check a view the way Slack would; return it."""
    # slack_sdk knows fewer limits, but is not ours.
    SdkView(**view).validate_json()
    return checked_view(view)


def shown(view: Modal) -> str:
    return json.dumps(view, ensure_ascii=False)


def drawn(
    lines: Sequence[Line], *, title: str = "Weekly AMA", reason: str = "spam", allowed: bool = True
) -> Review:
    verdict = ALLOWED if allowed else Verdict(Answer.REFUSED, f"No: {title}")
    draft = Draft(
        id="d" * 32,
        team_id=TEAM,
        channel_id=ChannelId("C0LIVE"),
        requester=MAYA,
        meeting=meeting(title),
        session_id=None,
        targets=tuple(line.target for line in lines if line.target),
        reason=reason,
        created_at=NOW,
    )
    return Review(
        meeting(title), session(title), tuple(lines), verdict, reason, draft if allowed else None
    )


def line(name: str, mark: Mark = Mark.LIVE, preset: str | None = "guest", at: int = 0) -> Line:
    person = participant(name, preset, at)
    stays = mark in {Mark.LEFT, Mark.PROTECTED, Mark.PEER, Mark.UNKNOWN}
    return Line(
        asked=name,
        mark=mark,
        person=None if mark in {Mark.NOWHERE, Mark.UNKNOWN} else person,
        target=None if stays else target_of(RULES, person, live=mark is Mark.LIVE),
        namesakes=(participant(name, preset, at + 1000),),
        by=name,
    )


def kick(targets: Sequence[Target], *, title: str = "Weekly AMA", **changes: Any) -> Kick:
    given_values: dict[str, Any] = {
        "id": KickId("k" * 32),
        "key": "V0",
        "team_id": TEAM,
        "app_id": "app",
        "channel_id": ChannelId("C0LIVE"),
        "meeting": meeting(title),
        "session_id": None,
        "requester": MAYA,
        "reason": "spam",
        "targets": tuple(targets),
        "created_at": NOW,
        "state": State.DONE,
        "number": 7,
        "done_at": NOW + timedelta(seconds=1),
    }
    return Kick(**given_values | changes)


def settled(name: str, outcome: Outcome | None, why: Why | None, detail: str, at: int) -> Target:
    return Target(
        ParticipantId(f"{at:08}-id"),
        None,
        name,
        outcome=outcome,
        why=why,
        detail=detail,
        back_at=NOW if outcome is Outcome.GONE else None,
    )


@given(title=TEXT, text=TEXT)
def test_a_note_fits(title: str, text: str) -> None:
    fits(modals.note(title or "Kick", text or "-"))


@given(
    titles=st.lists(TEXT, max_size=5),
    reason=TEXT,
    hint=TEXT,
    reasons=st.lists(st.text(min_size=1, max_size=75), max_size=9),
    people=st.lists(names, max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_a_form_fits(
    titles: list[str], reason: str, hint: str, reasons: list[str], people: list[str]
) -> None:
    sessions = tuple(session(title, at) for at, title in enumerate(titles))
    opening = Opening(ALLOWED, sessions, sessions[0] if sessions else None, Match((), "", ""))
    made = [modals.person_option(participant(name, at=at), NOW) for at, name in enumerate(people)]
    filled = Filled([one for one in made if one], reason, hint)
    rules = Rules(reasons=tuple(reasons))
    fits(modals.form(HERE, opening, filled, rules))
    fits(modals.form_for(HERE, meeting().id, reason, rules))
    fits(modals.form_for(HERE, None, reason, rules))


@given(name=TEXT, preset=TEXT | st.none(), title=TEXT, reason=TEXT, mark=st.sampled_from(Mark))
@settings(max_examples=50, deadline=None)
def test_a_review_of_25_people_fits(
    name: str, preset: str | None, title: str, reason: str, mark: Mark
) -> None:
    lines = [line(name, mark, preset, at) for at in range(25)]
    fits(modals.review(drawn(lines, title=title, reason=reason), HERE, NOW, back=True))
    fits(modals.review(drawn(lines, title=title, allowed=False), HERE, NOW, back=False))


@pytest.mark.parametrize("name", WORST, ids=range(len(WORST)))
def test_a_review_of_25_of_the_worst_names_fits(name: str) -> None:
    marks = [list(Mark)[at % len(Mark)] for at in range(25)]
    lines = [line(name, mark, name, at) for at, mark in enumerate(marks)]
    view = fits(modals.review(drawn(lines, title=name, reason=name), HERE, NOW, back=True))
    assert len(shown(view).encode()) < 50_000


@given(
    name=TEXT,
    outcome=st.sampled_from(Outcome) | st.none(),
    why=st.sampled_from(Why) | st.none(),
    detail=TEXT,
    title=TEXT,
    state=st.sampled_from(State),
)
@settings(max_examples=50, deadline=None)
def test_the_views_of_a_kick_fit(  # noqa: PLR0917 - what hypothesis gives
    name: str, outcome: Outcome | None, why: Why | None, detail: str, title: str, state: State
) -> None:
    targets = [settled(name, outcome, why, detail, at) for at in range(25)]
    one = kick(targets, title=title, state=state, refusal=detail, number=10**12)
    for view in (modals.working(one), modals.doubtful(one), modals.done(one, detail)):
        fits(view)


@given(name=TEXT, preset=TEXT | st.none(), twins=st.integers(0, 3), joined=moments | st.none())
def test_an_option_for_a_person_fits(
    name: str, preset: str | None, twins: int, joined: datetime | None
) -> None:
    peers = [
        Peer(PeerId(f"{at}"), ParticipantId(f"{at:036}"), None, name, preset, joined, None)
        for at in range(twins + 1)
    ]
    found = Found(tuple((roster := Roster(peers)).live), roster)
    options = checked_options({"options": modals.people_options(found, NOW)})
    assert len(options) == twins + 1
    # Of the same name, yet no two look the same.
    assert len({option["description"]["text"] for option in options}) == twins + 1


@given(titles=st.lists(TEXT, max_size=3), others=st.lists(TEXT, max_size=3))
def test_options_for_meetings_fit(titles: list[str], others: list[str]) -> None:
    live = [session(title, at) for at, title in enumerate(titles)]
    rest = [meeting(title, at + 100) for at, title in enumerate(others)]
    assert len(checked_options(modals.meeting_options(live, rest))) == len(titles) + len(others)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 10_000])
def test_at_most_100_people_and_meetings_are_offered(count: int) -> None:
    peers = [
        Peer(PeerId(f"{at}"), ParticipantId(f"{at}"), None, "Guest", None, NOW, None)
        for at in range(count)
    ]
    roster = Roster(peers)
    found = Found(roster.live[:200], None)
    assert len(modals.people_options(found, NOW)) == min(count, 100)
    meetings = [meeting(at=at) for at in range(min(count, 200))]
    options = checked_options(modals.meeting_options([], meetings))
    assert len(options) == min(count, 100)


@pytest.mark.parametrize(("length", "offered"), [(138, True), (139, False), (10_000, False)])
def test_whoever_has_an_id_too_long_for_an_option_is_not_offered(
    length: int, *, offered: bool
) -> None:
    person = Participant(ParticipantId("x" * length), None, "Tom", None)
    assert (modals.person_option(person, NOW) is not None) is offered


def test_text_from_the_meeting_is_never_markup() -> None:
    hostile = "<!channel> *x* <https://evil.example|click>"
    lines = [line(hostile)]
    for view in (
        modals.review(drawn(lines, title=hostile, reason=hostile), HERE, NOW, back=True),
        modals.done(kick([settled(hostile, Outcome.KICKED, Why.CONFIRMED, "", 0)], title=hostile)),
        modals.form(HERE, Opening(ALLOWED, (session(hostile),), session(hostile)), Filled(), RULES),
    ):
        assert '"mrkdwn"' not in shown(view)
        assert '"link"' not in shown(view)
        assert '"broadcast"' not in shown(view)


def test_the_review_says_of_everyone_how_they_stand() -> None:
    lines = [line(f"{mark.name} person", mark, at=at) for at, mark in enumerate(Mark)]
    text = shown(modals.review(drawn(lines), HERE, NOW, back=True))
    for words in (
        "3 people to remove from Weekly AMA",
        "Not to be removed",
        "Not to be confused with another person of this name.",
        "Not in the live list",
        "Found nowhere: protection not checked.",
        "Has already left.",
        "Protected by the policy (PROTECTED person).",
        "That is the id of one of their connections",
        "Nobody has this id.",
    ):
        assert words in text


def test_only_a_draft_makes_a_kick_button() -> None:
    yes = modals.review(drawn([line("Tom")]), HERE, NOW, back=True)
    no = modals.review(drawn([line("Tom")], allowed=False), HERE, NOW, back=False)
    assert (yes["submit"]["text"], yes["close"]["text"]) == ("Kick", "Back")
    assert "submit" not in no
    assert "No: Weekly AMA" in shown(no)


@pytest.mark.parametrize(
    ("error", "words", "goes_on"),
    [
        (Refused("401"), "RealtimeKit refuses the bot: 401. Please tell its operator.", False),
        (Busy("x", 7), "RealtimeKit asks the bot to wait 7 s. Then try again.", False),
        (Unreachable("x"), "RealtimeKit can't be reached.", False),
        (Unsure("x"), "You can still search a meeting and paste ids.", True),
        (NotThere("x"), "You can still search a meeting and paste ids.", True),
    ],
)
def test_a_form_says_why_no_meeting_is_listed(
    error: RoomsError, words: str, *, goes_on: bool
) -> None:
    text = shown(modals.form(HERE, Opening(ALLOWED, trouble=error), Filled(), RULES))
    assert words in text
    assert ("You can still search" in text) is goes_on


def test_a_form_says_when_no_meeting_is_live() -> None:
    text = shown(modals.form(HERE, Opening(ALLOWED), Filled(), RULES))
    assert "RealtimeKit lists no live meeting that you may act in." in text


def test_people_of_another_meeting_are_forgotten() -> None:
    first, last = (
        {block["block_id"] for block in modals.form_for(HERE, chosen, "", RULES)["blocks"]}
        for chosen in (meeting(at=1).id, meeting(at=2).id)
    )
    assert len(first ^ last) == 2
    assert "reason" in first & last


def test_nobody_is_said_to_be_able_to_rejoin_when_nobody_was_kicked() -> None:
    gone = kick([settled("Tom", Outcome.GONE, Why.LEFT, "", 0)])
    kicked = kick([settled("Tom", Outcome.KICKED, Why.CONFIRMED, "", 0)])
    assert "rejoin" not in shown(modals.done(gone))
    assert "rejoin" in shown(modals.done(kicked))


# What comes back.


def answered(**values: Any) -> View:
    blocks = {f"{name}_block": {name: value} for name, value in values.items()}
    return View.model_validate({"id": "V0", "state": {"values": blocks}})


def chosen(*values: str) -> dict[str, Any]:
    return {"selected_options": [{"value": value} for value in values]}


def parsed(view: View, rules: Rules = RULES, meeting_id: str | None = "m") -> Any:
    context = HERE.model_copy(update={"meeting": meeting_id})
    return modals.parse_form(view, context, MAYA, TEAM, rules)


def test_a_filled_form_is_a_choice() -> None:
    choice = parsed(
        answered(
            who=chosen("participant:a", "participant:b", "participant:a"),
            ids={"value": " x, y;x\n\n y\r\nz "},
            reason={"value": "  two\n lines "},
        )
    )
    assert isinstance(choice, Choice)
    assert choice.asked.people == (Key("participant:a"), Key("participant:b"))
    assert choice.asked.pasted == ("x", "y", "z")
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
    assert isinstance(choice, Choice)
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
    if isinstance(found, Choice):
        assert 1 <= len(found.asked.people) + len(found.asked.pasted) <= 25
        assert 1 <= len(found.reason) <= 500
    else:
        assert all(found.values())


@pytest.mark.parametrize("metadata", ["", "{}", "[]", '{"channel": "C", "draft": 7}', "\x00"])
def test_a_review_of_another_version_names_no_draft(metadata: str) -> None:
    assert not modals.parse_review(View(id="V0", private_metadata=metadata))


def test_a_review_carries_its_draft() -> None:
    view = modals.review(drawn([line("Tom")]), HERE, NOW, back=True)
    back = View(id="V0", private_metadata=view["private_metadata"])
    assert modals.parse_review(back) == "d" * 32
    assert back.context.channel == "C0LIVE"
