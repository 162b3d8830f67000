"""The faults of a storm, drawn at random, and one clock for all parts of a world."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.clocks import HastyClock
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Clock as SlackClock

How = dict[str, Any]
Maker = Callable[[random.Random], How]


class SlackTime(SlackClock):
    """The clock of the world, in the form that the stand-in for Slack needs."""

    def __init__(self, clock: HastyClock) -> None:
        super().__init__()
        self._clock = clock

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._clock.now().timestamp()

    def advance(self, seconds: float) -> None:
        """Advance the clock of the world."""
        self._clock.pass_by(seconds)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault to switch on: the stand-in, its name, how often (None: until `calm`), and how."""

    service: str
    name: str
    times: int | None
    how: Mapping[str, Any]

    def strike(self, sandbox: Sandbox) -> None:
        """Switch the fault on."""
        faults = sandbox.slack.faults if self.service == "slack" else sandbox.realtimekit.faults
        faults.switch_on(self.name, times=self.times, **self.how)

    def __str__(self) -> str:
        how = ", ".join(f"{key}={value}" for key, value in self.how.items())
        return f"{self.service}:{self.name}({how}), {self.times or 'any number of'} times"


def _plain(_: random.Random) -> How:
    return {}


def _one_of(**choices: tuple[Any, ...]) -> Maker:
    """Return a function that draws each parameter from its choices; None leaves it out."""

    def draw(rng: random.Random) -> How:
        drawn = {name: rng.choice(values) for name, values in choices.items()}
        return {name: value for name, value in drawn.items() if value is not None}

    return draw


_METHODS = (
    None,
    None,
    "views.open",
    "views.update",
    "views.update",
    "chat.postMessage",
    "chat.postMessage",
    "chat.update",
    "response_url",
    "users.info",
    "usergroups.users.list",
)
_ERRORS = ("internal_error", "fatal_error", "service_unavailable", "request_timeout")
_CALL = _one_of(method=_METHODS)
_PAYLOADS = _one_of(type=(None, "command", "view_submission", "block_actions", "block_suggestion"))

SLACK: Final[Mapping[str, Maker]] = {
    # The bot waits for a second, but not for 31 or 120.
    "rate_limited": _one_of(method=_METHODS, retry_after=(0, 1, 31, 120)),
    "server_error": _CALL,
    # The ledger finds views and messages by the answers to their calls.
    "bare_ok": _one_of(method=("users.info", "usergroups.users.list")),
    "broken_before": _CALL,
    "broken_after": _CALL,
    "slow": _one_of(method=_METHODS, seconds=(0.05, 0.2, 0.5)),
    "refused": _one_of(method=_METHODS, error=_ERRORS),
    "expired_trigger": _plain,
    "hash_conflict": _plain,
    "not_in_channel": _one_of(channel=(None, "C0LIVE", "C0MODS")),
    "token_revoked": _plain,
    "account_inactive": _plain,
    "no_delivery": _PAYLOADS,
    "lost_delivery": _PAYLOADS,
    "socket_refresh": _one_of(reason=("refresh_requested", "warning")),
}
"""How each fault of Slack is drawn."""

_OPS = (None, "kick", "kick", "kick", "participants", "participants", "active-session")
_LISTS = (None, "participants", "sessions", "records")
_OP = _one_of(op=_OPS)
# If the reply does not say that the call had no effect, the effect is drawn, too.
_MAYBE_DONE = _one_of(op=_OPS, effect=(None, None, True, False))

REALTIMEKIT: Final[Mapping[str, Maker]] = {
    "rate_limited": _one_of(op=_OPS, retry_after=(None, 0, 1, 2)),
    "unauthorized": _OP,
    "forbidden": _OP,
    "server_error": _one_of(op=_OPS, status=(500, 503, 504), effect=(None, True)),
    "bad_gateway": _one_of(op=_OPS, status=(502, 520, 524), effect=(None, True)),
    "unknown_format": _MAYBE_DONE,
    "empty_body": _MAYBE_DONE,
    "wrong_shape": _MAYBE_DONE,
    "success_false": _MAYBE_DONE,
    "kick_empty": _one_of(effect=(None, True)),
    "truncated": _MAYBE_DONE,
    # A long list would take too long.
    "dripping": _one_of(op=("kick", "active-session"), seconds=(0.0005, 0.002)),
    "reset_before": _OP,
    "reset_after": _OP,
    "closed_before": _OP,
    "closed_after": _OP,
    "slow": _one_of(op=_OPS, seconds=(0.05, 0.2, 0.5), late=(None, True)),
    "left_at_null": _plain,
    "left_at_string_null": _plain,
    "stray_quote_dates": _plain,
    "absent_fields": _plain,
    "no_paging": _one_of(op=_LISTS),
    "paging_inside_data": _one_of(op=_LISTS),
    "capped_pages": _one_of(op=_LISTS, limit=(5, 20)),
    "search_exact": _plain,
    "search_substring": _plain,
    "search_ignored": _plain,
    "search_by_peer_id": _plain,
    "lagging_list": _one_of(op=(None, "participants"), seconds=(3, 10)),
    "no_date": _plain,
    "session_starting": _one_of(op=(None, "kick", "participants"), seconds=(100_000,)),
    "empty_sessions": _plain,
    "empty_participants": _plain,
    "kick_answers_peer_ids": _plain,
    "partial": _plain,
}
"""How each fault of RealtimeKit is drawn."""

UNCLEAR: Final = (
    "server_error",
    "bad_gateway",
    "unknown_format",
    "empty_body",
    "wrong_shape",
    "success_false",
    "kick_empty",
    "truncated",
    "reset_before",
    "reset_after",
    "closed_before",
    "closed_after",
)
"""Faults after which the effect of the call is unknown."""
AT_A_KICK: Final = (
    *UNCLEAR,
    "rate_limited",
    "unauthorized",
    "dripping",
    "slow",
    "kick_answers_peer_ids",
    "lagging_list",
    "empty_participants",
)

COSTLY: Final[Mapping[str, How]] = {
    "hang": {"op": "kick"},
    "dripping": {"op": "kick", "endless": True, "seconds": 0.2},
    "slow": {"op": "kick", "seconds": 8.2},
}
"""Faults that take the client's whole deadline, in real time. Only few journeys have one."""

NOT_PLAYED: Final[Mapping[str, str]] = {
    "frozen_left_at": "a service that never says who left does so in every reply",
    "clock_apart": "a clock is apart in every reply",
}
"""Faults that a service has in every reply or in none. A storm would mix them."""


def draw(rng: random.Random) -> PlannedFault:
    """Return a random fault of either service."""
    service, table = rng.choice((("slack", SLACK), ("realtimekit", REALTIMEKIT)))
    name = rng.choice(sorted(table))
    times = rng.choice((1, 1, 2, 3, None))
    if name in {"lost_delivery", "token_revoked", "account_inactive", "rate_limited"}:
        # Each takes seconds, or blocks everything.
        times = rng.choice((1, 2))
    return PlannedFault(service, name, times, table[name](rng))


def draw_for_a_kick(rng: random.Random) -> PlannedFault:
    """Return a random fault of the kick call, or of the reads for evidence."""
    name = rng.choice(AT_A_KICK)
    how = REALTIMEKIT[name](rng) | ({"op": "kick"} if name in UNCLEAR else {})
    return PlannedFault("realtimekit", name, rng.choice((1, 1, 2, 5)), how)


def draw_costly(rng: random.Random) -> PlannedFault:
    """Return a random fault that takes a whole deadline."""
    name = rng.choice(sorted(COSTLY))
    return PlannedFault("realtimekit", name, 1, COSTLY[name])


def calm(sandbox: Sandbox) -> None:
    """Switch all faults off."""
    sandbox.slack.faults.switch_off()
    sandbox.realtimekit.faults.switch_off()
