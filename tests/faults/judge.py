"""The checks of a race: what must hold for every kick, and for what users read about it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bot.core.event import Event, EventKind
from bot.core.kick import Kick, KickId, State
from bot.store import SqlStore
from tests.faults.ledger import Tally, audit, is_settled
from tests.faults.stage import PATIENCE, PLENTY, Stage
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

BY = "Approved by"
DECISIONS = {EventKind.APPROVED, EventKind.DENIED, EventKind.CANCELLED}


@dataclass(frozen=True, slots=True)
class Told:
    """What a user read in the end about a request that they acted on; None: nothing."""

    kick: KickId
    person: Person
    text: str | None
    strips: tuple[str, ...] = ()


async def judge(
    stage: Stage,
    name: str,
    kicks: Sequence[KickId],
    told: Sequence[Told],
    *,
    real_time: bool = True,
) -> Tally:
    """Audit these kicks, when nothing is running any more. `real_time` is as in `audit`."""
    ids = set(kicks)
    ended = {one.id: one for one in await stage.store.history(PLENTY) if one.id in ids}
    audited = list(ended.values())
    tally = await audit(stage.sandbox, stage.store, name=name, kicks=audited, real_time=real_time)
    calls = calls_by_target(stage.sandbox)
    for kick in ended.values():
        for wrong in faults_of(kick, await stage.store.events(kick.id), calls):
            tally.find("doubled", wrong)
    for one in told:
        for wrong in untrue(one, ended[one.kick], stage.sandbox):
            tally.find("misreported", wrong)
    problems = stage.sandbox.slack.problems
    while problems:
        tally.find("misreported", f"Slack had to do with {problems.pop()}")
    return tally


async def settled(store: SqlStore) -> None:
    """Wait until nothing is running any more. After a timeout, the audit finds the rest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not await is_settled(store):  # noqa: ASYNC110 - other processes settle it
                await asyncio.sleep(0.5)


def calls_by_target(sandbox: Sandbox) -> Counter[str]:
    """Return the number of kick calls for each participant."""
    kicks = (call for call in sandbox.realtimekit.calls if call.op == "kick")
    return Counter(named for call in kicks for named in call.body["participant_ids"])


def faults_of(kick: Kick, events: Sequence[Event], calls: Mapping[str, int]) -> list[str]:
    """Return what was done twice, or after losing a race."""
    about, whats = f"kick #{kick.number}", [one.kind for one in events]
    wrong = []
    decisions = [one for one in whats if one in DECISIONS]
    if kick.approval_requested and not decisions:
        decisions = [one for one in whats if one is EventKind.EXPIRED]
    if kick.approval_requested and len(decisions) != 1:
        wrong.append(f"{about}: decided {len(decisions)} times: {decisions}")
    for target in kick.targets:
        count = calls.get(str(target.participant_id), 0)
        if count > (kick.state is State.DONE):
            wrong.append(f"{about}, {kick.state}: {count} calls for {target.name}")
        named = f"{target.name} [{target.key}]: "
        given = [
            one for one in events if one.kind is EventKind.SETTLED and one.note.startswith(named)
        ]
        if len(given) > 1:
            wrong.append(f"{about}: {target.name} was given an outcome {len(given)} times")
    if (
        EventKind.TAKEN_OVER in whats
        and EventKind.CALLED in whats[whats.index(EventKind.TAKEN_OVER) :]
    ):
        wrong.append(f"{about}: called after it was taken over")
    return wrong


def untrue(told: Told, kick: Kick, sandbox: Sandbox) -> list[str]:
    """Return what is wrong with what a user read in the end."""
    about = f"kick #{kick.number}, {kick.state}: {told.person.user.name}"
    wrong = [f"{about} saw {one}" for one in told.strips]
    if told.text is None:
        return [*wrong, f"{about} was not answered"]
    approver = f"@{sandbox.slack.person(kick.approver).user.name}" if kick.approver else ""
    words = {
        State.DONE: f"{BY} {approver}",
        State.DENIED: f"Denied by {approver}",
        State.CANCELLED: "It was taken back.",
        State.EXPIRED: "Nobody decided in time",
    }.get(kick.state, "neither here nor there")
    is_true = words in told.text and ("Nobody was removed" in told.text) != (
        kick.state is State.DONE
    )
    return wrong if is_true else [*wrong, f"{about} was told: {told.text}"]
