"""Slack from the bot's view: signed payloads over HTTP, and what people do with them."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlencode

from tests.bench.bare import SECRET
from tests.bench.stage import Call, Stage
from tests.bench.stub import TEAM, participant_id

MAYA, MO, HAL = "U0MAYA", "U0MO", "U0HAL"
CHANNEL = "C0LIVE"
View = dict[str, Any]

# One for all bots: a view that two of them know would be one kick.
_NUMBERS = count(1)


class Impossible(Exception):
    """The bot refuses what the benchmark asks for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The bot's ack: when it was asked, how many seconds it took, and its JSON."""

    began: float
    seconds: float
    body: Any


@dataclass(slots=True)
class Slack:
    """Posts to one URL as Slack does, and acts as its people do."""

    stage: Stage
    url: str
    _option: str = ""

    async def post(self, body: str, url: str = "") -> Reply:
        """Post a form with Slack's signature."""
        stamp = f"{time.time():.0f}"
        base = f"v0:{stamp}:{body}".encode()
        signature = hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        began = time.monotonic()
        async with self.stage.http.post(
            url or f"{self.url}/slack/events", data=body, headers=headers
        ) as reply:
            answer = await reply.read()
        seconds = time.monotonic() - began
        if reply.status != 200:
            raise Impossible(f"{reply.status}: {answer[:200]!r}")
        is_json = answer.startswith(b"{")
        return Reply(began, seconds, json.loads(answer) if is_json else answer.decode())

    def command(self, text: str = "", user: str = MAYA) -> str:
        """Return the form of a command."""
        return urlencode(self.command_fields(text, user))

    def command_fields(self, text: str = "", user: str = MAYA) -> dict[str, str]:
        """Return the fields of a command."""
        return {
            "team_id": TEAM,
            "channel_id": CHANNEL,
            "user_id": user,
            "command": "/kick",
            "text": text,
            "response_url": f"{self.stage.stub.url}/response",
            "trigger_id": f"trigger.{next(_NUMBERS)}",
        }

    def typed(self, text: str, meeting: int, user: str = MAYA) -> str:
        """Return the form of a search for people."""
        return self._payload(
            "block_suggestion", user, action_id="who", value=text, view=self._form(meeting)
        )

    def _form(self, meeting: int, values: Mapping[str, Any] | None = None) -> View:
        metadata = json.dumps({"channel": CHANNEL, "response_id": "", "meeting": f"m{meeting}"})
        view = {"callback_id": "kick_form", "private_metadata": metadata}
        return self._view(view) | {"state": {"values": values or {}}}

    def _view(self, view: View) -> View:
        made = {"id": f"V{next(_NUMBERS)}", "type": "modal", "hash": "1.a"}
        return view | made | {"root_view_id": made["id"]}

    def _payload(self, kind: str, user: str, **fields: Any) -> str:
        payload = {
            "type": kind,
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "trigger_id": f"trigger.{next(_NUMBERS)}",
            **fields,
        }
        return urlencode({"payload": json.dumps(payload)})

    async def option(self, meeting: int, at: int) -> str:
        """Return the value of a person's option, as a search in a small meeting gives it."""
        if not self._option:
            reply = await self.post(self.typed("", 0))
            self._option = str(reply.body["options"][0]["value"])[:-36] + "{}"
        return self._option.format(participant_id(meeting, at))

    async def review(
        self, meeting: int, *people: int, user: str = MAYA
    ) -> tuple[View, Reply, list[Call]]:
        """Submit the form. Returns the review, the ack, and the calls until it was there."""
        chosen = [{"value": await self.option(meeting, at)} for at in people]
        values = {
            "who": {"who": {"selected_options": chosen}},
            "reason": {"reason": {"value": "spam"}},
        }
        since = await self.stage.stub.change()
        payload = self._payload("view_submission", user, view=self._form(meeting, values))
        reply = await self.post(payload)
        calls = await self.stage.stub.calls(since, "views.update", 1)
        return self._shown(calls, "kick_review"), reply, calls

    def _shown(self, calls: list[Call], callback_id: str) -> View:
        """Return the view that the last update shows. Raises Impossible without its submit."""
        view: View = next(one.body["view"] for one in reversed(calls) if one.name == "views.update")
        if view.get("callback_id") != callback_id or not view.get("submit"):
            raise Impossible(json.dumps(view.get("blocks"))[:300])
        return view

    def submitted(self, view: View, user: str = MAYA) -> str:
        """Return the form of the submit of a view, as a new view of this content."""
        view = self._view(view) | {"state": {"values": {}}}
        return self._payload("view_submission", user, view=view)

    async def kick(self, meeting: int, *people: int, since: int | None = None) -> list[Call]:
        """Kick people, from the form to the result. Returns all calls of it."""
        before = await self.stage.stub.change() if since is None else since
        view, _, _ = await self.review(meeting, *people)
        await self.post(self.submitted(view))
        return await self.stage.stub.calls(before, "chat.postMessage", 1)

    async def request(self, meeting: int, *people: int) -> str:
        """Let the helper ask for a kick. Returns the id of the kick that the card carries."""
        view, _, _ = await self.review(meeting, *people, user=HAL)
        since = await self.stage.stub.change()
        await self.post(self.submitted(view, HAL))
        calls = await self.stage.stub.calls(since, "chat.postMessage", 1)
        posts = [one.body for one in calls if one.name == "chat.postMessage"]
        return next(value for value in map(_button, posts) if value)

    async def look(self, kick: str) -> tuple[View, Reply, list[Call]]:
        """Press the button of a card. Returns the modal, the ack, and the calls."""
        since = await self.stage.stub.change()
        payload = self._payload(
            "block_actions",
            MO,
            channel={"id": "C0MODS"},
            container={"type": "message", "message_ts": "1700000001.000100"},
            actions=[{"action_id": "review_request", "value": kick, "action_ts": "1.0"}],
            response_url=f"{self.stage.stub.url}/response",
        )
        reply = await self.post(payload)
        calls = await self.stage.stub.calls(since, "views.update", 1)
        return self._shown(calls, "approval"), reply, calls


def _button(message: View) -> str:
    rows = (block.get("elements", ()) for block in message.get("blocks", ()))
    found = (one for row in rows for one in row if one.get("action_id") == "review_request")
    return next((str(one["value"]) for one in found), "")


def first(calls: list[Call], name: str) -> float:
    """Return when the first call of this name arrived."""
    return next(one.at for one in calls if one.name == name)
