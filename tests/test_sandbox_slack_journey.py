"""A small Bolt app against the stand-in, over both transports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.slack import ActionError, Person, SlackStandIn, TimedOutError

pytestmark = pytest.mark.services

MANIFEST = Path(__file__).parents[1] / "manifest.yml"
Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str) -> Json:
    return {"text": plain(text), "value": f"id-{text}"}


def field_(block_id: str, element: Json, **more: Any) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(block_id.title()),
        "element": element,
        **more,
    }


WHO = field_(
    "who",
    {
        "type": "multi_external_select",
        "action_id": "who",
        "min_query_length": 0,
        "max_selected_items": 2,
    },
)
REASON = field_(
    "reason", {"type": "plain_text_input", "action_id": "reason", "max_length": 20}, optional=True
)
MORE = {
    "type": "actions",
    "block_id": "more",
    "elements": [{"type": "button", "action_id": "more", "text": plain("More"), "value": "m"}],
}


def modal(title: str, *blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain(title),
        "submit": plain("Send"),
        "blocks": list(blocks) or [WHO, REASON, MORE],
        **more,
    }


def line(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


@dataclass
class Bot:
    """What the app does. Each test sets the parts that it needs."""

    client: AsyncWebClient
    seen: list[Json] = field(default_factory=list)
    command: Callable[[Any, Json, Any], Awaitable[None]] | None = None
    answer: Json | None = None
    options: list[Json] = field(default_factory=lambda: [option("Mallory"), option("Trent")])
    pause: float = 0.0


def build(bot: Bot, signing_secret: str) -> AsyncApp:
    app = AsyncApp(client=bot.client, signing_secret=signing_secret, process_before_response=True)

    @app.command("/kick")
    async def command(ack: Any, body: Json, respond: Any) -> None:
        bot.seen.append(body)
        if bot.command:
            await bot.command(ack, body, respond)
        else:
            await bot.client.views_open(trigger_id=body["trigger_id"], view=modal("Kick"))
            await ack()

    @app.options("who")
    async def options(ack: Any, body: Json) -> None:
        bot.seen.append(body)
        await asyncio.sleep(bot.pause)
        await ack(options=bot.options)

    @app.view("form")
    async def view(ack: Any, body: Json) -> None:
        bot.seen.append(body)
        await asyncio.sleep(bot.pause)
        await ack(**bot.answer or {})

    @app.view_closed("form")
    async def closed(ack: Any, body: Json) -> None:
        bot.seen.append(body)
        await ack()

    @app.action("more")
    async def more(ack: Any, body: Json, respond: Any) -> None:
        bot.seen.append(body)
        await ack()
        if "response_url" in body:
            await respond(text="answered", replace_original=True)

    return app


@asynccontextmanager
async def socket_mode(slack: SlackStandIn, app: AsyncApp) -> AsyncIterator[None]:
    client = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client, ping_interval=0.2)
    await handler.connect_async()
    try:
        yield
    finally:
        await handler.close_async()


@asynccontextmanager
async def signed_http(slack: SlackStandIn, app: AsyncApp) -> AsyncIterator[None]:
    runner = web.AppRunner(app.web_app("/slack/events"), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.deliver_to(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(MANIFEST) as stand_in:
        yield stand_in


@pytest.fixture(params=[socket_mode, signed_http])
async def bot(slack: SlackStandIn, request: pytest.FixtureRequest) -> AsyncIterator[Bot]:
    bot = Bot(AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))
    async with request.param(slack, build(bot, slack.signing_secret)):
        yield bot


@pytest.fixture
def maya(slack: SlackStandIn) -> Person:
    return slack.person("U0MAYA")


async def test_a_command_opens_a_form_that_is_filled_in_and_sent(
    slack: SlackStandIn, bot: Bot, maya: Person
) -> None:
    await maya.command("live-ops", "/kick mallory  spam ")
    assert maya.modal.title == "Kick"
    offered = await maya.type_ahead("who", "mal")
    assert [item.text for item in offered] == ["Mallory", "Trent"]
    await maya.choose("who", "Mallory")
    await maya.write("reason", "spam")
    assert "[Mallory" in maya.modal
    await maya.submit()
    assert not maya.stack
    assert not slack.problems
    assert bot.seen[0]["text"] == "mallory  spam"
    assert bot.seen[-1]["view"]["state"]["values"] == {
        "who": {"who": {"type": "multi_external_select", "selected_options": [option("Mallory")]}},
        "reason": {"reason": {"type": "plain_text_input", "value": "spam"}},
    }
    with pytest.raises(ActionError, match="no modal open"):
        _ = maya.modal
    with pytest.raises(TimedOutError, match="Maya sees"):
        await maya.until(lambda person: person.modal, within=0.01)


async def test_values_that_the_client_refuses(slack: SlackStandIn, bot: Bot, maya: Person) -> None:
    await maya.command("live-ops", "/kick")
    with pytest.raises(ActionError, match="required"):
        await maya.submit()
    with pytest.raises(ActionError, match="offers no"):
        await maya.choose("who", "Mallory")
    bot.options = [option(name) for name in ("Mallory", "Trent", "Eve")]
    options = await maya.type_ahead("who")
    with pytest.raises(ActionError, match="2 at most"):
        await maya.choose("who", *options)
    with pytest.raises(ActionError, match="At most 20"):
        await maya.write("reason", "x" * 21)
    with pytest.raises(ActionError, match="no 'nothing'"):
        await maya.press("nothing")
    with pytest.raises(ActionError, match="no button"):
        await maya.press("reason")
    with pytest.raises(ActionError, match="no channel"):
        await maya.command("C0NONE", "/kick")
    with pytest.raises(ActionError, match="archived"):
        await maya.command("old-ops", "/kick")
    with pytest.raises(ActionError, match="Stan is not in"):
        await slack.person("U0STAN").command("private-ops", "/kick")


async def test_a_manipulated_client(bot: Bot, maya: Person) -> None:
    await maya.command("live-ops", "/kick")
    await maya.choose("who", "forged", force=True)
    await maya.write("reason", "x" * 100, force=True)
    await maya.submit(force=True)
    values = bot.seen[-1]["view"]["state"]["values"]
    assert values["who"]["who"]["selected_options"][0]["value"] == "forged"
    assert len(values["reason"]["reason"]["value"]) == 100


class TestCommands:
    async def test_an_answer_in_the_ack(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        async def answer(ack: Any, _body: Json, _respond: Any) -> None:
            await ack("Not for you")

        bot.command = answer
        await maya.command("quiet", "/kick")
        (message,) = maya.messages("quiet")
        assert (message.text, message.only_for) == ("Not for you", "U0MAYA")
        assert not slack.problems

    async def test_an_answer_that_cannot_be_used(
        self, slack: SlackStandIn, bot: Bot, maya: Person
    ) -> None:
        async def answer(ack: Any, _body: Json, _respond: Any) -> None:
            await ack(text="x", blocks=[line("")])

        bot.command = answer
        await maya.command("quiet", "/kick")
        assert maya.notices == ['/kick failed with the error "invalid_command_response"']
        assert "must be more than 0 characters" in slack.problems[0]

    async def test_an_answer_by_response_url(self, bot: Bot, maya: Person) -> None:
        async def answer(ack: Any, _body: Json, respond: Any) -> None:
            await respond(text="for all", response_type="in_channel")
            await ack()

        bot.command = answer
        await maya.command("quiet", "/kick")
        assert [message.only_for for message in maya.messages("quiet")] == [None]

    async def test_an_ack_too_late(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        gate = asyncio.Event()

        async def answer(ack: Any, _body: Json, _respond: Any) -> None:
            await gate.wait()
            await ack("too late")

        bot.command = answer
        slack.ack_timeout = 0.05
        await maya.command("live-ops", "/kick mallory")
        gate.set()
        assert maya.notices == ['/kick failed with the error "operation_timeout"']
        assert slack.problems == ["/kick mallory: no answer within 0.05 s"]
        assert maya.messages("live-ops") == []

    async def test_strangers_have_no_commands(self, bot: Bot, slack: SlackStandIn) -> None:
        xen = slack.person("U0XEN")
        await xen.command("live-ops", "/kick mallory")
        assert "/kick is not a valid command" in xen.notices[0]
        assert not bot.seen

    async def test_a_command_that_the_manifest_lacks(self, bot: Bot, maya: Person) -> None:
        await maya.command("live-ops", "/ban mallory")
        assert "/ban is not a valid command" in maya.notices[0]
        assert not bot.seen


class TestSuggestions:
    async def test_the_rest_of_the_form_is_not_sent(
        self, slack: SlackStandIn, bot: Bot, maya: Person
    ) -> None:
        await maya.command("live-ops", "/kick")
        await maya.write("reason", "spam")
        await maya.type_ahead("who", "m")
        payload = bot.seen[-1]
        assert (payload["type"], payload["value"]) == ("block_suggestion", "m")
        assert payload["view"]["state"] == {"values": {}}
        assert not slack.problems

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ([option(str(number)) for number in range(101)], "no more than 100 items"),
            ([option("x" * 76)], "must be less than 76 characters"),
            ([option("same"), option("same")], "option values must be unique"),
        ],
    )
    async def test_wrong_options_show_as_none(
        self, slack: SlackStandIn, bot: Bot, maya: Person, options: list[Json], complaint: str
    ) -> None:
        bot.options = options
        await maya.command("live-ops", "/kick")
        assert await maya.type_ahead("who", "m") == []
        assert complaint in slack.problems[0]

    async def test_late_options_show_as_none(
        self, slack: SlackStandIn, bot: Bot, maya: Person
    ) -> None:
        await maya.command("live-ops", "/kick")
        bot.pause, slack.ack_timeout = 0.1, 0.05
        assert await maya.type_ahead("who", "m") == []
        assert "no answer within" in slack.problems[0]

    async def test_no_options_are_fine(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        bot.options = []
        await maya.command("live-ops", "/kick")
        assert await maya.type_ahead("who", "m") == []
        assert not slack.problems


class TestSubmissions:
    @pytest.fixture(autouse=True)
    async def _form(self, bot: Bot, maya: Person) -> None:
        await maya.command("live-ops", "/kick")
        await maya.type_ahead("who")
        await maya.choose("who", "Mallory")
        bot.seen.clear()

    async def test_errors(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        bot.answer = {"response_action": "errors", "errors": {"reason": "Why?"}}
        await maya.submit()
        assert maya.modal.errors == {"reason": "Why?"}
        assert "✗ Why?" in maya.modal
        bot.answer = None
        await maya.submit()
        assert not maya.stack
        assert not slack.problems

    async def test_update_keeps_the_id(self, bot: Bot, maya: Person) -> None:
        before = maya.modal.id
        bot.answer = {"response_action": "update", "view": modal("Working", line("…"))}
        await maya.submit()
        assert (maya.modal.id, maya.modal.title) == (before, "Working")

    async def test_push_and_clear(self, bot: Bot, maya: Person) -> None:
        bot.answer = {"response_action": "push", "view": modal("Review", line("Mallory"))}
        await maya.submit()
        assert [view.title for view in maya.stack] == ["Kick", "Review"]
        await maya.submit()
        bot.answer = {"response_action": "clear"}
        await maya.submit()
        assert not maya.stack

    async def test_an_empty_answer_closes_only_the_view_on_top(
        self, bot: Bot, maya: Person
    ) -> None:
        bot.answer = {"response_action": "push", "view": modal("Review", line("Mallory"))}
        await maya.submit()
        bot.answer = None
        await maya.submit()
        assert maya.modal.title == "Kick"
        assert maya.modal.values["who"] == ["id-Mallory"]

    @pytest.mark.parametrize(
        ("answer", "complaint"),
        [
            ({"response_action": "errors", "errors": {"more": "No"}}, "without input: more"),
            ({"response_action": "update", "view": modal("x" * 25)}, "less than 25 characters"),
            ({"response_action": "push", "view": {"type": "modal"}}, "missing required field"),
            ({"response_action": "close"}, "cannot be used"),
        ],
    )
    async def test_answers_that_cannot_be_used(
        self, slack: SlackStandIn, bot: Bot, maya: Person, answer: Json, complaint: str
    ) -> None:
        bot.answer = answer
        await maya.submit()
        assert maya.modal.strip == ("We had some trouble connecting. Try again? (invalid_response)")
        assert complaint in slack.problems[0]

    async def test_an_ack_too_late(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        bot.pause, slack.ack_timeout = 0.1, 0.05
        await maya.submit()
        assert "operation_timeout" in str(maya.modal.strip)
        assert slack.problems[0] == "view_submission form: no answer within 0.05 s"

    async def test_a_double_tap_sends_twice(self, bot: Bot, maya: Person) -> None:
        await asyncio.gather(maya.submit(), maya.submit())
        assert len({payload["trigger_id"] for payload in bot.seen}) == 2
        assert len({payload["view"]["id"] for payload in bot.seen}) == 1
        assert not maya.stack

    async def test_no_submit_button(self, bot: Bot, maya: Person) -> None:
        done = modal("Done", line("Kicked"))
        del done["submit"]
        bot.answer = {"response_action": "update", "view": done}
        await maya.submit()
        with pytest.raises(ActionError, match="no submit button"):
            await maya.submit()
        await maya.submit(force=True)

    async def test_replayed_and_forged_payloads(
        self, slack: SlackStandIn, bot: Bot, maya: Person
    ) -> None:
        await maya.submit()
        sent = slack.deliveries[-1]
        assert sent.outcome is not None
        again = await slack.deliver(sent.payload)
        assert again.failure is None
        forged = {**sent.payload, "user": {**sent.payload["user"], "id": "U0STAN"}}
        await slack.deliver(forged)
        assert [payload["user"]["id"] for payload in bot.seen] == ["U0MAYA", "U0MAYA", "U0STAN"]


class TestClosing:
    async def test_the_bot_is_told_if_it_asked(self, bot: Bot, maya: Person) -> None:
        async def open_(ack: Any, body: Json, _respond: Any) -> None:
            view = modal("Kick", line("x"), notify_on_close=True)
            await bot.client.views_open(trigger_id=body["trigger_id"], view=view)
            await ack()

        bot.command = open_
        await maya.command("live-ops", "/kick")
        await maya.cancel()
        await maya.command("live-ops", "/kick")
        await maya.dismiss()
        closings = [payload for payload in bot.seen if payload.get("type") == "view_closed"]
        assert [payload["is_cleared"] for payload in closings] == [False, True]

    async def test_the_bot_is_not_told_if_it_did_not_ask(self, bot: Bot, maya: Person) -> None:
        await maya.command("live-ops", "/kick")
        await maya.dismiss()
        assert len(bot.seen) == 1


class TestButtons:
    async def test_in_a_modal(self, bot: Bot, maya: Person) -> None:
        await maya.command("live-ops", "/kick")
        await maya.press("more")
        payload = bot.seen[-1]
        assert payload["type"] == "block_actions"
        assert payload["container"]["type"] == "view"
        assert "channel" not in payload
        assert "response_url" not in payload
        (action,) = payload["actions"]
        assert (action["action_id"], action["block_id"], action["value"]) == ("more", "more", "m")

    async def test_in_a_message(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        await bot.client.chat_postMessage(channel="C0LIVE", text="card", blocks=[MORE])
        (card,) = maya.messages("C0LIVE")
        xen = slack.person("U0XEN")
        await xen.click(card, "more")
        payload = bot.seen[-1]
        assert payload["user"]["team_id"] == "T0OTHER"
        assert payload["message"]["ts"] == card.ts
        changed = await maya.until(
            lambda person: [item for item in person.messages("C0LIVE") if item.text == "answered"]
        )
        with pytest.raises(ActionError, match="nothing"):
            await maya.click(changed[0], "more")
        await maya.click(card, "more", force=True)
        assert len(bot.seen) == 2

    async def test_in_an_ephemeral_message(self, bot: Bot, maya: Person) -> None:
        await bot.client.chat_postEphemeral(
            channel="C0LIVE", user="U0MAYA", text="card", blocks=[MORE]
        )
        await maya.click(maya.messages("C0LIVE")[0], "more")
        assert bot.seen[-1]["container"]["is_ephemeral"]
        assert "message" not in bot.seen[-1]
        (message,) = await maya.until(lambda person: person.messages("C0LIVE"))
        assert message.only_for == "U0MAYA"

    async def test_a_message_that_the_user_does_not_see(
        self, slack: SlackStandIn, bot: Bot, maya: Person
    ) -> None:
        await bot.client.chat_postEphemeral(
            channel="C0LIVE", user="U0MAYA", text="card", blocks=[MORE]
        )
        (card,) = maya.messages("C0LIVE")
        with pytest.raises(ActionError, match="sees no such message"):
            await slack.person("U0MO").click(card, "more")


class TestFaults:
    async def test_slack_cannot_reach_the_bot(
        self, slack: SlackStandIn, bot: Bot, maya: Person
    ) -> None:
        slack.faults.switch_on("no_delivery", times=1)
        await maya.command("live-ops", "/kick")
        assert maya.notices == ['/kick failed with the error "dispatch_failed"']
        assert not bot.seen
        assert not slack.problems

    async def test_slack_loses_a_click(self, slack: SlackStandIn, bot: Bot, maya: Person) -> None:
        slack.faults.switch_on("lost_delivery", type="block_actions", times=1)
        await maya.command("live-ops", "/kick")
        slack.ack_timeout = 0.05
        await maya.press("more")
        assert "operation_timeout" in maya.strips[0]
        slack.ack_timeout = 3.0
        await maya.press("more")
        assert len(bot.seen) == 2
        assert not slack.problems


class TestSockets:
    @pytest.fixture
    async def bots(self, slack: SlackStandIn) -> AsyncIterator[list[Bot]]:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        bots = [Bot(client), Bot(client)]
        async with (
            socket_mode(slack, build(bots[0], slack.signing_secret)),
            socket_mode(slack, build(bots[1], slack.signing_secret)),
        ):
            await slack.until(lambda stand_in: len(stand_in.sockets.open) == 2)
            yield bots

    async def test_each_payload_goes_to_one_of_them(self, bots: list[Bot], maya: Person) -> None:
        for _ in range(4):
            await maya.command("live-ops", "/kick")
        assert [len(bot.seen) for bot in bots] == [2, 2]

    async def test_a_url_is_good_for_one_connection(self, slack: SlackStandIn) -> None:
        app = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
        url = (await app.apps_connections_open(app_token=slack.app_token))["url"]
        async with aiohttp.ClientSession() as http:
            async with http.ws_connect(url) as socket:
                assert (await socket.receive_json())["type"] == "hello"
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(url)

    async def test_a_refresh_while_the_bot_handles_a_payload(
        self, slack: SlackStandIn, bots: list[Bot], maya: Person
    ) -> None:
        slack.faults.switch_on("socket_refresh", times=1)
        before = list(slack.sockets.open)
        await maya.command("live-ops", "/kick")
        assert maya.modal.title == "Kick"
        await slack.until(
            lambda stand_in: (
                len(stand_in.sockets.open) == 2 and list(stand_in.sockets.open) != before
            )
        )
        await maya.command("live-ops", "/kick")
        assert sum(len(bot.seen) for bot in bots) == 2
        assert not slack.problems

    @pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
    async def test_a_refresh_of_the_only_socket(
        self, slack: SlackStandIn, maya: Person, reason: str
    ) -> None:
        bot = Bot(AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))
        async with socket_mode(slack, build(bot, slack.signing_secret)):
            (old,) = await slack.until(lambda stand_in: list(stand_in.sockets.open))
            slack.faults.switch_on("socket_refresh", reason=reason, times=1)
            await maya.command("live-ops", "/kick")
            assert maya.modal.title == "Kick"
            await slack.until(
                lambda stand_in: stand_in.sockets.open and old not in stand_in.sockets.open
            )
            await maya.press("more")
        assert len(bot.seen) == 2
        assert not slack.problems

    async def test_no_open_socket(self, maya: Person) -> None:
        await maya.command("live-ops", "/kick")
        assert maya.notices == ['/kick failed with the error "dispatch_failed"']

    async def test_frames_that_are_no_acks(self, slack: SlackStandIn) -> None:
        app = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
        url = (await app.apps_connections_open(app_token=slack.app_token))["url"]
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            await socket.send_str("hello")
            await socket.send_json({"envelope_id": "unknown"})
            await slack.until(lambda stand_in: len(stand_in.problems) == 2)


class TestSigning:
    async def test_only_signed_and_fresh_requests_reach_the_bot(self, slack: SlackStandIn) -> None:
        bot = Bot(AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))
        form = {"command": "/kick", "text": "", "trigger_id": "1.2.a", "user_id": "U0MAYA"}
        async with signed_http(slack, build(bot, slack.signing_secret)):
            assert slack.http is not None
            assert (await slack.http.post(form, is_signed=False))[0] == 401
            assert (await slack.http.post(form, secret="guessed"))[0] == 401
            assert (await slack.http.post(form, age=301))[0] == 401
            assert not bot.seen

    async def test_an_answer_that_is_not_200(self, slack: SlackStandIn, maya: Person) -> None:
        bot = Bot(AsyncWebClient(token=slack.bot_token, base_url=slack.api_url))
        async with signed_http(slack, build(bot, "another secret")):
            await maya.command("live-ops", "/kick")
        assert maya.notices == ['/kick failed with the error "dispatch_failed"']
        assert "answered 401" in slack.problems[0]

    async def test_an_unreachable_url(self, slack: SlackStandIn, maya: Person) -> None:
        slack.deliver_to("http://127.0.0.1:1/slack/events")
        await maya.command("live-ops", "/kick")
        assert maya.notices == ['/kick failed with the error "dispatch_failed"']
        assert not slack.problems
