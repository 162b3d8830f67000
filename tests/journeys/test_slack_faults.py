"""Faults of Slack, and what users then see. If a message may be there twice, it says so."""

import asyncio
import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.app import Bot
from tests.clocks import HastyClock, TirelessClock
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    all_delivered,
    assert_in_plain_words,
    direct_message,
    kick_calls,
    kicks_stored,
    public,
    result,
    to_form,
    to_review,
    undelivered,
)
from tests.machine import ACKS_WITHIN
from tests.sandbox.realtimekit import open_meeting
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

SOCKET = pytest.mark.parametrize("transport", ["socket"], indirect=True)
HTTP = pytest.mark.parametrize("transport", ["http"], indirect=True)

TOO_LATE = "Slack did not open the form in time. Type /kick again."
SENT_AGAIN = "Slack did not confirm an earlier copy of this message: it may be here twice."


async def sees_ephemeral(person: Person, words: str, channel: str = "C0LIVE") -> None:
    """Wait for an ephemeral message to this user with these words."""
    await person.until(
        lambda sees: [
            one
            for one in sees.messages(channel)
            if one.only_for == sees.user.id and words in sees.read(one)
        ]
    )


async def to_review_in(person: Person, channel: str) -> None:
    """Type a command that says everything into another channel, and wait for the review."""
    await person.command(channel, "/kick mallory spam")
    await person.until(lambda sees: sees.modal.submit == "Kick")


@pytest.mark.parametrize("fault", ["expired_trigger", "broken_before", "server_error"])
async def test_a_form_that_slack_did_not_open_is_told(
    sandbox: Sandbox, start: Start, maya: Person, fault: str
) -> None:
    async with start(clock=TirelessClock()):
        sandbox.slack.faults.switch_on(fault, method="views.open", times=1)
        await maya.command("C0LIVE", "/kick")
        await sees_ephemeral(maya, TOO_LATE)
        assert not maya.stack
        assert public(maya) == []
        await to_form(maya)
    assert_in_plain_words(sandbox)


@ONE_TRANSPORT
async def test_a_trigger_that_really_expired_is_told(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await maya.command("C0LIVE", "/kick help")
    late = copy.deepcopy(sandbox.slack.deliveries[-1].payload) | {"text": ""}
    sandbox.slack.clock.advance(ACKS_WITHIN)
    await sandbox.slack.deliver(late)
    await sees_ephemeral(maya, TOO_LATE)


@ONE_TRANSPORT
async def test_a_command_that_arrives_twice_opens_one_form_and_answers_the_other(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    async with start(clock=TirelessClock()):
        await to_form(maya)
        await sandbox.slack.deliver(sandbox.slack.deliveries[-1].payload)
        await sees_ephemeral(maya, TOO_LATE)
        assert maya.modal.title == "Kick from a meeting"


async def test_a_form_whose_opening_was_not_confirmed_is_filled_all_the_same(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    sandbox.slack.faults.switch_on("broken_after", method="views.open", times=1)
    await to_review(maya)
    await maya.submit()
    assert "✓ kicked" in maya.read(await result(maya))


@pytest.mark.parametrize("fault", ["server_error", "broken_before", "broken_after"])
@ONE_TRANSPORT
async def test_an_update_of_a_view_that_failed_is_tried_once_more(
    sandbox: Sandbox, bot: Bot, maya: Person, fault: str
) -> None:
    sandbox.slack.faults.switch_on(fault, method="views.update", times=1)
    await to_review(maya)
    sandbox.slack.faults.switch_on(fault, method="views.update", times=1)
    await maya.submit()
    await maya.until(lambda sees: "✓ kicked" in sees.modal)


@ONE_TRANSPORT
async def test_views_that_cannot_be_updated_do_not_keep_the_channel_from_hearing(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_review(maya)
    sandbox.slack.faults.switch_on("server_error", method="views.update")
    await maya.submit()
    assert "✓ kicked" in maya.read(await result(maya))
    assert "Removing 1 person from Weekly AMA…" in maya.modal


async def test_of_two_meetings_chosen_in_a_row_the_last_one_counts(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    world = sandbox.demo.world
    first, last = (open_meeting(world, title, ["Ed", title]) for title in ("First", "Last"))
    await to_form(maya)
    await maya.type_ahead("meeting", "")
    sandbox.slack.faults.switch_on("slow", method="views.update", times=1, seconds=0.1)
    await asyncio.gather(maya.choose("meeting", first.id), maya.choose("meeting", last.id))
    await sandbox.slack.until(
        lambda slack: [one.error for one in slack.calls].count("hash_conflict") == 1
    )
    assert last.id in maya.modal.private_metadata
    assert [one.text for one in await maya.type_ahead("who", "")] == ["Last", "Ed"]


@ONE_TRANSPORT
async def test_a_form_that_changed_in_between_is_redrawn_all_the_same(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    show = open_meeting(sandbox.demo.world, "Evening show", ["Ed"])
    await to_form(maya)
    await maya.type_ahead("meeting", "")
    sandbox.slack.faults.switch_on("hash_conflict", times=1)
    await maya.choose("meeting", show.id)
    await maya.until(lambda sees: show.id in sees.modal.private_metadata)


@pytest.mark.parametrize("channel", ["C0QUIET", "C0PRIV", "D0PAIR"])
@ONE_TRANSPORT
async def test_where_the_bot_is_no_member_the_channel_hears_all_the_same(
    sandbox: Sandbox, bot: Bot, maya: Person, channel: str
) -> None:
    await to_review_in(maya, channel)
    await maya.submit()
    mo = sandbox.slack.person("U0MO")
    posted = await result(mo, channel)
    assert "Mallory — ✓ kicked" in mo.read(posted)
    await maya.until(lambda sees: "✓ kicked" in sees.modal)
    assert "could not be told" not in maya.modal
    assert maya.dm() == []
    # The button under the message works there, too.
    await mo.click(posted, "kick_again")
    await mo.until(lambda sees: sees.modal.title == "Review")


@pytest.mark.parametrize(
    ("channel", "remedy"),
    [
        ("C0QUIET", "The channel could not be told: invite the bot there with /invite."),
        ("C0PRIV", "The channel could not be told: invite the bot there with /invite."),
        ("D0PAIR", "The bot can't post into a conversation between others."),
    ],
)
@pytest.mark.parametrize("whose_clock", ["bot", "slack"])
@ONE_TRANSPORT
async def test_after_half_an_hour_only_the_moderator_can_be_told_and_how_to_mend_it(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox, start: Start, maya: Person, channel: str, remedy: str, whose_clock: str
) -> None:
    clock = HastyClock()
    async with start(clock=clock):
        await to_review_in(maya, channel)
        if whose_clock == "bot":
            await clock.sleep(30 * 60)
        else:
            sandbox.slack.clock.advance(30 * 60 + 1)
        await maya.submit()
        told = await direct_message(maya)
        assert "Kick #1 in Weekly AMA: 1 kicked." in told
        assert remedy in told
        assert "Mallory — ✓ kicked" in told
        await maya.until(lambda sees: remedy in sees.modal and "✓ kicked" in sees.modal)
        assert public(maya, channel) == []


@ONE_TRANSPORT
async def test_a_channel_archived_meanwhile_is_named_as_the_reason(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    clock = HastyClock()
    async with start(clock=clock):
        await to_review(maya)
        live = sandbox.slack.workspace.directory.channels["C0LIVE"]
        sandbox.slack.upsert(replace(live, is_archived=True))
        await clock.sleep(30 * 60)
        await maya.submit()
        assert "The channel could not be told: it is archived." in await direct_message(maya)


@pytest.mark.parametrize(
    ("fault", "how", "posts"),
    [
        ("server_error", {}, 0),
        ("broken_before", {}, 0),
        ("broken_after", {}, 1),
        ("refused", {"error": "internal_error"}, 0),
        ("refused", {"error": "fatal_error"}, 0),
    ],
    ids=["500", "broken-before", "broken-after", "internal_error", "fatal_error"],
)
@ONE_TRANSPORT
async def test_a_post_that_may_have_arrived_is_sent_again_and_says_so(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox,
    start: Start,
    maya: Person,
    sqlite_url: str,
    fault: str,
    how: dict[str, Any],
    posts: int,
) -> None:
    clock = HastyClock()
    async with start(clock=clock):
        await to_review(maya)
        sandbox.slack.faults.switch_on(
            fault, method="chat.postMessage", channel="C0LIVE", times=1, **how
        )
        await maya.submit()
        await maya.until(lambda sees: "could not be told yet (" in sees.modal)
        assert "✓ kicked" in maya.modal
        assert (await undelivered(sqlite_url)).maybe_delivered
        assert len(public(maya)) == posts
        clock.pass_by(5)
        await all_delivered(sqlite_url)
    told = [maya.read(one) for one in public(maya)]
    assert [SENT_AGAIN in one for one in told] == [False] * posts + [True]
    assert all("Mallory — ✓ kicked" in one for one in told)
    assert maya.dm() == []
    assert [call.method for call in sandbox.slack.calls].count("response_url") == 0
    assert len(kick_calls(sandbox)) == 1
    assert_in_plain_words(sandbox)


@pytest.mark.parametrize(
    ("fault", "posts"), [("broken_after", 1), ("broken_before", 0), ("server_error", 0)]
)
@ONE_TRANSPORT
async def test_of_an_answer_that_may_have_arrived_the_moderator_hears_directly(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str, fault: str, posts: int
) -> None:
    async with start():
        await to_review_in(maya, "C0QUIET")
        sandbox.slack.faults.switch_on(fault, method="response_url", times=1)
        await maya.submit()
        told = await direct_message(maya)
        await all_delivered(sqlite_url)
    assert "Mallory — ✓ kicked" in told
    assert "The channel may not have been told: invite the bot there with /invite." in told
    assert len(public(maya, "C0QUIET")) == posts
    assert len(maya.dm()) == 1


@pytest.mark.parametrize(("retry_after", "wait"), [(0, 5), (2, 5), (120, 120)])
@ONE_TRANSPORT
async def test_a_post_that_slack_wants_later_is_sent_once_later(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str, retry_after: int, wait: int
) -> None:
    clock = HastyClock()
    async with start(clock=clock):
        await to_review(maya)
        sandbox.slack.faults.switch_on(
            "rate_limited", method="chat.postMessage", times=1, retry_after=retry_after
        )
        begun = clock.now()
        await maya.submit()
        message = await undelivered(sqlite_url)
        assert message.due_at
        assert begun + timedelta(seconds=wait) <= message.due_at
        assert message.due_at <= clock.now() + timedelta(seconds=wait)
        assert not message.maybe_delivered
        await maya.until(lambda sees: "could not be told yet (ratelimited)" in sees.modal)
        assert public(maya) == []
        clock.pass_by(wait)
        posted = maya.read(await result(maya))
        await all_delivered(sqlite_url)
    assert "Mallory — ✓ kicked" in posted
    assert SENT_AGAIN not in posted
    statuses = [one.status for one in sandbox.slack.calls if one.method == "chat.postMessage"]
    assert statuses == [429, 200]
    assert len(public(maya)) == 1
    assert maya.dm() == []


@ONE_TRANSPORT
async def test_where_no_message_gets_through_the_view_still_tells(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_review(maya)
    sandbox.slack.faults.switch_on("refused", method="chat.postMessage", error="restricted_action")
    sandbox.slack.clock.advance(30 * 60 + 1)  # the response_url is too old as well
    await maya.submit()
    words = "The channel could not be told (restricted_action)."
    await maya.until(lambda sees: words in sees.modal)
    assert "✓ kicked" in maya.modal


@SOCKET
async def test_a_socket_replaced_in_the_middle_of_a_journey_loses_nothing(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start():
        await to_review(maya)
        sandbox.slack.faults.switch_on("socket_refresh", times=1)
        await maya.submit()
        assert "✓ kicked" in maya.read(await result(maya))
        await sandbox.slack.until(lambda slack: slack.sockets.open)
        await to_review(maya, "/kick tom rude")
    assert kicks_stored(sqlite_url) == ["done"]
    assert maya.strips == []


@SOCKET
@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_bot_asked_to_reconnect_does_so(
    sandbox: Sandbox, bot: Bot, maya: Person, reason: str
) -> None:
    old = sandbox.slack.sockets.open[0]
    await sandbox.slack.sockets.refresh(reason)
    await sandbox.slack.until(lambda slack: slack.sockets.open and old not in slack.sockets.open)
    await to_form(maya)


async def test_a_command_that_never_arrived_can_be_typed_again(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    sandbox.slack.faults.switch_on("no_delivery", times=1)
    await maya.command("C0LIVE", "/kick")
    assert maya.notices == ['/kick failed with the error "dispatch_failed"']
    await to_form(maya)


@pytest.mark.parametrize("fault", ["no_delivery", "lost_delivery"])
async def test_a_review_whose_sending_failed_can_be_sent_again(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str, fault: str
) -> None:
    async with start():
        await to_review(maya)
        sandbox.slack.faults.switch_on(fault, type="view_submission", times=1)
        sandbox.slack.ack_timeout = 0.05
        await maya.submit()
        assert maya.modal.strip
        sandbox.slack.ack_timeout = ACKS_WITHIN
        await maya.submit()
        await result(maya)
    assert kicks_stored(sqlite_url) == ["done"]
    assert len(kick_calls(sandbox)) == 1


@HTTP
@pytest.mark.parametrize(
    "how",
    [{"is_signed": False}, {"secret": "f" * 32}, {"age": 6 * 60}, {"age": -6 * 60}],
    ids=["unsigned", "wrongly-signed", "six-minutes-old", "from-the-future"],
)
async def test_a_request_that_slack_did_not_just_sign_does_nothing(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str, how: dict[str, Any]
) -> None:
    async with start():
        await to_review(maya)
        sandbox.slack.calls.clear()
        forged = sandbox.slack.deliveries[-1].payload | {"text": "help"}
        http = sandbox.slack.http
        assert http is not None
        status, _ = await http.post(forged, **how)
        assert status == 401
        status, _ = await http.post(forged | {"text": "mallory spam"}, **how)
        assert status == 401
    assert sandbox.slack.calls == []
    assert kicks_stored(sqlite_url) == []


async def test_a_form_that_slack_never_shows_is_not_waited_for_in_silence(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    sandbox.slack.faults.switch_on("refused", method="views.update", error="fatal_error")
    await maya.command("C0LIVE", "/kick mallory spam")
    await sees_ephemeral(maya, "Slack did not show what should come next")
    assert kick_calls(sandbox) == []
