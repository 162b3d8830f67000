"""Bringing payloads to the bot, over either transport, and judging what it answers."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tests.sandbox.faults import Faults
from tests.sandbox.slack.pulse import Pulse

Json = dict[str, Any]
Kind = Literal["slash_commands", "interactive"]

TIMED_OUT = "operation_timeout"
ACK_LIMIT = 3.0  # seconds
UNREACHABLE = "dispatch_failed"
UNANSWERED = {"block_actions", "view_closed"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one payload: the bot's answer, or Slack's word for why there is none.

    `body` is parsed JSON, a text, or None for an empty answer. `is_fault_of_bot` is False where
    a fault was played or nobody was there to answer.
    """

    body: Any = None
    failure: str | None = None
    detail: str = ""
    is_fault_of_bot: bool = False


class Transport(Protocol):
    """One way to the bot."""

    async def exchange(self, kind: Kind, payload: Json) -> Outcome:
        """Send a payload and return the answer, however long that takes."""


@dataclass(slots=True)
class Delivered:
    """One payload that was sent, for replaying it and for looking at the answer."""

    kind: Kind
    payload: Json
    outcome: Outcome | None = None


@dataclass(slots=True)
class Delivery:
    """Sends payloads once, waits for the answer no longer than Slack does, notes problems.

    A problem is what the bot did wrong: no answer in time, a refusal, a body Slack can't use.
    """

    transport: Callable[[], Transport]
    faults: Faults
    pulse: Pulse
    ack_limit: float
    problems: list[str]
    is_interactive: bool = True
    log: list[Delivered] = field(default_factory=list)

    async def send(self, payload: Json) -> Outcome:
        """Deliver one payload; it is never sent again, whatever comes of it."""
        kind: Kind = "slash_commands" if "command" in payload else "interactive"
        delivered = Delivered(kind, copy.deepcopy(payload))
        self.log.append(delivered)
        delivered.outcome = outcome = await self._exchange(delivered)
        if outcome.failure and outcome.is_fault_of_bot:
            self.complain(payload, outcome.detail or outcome.failure)
        if payload.get("type") in UNANSWERED and outcome.body not in (None, ""):
            self.complain(payload, f"a body where Slack reads none: {str(outcome.body)[:200]}")
        self.pulse.beat()
        return outcome

    def complain(self, payload: Json, what: str) -> None:
        """Note a problem with the answer to a payload."""
        self.problems.append(f"{_name(payload)}: {what}")

    async def _exchange(self, delivered: Delivered) -> Outcome:
        where = {"type": delivered.payload.get("type", "command")}
        if self.faults.strike("no_delivery", **where) is not None:
            return Outcome(failure=UNREACHABLE)
        if self.faults.strike("lost_delivery", **where) is not None:
            # A longer limit is patience with the bot, and this never reaches it.
            await asyncio.sleep(min(self.ack_limit, ACK_LIMIT))
            return Outcome(failure=TIMED_OUT)
        if delivered.kind == "interactive" and not self.is_interactive:
            detail = "interactivity is off in the manifest"
            return Outcome(failure=UNREACHABLE, detail=detail, is_fault_of_bot=True)
        transport = self.transport()
        try:
            async with asyncio.timeout(self.ack_limit):
                return await transport.exchange(delivered.kind, delivered.payload)
        except TimeoutError:
            return Outcome(
                failure=TIMED_OUT,
                detail=f"no answer within {self.ack_limit} s",
                is_fault_of_bot=True,
            )


def _name(payload: Json) -> str:
    if "command" in payload:
        return f"{payload['command']} {payload.get('text', '')}".strip()
    actions = payload.get("actions") or [payload]
    which = actions[0].get("action_id") or payload.get("view", {}).get("callback_id", "")
    return f"{payload.get('type')} {which}".strip()
