"""The audit after a run: compares what the bot stored and posted with what the stand-ins know.

It does not trust the bot. It counts calls where they arrive, and reads effects from the simulated
meetings and messages from the simulated channels.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.core.event import EventKind
from bot.core.kick import OPEN, ChannelId, Kick, State
from bot.core.outbox_message import DELIVER_WITHIN, MessageKind
from bot.core.target import Outcome, OutcomeReason, Target
from bot.core.timing import MAX_CALL_TIME
from bot.store import SqlStore
from bot.store.schema import outbox
from tests.sandbox.realtimekit import Call, KickEffect, Participant
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Message

APPROVALS = "C0MODS"
# Ends that the bot must report to the requester, at least in the open modal. After a
# cancellation, the requester knows.
FOR_THE_ASKER = frozenset({State.REFUSED, State.DENIED, State.EXPIRED})
NOBODY_REMOVED = "nobody was removed"
BUSY = 429
# If a process dies before it posts a card, the card is due after half a minute.
CARD_WITHIN = DELIVER_WITHIN + timedelta(seconds=10)
# The dates of the stand-ins and of the bot differ by the time that some lines of code take.
BLINK = timedelta(milliseconds=50)
NEVER = datetime(9000, 1, 1, tzinfo=UTC)

_NAMES_KICK = re.compile(r"kick #(\d+)", re.IGNORECASE)
_TELLS = re.compile(r"— . (kicked|gone|failed|unknown)\b")
_MEETING = re.compile(r"/meetings/([^/]+)/active-session/kick")

Key = tuple[str, str, str]
"""The person that a call names: the meeting, the kind of id, the id."""


@dataclass
class Tally:
    """The findings of an audit. `cases` counts what was audited. Tallies can be added.

    `allowed` counts the duplicates that could not be avoided; None: any number is allowed.
    """

    name: str
    cases: int = 0
    lost: int = 0
    doubled: int = 0
    misreported: int = 0
    duplicates: int = 0
    findings: list[str] = field(default_factory=list)
    allowed: int | None = None

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.name,
            self.cases + other.cases,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.misreported + other.misreported,
            self.duplicates + other.duplicates,
            [*self.findings, *other.findings],
            _sum(self.allowed, other.allowed),
        )

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing was lost, doubled or misreported, and no duplicate was avoidable."""
        too_often = self.allowed is not None and self.duplicates > self.allowed
        return not (self.lost or self.doubled or self.misreported or too_often)

    def find(self, column: str, finding: str, count: int = 1) -> None:
        """Count a finding in its column, and record its text."""
        setattr(self, column, getattr(self, column) + count)
        self.findings.append(f"{column}: {finding}")


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


async def is_settled(store: SqlStore, *, may_wait: bool = False) -> bool:
    """Tell whether every kick has ended and every message is delivered."""
    kicks = await store.history(1_000_000)
    if any(_is_open(kick, may_wait=may_wait) for kick in kicks):
        return False
    return not await store.overdue_messages(NEVER)


async def audit(
    sandbox: Sandbox,
    store: SqlStore,
    *,
    name: str = "audit",
    approvals: str = APPROVALS,
    may_wait: bool = False,
    real_time: bool = True,
    kicks: Sequence[Kick] | None = None,
) -> Tally:
    """Audit what was stored, called and posted. Call this when nothing is running any more.

    `may_wait`: an undecided request is not lost before its deadline. `real_time`: False if the bot
    had a clock of its own; then calls, marks and effects are compared by their numbers only.
    `kicks`: audit only these. Calls are still counted for all kicks.
    """
    everything = list(await store.history(1_000_000))
    judged = everything if kicks is None else list(kicks)
    tally = Tally(name, cases=len(judged))
    said = _Said(sandbox, everything, approvals)
    truth = _Truth(sandbox, everything, real_time=real_time)
    _count_calls(tally, truth)
    _count_kicked(tally, truth)
    for kick in judged:
        _look_for_losses(tally, kick, said, may_wait=may_wait)
        _look_for_duplicates(tally, kick, said)
        if kick.approval_requested and kick.state is not State.WAITING:
            _look_for_buttons(tally, kick, said, await _card_ts(store, kick))
        _compare_words(tally, kick, said, truth)
        for target in kick.targets:
            await _compare_target(tally, store, kick, target, truth)
    ids = {kick.id for kick in judged}
    for message in await store.overdue_messages(NEVER):
        if message.kick_id in ids:
            tally.find("lost", f"kick {message.kick_id}: its {message.kind} is still pending")
    return tally


# What really happened


class _Truth:
    """The calls and effects in the RealtimeKit stand-in, and the kicks they may belong to."""

    def __init__(self, sandbox: Sandbox, kicks: Iterable[Kick], *, real_time: bool) -> None:
        self.world = sandbox.realtimekit.world
        self.real_time = real_time
        self._effects: dict[str, list[KickEffect]] = {}
        for effect in self.world.kicks:
            self._effects.setdefault(effect.participant.meeting.id, []).append(effect)
        self.calls: dict[Key, list[Call]] = {}
        for call in sandbox.realtimekit.calls:
            # A call that got a 429 had no effect, and may be sent again.
            if call.op == "kick" and call.status != BUSY:
                for key in keys_of(call):
                    self.calls.setdefault(key, []).append(call)
        self.marks: dict[Key, list[tuple[Kick, Target]]] = {}
        for kick in kicks:
            for target in kick.targets:
                if target.called_at and (named := key_of(kick, target)):
                    self.marks.setdefault(named, []).append((kick, target))

    def effects(self, kick: Kick, target: Target) -> Iterator[KickEffect]:
        """Yield the effects on this target that only this kick's call can have had."""
        for effect in self.on(kick, target):
            causes = self._causes(effect)
            if causes and all(one.id == kick.id for one, _ in causes):
                yield effect

    def on(self, kick: Kick, target: Target) -> Iterator[KickEffect]:
        """Yield the effects on the records that a target names."""
        for effect in self._effects.get(kick.meeting.id, ()):
            if is_meant(effect.participant, kick, target):
                yield effect

    def _causes(self, effect: KickEffect) -> list[tuple[Kick, Target]]:
        """Return the marked targets whose call may have had this effect."""
        person = effect.participant
        causes = []
        for key in (
            (person.meeting.id, "id", person.id),
            (person.meeting.id, "custom", person.custom_id),
        ):
            calls = [call for call in self.calls.get(key, ()) if self._spans(call, effect)]
            causes += [
                (kick, target)
                for kick, target in self.marks.get(key, ())
                if any(self._fits(target, call) for call in calls)
            ]
        return causes

    def _spans(self, call: Call, effect: KickEffect) -> bool:
        ended = call.ended_at or NEVER - BLINK
        return call.started_at - BLINK <= effect.at <= ended + BLINK

    def _fits(self, target: Target, call: Call) -> bool:
        if not self.real_time:
            return True
        since = call.started_at - MAX_CALL_TIME
        return target.called_at is not None and since <= target.called_at <= call.started_at + BLINK

    def people(self, kick: Kick, target: Target) -> list[Participant]:
        """Return the records that a target names."""
        meeting = self.world.meeting(kick.meeting.id)
        records = self.world.records(meeting) if meeting else []
        return [one for one in records if is_meant(one, kick, target)]


def keys_of(call: Call) -> list[Key]:
    """Return the people that a kick call names."""
    found = _MEETING.search(call.path)
    body = call.body if isinstance(call.body, dict) else {}
    meeting = found[1] if found else ""
    by_id = [(meeting, "id", str(one)) for one in body.get("participant_ids", ())]
    by_custom = [(meeting, "custom", str(one)) for one in body.get("custom_participant_ids", ())]
    return by_id + by_custom


def key_of(kick: Kick, target: Target) -> Key | None:
    """Return whom the call for a target must name; None if the target has no id."""
    if target.participant_id:
        return (kick.meeting.id, "id", target.participant_id)
    return (kick.meeting.id, "custom", target.custom_id) if target.custom_id else None


def is_meant(person: Participant, kick: Kick, target: Target) -> bool:
    """Tell whether a target names this record."""
    if person.meeting.id != kick.meeting.id:
        return False
    if target.participant_id:
        return person.id == target.participant_id
    return bool(target.custom_id) and person.custom_id == target.custom_id


# Calls and outcomes


def _count_calls(tally: Tally, truth: _Truth) -> None:
    for key, calls in truth.calls.items():
        marks = len(truth.marks.get(key, ()))
        if len(calls) > marks:
            words = f"{len(calls)} calls for {key}, {marks} targets marked as called"
            tally.find("doubled", words, len(calls) - marks)


def _count_kicked(tally: Tally, truth: _Truth) -> None:
    """Check that each target reported as kicked was removed after its mark."""
    for key, marked in truth.marks.items():
        said = [one for one in marked if one[1].outcome is Outcome.KICKED]
        said.sort(key=lambda one: one[1].called_at or NEVER)
        left = sorted((one.at for one in truth.on(*marked[0])), key=lambda at: at)
        for kick, target in said:
            since = (target.called_at or NEVER) - BLINK if truth.real_time else None
            proof = next((at for at in left if since is None or at >= since), None)
            if proof is None:
                tally.find("misreported", f"kick #{kick.number} says kicked, {key} was not")
            else:
                left.remove(proof)


async def _compare_target(
    tally: Tally, store: SqlStore, kick: Kick, target: Target, truth: _Truth
) -> None:
    about = f"kick #{kick.number}, {target.name!r}"
    if kick.state is State.DONE and target.outcome is None:
        tally.find("lost", f"{about}: done without an outcome")
    if target.outcome is Outcome.KICKED and target.called_at is None:
        tally.find("misreported", f"{about}: kicked, but never marked as called")
    people, why = truth.people(kick, target), target.outcome_reason
    if target.outcome is Outcome.FAILED and any(truth.effects(kick, target)):
        tally.find("misreported", f"{about}: failed ({why}), but its call had an effect")
    elif why is OutcomeReason.STILL_THERE and _had_left_before(target, people, truth):
        tally.find("misreported", f"{about}: {why}, but they had left before the call")
    if target.outcome is Outcome.GONE:
        told_at = await _told_at(store, kick, target) if truth.real_time else NEVER
        if not _had_left(target, people, truth, told_at):
            tally.find(
                "misreported", f"{about}: gone ({target.outcome_reason}), but they never left"
            )


def _had_left_before(target: Target, people: Iterable[Participant], truth: _Truth) -> bool:
    """Tell whether every connection from before the mark was closed at the mark."""
    return (
        truth.real_time
        and target.called_at is not None
        and _had_left(target, people, truth, target.called_at)
    )


async def _told_at(store: SqlStore, kick: Kick, target: Target) -> datetime:
    """Return when the outcome was settled. Leaving later would be no evidence for it."""
    settled = [
        event.at
        for event in await store.events(kick.id)
        if event.kind is EventKind.SETTLED and f"[{target.key}]" in event.note
    ]
    return max(settled, default=NEVER)


def _had_left(
    target: Target, people: Iterable[Participant], truth: _Truth, told_at: datetime
) -> bool:
    """Tell whether every connection from before the mark was closed by then."""
    if target.called_at is None:
        return False
    ids = {one.id for one in people}
    peers = [peer for one in truth.world.sessions for peer in one.peers]
    mine = [peer for peer in peers if peer.participant.id in ids]
    seen = {peer.peer_id for peer in target.peers}
    before = [
        peer
        for peer in mine
        if peer.id in seen or (truth.real_time and peer.joined_at < target.called_at)
    ]
    limit = min(told_at, NEVER - BLINK) + BLINK
    return all(peer.left_at is not None and peer.left_at <= limit for peer in before)


# What the bot reported


class _Said:
    """The bot's current messages about each kick, and all contents of its modals."""

    def __init__(self, sandbox: Sandbox, kicks: Iterable[Kick], approvals: str) -> None:
        self._place = sandbox
        self._cards: dict[int, list[Message]] = {}
        self._others: dict[int, list[Message]] = {}
        self._views: dict[tuple[int, str], list[str]] = {}
        by_number = {kick.number: kick for kick in kicks}
        by_id = {str(kick.id): kick for kick in by_number.values()}
        author = sandbox.slack.workspace.team.bot.id
        for message in sandbox.slack.workspace.chat._messages.values():
            kick = _about(message, by_number, by_id) if message.author == author else None
            if kick:
                is_card = message.channel == approvals and kick.channel_id != approvals
                where = self._cards if is_card and kick.approval_requested else self._others
                where.setdefault(kick.number, []).append(message)
        for user, view in _views_shown(sandbox):
            number = _number_in(str(view.get("title")))
            if number is not None:
                self._views.setdefault((number, user), []).append(str(view["blocks"]))

    def cards(self, kick: Kick) -> list[Message]:
        """Return the cards of a request."""
        return self._cards.get(kick.number, [])

    def told(self, kick: Kick) -> list[Message]:
        """Return the lasting messages about a kick, in its channel or to its requester."""
        direct = self._place.slack.workspace.directory.direct(kick.requester)
        places = {kick.channel_id, ChannelId(direct.id if direct else "")}
        others = self._others.get(kick.number, [])
        return [one for one in others if one.channel in places and not one.only_for]

    def read(self, message: Message, kick: Kick) -> str:
        """Return a message as text."""
        return self._place.slack.person(kick.requester).read(message)

    def shown(self, kick: Kick) -> list[str]:
        """Return what the requester's modals have shown about a kick."""
        return self._views.get((kick.number, kick.requester), [])

    def says_nobody(self, kick: Kick) -> bool:
        """Tell whether the bot ever reported that nobody was removed."""
        said = [self.read(one, kick) for one in self._others.get(kick.number, [])]
        return any(NOBODY_REMOVED in text.casefold() for text in [*said, *self.shown(kick)])


def _views_shown(sandbox: Sandbox) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the user and the content of each view that a call or an ack has set."""
    whose: dict[str, str] = {}
    for delivered in sandbox.slack.deliveries:
        view = delivered.payload.get("view") or {}
        user = str((delivered.payload.get("user") or {}).get("id"))
        whose |= {view[name]: user for name in ("id", "root_view_id") if view.get(name)}
        body = delivered.outcome.body if delivered.outcome else None
        if isinstance(body, dict) and body.get("view"):
            yield user, body["view"]
    for user in sandbox.slack.workspace.directory.users:
        for shown in sandbox.slack.workspace.views.stack(user):
            whose[shown.id] = user
            yield user, shown.content
    for call in sandbox.slack.calls:
        if call.method.startswith("views.") and call.answer and call.answer.get("ok"):
            user = whose.get(call.answer["view"]["id"], "")
            yield user, call.arguments["view"]


def _about(message: Message, by_number: dict[int, Kick], by_id: dict[str, Kick]) -> Kick | None:
    for button in buttons(message):
        if kick := by_id.get(str(button.get("value"))):
            return kick
    number = _number_in(message.text)
    if number is None:
        # A fallback for messages whose summary contains no number.
        number = _number_in(str(message.blocks))
    return by_number.get(number) if number is not None else None


def _number_in(text: str) -> int | None:
    found = _NAMES_KICK.search(text)
    return int(found[1]) if found else None


def buttons(message: Message) -> list[dict[str, Any]]:
    """Return the buttons of a message, in any block."""
    elements = [
        element
        for block in message.blocks
        for element in (*block.get("elements", ()), block.get("accessory") or {})
    ]
    return [one for one in elements if one.get("type") == "button"]


def _is_open(kick: Kick, *, may_wait: bool) -> bool:
    if may_wait and kick.state is State.WAITING:
        return kick.expires_at is None or kick.expires_at <= datetime.now(UTC)
    return kick.state in OPEN


def _look_for_losses(tally: Tally, kick: Kick, said: _Said, *, may_wait: bool) -> None:
    if _is_open(kick, may_wait=may_wait):
        tally.find("lost", f"kick #{kick.number} is {kick.state}")
    # A kick that was refused at its submit was reported in the reply to the submit.
    to_tell = kick.state is State.DONE or (kick.state in FOR_THE_ASKER and kick.version > 1)
    by_view = kick.state in FOR_THE_ASKER and said.says_nobody(kick)
    if to_tell and not (said.told(kick) or by_view):
        tally.find("lost", f"kick #{kick.number} is {kick.state}, and nobody was told")
    cards = said.cards(kick)
    if kick.approval_requested and not cards and _waited(kick) > CARD_WITHIN:
        tally.find("lost", f"kick #{kick.number}: its card was never posted")


async def _card_ts(store: SqlStore, kick: Kick) -> str | None:
    """Return the ts of the card that the store knows, if any."""
    told = await store._messages(outbox.c.kick_id == kick.id, outbox.c.kind == MessageKind.CARD)
    return told[0].ts if told else None


def _look_for_buttons(tally: Tally, kick: Kick, said: _Said, known: str | None) -> None:
    """Check that the card has no button. A card that the store does not know is a duplicate."""
    for card in filter(buttons, said.cards(kick)):
        words = f"kick #{kick.number} is {kick.state}: a card still has a button"
        if card.ts == known:
            tally.find("lost", words)
        elif known is None:
            tally.find("duplicates", f"{words}, and is not known of")


def _waited(kick: Kick) -> timedelta:
    """Return how long a request was open."""
    return (kick.decided_at or kick.done_at or datetime.now(UTC)) - kick.created_at


def _look_for_duplicates(tally: Tally, kick: Kick, said: _Said) -> None:
    told = said.told(kick)
    in_channel = [one for one in told if one.channel == kick.channel_id]
    # Only equal texts are duplicates: a problem and the later result are two messages.
    direct = Counter(one.text for one in told if one.channel != kick.channel_id)
    more = len(in_channel) - 1 if in_channel else 0
    more += sum(count - 1 for count in direct.values())
    if more:
        tally.find("duplicates", f"kick #{kick.number}: told {more + 1} times", more)
    if (cards := len(said.cards(kick))) > 1:
        tally.find("duplicates", f"kick #{kick.number}: {cards} cards", cards - 1)


def _compare_words(tally: Tally, kick: Kick, said: _Said, truth: _Truth) -> None:
    had_effect = any(any(truth.effects(kick, target)) for target in kick.targets)
    if had_effect and said.says_nobody(kick):
        tally.find("misreported", f"kick #{kick.number}: nobody was removed, it says; not so")
    if kick.state not in {State.DONE, *OPEN} and any(one.called_at for one in kick.targets):
        tally.find("misreported", f"kick #{kick.number} is {kick.state}, but was called for")
    if kick.state is not State.DONE:
        return
    stored = Counter(str(target.outcome) for target in kick.targets)
    results = [Counter(_TELLS.findall(said.read(one, kick))) for one in said.told(kick)]
    tellings = [one for one in results if one]
    # A later message may have resolved an unknown outcome. Nothing else may differ.
    known = [one for one in tellings if not one["unknown"]]
    if tellings and (stored not in tellings or any(one != stored for one in known)):
        words = f"posted {[dict(one) for one in tellings]}, stored {dict(stored)}"
        tally.find("misreported", f"kick #{kick.number}: {words}")
