"""Sends payloads to the bot, over either transport, and judges its response."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from tests.sandbox.changes import Changes
from tests.sandbox.control import Json
from tests.sandbox.faults import Faults

Kind = Literal["slash_commands", "interactive"]

ACK_TIMEOUT: Final = 3.0  # seconds that Slack waits for a response
TIMED_OUT: Final = "operation_timeout"
UNREACHABLE: Final = "dispatch_failed"
WITHOUT_BODY: Final = {"block_actions", "view_closed"}
"""The payloads whose response Slack does not read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of sending one payload: a body, or Slack's code for a failure.

    `body` is parsed JSON, a text, or None for an empty response. `is_fault_of_bot` is False if a
    fault was played or if no bot was there.
    """

    body: Any = None
    failure: str | None = None
    detail: str = ""
    is_fault_of_bot: bool = False


class Transport(Protocol):
    """A way to send a payload to the bot."""

    async def exchange(self, kind: Kind, payload: Json) -> Outcome:
        """Send a payload and return the result, however long that takes."""


@dataclass(slots=True)
class Delivered:
    """A payload that was sent. Tests send it again or look at its outcome."""

    kind: Kind
    payload: Json
    outcome: Outcome | None = None


@dataclass(slots=True)
class Delivery:
    """Sends each payload once and waits `ack_timeout` seconds for the response.

    `problems` lists what the bot did wrong: no response in time, an error status, or a body that
    Slack cannot use.
    """

    transport: Callable[[], Transport]
    faults: Faults
    changes: Changes
    ack_timeout: float
    problems: list[str]
    is_interactive: bool
    log: list[Delivered] = field(default_factory=list)

    async def send(self, payload: Json) -> Outcome:
        """Send a payload. It is never sent again, whatever the outcome."""
        kind: Kind = "slash_commands" if "command" in payload else "interactive"
        delivered = Delivered(kind, copy.deepcopy(payload))
        self.log.append(delivered)
        delivered.outcome = outcome = await self._exchange(delivered)
        if outcome.failure and outcome.is_fault_of_bot:
            self.add_problem(payload, outcome.detail or outcome.failure)
        if payload.get("type") in WITHOUT_BODY and outcome.body not in (None, ""):
            body = str(outcome.body)[:200]
            self.add_problem(payload, f"a body where Slack reads none: {body}")
        self.changes.notify()
        return outcome

    def add_problem(self, payload: Json, text: str) -> None:
        """Add a problem with the response to a payload."""
        self.problems.append(f"{_name(payload)}: {text}")

    async def _exchange(self, delivered: Delivered) -> Outcome:
        context = {"type": delivered.payload.get("type", "command")}
        if self.faults.apply("no_delivery", **context) is not None:
            return Outcome(failure=UNREACHABLE)
        if self.faults.apply("lost_delivery", **context) is not None:
            # Tests may give a slow bot more time. This payload never reaches the bot.
            await asyncio.sleep(min(self.ack_timeout, ACK_TIMEOUT))
            return Outcome(failure=TIMED_OUT)
        if delivered.kind == "interactive" and not self.is_interactive:
            detail = "interactivity is off in the manifest"
            return Outcome(failure=UNREACHABLE, detail=detail, is_fault_of_bot=True)
        try:
            async with asyncio.timeout(self.ack_timeout):
                return await self.transport().exchange(delivered.kind, delivered.payload)
        except TimeoutError:
            detail = f"no answer within {self.ack_timeout} s"
            return Outcome(failure=TIMED_OUT, detail=detail, is_fault_of_bot=True)


def _name(payload: Json) -> str:
    if "command" in payload:
        return f"{payload['command']} {payload.get('text', '')}".strip()
    actions = payload.get("actions") or [payload]
    which = actions[0].get("action_id") or payload.get("view", {}).get("callback_id", "")
    return f"{payload.get('type')} {which}".strip()
