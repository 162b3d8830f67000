"""The choice of the meeting, and changes in it while a moderator reviews."""

import pytest

from bot.core.kick import State
from bot.core.target import Outcome, OutcomeReason
from tests.journeys.approvals import asked, to_request
from tests.journeys.steps import (
    ONE_TRANSPORT,
    choose,
    kick_calls,
    pick,
    result,
    stored,
    to_form,
    to_review,
)
from tests.sandbox.realtimekit import open_meeting
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = [ONE_TRANSPORT, pytest.mark.usefixtures("hasty")]


def leave(sandbox: Sandbox, *names: str) -> None:
    """Let these people leave the AMA. Without names, all of them leave."""
    session = sandbox.demo.world.live_session(sandbox.demo.ama)
    assert session is not None
    for peer in list(session.peers):
        if not names or peer.participant.name in names:
            sandbox.demo.world.leave(peer)


async def refused(person: Person, words: str) -> None:
    """Wait for the modal that says why nobody was removed."""
    await person.until(lambda sees: f"Nobody was removed. {words}" in sees.modal)


# The session


async def test_a_session_that_ends_before_the_tap_on_kick_is_not_kicked_in(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_review(maya)
    sandbox.demo.world.end_session(sandbox.demo.ama)
    await maya.submit()
    await refused(maya, "That session is over: RealtimeKit shows no live session of this meeting.")
    assert (await stored(sqlite_url)).state is State.REFUSED
    assert kick_calls(sandbox) == []
    assert maya.messages("C0LIVE") == []


async def test_a_kick_never_reaches_into_a_later_session(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_review(maya)
    sandbox.demo.world.end_session(sandbox.demo.ama)
    sandbox.demo.world.join(sandbox.demo.mallory)
    await maya.submit()
    await refused(maya, "That session is over, another one has begun: look again who is in it.")
    assert (await stored(sqlite_url)).state is State.REFUSED
    assert kick_calls(sandbox) == []
    assert sandbox.demo.mallory in sandbox.demo.world.who_is_in(sandbox.demo.ama)


async def test_who_is_chosen_before_a_new_session_is_reviewed_in_the_new_one(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_form(maya)
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    sandbox.demo.world.end_session(sandbox.demo.ama)
    sandbox.demo.world.join(sandbox.demo.mallory)
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick" and "Mallory" in sees.modal)
    await maya.submit()
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))
    session = sandbox.demo.world.live_session(sandbox.demo.ama)
    assert session is not None
    assert (await stored(sqlite_url)).session_id == session.id


async def test_who_is_chosen_before_the_session_ends_is_looked_up_in_the_records(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_form(maya)
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    sandbox.demo.world.end_session(sandbox.demo.ama)
    await maya.submit()
    await maya.until(lambda sees: "Not in the live list (it can lag)" in sees.modal)
    await maya.submit()
    told = "Mallory — ✗ failed: nobody with this id in the session"
    assert told in maya.read(await result(maya))
    [target] = (await stored(sqlite_url)).targets
    assert (target.outcome, target.outcome_reason) == (Outcome.FAILED, OutcomeReason.NOBODY)


async def test_a_session_that_just_starts_is_told_as_unreadable_and_then_works(
    sandbox: Sandbox, maya: Person
) -> None:
    sandbox.realtimekit.faults.switch_on("session_starting", seconds=3600)
    await to_form(maya)
    assert await maya.type_ahead("who") == []
    await maya.write("ids", sandbox.demo.mallory.id)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: "RealtimeKit could not be read: HTTP 500" in sees.modal)
    assert maya.modal.submit is None
    sandbox.realtimekit.faults.switch_off()
    await maya.cancel()
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")


# The people in it


async def test_who_left_before_the_review_is_shown_as_gone_and_not_to_be_removed(
    sandbox: Sandbox, maya: Person
) -> None:
    await to_form(maya)
    await pick(maya, "Mallory", "Tom")
    await maya.write("reason", "spam")
    leave(sandbox, "Mallory")
    await maya.submit()
    await maya.until(lambda sees: "Has already left." in sees.modal)
    going, _, staying = str(maya.modal).partition("Not to be removed")
    assert "1 person to remove" in going
    assert "Tom" in going
    assert "Mallory" in staying
    await maya.submit()
    assert "Tom — ✓ kicked" in maya.read(await result(maya))
    assert [call.body for call in kick_calls(sandbox)] == [
        {"participant_ids": [sandbox.demo.crowd[0].id]}
    ]


async def test_when_all_left_before_the_review_there_is_nothing_to_press(
    sandbox: Sandbox, maya: Person
) -> None:
    await to_form(maya)
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    leave(sandbox, "Mallory")
    await maya.submit()
    await maya.until(lambda sees: "Nobody is left to remove." in sees.modal)
    assert "Has already left." in maya.modal
    assert maya.modal.submit is None


async def test_who_left_between_review_and_kick_is_gone_not_kicked(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_review(maya)
    leave(sandbox, "Mallory")
    await maya.submit()
    posted = maya.read(await result(maya))
    assert "Mallory — ○ gone: had left before the kick" in posted
    assert "can rejoin" not in posted
    [target] = (await stored(sqlite_url)).targets
    assert (target.outcome, target.outcome_reason) == (Outcome.GONE, OutcomeReason.NOT_FOUND)
    assert sandbox.demo.world.kicks == []


async def test_who_became_a_host_before_the_review_is_protected(
    sandbox: Sandbox, maya: Person
) -> None:
    await to_form(maya)
    await pick(maya, "Mallory", "Tom")
    await maya.write("reason", "spam")
    sandbox.demo.world.change_preset(sandbox.demo.mallory, "group_call_host")
    await maya.submit()
    await maya.until(lambda sees: "Protected by the policy (group_call_host)." in sees.modal)
    assert "Mallory" in str(maya.modal).partition("Not to be removed")[2]


async def test_who_became_a_host_between_review_and_kick_is_spared(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await choose(maya, "Mallory", "Tom")
    sandbox.demo.world.change_preset(sandbox.demo.mallory, "group_call_host")
    await maya.submit()
    posted = maya.read(await result(maya))
    assert "Mallory — ✗ failed: protected by the policy (group_call_host)" in posted
    assert "Tom — ✓ kicked" in posted
    assert [effect.participant.name for effect in sandbox.demo.world.kicks] == ["Tom"]
    assert len(kick_calls(sandbox)) == 1


async def test_a_kick_of_one_who_became_a_host_is_refused(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_review(maya)
    sandbox.demo.world.change_preset(sandbox.demo.mallory, "group_call_host")
    await maya.submit()
    await refused(maya, "")
    assert (await stored(sqlite_url)).state is State.REFUSED
    assert kick_calls(sandbox) == []


async def test_a_kick_of_one_who_became_a_host_says_that_they_are_protected(
    sandbox: Sandbox, maya: Person
) -> None:
    await to_review(maya)
    sandbox.demo.world.change_preset(sandbox.demo.mallory, "group_call_host")
    await maya.submit()
    await refused(maya, "")
    assert "protect" in maya.modal


# Lists that lag or are wrong


@pytest.mark.parametrize("by", ["title", "id"])
async def test_an_empty_list_of_sessions_does_not_hide_a_meeting(
    sandbox: Sandbox, maya: Person, by: str
) -> None:
    sandbox.realtimekit.faults.switch_on("empty_sessions")
    await to_form(maya)
    assert "RealtimeKit lists no live meeting that you may act in." in maya.modal
    ama = sandbox.demo.ama
    [option] = await maya.type_ahead("meeting", "weekly" if by == "title" else ama.id)
    assert (option.text, option.value) == ("Weekly AMA · not seen live", ama.id)
    await maya.choose("meeting", option)
    await asked_of(maya, ama.id)
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))


async def test_who_just_came_is_not_in_the_list_yet_and_is_kicked_by_id(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    sandbox.realtimekit.faults.switch_on("lagging_list", seconds=30)
    troll = sandbox.demo.world.add_participant(sandbox.demo.ama, "Troll")
    sandbox.demo.world.join(troll)
    await to_form(maya)
    assert await maya.type_ahead("who", "troll") == []
    await maya.write("ids", troll.id)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: "Not in the live list (it can lag)" in sees.modal)
    assert "Troll" in maya.modal
    await maya.submit()
    assert "Troll — ✓ kicked" in maya.read(await result(maya))
    assert [effect.participant for effect in sandbox.demo.world.kicks] == [troll]


async def test_an_empty_list_of_people_does_not_hide_one_who_is_known_by_id(
    sandbox: Sandbox, maya: Person
) -> None:
    sandbox.realtimekit.faults.switch_on("empty_participants")
    await to_form(maya)
    await maya.write("ids", sandbox.demo.mallory.custom_id)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))


async def test_in_an_empty_session_nobody_is_offered(sandbox: Sandbox, maya: Person) -> None:
    leave(sandbox)
    await to_form(maya)
    assert "Weekly AMA · 0 live" in maya.modal
    assert await maya.type_ahead("who") == []


# The choice of the meeting


async def test_a_single_live_meeting_is_a_line_with_a_way_to_another(
    sandbox: Sandbox, maya: Person
) -> None:
    await to_form(maya)
    assert "Weekly AMA · 12 live" in maya.modal
    assert "meeting" not in maya.modal.action_ids
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    await maya.press("other_meeting")
    await maya.until(lambda sees: "meeting" in sees.modal.action_ids)
    assert not maya.modal.values.get("who")
    assert maya.modal.values["reason"] == "spam"
    assert await maya.type_ahead("who") == []


async def test_live_meetings_come_first_and_those_not_seen_live_after_them(
    sandbox: Sandbox, maya: Person
) -> None:
    open_meeting(sandbox.demo.world, "Standup", ["Priya", "Ravi"])
    await to_form(maya)
    assert [one.text for one in await maya.type_ahead("meeting")] == [
        "Standup · 2 live",
        "Weekly AMA · 12 live",
        "Team sync · not seen live",
    ]
    [found] = await maya.type_ahead("meeting", "sync")
    assert found.text == "Team sync · not seen live"
    assert await maya.type_ahead("meeting", "nothing of the kind") == []


async def test_meetings_of_one_title_are_told_apart_from_the_menu_to_the_result(
    sandbox: Sandbox, maya: Person
) -> None:
    world, ama = sandbox.demo.world, sandbox.demo.ama
    twin = open_meeting(world, "Weekly\u200b  ama", ["Priya", "Ravi"])
    fake = world.add_meeting("Weekly AMA · 12 live")
    await to_form(maya)
    lines = {one.value: one.text for one in await maya.type_ahead("meeting", "weekly")}
    assert lines == {
        ama.id: f"Weekly AMA · id …{ama.id[-4:]} · 12 live",
        twin.id: f"Weekly ama · id …{twin.id[-4:]} · 2 live",
        fake.id: f"Weekly AMA · 12 live · id …{fake.id[-4:]} · not seen live",
    }
    await maya.choose("meeting", twin.id)
    await asked_of(maya, twin.id)
    await pick(maya, "Ravi")
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    place = f"meeting …{twin.id[-6:]}"
    assert f"1 person to remove from Weekly ama · {place}" in maya.modal
    await maya.submit()
    assert f"Weekly ama · kick #1 · {place}" in maya.read(await result(maya))
    await to_form(maya)
    chosen = next(
        one["element"] for one in maya.modal.blocks if one.get("label", {}).get("text") == "Meeting"
    )
    assert chosen["initial_option"]["text"]["text"].startswith(
        f"Weekly ama · id …{twin.id[-4:]} · "
    )


async def test_a_request_names_its_meeting_by_id_to_who_approves(
    sandbox: Sandbox, mo: Person
) -> None:
    card = await asked(sandbox.slack.person("U0HAL"))
    place = f"meeting …{sandbox.demo.ama.id[-6:]}"
    assert place in mo.read(card)
    await to_request(mo, card)
    assert place in mo.modal


async def test_choosing_another_meeting_forgets_the_people_and_keeps_the_reason(
    sandbox: Sandbox, maya: Person
) -> None:
    standup = open_meeting(sandbox.demo.world, "Standup", ["Priya", "Ravi"])
    await to_form(maya)
    await maya.type_ahead("meeting")
    await maya.choose("meeting", sandbox.demo.ama.id)
    before = await asked_of(maya, sandbox.demo.ama.id)
    await pick(maya, "Mallory")
    await maya.write("reason", "spam")
    await maya.type_ahead("meeting")
    await maya.choose("meeting", standup.id)
    after = await asked_of(maya, standup.id)
    assert before != after
    assert not maya.modal.values.get("who")
    assert maya.modal.values["reason"] == "spam"
    assert [one.text for one in await maya.type_ahead("who")] == ["Ravi", "Priya"]
    await pick(maya, "Ravi")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert "Standup" in maya.modal
    await maya.submit()
    assert "Ravi — ✓ kicked" in maya.read(await result(maya))


async def asked_of(person: Person, meeting: str) -> str:
    """Wait until the form asks for people of this meeting. Return its block."""

    def block(sees: Person) -> str | None:
        if meeting not in sees.modal.private_metadata:
            return None
        blocks = sees.modal.blocks
        found = [one["block_id"] for one in blocks if one.get("label", {}).get("text") == "Who"]
        return str(found[0])

    return await person.until(block) or ""


async def test_the_meeting_last_used_in_a_channel_is_chosen_there_and_only_there(
    sandbox: Sandbox, maya: Person
) -> None:
    standup = open_meeting(sandbox.demo.world, "Standup", ["Priya", "Ravi", "Sam"])
    await to_review(maya, "/kick ravi spam")
    await maya.submit()
    await result(maya)
    await to_form(maya)
    assert maya.modal.values["meeting"] == standup.id
    assert [one.text for one in await maya.type_ahead("who", "sam")] == ["Sam"]
    await maya.dismiss()
    await to_form(maya, channel="C0MODS")
    assert not maya.modal.values.get("meeting")


async def test_with_two_live_meetings_a_meeting_must_be_chosen(
    sandbox: Sandbox, maya: Person
) -> None:
    open_meeting(sandbox.demo.world, "Standup", ["Priya", "Ravi"])
    await to_form(maya)
    await maya.write("ids", sandbox.demo.mallory.id)
    await maya.write("reason", "spam")
    await maya.submit(force=True)
    assert list(maya.modal.errors.values()) == ["Choose a meeting."]


async def test_a_name_that_is_in_two_live_meetings_opens_the_form(
    sandbox: Sandbox, maya: Person
) -> None:
    open_meeting(sandbox.demo.world, "Standup", ["Priya", "Mallory"])
    await to_form(maya, "/kick mallory spam")
    assert not maya.modal.values.get("meeting")


async def test_a_meeting_with_nobody_in_it_has_nobody_to_kick(
    sandbox: Sandbox, maya: Person, sqlite_url: str
) -> None:
    await to_form(maya)
    await maya.press("other_meeting")
    await maya.until(lambda sees: "meeting" in sees.modal.action_ids)
    await maya.type_ahead("meeting", "team")
    await maya.choose("meeting", sandbox.demo.team_sync.id)
    await asked_of(maya, sandbox.demo.team_sync.id)
    assert await maya.type_ahead("who") == []
    absent = sandbox.demo.world.records(sandbox.demo.team_sync)[1]
    await maya.write("ids", absent.id)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    told = "Tom — ✗ failed: nobody with this id in the session"
    assert told in maya.read(await result(maya))
    assert (await stored(sqlite_url)).session_id is None


async def test_a_review_of_a_meeting_without_a_session_says_so(
    sandbox: Sandbox, maya: Person
) -> None:
    sync = sandbox.demo.team_sync
    record = sandbox.demo.world.records(sync)[-1]
    await to_form(maya)
    await maya.press("other_meeting")
    await maya.until(lambda sees: "meeting" in sees.modal.action_ids)
    [option] = await maya.type_ahead("meeting", "team")
    before = maya.modal.hash
    await maya.choose("meeting", option)
    await maya.until(lambda sees: sees.modal.hash != before)
    await maya.write("ids", record.id)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: "shows no live session of this meeting" in sees.modal)
