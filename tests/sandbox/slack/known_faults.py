"""The faults that the stand-in can play.

In brackets the parameters: `method` and `channel` narrow a fault down to such calls (posts to a
response URL are method `response_url`), `type` to such payloads (`command`, `block_actions`, …).
"""

KNOWN_FAULTS = {
    "rate_limited": "answers 429 [method, channel, retry_after=1]",
    "server_error": "answers 500 and does nothing [method, channel]",
    "broken_before": "breaks the connection and does nothing [method, channel]",
    "broken_after": "does it, then breaks the connection instead of answering [method, channel]",
    "slow": "takes its time before doing anything [method, channel, seconds=1]",
    "refused": "answers an error code [method, channel, error=internal_error]",
    "expired_trigger": "calls a trigger id expired [method]",
    "hash_conflict": "calls a hash stale, in views.update with a hash",
    "not_in_channel": "calls the bot no member, in chat.post* [method, channel]",
    "token_revoked": "refuses the tokens",
    "account_inactive": "refuses the tokens of a bot that was removed",
    "no_delivery": "cannot reach the bot, and says so to the person [type]",
    "lost_delivery": "loses what a person did; they see a time-out [type]",
    "socket_refresh": "asks for a new socket right after a payload [reason=refresh_requested]",
}
