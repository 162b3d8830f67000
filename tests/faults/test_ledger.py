"""The audit finds each kind of fault: a test causes each one on purpose."""

import ast
import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from bot.core.event import Event, EventKind
from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
from bot.core.ports import NotFound
from bot.core.roster import CustomId, Meeting, MeetingId, ParticipantId, Peer, PeerId, SessionId
from bot.core.target import Outcome, OutcomeReason, Target
from bot.realtimekit import App, RealtimeKit, http_client
from bot.slack.views import blocks, card, result
from bot.store import SqlStore
from tests.faults.ledger import BLINK, Tally, audit, is_settled
from tests.sandbox.realtimekit import Participant
from tests.sandbox.sandbox import Sandbox, open_sandbox
from tests.sandbox.slack import MessageContent


class Case:
    """A correct kick of Mallory: requested, approved, called once, reported."""

    def __init__(self, sandbox: Sandbox, store: SqlStore) -> None:
        self.sandbox = sandbox
        self.store = store
        self.outcome, self.why = Outcome.KICKED, OutcomeReason.CONFIRMED
        self.calls = self.results = self.cards = 1
        self.settles_cards = self.knows_cards = self.delivers = True

    async def play(self) -> Tally:
        """Play the case, and return the audit."""
        kick = await self.asked(State.WAITING, expires_in=600)
        for _ in range(self.cards):
            self.post("C0MODS", card.card(kick))
        kick = await self.move(kick, kick.approve(UserId("U0MO"), now()), EventKind.APPROVED)
        kick = await self.move(kick, kick.claim("me", now(), kick.session_id), EventKind.CLAIMED)
        kick = await self._marked(kick)
        for _ in range(self.calls):
            await self.call()
        settled = kick.settle(kick.targets[0], self.outcome, self.why)
        kick = await self.move(kick, settled, EventKind.SETTLED)
        kick = await self.move(kick, kick.finish(now()), EventKind.FINISHED)
        self._tell(kick)
        cards_there = self.sandbox.slack.workspace.chat.visible("C0MODS", "U0MO")
        ts = cards_there[-1].ts if self.knows_cards else None
        for notice in await self.store.pending_messages(kick.id) if self.delivers else ():
            await self.store.update_message(notice, notice.delivered(ChannelId("C0MODS"), ts))
        return await audit(self.sandbox, self.store)

    def _tell(self, kick: Kick) -> None:
        for _ in range(self.results):
            self.post("C0LIVE", result.result(kick))
        chat, posted = self.sandbox.slack.workspace.chat, card.card(kick)
        if self.settles_cards:
            for message in chat.visible("C0MODS", "U0MO")[-1:]:
                chat.replace(message, MessageContent(posted["text"], posted["blocks"]))

    async def asked(self, state: State, *, expires_in: float = 0, ago: float = 0) -> Kick:
        """Store a requested kick of Mallory."""
        sandbox, mallory = self.sandbox, self.sandbox.demo.mallory
        session = sandbox.demo.world.live_session(sandbox.demo.ama)
        assert session is not None
        about = (ParticipantId(mallory.id), CustomId(mallory.custom_id), "Mallory", mallory.preset)
        kick = Kick(
            id=KickId("0" * 32),
            idempotency_key="V0REVIEW",
            team_id=TeamId("T0KICK"),
            app_id=sandbox.realtimekit.app_id,
            channel_id=ChannelId("C0LIVE"),
            meeting=Meeting(MeetingId(sandbox.demo.ama.id), sandbox.demo.ama.title),
            session_id=SessionId(session.id),
            requester=UserId("U0MAYA"),
            reason="spamming links",
            targets=(Target(*about),),
            created_at=now() - timedelta(seconds=ago),
            state=state,
            expires_at=now() + timedelta(seconds=expires_in) if expires_in else None,
        )
        return await self.store.add(
            kick, Event(now(), EventKind.ASKED, kick.requester, "", kick.id)
        )

    async def _marked(self, kick: Kick) -> Kick:
        peers = tuple(
            Peer(PeerId(one.id), None, None, "Mallory", None, one.joined_at, None)
            for session in self.sandbox.demo.world.sessions
            for one in session.peers
            if one.participant is self.sandbox.demo.mallory
        )
        marked = kick.mark_called(kick.targets[0], peers, now())
        return await self.move(kick, marked, EventKind.CALLED)

    async def move(self, before: Kick, after: Kick, what: EventKind) -> Kick:
        note = f"Mallory [{after.targets[0].key}]"
        return await self.store.transition(before, after, Event(now(), what, None, note, after.id))

    async def call(self, person: Participant | None = None) -> None:
        """Call RealtimeKit as the bot does. A 404 does not matter."""
        realtimekit = self.sandbox.realtimekit
        app = App(realtimekit.account_id, realtimekit.app_id, SecretStr(realtimekit.api_token))
        async with http_client(realtimekit.url) as http:
            try:
                await RealtimeKit(http, app).kick(
                    MeetingId(self.sandbox.demo.ama.id),
                    participant_ids=[ParticipantId((person or self.sandbox.demo.mallory).id)],
                )
            except NotFound:
                return

    def post(self, channel: str, message: blocks.Message) -> None:
        draft = MessageContent(message["text"], message["blocks"])
        self.sandbox.slack.workspace.chat.put(channel, draft)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def case(sqlite_url: str) -> AsyncIterator[Case]:
    store = SqlStore(sqlite_url)
    await store.start()
    async with open_sandbox() as sandbox:
        yield Case(sandbox, store)
    await store.close()


def counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.lost, tally.doubled, tally.misreported, tally.duplicates


async def test_what_is_as_it_should_be_is_not_complained_of(case: Case) -> None:
    tally = await case.play()

    assert counts(tally) == (0, 0, 0, 0), tally.findings
    assert tally.cases == 1
    assert tally.is_clean
    assert await is_settled(case.store)


async def test_a_second_call_is_caught(case: Case) -> None:
    case.calls = 2

    assert counts(await case.play()) == (0, 1, 0, 0)


async def test_a_call_for_somebody_who_was_not_asked_for_is_caught(case: Case) -> None:
    await case.call(case.sandbox.demo.host)

    assert counts(await case.play()) == (0, 1, 0, 0)


async def test_a_call_that_was_turned_away_may_be_sent_again(case: Case) -> None:
    case.sandbox.realtimekit.faults.switch_on("rate_limited", op="kick", times=1, retry_after=0)

    assert counts(await case.play()) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [(Outcome.GONE, OutcomeReason.LEFT), (Outcome.KICKED, OutcomeReason.CONFIRMED)],
)
async def test_a_false_outcome_is_caught(case: Case, outcome: Outcome, why: OutcomeReason) -> None:
    case.outcome, case.why = outcome, why
    case.calls = 0

    tally = await case.play()

    assert counts(tally) == (0, 0, 1, 0), tally.findings


async def test_somebody_who_left_after_they_were_called_gone_was_not(case: Case) -> None:
    case.outcome, case.why, case.calls = Outcome.GONE, OutcomeReason.LEFT, 0
    await case.play()
    world, mallory = case.sandbox.demo.world, case.sandbox.demo.mallory
    peers = [one for all_ in world.sessions for one in all_.peers if one.participant is mallory]
    await asyncio.sleep(2 * BLINK.total_seconds())
    world.leave(peers[0])

    assert counts(await audit(case.sandbox, case.store)) == (0, 0, 1, 0)


async def test_a_failure_that_had_an_effect_is_caught(case: Case) -> None:
    case.outcome, case.why = Outcome.FAILED, OutcomeReason.STILL_THERE

    assert counts(await case.play()) == (0, 0, 1, 0)


async def test_who_had_left_before_the_call_was_not_still_there(case: Case) -> None:
    case.outcome, case.why, case.calls = Outcome.FAILED, OutcomeReason.STILL_THERE, 0
    world, mallory = case.sandbox.demo.world, case.sandbox.demo.mallory
    for peer in [one for all_ in world.sessions for one in all_.peers]:
        if peer.participant is mallory:
            world.leave(peer)

    assert counts(await case.play()) == (0, 0, 1, 0)


async def test_nobody_was_removed_is_no_word_for_a_kick_with_an_effect(case: Case) -> None:
    case.outcome, case.why = Outcome.UNKNOWN, OutcomeReason.NO_ANSWER
    case.post("C0LIVE", blocks.text_message("Kick #1 expired: nobody was removed."))

    tally = await case.play()

    assert counts(tally) == (0, 0, 1, 1), tally.findings


async def test_words_that_differ_from_the_store_are_caught(case: Case) -> None:
    tally = await case.play()
    assert tally.is_clean
    chat = case.sandbox.slack.workspace.chat
    posted = chat.visible("C0LIVE", "U0MAYA")[0]
    told = str(posted.blocks).replace("✓ kicked", "✗ failed: busy")
    chat.replace(posted, MessageContent(posted.text, ast.literal_eval(told)))

    assert counts(await audit(case.sandbox, case.store)) == (0, 0, 1, 0)


async def test_a_result_that_was_never_posted_is_lost(case: Case) -> None:
    case.results = 0

    assert counts(await case.play()) == (1, 0, 0, 0)


async def test_a_notice_that_is_still_owed_is_lost(case: Case) -> None:
    case.delivers = False

    tally = await case.play()

    assert counts(tally) == (2, 0, 0, 0), tally.findings
    assert not await is_settled(case.store)


@pytest.mark.parametrize(("known", "found"), [(True, (1, 0, 0, 0)), (False, (0, 0, 0, 1))])
async def test_a_card_that_keeps_its_button_is_lost_or_an_unknown_copy(
    case: Case, *, known: bool, found: tuple[int, int, int, int]
) -> None:
    case.settles_cards, case.knows_cards = False, known

    assert counts(await case.play()) == found


async def test_what_is_told_twice_is_a_duplicate(case: Case) -> None:
    case.results = case.cards = 2

    assert counts(await case.play()) == (0, 0, 0, 2)


async def test_a_kick_that_nobody_went_on_with_is_lost(case: Case) -> None:
    kick = await case.asked(State.READY)

    tally = await audit(case.sandbox, case.store)

    assert counts(tally) == (1, 0, 0, 0), tally.findings
    assert f"#{kick.number} is ready" in tally.findings[0]


async def test_a_request_may_wait_as_long_as_its_time_is_not_over(case: Case) -> None:
    await case.asked(State.WAITING, expires_in=10)
    case.post("C0MODS", blocks.text_message("Kick #1: may 1 person be removed?"))

    assert (await audit(case.sandbox, case.store, may_wait=True)).lost == 1
    assert (await audit(case.sandbox, case.store)).lost == 1 + 1


async def test_a_request_whose_card_never_came_is_lost(case: Case) -> None:
    await case.asked(State.WAITING, expires_in=10, ago=60)

    tally = await audit(case.sandbox, case.store, may_wait=True)

    assert "its card was never posted" in " ".join(tally.findings)


async def test_a_refusal_is_told_by_a_view(case: Case) -> None:
    kick = await case.asked(State.READY)
    await case.move(kick, kick.refuse("No.", now()), EventKind.REFUSED)
    silent = await audit(case.sandbox, case.store)
    view = {"title": {"type": "plain_text", "text": "Kick #1"}, "type": "modal"}
    shown = blocks.text_message("Nobody was removed. No.")["blocks"]
    case.sandbox.slack.workspace.views.open("U0MAYA", view | {"blocks": shown})

    assert "nobody was told" in " ".join(silent.findings)
    assert "nobody was told" not in " ".join((await audit(case.sandbox, case.store)).findings)


async def test_tallies_add_up(case: Case) -> None:
    case.results = 2
    tally = await case.play()
    tally.allowed = 1

    assert tally.is_clean
    assert counts(tally + Tally("more", cases=2, doubled=1)) == (0, 1, 0, 1)
    assert not (tally + Tally("more", duplicates=1, allowed=0)).is_clean
