import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.kick import (
    ChannelId,
    Draft,
    Event,
    Kick,
    KickId,
    Outcome,
    Seen,
    State,
    Target,
    TeamId,
    UserId,
    What,
    Why,
)
from bot.core.ports import Overtaken, StoreDown
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, PeerId, SessionId
from bot.store import SqlStore, url
from bot.store.schema import events, schema_version
from tests.fakes import MemoryStore

AnyStore = SqlStore | MemoryStore

NOW = datetime(2026, 3, 29, 1, 59, 59, 999_999, UTC)
SECOND = timedelta(seconds=1)
TEAM, CHANNEL, AVA, BEN = TeamId("T1"), ChannelId("C1"), UserId("U1"), UserId("U2")
AMA = Meeting(MeetingId("m1"), "Weekly AMA")

MALLORY = Target(ParticipantId("p1"), CustomId("c1"), "mallory")
TROLL = Target(
    None,
    CustomId("c2"),
    "troll",
    preset="guest",
    live=False,
    checked=False,
    called_at=NOW + SECOND,
    peers=(Seen(PeerId("e1"), NOW), Seen(PeerId("e2"), None)),
    outcome=Outcome.GONE,
    why=Why.LEFT,
    detail="left by themselves",
    back_at=NOW + 2 * SECOND,
)

HOSTILE = (
    "",
    "\x00 and \x1a and \x1a0000",
    "\ud83d\ude00 \udc00\ud800",
    "\U0001f600" * 10_000,
    "'; DROP TABLE kicks; --",
    "%s {} :id \\",
)

_ids = count(1)


def new_kick(*targets: Target, created_at: datetime = NOW, state: State = State.READY) -> Kick:
    one = str(next(_ids))
    return Kick(
        id=KickId(f"kick {one}"),
        key=f"view {one}",
        team_id=TEAM,
        app_id="app",
        channel_id=CHANNEL,
        meeting=AMA,
        session_id=SessionId("s1"),
        requester=AVA,
        reason="spam",
        targets=targets or (MALLORY, TROLL),
        created_at=created_at,
        state=state,
    )


def new_draft(**changes: object) -> Draft:
    plain = Draft("V1", TEAM, CHANNEL, AVA, AMA, None, (MALLORY, TROLL), "spam", NOW)
    return replace(plain, **changes)  # type: ignore[arg-type]


def moved(kick: Kick, state: State = State.RUNNING) -> Kick:
    return replace(kick, state=state, version=kick.version + 1, owner=f"owner {next(_ids)}")


def event(what: What = What.ASKED, note: str = "", kick: Kick | None = None) -> Event:
    return Event(NOW, what, AVA, note, kick.id if kick else None)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def sql_store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, team_id=TEAM, app_id="app")
    await store.start()
    yield store
    await store.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[AnyStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    made = SqlStore(request.getfixturevalue(f"{request.param}_url"))
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def impatient(sqlite_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(sqlite_url, patience=0.05)
    await store.start()
    yield store
    await store.close()


class TestAdd:
    async def test_gives_rising_numbers(self, store: AnyStore) -> None:
        numbers = [(await store.add(new_kick(), event())).number for _ in range(3)]
        assert numbers == [1, 2, 3]

    async def test_keeps_a_kick_with_all_its_fields(self, store: AnyStore) -> None:
        full = replace(
            new_kick(),
            version=7,
            repeats=KickId("kick 0"),
            expires_at=NOW + SECOND,
            approver=BEN,
            decided_at=NOW + 2 * SECOND,
            owner="a process",
            lease_until=NOW + 3 * SECOND,
            refusal="no",
            done_at=NOW + 4 * SECOND,
        )
        stored = await store.add(full, event())
        assert stored == replace(full, number=1)
        assert await store.get(full.id) == stored

    async def test_keeps_every_state(self, store: AnyStore) -> None:
        stored = [await store.add(new_kick(state=state), event()) for state in State]
        assert [await store.get(kick.id) for kick in stored] == stored

    async def test_keeps_the_least_there_can_be(self, store: AnyStore) -> None:
        bare = replace(new_kick(), session_id=None, targets=())
        stored = await store.add(bare, event())
        assert await store.get(bare.id) == stored == replace(bare, number=1)

    async def test_of_the_same_key_returns_the_first(self, store: AnyStore) -> None:
        first = await store.add(new_kick(), event())
        second = replace(new_kick(MALLORY), key=first.key, reason="other")
        assert await store.add(second, event(note="again")) == first
        assert await store.get(second.id) is None
        assert await store.events(first.id) == [event(kick=first)]
        assert await store.events(second.id) == []

    async def test_races_to_one_row(self, store: AnyStore) -> None:
        wanted = [replace(new_kick(), key="one view") for _ in range(10)]
        stored = await asyncio.gather(*(store.add(kick, event()) for kick in wanted))
        assert len({kick.id for kick in stored}) == 1
        assert await store.history(10) == stored[:1]
        assert await store.events(stored[0].id) == [event(kick=stored[0])]

    async def test_of_the_same_id_is_a_mistake(self, sql_store: SqlStore) -> None:
        first = await sql_store.add(new_kick(), event())
        with pytest.raises(IntegrityError):
            await sql_store.add(replace(first, key="another view"), event())
        assert await sql_store.history(10) == [first]


class TestMove:
    async def test_stores_all_that_changed(self, store: AnyStore) -> None:
        before = await store.add(new_kick(MALLORY, TROLL, MALLORY), event())
        called = replace(TROLL, called_at=None, outcome=None, why=None, peers=())
        after = replace(
            moved(before),
            targets=(MALLORY, called, replace(MALLORY, outcome=Outcome.KICKED)),
            session_id=SessionId("s2"),
            lease_until=NOW,
        )
        assert await store.move(before, after) == after
        assert await store.get(before.id) == after

    async def test_leaves_other_kicks_alone(self, store: AnyStore) -> None:
        other = await store.add(new_kick(), event())
        before = await store.add(new_kick(), event())
        await store.move(before, replace(moved(before), targets=(TROLL, MALLORY)))
        assert await store.get(other.id) == other

    async def test_keeps_its_events_in_order(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event(What.ASKED))
        running = await store.move(kick, moved(kick), event(What.CLAIMED), event(What.CALLED))
        await store.move(running, moved(running), event(What.SETTLED))
        whats = [one.what for one in await store.events(kick.id)]
        assert whats == [What.ASKED, What.CLAIMED, What.CALLED, What.SETTLED]

    @pytest.mark.parametrize("stale", [{"version": 9}, {"state": State.WAITING}])
    async def test_of_a_stale_kick_is_overtaken(
        self, store: AnyStore, stale: dict[str, int]
    ) -> None:
        kick = await store.add(new_kick(), event())
        before = replace(kick, **stale)  # type: ignore[arg-type]
        after = replace(moved(before), targets=(TROLL, TROLL))
        with pytest.raises(Overtaken) as lost:
            await store.move(before, after, event(What.CLAIMED))
        assert lost.value.current == kick == await store.get(kick.id)
        assert await store.events(kick.id) == [event(kick=kick)]

    async def test_races_to_one_winner(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        moves = [moved(kick) for _ in range(10)]
        ends = await asyncio.gather(
            *(store.move(kick, one, event(What.CLAIMED, one.owner or "")) for one in moves),
            return_exceptions=True,
        )
        (winner,) = [end for end in ends if isinstance(end, Kick)]
        losers = [end.current for end in ends if isinstance(end, Overtaken)]
        assert losers == [winner] * 9
        assert await store.get(kick.id) == winner
        assert [one.note for one in await store.events(kick.id)] == ["", winner.owner]

    async def test_raises_the_version_by_one(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        for wrong in (kick, replace(kick, version=3), replace(moved(kick), id=KickId("other"))):
            with pytest.raises(ValueError, match="version"):
                await store.move(kick, wrong)
        assert await store.get(kick.id) == kick

    async def test_of_what_was_never_added_is_a_mistake(self, store: AnyStore) -> None:
        kick = new_kick()
        with pytest.raises(LookupError):
            await store.move(kick, moved(kick))


class TestQuestions:
    async def test_what_is_not_there_is_none(self, store: AnyStore) -> None:
        assert await store.get(KickId("none")) is None
        assert await store.by_number(1) is None
        assert await store.draft("none") is None
        assert await store.last_meeting(TEAM, CHANNEL) is None
        assert await store.history(10) == await store.open_kicks() == []

    async def test_a_number_finds_its_kick(self, store: AnyStore) -> None:
        kicks = [await store.add(new_kick(), event()) for _ in range(2)]
        assert [await store.by_number(kick.number) for kick in kicks] == kicks

    async def test_open_kicks_are_those_that_can_still_move(self, store: AnyStore) -> None:
        stored = [await store.add(new_kick(state=state), event()) for state in State]
        wanted = {State.WAITING, State.READY, State.RUNNING}
        assert await store.open_kicks() == [kick for kick in stored if kick.state in wanted]

    async def test_history_begins_with_the_newest(self, store: AnyStore) -> None:
        stored = [await store.add(new_kick(), event()) for _ in range(4)]
        assert await store.history(3) == stored[:0:-1]

    async def test_recent_targets_are_people_not_kicks(self, store: AnyStore) -> None:
        for since in (NOW - timedelta(microseconds=1), NOW, NOW + SECOND):
            await store.add(new_kick(created_at=since), event())
        await store.add(replace(new_kick(), requester=BEN), event())
        assert await store.recent_targets(AVA, NOW) == 4
        assert await store.recent_targets(BEN, NOW) == 2
        assert await store.recent_targets(AVA, NOW + 2 * SECOND) == 0

    async def test_recent_targets_leave_one_kick_out(self, store: AnyStore) -> None:
        kick, _ = [await store.add(new_kick(MALLORY), event()) for _ in range(2)]
        assert await store.recent_targets(AVA, NOW, except_for=kick.id) == 1

    async def test_recent_targets_are_not_of_refused_kicks(self, store: AnyStore) -> None:
        for state in State:
            requester = UserId(state)
            await store.add(replace(new_kick(state=state), requester=requester), event())
        counted = [state for state in State if await store.recent_targets(UserId(state), NOW)]
        assert counted == [State.WAITING, State.READY, State.RUNNING, State.DONE]

    async def test_last_meeting_is_the_newest_of_the_channel(self, store: AnyStore) -> None:
        for team, channel, meeting in (
            (TEAM, CHANNEL, "old"),
            (TEAM, CHANNEL, "new"),
            (TEAM, ChannelId("C2"), "elsewhere"),
            (TeamId("T2"), CHANNEL, "in another workspace"),
        ):
            where = Meeting(MeetingId(meeting), "")
            kick = replace(new_kick(), team_id=team, channel_id=channel, meeting=where)
            await store.add(kick, event())
        assert await store.last_meeting(TEAM, CHANNEL) == "new"

    async def test_an_event_of_no_move_is_kept(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        refused = Event(NOW, What.REFUSED, None, "in the channel", kick.id)
        await store.record(refused)
        await store.record(event(What.REFUSED, "no role"))
        assert await store.events(kick.id) == [event(kick=kick), refused]


class TestDrafts:
    async def test_come_back_as_they_were(self, store: AnyStore) -> None:
        for draft in (new_draft(), new_draft(id="V2", targets=(), repeats=KickId("kick 0"))):
            await store.keep(draft)
            assert await store.draft(draft.id) == draft

    async def test_of_the_same_id_are_replaced(self, store: AnyStore) -> None:
        newer = new_draft(reason="other", created_at=NOW + SECOND)
        await store.keep(new_draft())
        await store.keep(newer)
        assert await store.draft(newer.id) == newer

    async def test_go_after_a_day(self, store: AnyStore) -> None:
        yesterday = NOW - timedelta(days=1)
        await store.keep(new_draft(id="old", created_at=yesterday - SECOND))
        await store.keep(new_draft(id="young", created_at=yesterday))
        await store.keep(new_draft())
        assert await store.draft("old") is None
        assert await store.draft("young") is not None

    async def test_race_without_harm(self, store: AnyStore) -> None:
        await asyncio.gather(*(store.keep(new_draft()) for _ in range(10)))
        assert await store.draft("V1") == new_draft()


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE)
    async def test_comes_back_as_it_was(self, store: AnyStore, text: str) -> None:
        person = replace(MALLORY, participant_id=ParticipantId(text), name=text, detail=text)
        meeting = Meeting(MeetingId(text), text)
        kick = replace(new_kick(person), meeting=meeting, reason=text)
        stored = await store.add(kick, event(note=text))
        assert await store.get(kick.id) == stored == replace(kick, number=stored.number)
        assert await store.events(kick.id) == [event(note=text, kick=kick)]
        draft = new_draft(id=f"V{text[:9]}", targets=(person,), meeting=meeting, reason=text)
        await store.keep(draft)
        assert await store.draft(draft.id) == draft

    @settings(
        deadline=None,
        max_examples=40,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        text=st.text(st.characters(exclude_categories=())),
        joined=st.datetimes(timezones=st.just(UTC)),
    )
    async def test_and_any_date_come_back_as_they_were(
        self, store: AnyStore, text: str, joined: datetime
    ) -> None:
        peers = (Seen(PeerId(text), joined),)
        person = replace(MALLORY, name=text, custom_id=CustomId(text), peers=peers, back_at=joined)
        kick = replace(new_kick(person), key=f"{uuid4()} {text}", created_at=joined)
        stored = await store.add(kick, event())
        assert await store.get(kick.id) == stored
        assert await store.add(kick, event()) == stored
        draft = new_draft(targets=(person,))
        await store.keep(draft)
        assert await store.draft(draft.id) == draft


class TestDates:
    async def test_of_another_zone_are_the_same_moment(self, sql_store: SqlStore) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
        kick = await sql_store.add(new_kick(created_at=there), event())
        stored = await sql_store.get(kick.id)
        assert stored == kick
        assert stored.created_at.tzinfo is UTC
        assert await sql_store.recent_targets(AVA, there) == 2

    async def test_without_a_zone_are_a_mistake(self, sql_store: SqlStore) -> None:
        with pytest.raises(StatementError, match="no time zone"):
            await sql_store.add(new_kick(created_at=NOW.replace(tzinfo=None)), event())


class TestTables:
    async def test_are_made_once_by_many_at_once(self, database_url: str) -> None:
        stores = [SqlStore(database_url) for _ in range(5)]
        assert await stores[0].check() == 0
        await asyncio.gather(*(store.start() for store in stores))
        assert [await store.check() for store in stores] == [1] * 5
        await asyncio.gather(*(store.close() for store in stores))

    async def test_are_still_there_after_a_restart(self, database_url: str) -> None:
        first = SqlStore(database_url)
        await first.start()
        kick = await first.add(new_kick(), event())
        await first.close()
        second = SqlStore(database_url)
        await second.start()
        assert await second.get(kick.id) == kick
        assert (await second.add(new_kick(), event())).number == 2
        await second.close()

    async def test_of_a_newer_program_are_refused(self, sql_store: SqlStore) -> None:
        async with sql_store._database.writing() as db:
            await db.execute(insert(schema_version).values(version=99))
        for question in (sql_store.start, sql_store.check):
            with pytest.raises(StoreDown, match="version 99, this program knows 1"):
                await question()

    async def test_name_the_workspace_and_the_app(self, sql_store: SqlStore) -> None:
        await sql_store.add(replace(new_kick(), team_id=TeamId("T2"), app_id="other"), event())
        await sql_store.record(event())
        async with sql_store._database.reading() as db:
            rows = await db.execute(select(events.c.team_id, events.c.app_id).order_by(events.c.id))
        assert list(rows) == [("T2", "other"), (TEAM, "app")]


class TestTrouble:
    async def test_cancelled_writes_go_on_to_their_end(self, database_url: str) -> None:
        store = SqlStore(database_url)
        await store.start()
        kicks = [new_kick() for _ in range(40)]
        for rounds, kick in enumerate(kicks, 1):
            await _cancel_after(rounds, store.add(kick, event()))
        await store.close()
        stored = await store.history(100)
        assert {kick.id for kick in stored} == {kick.id for kick in kicks}
        assert all(kick.targets == (MALLORY, TROLL) for kick in stored)
        assert [len(await store.events(kick.id)) for kick in stored] == [1] * 40
        await store.close()

    async def test_cancelled_reads_leave_nothing_behind(self, sql_store: SqlStore) -> None:
        kick = await sql_store.add(new_kick(), event())
        for rounds in range(40):
            await _cancel_after(rounds, sql_store.get(kick.id))
        assert await sql_store.get(kick.id) == kick
        async with AsyncExitStack() as stack:
            for _ in range(10):
                await stack.enter_async_context(sql_store._database.reading())

    async def test_no_free_connection(self, impatient: SqlStore) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(10):
                await stack.enter_async_context(impatient._database.reading())
            with pytest.raises(StoreDown, match="in use"):
                await impatient.check()
        await impatient.check()

    async def test_reads_do_not_wait_for_a_write(self, sql_store: SqlStore) -> None:
        kick = await sql_store.add(new_kick(), event())
        async with sql_store._database.writing() as db:
            await db.exec_driver_sql("UPDATE kicks SET version = 2")
            assert await sql_store.get(kick.id) == kick


async def _cancel_after(rounds: int, call: Coroutine[object, object, object]) -> None:
    task = asyncio.create_task(call)
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class TestSqlite:
    async def test_locked_by_another_process(self, impatient: SqlStore, sqlite_url: str) -> None:
        with closing(sqlite3.connect(url(sqlite_url).database or "")) as other:
            other.execute("BEGIN IMMEDIATE")
            adds = (impatient.add(new_kick(), event()) for _ in range(3))
            ends = await asyncio.gather(*adds, return_exceptions=True)
            assert [type(end) for end in ends] == [StoreDown] * 3
            assert "is locked" in str(ends[0])
            assert await impatient.history(1) == []
        assert (await impatient.add(new_kick(), event())).number == 1

    async def test_too_many_writes_wait(self, impatient: SqlStore) -> None:
        async with impatient._database.writing():
            with pytest.raises(StoreDown, match="too many writes"):
                await impatient.add(new_kick(), event())

    async def test_full(self, impatient: SqlStore) -> None:
        async with impatient._database.writing() as db:
            pages = await db.exec_driver_sql("PRAGMA page_count")
            await db.exec_driver_sql(f"PRAGMA max_page_count = {pages.scalar_one()}")
        kick = await impatient.add(new_kick(), event())
        too_long = event(note="long" * 10_000)
        with pytest.raises(StoreDown, match="is full"):
            await impatient.add(new_kick(), too_long)
        with pytest.raises(StoreDown, match="free some space"):
            await impatient.move(kick, moved(kick), too_long)
        assert await impatient.history(10) == [kick]
        assert await impatient.events(kick.id) == [event(kick=kick)]

    async def test_settings(self, impatient: SqlStore) -> None:
        async with impatient._database.reading() as db:
            found = [
                (await db.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert found == ["wal", 2, 1, 50]

    async def test_not_a_database(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("no database\n" * 100)
        store = SqlStore(f"sqlite:///{path}")
        with pytest.raises(StoreDown, match="not a database"):
            await store.start()
        await store.close()
        _join_workers()

    async def test_no_such_folder(self, tmp_path: Path) -> None:
        store = SqlStore(f"sqlite:///{tmp_path}/none/kickbot.db")
        with pytest.raises(StoreDown, match="see that the folder exists"):
            await store.start()
        await store.close()
        _join_workers()

    def test_leaves_the_driver_of_postgresql_alone(self, sqlite_url: str) -> None:
        program = (
            "import asyncio, sys; from bot.store import SqlStore;"
            f"asyncio.run(SqlStore({sqlite_url!r}).check()); print('psycopg' in sys.modules)"
        )
        run = [sys.executable, "-c", program]
        done = subprocess.run(run, capture_output=True, text=True, check=True)  # noqa: S603 (ours)
        assert done.stdout == "False\n"


def _join_workers() -> None:
    # aiosqlite lets the thread of a connection that failed end by itself; should the event loop
    # be closed by then, it raises.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(5)


class TestPostgresql:
    async def test_out_of_reach(self) -> None:
        store = SqlStore("postgresql://kickbot:hunter2@127.0.0.1:1/kickbot")
        with pytest.raises(StoreDown, match="see that the server runs") as down:
            await store.start()
        assert "hunter2" not in f"{down.value} {down.value.__cause__}"
        await store.close()

    async def test_reconnects(self, postgres_url: str) -> None:
        store = SqlStore(postgres_url)
        await store.start()
        kick = await store.add(new_kick(), event())
        _break_connections(postgres_url)
        assert await store.get(kick.id) == kick
        await store.close()

    async def test_breaks_within_a_write(self, postgres_url: str) -> None:
        async def broken(db: AsyncConnection) -> None:
            await db.execute(insert(schema_version).values(version=99))
            _break_connections(postgres_url)
            await db.execute(select(schema_version))

        store = SqlStore(postgres_url)
        await store.start()
        with pytest.raises(StoreDown):
            await store._database.write(broken)
        assert await store.check() == 1
        await store.close()


def _break_connections(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )


class TestUrl:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("sqlite:///kickbot.db", "sqlite+aiosqlite:///kickbot.db"),
            ("sqlite:////data/kickbot.db", "sqlite+aiosqlite:////data/kickbot.db"),
            ("postgres://u:p@h:1/d", "postgresql+psycopg://u:p@h:1/d"),
            ("postgresql://u@h/d?sslmode=require", "postgresql+psycopg://u@h/d?sslmode=require"),
        ],
    )
    def test_names_the_driver(self, given: str, expected: str) -> None:
        assert url(given).render_as_string(hide_password=False) == expected

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("mysql://u:hunter2@h/d", "mysql:// is none of"),
            ("postgresql+asyncpg://u:hunter2@h/d", "is none of"),
            ("postgres://u:hun@ter2:hunter2@h:hunter2/d", "not the URL"),
            ("hunter2", "not the URL"),
            ("", "not the URL"),
            ("sqlite://", "needs a file"),
            ("sqlite:///:memory:", "needs a file"),
            ("sqlite:///file:x?mode=memory&uri=true", "needs a file"),
        ],
    )
    def test_refuses_others_without_the_password(self, given: str, words: str) -> None:
        with pytest.raises(ValueError, match=words) as refusal:
            url(given)
        assert "hunter2" not in f"{refusal.value}{refusal.value.__cause__}"
