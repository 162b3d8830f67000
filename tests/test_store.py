import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import column, insert, select, table
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.draft import Draft
from bot.core.event import Event, EventKind
from bot.core.kick import ENDED_WITHOUT_CALL, ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.outbox_message import DELIVER_WITHIN, MessageKind, OutboxMessage
from bot.core.ports import StoreUnavailable, VersionConflict
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, PeerId, SessionId
from bot.core.target import Outcome, OutcomeReason, SeenPeer, Target
from bot.core.timing import RECOVER_AFTER
from bot.store import SqlStore, url
from bot.store.migrations import MIGRATIONS, migrate
from bot.store.rows import draft_row, kick_row, target_rows
from bot.store.schema import drafts, events, iso, schema_version, targets
from bot.store.schema import kicks as kicks_table
from tests.stores import MemoryStore

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
    protection_checked=False,
    called_at=NOW + SECOND,
    peers=(SeenPeer(PeerId("e1"), NOW), SeenPeer(PeerId("e2"), None)),
    outcome=Outcome.GONE,
    outcome_reason=OutcomeReason.LEFT,
    detail="left by themselves",
    rejoined_at=NOW + 2 * SECOND,
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
        idempotency_key=f"view {one}",
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


def event(
    what: EventKind = EventKind.ASKED, note: str = "", kick: Kick | None = None, at: datetime = NOW
) -> Event:
    return Event(at, what, AVA, note, kick.id if kick else None)


def waiting_kick(expires_at: datetime = NOW + SECOND) -> Kick:
    """Return a waiting kick: its card is due."""
    return replace(new_kick(state=State.WAITING), expires_at=expires_at)


def message_of(
    kick: Kick, kind: MessageKind = MessageKind.CARD, at: datetime = NOW
) -> OutboxMessage:
    return OutboxMessage(kick.id, kind, at, at + DELIVER_WITHIN)


POSTGRES = pytest.param("postgres", marks=pytest.mark.services)


@pytest.fixture(params=["sqlite", POSTGRES])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def sql_store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, team_id=TEAM, app_id="app")
    await store.start()
    yield store
    await store.close()


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
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
    store = SqlStore(sqlite_url, timeout=0.05)
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
            repeats=77,
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
        assert await store.get_kick(full.id) == stored

    async def test_keeps_every_state(self, store: AnyStore) -> None:
        stored = [await store.add(new_kick(state=state), event()) for state in State]
        assert [await store.get_kick(kick.id) for kick in stored] == stored

    async def test_keeps_the_least_there_can_be(self, store: AnyStore) -> None:
        bare = replace(new_kick(), session_id=None, targets=())
        stored = await store.add(bare, event())
        assert await store.get_kick(bare.id) == stored == replace(bare, number=1)

    async def test_of_the_same_key_returns_the_first(self, store: AnyStore) -> None:
        first = await store.add(new_kick(), event())
        second = replace(new_kick(MALLORY), idempotency_key=first.idempotency_key, reason="other")
        assert await store.add(second, event(note="again")) == first
        assert await store.get_kick(second.id) is None
        assert await store.events(first.id) == [event(kick=first)]
        assert await store.events(second.id) == []

    async def test_races_to_one_row(self, store: AnyStore) -> None:
        wanted = [replace(new_kick(), idempotency_key="one view") for _ in range(10)]
        stored = await asyncio.gather(*(store.add(kick, event()) for kick in wanted))
        assert len({kick.id for kick in stored}) == 1
        assert await store.history(10) == stored[:1]
        assert await store.events(stored[0].id) == [event(kick=stored[0])]

    async def test_of_the_same_id_is_a_mistake(self, sql_store: SqlStore) -> None:
        first = await sql_store.add(new_kick(), event())
        with pytest.raises(IntegrityError):
            await sql_store.add(replace(first, idempotency_key="another view"), event())
        assert await sql_store.history(10) == [first]


class TestTransition:
    async def test_stores_all_that_changed(self, store: AnyStore) -> None:
        before = await store.add(new_kick(MALLORY, TROLL, MALLORY), event())
        called = replace(TROLL, called_at=None, outcome=None, outcome_reason=None, peers=())
        after = replace(
            moved(before),
            targets=(MALLORY, called, replace(MALLORY, outcome=Outcome.KICKED)),
            session_id=SessionId("s2"),
            lease_until=NOW,
        )
        assert await store.transition(before, after) == after
        assert await store.get_kick(before.id) == after

    async def test_leaves_other_kicks_alone(self, store: AnyStore) -> None:
        other = await store.add(new_kick(), event())
        before = await store.add(new_kick(), event())
        await store.transition(before, replace(moved(before), targets=(TROLL, MALLORY)))
        assert await store.get_kick(other.id) == other

    async def test_keeps_its_events_in_order(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event(EventKind.ASKED))
        running = await store.transition(
            kick, moved(kick), event(EventKind.CLAIMED), event(EventKind.CALLED)
        )
        await store.transition(running, moved(running), event(EventKind.SETTLED))
        whats = [one.kind for one in await store.events(kick.id)]
        assert whats == [EventKind.ASKED, EventKind.CLAIMED, EventKind.CALLED, EventKind.SETTLED]

    @pytest.mark.parametrize("stale", [{"version": 9}, {"state": State.WAITING}])
    async def test_of_a_stale_kick_is_overtaken(
        self, store: AnyStore, stale: dict[str, int]
    ) -> None:
        kick = await store.add(new_kick(), event())
        before = replace(kick, **stale)  # type: ignore[arg-type]
        after = replace(moved(before), targets=(TROLL, TROLL))
        with pytest.raises(VersionConflict) as lost:
            await store.transition(before, after, event(EventKind.CLAIMED))
        assert lost.value.current == kick == await store.get_kick(kick.id)
        assert await store.events(kick.id) == [event(kick=kick)]

    async def test_races_to_one_winner(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        moves = [moved(kick) for _ in range(10)]
        ends = await asyncio.gather(
            *(
                store.transition(kick, one, event(EventKind.CLAIMED, one.owner or ""))
                for one in moves
            ),
            return_exceptions=True,
        )
        (winner,) = [end for end in ends if isinstance(end, Kick)]
        losers = [end.current for end in ends if isinstance(end, VersionConflict)]
        assert losers == [winner] * 9
        assert await store.get_kick(kick.id) == winner
        assert [one.note for one in await store.events(kick.id)] == ["", winner.owner]

    async def test_raises_the_version_by_one(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        for wrong in (kick, replace(kick, version=3), replace(moved(kick), id=KickId("other"))):
            with pytest.raises(ValueError, match="version"):
                await store.transition(kick, wrong)
        assert await store.get_kick(kick.id) == kick

    async def test_of_what_was_never_added_is_a_mistake(self, store: AnyStore) -> None:
        kick = new_kick()
        with pytest.raises(LookupError):
            await store.transition(kick, moved(kick))


class TestQueries:
    async def test_what_is_not_there_is_none(self, store: AnyStore) -> None:
        assert await store.get_kick(KickId("none")) is None
        assert await store.by_number(1) is None
        assert await store.get_draft("none") is None
        assert await store.last_meeting(TEAM, CHANNEL) is None
        assert await store.history(10) == await store.overdue_kicks(NOW) == []
        assert (
            await store.pending_messages(KickId("none")) == await store.overdue_messages(NOW) == []
        )

    async def test_a_number_finds_its_kick(self, store: AnyStore) -> None:
        kicks = [await store.add(new_kick(), event()) for _ in range(2)]
        assert [await store.by_number(kick.number) for kick in kicks] == kicks

    async def test_overdue_kicks_are_those_whose_date_has_come(self, store: AnyStore) -> None:
        kicks = (
            replace(new_kick(), decided_at=NOW + 5 * SECOND - RECOVER_AFTER),
            new_kick(created_at=NOW + 4 * SECOND - RECOVER_AFTER),
            waiting_kick(NOW + 2 * SECOND),
            replace(new_kick(state=State.RUNNING), lease_until=NOW + SECOND),
            *(new_kick(state=state) for state in (State.DONE, *ENDED_WITHOUT_CALL)),
        )
        stored = [await store.add(kick, event()) for kick in kicks]
        decided, ready, waiting, running = stored[:4]
        later = NOW + 5 * SECOND
        assert await store.overdue_kicks(NOW) == []
        assert await store.overdue_kicks(NOW + SECOND) == [running]
        assert await store.overdue_kicks(later) == [running, waiting, ready, decided]
        renewed = await store.transition(
            running, replace(moved(running), lease_until=NOW + 3 * SECOND)
        )
        assert await store.overdue_kicks(later) == [waiting, renewed, ready, decided]
        await store.transition(renewed, moved(renewed, State.DONE), event(EventKind.FINISHED))
        assert await store.overdue_kicks(later) == [waiting, ready, decided]

    @pytest.mark.parametrize(("ahead", "is_overdue"), [(45, False), (46, True)])
    async def test_what_was_stored_by_a_clock_that_was_ahead_is_overdue(
        self, store: AnyStore, ahead: int, *, is_overdue: bool
    ) -> None:
        far = NOW + ahead * SECOND
        kicks = (
            new_kick(created_at=far - RECOVER_AFTER),
            replace(new_kick(state=State.RUNNING), lease_until=far),
            replace(waiting_kick(far + timedelta(hours=1)), created_at=far),
        )
        stored = [await store.add(kick, event()) for kick in kicks]
        allowed = await store.add(waiting_kick(NOW + timedelta(hours=12)), event())
        overdue = await store.overdue_kicks(NOW)
        assert list(overdue) == (stored if is_overdue else [])
        assert [one.is_overdue(NOW) for one in [*stored, allowed]] == [is_overdue] * 3 + [False]

    @pytest.mark.parametrize(("ahead", "count"), [(645, 0), (646, 1)])
    async def test_a_message_that_no_delay_explains_is_overdue(
        self, store: AnyStore, ahead: int, count: int
    ) -> None:
        kick = await store.add(waiting_kick(NOW + 60 * SECOND), event())
        (message,) = await store.pending_messages(kick.id)
        later = replace(message, due_at=NOW + ahead * SECOND, version=message.version + 1)
        await store.update_message(message, later)
        assert len(await store.overdue_messages(NOW)) == count
        assert later.is_overdue(NOW) is (count == 1)

    async def test_the_time_of_the_store_is_aware_and_grows(self, store: AnyStore) -> None:
        before = await store.time()
        assert before.tzinfo is UTC
        assert await store.time() >= before
        assert abs(before - datetime.now(UTC)) < timedelta(minutes=1)

    async def test_history_begins_with_the_newest(self, store: AnyStore) -> None:
        stored = [await store.add(new_kick(), event()) for _ in range(4)]
        assert await store.history(3) == stored[:0:-1]

    async def test_recent_targets_are_people_not_kicks(self, store: AnyStore) -> None:
        for since in (NOW - timedelta(microseconds=1), NOW, NOW + SECOND):
            await store.add(new_kick(created_at=since), event())
        await store.add(replace(new_kick(), requester=BEN), event())
        later = NOW + 2 * SECOND
        assert tuple(await store.recent_targets(AVA, NOW, later, NOW + SECOND)) == (4, 0, 2)
        assert tuple(await store.recent_targets(BEN, NOW)) == (2,)

    async def test_recent_targets_can_be_of_older_kicks_only(self, store: AnyStore) -> None:
        kicks = [await store.add(new_kick(MALLORY), event()) for _ in range(3)]
        for older, kick in enumerate(kicks):
            (found,) = await store.recent_targets(AVA, NOW, before=kick.number)
            assert found == older

    async def test_recent_targets_are_not_of_refused_kicks(self, store: AnyStore) -> None:
        for state in State:
            requester = UserId(state)
            await store.add(replace(new_kick(state=state), requester=requester), event())
        counted = [state for state in State if any(await store.recent_targets(UserId(state), NOW))]
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
        refused = Event(NOW, EventKind.REFUSED, None, "in the channel", kick.id)
        await store.record_event(refused)
        await store.record_event(event(EventKind.REFUSED, "no role"))
        assert await store.events(kick.id) == [event(kick=kick), refused]


class TestMessages:
    @pytest.mark.parametrize(
        ("kick", "kinds"),
        [
            (waiting_kick(), [MessageKind.CARD]),
            (new_kick(), []),
            (new_kick(state=State.REFUSED), []),
        ],
        ids=["asked for", "ready", "refused"],
    )
    async def test_are_owed_by_a_new_kick(
        self, store: AnyStore, kick: Kick, kinds: list[MessageKind]
    ) -> None:
        for _ in range(2):  # the second has the same key
            await store.add(kick, event(at=NOW + SECOND))
            wanted = [message_of(kick, kind, NOW + SECOND) for kind in kinds]
            assert await store.pending_messages(kick.id) == wanted

    @pytest.mark.parametrize(
        ("kick", "to", "kinds"),
        [
            (waiting_kick(), State.DENIED, [MessageKind.CARD, MessageKind.REQUESTER]),
            (new_kick(), State.RUNNING, []),
            (new_kick(), State.REFUSED, [MessageKind.REQUESTER]),
            (new_kick(state=State.RUNNING), State.DONE, [MessageKind.RESULT]),
            (new_kick(state=State.DONE), State.DONE, [MessageKind.RESULT]),
        ],
    )
    async def test_are_owed_by_a_move_since_its_last_event(
        self, store: AnyStore, kick: Kick, to: State, kinds: list[MessageKind]
    ) -> None:
        before = await store.add(kick, event())
        last = event(EventKind.SETTLED, at=NOW + 2 * SECOND)
        await store.transition(before, moved(before, to), event(at=NOW + SECOND), last)
        owed = [(one.kind, one.since, one.due_at) for one in await store.pending_messages(kick.id)]
        assert owed == [(kind, last.at, last.at + DELIVER_WITHIN) for kind in kinds]

    async def test_owed_again_stay_where_they_stand(self, store: AnyStore) -> None:
        kick = await store.add(waiting_kick(), event())
        (card,) = await store.pending_messages(kick.id)
        standing = replace(
            card,
            version=2,
            attempts=3,
            channel=CHANNEL,
            ts="1.1",
            maybe_delivered=True,
            due_at=None,
        )
        assert await store.update_message(card, standing) == standing
        later = NOW + SECOND
        await store.transition(kick, moved(kick, State.CANCELLED), event(at=later))
        assert await store.pending_messages(kick.id) == [
            replace(standing, version=3, attempts=0, since=later, due_at=later + DELIVER_WITHIN)
        ]

    async def test_need_an_event(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(state=State.RUNNING), event())
        with pytest.raises(ValueError, match="event"):
            await store.transition(kick, moved(kick, State.DONE))
        assert await store.get_kick(kick.id) == kick
        assert await store.pending_messages(kick.id) == []

    async def test_of_a_move_that_loses_are_not_owed(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        await store.transition(kick, moved(kick))
        with pytest.raises(VersionConflict):
            await store.transition(kick, moved(kick, State.REFUSED), event(EventKind.REFUSED))
        assert await store.pending_messages(kick.id) == []

    async def test_are_written_with_the_move_or_not_at_all(self, sql_store: SqlStore) -> None:
        kick = await sql_store.add(new_kick(), event())
        async with sql_store._database.writing() as db:
            await db.exec_driver_sql("DROP TABLE notices")
        with pytest.raises(StoreUnavailable, match="notices"):
            await sql_store.transition(kick, moved(kick, State.REFUSED), event(EventKind.REFUSED))
        with pytest.raises(StoreUnavailable, match="notices"):
            await sql_store.add(waiting_kick(), event())
        assert await sql_store.history(10) == [kick]
        assert await sql_store.events(kick.id) == [event(kick=kick)]

    async def test_are_overdue_from_their_date_on(self, store: AnyStore) -> None:
        kicks = [waiting_kick() for _ in range(103)]
        for late, kick in enumerate(reversed(kicks)):
            await store.add(kick, event(at=NOW - late * SECOND))
        due = NOW + DELIVER_WITHIN
        wanted = [
            message_of(kick, at=NOW - late * SECOND) for late, kick in enumerate(reversed(kicks))
        ]
        assert await store.overdue_messages(due) == wanted[:2:-1]
        assert await store.overdue_messages(due - 100 * SECOND) == wanted[:99:-1]
        oldest = wanted[-1]
        await store.update_message(oldest, oldest.delivered(CHANNEL, "1.1"))
        await store.update_message(wanted[-2], wanted[-2].leased(NOW))
        assert await store.overdue_messages(due - 100 * SECOND) == [wanted[-3]]
        assert await store.pending_messages(oldest.kick_id) == []

    async def test_of_a_stale_form_stay_as_they_are(self, store: AnyStore) -> None:
        kick = await store.add(waiting_kick(), event())
        (card,) = await store.pending_messages(kick.id)
        taken = await store.update_message(card, card.leased(NOW))
        assert await store.update_message(card, card.delivered(CHANNEL, "1.1")) == taken
        assert await store.pending_messages(kick.id) == [taken]

    async def test_never_owed_are_a_mistake(self, store: AnyStore) -> None:
        kick = await store.add(waiting_kick(), event())
        message = message_of(kick, MessageKind.REQUESTER)
        with pytest.raises(LookupError):
            await store.update_message(message, message.leased(NOW))

    async def test_race_to_one_winner(self, store: AnyStore) -> None:
        kick = await store.add(waiting_kick(), event())
        (card,) = await store.pending_messages(kick.id)
        takes = [card.leased(NOW) for _ in range(10)]
        ends = await asyncio.gather(*(store.update_message(card, one) for one in takes))
        assert sum(end is take for end, take in zip(ends, takes, strict=True)) == 1
        assert ends == takes
        assert await store.pending_messages(kick.id) == takes[:1]


class TestDrafts:
    async def test_come_back_as_they_were(self, store: AnyStore) -> None:
        for draft in (new_draft(), new_draft(id="V2", targets=(), repeats=77, needs_approval=True)):
            await store.save_draft(draft)
            assert await store.get_draft(draft.id) == draft

    async def test_of_the_same_id_are_replaced(self, store: AnyStore) -> None:
        newer = new_draft(reason="other", created_at=NOW + SECOND)
        await store.save_draft(new_draft())
        await store.save_draft(newer)
        assert await store.get_draft(newer.id) == newer

    async def test_go_after_a_day(self, store: AnyStore) -> None:
        yesterday = NOW - timedelta(days=1)
        await store.save_draft(new_draft(id="old", created_at=yesterday - SECOND))
        await store.save_draft(new_draft(id="young", created_at=yesterday))
        await store.save_draft(new_draft())
        assert await store.get_draft("old") is None
        assert await store.get_draft("young") is not None

    async def test_race_without_harm(self, store: AnyStore) -> None:
        await asyncio.gather(*(store.save_draft(new_draft()) for _ in range(10)))
        assert await store.get_draft("V1") == new_draft()


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE)
    async def test_comes_back_as_it_was(self, store: AnyStore, text: str) -> None:
        person = replace(MALLORY, participant_id=ParticipantId(text), name=text, detail=text)
        meeting = Meeting(MeetingId(text), text)
        kick = replace(new_kick(person), meeting=meeting, reason=text)
        stored = await store.add(kick, event(note=text))
        assert await store.get_kick(kick.id) == stored == replace(kick, number=stored.number)
        assert await store.events(kick.id) == [event(note=text, kick=kick)]
        draft = new_draft(id=f"V{text[:9]}", targets=(person,), meeting=meeting, reason=text)
        await store.save_draft(draft)
        assert await store.get_draft(draft.id) == draft

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
        peers = (SeenPeer(PeerId(text), joined),)
        person = replace(
            MALLORY, name=text, custom_id=CustomId(text), peers=peers, rejoined_at=joined
        )
        kick = replace(new_kick(person), idempotency_key=f"{uuid4()} {text}", created_at=joined)
        stored = await store.add(kick, event())
        assert await store.get_kick(kick.id) == stored
        assert await store.add(kick, event()) == stored
        draft = new_draft(targets=(person,))
        await store.save_draft(draft)
        assert await store.get_draft(draft.id) == draft


class TestDates:
    async def test_of_another_zone_are_the_same_moment(self, sql_store: SqlStore) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
        kick = await sql_store.add(new_kick(created_at=there), event())
        stored = await sql_store.get_kick(kick.id)
        assert stored == kick
        assert stored.created_at.tzinfo is UTC
        assert tuple(await sql_store.recent_targets(AVA, there)) == (2,)

    async def test_without_a_zone_are_a_mistake(self, sql_store: SqlStore) -> None:
        with pytest.raises(StatementError, match="no time zone"):
            await sql_store.add(new_kick(created_at=NOW.replace(tzinfo=None)), event())


class TestOtherBots:
    @pytest.mark.parametrize("other", [{"app_id": "another"}, {"team_id": TeamId("T2")}])
    async def test_of_another_app_or_team_leave_what_is_overdue_alone(
        self, database_url: str, other: dict[str, Any]
    ) -> None:
        mine = SqlStore(database_url, team_id=TEAM, app_id="app")
        theirs = SqlStore(database_url, **{"team_id": TEAM, "app_id": "app"} | other)
        await mine.start()
        asked = [waiting_kick(), replace(waiting_kick(), **other)]
        kicks = [await mine.add(kick, event()) for kick in asked]
        later = NOW + timedelta(days=1)
        for store, kick in zip((mine, theirs), kicks, strict=True):
            assert await store.overdue_kicks(later) == [kick]
            assert await store.overdue_messages(later) == [message_of(kick)]
            assert await store.history(10) == kicks[::-1]
        await asyncio.gather(mine.close(), theirs.close())


class TestTables:
    async def test_are_made_once_by_many_at_once(self, database_url: str) -> None:
        stores = [SqlStore(database_url) for _ in range(5)]
        assert await stores[0].check() == 0
        await asyncio.gather(*(store.start() for store in stores))
        assert [await store.check() for store in stores] == [len(MIGRATIONS)] * 5
        await asyncio.gather(*(store.close() for store in stores))

    async def test_are_still_there_after_a_restart(self, database_url: str) -> None:
        first = SqlStore(database_url)
        await first.start()
        kick = await first.add(new_kick(), event())
        await first.close()
        second = SqlStore(database_url)
        await second.start()
        assert await second.get_kick(kick.id) == kick
        assert (await second.add(new_kick(), event())).number == 2
        await second.close()

    async def test_of_a_newer_program_are_refused(self, sql_store: SqlStore) -> None:
        async with sql_store._database.writing() as db:
            await db.execute(insert(schema_version).values(version=99))
        for question in (sql_store.start, sql_store.check):
            with pytest.raises(
                StoreUnavailable, match=f"version 99, this program knows {len(MIGRATIONS)}"
            ):
                await question()

    async def test_of_the_first_version_are_brought_up_to_date(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old, new = SqlStore(database_url), SqlStore(database_url)
        kicks = [
            new_kick(state=State.DONE),
            waiting_kick(NOW + 3 * SECOND),
            replace(new_kick(state=State.RUNNING), lease_until=NOW + SECOND),
            replace(new_kick(), decided_at=NOW + 2 * SECOND),
            new_kick(),
        ]
        repeated = {kicks[2].id: kicks[0].id, kicks[4].id: "of a kick that is gone"}
        async with old._database.writing() as db:
            with monkeypatch.context() as patch:
                patch.setattr("bot.store.migrations.MIGRATIONS", MIGRATIONS[:1])
                await migrate(db)
            for kick in kicks:
                row = _first_row(kick) | {"repeats": repeated.get(kick.id)}
                await db.execute(insert(table("kicks", *map(column, row))), row)
                await db.execute(insert(targets), target_rows(kick))
            await db.execute(insert(drafts), draft_row(new_draft()))
        await old.close()

        assert await new.check() == 1
        await new.start()
        assert await new.check() == len(MIGRATIONS)
        stored = [replace(kick, number=number) for number, kick in enumerate(kicks, 1)]
        stored[2] = replace(stored[2], repeats=1)
        assert await new.history(10) == stored[::-1]
        _, waiting, running, decided, ready = stored
        assert await new.overdue_kicks(NOW + 10 * SECOND) == [ready, running, decided, waiting]
        assert await new.get_draft("V1") is None
        done = await new.transition(running, moved(running, State.DONE), event(EventKind.FINISHED))
        assert await new.pending_messages(done.id) == [message_of(done, MessageKind.RESULT)]
        assert await new.add(new_kick(), event()) == await new.by_number(6)
        await new.close()

    async def test_name_the_workspace_and_the_app(self, sql_store: SqlStore) -> None:
        await sql_store.add(replace(new_kick(), team_id=TeamId("T2"), app_id="other"), event())
        await sql_store.record_event(event())
        async with sql_store._database.reading() as db:
            rows = await db.execute(select(events.c.team_id, events.c.app_id).order_by(events.c.id))
        assert list(rows) == [("T2", "other"), (TEAM, "app")]


def _first_row(kick: Kick) -> dict[str, Any]:
    row = kick_row(kick) | {"state": str(kick.state)}
    del row["due_at"]
    stored = {column.key: column.name for column in kicks_table.c}
    return {
        stored[name]: iso(one) if isinstance(one, datetime) else one for name, one in row.items()
    }


class TestRefusals:
    async def test_of_one_kind_are_one_entry_an_hour(self, store: AnyStore) -> None:
        kick = await store.add(new_kick(), event())
        for minute in (1, 2, 30, 90):
            at = NOW.replace(hour=1, minute=0) + minute * 60 * SECOND
            await store.record_event(event(EventKind.REFUSED, "no", kick, at))
        await store.record_event(replace(event(EventKind.REFUSED, "no", kick), count=5))
        await store.record_event(event(EventKind.REFUSED, "another reason", kick))
        found = [(one.note, one.at.minute, one.count) for one in await store.events(kick.id)]
        assert found == [("", 59, 1), ("no", 1, 8), ("no", 30, 1), ("another reason", 59, 1)]
        assert (await store.events(kick.id))[1].last_at == NOW

    async def test_of_forged_kicks_are_one_entry(self, store: AnyStore) -> None:
        forged = [replace(new_kick(), id=KickId(f"forged {number}")) for number in range(5)]
        for kick in forged:
            await store.record_event(event(EventKind.REFUSED, "no such kick", kick))
        found = [await store.events(kick.id) for kick in forged]
        assert [[one.count for one in entries] for entries in found] == [[5], [], [], [], []]

    async def test_at_once_are_all_counted(self, store: AnyStore) -> None:
        refused = event(EventKind.REFUSED, "no", replace(new_kick(), id=KickId("gone")))
        await asyncio.gather(*(store.record_event(refused) for _ in range(40)))
        assert [one.count for one in await store.events(KickId("gone"))] == [40]


class TestErrors:
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
            await _cancel_after(rounds, sql_store.get_kick(kick.id))
        assert await sql_store.get_kick(kick.id) == kick
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(sql_store._database.reading())

    async def test_no_free_connection(self, impatient: SqlStore) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(impatient._database.reading())
            with pytest.raises(StoreUnavailable, match="in use"):
                await impatient.check()
        await impatient.check()

    @pytest.mark.no_cover
    async def test_a_crowd_waits_for_its_turn(self, database_url: str) -> None:
        store = SqlStore(database_url, timeout=2)
        await store.start()
        kicks = [new_kick() for _ in range(1500)]
        await asyncio.gather(*(store.add(kick, event()) for kick in kicks))
        reads = [store.get_kick(kick.id) for kick in kicks]
        assert None not in await asyncio.gather(*reads)
        await store.close()

    async def test_reads_do_not_wait_for_a_write(self, sql_store: SqlStore) -> None:
        kick = await sql_store.add(new_kick(), event())
        async with sql_store._database.writing() as db:
            await db.exec_driver_sql("UPDATE kicks SET version = 2")
            assert await sql_store.get_kick(kick.id) == kick


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
            assert [type(end) for end in ends] == [StoreUnavailable] * 3
            assert "is locked" in str(ends[0])
            assert await impatient.history(1) == []
        assert (await impatient.add(new_kick(), event())).number == 1

    async def test_too_many_writes_wait(self, impatient: SqlStore) -> None:
        async with impatient._database.writing():
            with pytest.raises(StoreUnavailable, match="too many writes"):
                await impatient.add(new_kick(), event())

    async def test_full(self, impatient: SqlStore) -> None:
        async with impatient._database.writing() as db:
            pages = await db.exec_driver_sql("PRAGMA page_count")
            await db.exec_driver_sql(f"PRAGMA max_page_count = {pages.scalar_one()}")
        kick = await impatient.add(new_kick(), event())
        too_long = event(note="long" * 10_000)
        with pytest.raises(StoreUnavailable, match="is full"):
            await impatient.add(new_kick(), too_long)
        with pytest.raises(StoreUnavailable, match="free some space"):
            await impatient.transition(kick, moved(kick), too_long)
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
        with pytest.raises(StoreUnavailable, match="not a database"):
            await store.start()
        await store.close()
        _join_workers()

    async def test_no_such_folder(self, tmp_path: Path) -> None:
        store = SqlStore(f"sqlite:///{tmp_path}/none/kickbot.db")
        with pytest.raises(StoreUnavailable, match="see that the folder exists"):
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
    # aiosqlite does not wait for the thread of a failed connection. The thread raises an error if
    # the event loop is closed before it ends.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(5)


class TestPostgresql:
    async def test_out_of_reach(self) -> None:
        store = SqlStore("postgresql://kickbot:hunter2@127.0.0.1:1/kickbot")
        with pytest.raises(StoreUnavailable, match="see that the server runs") as down:
            await store.start()
        assert "hunter2" not in f"{down.value} {down.value.__cause__}"
        await store.close()

    async def test_reconnects(self, postgres_url: str) -> None:
        store = SqlStore(postgres_url)
        await store.start()
        kick = await store.add(new_kick(), event())
        _break_connections(postgres_url)
        assert await store.get_kick(kick.id) == kick
        await store.close()

    async def test_breaks_within_a_write(self, postgres_url: str) -> None:
        async def broken(db: AsyncConnection) -> None:
            await db.execute(insert(schema_version).values(version=99))
            _break_connections(postgres_url)
            await db.execute(select(schema_version))

        store = SqlStore(postgres_url)
        await store.start()
        with pytest.raises(StoreUnavailable):
            await store._database.write(broken)
        assert await store.check() == len(MIGRATIONS)
        await store.close()

    async def test_restarted(self, restartable: Any) -> None:
        store = SqlStore(restartable.get_uri())
        await store.start()
        kick = await store.add(new_kick(), event())
        restartable.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="see that the server runs"):
                await store.get_kick(kick.id)
        with pytest.raises(StoreUnavailable, match="the database says: "):
            await store.transition(kick, moved(kick), event(EventKind.CLAIMED))
        restartable.ensure_postgres_running()
        assert await store.get_kick(kick.id) == kick
        running = await store.transition(kick, moved(kick), event(EventKind.CLAIMED))
        restartable.stop()
        restartable.ensure_postgres_running()
        await store.transition(running, moved(running), event(EventKind.CALLED))
        assert [one.kind for one in await store.events(kick.id)] == [
            EventKind.ASKED,
            EventKind.CLAIMED,
            EventKind.CALLED,
        ]
        await store.close()

    async def test_with_its_tables_locked(self, postgres_url: str) -> None:
        store = SqlStore(postgres_url, timeout=1)
        await store.start()
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE kicks")
            with pytest.raises(StoreUnavailable, match="something keeps its tables locked"):
                await store.history(1)
        assert await store.history(1) == []
        await store.close()

    async def test_stands_still(self, postgres_url: str) -> None:
        store = SqlStore(postgres_url, timeout=1)
        await store.start()
        with _stopped(postgres_url), pytest.raises(StoreUnavailable, match="does not answer"):
            await asyncio.wait_for(store.add(new_kick(), event()), 30)
        later = await store.add(new_kick(), event())
        await store.close()
        # The server may still carry out what it was asked before it stood still.
        assert (await store.history(10))[0] == later
        await store.close()

    async def test_a_writer_that_stands_still_keeps_nobody_waiting(self, postgres_url: str) -> None:
        stuck, well = SqlStore(postgres_url, timeout=1), SqlStore(postgres_url)
        await well.start()
        kick = await well.add(new_kick(), event())
        running = moved(kick)

        async def stand_still(db: AsyncConnection) -> None:
            await db.exec_driver_sql("UPDATE kicks SET version = 2")
            await well.transition(kick, running)

        with pytest.raises(StoreUnavailable, match="idle-in-transaction"):
            await stuck._database.write_without_timeout(stand_still)
        assert await well.get_kick(kick.id) == running
        await asyncio.gather(stuck.close(), well.close())

    async def test_tables_are_waited_for_while_another_makes_them(self, postgres_url: str) -> None:
        store = SqlStore(postgres_url, timeout=0.5)
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT pg_advisory_xact_lock(5425620268)")
            start = asyncio.create_task(store.start())
            await asyncio.sleep(1)
            assert not start.done()
        await start
        assert await store.check() == len(MIGRATIONS)
        await store.close()

    async def test_settings(self, postgres_url: str) -> None:
        store = SqlStore(postgres_url, timeout=2.5)
        async with store._database.reading() as db:
            found = [
                (await db.exec_driver_sql(f"SHOW {name}")).scalar_one()
                for name in ("statement_timeout", "idle_in_transaction_session_timeout")
            ]
            driver = (await db.get_raw_connection()).driver_connection
            assert driver
            given = driver.info.get_parameters()
        assert found == ["2500ms"] * 2
        assert given["connect_timeout"] == "3"
        assert given["tcp_user_timeout"] == "2500"
        assert [given[f"keepalives_{one}"] for one in ("idle", "interval", "count")] == list("212")
        await store.close()

    async def test_serves_several_processes(self, postgres_url: str) -> None:
        stores = [SqlStore(postgres_url) for _ in range(2)]
        await stores[0].start()
        kick = await stores[0].add(waiting_kick(), event())
        (card,) = await stores[1].pending_messages(kick.id)
        takes = [card.leased(NOW) for _ in range(10)]
        seen = await asyncio.gather(
            *(stores[turn % 2].update_message(card, one) for turn, one in enumerate(takes))
        )
        assert sum(end is take for end, take in zip(seen, takes, strict=True)) == 1
        moves = [moved(kick, State.CANCELLED) for _ in range(10)]
        ends = await asyncio.gather(
            *(stores[turn % 2].transition(kick, one, event()) for turn, one in enumerate(moves)),
            return_exceptions=True,
        )
        (winner,) = [end for end in ends if isinstance(end, Kick)]
        assert [end.current for end in ends if isinstance(end, VersionConflict)] == [winner] * 9
        for store in stores:
            assert await store.pending_messages(kick.id) == [replace(card, version=3)]
            await store.close()


@contextmanager
def _stopped(postgres_url: str) -> Iterator[None]:
    """Stop every server process of the database."""
    with psycopg.connect(postgres_url, autocommit=True) as db:
        others = db.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ).fetchall()
        for (pid,) in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for (pid,) in others:
                os.kill(pid, signal.SIGCONT)


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
            ("postgresql://u@azure:p@h/d", "postgresql+psycopg://u%40azure:p@h/d"),
            ("postgresql://u:p%40@h/d", "postgresql+psycopg://u:p%40@h/d"),
            ("postgresql:///d?user=u@h", "postgresql+psycopg:///d?user=u%40h"),
        ],
    )
    def test_names_the_driver(self, given: str, expected: str) -> None:
        assert url(given).render_as_string(hide_password=False) == expected

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("mysql://u:hunter2@h/d", "mysql:// is none of"),
            ("postgresql://u:a@hunter2@h/d", "write each @ in the user and the password as %40"),
            ("postgresql://u:a@hunter2:5@h/d", "is not the URL|write each @"),
            ("postgresql://u:a@hunter2/b@h/d", "write each @"),
            ("postgresql://u:a@hunter2?b@h/d", "write each @"),
            ("postgres://u@azure:a@hunter2@h/d", "write each @"),
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
