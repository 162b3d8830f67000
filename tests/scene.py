"""The bot's core over the fakes: who may do what, who is in the meeting, and several processes."""

from dataclasses import dataclass, replace

from bot.core.approval import Approvals
from bot.core.flow import Flow, Identity, Proposal
from bot.core.keeper import Keeper
from bot.core.kick import ChannelId, Draft, Kick, Outcome, State, Target, UserId, Why
from bot.core.policy import Grant, Policy, Protected, Role, Rules
from bot.core.post import Post
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, Peer, Session, SessionId
from tests.fakes import (
    TEAM,
    FakeClock,
    FakeNotices,
    FakePeople,
    FakeRooms,
    FakeSpawn,
    FlakyStore,
    peer,
)

AVA, BEN, LEA, MAX, EVE = (UserId(f"U{at}") for at in range(1, 6))
CHANNEL, MODS = ChannelId("C1"), ChannelId("C2")
AMA = Meeting(MeetingId("m1"), "Weekly AMA")
LIVE = Session(SessionId("s1"), AMA)
LATER = Session(SessionId("s2"), AMA)
ANN_ROW = peer("e1", "p1", "c1", name="Ann")
BOB_ROW = peer("e2", "p2", "c2", name="Bob")
ANN = Target(ParticipantId("p1"), CustomId("c1"), "Ann", "guest")
BOB = Target(ParticipantId("p2"), CustomId("c2"), "Bob", "guest")
GUARDED = Rules(protected=Protected(frozenset({"host"}), ("staff-*",)))
KICKED = (Outcome.KICKED, Why.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the bot."""

    flow: Flow
    approvals: Approvals
    keeper: Keeper


class Scene:
    """Ava and Max are moderators, Ben is a helper, Lea a lead, Eve is nobody; two are in."""

    def __init__(self, rules: Rules = GUARDED) -> None:
        self.clock = FakeClock()
        self.rooms = FakeRooms(self.clock)
        self.people = FakePeople(self.clock)
        self.store = FlakyStore()
        self.notices = FakeNotices(self.store)
        self.spawn = FakeSpawn()
        self.policy = Policy(
            (
                Grant(frozenset({AVA}), frozenset(), Role.MODERATOR, ("Weekly*",)),
                Grant(frozenset({BEN}), frozenset(), Role.HELPER),
                Grant(frozenset({LEA}), frozenset(), Role.LEAD),
                Grant(frozenset({MAX}), frozenset(), Role.MODERATOR, ("Weekly*",)),
            ),
            rules,
            approvals_channel=MODS,
        )
        self.use(self.process("one"))
        for user in (AVA, BEN, LEA, MAX, EVE):
            self.people.add(user)
        self.rooms.go_live(LIVE, ANN_ROW, BOB_ROW)

    def use(self, process: Process) -> None:
        """Let this process do what comes next."""
        self.flow, self.approvals = process.flow, process.approvals
        self.keeper = process.keeper

    def process(self, name: str) -> Process:
        """Start the core as another process would, on the same store."""
        post = Post(store=self.store, notices=self.notices, clock=self.clock)
        flow = Flow(
            identity=Identity(TEAM, "app", name),
            policy=self.policy,
            rooms=self.rooms,
            people=self.people,
            store=self.store,
            notices=self.notices,
            post=post,
            clock=self.clock,
            spawn=self.spawn,
        )
        approvals = Approvals(
            policy=self.policy,
            rooms=self.rooms,
            people=self.people,
            store=self.store,
            flow=flow,
            clock=self.clock,
        )
        keeper = Keeper(
            store=self.store,
            flow=flow,
            post=post,
            notices=self.notices,
            clock=self.clock,
            spawn=self.spawn,
        )
        return Process(flow, approvals, keeper)

    async def draft(self, *targets: Target, **changes: object) -> Draft:
        """Keep what a review showed."""
        draft = Draft(
            id=f"draft {len(self.store.drafts)}",
            team_id=TEAM,
            channel_id=CHANNEL,
            requester=AVA,
            meeting=AMA,
            session_id=LIVE.id,
            targets=targets or (ANN, BOB),
            reason="spam",
            created_at=self.clock.now(),
        )
        draft = replace(draft, **changes)  # type: ignore[arg-type] # the fields of a draft
        await self.store.keep(draft)
        return draft

    async def proposed(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review."""
        draft = await self.draft(*targets, **changes)
        proposed = await self.flow.propose(draft.id, f"view {draft.id}", draft.requester)
        assert isinstance(proposed, Proposal)
        return proposed.kick

    async def ready(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review that needs nobody else."""
        kick = await self.proposed(*targets, **changes)
        assert kick.state is State.READY
        return kick

    async def waiting(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review of Ben, who may only ask, and tell those who decide."""
        kick = await self.proposed(*targets, **{"requester": BEN, **changes})
        assert kick.state is State.WAITING
        self.flow.start(kick)
        await self.spawn.finish()
        return kick

    async def run(self, kick: Kick) -> None:
        """Carry it out, and tell."""
        self.flow.start(kick)
        await self.spawn.finish()

    async def carry_out(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review, run the kick, and return the one result that was told."""
        await self.run(await self.ready(*targets, **changes))
        return self.result()

    async def look(self) -> None:
        """Let the keeper look once, and everything that starts with it end."""
        await self.keeper.look()
        await self.spawn.finish()

    def stored(self, kick: Kick) -> Kick:
        return self.store.kicks[kick.id]

    def result(self) -> Kick:
        """Return the one end that was told: it is what the store held at that moment."""
        assert self.notices.troubles == []
        [(told, stored)] = self.notices.results
        assert told == stored == self.stored(told)
        return told

    def change(self, row: Peer, **changes: object) -> None:
        """Change a row of the session."""
        rows = self.rooms.rows[LIVE.id]
        rows[rows.index(row)] = replace(row, **changes)  # type: ignore[arg-type] # of a row


def told(kick: Kick) -> list[tuple[Outcome | None, Why | None]]:
    """List what became of each target, and by what."""
    return [(target.outcome, target.why) for target in kick.targets]
