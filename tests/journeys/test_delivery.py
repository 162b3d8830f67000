"""Delivery of messages: later, in another way, and only once, whatever Slack does."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.core.event import EventKind
from bot.core.kick import State
from bot.core.outbox_message import DELIVER_WITHIN, MessageKind
from bot.core.timing import RECOVER_AFTER
from bot.slack import modals
from tests.clocks import HastyClock
from tests.journeys import leftovers
from tests.journeys.approvals import asked, cards, settled, to_request
from tests.journeys.conftest import Start, database_of
from tests.journeys.steps import (
    ONE_TRANSPORT,
    all_delivered,
    assert_in_plain_words,
    direct_message,
    kick_calls,
    kicks_stored,
    public,
    record,
    result,
    stored,
    to_form,
    to_review,
    undelivered,
)
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = ONE_TRANSPORT

ALWAYS = {"second_person": "always"}
SENT_AGAIN = "it may be here twice."
NOT_YET = "The channel could not be told yet"
UNASKED = "Nobody could be asked about kick #1 yet"
EXPIRED = "Nobody decided in time, so it expired. Nobody was removed."
TEN_MINUTES = 10 * 60
A_DAY = 24 * 60 * 60


def archive(sandbox: Sandbox, name: str) -> None:
    """Archive a channel."""
    found = sandbox.slack.workspace.directory.channels[name]
    sandbox.slack.upsert(replace(found, is_archived=True))


def posts_fail(sandbox: Sandbox, fault: str = "refused", **how: Any) -> None:
    """Let every post to a channel and every direct message fail from now on."""
    if fault == "refused":
        how = {"error": "restricted_action"} | how
    sandbox.slack.faults.switch_on(fault, method="chat.postMessage", **how)


async def without_remark(person: Person, remark: str) -> None:
    """Wait until the modal no longer contains a temporary text."""
    await person.until(lambda sees: sees.stack and remark not in sees.modal)


# The result


@pytest.mark.parametrize(
    ("fault", "how", "is_sure"),
    [
        ("rate_limited", {"retry_after": 1}, True),
        ("refused", {"error": "service_unavailable"}, True),
        ("server_error", {}, False),
        ("broken_before", {}, False),
    ],
    ids=["429", "service_unavailable", "500", "broken"],
)
async def test_a_result_that_slack_does_not_take_is_posted_once_it_does(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox,
    start: Start,
    maya: Person,
    clock: HastyClock,
    sqlite_url: str,
    fault: str,
    how: dict[str, Any],
    is_sure: bool,  # noqa: FBT001 - a table's column
) -> None:
    async with start(clock=clock):
        await to_review(maya)
        posts_fail(sandbox, fault, **how)
        await maya.submit()
        await undelivered(sqlite_url)
        await maya.until(lambda sees: NOT_YET in sees.modal)
        done = await stored(sqlite_url)
        clock.pass_by(5)
        await undelivered(sqlite_url, attempts=2)
        assert public(maya) == maya.dm() == []
        sandbox.slack.faults.switch_off()
        clock.pass_by(15)
        posted = maya.read(await result(maya))
        await all_delivered(sqlite_url)
        await without_remark(maya, NOT_YET)
    assert "Mallory — ✓ kicked" in posted
    assert (SENT_AGAIN not in posted) is is_sure
    assert len(public(maya)) == 1
    assert maya.dm() == []
    assert done.state is State.DONE
    assert await stored(sqlite_url) == done
    assert len(kick_calls(sandbox)) == 1
    assert_in_plain_words(sandbox)


class Line:
    """A proxy to a server. After `cut`, connections to `port` are refused."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        self._there = (there.hostname, there.port)
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def restore(self) -> None:
        """Accept connections again, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections, and accept no more."""
        self._server.close()
        for end in self._ends:
            end.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, there = await asyncio.open_connection(*self._there)
        self._ends |= {writer, there}
        await asyncio.gather(_pass_on(reader, there), _pass_on(answers, writer))


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    line = Line(url)
    await line.restore()
    try:
        yield line
    finally:
        await line.cut()


async def test_a_result_is_posted_once_when_slack_can_be_reached_again(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    async with line_to(sandbox.slack.url) as line:
        here = f"http://127.0.0.1:{line.port}/api/"
        async with start(clock=clock, SLACK_API_URL=here):
            await to_review(maya)
            sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=0.5)
            await maya.submit()
            await sandbox.realtimekit.until(lambda: bool(kick_calls(sandbox)))
            await line.cut()
            assert not (await undelivered(sqlite_url)).maybe_delivered
            done = await stored(sqlite_url)
            await line.restore()
            clock.pass_by(5)
            posted = maya.read(await result(maya))
            await all_delivered(sqlite_url)
    assert "Mallory — ✓ kicked" in posted
    assert SENT_AGAIN not in posted
    assert len(public(maya)) == 1
    assert await stored(sqlite_url) == done


@pytest.mark.parametrize("fault", ["rate_limited", "server_error"])
async def test_what_one_process_could_not_post_the_next_one_posts(  # noqa: PLR0917 - a table's column
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str, fault: str
) -> None:
    posts_fail(sandbox, fault)
    async with start():
        await to_review(maya)
        await maya.submit()
        await undelivered(sqlite_url)
    done = await stored(sqlite_url)
    sandbox.slack.faults.switch_off()
    clock.pass_by(5)
    async with start(clock=clock):
        posted = maya.read(await result(maya))
        await all_delivered(sqlite_url)
    assert "Mallory — ✓ kicked" in posted
    assert (SENT_AGAIN in posted) is (fault == "server_error")
    clock.pass_by(A_DAY)
    async with start(clock=clock):
        await to_form(maya)
    assert len(public(maya)) == 1
    assert await stored(sqlite_url) == done
    assert len(kick_calls(sandbox)) == 1


async def test_what_a_process_that_died_did_not_tell_the_next_one_does(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    kick = leftovers.asked(sandbox, sandbox.demo.mallory)
    done = await leftovers.leave_done(sandbox, sqlite_url, kick)
    clock.pass_by(DELIVER_WITHIN.total_seconds())
    async with start(clock=clock):
        posted = maya.read(await result(maya))
        await all_delivered(sqlite_url)
    assert "Mallory — ✓ kicked" in posted
    assert "@Maya removed 1 person from Weekly AMA · kick #1" in posted
    assert len(public(maya)) == 1
    assert maya.dm() == []
    assert await stored(sqlite_url) == done
    assert kick_calls(sandbox) == []


async def test_of_a_channel_that_is_archived_by_then_its_asker_hears_directly(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    kick = leftovers.asked(sandbox, sandbox.demo.mallory, ago=31)
    done = await leftovers.leave_done(sandbox, sqlite_url, kick)
    archive(sandbox, "C0LIVE")
    async with start():
        told = await direct_message(maya)
        await all_delivered(sqlite_url)
    assert "Kick #1 in Weekly AMA: 1 kicked." in told
    assert "The channel could not be told: it is archived." in told
    assert "Mallory — ✓ kicked" in told
    assert len(maya.dm()) == 1
    assert public(maya) == []
    assert await stored(sqlite_url) == done


async def test_what_nobody_could_be_told_in_any_way_is_due_again(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    kick = leftovers.asked(sandbox, sandbox.demo.mallory, ago=31)
    done = await leftovers.leave_done(sandbox, sqlite_url, kick)
    posts_fail(sandbox)
    async with start(clock=clock):
        message = await undelivered(sqlite_url)
        assert message.due_at
        assert not message.maybe_delivered
        sandbox.slack.faults.switch_off()
        clock.pass_by(5)
        posted = maya.read(await result(maya))
        await all_delivered(sqlite_url)
    assert "Mallory — ✓ kicked" in posted
    assert len(public(maya)) == 1
    assert maya.dm() == []
    assert await stored(sqlite_url) == done


async def test_what_could_not_be_told_in_a_day_is_given_up_and_on_record(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    kick = leftovers.asked(sandbox, sandbox.demo.mallory, ago=31)
    done = await leftovers.leave_done(sandbox, sqlite_url, kick)
    posts_fail(sandbox)
    async with start(clock=clock):
        await undelivered(sqlite_url)
        clock.pass_by(A_DAY)
        await all_delivered(sqlite_url)
    untold = (await record(sqlite_url))[-1]
    assert untold.kind is EventKind.DELIVERY_FAILED
    assert untold.note == "result: chat.postMessage: restricted_action"
    assert await stored(sqlite_url) == done
    sandbox.slack.faults.switch_off()
    async with start(clock=clock):
        await to_form(maya)
    assert public(maya) == maya.dm() == []


# The card, and the message to the requester


async def test_whoever_asks_where_the_bot_may_not_post_hears_how_to_mend_that(  # noqa: PLR0917 - fixtures
    sandbox: Sandbox, maya: Person, mo: Person, start: Start, clock: HastyClock, sqlite_url: str
) -> None:
    mods = sandbox.slack.workspace.directory.channels["C0MODS"]
    sandbox.slack.upsert(replace(mods, bot_is_member=False))
    remedy = f"{UNASKED}: the bot is not in the approvals channel (C0MODS). Invite it there"
    async with start(rules=ALWAYS, clock=clock):
        await to_review(maya)
        await maya.submit()
        await maya.until(lambda sees: remedy in sees.modal)
        assert "waits for a second person" in maya.modal
        assert remedy in await direct_message(maya)
        await undelivered(sqlite_url, MessageKind.CARD)
        clock.pass_by(5)
        await undelivered(sqlite_url, MessageKind.CARD, attempts=2)
        sandbox.slack.upsert(mods)
        clock.pass_by(15)
        card = (await mo.until(cards))[0]
        await without_remark(maya, UNASKED)
        assert "waits for a second person" in maya.modal
        await to_request(mo, card)
        await mo.submit()
        assert "Mallory — ✓ kicked" in maya.read(await result(maya))
        await settled(mo, "✓ Approved by @Mo.")
    assert len(cards(mo)) == 1
    assert len(maya.dm()) == 1
    assert_in_plain_words(sandbox)


async def test_a_request_that_slack_does_not_take_yet_is_posted_later_and_bothers_nobody(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS, clock=clock):
        await to_review(maya)
        posts_fail(sandbox, "rate_limited", retry_after=60)
        await maya.submit()
        await maya.until(lambda sees: f"{UNASKED} (ratelimited)" in sees.modal)
        await undelivered(sqlite_url, MessageKind.CARD)
        sandbox.slack.faults.switch_off()
        clock.pass_by(60)
        await maya.until(cards)
        await without_remark(maya, UNASKED)
    assert len(cards(maya)) == 1
    assert maya.dm() == []


async def test_whoever_asks_in_an_archived_channel_hears_so_and_that_it_expired(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    archive(sandbox, "C0MODS")
    async with start(rules=ALWAYS, clock=clock):
        await to_review(maya)
        await maya.submit()
        words = f"{UNASKED}: the approvals channel (C0MODS) is archived. Tell the bot's operator."
        await maya.until(lambda sees: words in sees.modal)
        assert words in await direct_message(maya)
        clock.pass_by(TEN_MINUTES)
        await maya.until(lambda sees: EXPIRED in sees.modal)
        await all_delivered(sqlite_url)
    assert kicks_stored(sqlite_url) == ["expired"]


async def test_a_card_in_a_channel_archived_since_is_left_as_it_is(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS):
        await asked(maya)
        archive(sandbox, "C0MODS")
        await maya.press("cancel_request")
        await maya.until(lambda sees: "It was taken back." in sees.modal)
        await all_delivered(sqlite_url)
    assert sandbox.slack.calls[-1].error == "is_inactive"
    assert EventKind.DELIVERY_FAILED not in [one.kind for one in await record(sqlite_url)]


async def test_a_card_that_could_not_be_changed_is_changed_later(  # noqa: PLR0917 - fixtures
    sandbox: Sandbox, maya: Person, mo: Person, start: Start, clock: HastyClock, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS, clock=clock):
        card = await asked(maya)
        await to_request(mo, card)
        sandbox.slack.faults.switch_on("server_error", method="chat.update")
        await mo.submit()
        await result(maya)
        assert cards(mo) == [card]
        await undelivered(sqlite_url, MessageKind.CARD)
        sandbox.slack.faults.switch_off()
        clock.pass_by(5)
        await settled(mo, "✓ Approved by @Mo.")
        await all_delivered(sqlite_url)
    assert len(cards(mo)) == 1
    assert len(public(maya)) == 1


@pytest.mark.parametrize("fault", ["rate_limited", "broken_before", "refused"])
async def test_a_no_that_could_not_be_told_is_told_later(  # noqa: PLR0917 - a table's column
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str, fault: str
) -> None:
    mo = sandbox.slack.person("U0MO")
    async with start(rules=ALWAYS, clock=clock):
        card = await asked(maya)
        await maya.dismiss()
        await to_request(mo, card)
        await mo.press("deny")
        await mo.until(lambda sees: sees.modal.title == "Deny the request")
        await mo.write("note", "wrong person")
        posts_fail(sandbox, fault)
        await mo.submit()
        await undelivered(sqlite_url, MessageKind.REQUESTER)
        assert maya.dm() == []
        sandbox.slack.faults.switch_off()
        clock.pass_by(5)
        told = await direct_message(maya)
        await all_delivered(sqlite_url)
    assert "Denied by @Mo" in told
    assert "Note: wrong person" in told
    assert len(maya.dm()) == 1
    assert kicks_stored(sqlite_url) == ["denied"]


async def test_of_views_only_so_many_are_remembered_and_whoever_had_another_hears_directly(
    sandbox: Sandbox, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    maya, mo, lea = (sandbox.slack.person(one) for one in ("U0MAYA", "U0MO", "U0LEA"))
    monkeypatch.setattr(modals, "MAX_FOLLOWED", 1)
    async with start(rules=ALWAYS):
        card = await asked(maya)
        await asked(mo, "/kick tom rude")
        await to_request(lea, card)
        await lea.press("deny")
        await lea.until(lambda sees: sees.modal.title == "Deny the request")
        await lea.submit()
        assert "Denied by @Lea" in await direct_message(maya)
        assert "waits for a second person" in maya.modal


# While the database or the bot is down


@pytest.mark.parametrize("is_looking", [True, False], ids=["in the view", "directly"])
async def test_whoever_waits_hears_that_the_bot_can_not_go_on_and_later_how_it_went(  # noqa: PLR0917 - a table's column
    sandbox: Sandbox,
    start: Start,
    maya: Person,
    clock: HastyClock,
    sqlite_url: str,
    is_looking: bool,  # noqa: FBT001 - a table's column
) -> None:
    words = "What became of kick #1 is not known here; the bot looks again by itself"
    async with start(clock=clock):
        await to_review(maya)
        sandbox.realtimekit.calls.clear()
        sandbox.realtimekit.faults.switch_on("slow", op="participants", seconds=0.5, times=1)
        await maya.submit()
        await sandbox.realtimekit.until(
            lambda: "participants" in [one.op for one in sandbox.realtimekit.calls]
        )
        with closing(sqlite3.connect(database_of(sqlite_url))) as other:
            other.execute("BEGIN EXCLUSIVE")
            if not is_looking:
                await maya.dismiss()
            await maya.until(lambda sees: words in (sees.modal if is_looking else read_dm(sees)))
            other.rollback()
        clock.pass_by(RECOVER_AFTER.total_seconds())
        assert "Mallory — ✓ kicked" in maya.read(await result(maya))
        if is_looking:
            await maya.until(lambda sees: "✓ kicked" in sees.modal)
    assert len(maya.dm()) == (0 if is_looking else 1)
    assert len(public(maya)) == len(kick_calls(sandbox)) == 1
    assert_in_plain_words(sandbox)


def read_dm(person: Person) -> str:
    """Return all direct messages of the bot to a user."""
    return "\n".join(map(person.read, person.dm()))


async def test_what_expired_while_the_bot_was_down_is_told_by_its_next_start(
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS):
        await asked(maya)
    clock.pass_by(TEN_MINUTES)
    async with start(rules=ALWAYS, clock=clock):
        told = await direct_message(maya)
        await settled(maya, "Nobody decided in time. Nobody was removed.")
        await all_delivered(sqlite_url)
    assert "Kick #1 expired: nobody was removed." in told
    assert EXPIRED in told
    assert len(maya.dm()) == len(cards(maya)) == 1
    assert public(maya) == []
    assert kicks_stored(sqlite_url) == ["expired"]
    assert kick_calls(sandbox) == []


@pytest.mark.parametrize("deed", ["approve", "deny"])
async def test_a_decision_after_the_deadline_is_too_late_whatever_the_bot_did_meanwhile(  # noqa: PLR0917 - a table's column
    sandbox: Sandbox, start: Start, maya: Person, clock: HastyClock, sqlite_url: str, deed: str
) -> None:
    mo = sandbox.slack.person("U0MO")
    async with start(rules=ALWAYS):
        await to_request(mo, await asked(maya))
        if deed == "deny":
            await mo.press("deny")
            await mo.until(lambda sees: sees.modal.title == "Deny the request")
    await mo.submit()
    assert mo.modal.strip
    clock.pass_by(TEN_MINUTES)
    async with start(rules=ALWAYS, clock=clock):
        await mo.submit()
        await mo.until(lambda sees: EXPIRED in sees.modal)
        assert EXPIRED in await direct_message(maya)
        await settled(mo, "Nobody decided in time. Nobody was removed.")
    assert kicks_stored(sqlite_url) == ["expired"]
    assert kick_calls(sandbox) == []


async def test_a_request_is_decided_after_a_restart_by_the_card_from_before(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    mo = sandbox.slack.person("U0MO")
    async with start(rules=ALWAYS):
        card = await asked(maya)
    async with start(rules=ALWAYS):
        await to_request(mo, card)
        await mo.submit()
        assert "Mallory — ✓ kicked" in maya.read(await result(maya))
        await settled(mo, "✓ Approved by @Mo.")
        await all_delivered(sqlite_url)
    assert len(cards(mo)) == 1
    assert len(kick_calls(sandbox)) == 1
