"""What a process leaves in the database if it dies in the middle of a kick."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, Peer, PeerId, SessionId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.store import SqlStore
from tests.sandbox.realtimekit import Participant, Session
from tests.sandbox.sandbox import Sandbox


def session_of(sandbox: Sandbox) -> Session:
    session = sandbox.demo.world.live_session(sandbox.demo.ama)
    assert session is not None
    return session


def asked(sandbox: Sandbox, *people: Participant, ago: float = 0) -> Kick:
    """Return a ready kick that Maya requested this many seconds ago."""
    return Kick(
        id=KickId("0" * 32),
        idempotency_key="V0REVIEW",
        team_id=TeamId("T0KICK"),
        app_id=sandbox.realtimekit.app_id,
        channel_id=ChannelId("C0LIVE"),
        meeting=Meeting(MeetingId(sandbox.demo.ama.id), sandbox.demo.ama.title),
        session_id=SessionId(session_of(sandbox).id),
        requester=UserId("U0MAYA"),
        reason="spamming links",
        targets=tuple(
            Target(ParticipantId(one.id), CustomId(one.custom_id), one.name or "", one.preset)
            for one in people
        ),
        created_at=datetime.now(UTC) - timedelta(seconds=ago),
        state=State.READY,
    )


@asynccontextmanager
async def storing(sqlite_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(sqlite_url)
    await store.start()
    yield store
    await store.close()


async def leave_ready(sqlite_url: str, kick: Kick) -> None:
    """Store the kick as if the process had died before it claimed the kick."""
    async with storing(sqlite_url) as store:
        await store.add(kick, happened(kick, EventKind.ASKED))


async def leave_running(sandbox: Sandbox, sqlite_url: str, kick: Kick, *called: str) -> None:
    """Store the kick as if the process had died after it called for some of the targets."""
    async with storing(sqlite_url) as store:
        kick = await store.add(kick, happened(kick, EventKind.ASKED))
        claimed = kick.claim("a process that died", kick.created_at, kick.session_id)
        kick = await store.transition(kick, claimed, happened(kick, EventKind.CLAIMED))
        for target in kick.targets:
            if target.name in called:
                marked = kick.mark_called(target, peers_of(sandbox, target), kick.created_at)
                kick = await store.transition(kick, marked, happened(kick, EventKind.CALLED))


async def leave_done(sandbox: Sandbox, sqlite_url: str, kick: Kick) -> Kick:
    """Store the kick as if the process had died after all calls, before it posted the result."""
    await leave_running(sandbox, sqlite_url, kick, *(one.name for one in kick.targets))
    async with storing(sqlite_url) as store:
        running = await store.get_kick(kick.id)
        assert running is not None
        for target in running.targets:
            settled = running.settle(target, Outcome.KICKED, OutcomeReason.CONFIRMED)
            running = await store.transition(running, settled, happened(kick, EventKind.SETTLED))
        done = running.finish(kick.created_at)
        return await store.transition(running, done, happened(kick, EventKind.FINISHED))


def happened(kick: Kick, what: EventKind) -> Event:
    return Event(kick.created_at, what, None, "", kick.id)


def peers_of(sandbox: Sandbox, target: Target) -> tuple[Peer, ...]:
    return tuple(
        Peer(
            PeerId(peer.id),
            target.participant_id,
            target.custom_id,
            target.name,
            target.preset,
            peer.joined_at,
            None,
        )
        for peer in session_of(sandbox).present[str(target.participant_id)]
    )
