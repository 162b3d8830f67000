"""Roles: refused users, and only they, see why. The audit log has each refusal."""

import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bot.app import Bot, running
from bot.config import read_settings
from bot.policy_file import parse_policy
from tests.clocks import HastyClock
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    assert_in_plain_words,
    kick_calls,
    kicks_stored,
    refusals,
    result,
    to_form,
    to_review,
)
from tests.sandbox.realtimekit import open_meeting
from tests.sandbox.sandbox import EXAMPLE_POLICY, Sandbox
from tests.sandbox.slack import OTHER_TEAM_ID, Group, Message, Person, User

Json = dict[str, Any]
Governed = Callable[[Json], AbstractAsyncContextManager[Bot]]

NO_ROLE = "The policy gives you no role. The operator of this bot can change that."
GUEST = "Your Slack account is a guest: it can't remove anybody."
DEACTIVATED = "Your Slack account is deactivated: it can't remove anybody."
A_BOT = "Your Slack account is a bot: it can't remove anybody."
ABROAD_ACCOUNT = "Your Slack account is from another workspace: it can't remove anybody."
ELSEWHERE = "Only people of this workspace can use this bot."

ROBO = User("U0ROBO", "Robo", is_bot=True)
MO = User("U0MO", "Mo")

NOBODIES = {
    "U0STAN": NO_ROLE,
    "U0GUS": GUEST,
    "U0DEE": DEACTIVATED,
    "U0ROBO": A_BOT,
    "U0XEN": ABROAD_ACCOUNT,
}

CHANGES: dict[str, tuple[User | Group, str]] = {
    "out of the group": (Group("S0MODS", "mods", ("U0MIA",)), NO_ROLE),
    "a guest by now": (replace(MO, is_restricted=True), GUEST),
    "deactivated": (replace(MO, deleted=True), DEACTIVATED),
    "a bot by now": (replace(MO, is_bot=True), A_BOT),
}


@pytest.fixture(autouse=True)
def robo(sandbox: Sandbox) -> None:
    live = sandbox.slack.workspace.directory.channels["C0LIVE"]
    sandbox.slack.upsert(ROBO)
    sandbox.slack.upsert(replace(live, members=(*live.members, ROBO.id)))


@pytest.fixture
def governed(sandbox: Sandbox, transport: str, sqlite_url: str) -> Governed:
    """Return a function that starts the bot with parts of the policy changed, or removed (None)."""

    @asynccontextmanager
    async def started(changes: Json) -> AsyncIterator[Bot]:
        given = tomllib.loads(EXAMPLE_POLICY.read_text())
        given["rules"] |= changes.pop("rules", {})
        kept = {name: value for name, value in (given | changes).items() if value is not None}
        policy = parse_policy(kept, EXAMPLE_POLICY)
        http = transport == "http"
        environment = sandbox.settings(http=http, database_url=sqlite_url)
        async with running(read_settings(environment), policy) as bot:
            if http:
                sandbox.slack.deliver_to(f"http://127.0.0.1:{bot.port}/slack/events")
            yield bot

    return started


def told(person: Person, channel: str = "C0LIVE") -> str:
    """Return the text that only this user saw, in a modal or an ephemeral message."""
    whispers = [one for one in person.messages(channel) if one.only_for == person.user.id]
    return "\n".join([*map(str, person.stack), *map(person.read, whispers), *person.notices])


async def sees_refusal(person: Person, words: str) -> None:
    """Wait until this user sees these words, and check that they name no participant."""
    await person.until(lambda sees: words in told(sees))
    assert "Mallory" not in told(person)


async def posted_kick(sandbox: Sandbox) -> Message:
    """Let Maya kick Mallory. Return the message in the channel."""
    maya = sandbox.slack.person("U0MAYA")
    await to_review(maya)
    await maya.submit()
    await maya.until(lambda sees: "✓ kicked" in sees.modal)
    return await result(maya)


@pytest.mark.parametrize(("user", "words"), NOBODIES.items())
async def test_whoever_has_no_role_is_refused_at_the_command(
    sandbox: Sandbox, start: Start, sqlite_url: str, user: str, words: str
) -> None:
    person = sandbox.slack.person(user)
    async with start():
        await person.command("C0LIVE", "/kick mallory spam", force=True)
        await sees_refusal(person, words)
        # By now the membership is cached, and the ack itself is the refusal.
        await person.command("C0LIVE", "/kick mallory spam", force=True)
        assert words in person.read(person.messages("C0LIVE")[-1])
        assert sandbox.slack.person("U0MAYA").messages("C0LIVE") == []
    assert refusals(sqlite_url) == [(user, words)] * 2
    assert kicks_stored(sqlite_url) == []
    assert_in_plain_words(sandbox)


@pytest.mark.parametrize(("user", "words"), {**NOBODIES, "U0XEN": ELSEWHERE}.items())
@ONE_TRANSPORT
async def test_whoever_has_no_role_is_refused_at_kick_again(
    sandbox: Sandbox, start: Start, sqlite_url: str, user: str, words: str
) -> None:
    person = sandbox.slack.person(user)
    async with start():
        posted = await posted_kick(sandbox)
        await person.click(posted, "kick_again", force=True)
        await sees_refusal(person, words)
        await person.click(posted, "kick_again", force=True)
        await person.until(lambda sees: told(sees).count(words) == 2)
        assert len(sandbox.slack.person("U0MAYA").messages("C0LIVE")) == 1
    assert refusals(sqlite_url) == [(user, words)] * 2
    assert len(kick_calls(sandbox)) == 1


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "not-known-yet"])
@pytest.mark.parametrize("change", CHANGES)
@ONE_TRANSPORT
async def test_a_role_lost_while_the_form_is_open_ends_it(
    sandbox: Sandbox, start: Start, sqlite_url: str, change: str, *, is_known: bool
) -> None:
    mo, (changed, words) = sandbox.slack.person("U0MO"), CHANGES[change]
    clock = HastyClock()
    async with start(clock=clock):
        await to_form(mo)
        await mo.choose("who", *await mo.type_ahead("who", "tom"))
        await mo.write("reason", "rude")
        sandbox.slack.upsert(changed)
        await clock.sleep(61)
        if is_known:
            assert await mo.type_ahead("who", "") == []
        await mo.submit()
        await sees_refusal(mo, words)
        assert mo.modal.submit is None
        assert "Tom" not in mo.modal
    assert refusals(sqlite_url) == [("U0MO", words)]
    assert kicks_stored(sqlite_url) == []


@pytest.mark.parametrize("later", [0, 61], ids=["at-once", "a-minute-later"])
@pytest.mark.parametrize("change", CHANGES)
@ONE_TRANSPORT
async def test_a_role_lost_after_the_review_keeps_the_kick_from_happening(
    sandbox: Sandbox, start: Start, sqlite_url: str, change: str, later: int
) -> None:
    mo, (changed, words) = sandbox.slack.person("U0MO"), CHANGES[change]
    clock = HastyClock()
    async with start(clock=clock):
        await to_review(mo)
        sandbox.slack.upsert(changed)
        await clock.sleep(later)
        await mo.submit()
        await mo.until(lambda sees: f"Nobody was removed. {words}" in sees.modal)
        assert mo.messages("C0LIVE") == []
    assert kick_calls(sandbox) == []
    assert kicks_stored(sqlite_url) == ["refused"]
    assert [note for _, note in refusals(sqlite_url)] == [words]


ABROAD_PAYLOADS: dict[str, Json] = {
    "form": {"type": "view_submission", "callback_id": "kick_form"},
    "review": {"type": "view_submission", "callback_id": "kick_review"},
}


@pytest.mark.parametrize("kind", ABROAD_PAYLOADS)
async def test_a_submit_from_another_workspace_is_refused(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str, kind: str
) -> None:
    async with start():
        await (to_form(maya, "/kick mallory") if kind == "form" else to_review(maya))
        # The same id, but of a user of another workspace: ids are unique within a workspace only.
        sandbox.slack.upsert(replace(maya.user, team_id=OTHER_TEAM_ID))
        await maya.submit(force=True)
        assert ELSEWHERE in maya.modal
        assert "Mallory" not in maya.modal
    assert refusals(sqlite_url) == [("U0MAYA", ELSEWHERE)]
    assert kicks_stored(sqlite_url) == []
    assert kick_calls(sandbox) == []


async def test_a_menu_offers_nothing_to_another_workspace(
    sandbox: Sandbox, maya: Person, start: Start
) -> None:
    open_meeting(sandbox.demo.world, "Evening show", ["Ed"])
    async with start():
        await to_form(maya)
        assert await maya.type_ahead("meeting", "")
        sandbox.slack.upsert(replace(maya.user, team_id=OTHER_TEAM_ID))
        assert await maya.type_ahead("meeting", "") == []
        assert await maya.type_ahead("who", "") == []


async def test_a_command_from_another_workspace_is_refused(
    sandbox: Sandbox, maya: Person, start: Start, sqlite_url: str
) -> None:
    async with start():
        await maya.command("C0LIVE", "/kick help")
        payload = sandbox.slack.deliveries[-1].payload | {"team_id": OTHER_TEAM_ID}
        answer = await sandbox.slack.deliver(payload | {"text": "mallory spam"})
        assert ELSEWHERE in str(answer.body)
    assert refusals(sqlite_url) == [("U0MAYA", ELSEWHERE)]
    assert not maya.stack


@ONE_TRANSPORT
async def test_a_helper_is_shown_whom_they_mean_but_can_only_ask(
    sandbox: Sandbox, start: Start, sqlite_url: str
) -> None:
    hal = sandbox.slack.person("U0HAL")
    async with start():
        await to_review(hal)
        assert hal.modal.submit == "Ask for approval"
        assert "Mallory" in hal.modal
        assert "A helper may ask; a moderator decides." in hal.modal
        await hal.submit()
        assert "Kick #1 waits for a second person" in hal.modal
        await hal.until(lambda sees: sees.messages("C0MODS"))
    assert kicks_stored(sqlite_url) == ["waiting"]
    assert refusals(sqlite_url) == []
    assert sandbox.demo.mallory in sandbox.demo.world.who_is_in(sandbox.demo.ama)
    assert kick_calls(sandbox) == []


NOWHERE_TO_ASK = "But the policy names no channel in which to ask one: nobody was removed."
NOBODY_TO_ASK = "But there is nobody else now who could decide it: nobody was removed."
A_HELPER_ALONE = {"who": ["U0HAL"], "role": "helper"}
A_MODERATOR_ALONE = {"who": ["U0HAL"], "role": "moderator"}
A_GUEST = {"who": ["U0GUS", "U0DEE"], "role": "lead"}


@pytest.mark.parametrize(
    ("grants", "changes"),
    [
        ([A_HELPER_ALONE, A_GUEST], {}),
        ([A_MODERATOR_ALONE, A_GUEST], {"second_person": "always"}),
    ],
    ids=["a helper", "a moderator"],
)
@ONE_TRANSPORT
async def test_whom_nobody_could_approve_is_told_at_once(
    sandbox: Sandbox,
    governed: Governed,
    sqlite_url: str,
    grants: list[Json],
    changes: Json,
) -> None:
    hal = sandbox.slack.person("U0HAL")
    async with governed({"grant": grants, "rules": changes}):
        await to_review(hal)
        assert NOBODY_TO_ASK in hal.modal
        assert hal.modal.submit is None
    [(user, why)] = refusals(sqlite_url)
    assert (user, why.endswith(NOBODY_TO_ASK)) == ("U0HAL", True)
    assert kicks_stored(sqlite_url) == []
    assert hal.messages("C0MODS") == []


@ONE_TRANSPORT
async def test_that_nobody_can_be_read_does_not_mean_that_there_is_nobody(
    sandbox: Sandbox, governed: Governed
) -> None:
    hal = sandbox.slack.person("U0HAL")
    mods = {"who": ["S0MODS"], "role": "moderator"}
    async with governed({"grant": [A_HELPER_ALONE, mods]}):
        sandbox.slack.faults.switch_on("server_error", method="usergroups.users.list")
        await to_review(hal)
        assert hal.modal.submit == "Ask for approval"


@ONE_TRANSPORT
async def test_what_needs_a_second_person_is_refused_where_the_policy_names_no_place_to_ask(
    sandbox: Sandbox, maya: Person, governed: Governed, sqlite_url: str
) -> None:
    nowhere = {"approvals_channel": None, "ping": None}
    alone = {"who": ["U0MAYA"], "role": "moderator"}
    rules = {"second_person": "never"}
    async with governed(nowhere | {"grant": [alone], "rules": rules}):
        await to_form(maya)
        await maya.write("ids", "custom:ghost-7")
        await maya.write("reason", "rude")
        await maya.submit()
        await maya.until(lambda sees: NOWHERE_TO_ASK in sees.modal)
        assert maya.modal.submit is None
    assert [user for user, _ in refusals(sqlite_url)] == ["U0MAYA"]
    assert kicks_stored(sqlite_url) == []
    assert kick_calls(sandbox) == []


@ONE_TRANSPORT
async def test_a_lead_kicks(sandbox: Sandbox, bot: Bot) -> None:
    lea = sandbox.slack.person("U0LEA")
    await to_review(lea)
    await lea.submit()
    assert "Mallory — ✓ kicked" in lea.read(await result(lea))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("always", "The policy wants a second person for every kick."),
        ("bulk", "The policy wants a second person when more than 1 go within two minutes."),
    ],
)
@ONE_TRANSPORT
async def test_where_a_second_person_is_needed_only_a_lead_kicks_at_once(
    sandbox: Sandbox, governed: Governed, sqlite_url: str, rule: str, words: str
) -> None:
    rules = {"second_person": rule, "bulk": 1}
    mo, lea = sandbox.slack.person("U0MO"), sandbox.slack.person("U0LEA")
    async with governed({"approvals_channel": "C0MODS", "rules": rules}):
        for person in (mo, lea):
            await to_form(person)
            tom, *_ = await person.type_ahead("who", "tom")
            ana, *_ = await person.type_ahead("who", "ana")
            await person.type_ahead("who", "")
            await person.choose("who", tom, ana)
            await person.write("reason", "rude")
            await person.submit()
            await person.until(lambda sees: sees.modal.title == "Review" and "Tom" in sees.modal)
        assert words in mo.modal
        assert mo.modal.submit == "Ask for approval"
        assert lea.modal.submit == "Kick"
        await mo.submit()
        assert "Kick #1 waits for a second person" in mo.modal
        assert kick_calls(sandbox) == []
        await lea.submit()
        told = lea.read(await result(lea))
        assert told.count("✓ kicked") == 2
        assert "kick #2" in told
    assert kicks_stored(sqlite_url) == ["waiting", "done"]
    assert refusals(sqlite_url) == []


@ONE_TRANSPORT
async def test_a_role_in_some_meetings_reaches_no_other(
    sandbox: Sandbox, start: Start, sqlite_url: str
) -> None:
    show = open_meeting(sandbox.demo.world, "Evening show", ["Ed", "Troll"])
    hal = sandbox.slack.person("U0HAL")
    async with start():
        await to_form(hal, "/kick troll rude")
        assert "Evening" not in hal.modal
        assert "Nobody live in Weekly AMA fits “troll rude”." in hal.modal
        await hal.press("other_meeting")
        await hal.until(lambda sees: "meeting" in sees.modal.action_ids)
        assert [one.text for one in await hal.type_ahead("meeting", "")] == ["Weekly AMA · 12 live"]
        await hal.choose("meeting", show.id, force=True)
        await hal.until(lambda sees: show.id in sees.modal.private_metadata)
        assert await hal.type_ahead("who", "") == []
        await hal.write("ids", "anything")
        await hal.write("reason", "rude")
        await hal.submit()
        await hal.until(lambda sees: "The policy gives you no role in Evening show." in sees.modal)
        assert hal.modal.submit is None
    assert refusals(sqlite_url) == [("U0HAL", "The policy gives you no role in Evening show.")]


@ONE_TRANSPORT
async def test_hidden_characters_in_a_title_take_and_give_no_role(
    sandbox: Sandbox, governed: Governed
) -> None:
    mo, ama = sandbox.slack.person("U0MO"), sandbox.demo.ama
    ama.title = " W\u200beekly AMA"
    show = open_meeting(sandbox.demo.world, f"\u200b{ama.id}", ["Ed", "Troll"])
    by_title = {"who": ["S0MODS"], "role": "moderator", "meetings": ["Weekly*"]}
    async with governed({"grant": [by_title]}):
        await to_review(mo)
        assert mo.modal.submit == "Kick"
        assert "Weekly AMA" in mo.modal
    by_id = {"who": ["S0MODS"], "role": "moderator", "meetings": [ama.id.upper()]}
    async with governed({"grant": [by_id]}):
        await to_review(mo)
        assert mo.modal.submit == "Kick"
        await to_form(mo)
        await mo.press("other_meeting")
        await mo.until(lambda sees: "meeting" in sees.modal.action_ids)
        assert [one.value for one in await mo.type_ahead("meeting", "")] == [ama.id]
        await mo.choose("meeting", show.id, force=True)
        await mo.until(lambda sees: show.id in sees.modal.private_metadata)
        await mo.write("ids", "anything")
        await mo.write("reason", "rude")
        await mo.submit()
        refusal = f"The policy gives you no role in {ama.id} (with hidden characters)."
        await mo.until(lambda sees: refusal in sees.modal)


@pytest.mark.parametrize("method", ["users.info", "usergroups.users.list"])
@pytest.mark.parametrize("fault", ["server_error", "refused", "broken_before", "bare_ok"])
@ONE_TRANSPORT
async def test_who_cannot_be_read_is_refused_in_words(
    sandbox: Sandbox, bot: Bot, method: str, fault: str
) -> None:
    mo = sandbox.slack.person("U0MO")
    sandbox.slack.faults.switch_on(fault, method=method)
    await mo.command("C0LIVE", "/kick mallory spam")
    await sees_refusal(mo, f"Your role could not be checked with Slack ({method}: ")
    assert "Nobody was removed. Try again." in mo.modal
    sandbox.slack.faults.switch_off()
    await mo.cancel()
    await to_review(mo)
    assert mo.modal.submit == "Kick"


@ONE_TRANSPORT
async def test_help_says_so_where_the_role_cannot_be_read(sandbox: Sandbox, bot: Bot) -> None:
    mo = sandbox.slack.person("U0MO")
    sandbox.slack.faults.switch_on("server_error", method="users.info")
    await mo.command("C0LIVE", "/kick help")
    await sees_refusal(mo, "Your role could not be checked with Slack (users.info: HTTP 500).")


@ONE_TRANSPORT
async def test_a_role_given_by_name_works_while_groups_cannot_be_read(
    sandbox: Sandbox, bot: Bot
) -> None:
    sandbox.slack.faults.switch_on("refused", method="usergroups.users.list", error="fatal_error")
    maya = sandbox.slack.person("U0MAYA")
    await to_review(maya)
    await maya.submit()
    assert "✓ kicked" in maya.read(await result(maya))


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("server_error", "users.info: HTTP 500"),
        ("bare_ok", "users.info: no usable answer: no user"),
    ],
)
@ONE_TRANSPORT
async def test_who_cannot_be_read_right_before_the_kick_does_not_kick(
    sandbox: Sandbox, start: Start, sqlite_url: str, fault: str, problem: str
) -> None:
    async with start():
        maya = sandbox.slack.person("U0MAYA")
        await to_review(maya)
        sandbox.slack.faults.switch_on(fault, method="users.info")
        await maya.submit()
        words = f"Nobody was removed. Your role could not be checked with Slack ({problem})."
        await maya.until(lambda sees: words in sees.modal)
    assert kick_calls(sandbox) == []
    assert kicks_stored(sqlite_url) == ["refused"]


@ONE_TRANSPORT
async def test_a_group_that_is_gone_gives_nobody_a_role(
    sandbox: Sandbox, start: Start, sqlite_url: str
) -> None:
    sandbox.slack.upsert(Group("S0MODS", "mods", ("U0MO",), is_disabled=True))
    mo = sandbox.slack.person("U0MO")
    async with start():
        await mo.command("C0LIVE", "/kick mallory spam")
        await sees_refusal(mo, NO_ROLE)
    assert refusals(sqlite_url) == [("U0MO", NO_ROLE)]
