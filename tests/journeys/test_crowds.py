"""Many people, people who look alike, hostile names, and people named by a pasted id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bot.app import Bot
from bot.core.kick import State
from bot.core.text import display
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    choose,
    kick_calls,
    pick,
    result,
    stored,
    to_form,
)
from tests.sandbox.realtimekit import Meeting, Participant
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Option, Person

pytestmark = ONE_TRANSPORT

PARTICIPANT = "group_call_participant"


def gather(sandbox: Sandbox, *names: str | None, title: str = "Launch") -> list[Participant]:
    """End the AMA, and let these people join the only live meeting."""
    meeting = only_meeting(sandbox, title)
    people = [sandbox.demo.world.add_participant(meeting, name) for name in names]
    join_one_by_one(sandbox, people)
    return people


def join_one_by_one(sandbox: Sandbox, people: Sequence[Participant]) -> None:
    now = sandbox.demo.world.clock()
    for number, one in enumerate(people):
        sandbox.demo.world.join(one, at=now - timedelta(minutes=1, seconds=len(people) - number))


def only_meeting(sandbox: Sandbox, title: str = "Launch") -> Meeting:
    sandbox.demo.world.end_session(sandbox.demo.ama)
    return sandbox.demo.world.add_meeting(title)


# Numbers of people


@pytest.mark.parametrize("count", [1, 99, 100, 101])
async def test_the_newest_hundred_are_offered_and_a_search_finds_anyone(
    sandbox: Sandbox, maya: Person, bot: Bot, count: int
) -> None:
    gather(sandbox, *(f"Guest {number}" for number in range(1, count + 1)))
    await to_form(maya)
    newest_first = [f"Guest {number}" for number in range(count, 0, -1)]
    assert [one.text for one in await maya.type_ahead("who")] == newest_first[:100]
    assert "Guest 1" in [one.text for one in await maya.type_ahead("who", "guest 1")]


async def test_anyone_of_ten_thousand_is_found_and_kicked(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    # The stand-in checks each row against the contract, which is slower than all else here.
    sandbox.realtimekit.checks_responses = False
    guests = sandbox.demo.world.fill(only_meeting(sandbox), 10_000)
    await to_form(maya)
    assert len(await search(maya)) == 100
    assert pages_read(sandbox) >= 50
    last = guests[9_998]
    for query in ("guest 9999", last.custom_id, last.id):
        assert [one.text for one in await search(maya, query)] == ["Guest 9999"]
    await maya.choose("who", "Guest 9999")
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    await maya.submit()
    await maya.until(lambda sees: "Guest 9999 — ✓ kicked" in sees.modal)
    assert [effect.participant for effect in sandbox.demo.world.kicks] == [last]
    assert len(kick_calls(sandbox)) == 1


async def search(person: Person, query: str = "") -> Sequence[Option]:
    """Type until people are offered. On a slow machine, the bot may still be reading the pages."""
    while not (found := await person.type_ahead("who", query)):
        pass
    return found


def pages_read(sandbox: Sandbox) -> int:
    return sum(
        call.op == "participants" and call.ended_at is not None
        for call in sandbox.realtimekit.calls
    )


@pytest.mark.parametrize("count", [25, 26])
async def test_at_most_twenty_five_people_at_once(
    sandbox: Sandbox, maya: Person, start: Start, count: int
) -> None:
    guests = sandbox.demo.world.fill(only_meeting(sandbox), count)
    async with start(rules={"max_targets": "100/10m"}):
        await to_form(maya)
        await maya.write("ids", "\n".join(one.id for one in guests))
        await maya.write("reason", "raid")
        await maya.submit()
        if count == 26:
            assert maya.modal.errors == {"ids": "At most 25 people at once."}
            return
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        assert "25 people to remove from Launch" in maya.modal
        await maya.submit()
        assert "removed 25 people from Launch" in maya.read(await result(maya))
        assert len(sandbox.demo.world.kicks) == len(kick_calls(sandbox)) == 25


async def test_ids_and_chosen_people_count_together(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    guests = sandbox.demo.world.fill(only_meeting(sandbox), 26)
    await to_form(maya)
    await pick(maya, "Guest 26")
    await maya.write("ids", "\n".join(one.id for one in guests[:25]))
    await maya.write("reason", "raid")
    await maya.submit()
    assert maya.modal.errors == {"ids": "At most 25 people at once."}


async def test_a_moderator_who_removed_as_many_as_the_policy_allows_is_stopped(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    async with start(rules={"max_targets": "2/10m"}):
        await choose(maya, "Tom", "Ana")
        await maya.submit()
        await maya.until(lambda sees: "Ana — ✓ kicked" in sees.modal)
        await maya.command("C0LIVE", "/kick mallory spam")
        words = "That would be 3 people within 10 minutes; the policy allows one moderator 2."
        await maya.until(lambda sees: words in sees.modal)
        assert maya.modal.submit is None
        lea = sandbox.slack.person("U0LEA")
        await lea.command("C0LIVE", "/kick mallory spam")
        await lea.until(lambda sees: sees.modal.submit == "Kick")
    assert len(kick_calls(sandbox)) == 2


async def test_the_limit_counts_what_was_asked_for_between_review_and_kick(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    async with start(rules={"max_targets": "1/10m"}):
        await maya.command("C0LIVE", "/kick mallory spam")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        review = maya.modal
        await maya.submit()
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        assert review.id == maya.modal.id
        await maya.command("C0LIVE", "/kick tom spam")
        await maya.until(lambda sees: "the policy allows one moderator 1" in sees.modal)
    assert len(kick_calls(sandbox)) == 1


# Equal names


async def test_two_of_one_name_are_told_apart_in_the_list_and_in_the_review(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    twins = gather(sandbox, "Sam", "Sam", "Sam Smith")
    await to_form(maya)
    offered = await maya.type_ahead("who", "sam")
    assert [one.text for one in offered] == ["Sam Smith", "Sam", "Sam"]
    second, first = offered[1:]
    assert second.description != first.description
    assert f"id …{twins[0].id[-4:]}" in str(first.description)
    await maya.choose("who", first)
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert f"id …{twins[0].id[-4:]}" in maya.modal
    assert "Not to be confused with another person of this name." in maya.modal
    await maya.submit()
    await maya.until(lambda sees: "✓ kicked" in sees.modal)
    assert [effect.participant for effect in sandbox.demo.world.kicks] == [twins[0]]


@pytest.mark.parametrize("other", ["SAM", "Sam\u200b", "\u202eSam", " Sam ", "\uff33am"], ids=ascii)
async def test_names_that_look_alike_are_one_name(
    sandbox: Sandbox, maya: Person, bot: Bot, other: str
) -> None:
    gather(sandbox, "Sam", other)
    await to_form(maya)
    await maya.type_ahead("who", "sam")
    await maya.choose("who", (await maya.type_ahead("who"))[1])
    await maya.write("reason", "spam")
    await maya.submit()
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert "Not to be confused with another person of this name." in maya.modal


async def test_a_text_that_fits_several_opens_the_form_and_says_so(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    gather(sandbox, "Sam", "Sam")
    await to_form(maya, "/kick sam spam")
    assert "2 people fit “sam”: choose below." in maya.modal
    assert maya.modal.values["reason"] == "spam"


@pytest.mark.parametrize("names", [["Guest"] * 300, ["\u200b" * 100_000, "x" * 100_000, "Guest"]])
async def test_long_names_and_commands_leave_everybody_findable(
    sandbox: Sandbox, maya: Person, bot: Bot, names: list[str]
) -> None:
    *_, last = gather(sandbox, *names)
    await to_form(maya, f"/kick {last.id}{' spam' * 10_000}")
    assert "The reason was cut." in maya.modal
    [option] = maya.modal.values["who"]
    assert option == f"participant:{last.id}"
    offered = await maya.type_ahead("who", "guest")
    descriptions = [one.description for one in offered]
    assert len(set(descriptions)) == len(offered) == min(100, names.count("Guest"))


# Hostile names


HOSTILE = [
    "<!channel>",
    "<!here|x>",
    "<@U0MAYA>",
    "<#C0LIVE>",
    "<https://evil.example|click>",
    "https://evil.example",
    "@channel",
    "*bold* _slanted_ ~gone~ `code` ```block```",
    ":tada: \U0001f389",
    "&lt;!channel&gt; &amp;",
    "two\nlines\r\nand\ttabs",
    "\u202eturned round\u202c",
    "zero\u200bwidth\u2060joined\ufeff",
    "combi" + "\u0301" * 500 + "ned",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ud83d half a pair",
    "n" * 75,
    "n" * 76,
    "n" * 10_000,
    "\U0001f600" * 5_000,
    "",
    " \u200b\u202e ",
    None,
]
HOSTILE_TITLES = [HOSTILE[4], HOSTILE[10], HOSTILE[18]]


async def test_names_are_shown_as_they_are_and_do_nothing(
    sandbox: Sandbox, maya: Person, start: Start
) -> None:
    gather(sandbox, *HOSTILE)
    # Half a surrogate pair cannot be sent to Slack.
    shown = sorted(display((name or "")[:200].replace("\ud83d ", "? "), 75) for name in HOSTILE)
    async with start(rules={"max_targets": "100/10m"}):
        await to_form(maya)
        offered = await maya.type_ahead("who")
        assert sorted(one.text for one in offered) == shown
        await maya.choose("who", *offered)
        await maya.write("reason", "spam")
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        assert sorted(bullets(str(maya.modal), " · ")) == shown
        await maya.submit()
        assert sorted(bullets(maya.read(await result(maya)), " — ✓ kicked")) == shown
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        assert sorted(bullets(str(maya.modal), " — ✓ kicked")) == shown
    assert_inert(sandbox)


def bullets(text: str, end: str) -> list[str]:
    """Return the first words of each bulleted line."""
    return [line.partition("• ")[2].partition(end)[0] for line in text.split("\n") if "• " in line]


@pytest.mark.parametrize("title", HOSTILE_TITLES, ids=lambda title: ascii(title)[:30])
async def test_a_meeting_s_title_is_shown_as_it_is_and_does_nothing(
    sandbox: Sandbox, maya: Person, bot: Bot, title: str
) -> None:
    gather(sandbox, "Troll", title=title)
    await to_form(maya)
    assert f"{display(title, 42)} · 1 live" in maya.modal
    await maya.press("other_meeting")
    await maya.until(lambda sees: "meeting" in sees.modal.action_ids)
    offered = [one.text for one in await maya.type_ahead("meeting")]
    assert f"{display(title, 42)} · 1 live" in offered
    await maya.command("C0LIVE", "/kick troll spam")
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert f"1 person to remove from {display(title, 75)}" in maya.modal
    await maya.submit()
    told = f"removed 1 person from {display(title, 75)} · kick #1"
    assert told in maya.read(await result(maya))
    assert_inert(sandbox)


def assert_inert(sandbox: Sandbox) -> None:
    """Check that no name in the bot's messages can mention, link or break lines."""
    sent: list[Any] = [call.arguments for call in sandbox.slack.calls]
    sent += [one.outcome.body for one in sandbox.slack.deliveries if one.outcome]
    pieces = [piece for one in sent for piece in walk(one)]
    kinds = {piece["type"] for piece in pieces if isinstance(piece.get("type"), str)}
    assert not kinds & {"mrkdwn", "link", "broadcast", "usergroup", "channel", "emoji"}
    assert {piece["user_id"] for piece in pieces if piece.get("type") == "user"} <= {
        "U0MAYA",
        "U0LEA",
    }
    assert all(piece["emoji"] is False for piece in pieces if piece.get("type") == "plain_text")
    said = [
        one["text"] for one in sent if isinstance(one, dict) and isinstance(one.get("text"), str)
    ]
    assert not [text for text in said if "<" in text or ">" in text or "\n" in text]


def walk(sent: Any) -> Iterator[dict[str, Any]]:
    if isinstance(sent, dict):
        yield sent
    children = sent.values() if isinstance(sent, dict) else sent if isinstance(sent, list) else ()
    for child in children:
        yield from walk(child)


# Pasted ids


UUID = "0e5b9f0a-31f6-4c0c-9a2f-6c1f0a7c9d11"
PEER = "That is the id of one of their connections; paste the person's id instead."
UNKNOWN = "Nobody was found with this id."
GUARDED = "Protected by the policy ("


@dataclass(frozen=True)
class Pasted:
    """The pasted text ({…} are ids of the cast), the targets, and the notes on the others."""

    text: str
    going: tuple[str, ...] = ()
    said: str = ""


PASTED = {
    "a participant id": Pasted("{mallory}", ("Mallory",)),
    "a custom id": Pasted("user-9001", ("Mallory",)),
    "blank lines and blanks": Pasted("\n\n  user-9001  \n\n", ("Mallory",)),
    "commas": Pasted("user-9001, user-1042", ("Mallory", "Camille")),
    "semicolons": Pasted("user-9001;user-1042", ("Mallory", "Camille")),
    "one id twice": Pasted("user-9001\nuser-9001", ("Mallory",)),
    "two ids of one person": Pasted("user-9001\n{mallory}", ("Mallory",)),
    "a custom id written with its kind": Pasted("custom:user-9001", ("Mallory",)),
    "a participant id written with its kind": Pasted("participant:{mallory}", ("Mallory",)),
    "a custom id that is a uuid": Pasted(UUID, ("Uuidia",)),
    "a custom id of two records": Pasted("twice", ("Double", "Double")),
    "a record of somebody who is not in": Pasted("absent", ("Absent",), "Not in the live list"),
    "no uuid and nobody's": Pasted("nobody-knows", (), UNKNOWN),
    "a uuid and nobody's": Pasted("11111111-1111-4111-8111-111111111111", (), UNKNOWN),
    "a name": Pasted("Mallory", (), UNKNOWN),
    "another case": Pasted("USER-9001", ("Mallory",)),
    "a uuid in capitals": Pasted("{MALLORY}", ("Mallory",)),
    "an invisible character": Pasted("user\u200b-9001\u2060", ("Mallory",)),
    "the wrong kind": Pasted("custom:{mallory}\nparticipant:user-1042", ("Mallory", "Camille")),
    "a kind in capitals": Pasted("CUSTOM : User-9001", ("Mallory",)),
    "an id that is like several": Pasted("Twin", (), "Several people have an id like “Twin”."),
    "one of several like it": Pasted("custom:twin", ("Twin",)),
    "a connection as a participant": Pasted("participant:{peer}", (), PEER),
    "a connection": Pasted("{peer}", (), PEER),
    "a connection, and one who is known": Pasted("{peer}\nuser-9001", ("Mallory",), PEER),
    "one protected by preset": Pasted("{host}", (), "Protected by the policy (group_call_host)."),
    "one protected by custom id": Pasted("staff-new", (), "Protected by the policy (staff-*)."),
    "a protected id found nowhere": Pasted(
        "custom:staff-later", (), "Protected by the policy (staff-*)."
    ),
    "a protected uuid in capitals": Pasted("participant:{HOST}", (), GUARDED),
    "the connection of one protected": Pasted("participant:{host_peer}", (), GUARDED),
    "a protected custom id in capitals": Pasted("custom:STAFF-PRIYA", (), GUARDED),
    "a protected id as a custom one": Pasted("custom:{host}", (), GUARDED),
    "a protected custom id as a participant": Pasted("participant:staff-priya", (), GUARDED),
    "one protected in a bulk": Pasted(
        "user-9001\n{host}\nuser-1042",
        ("Mallory", "Camille"),
        "Protected by the policy (group_call_host).",
    ),
    "markup": Pasted("<!channel>", (), UNKNOWN),
}


@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED.keys())
async def test_a_pasted_id_means_exactly_whom_it_names(
    sandbox: Sandbox, lea: Person, bot: Bot, pasted: Pasted
) -> None:
    world, ama = sandbox.demo.world, sandbox.demo.ama
    for name, custom_id in (
        ("Uuidia", UUID),
        ("Double", "twice"),
        ("Double", "twice"),
        ("Staffer", "staff-new"),
        ("Twin", "twin"),
        ("Twin", "TWIN"),
    ):
        world.join(world.add_participant(ama, name, custom_id=custom_id))
    world.add_participant(ama, "Absent", custom_id="absent")
    session = world.live_session(ama)
    assert session is not None
    mallory, host = sandbox.demo.mallory.id, sandbox.demo.host.id
    text = pasted.text.format(
        mallory=mallory,
        MALLORY=mallory.upper(),
        peer=session.present[mallory][0].id,
        host=host,
        HOST=host.upper(),
        host_peer=session.present[host][0].id,
    )
    await to_form(lea)
    await lea.write("ids", text)
    await lea.write("reason", "spam")
    await lea.submit()
    await lea.until(lambda sees: sees.modal.title == "Review" and "now…" not in sees.modal)
    assert pasted.said in lea.modal
    going, _, staying = str(lea.modal).partition("Not to be removed")
    assert [line.split(" · ")[0] for line in going.split("│ • ")[1:]] == list(pasted.going)
    assert (lea.modal.submit == "Kick") is bool(pasted.going)
    if not pasted.going:
        assert "Nobody is left to remove." in staying
        return
    await lea.submit()
    posted = lea.read(await result(lea))
    assert posted.count("✓ kicked") == len(sandbox.demo.world.kicks)
    assert len(kick_calls(sandbox)) == len(pasted.going)
    known = {one.id for one in world.records(ama)}
    assert {one for call in kick_calls(sandbox) for one in call.body["participant_ids"]} <= known
    assert sandbox.demo.host in world.who_is_in(ama)
    assert_inert(sandbox)


async def test_a_guests_row_does_not_hide_that_its_custom_id_is_a_hosts(
    sandbox: Sandbox, lea: Person, bot: Bot
) -> None:
    world, ama = sandbox.demo.world, sandbox.demo.ama
    for preset in ("group_call_host", "group_call_participant"):
        world.join(world.add_participant(ama, "Nia", preset, "nia-1"))
    sandbox.realtimekit.faults.switch_on("absent_fields", fields=["user_id"])
    await to_form(lea)
    await pick(lea, "Nia")
    await lea.write("reason", "spam")
    await lea.submit()
    await lea.until(lambda sees: "Protected by the policy (group_call_host)." in sees.modal)
    assert lea.modal.submit is None


@pytest.mark.parametrize("readable", [True, False])
async def test_the_start_warns_of_a_protected_preset_that_the_app_does_not_have(
    sandbox: Sandbox,
    start: Start,
    maya: Person,
    caplog: pytest.LogCaptureFixture,
    *,
    readable: bool,
) -> None:
    if not readable:
        sandbox.realtimekit.faults.switch_on("server_error", op="presets")
    async with start({"protected": {"presets": ["group_call_host", "boss"]}}):
        await to_form(maya)
    [warning] = [one.getMessage() for one in caplog.records if "presets" in one.getMessage()]
    assert ("the app has no preset 'boss'" if readable else "can't be told") in warning


async def test_an_id_found_nowhere_takes_a_lead_or_a_second_person(
    sandbox: Sandbox, maya: Person, bot: Bot, sqlite_url: str
) -> None:
    for person in (maya, sandbox.slack.person("U0LEA")):
        await to_form(person)
        await person.write("ids", "custom:ghost-7")
        await person.write("reason", "spam")
        await person.submit()
        await person.until(lambda sees: "Found nowhere: protection not checked." in sees.modal)
    assert "could not be checked: that takes a lead." in maya.modal
    assert maya.modal.submit == "Ask for approval"
    await maya.submit()
    card = (await maya.until(lambda sees: sees.messages("C0MODS")))[0]
    assert "custom:ghost-7" in maya.read(card)
    assert "protection not checked" in maya.read(card)
    assert (await stored(sqlite_url)).state is State.WAITING
    assert kick_calls(sandbox) == []
    lea = sandbox.slack.person("U0LEA")
    assert lea.modal.submit == "Kick"
    await lea.submit()
    told = "custom:ghost-7 — ✗ failed: nobody with this id in the session"
    assert told in lea.read(await result(lea))
    assert [call.body for call in kick_calls(sandbox)] == [{"custom_participant_ids": ["ghost-7"]}]
    assert (await stored(sqlite_url, 2)).state is State.DONE
    assert (await stored(sqlite_url)).state is State.WAITING


async def test_one_with_three_tabs_is_one_line(sandbox: Sandbox, maya: Person, bot: Bot) -> None:
    await to_form(maya)
    [option] = await maya.type_ahead("who", "yusuf")
    assert "3 connections" in str(option.description)
