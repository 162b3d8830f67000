"""The menus: within Slack's limits whatever people call themselves, and told apart."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.review_service import SearchResult
from bot.core.roster import Participant, ParticipantId, Peer, PeerId, Roster
from bot.slack.views import form
from tests.hostile import TEXT
from tests.sandbox.slack.block_kit import validate_options
from tests.views import NOW, meeting, session

moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given by `timezones`


@given(name=TEXT, preset=TEXT | st.none(), twins=st.integers(0, 3), joined=moments | st.none())
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
    # Of the same name, yet no two look the same.
    assert len({option["description"]["text"] for option in options}) == twins + 1


@given(titles=st.lists(TEXT, max_size=3), others=st.lists(TEXT, max_size=3))
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
def test_whoever_has_an_id_too_long_for_an_option_is_not_offered(
    length: int, *, offered: bool
) -> None:
    person = Participant(ParticipantId("x" * length), None, "Tom", None)
    assert (form.person_option(person, NOW) is not None) is offered
