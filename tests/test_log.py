"""`kickbot log`: the audit log, printed so that users' text can't control the terminal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import log
from bot.config import Settings, read_settings
from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.roster import Meeting, MeetingId, ParticipantId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.store import SqlStore
from tests.test_config import GOOD

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
MAYA = UserId("U0MAYA")
MALLORY = Target(
    ParticipantId("p-1"),
    None,
    "Mallory",
    outcome=Outcome.KICKED,
    outcome_reason=OutcomeReason.CONFIRMED,
)


def kick(number: int = 1, **changes: Any) -> Kick:
    values: dict[str, Any] = {
        "id": KickId(f"kick-{number}"),
        "idempotency_key": f"V{number}",
        "team_id": TeamId("T0KICK"),
        "app_id": "app",
        "channel_id": ChannelId("C0LIVE"),
        "meeting": Meeting(MeetingId("m"), "Weekly AMA"),
        "session_id": None,
        "requester": MAYA,
        "reason": "spam",
        "targets": (MALLORY,),
        "created_at": NOW + timedelta(minutes=number),
        "state": State.DONE,
    }
    return Kick(**values | changes)


def settings(url: str) -> Settings:
    return read_settings(GOOD | {"DATABASE_URL": url})


async def fill(url: str, *kicks: Kick) -> None:
    store = SqlStore(url)
    await store.start()
    for one in kicks:
        asked = Event(one.created_at, EventKind.ASKED, one.requester, "1 in Weekly AMA", one.id)
        await store.add(one, asked)
        await store.record_event(Event(one.created_at, EventKind.CALLED, None, "Mallory", one.id))
    await store.close()


async def printed(
    capsys: pytest.CaptureFixture[str], url: str, number: int | None = None
) -> tuple[int, list[str]]:
    code = await log.show(settings(url), number)
    captured = capsys.readouterr()
    assert not captured.err
    return code, captured.out.splitlines()


async def test_the_newest_kicks_come_first(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    await fill(sqlite_url, *(kick(number) for number in range(1, 23)))
    code, lines = await printed(capsys, sqlite_url)
    assert code == 0
    assert len(lines) == log.NEWEST
    assert lines[0] == "#22 2026-11-22 20:22:00 U0MAYA done [Weekly AMA] Mallory: kicked"


async def test_one_kick_is_shown_with_its_events(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    await fill(sqlite_url, kick(state=State.REFUSED, refusal="The policy says no."))
    code, lines = await printed(capsys, sqlite_url, 1)
    assert code == 0
    assert lines == [
        "#1 2026-11-22 20:01:00 U0MAYA refused [Weekly AMA] Mallory: kicked",
        "reason: spam",
        "refused: The policy says no.",
        "20:01:00.000000 U0MAYA asked 1 in Weekly AMA",
        "20:01:00.000000 kickbot called Mallory",
    ]


async def test_refusals_of_one_kind_are_shown_as_one(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    await fill(sqlite_url, kick())
    store = SqlStore(sqlite_url)
    [refused] = await store.history(1)
    for second in range(37):
        at = refused.created_at.replace(second=second)
        refusal = Event(at, EventKind.REFUSED, UserId("U0EVE"), "No role.", refused.id)
        await store.record_event(refusal)
    await store.close()
    _, lines = await printed(capsys, sqlite_url, 1)
    shown = "20:01:00.000000 U0EVE refused No role. × 37, last at 20:01:36"  # noqa: RUF001 - means times
    assert lines[-1] == shown


async def test_nothing_anybody_wrote_hides_a_line(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    await fill(sqlite_url, kick(reason="warned twice: "))
    _, lines = await printed(capsys, sqlite_url, 1)
    assert lines[1] == "reason: warned twice:"


async def test_a_decision_and_what_is_done_again_are_shown(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    decided = kick(2, state=State.DENIED, approver=UserId("U0MO"), refusal="wrong one", repeats=1)
    await fill(sqlite_url, kick(), decided)
    _, lines = await printed(capsys, sqlite_url, 2)
    assert lines[:5] == [
        "#2 2026-11-22 20:02:00 U0MAYA denied [Weekly AMA] Mallory: kicked",
        "reason: spam",
        "again after: #1",
        "decided by: U0MO",
        "refused: wrong one",
    ]


async def test_what_there_is_not_is_left_out(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    await fill(sqlite_url, kick(reason=""))
    _, lines = await printed(capsys, sqlite_url, 1)
    absent = ("reason", "refused", "decided", "again")
    assert [line for line in lines if line.startswith(absent)] == []


async def test_other_peoples_text_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], sqlite_url: str
) -> None:
    evil = "\x1b[2J\n#99 forged \u202e\u200b\x9b31m" + "x" * 100_000
    title = Meeting(MeetingId("m"), evil)
    one = kick(meeting=title, reason=evil, refusal=evil)
    await fill(sqlite_url, one)
    for number in (None, 1):
        _, lines = await printed(capsys, sqlite_url, number)
        text = "\n".join(lines)
        assert not {"\x1b", "\u202e", "\u200b", "\x9b"} & set(text)
        assert not any(line.startswith("#99") for line in lines)
        assert max(map(len, lines)) <= log.LINE_LIMIT


@pytest.mark.parametrize("number", [None, 1])
async def test_an_empty_record_is_said_to_be_empty(
    capsys: pytest.CaptureFixture[str], sqlite_url: str, number: int | None
) -> None:
    words = ["There are no kicks yet."]
    assert await printed(capsys, sqlite_url, number) == (0, words)
    await fill(sqlite_url)
    assert await printed(capsys, sqlite_url, number) == (0, words)


NUMBERS = pytest.mark.parametrize("number", [7, 2**31 - 1, 2**31, 2**63, 10**20, -1])


@NUMBERS
async def test_a_number_that_is_not_there_is_said_to_be_none(
    capsys: pytest.CaptureFixture[str], sqlite_url: str, number: int
) -> None:
    await fill(sqlite_url, kick())
    assert await printed(capsys, sqlite_url, number) == (1, [f"There is no kick #{number}."])


@NUMBERS
async def test_on_postgresql_as_well(
    capsys: pytest.CaptureFixture[str], postgres_url: str, number: int
) -> None:
    await fill(postgres_url, kick())
    assert await printed(capsys, postgres_url, number) == (1, [f"There is no kick #{number}."])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////no/where/kickbot.db", "The database does not answer: "),
        ("oracle://u:hush@h/d", "DATABASE_URL: oracle:// is none of"),
        ("hush", "DATABASE_URL: this is not the URL of a database"),
        ("postgresql://u:p@hush@127.0.0.1:1/d", "DATABASE_URL: write each @ in"),
    ],
)
async def test_a_database_out_of_reach_is_said_in_words(
    capsys: pytest.CaptureFixture[str], url: str, words: str
) -> None:
    code, (line,) = await printed(capsys, url)
    assert code == 1
    assert line.startswith(words)
    assert "hush" not in line
