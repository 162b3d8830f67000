"""The form and the review, and their submits: by hand, repeated, or forged."""

import asyncio
import copy
import json
from typing import Any

import pytest

from bot.app import Bot
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    kick_calls,
    kicks_stored,
    refusals,
    result,
    to_form,
    to_review,
)
from tests.sandbox.realtimekit import open_meeting
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Message, Person

Json = dict[str, Any]


async def ephemeral(person: Person, channel: str = "C0LIVE") -> Message:
    """Wait for a message that only this user sees."""
    found = await person.until(
        lambda sees: [one for one in sees.messages(channel) if one.only_for == sees.user.id]
    )
    return found[-1]


def last_submission(sandbox: Sandbox) -> Json:
    """Return the newest submit that the bot got, to replay or forge it."""
    sent = [one.payload for one in sandbox.slack.deliveries]
    return copy.deepcopy(
        next(one for one in reversed(sent) if one.get("type") == "view_submission")
    )


async def choose_someone(person: Person, query: str = "mall") -> None:
    """Search in *Who*, and choose the results."""
    await person.choose("who", *await person.type_ahead("who", query))


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("U0MAYA", "As a moderator you may remove people. You decide what others ask for."),
        ("U0MO", "As a moderator you may remove people. You decide what others ask for."),
        ("U0LEA", "As a lead you may remove people, also where two are needed. You decide"),
        ("U0HAL", "As a helper you may ask for a kick; a moderator or a lead decides."),
        ("U0STAN", "The policy gives you no role."),
        ("U0GUS", "Your Slack account is a guest: it can't remove anybody."),
    ],
)
@ONE_TRANSPORT
async def test_help_says_what_this_person_may_do(
    sandbox: Sandbox, bot: Bot, user: str, words: str
) -> None:
    person = sandbox.slack.person(user)
    await person.command("C0LIVE", "/kick  HELP ")
    told = person.read(await ephemeral(person))
    assert words in told
    assert "/kick mallory spamming links" in told
    assert "@" not in told
    assert not person.stack


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"second_person": "always"}, "remove people; each kick needs a second person."),
        ({"second_person": "bulk"}, "more than 3 within 2 minutes need a second person."),
    ],
)
@ONE_TRANSPORT
async def test_help_says_when_a_second_person_is_needed(
    sandbox: Sandbox, maya: Person, start: Start, rules: dict[str, str], words: str
) -> None:
    async with start(rules=rules):
        await maya.command("C0LIVE", "/kick help")
        assert words in maya.read(await ephemeral(maya))


async def test_a_bare_command_opens_an_empty_form(sandbox: Sandbox, bot: Bot, maya: Person) -> None:
    await to_form(maya)
    assert maya.modal.values == {"who": [], "ids": None, "reason": None}
    assert "Weekly AMA · 12 live" in maya.modal
    assert (maya.modal.submit, maya.modal.close) == ("Review", "Cancel")


@pytest.mark.parametrize(
    ("line", "words", "chosen", "reason"),
    [
        ("/kick zorro spam", "Nobody live in Weekly AMA fits “zorro spam”.", 0, None),
        ("/kick Camille rude", "2 people fit “Camille”: choose below.", 0, "rude"),
        ("/kick mallory", "[Mallory (group_call_participant", 1, None),
        ("/kick user-9001", "[Mallory (group_call_participant", 1, None),
        ("/kick   MALLORY  ", "[Mallory (group_call_participant", 1, None),
    ],
)
@ONE_TRANSPORT
async def test_the_form_opens_with_what_the_command_says(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox, bot: Bot, maya: Person, line: str, words: str, chosen: int, reason: str | None
) -> None:
    await to_form(maya, line)
    assert words in maya.modal
    assert len(maya.modal.values["who"]) == chosen
    assert maya.modal.values["reason"] == reason


async def test_one_match_and_a_reason_open_the_review_at_once(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_review(maya)
    assert len(maya.stack) == 1
    assert (maya.modal.submit, maya.modal.close) == ("Kick", "Cancel")
    assert "Reason: spamming links" in maya.modal
    assert kick_calls(sandbox) == []


@pytest.mark.parametrize(
    ("reason", "opens"),
    [("x", "Review"), ("x" * 500, "Review"), ("x" * 501, "Kick from a meeting")],
    ids=["1", "500", "501"],
)
@ONE_TRANSPORT
async def test_the_command_takes_a_reason_of_500_characters(
    sandbox: Sandbox, bot: Bot, maya: Person, reason: str, opens: str
) -> None:
    await maya.command("C0LIVE", f"/kick mallory {reason}")
    await maya.until(lambda sees: sees.modal.title == opens)
    if opens != "Review":
        assert "The reason was cut." in maya.modal
        assert maya.modal.values["reason"] == "x" * 500


@pytest.mark.parametrize(
    ("reason", "complaint"),
    [
        ("", "The policy wants a reason."),
        (" \n\t ", "The policy wants a reason."),
        ("x" * 501, "At most 500 characters; this has 501."),
    ],
    ids=["0", "blank", "501"],
)
async def test_a_forged_reason_is_refused_at_its_question(
    sandbox: Sandbox, bot: Bot, maya: Person, reason: str, complaint: str
) -> None:
    await to_form(maya, "/kick mallory")
    await maya.write("reason", reason, force=True)
    await maya.submit(force=True)
    assert maya.modal.errors == {"reason": complaint}
    assert maya.modal.values["who"]


@pytest.mark.parametrize("reason", ["x", "x" * 500], ids=["1", "500"])
@ONE_TRANSPORT
async def test_a_reason_as_long_as_allowed_reaches_the_channel(
    sandbox: Sandbox, bot: Bot, maya: Person, reason: str
) -> None:
    await to_form(maya, "/kick mallory")
    await maya.write("reason", reason)
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    assert f"Reason: {reason}" in maya.read(await result(maya))


@pytest.mark.parametrize(
    ("option", "typed", "shown"),
    [
        ("Spam", None, "Reason: Spam"),
        ("Spam", "three times", "Reason: Spam: three times"),
        ("Other", "sang badly", "Reason: sang badly"),
    ],
)
@ONE_TRANSPORT
async def test_the_policys_reasons_are_buttons(  # noqa: PLR0917 - a table's columns
    sandbox: Sandbox, start: Start, maya: Person, option: str, typed: str | None, shown: str
) -> None:
    async with start({"reasons": ["Spam", "Harassment"]}):
        await to_form(maya, "/kick mallory")
        assert "○ Spam  ○ Harassment  ○ Other" in maya.modal
        await maya.choose("reasons", option)
        if typed:
            await maya.write("reason", typed)
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        assert shown in maya.modal


@ONE_TRANSPORT
async def test_other_without_words_is_no_reason(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    async with start({"reasons": ["Spam"]}):
        await to_form(maya, "/kick mallory")
        await maya.choose("reasons", "Other")
        await maya.submit()
        assert maya.modal.errors == {"reason": "The policy wants a reason."}


@ONE_TRANSPORT
async def test_a_reason_typed_in_the_command_stands_under_other(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    async with start({"reasons": ["Spam"]}):
        await to_form(maya, "/kick camille rude")
        assert maya.modal.values["reasons"] == "other"
        assert maya.modal.values["reason"] == "rude"


@ONE_TRANSPORT
async def test_where_the_policy_says_so_no_reason_is_needed(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    async with start({"reason": "optional"}):
        await to_form(maya, "/kick mallory")
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await maya.submit()
        assert "Reason: none" in maya.read(await result(maya))


async def test_nobody_chosen_is_said_at_the_question(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_form(maya)
    await maya.write("reason", "spam")
    await maya.submit()
    assert list(maya.modal.errors.values()) == ["Choose at least one person, or paste an id below."]


@ONE_TRANSPORT
async def test_25_people_can_be_chosen_and_26_cannot(
    sandbox: Sandbox, start: Start, maya: Person
) -> None:
    sandbox.demo.world.fill(sandbox.demo.ama, 26)
    async with start({"max_targets": "99/10m"}):
        await to_form(maya)
        offered = await maya.type_ahead("who", "guest")
        await maya.write("reason", "a raid")
        await maya.choose("who", *offered[:26], force=True)
        await maya.submit()
        assert list(maya.modal.errors.values()) == ["At most 25 people at once."]
        await maya.choose("who", *offered[:25])
        await maya.write("ids", "one-more")
        await maya.submit()
        assert maya.modal.errors == {"ids": "At most 25 people at once."}
        await maya.write("ids", "")
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        assert "25 people to remove from Weekly AMA" in maya.modal


async def test_the_form_is_kept_under_the_review(sandbox: Sandbox, bot: Bot, maya: Person) -> None:
    await to_form(maya)
    await choose_someone(maya)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert [modal.title for modal in maya.stack] == ["Kick from a meeting", "Review"]
    assert maya.modal.close == "Back"
    await maya.cancel()
    assert maya.modal.title == "Kick from a meeting"
    assert maya.modal.values["reason"] == "spam"
    await maya.write("reason", "spam, twice")
    await maya.submit()
    await maya.until(lambda sees: "Reason: spam, twice" in sees.modal)


async def test_after_the_kick_no_live_form_is_left(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_form(maya)
    await choose_someone(maya)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    await maya.until(lambda sees: all("✓ kicked" in one for one in sees.stack))
    assert [modal.submit for modal in maya.stack] == [None, None]


async def test_a_double_tap_kicks_once(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start():
        await to_review(maya)
        await asyncio.gather(maya.submit(), maya.submit())
        await result(maya)
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
    assert len(kick_calls(sandbox)) == 1
    assert len(maya.messages("C0LIVE")) == 1
    assert kicks_stored(sqlite_url) == ["done"]
    assert maya.strips == []


async def test_a_replayed_review_is_answered_with_what_became_of_it(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start():
        await to_review(maya)
        await maya.submit()
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        answer = await sandbox.slack.deliver(last_submission(sandbox))
        assert "✓ kicked" in str(answer.body)
    assert len(kick_calls(sandbox)) == 1
    assert len(maya.messages("C0LIVE")) == 1
    assert kicks_stored(sqlite_url) == ["done"]


def forged(
    person: Person, kind: str, *, callback_id: str = "kick_review", metadata: str = "", **more: Any
) -> Json:
    """Return a forged payload about the modal on top."""
    view = {"id": person.modal.id, "type": "modal", "callback_id": callback_id}
    return {
        "type": kind,
        "team": {"id": "T0KICK"},
        "user": {"id": person.user.id, "team_id": person.user.team_id},
        "view": {**view, "private_metadata": metadata, "state": {"values": {}}},
        **more,
    }


def with_draft(payload: Json, draft: object) -> Json:
    """Return the submit with another draft id."""
    said = json.loads(payload["view"]["private_metadata"])
    payload["view"]["private_metadata"] = json.dumps(said | {"draft": draft})
    return payload


async def test_a_used_view_with_another_draft_is_refused(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start():
        await to_review(maya, "/kick tom rude")
        other = json.loads(maya.modal.private_metadata)["draft"]
        await maya.cancel()
        await to_review(maya)
        await maya.submit()
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        answer = await sandbox.slack.deliver(with_draft(last_submission(sandbox), other))
        used = "This review was already used for something else."
        assert used in str(answer.body)
    assert len(kick_calls(sandbox)) == 1
    assert kicks_stored(sqlite_url) == ["done"]
    assert refusals(sqlite_url) == [("U0MAYA", used)]


@pytest.mark.parametrize("draft", ["f" * 32, "", 7, None, {"id": "x"}], ids=str)
@ONE_TRANSPORT
async def test_a_forged_draft_kicks_nobody(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str, draft: object
) -> None:
    async with start():
        await to_review(maya)
        payload = forged(maya, "view_submission", metadata=maya.modal.private_metadata)
        answer = await sandbox.slack.deliver(with_draft(payload, draft))
        assert answer.body["response_action"] == "update"
        assert "submit" not in answer.body["view"]
    assert kick_calls(sandbox) == []
    assert kicks_stored(sqlite_url) == []


async def test_somebody_elses_draft_is_refused(
    sandbox: Sandbox, start: Start, maya: Person, sqlite_url: str
) -> None:
    async with start():
        await to_review(maya)
        drafted = json.loads(maya.modal.private_metadata)["draft"]
        mo = sandbox.slack.person("U0MO")
        await to_review(mo, "/kick tom rude")
        await mo.submit()
        await mo.until(lambda sees: "✓ kicked" in sees.modal)
        payload = with_draft(last_submission(sandbox), drafted)
        payload["view"]["id"] = "V0FORGED"
        answer = await sandbox.slack.deliver(payload)
        assert "This review is not yours" in str(answer.body)
    assert [effect.participant.name for effect in sandbox.demo.world.kicks] == ["Tom"]
    assert refusals(sqlite_url)[0][0] == "U0MO"


@pytest.mark.parametrize(
    ("callback_id", "metadata"),
    [
        ("kick_form", ""),
        ("kick_form", "C0LIVE"),
        ("kick_form", '{"channel": null}'),
        ("kick_review", "{}"),
        ("kick_review", "[1"),
        ("kick_review", '"x"'),
        ("kick_v0", '{"channel": "C0LIVE"}'),
    ],
)
@ONE_TRANSPORT
async def test_a_view_of_an_older_version_is_answered(
    sandbox: Sandbox, bot: Bot, maya: Person, callback_id: str, metadata: str
) -> None:
    await to_review(maya)
    payload = forged(maya, "view_submission", callback_id=callback_id, metadata=metadata)
    answer = await sandbox.slack.deliver(payload)
    assert "This belongs to an older version of the bot." in str(answer.body)


async def test_an_unknown_button_in_a_message_is_answered_for_its_presser_only(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_review(maya)
    await maya.submit()
    posted = await result(maya)
    button = {"type": "button", "action_id": "kick_v0", "text": {"type": "plain_text", "text": "?"}}
    blocks = [{"type": "actions", "block_id": "b", "elements": [button]}]
    await maya.click(_with_blocks(posted, blocks), "kick_v0", force=True)
    told = await ephemeral(maya)
    assert "This belongs to an older version of the bot." in maya.read(told)


def _with_blocks(message: Message, blocks: list[Json]) -> Message:
    return Message(message.channel, message.ts, message.author, message.text, blocks)


@ONE_TRANSPORT
async def test_an_unknown_button_in_a_view_replaces_that_view(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    await to_form(maya)
    button = {"type": "button", "action_id": "kick_v0", "block_id": "b", "action_ts": "1.0"}
    await sandbox.slack.deliver(forged(maya, "block_actions", actions=[button]))
    await maya.until(lambda sees: "This belongs to an older version of the bot." in sees.modal)


@ONE_TRANSPORT
async def test_an_unknown_menu_offers_nothing(sandbox: Sandbox, bot: Bot, maya: Person) -> None:
    await to_form(maya)
    menu = {"action_id": "kick_v0", "block_id": "b", "value": ""}
    asked = forged(maya, "block_suggestion", **menu)
    assert (await sandbox.slack.deliver(asked)).body == {"options": []}


async def test_with_several_meetings_the_form_asks_and_redraws(
    sandbox: Sandbox, bot: Bot, maya: Person
) -> None:
    open_meeting(sandbox.demo.world, "Evening show", ["Ed", "Troll"])
    await to_form(maya)
    assert await maya.type_ahead("who") == []
    live, *_ = await maya.type_ahead("meeting", "even")
    assert live.text == "Evening show · 2 live"
    await maya.choose("meeting", live)
    await maya.until(lambda sees: '"meeting":"' in sees.modal.private_metadata)
    assert [one.text for one in await maya.type_ahead("who")] == ["Troll", "Ed"]
