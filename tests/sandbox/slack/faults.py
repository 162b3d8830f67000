"""The faults of the Slack stand-in.

The parameters are in brackets. `method` and `channel` limit a fault to such calls. A post to a
response URL has the method `response_url`. `type` limits a fault to such payloads: `command`,
`block_actions` and so on.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SLACK_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rate_limited": "answers 429 [method, channel, retry_after=1]",
        "server_error": "answers 500 and does nothing [method, channel]",
        "broken_before": "breaks the connection and does nothing [method, channel]",
        "broken_after": "does it, then breaks the connection without a response [method, channel]",
        "slow": "waits before it does anything [method, channel, seconds=1]",
        "bare_ok": "does it, then answers ok and nothing else [method, channel]",
        "refused": "answers an error code [method, channel, error=internal_error]",
        "expired_trigger": "answers that a trigger id has expired [method]",
        "hash_conflict": "answers that a hash is outdated, to views.update with a hash",
        "not_in_channel": "answers that the bot is no member, to chat.post* [method, channel]",
        "token_revoked": "refuses the tokens",
        "account_inactive": "refuses the tokens of a bot that was removed",
        "no_delivery": "cannot reach the bot, and shows the user an error [type]",
        "lost_delivery": "loses what a user did; the user sees a time-out [type]",
        "socket_refresh": "asks for a new socket right after a payload [reason=refresh_requested]",
    }
)
