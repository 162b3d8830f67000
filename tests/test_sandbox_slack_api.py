"""The stand-in's Web API, called by slack_sdk: it refuses with Slack's own codes."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.sandbox.slack import DEMO_TEAM, MAYA, MODS, ActionError, Person, SlackStandIn

pytestmark = pytest.mark.services

MANIFEST = Path(__file__).parents[1] / "manifest.yml"
Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str, value: str = "v") -> Json:
    return {"text": plain(text), "value": value}


def section(text: str = "words", **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def question(element: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain("Who"), "element": element, **more}


def select(kind: str = "static_select", **more: Any) -> Json:
    return {"type": kind, "action_id": "who", "options": [option("Mallory")], **more}


def button(action_id: str = "go", **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain("Go"), **more}


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("Kick"), "blocks": list(blocks) or [section()], **more}


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn(MANIFEST) as stand_in:
        yield stand_in


@pytest.fixture
def client(slack: SlackStandIn) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)


@pytest.fixture
def maya(slack: SlackStandIn) -> Person:
    return slack.person("U0MAYA")


def trigger(slack: SlackStandIn, user: str = "U0MAYA", view_id: str | None = None) -> str:
    return slack.trigger(user, view_id)


async def refusal(call: Any) -> Json:
    with pytest.raises(SlackApiError) as caught:
        await call
    answer = caught.value.response.data
    assert isinstance(answer, dict)
    return answer


async def error(call: Any) -> str:
    return str((await refusal(call))["error"])


async def messages(call: Any) -> list[str]:
    return list((await refusal(call))["response_metadata"]["messages"])


class TestTokens:
    async def test_auth_test_returns_the_bot_and_its_scopes(self, client: AsyncWebClient) -> None:
        answer = await client.auth_test()
        assert answer["user_id"] == "U0BOT"
        assert answer.headers["x-oauth-scopes"] == "chat:write,commands,usergroups:read,users:read"

    async def test_a_wrong_token(self, slack: SlackStandIn) -> None:
        assert await error(AsyncWebClient("xoxb-x", slack.api_url).auth_test()) == "invalid_auth"

    async def test_no_token(self, slack: SlackStandIn) -> None:
        assert await error(AsyncWebClient(None, slack.api_url).auth_test()) == "not_authed"

    async def test_the_token_of_the_other_kind(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        opening = client.apps_connections_open(app_token=slack.bot_token)
        assert await error(opening) == "not_allowed_token_type"
        app = AsyncWebClient(slack.app_token, slack.api_url)
        assert await error(app.auth_test()) == "not_allowed_token_type"

    async def test_a_form_may_carry_the_token_and_json_may_not(self, slack: SlackStandIn) -> None:
        url, token = f"{slack.api_url}auth.test", {"token": slack.bot_token}
        async with aiohttp.ClientSession() as http:
            async with http.post(url, data=token) as answer:
                assert (await answer.json())["ok"]
            async with http.post(url, json=token) as answer:
                assert (await answer.json())["error"] == "not_authed"

    async def test_a_scope_that_the_manifest_lacks(self, tmp_path: Path) -> None:
        manifest = yaml.safe_load(MANIFEST.read_text())
        manifest["oauth_config"]["scopes"]["bot"] = ["commands"]
        path = tmp_path / "manifest.yml"
        path.write_text(yaml.safe_dump(manifest))
        async with SlackStandIn(path) as slack:
            client = AsyncWebClient(slack.bot_token, slack.api_url)
            answer = await refusal(client.users_info(user="U0MAYA"))
            assert (answer["error"], answer["needed"], answer["provided"]) == (
                "missing_scope",
                "users:read",
                "commands",
            )
            posting = client.chat_postMessage(channel="C0LIVE", text="x")
            assert await error(posting) == "missing_scope"
            groups = client.usergroups_users_list(usergroup="S0MODS")
            assert await error(groups) == "missing_scope"

    @pytest.mark.parametrize("fault", ["token_revoked", "account_inactive"])
    async def test_tokens_can_be_taken_away(
        self, slack: SlackStandIn, client: AsyncWebClient, fault: str
    ) -> None:
        slack.faults.switch_on(fault)
        assert await error(client.users_info(user="U0MAYA")) == fault


class TestArguments:
    async def test_an_unknown_method(self, client: AsyncWebClient) -> None:
        assert await error(client.api_call("kick.user")) == "unknown_method"

    async def test_unknown_missing_and_malformed_ones_at_once(self, client: AsyncWebClient) -> None:
        call = client.api_call("chat.postMessage", json={"chanel": "C0LIVE", "mrkdwn": "perhaps"})
        assert await messages(call) == [
            "[ERROR] missing required field: channel",
            "[ERROR] invalid additional property: chanel",
            "[ERROR] must provide a boolean [json-pointer:/mrkdwn]",
        ]

    async def test_json_is_not_read_by_methods_that_take_forms(
        self, client: AsyncWebClient
    ) -> None:
        call = client.api_call("users.info", json={"user": "U0MAYA"})
        assert await error(call) == "invalid_arguments"

    @pytest.mark.parametrize(
        ("body", "kind", "code"),
        [
            ("{", "application/json", "invalid_json"),
            ("[]", "application/json", "json_not_object"),
            ("channel=C0LIVE", "text/plain", "invalid_post_type"),
        ],
    )
    async def test_bodies(self, slack: SlackStandIn, body: str, kind: str, code: str) -> None:
        url = f"{slack.api_url}chat.postMessage"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=body, headers={"Content-Type": kind}) as answer,
        ):
            assert (await answer.json())["error"] == code

    async def test_blocks_in_a_form_are_json(self, client: AsyncWebClient, maya: Person) -> None:
        given = {"channel": "C0LIVE", "blocks": json.dumps([section("from a form")])}
        await client.api_call("chat.postMessage", data=given)
        assert "from a form" in maya.read(maya.messages("C0LIVE")[0])


class TestPosting:
    async def test_a_message(self, client: AsyncWebClient, maya: Person) -> None:
        answer = await client.chat_postMessage(channel="C0LIVE", text="a &lt;b&gt; <@U0MO>")
        (message,) = maya.messages("live-ops")
        assert answer["ts"] == message.ts
        assert maya.read(message) == "kickbot:\n  a <b> @Mo"

    @pytest.mark.parametrize(
        ("channel", "code"),
        [
            ("C0QUIET", "not_in_channel"),
            ("C0PRIV", "channel_not_found"),
            ("D0PAIR", "channel_not_found"),
            ("C0NONE", "channel_not_found"),
            ("U0NONE", "channel_not_found"),
            ("U0DEE", "channel_not_found"),
            ("U0XEN", "channel_not_found"),
            ("C0OLD", "is_archived"),
        ],
    )
    async def test_where_the_bot_cannot(
        self, client: AsyncWebClient, channel: str, code: str
    ) -> None:
        assert await error(client.chat_postMessage(channel=channel, text="x")) == code

    async def test_to_a_person(self, client: AsyncWebClient, maya: Person) -> None:
        answer = await client.chat_postMessage(channel="U0MAYA", text="psst")
        assert answer["channel"] == "D0MAYA"
        assert [message.text for message in maya.dm()] == ["psst"]

    async def test_to_a_person_where_the_app_has_no_messages_tab(self, tmp_path: Path) -> None:
        path = tmp_path / "manifest.yml"
        text = MANIFEST.read_text()
        path.write_text(text.replace("messages_tab_enabled: true", "messages_tab_enabled: false"))
        async with SlackStandIn(path) as slack:
            client = AsyncWebClient(slack.bot_token, slack.api_url)
            posting = client.chat_postMessage(channel="U0MAYA", text="x")
            assert await error(posting) == "messages_tab_disabled"

    async def test_an_empty_message(self, client: AsyncWebClient) -> None:
        # slack_sdk would warn before Slack refuses.
        call = client.api_call("chat.postMessage", json={"channel": "C0LIVE", "text": " "})
        assert await error(call) == "no_text"

    async def test_a_text_too_long_is_cut_and_in_an_update_refused(
        self, client: AsyncWebClient, maya: Person
    ) -> None:
        answer = await client.chat_postMessage(channel="C0LIVE", text="x" * 40_001)
        assert len(maya.messages("C0LIVE")[0].text) == 40_000
        update = client.chat_update(channel="C0LIVE", ts=answer["ts"], text="x" * 4_001)
        assert await error(update) == "msg_too_long"

    async def test_an_ephemeral_message(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        await client.chat_postEphemeral(channel="C0LIVE", user="U0MAYA", text="psst")
        maya, mo = slack.person("U0MAYA"), slack.person("U0MO")
        assert "only visible to you" in maya.read(maya.messages("C0LIVE")[0])
        assert mo.messages("C0LIVE") == []

    @pytest.mark.parametrize(
        ("channel", "user", "code"),
        [
            ("C0LIVE", "U0NONE", "user_not_in_channel"),
            ("C0LIVE", "U0DEE", "user_not_in_channel"),
            ("C0QUIET", "U0MAYA", "not_in_channel"),
            ("C0PRIV", "U0MAYA", "channel_not_found"),
            ("U0MAYA", "U0MAYA", "channel_not_found"),
        ],
    )
    async def test_refused_ephemeral_messages(
        self, client: AsyncWebClient, channel: str, user: str, code: str
    ) -> None:
        call = client.chat_postEphemeral(channel=channel, user=user, text="x")
        assert await error(call) == code

    async def test_a_thread_needs_a_message_to_begin_with(self, client: AsyncWebClient) -> None:
        call = client.chat_postMessage(channel="C0LIVE", text="x", thread_ts="1.2")
        assert await error(call) == "cannot_reply_to_message"

    async def test_metadata(self, client: AsyncWebClient) -> None:
        good = {"event_type": "kick", "event_payload": {"number": 42}}
        answer = await client.chat_postMessage(channel="C0LIVE", text="x", metadata=good)
        assert answer["message"]["metadata"] == good
        bad = client.chat_postMessage(channel="C0LIVE", text="x", metadata={"event_type": "kick"})
        assert await error(bad) == "invalid_metadata_format"


class TestChanging:
    async def test_text_alone_drops_the_blocks(self, client: AsyncWebClient, maya: Person) -> None:
        posted = await client.chat_postMessage(channel="C0LIVE", text="x", blocks=[section()])
        await client.chat_update(channel="C0LIVE", ts=posted["ts"], text="y")
        (message,) = maya.messages("C0LIVE")
        assert (message.text, message.blocks, message.is_edited) == ("y", (), True)

    async def test_what_is_not_there(self, client: AsyncWebClient) -> None:
        missing = client.chat_update(channel="C0LIVE", ts="1.2", text="x")
        assert await error(missing) == "message_not_found"
        whisper = await client.chat_postEphemeral(channel="C0LIVE", user="U0MAYA", text="x")
        update = client.chat_update(channel="C0LIVE", ts=whisper["message_ts"], text="y")
        assert await error(update) == "message_not_found"
        deletion = client.chat_delete(channel="C0LIVE", ts="1.2")
        assert await error(deletion) == "message_not_found"

    async def test_a_message_of_somebody_else(self, client: AsyncWebClient, maya: Person) -> None:
        said = await maya.say("C0LIVE", "mine")
        update = client.chat_update(channel="C0LIVE", ts=said.ts, text="yours")
        assert await error(update) == "cant_update_message"
        deletion = client.chat_delete(channel="C0LIVE", ts=said.ts)
        assert await error(deletion) == "cant_delete_message"

    async def test_a_persons_id_is_no_channel_here(self, client: AsyncWebClient) -> None:
        posted = await client.chat_postMessage(channel="U0MAYA", text="x")
        update = client.chat_update(channel="U0MAYA", ts=posted["ts"], text="y")
        assert await error(update) == "channel_not_found"

    async def test_in_an_archived_channel(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        posted = await client.chat_postMessage(channel="C0LIVE", text="x")
        live = slack.workspace.directory.channels["C0LIVE"]
        slack.upsert(replace(live, is_archived=True))
        update = client.chat_update(channel="C0LIVE", ts=posted["ts"], text="y")
        assert await error(update) == "is_inactive"

    async def test_rich_text_stays_rich(self, client: AsyncWebClient) -> None:
        run = {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}
        rich = {"type": "rich_text", "elements": [run]}
        posted = await client.chat_postMessage(channel="C0LIVE", text="x", blocks=[rich])
        ts = posted["ts"]
        await client.chat_update(channel="C0LIVE", ts=ts, text="y", blocks=[section(), rich])
        update = client.chat_update(channel="C0LIVE", ts=ts, text="y", blocks=[section()])
        assert await error(update) == "block_mismatch"

    async def test_delete(self, client: AsyncWebClient, maya: Person) -> None:
        posted = await client.chat_postMessage(channel="C0LIVE", text="x")
        await client.chat_delete(channel="C0LIVE", ts=posted["ts"])
        assert maya.messages("C0LIVE") == []


LONG = "x" * 4000


class TestBlockKit:
    @pytest.mark.parametrize(
        ("block", "complaint"),
        [
            (section(""), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
            (section(LONG), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
            ({"type": "section"}, "must define either `text` or `fields` [json-pointer:/blocks/0]"),
            ({"type": "image"}, "unsupported type: image [json-pointer:/blocks/0]"),
            ({"text": "x"}, "missing required field: type [json-pointer:/blocks/0]"),
            ({"type": "header"}, "missing required field: text [json-pointer:/blocks/0]"),
            (section(colour=1), "invalid additional property: colour [json-pointer:/blocks/0]"),
            (
                section(block_id=""),
                "must be more than 0 characters [json-pointer:/blocks/0/block_id]",
            ),
            (section(expand=None), "must not be null: expand [json-pointer:/blocks/0]"),
            (
                {"type": "header", "text": plain("x" * 151)},
                "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
            ),
            (
                {"type": "context", "elements": [plain("x")] * 11},
                "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
            ),
            (
                {"type": "actions", "elements": [button(disabled=True)]},
                "invalid additional property: disabled [json-pointer:/blocks/0/elements/0]",
            ),
            (
                {"type": "actions", "elements": [button(text=plain("x" * 76))]},
                "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
            ),
            (
                {"type": "actions", "elements": [button(value="x" * 2001)]},
                "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
            ),
            (
                {"type": "actions", "elements": [select("multi_static_select")]},
                "unsupported type: multi_static_select [json-pointer:/blocks/0/elements/0]",
            ),
            (
                {"type": "actions", "elements": [button(), button()]},
                "`action_id` already exists: go [json-pointer:/blocks/0]",
            ),
            (
                section(accessory=select("radio_buttons", options=[option("a")] * 2)),
                "option values must be unique [json-pointer:/blocks/0/accessory]",
            ),
            (
                section(accessory=select(options=[option("x" * 76)])),
                (
                    "must be less than 76 characters"
                    " [json-pointer:/blocks/0/accessory/options/0/text/text]"
                ),
            ),
            (
                section(accessory=select(options=[option("x", "x" * 151)])),
                (
                    "must be less than 151 characters"
                    " [json-pointer:/blocks/0/accessory/options/0/value]"
                ),
            ),
            (
                section(accessory=select(initial_option=option("Trent", "t"))),
                (
                    "initial option(s) must exactly match one of the provided options"
                    " [json-pointer:/blocks/0/accessory]"
                ),
            ),
            (
                section(accessory=select(option_groups=[])),
                "must provide either options or option_groups [json-pointer:/blocks/0/accessory]",
            ),
            (
                {
                    "type": "rich_text",
                    "elements": [
                        {
                            "type": "rich_text_section",
                            "elements": [{"type": "text", "text": "x"}, {"type": "sound"}],
                        }
                    ],
                },
                "unsupported type: sound [json-pointer:/blocks/0/elements/0/elements/1]",
            ),
        ],
    )
    async def test_what_a_message_may_not_contain(
        self, client: AsyncWebClient, block: Json, complaint: str
    ) -> None:
        answer = await refusal(client.chat_postMessage(channel="C0LIVE", text="x", blocks=[block]))
        assert answer["error"] == "invalid_blocks"
        assert answer["response_metadata"]["messages"] == [f"[ERROR] {complaint}"]

    async def test_limits_of_a_whole_message(self, client: AsyncWebClient) -> None:
        async def posting(blocks: Any) -> str:
            call = client.chat_postMessage(channel="C0LIVE", text="x", blocks=blocks)
            return await error(call)

        assert await posting([section()] * 51) == "invalid_blocks"
        assert await posting([section(block_id="b")] * 2) == "invalid_blocks"
        assert await posting([section("x" * 3000)] * 4) == "msg_blocks_too_long"
        assert await posting("{}") == "invalid_blocks_format"

    async def test_ids_are_filled_in(self, client: AsyncWebClient) -> None:
        row = {"type": "actions", "elements": [{"type": "button", "text": plain("Go")}]}
        answer = await client.chat_postMessage(channel="C0LIVE", text="x", blocks=[row])
        (block,) = answer["message"]["blocks"]
        assert block["block_id"]
        assert block["elements"][0]["action_id"]

    @pytest.mark.parametrize(
        ("view", "complaint"),
        [
            (
                modal(title=plain("x" * 25)),
                "must be less than 25 characters [json-pointer:/view/title/text]",
            ),
            (modal(question(select())), "missing required field: submit [json-pointer:/view]"),
            (
                modal(private_metadata="x" * 3001),
                "must be less than 3001 characters [json-pointer:/view/private_metadata]",
            ),
            (
                modal(*[section()] * 101),
                "no more than 100 items allowed [json-pointer:/view/blocks]",
            ),
            (
                modal(section(block_id="b"), section(block_id="b")),
                "Block ID needs to be unique: b [json-pointer:/view/blocks]",
            ),
            (
                modal(
                    question(select("radio_buttons", options=[]), block_id="b"), submit=plain("S")
                ),
                "no fewer than 1 items allowed [json-pointer:/view/blocks/0/element/options]",
            ),
            (
                modal(section(accessory={"type": "plain_text_input"})),
                "unsupported type: plain_text_input [json-pointer:/view/blocks/0/accessory]",
            ),
            (
                modal(
                    question({"type": "plain_text_input", "max_length": 3001}), submit=plain("S")
                ),
                (
                    "Input should be less than or equal to 3000"
                    " [json-pointer:/view/blocks/0/element/max_length]"
                ),
            ),
            ("{}", "missing required field: title [json-pointer:/view]"),
            ("x", "must provide an object [json-pointer:/view]"),
        ],
    )
    async def test_what_a_modal_may_not_contain(
        self, slack: SlackStandIn, client: AsyncWebClient, view: Any, complaint: str
    ) -> None:
        opening = client.views_open(trigger_id=trigger(slack), view=view)
        answer = await refusal(opening)
        assert answer["error"] == "invalid_arguments"
        assert f"[ERROR] {complaint}" in answer["response_metadata"]["messages"]

    async def test_a_view_too_large(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        fields = [plain("x" * 2000)] * 10
        view = modal(*[{"type": "section", "fields": fields}] * 13)
        opening = client.views_open(trigger_id=trigger(slack), view=view)
        assert await error(opening) == "view_too_large"


class TestViews:
    async def test_a_trigger_works_once_and_for_three_seconds(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        once, late = trigger(slack), trigger(slack)
        await client.views_open(trigger_id=once, view=modal())
        assert await error(client.views_open(trigger_id=once, view=modal())) == (
            "exchanged_trigger_id"
        )
        slack.clock.advance(3.1)
        assert await error(client.views_open(trigger_id=late, view=modal())) == (
            "expired_trigger_id"
        )
        assert await error(client.views_open(trigger_id="1.2.a", view=modal())) == (
            "invalid_trigger_id"
        )

    async def test_a_refused_view_uses_its_trigger_up(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        once = trigger(slack)
        assert await error(client.views_open(trigger_id=once, view={})) == "invalid_arguments"
        assert await error(client.views_open(trigger_id=once, view=modal())) == (
            "exchanged_trigger_id"
        )

    async def test_an_update_keeps_the_id_and_gives_another_hash(
        self, slack: SlackStandIn, client: AsyncWebClient, maya: Person
    ) -> None:
        opened = (await client.views_open(trigger_id=trigger(slack), view=modal()))["view"]
        updated = await client.views_update(
            view_id=opened["id"], hash=opened["hash"], view=modal(title=plain("Later"))
        )
        assert maya.modal.title == "Later"
        assert updated["view"]["id"] == opened["id"]
        assert updated["view"]["hash"] != opened["hash"]
        stale = client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal())
        assert await error(stale) == "hash_conflict"

    async def test_an_update_needs_exactly_one_way_to_name_the_view(
        self, client: AsyncWebClient
    ) -> None:
        for which in ({}, {"view_id": "V1", "external_id": "e"}):
            call = client.api_call("views.update", json={"view": modal(), **which})
            assert await error(call) == "invalid_arguments"

    async def test_a_closed_view_is_not_found(
        self, slack: SlackStandIn, client: AsyncWebClient, maya: Person
    ) -> None:
        view = modal(external_id="e")
        opened = await client.views_open(trigger_id=trigger(slack), view=view)
        await maya.cancel()
        by_id = client.views_update(view_id=opened["view"]["id"], view=modal())
        assert await error(by_id) == "not_found"
        by_name = client.views_update(external_id="e", view=modal())
        assert await error(by_name) == "not_found"

    async def test_an_external_id_belongs_to_one_view(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        view = modal(external_id="e")
        await client.views_open(trigger_id=trigger(slack), view=view)
        await client.views_update(external_id="e", view=view)
        again = client.views_open(trigger_id=trigger(slack, "U0MO"), view=view)
        assert await error(again) == "duplicate_external_id"

    async def test_a_stack_of_three(
        self, slack: SlackStandIn, client: AsyncWebClient, maya: Person
    ) -> None:
        opened = await client.views_open(trigger_id=trigger(slack), view=modal())
        root = opened["view"]["id"]
        for _ in range(2):
            pushed = await client.views_push(trigger_id=trigger(slack, view_id=root), view=modal())
            assert pushed["view"]["root_view_id"] == root
        assert pushed["view"]["previous_view_id"] == maya.stack[1].id
        fourth = client.views_push(trigger_id=trigger(slack, view_id=root), view=modal())
        assert await error(fourth) == "push_limit_reached"
        await maya.cancel()
        assert len(maya.stack) == 2
        await maya.dismiss()
        assert maya.stack == []

    async def test_nothing_to_push_onto(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        pushing = client.views_push(trigger_id=trigger(slack), view=modal())
        assert await error(pushing) == "not_found"


class TestTypedValues:
    """Typed values survive an update only with the same ids."""

    @staticmethod
    def form(block_id: str, initial: str | None = None) -> Json:
        element: Json = {"type": "plain_text_input", "action_id": "why"}
        if initial:
            element["initial_value"] = initial
        return modal(question(element, block_id=block_id), submit=plain("Send"))

    async def test_under_the_same_ids(
        self, slack: SlackStandIn, client: AsyncWebClient, maya: Person
    ) -> None:
        opened = await client.views_open(trigger_id=trigger(slack), view=self.form("b1", "first"))
        assert maya.modal.values == {"why": "first"}
        await maya.write("why", "typed")
        view_id = opened["view"]["id"]
        await client.views_update(view_id=view_id, view=self.form("b1", "second"))
        assert maya.modal.values == {"why": "typed"}
        await client.views_update(view_id=view_id, view=self.form("b2", "third"))
        assert maya.modal.values == {"why": "third"}

    async def test_of_the_wrong_length(
        self, slack: SlackStandIn, client: AsyncWebClient, maya: Person
    ) -> None:
        element = {"type": "plain_text_input", "action_id": "why", "min_length": 3, "max_length": 5}
        view = modal(question(element, block_id="b"), submit=plain("Send"))
        await client.views_open(trigger_id=trigger(slack), view=view)
        with pytest.raises(ActionError, match="At most 5"):
            await maya.write("why", "longer")
        await maya.write("why", "ab")
        with pytest.raises(ActionError, match="At least 3"):
            await maya.submit()


class TestPeople:
    async def test_users_info(self, client: AsyncWebClient) -> None:
        flags = {
            "U0GUS": "is_ultra_restricted",
            "U0DEE": "deleted",
            "U0XEN": "is_stranger",
            "U0BOT": "is_bot",
        }
        for user, flag in flags.items():
            assert (await client.users_info(user=user))["user"][flag] is True
        assert (await client.users_info(user="U0XEN"))["user"]["team_id"] == "T0OTHER"
        assert await error(client.users_info(user="U0NONE")) == "user_not_found"

    async def test_groups(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        members = client.usergroups_users_list
        assert (await members(usergroup="S0MODS"))["users"] == ["U0MO", "U0MIA"]
        slack.upsert(replace(MODS, members=("U0MO",)))
        assert (await members(usergroup="S0MODS"))["users"] == ["U0MO"]
        assert await error(members(usergroup="S0NONE")) == "no_such_subteam"
        (group,) = (await client.usergroups_list(include_users=True))["usergroups"]
        assert group["users"] == ["U0MO"]

    async def test_a_disabled_group(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        slack.upsert(replace(MODS, is_disabled=True))
        members = client.usergroups_users_list
        assert await error(members(usergroup="S0MODS")) == "no_such_subteam"
        assert (await members(usergroup="S0MODS", include_disabled=True))["users"]
        assert (await client.usergroups_list())["usergroups"] == []

    async def test_a_person_who_is_deactivated_meanwhile(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        slack.upsert(replace(MAYA, deleted=True))
        assert (await client.users_info(user="U0MAYA"))["user"]["deleted"]


class TestResponseUrls:
    @staticmethod
    def hook(slack: SlackStandIn, origin: str | None = None) -> AsyncWebhookClient:
        return AsyncWebhookClient(slack.workspace.response_url("U0MAYA", "C0QUIET", origin))

    async def test_five_uses_also_where_the_bot_is_no_member(self, slack: SlackStandIn) -> None:
        hook = self.hook(slack)
        assert (await hook.send(text="1")).body == "ok"
        for number in range(2, 6):
            answer = await hook.send(text=str(number), response_type="in_channel")
            assert answer.status_code == 200
        answer = await hook.send(text="6")
        assert answer.status_code == 404
        assert json.loads(answer.body)["error"] == "used_url"
        maya, mo = slack.person("U0MAYA"), slack.person("U0MO")
        assert [message.text for message in maya.messages("quiet")] == list("12345")
        assert [message.text for message in mo.messages("quiet")] == list("2345")
        assert [call.method for call in slack.calls] == ["response_url"] * 6

    async def test_half_an_hour(self, slack: SlackStandIn) -> None:
        hook = self.hook(slack)
        slack.clock.advance(1801)
        answer = await hook.send(text="x")
        assert json.loads(answer.body)["error"] == "expired_url"

    async def test_what_is_refused(self, slack: SlackStandIn) -> None:
        hook = self.hook(slack)
        bodies: list[tuple[Json, str]] = [
            ({"text": ""}, "no_text"),
            ({"blocks": [section("")]}, "invalid_blocks"),
            ({"text": "x", "channel": "C0LIVE"}, "invalid_payload"),
            ({"text": "x", "replace_original": True}, "message_not_found"),
        ]
        for body, code in bodies:
            answer = await hook.send_dict(body)
            assert answer.status_code == 400
            assert json.loads(answer.body)["error"] == code

    async def test_replacing_and_deleting_an_ephemeral_original(
        self, slack: SlackStandIn, maya: Person
    ) -> None:
        await self.hook(slack).send(text="first")
        (first,) = maya.messages("C0QUIET")
        hook = self.hook(slack, first.ts)
        await hook.send(text="second", replace_original=True, response_type="in_channel")
        (second,) = maya.messages("C0QUIET")
        assert (second.text, second.only_for, second.ts) == ("second", "U0MAYA", first.ts)
        await hook.send_dict({"delete_original": True})
        assert maya.messages("C0QUIET") == []


class TestFaults:
    async def test_rate_limited_for_one_method(
        self, slack: SlackStandIn, client: AsyncWebClient
    ) -> None:
        slack.faults.switch_on("rate_limited", method="users.info", retry_after=7, times=1)
        await client.auth_test()
        with pytest.raises(SlackApiError) as caught:
            await client.users_info(user="U0MAYA")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "7"
        await client.users_info(user="U0MAYA")

    @pytest.mark.parametrize(("fault", "posted"), [("broken_before", 0), ("broken_after", 1)])
    async def test_a_broken_connection(
        self, slack: SlackStandIn, client: AsyncWebClient, maya: Person, fault: str, posted: int
    ) -> None:
        client.retry_handlers.clear()
        slack.faults.switch_on(fault, method="chat.postMessage", times=1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.chat_postMessage(channel="C0LIVE", text="x")
        assert len(maya.messages("C0LIVE")) == posted
        assert slack.calls[-1].answer is None

    async def test_error_faults(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        for name in ("not_in_channel", "expired_trigger", "hash_conflict"):
            slack.faults.switch_on(name, times=1)
        slack.faults.switch_on(
            "refused", method="usergroups.users.list", error="plan_upgrade_required"
        )
        posting = client.chat_postMessage(channel="C0LIVE", text="x")
        assert await error(posting) == "not_in_channel"
        opening = client.views_open(trigger_id=trigger(slack), view=modal())
        assert await error(opening) == "expired_trigger_id"
        opened = (await client.views_open(trigger_id=trigger(slack), view=modal()))["view"]
        await client.views_update(view_id=opened["id"], view=modal())
        update = client.views_update(view_id=opened["id"], hash="h", view=modal())
        assert await error(update) == "hash_conflict"
        group = client.usergroups_users_list(usergroup="S0MODS")
        assert await error(group) == "plan_upgrade_required"

    async def test_server_error_and_slow(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        slack.faults.switch_on("server_error", method="auth.test", times=1)
        slack.faults.switch_on("slow", method="users.info", seconds=0.01)
        with pytest.raises(SlackApiError):
            await client.auth_test()
        await client.users_info(user="U0MAYA")


class TestConnections:
    async def test_calls_tell_how_many_connections_they_came_on(self, slack: SlackStandIn) -> None:
        async with aiohttp.ClientSession() as session:
            client = AsyncWebClient(slack.bot_token, slack.api_url, session=session)
            await client.auth_test()
            await client.auth_test()
        assert slack.connections == 1
        await AsyncWebClient(slack.bot_token, slack.api_url).auth_test()
        assert slack.connections == 2


class TestControl:
    async def test_acting_by_http(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=trigger(slack), view=TestTypedValues.form("b"))
        base = f"{slack.url}/sandbox"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{base}/people") as answer:
                assert len((await answer.json())["people"]) == len(DEMO_TEAM.users)
            act = {"action_id": "why", "text": "spam"}
            async with http.post(f"{base}/as/U0MAYA/write", json=act) as answer:
                seen = await answer.json()
            assert "[spam]" in seen["rendered"]
            assert seen["modals"][0]["state"]["values"]["b"]["why"]["value"] == "spam"
            async with http.post(f"{base}/as/U0MAYA/cancel") as answer:
                assert (await answer.json())["modals"] == []
            async with http.post(f"{base}/as/U0MAYA/submit") as answer:
                assert answer.status == 409
                assert "no modal open" in (await answer.json())["error"]
            for act_name, wrong in (("command", {}), ("choose", {"action_id": "a", "values": "v"})):
                async with http.post(f"{base}/as/U0MAYA/{act_name}", json=wrong) as answer:
                    assert answer.status == 400
            async with http.get(f"{base}/as/U0NONE") as answer:
                assert answer.status == 404

    async def test_waiting_for_a_change(self, slack: SlackStandIn, client: AsyncWebClient) -> None:
        url = f"{slack.url}/sandbox/as/U0MAYA"
        await client.chat_postMessage(channel="C0LIVE", text="news")
        async with aiohttp.ClientSession() as http, http.get(url, params={"after": 0}) as answer:
            assert "news" in (await answer.json())["rendered"]

    @pytest.mark.parametrize(
        "headers",
        [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
    )
    async def test_the_pages_of_other_sites_are_refused(
        self, slack: SlackStandIn, headers: Json
    ) -> None:
        url = f"{slack.url}/sandbox/people"
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            assert answer.status == 403
