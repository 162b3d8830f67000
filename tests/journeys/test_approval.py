"""Approvals: the card in the approvals channel, the decision, and who learns of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from bot.app import Bot
from bot.core.event import EventKind
from bot.core.kick import UserId
from bot.core.target import Outcome
from tests.clocks import HastyClock, TirelessClock
from tests.journeys.approvals import asked, cards, sent, settled, to_request
from tests.journeys.conftest import Start, database_of
from tests.journeys.steps import (
    ONE_TRANSPORT,
    assert_in_plain_words,
    choose,
    kick_calls,
    kicks_stored,
    record,
    refusals,
    result,
    stored,
    to_review,
)
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Call, Message, Person, User

Json = dict[str, Any]

ALWAYS = {"second_person": "always"}
NOT_OURS = "This belongs to an older version of the bot."
ELSEWHERE = "Only people of this workspace can use this bot."
AFTER_ALL = "This was decided before your click, which changed nothing."
ROBO = User("U0ROBO", "Robo", is_bot=True)

# Users who may not decide, and the refusal that they see.
NOBODIES = {
    "U0HAL": "A helper may ask; a moderator or a lead decides.",
    "U0STAN": "The policy gives you no role. The operator of this bot can change that.",
    "U0GUS": "Your Slack account is a guest: it can't remove anybody.",
    "U0DEE": "Your Slack account is deactivated: it can't remove anybody.",
    "U0ROBO": "Your Slack account is a bot: it can't remove anybody.",
    "U0XEN": ELSEWHERE,
}


@pytest.fixture(autouse=True)
def robo(sandbox: Sandbox) -> None:
    sandbox.slack.upsert(ROBO)
    for name in ("C0LIVE", "C0MODS"):
        channel = sandbox.slack.workspace.directory.channels[name]
        sandbox.slack.upsert(replace(channel, members=(*channel.members, ROBO.id)))


@pytest.fixture
async def careful(start: Start) -> AsyncIterator[Bot]:
    async with start(rules=ALWAYS) as bot:
        yield bot


async def sees_in_all_views(person: Person, words: str) -> None:
    """Wait until all open modals contain these words and none has a button."""
    await person.until(
        lambda sees: all(words in one and not one.submit for one in sees.stack) and sees.stack
    )
    assert not any(one.action_ids for one in person.stack)


def told(person: Person) -> str:
    """Return the text that only this user saw, in a modal or an ephemeral message."""
    whispers = [one for one in person.messages("C0MODS") if one.only_for == person.user.id]
    return "\n".join([*map(str, person.stack), *map(person.read, whispers)])


def with_button(message: Message, **button: Any) -> Message:
    """Change the value of a button under a message, as an attacker would."""
    blocks = [dict(block) for block in message.blocks]
    blocks[-1]["elements"] = [blocks[-1]["elements"][0] | button]
    return replace(message, blocks=blocks)


def submission(sandbox: Sandbox, callback_id: str) -> Json:
    """Return the last payload of a submit of this kind of view."""
    payloads = [one.payload for one in sandbox.slack.deliveries]
    return next(
        one
        for one in reversed(payloads)
        if one.get("type") == "view_submission" and one["view"]["callback_id"] == callback_id
    )


# Approved


async def test_a_second_person_approves(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, sqlite_url: str
) -> None:
    card = await asked(maya)
    assert kick_calls(sandbox) == []
    assert maya.messages("C0LIVE") == []
    await to_request(mo, card)
    assert mo.modal.submit == "Approve"
    assert "@Maya asks to remove 1 person from Weekly AMA · kick #1" in mo.modal
    assert "Mallory · group_call_participant" in mo.modal
    assert "Reason: spamming links" in mo.modal
    await mo.submit()
    posted = maya.read(await result(maya))
    assert "Mallory — ✓ kicked" in posted
    assert "Approved by @Mo" in posted
    await sees_in_all_views(mo, "✓ kicked")
    await sees_in_all_views(maya, "✓ kicked")
    await settled(maya, "✓ Approved by @Mo.")
    assert len(kick_calls(sandbox)) == 1
    kick = await stored(sqlite_url)
    assert (kick.requester, kick.approver) == ("U0MAYA", "U0MO")
    assert mo.strips == maya.strips == []
    assert_in_plain_words(sandbox)


@ONE_TRANSPORT
async def test_a_helper_asks_and_a_moderator_decides(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    hal = sandbox.slack.person("U0HAL")
    async with start():
        await to_review(hal)
        assert "A helper may ask; a moderator decides." in hal.modal
        assert "A second person has 10 minutes to decide." in hal.modal
        card = await sent(hal)
        await to_request(maya, card)
        await maya.submit()
        assert "Approved by @Maya" in hal.read(await result(hal))


@ONE_TRANSPORT
async def test_only_more_than_the_policy_lets_go_need_a_second_person(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person
) -> None:
    async with start(rules={"second_person": "bulk", "bulk": 2}):
        await choose(maya, "Tom", "Ana")
        assert maya.modal.submit == "Kick"
        await maya.submit()
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        await maya.dismiss()
        card = await asked(maya)
        await to_request(mo, card)
        await mo.submit()
        await mo.until(lambda sees: "Mallory — ✓ kicked" in sees.modal)


async def test_the_form_under_a_request_is_covered_and_closes_with_it(
    sandbox: Sandbox, careful: Bot, maya: Person
) -> None:
    await choose(maya, "Mallory")
    await sent(maya)
    await maya.until(lambda sees: all("waits for a second person" in one for one in sees.stack))
    assert len(maya.stack) == 2
    assert [one.submit for one in maya.stack] == [None, None]
    await maya.cancel()
    assert maya.stack == []


@ONE_TRANSPORT
async def test_two_who_approve_at_once_kick_once_and_the_later_one_hears_who_was_first(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, lea: Person
) -> None:
    card = await asked(maya)
    await asyncio.gather(to_request(mo, card), to_request(lea, card))
    await asyncio.gather(mo.submit(), lea.submit())
    await sees_in_all_views(mo, "Mallory — ✓ kicked")
    await sees_in_all_views(lea, "Mallory — ✓ kicked")
    assert len(kick_calls(sandbox)) == 1
    [first] = {by for by in ("@Mo", "@Lea") if f"Approved by {by} at " in mo.modal}
    assert f"Approved by {first} at " in lea.modal


@ONE_TRANSPORT
async def test_two_taps_on_approve_are_one(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    await asyncio.gather(mo.submit(), mo.submit())
    await sees_in_all_views(mo, "Mallory — ✓ kicked")
    assert AFTER_ALL not in mo.modal
    assert len(kick_calls(sandbox)) == 1


@ONE_TRANSPORT
async def test_a_request_already_decided_says_how_it_stands(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, lea: Person
) -> None:
    card = await asked(maya)
    await to_request(lea, card)
    await to_request(mo, card)
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")
    await settled(lea, "Approved by @Mo")
    await lea.submit()
    await sees_in_all_views(lea, "Mallory — ✓ kicked")
    assert "Approved by @Mo at " in lea.modal
    assert AFTER_ALL in lea.modal
    # An outdated card, as a client that was offline still shows it.
    await lea.click(card, "review_request", force=True)
    await sees_in_all_views(lea, "Approved by @Mo at ")
    assert len(kick_calls(sandbox)) == 1


@ONE_TRANSPORT
async def test_a_card_that_kept_its_button_loses_it_when_it_is_pressed(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, lea: Person
) -> None:
    card = await asked(maya)
    sandbox.slack.faults.switch_on("refused", method="chat.update", error="message_not_found")
    await to_request(mo, card)
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")
    sandbox.slack.faults.switch_off()
    await lea.click(card, "review_request")
    await sees_in_all_views(lea, "Approved by @Mo at ")
    await settled(lea, "Approved by @Mo")


@ONE_TRANSPORT
async def test_who_looks_at_a_kick_on_its_way_sees_how_it_ends(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, lea: Person
) -> None:
    card = await asked(maya)
    sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=1.5)
    await to_request(mo, card)
    await mo.submit()
    await mo.until(lambda sees: "Removing" in sees.modal)
    await lea.click(card, "review_request", force=True)
    await lea.until(lambda sees: "Removing" in sees.modal or "Looking who is still" in sees.modal)
    await lea.until(lambda sees: "✓ kicked" in sees.modal)


@ONE_TRANSPORT
async def test_what_is_shown_late_does_not_stay(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    sandbox.slack.faults.switch_on("slow", method="views.update", seconds=0.5, times=1)
    await mo.submit()
    await result(maya)
    await sandbox.slack.until(lambda slack: any(map(says_removing, slack.calls)))
    await sees_in_all_views(mo, "✓ kicked")


def says_removing(call: Call) -> bool:
    """Tell whether Slack has answered an update of a modal to *Removing 1 person*."""
    return call.method == "views.update" and "Removing 1 person" in str(call.arguments)


@ONE_TRANSPORT
async def test_whoever_can_not_be_shown_a_view_is_told_in_the_channel(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    sandbox.slack.faults.switch_on("server_error", method="views.update")
    await mo.submit()
    await mo.until(lambda sees: "did not show what should come next" in told(sees))
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))


# Changes meanwhile


@ONE_TRANSPORT
async def test_who_has_another_name_by_now_is_shown_again(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    sandbox.demo.world.rename(sandbox.demo.mallory, "Priya")
    await mo.submit()
    await mo.until(lambda sees: "This changed since you looked: read it again." in sees.modal)
    assert "Priya" in mo.modal
    assert "Was Mallory when asked for." in mo.modal
    assert kick_calls(sandbox) == []
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")
    assert len(kick_calls(sandbox)) == 1


@ONE_TRANSPORT
async def test_who_is_protected_by_now_can_only_be_denied(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    sandbox.demo.world.change_preset(sandbox.demo.mallory, "group_call_host")
    await mo.submit()
    await mo.until(lambda sees: "The policy protects everybody in it by now." in sees.modal)
    assert "Protected by the policy (group_call_host)." in mo.modal
    assert mo.modal.submit is None
    assert mo.modal.action_ids == ["deny"]
    assert kick_calls(sandbox) == []


@ONE_TRANSPORT
async def test_who_left_is_no_reason_to_ask_again(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    card = await asked(maya)
    await to_request(mo, card)
    world = sandbox.demo.world
    session = world.live_session(sandbox.demo.ama)
    assert session
    for peer in list(session.present[sandbox.demo.mallory.id]):
        world.leave(peer)
    await to_request(mo, card)
    await mo.until(lambda sees: "Has already left." in sees.modal)
    await mo.submit()
    await sees_in_all_views(mo, "Mallory — ○ gone")


@ONE_TRANSPORT
async def test_a_session_that_is_over_can_only_be_denied(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    card = await asked(maya)
    sandbox.demo.world.end_session(sandbox.demo.ama)
    await to_request(mo, card)
    assert "That session is over." in mo.modal
    assert "Mallory" in mo.modal
    assert (mo.modal.submit, mo.modal.action_ids) == (None, ["deny"])


@ONE_TRANSPORT
async def test_who_can_not_be_looked_for_can_be_denied_but_not_approved(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    card = await asked(maya)
    sandbox.realtimekit.faults.switch_on("server_error", op="participants")
    await to_request(mo, card)
    assert "RealtimeKit could not be read" in mo.modal
    assert (mo.modal.submit, mo.modal.action_ids) == (None, ["deny"])
    sandbox.realtimekit.faults.switch_off()
    await to_request(mo, card)
    await mo.until(lambda sees: sees.modal.submit == "Approve")


# Denied


async def test_a_second_person_denies_and_says_why(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, sqlite_url: str
) -> None:
    await to_request(mo, await asked(maya))
    await mo.press("deny")
    await mo.until(lambda sees: sees.modal.title == "Deny the request")
    await mo.write("note", "Talk to her first")
    await mo.submit()
    await sees_in_all_views(mo, "Denied by @Mo at ")
    await sees_in_all_views(maya, "Note: Talk to her first")
    await settled(maya, "✗ Denied by @Mo: Talk to her first")
    assert kick_calls(sandbox) == []
    assert maya.messages("C0LIVE") == []
    kick = await stored(sqlite_url)
    assert (kick.state, kick.approver, kick.refusal) == ("denied", "U0MO", "Talk to her first")


@ONE_TRANSPORT
async def test_whoever_goes_back_can_still_approve(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    await mo.press("deny")
    await mo.until(lambda sees: sees.modal.title == "Deny the request")
    await mo.cancel()
    assert mo.modal.submit == "Approve"
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")


@ONE_TRANSPORT
async def test_whoever_asked_and_closed_the_view_hears_of_a_denial_directly(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    card = await asked(maya)
    await maya.dismiss()
    await to_request(mo, card)
    await mo.press("deny")
    await mo.until(lambda sees: sees.modal.title == "Deny the request")
    await mo.submit()
    word = (await maya.until(lambda sees: sees.dm()))[0]
    assert "Kick #1 denied: nobody was removed." in maya.read(word)
    assert "Denied by @Mo" in maya.read(word)


@ONE_TRANSPORT
async def test_a_denial_that_comes_too_late_says_so(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, lea: Person
) -> None:
    card = await asked(maya)
    await to_request(lea, card)
    await lea.press("deny")
    await lea.until(lambda sees: sees.modal.title == "Deny the request")
    await to_request(mo, card)
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")
    await lea.submit()
    await sees_in_all_views(lea, AFTER_ALL)
    assert "Approved by @Mo" in lea.modal


@ONE_TRANSPORT
async def test_a_deny_button_that_slack_took_too_long_over_is_answered(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    await to_request(mo, await asked(maya))
    sandbox.slack.faults.switch_on("expired_trigger", times=1)
    await mo.press("deny")
    await mo.until(lambda sees: "did not open the request in time" in told(sees))


# Cancelled


async def test_whoever_asked_takes_it_back_where_they_wait(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, sqlite_url: str
) -> None:
    card = await asked(maya)
    await to_request(mo, card)
    await maya.press("cancel_request")
    await sees_in_all_views(maya, "It was taken back. Nobody was removed.")
    await settled(maya, "Taken back by @Maya")
    await mo.submit()
    await sees_in_all_views(mo, "It was taken back.")
    assert kick_calls(sandbox) == []
    assert kicks_stored(sqlite_url) == ["cancelled"]


@ONE_TRANSPORT
async def test_whoever_asked_can_take_it_back_at_the_card_and_nothing_else(
    sandbox: Sandbox, careful: Bot, maya: Person
) -> None:
    card = await asked(maya)
    await maya.dismiss()
    await to_request(maya, card)
    assert "You asked for this kick" in maya.modal
    assert (maya.modal.submit, maya.modal.action_ids) == (None, ["cancel_request"])
    await maya.press("cancel_request")
    await sees_in_all_views(maya, "It was taken back.")


@ONE_TRANSPORT
async def test_what_was_approved_can_not_be_taken_back(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    card = await asked(maya)
    await to_request(maya, card)
    # Her modal still shows the button. The bot does not update this modal.
    await to_request(mo, card)
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")
    await maya.press("cancel_request")
    await sees_in_all_views(maya, AFTER_ALL)
    assert "Approved by @Mo" in maya.modal


# Users who may not decide


@pytest.mark.parametrize(("user", "words"), NOBODIES.items())
@ONE_TRANSPORT
async def test_whoever_may_not_decide_hears_so_alone_and_it_is_on_record(
    sandbox: Sandbox, start: Start, sqlite_url: str, user: str, words: str
) -> None:
    maya, person = sandbox.slack.person("U0MAYA"), sandbox.slack.person(user)
    async with start(rules=ALWAYS):
        card = await asked(maya)
        await person.click(card, "review_request", force=True)
        await person.until(lambda sees: words in told(sees))
        assert "Mallory" not in told(person)
        assert len(maya.messages("C0MODS")) == 1
    assert refusals(sqlite_url) == [(user, words)]
    assert [one.actor for one in await record(sqlite_url) if one.kind is EventKind.REFUSED] == [
        user
    ]
    assert kicks_stored(sqlite_url) == ["waiting"]
    assert_in_plain_words(sandbox)


@pytest.mark.parametrize("deed", ["approval", "denial"])
@ONE_TRANSPORT
async def test_whoever_asked_can_not_decide_even_with_a_forged_view(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str, deed: str
) -> None:
    mo = sandbox.slack.person("U0MO")
    async with start(rules=ALWAYS):
        await to_request(mo, await asked(maya))
        if deed == "denial":
            await mo.press("deny")
            await mo.until(lambda sees: sees.modal.title == "Deny the request")
        metadata = mo.modal.private_metadata
        await maya.dismiss()
        await to_request(maya, cards(maya)[0])
        tamper(sandbox, maya, callback_id=deed, private_metadata=metadata)
        await maya.submit(force=True)
        await maya.until(lambda sees: "You asked for this kick" in sees.modal)
        assert "Mallory" not in maya.modal
    assert [user for user, _ in refusals(sqlite_url)] == ["U0MAYA"]
    assert kicks_stored(sqlite_url) == ["waiting"]


def tamper(sandbox: Sandbox, person: Person, **content: str) -> None:
    """Change the modal that a user sees, as only the client of an attacker would."""
    sandbox.slack.workspace.views.stack(person.user.id)[-1].content.update(content)


@ONE_TRANSPORT
async def test_somebody_elsewhere_decides_nothing(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS):
        await to_request(mo, await asked(maya))
        # The same id, but of a user of another workspace: ids are unique within a workspace only.
        sandbox.slack.upsert(replace(mo.user, team_id="T0OTHER"))
        await mo.press("deny")
        await mo.until(lambda sees: ELSEWHERE in sees.modal)
    assert refusals(sqlite_url) == [("U0MO", ELSEWHERE)]
    assert [one.note for one in await record(sqlite_url) if one.kind is EventKind.REFUSED] == [
        ELSEWHERE
    ]


@ONE_TRANSPORT
async def test_an_approval_from_elsewhere_is_refused(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS):
        await to_request(mo, await asked(maya))
        sandbox.slack.upsert(replace(mo.user, team_id="T0OTHER"))
        await mo.submit()
        assert ELSEWHERE in mo.modal
        assert "Mallory" not in mo.modal
    assert refusals(sqlite_url) == [("U0MO", ELSEWHERE)]
    assert kicks_stored(sqlite_url) == ["waiting"]


@ONE_TRANSPORT
async def test_a_role_lost_with_the_request_open_decides_nothing(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person, sqlite_url: str
) -> None:
    clock = HastyClock()
    async with start(rules=ALWAYS, clock=clock):
        await to_request(mo, await asked(maya))
        sandbox.slack.upsert(replace(mo.user, deleted=True))
        await clock.sleep(61)
        await mo.submit()
        await mo.until(lambda sees: NOBODIES["U0DEE"] in sees.modal)
    assert refusals(sqlite_url) == [("U0MO", NOBODIES["U0DEE"])]
    assert kicks_stored(sqlite_url) == ["waiting"]


# Forged buttons


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0" * 32, "That request is not in this bot's record. Nothing was changed."),
        ("1", NOT_OURS),
        ("' OR 1=1 --", NOT_OURS),
        ("x" * 2000, NOT_OURS),
        ("\x00" * 32, NOT_OURS),
    ],
)
@ONE_TRANSPORT
async def test_a_forged_button_is_answered_and_changes_nothing(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox,
    maya: Person,
    mo: Person,
    start: Start,
    sqlite_url: str,
    value: str,
    words: str,
) -> None:
    async with start(rules=ALWAYS):
        card = await asked(maya)
        await mo.click(with_button(card, value=value), "review_request", force=True)
        await mo.until(lambda sees: words in told(sees))
        assert cards(maya)[0].blocks == card.blocks
    assert kicks_stored(sqlite_url) == ["waiting"]


@pytest.mark.parametrize("callback_id", ["approval", "denial"])
@pytest.mark.parametrize("metadata", ["", "{}", '{"channel": "C0MODS", "kick": "12"}'])
@ONE_TRANSPORT
async def test_a_view_of_another_version_is_answered(
    sandbox: Sandbox, careful: Bot, mo: Person, callback_id: str, metadata: str
) -> None:
    await to_request(mo, await asked(sandbox.slack.person("U0MAYA")))
    tamper(sandbox, mo, callback_id=callback_id, private_metadata=metadata)
    await mo.submit()
    assert NOT_OURS in mo.modal


async def test_what_is_sent_twice_is_done_once(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person, sqlite_url: str
) -> None:
    async with start(rules=ALWAYS, clock=TirelessClock()):
        await to_request(mo, await asked(maya))
        await mo.submit()
        await sees_in_all_views(mo, "✓ kicked")
        await result(maya)
        for _ in range(2):
            await sandbox.slack.deliver(submission(sandbox, "approval"))
        await sees_in_all_views(mo, "✓ kicked")
    assert kicks_stored(sqlite_url) == ["done"]
    assert len(kick_calls(sandbox)) == 1
    events = [one.kind for one in await record(sqlite_url)]
    assert events.count(EventKind.APPROVED) == 1


@ONE_TRANSPORT
async def test_one_card_never_decides_another_request(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, sqlite_url: str
) -> None:
    lea = sandbox.slack.person("U0LEA")
    first = await asked(maya, "/kick tom spam")
    await maya.dismiss()
    second = await asked(maya)
    await to_request(mo, first)
    await to_request(lea, second)
    assert ("Tom" in mo.modal, "Mallory" in lea.modal) == (True, True)
    await lea.submit()
    await sees_in_all_views(lea, "Mallory — ✓ kicked")
    assert (await stored(sqlite_url, 1)).state == "waiting"
    # The fingerprints of one request are not valid for another one.
    metadata = submission(sandbox, "approval")["view"]["private_metadata"]
    other, this = (await stored(sqlite_url, 2)).id, (await stored(sqlite_url, 1)).id
    tamper(sandbox, mo, private_metadata=metadata.replace(other, this))
    await mo.submit()
    await mo.until(lambda sees: "This changed since you looked" in sees.modal)
    assert (await stored(sqlite_url, 1)).state == "waiting"
    assert len(kick_calls(sandbox)) == 1


# Deadlines


@ONE_TRANSPORT
async def test_what_nobody_decided_expires_and_everybody_hears(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person, sqlite_url: str
) -> None:
    clock = HastyClock()
    async with start(rules=ALWAYS, clock=clock):
        card = await asked(maya)
        await to_request(mo, card)
        await clock.sleep(10 * 60)
        await mo.submit()
        await sees_in_all_views(mo, "Nobody decided in time, so it expired.")
        await sees_in_all_views(maya, "Nobody decided in time, so it expired.")
        await settled(maya, "Nobody decided in time.")
    assert kick_calls(sandbox) == []
    assert kicks_stored(sqlite_url) == ["expired"]


@ONE_TRANSPORT
async def test_the_keeper_lets_expire_what_nobody_looked_at(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    clock = HastyClock()
    async with start(rules=ALWAYS, clock=clock):
        await asked(maya)
        await maya.dismiss()
        await clock.sleep(10 * 60)
        word = (await maya.until(lambda sees: sees.dm()))[0]
        assert "Nobody decided in time" in maya.read(word)
        await settled(maya, "Nobody decided in time.")
    assert kicks_stored(sqlite_url) == ["expired"]


# When a service is down


@ONE_TRANSPORT
async def test_a_decision_that_the_database_did_not_confirm_is_not_called_one(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person, sqlite_url: str
) -> None:
    card = await asked(maya)
    await to_request(mo, card)
    with closing(sqlite3.connect(database_of(sqlite_url))) as other:
        other.execute("BEGIN EXCLUSIVE")
        await mo.submit()
        words = "whether your decision was recorded is not known. Look at the card again."
        await mo.until(lambda sees: words in sees.modal)
        other.rollback()
    assert kick_calls(sandbox) == []
    await to_request(mo, card)
    await mo.until(lambda sees: sees.modal.submit == "Approve")
    await mo.submit()
    await sees_in_all_views(mo, "✓ kicked")


@ONE_TRANSPORT
async def test_a_submit_that_the_database_did_not_confirm_promises_nothing(
    sandbox: Sandbox, careful: Bot, maya: Person, sqlite_url: str
) -> None:
    await to_review(maya)
    with closing(sqlite3.connect(database_of(sqlite_url))) as other:
        other.execute("BEGIN EXCLUSIVE")
        await maya.submit()
        await maya.until(lambda sees: "did not confirm that it kept this" in sees.modal)
        other.rollback()
    assert "Nobody was removed" not in maya.modal


@ONE_TRANSPORT
async def test_who_decides_can_not_be_checked(
    sandbox: Sandbox, start: Start, maya: Person, mo: Person, sqlite_url: str
) -> None:
    clock = HastyClock()
    async with start(rules=ALWAYS, clock=clock):
        card = await asked(maya)
        await to_request(mo, card)
        await clock.sleep(61)
        sandbox.slack.faults.switch_on("server_error", method="users.info")
        await mo.submit()
        await mo.until(lambda sees: "Nothing was decided. Try again." in sees.modal)
        await mo.click(card, "review_request")
        await mo.until(lambda sees: "Your role could not be checked" in sees.modal)
    assert kicks_stored(sqlite_url) == ["waiting"]


@ONE_TRANSPORT
async def test_a_request_that_slack_does_not_open_is_answered(
    sandbox: Sandbox, careful: Bot, maya: Person, mo: Person
) -> None:
    card = await asked(maya)
    sandbox.slack.faults.switch_on("expired_trigger", times=1)
    await mo.click(card, "review_request")
    await mo.until(lambda sees: "did not open the request in time" in told(sees))


# Check again


@pytest.fixture
async def unknown(sandbox: Sandbox, start: Start, maya: Person) -> AsyncIterator[Message]:
    """Let a kick end with an unknown outcome. Then RealtimeKit works again."""
    clock = HastyClock()
    async with start(clock=clock):
        await to_review(maya)
        clock.awake.clear()
        sandbox.realtimekit.faults.switch_on("reset_after", op="kick", times=1)
        await asyncio.gather(
            maya.submit(), sandbox.realtimekit.until(lambda: bool(kick_calls(sandbox)))
        )
        sandbox.realtimekit.faults.switch_on("server_error", op="participants")
        await maya.until(lambda sees: "Looking" in sees.modal)
        clock.awake.set()
        posted = await result(maya)
        sandbox.realtimekit.faults.switch_off()
        yield posted


@ONE_TRANSPORT
async def test_what_was_not_known_is_looked_into_again(
    sandbox: Sandbox, unknown: Message, maya: Person, sqlite_url: str
) -> None:
    assert "? unknown" in maya.read(unknown)
    await maya.click(unknown, "check_again")
    await maya.until(lambda sees: "Mallory — ○ gone" in sees.read(sees.messages("C0LIVE")[-1]))
    assert maya.messages("C0LIVE")[-1].only_for == "U0MAYA"
    await maya.until(lambda sees: "○ gone" in sees.read(sees.messages("C0LIVE")[0]))
    assert "check_again" not in str(maya.messages("C0LIVE")[0].blocks)
    assert (await stored(sqlite_url)).targets[0].outcome is Outcome.GONE
    assert len(kick_calls(sandbox)) == 1


@ONE_TRANSPORT
async def test_what_is_still_not_known_is_said_to_be_so(
    sandbox: Sandbox, unknown: Message, maya: Person
) -> None:
    sandbox.realtimekit.faults.switch_on("server_error", op="participants")
    await maya.click(unknown, "check_again")
    words = "Still not known: Mallory."
    await maya.until(lambda sees: words in sees.read(sees.messages("C0LIVE")[-1]))
    assert "check_again" in str(maya.messages("C0LIVE")[0].blocks)


@ONE_TRANSPORT
async def test_whoever_has_no_role_is_not_told_what_became_of_whom(
    sandbox: Sandbox, unknown: Message
) -> None:
    stan = sandbox.slack.person(UserId("U0STAN"))
    await stan.click(unknown, "check_again")
    await stan.until(lambda sees: NOBODIES["U0STAN"] in sees.read(sees.messages("C0LIVE")[-1]))


@ONE_TRANSPORT
async def test_whose_role_can_not_be_read_is_told_so(sandbox: Sandbox, unknown: Message) -> None:
    mo = sandbox.slack.person("U0MO")
    sandbox.slack.faults.switch_on("server_error", method="users.info")
    await mo.click(unknown, "check_again")
    words = "Your role could not be checked with Slack (users.info: HTTP 500). Nothing was changed."
    await mo.until(lambda sees: words in sees.read(sees.messages("C0LIVE")[-1]))
