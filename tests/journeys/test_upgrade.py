"""The bot takes over the database, the messages and the open modals of an older version.

These are the kicks that the old version left. Maya and Mo are moderators, Lea is a lead, and Hal is
a helper, whose requests need a second person.

1   done; the result could not be posted for a day, so the bot gave up
2   expired
3   cancelled
4   refused; the policy protected the target by then
5   done; both outcomes are unknown; the result is posted
6   done; seven targets with seven other outcome reasons; the result is posted
7   done; approved; the process died before a call, and another one recovered the kick
8   waiting, like 9 and 10; the card is posted
11  denied; the message to the requester could not be sent
12  waiting; the card could not be posted
13  done; repeats 7; Slack answered the post of the result with HTTP 500
14  running; both targets are marked as called; the process died
15  running; the target is not marked; the process died
16  ready; the process died before it claimed the kick

The bot refused a member without a role twice: at the command, and at the card of 8. The open modals
are the form, a review with *Kick*, a review with *Ask for approval*, the request of 8, the question
for a note over the request of 9, and the modal in which Hal waits for 10.
"""

import asyncio

import pytest

from bot.__main__ import main
from tests.clocks import HastyClock
from tests.journeys.conftest import Start
from tests.journeys.old_version import OldVersion
from tests.journeys.steps import LEFT, ONE_TRANSPORT, STILL, kick_calls, public, to_form
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

pytestmark = ONE_TRANSPORT

EXPIRED = 20 * 60
"""Seconds after which old requests are past their ten minutes, and a ready kick past its one."""


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def old(request: pytest.FixtureRequest, sandbox: Sandbox, start: Start) -> OldVersion:
    return OldVersion(sandbox, start, request.getfixturevalue(request.param))


@pytest.fixture
async def installed(old: OldVersion) -> OldVersion:
    """Install what the old version left 10 s ago: its ready kick may be recovered already."""
    await old.install(seconds_ago=10)
    return old


async def message_about(person: Person, number: int, channel: str = "C0LIVE") -> str:
    """Wait for the one message in a channel about a kick, and read it."""

    def found(sees: Person) -> list[str]:
        texts = map(sees.read, public(sees, channel))
        return [text for text in texts if f"kick #{number} · meeting" in text]

    [text] = await person.until(found)
    return text


async def card_says(old: OldVersion, number: int, words: str) -> None:
    """Wait until an old card contains these words and has no button."""
    lea = old.person("U0LEA")
    await lea.until(lambda _: words in (text := old.text(f"card {number}")) and "[" not in text)


async def test_old_work_is_finished_and_reported_once(
    installed: OldVersion, sandbox: Sandbox
) -> None:
    lea, hal = installed.person("U0LEA"), installed.person("U0HAL")
    sandbox.demo.world.kick(sandbox.demo.mallory)
    async with installed.start(clock=HastyClock()):
        ready = await message_about(lea, 16)
        called = await message_about(lea, 14)
        uncalled = await message_about(lea, 15)
        unposted = await message_about(lea, 13)
        card = await message_about(lea, 12, "C0MODS")
        denied = hal.read((await hal.until(lambda sees: sees.dm()))[0])
    assert "✓ kicked" in ready
    assert f"Mallory — {LEFT}" in called
    assert f"Yusuf — {STILL}" in called
    assert "Tom — ✗ failed: not tried: the bot stopped before" in uncalled
    assert all("[ Kick again ]" in one for one in (called, uncalled))
    assert f"Jun — {LEFT}, came back" in unposted
    assert f"Mia — {STILL}" in unposted
    assert "Done again after kick #7." in unposted
    assert "it may be here twice." in unposted
    assert "[ Review ]" in card
    assert "Denied by @Mo" in denied
    assert "Note: let them speak" in denied
    [call] = kick_calls(sandbox)
    assert sandbox.demo.hostile.id in str(call)
    before = lea.messages("C0LIVE"), lea.messages("C0MODS"), hal.dm()
    assert list(map(len, before)) == [1 + 4, 3 + 1, 1]
    async with installed.start():
        await to_form(lea)
    assert (lea.messages("C0LIVE"), lea.messages("C0MODS"), hal.dm()) == before


async def test_an_old_ready_kick_and_old_requests_expire(old: OldVersion, sandbox: Sandbox) -> None:
    await old.install(seconds_ago=EXPIRED)
    maya, hal = old.person("U0MAYA"), old.person("U0HAL")
    async with old.start(clock=HastyClock()):
        await maya.until(lambda sees: sees.dm())
        await hal.until(lambda sees: len(sees.dm()) == 5)
        for number in (8, 9, 10):
            await card_says(old, number, "Nobody decided in time. Nobody was removed.")
        # The bot may post the card of 12 just before it expires the request, and edits it then.
        await maya.until(lambda sees: "[" not in "".join(map(sees.read, public(sees, "C0MODS"))))
    assert "It was not carried out within a minute, so it lapsed." in maya.read(maya.dm()[0])
    assert kick_calls(sandbox) == []


@pytest.mark.parametrize("way", ["card", "modal"])
async def test_an_old_request_is_approved(installed: OldVersion, way: str) -> None:
    mo = installed.person("U0MO")
    async with installed.start():
        if way == "card":
            await mo.click(installed.messages["card 8"], "review_request")
            await mo.until(lambda sees: sees.modal.title == "Kick #8")
        else:
            await installed.open("request 8")
        assert mo.modal.submit == "Approve"
        await mo.submit()
        result = await message_about(mo, 8)
        await card_says(installed, 8, "✓ Approved by @Mo")
    assert "Olu — ✓ kicked" in result
    assert "Approved by @Mo" in result


async def test_old_requests_are_denied(installed: OldVersion) -> None:
    async with installed.start():
        mo = await installed.open("request 8")
        await mo.press("deny")
        await mo.until(lambda sees: sees.modal.submit == "Deny")
        await denied(installed, mo, 8)
        await denied(installed, await installed.open("denial 9"), 9)


async def denied(old: OldVersion, person: Person, number: int) -> None:
    """Deny a request with a note, and wait until the card and both modals show that."""
    await person.write("note", "not yet")
    await person.submit()
    await card_says(old, number, "✗ Denied by @Mo: not yet")
    await person.until(lambda sees: ["Denied by @Mo" in one for one in sees.stack] == [True] * 2)


async def test_an_old_request_is_cancelled(installed: OldVersion) -> None:
    async with installed.start():
        hal = await installed.open("waiting 10")
        await hal.press("cancel_request")
        await card_says(installed, 10, "Taken back by @Hal")
        await hal.until(lambda sees: "cancel_request" not in sees.modal.action_ids)


async def test_the_buttons_of_an_old_result_work(installed: OldVersion, sandbox: Sandbox) -> None:
    maya, message = installed.person("U0MAYA"), installed.messages["result 5"]
    ana, *_ = (one for one in sandbox.demo.crowd if one.name == "Ana")
    sandbox.demo.world.kick(ana)
    async with installed.start():
        await maya.click(message, "check_again")
        await maya.until(lambda _: f"Ana — {LEFT}" in installed.text("result 5"))
        assert f"Olu — {STILL}" in installed.text("result 5")
        assert "Check again" not in installed.text("result 5")
        await maya.click(message, "kick_again")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        assert "Has already left." in maya.modal
        await maya.submit()
        result = await message_about(maya, 17)
    assert "Olu — ✓ kicked" in result
    assert "Done again after kick #5." in result


async def test_an_old_review_is_submitted(installed: OldVersion) -> None:
    async with installed.start():
        hal = await installed.open("review ask")
        await hal.submit()
        card = await message_about(hal, 17, "C0MODS")
        maya = await installed.open("review kick")
        await maya.submit()
        result = await message_about(maya, 18)
    assert "@Hal asks to remove 1 person" in card
    assert "Ana — ✓ kicked" in result


async def test_an_old_form_is_filled_in(installed: OldVersion) -> None:
    async with installed.start():
        maya = await installed.open("form")
        [option] = await maya.type_ahead("who", "jun")
        await maya.choose("who", option)
        await maya.write("ids", "user-2210")
        await maya.write("reason", "spamming links")
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
    assert "2 people to remove from Weekly AMA" in maya.modal
    assert "Jun" in maya.modal
    assert "Yusuf" in maya.modal
    assert "Reason: spamming links" in maya.modal


LOG = {
    1: (
        "U0MAYA done [Weekly AMA] Tom: kicked\n",
        "U0MAYA asked 1 in Weekly AMA: spamming links\n",
        "kickbot claimed moderator in Weekly AMA\n",
        "kickbot called Tom [participant:",
        "]: kicked (confirmed)\n",
        "kickbot finished\n",
        "kickbot not told result: chat.postMessage: HTTP 500\n",
    ),
    2: ("U0HAL expired [", "kickbot expired not decided in time\n"),
    3: ("U0HAL cancelled [", "U0HAL cancelled\n"),
    4: ("U0MAYA refused [", "refused: The policy protects them by now (webinar_presenter).\n"),
    5: ("Ana: unknown, Olu: unknown\n", "unknown (no answer)\n", "unknown (empty answer)\n"),
    6: ("Tom: failed, Jun: failed, Olu: failed, Mia: gone, Camille: kicked, ",),
    7: ("decided by: U0MO\n", "U0MO approved moderator in Weekly AMA\n", "kickbot taken over\n"),
    8: ("U0HAL waiting [Weekly AMA] Olu: -\n", "U0STAN refused The policy gives you no role."),
    11: ("U0HAL denied [", "refused: let them speak\n", "U0MO denied let them speak\n"),
    13: ("Jun: gone, Mia: failed\n", "again after: #7\n"),
    14: ("Mallory: ", "kickbot called Mallory [participant:"),
}


async def test_the_log_shows_old_kicks_and_events(
    installed: OldVersion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def log(*number: str) -> str:
        assert await asyncio.to_thread(main, ["log", *number]) == 0
        return capsys.readouterr().out

    for name, value in installed.settings().items():
        monkeypatch.setenv(name, value)
    async with installed.start():
        newest = await log()
        shown = {number: await log(str(number)) for number in LOG}
    assert [line.split()[0] for line in newest.splitlines()] == [f"#{n}" for n in range(16, 0, -1)]
    lost = {number: [one for one in LOG[number] if one not in shown[number]] for number in LOG}
    assert lost == {number: [] for number in LOG}
