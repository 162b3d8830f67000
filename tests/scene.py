"""The bot's core over the fakes: who may do what, who is in the meeting, and several processes."""

from dataclasses import dataclass, replace

from bot.core.approval_service import ApprovalService
from bot.core.draft import Draft
from bot.core.kick import ChannelId, Kick, State, UserId
from bot.core.kick_service import InstanceIdentity, KickService, SubmitResult
from bot.core.outbox import Outbox
from bot.core.policy import Grant, Policy, Protected, Role, Rules
from bot.core.reconciler import Reconciler
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, Peer, Session, SessionId
from bot.core.target import Outcome, OutcomeReason, Target
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
KICKED = (Outcome.KICKED, OutcomeReason.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the bot."""

    kick_service: KickService
    approval_service: ApprovalService
    reconciler: Reconciler


class Scene:
    """Ava and Max are moderators, Ben is a helper, Lea a lead, Eve is nobody; two are in."""

    def __init__(self, rules: Rules = GUARDED) -> None:
        self.clock = FakeClock()
        self.gateway = FakeRooms(self.clock)
        self.directory = FakePeople(self.clock)
        self.store = FlakyStore()
        self.notifier = FakeNotices(self.store)
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
            self.directory.add(user)
        self.gateway.go_live(LIVE, ANN_ROW, BOB_ROW)

    def use(self, process: Process) -> None:
        """Let this process do what comes next."""
        self.kick_service, self.approval_service = process.kick_service, process.approval_service
        self.reconciler = process.reconciler

    def process(self, name: str) -> Process:
        """Start the core as another process would, on the same store."""
        post = Outbox(store=self.store, notifier=self.notifier, clock=self.clock)
        flow = KickService(
            identity=InstanceIdentity(TEAM, "app", name),
            policy=self.policy,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            notifier=self.notifier,
            outbox=post,
            clock=self.clock,
            spawn=self.spawn,
        )
        approvals = ApprovalService(
            policy=self.policy,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            kick_service=flow,
            clock=self.clock,
        )
        keeper = Reconciler(
            store=self.store,
            kick_service=flow,
            outbox=post,
            notifier=self.notifier,
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
        await self.store.save_draft(draft)
        return draft

    async def proposed(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review."""
        draft = await self.draft(*targets, **changes)
        proposed = await self.kick_service.submit(draft.id, f"view {draft.id}", draft.requester)
        assert isinstance(proposed, SubmitResult)
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
        self.kick_service.start(kick)
        await self.spawn.finish()
        return kick

    async def run(self, kick: Kick) -> None:
        """Carry it out, and tell."""
        self.kick_service.start(kick)
        await self.spawn.finish()

    async def carry_out(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review, run the kick, and return the one result that was told."""
        await self.run(await self.ready(*targets, **changes))
        return self.result()

    async def look(self) -> None:
        """Let the keeper look once, and everything that starts with it end."""
        await self.reconciler.tick()
        await self.spawn.finish()

    def stored(self, kick: Kick) -> Kick:
        return self.store.kicks[kick.id]

    def result(self) -> Kick:
        """Return the one end that was told: it is what the store held at that moment."""
        assert self.notifier.troubles == []
        [(told, stored)] = self.notifier.results
        assert told == stored == self.stored(told)
        return told

    def change(self, row: Peer, **changes: object) -> None:
        """Change a row of the session."""
        rows = self.gateway.rows[LIVE.id]
        rows[rows.index(row)] = replace(row, **changes)  # type: ignore[arg-type] # of a row


def told(kick: Kick) -> list[tuple[Outcome | None, OutcomeReason | None]]:
    """List what became of each target, and by what."""
    return [(target.outcome, target.outcome_reason) for target in kick.targets]
