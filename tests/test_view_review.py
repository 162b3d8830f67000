"""The review: within Slack's limits for any name. It carries the id of its draft."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.candidates import Candidate, CandidateStatus, make_target
from bot.core.draft import Draft
from bot.core.kick import ChannelId
from bot.core.policy import Verdict, VerdictKind
from bot.core.review_service import Review
from bot.slack.payloads import View
from bot.slack.views import review as review_view
from bot.slack.views import wording
from tests.hostile import TEXT, WORST
from tests.views import (
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

SOON = timedelta(minutes=10)


def drawn(
    candidates: Sequence[Candidate],
    *,
    title: str = "Weekly AMA",
    reason: str = "spam",
    answer: VerdictKind = VerdictKind.ALLOWED,
) -> Review:
    verdict = Verdict(answer, f"Because of {title}.")
    draft = Draft(
        id="d" * 32,
        team_id=TEAM,
        channel_id=ChannelId("C0LIVE"),
        requester=MAYA,
        meeting=meeting(title),
        session_id=None,
        targets=tuple(candidate.target for candidate in candidates if candidate.target),
        reason=reason,
        created_at=NOW,
        needs_approval=answer is VerdictKind.NEEDS_APPROVAL,
    )
    kept = None if answer is VerdictKind.REFUSED else draft
    return Review(meeting(title), session(title), tuple(candidates), verdict, reason, kept)


def candidate(
    name: str,
    status: CandidateStatus = CandidateStatus.LIVE,
    preset: str | None = "guest",
    at: int = 0,
) -> Candidate:
    person = participant(name, preset, at)
    stays = status in {
        CandidateStatus.LEFT,
        CandidateStatus.PROTECTED,
        CandidateStatus.PEER,
        CandidateStatus.UNKNOWN,
        CandidateStatus.AMBIGUOUS,
    }
    return Candidate(
        requested=name,
        status=status,
        person=None if status in {CandidateStatus.NOWHERE, CandidateStatus.UNKNOWN} else person,
        target=None if stays else make_target(RULES, person, live=status is CandidateStatus.LIVE),
        namesakes=1,
        protected_by=name,
    )


@given(
    name=TEXT,
    preset=TEXT | st.none(),
    title=TEXT,
    reason=TEXT,
    status=st.sampled_from(CandidateStatus),
    answer=st.sampled_from(VerdictKind),
)
@settings(max_examples=50, deadline=None)
def test_a_review_of_25_people_fits(  # noqa: PLR0917 - what hypothesis gives
    name: str,
    preset: str | None,
    title: str,
    reason: str,
    status: CandidateStatus,
    answer: VerdictKind,
) -> None:
    candidates = [candidate(name, status, preset, at) for at in range(25)]
    review = drawn(candidates, title=title, reason=reason, answer=answer)
    fits(review_view.review(review, HERE, NOW, back=True, expires=SOON))


@pytest.mark.parametrize("name", WORST, ids=range(len(WORST)))
def test_a_review_of_25_of_the_worst_names_fits(name: str) -> None:
    statuses = [list(CandidateStatus)[at % len(CandidateStatus)] for at in range(25)]
    candidates = [candidate(name, status, name, at) for at, status in enumerate(statuses)]
    view = fits(
        review_view.review(
            drawn(candidates, title=name, reason=name), HERE, NOW, back=True, expires=SOON
        )
    )
    assert len(shown(view).encode()) < 50_000


def test_text_from_the_meeting_is_never_markup() -> None:
    hostile = drawn([candidate(HOSTILE)], title=HOSTILE, reason=HOSTILE)
    assert literal(review_view.review(hostile, HERE, NOW, back=True, expires=SOON))


def test_the_review_shows_the_status_of_each_person() -> None:
    candidates = [
        candidate(f"{status.name} person", status, at=at)
        for at, status in enumerate(CandidateStatus)
    ]
    text = shown(review_view.review(drawn(candidates), HERE, NOW, back=True, expires=SOON))
    for words in (
        "4 people to remove from Weekly AMA",
        "Not to be removed",
        "Not to be confused with another person of this name.",
        "Not in the live list",
        "May have left",
        "Found nowhere: protection not checked.",
        "Has already left.",
        "Protected by the policy (PROTECTED person).",
        "That is the id of one of their connections",
        "Nobody was found with this id.",
        "Several people have an id like “AMBIGUOUS person”. To remove this one, paste ",
    ):
        assert words in text


def test_only_a_draft_makes_a_kick_button() -> None:
    yes = review_view.review(drawn([candidate("Tom")]), HERE, NOW, back=True, expires=SOON)
    no = review_view.review(
        drawn([candidate("Tom")], answer=VerdictKind.REFUSED), HERE, NOW, back=False, expires=SOON
    )
    assert (yes["submit"]["text"], yes["close"]["text"]) == ("Kick", "Back")
    assert "submit" not in no
    assert "Because of Weekly AMA." in shown(no)


def test_where_a_second_person_is_needed_the_button_asks_for_one() -> None:
    asking = drawn([candidate("Tom")], answer=VerdictKind.NEEDS_APPROVAL)
    view = review_view.review(asking, HERE, NOW, back=True, expires=SOON)
    assert view["submit"]["text"] == "Ask for approval"
    assert "Because of Weekly AMA. A second person has 10 minutes to decide." in shown(view)


@pytest.mark.parametrize(
    "status", [CandidateStatus.LIVE, CandidateStatus.UNLISTED, CandidateStatus.NOWHERE]
)
def test_an_unchecked_protection_is_said_once(status: CandidateStatus) -> None:
    one = candidate("Tom", status)
    assert one.target
    unchecked = replace(one, target=replace(one.target, protection_checked=False), namesakes=0)
    assert wording.candidate_note(unchecked).lower().count("protection not checked.") == 1


@pytest.mark.parametrize("metadata", ["", "{}", "[]", '{"channel": "C", "draft": 7}', "\x00"])
def test_a_review_of_another_version_names_no_draft(metadata: str) -> None:
    view = View(id="V0", private_metadata=metadata)
    assert view.metadata(review_view.ReviewMetadata) is None


def test_a_review_carries_its_draft() -> None:
    view = review_view.review(drawn([candidate("Tom")]), HERE, NOW, back=True, expires=SOON)
    back = View(id="V0", private_metadata=view["private_metadata"])
    metadata = back.metadata(review_view.ReviewMetadata)
    assert metadata
    assert (metadata.draft, metadata.channel) == ("d" * 32, "C0LIVE")
