"""The core on top of the fakes: a policy, a meeting, and several processes of the bot."""

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
from tests.fakes import TEAM, FakeClock, FakeDirectory, FakeGateway, FakeNotifier, FakeSpawn, peer
from tests.stores import FlakyStore

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
    """Ava and Max are moderators, Ben is a helper, Lea is a lead, and Eve has no role.

    Ann and Bob are in the meeting.
    """

    def __init__(self, rules: Rules = GUARDED) -> None:
        self.clock = FakeClock()
        self.gateway = FakeGateway(self.clock)
        self.directory = FakeDirectory(self.clock)
        self.store = FlakyStore()
        self.notifier = FakeNotifier(self.store)
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
        """Use the services of this process from now on."""
        self.kick_service, self.approval_service = process.kick_service, process.approval_service
        self.reconciler = process.reconciler

    def process(self, name: str) -> Process:
        """Return the services of a new process on the same store."""
        outbox = Outbox(store=self.store, notifier=self.notifier, clock=self.clock)
        kick_service = KickService(
            identity=InstanceIdentity(TEAM, "app", name),
            policy=self.policy,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            notifier=self.notifier,
            outbox=outbox,
            clock=self.clock,
            spawn=self.spawn,
        )
        approval_service = ApprovalService(
            policy=self.policy,
            gateway=self.gateway,
            directory=self.directory,
            store=self.store,
            kick_service=kick_service,
            clock=self.clock,
        )
        reconciler = Reconciler(
            store=self.store,
            kick_service=kick_service,
            outbox=outbox,
            notifier=self.notifier,
            clock=self.clock,
            spawn=self.spawn,
        )
        return Process(kick_service, approval_service, reconciler)

    async def draft(self, *targets: Target, **changes: object) -> Draft:
        """Store the draft of a review."""
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

    async def submitted(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review, and return the stored kick."""
        draft = await self.draft(*targets, **changes)
        result = await self.kick_service.submit(draft.id, f"view {draft.id}", draft.requester)
        assert isinstance(result, SubmitResult)
        return result.kick

    async def ready(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review that needs no approval."""
        kick = await self.submitted(*targets, **changes)
        assert kick.state is State.READY
        return kick

    async def waiting(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review as Ben, who needs an approval, and deliver its card."""
        kick = await self.submitted(*targets, **{"requester": BEN, **changes})
        assert kick.state is State.WAITING
        await self.run(kick)
        return kick

    async def run(self, kick: Kick) -> None:
        """Start a kick, and wait for all work."""
        self.kick_service.start(kick)
        await self.spawn.finish()

    async def carry_out(self, *targets: Target, **changes: object) -> Kick:
        """Submit a review, run the kick, and return its delivered result."""
        await self.run(await self.ready(*targets, **changes))
        return self.result()

    async def tick(self) -> None:
        """Let the reconciler tick once, and wait for all work."""
        await self.reconciler.tick()
        await self.spawn.finish()

    def stored(self, kick: Kick) -> Kick:
        return self.store.kicks[kick.id]

    def result(self) -> Kick:
        """Return the only delivered result. It must be what was stored at that moment, and now."""
        assert self.notifier.problems == []
        [(delivered, stored)] = self.notifier.results
        assert delivered == stored == self.stored(delivered)
        return delivered

    def change(self, row: Peer, **changes: object) -> None:
        """Change a row of the session."""
        rows = self.gateway.rows[LIVE.id]
        rows[rows.index(row)] = replace(row, **changes)  # type: ignore[arg-type] # of a row


def outcomes(kick: Kick) -> list[tuple[Outcome | None, OutcomeReason | None]]:
    """Return the outcome of each target, and its reason."""
    return [(target.outcome, target.outcome_reason) for target in kick.targets]
