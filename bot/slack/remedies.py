"""What to do where a message could not be posted, in words for whoever asked for the kick."""

from bot.core.kick import ChannelId, Kick

NOT_IN = {"not_in_channel", "channel_not_found"}


def unasked(kick: Kick, channel: ChannelId, code: str) -> str:
    """Say that the approvers do not see a request, and what to do about it."""
    what = f"Nobody could be asked about kick #{kick.number} yet"
    if code in NOT_IN:
        return (
            f"{what}: the bot is not in the approvals channel ({channel}). Invite it there with"
            " /invite; it tries again until the time is over."
        )
    if code == "is_archived":
        return f"{what}: the approvals channel ({channel}) is archived. Tell the bot's operator."
    return f"{what} ({code}). The bot tries again until the time is over."


def unpublished(code: str) -> str:
    """Say that a result is not in the channel yet."""
    return f"The channel could not be told yet ({code}); the bot keeps trying."


def unpostable(kick: Kick, code: str, *, doubtful: bool = False) -> str:
    """Say why a result does not stand in its channel, and how to mend that.

    `doubtful`: the answer to the command may have told it all the same.
    """
    untold = "The channel may not have been told" if doubtful else "The channel could not be told"
    if code == "is_archived":
        return f"{untold}: it is archived."
    if code in NOT_IN:
        if kick.channel_id.startswith("D"):
            return "The bot can't post into a conversation between others."
        return f"{untold}: invite the bot there with /invite."
    return f"{untold} ({code})."
