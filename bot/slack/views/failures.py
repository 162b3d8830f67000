"""The texts for failures: what happened, what did not, and what to do next."""

from math import ceil

from bot.core.kick import ChannelId, Kick
from bot.core.ports import (
    DirectoryUnavailable,
    GatewayError,
    NotSent,
    RateLimited,
    Rejected,
    StoreUnavailable,
)


class BotFailed(Exception):
    """A bug in the bot, or a reply that nobody expected. It was logged."""

    def __str__(self) -> str:
        """Return what people are told."""
        return "The bot failed. Its log says how."


PortError = GatewayError | DirectoryUnavailable | StoreUnavailable | BotFailed


def action_failed(error: PortError) -> str:
    """Say what failed before any person was removed, and what to do."""
    if isinstance(error, DirectoryUnavailable):
        what = f"Your role could not be checked with Slack ({error})."
        return f"{what} Nobody was removed. {error.remedy}"
    if isinstance(error, StoreUnavailable):
        return f"The bot's database does not answer ({error.words}). Nobody was removed. Try again."
    if isinstance(error, Rejected):
        return f"RealtimeKit refuses the bot: {error}. Please tell its operator."
    if isinstance(error, RateLimited):
        wait = f" {ceil(error.retry_after)} s" if error.retry_after else ""
        return f"RealtimeKit asks the bot to wait{wait}. Then try again."
    if isinstance(error, NotSent):
        return "RealtimeKit can't be reached. Nobody was removed. Try again."
    failed = (
        f"{error}" if isinstance(error, BotFailed) else f"RealtimeKit could not be read: {error}."
    )
    return f"{failed} Nobody was removed. Try again."


def submit_unconfirmed(error: StoreUnavailable | BotFailed) -> str:
    """Say that a request may have been stored, and what happens if it was."""
    failed = f"{error}"
    if isinstance(error, StoreUnavailable):
        failed = f"The bot's database did not confirm that it kept this ({error.words})."
    return (
        f"{failed} If it kept this all the"
        " same, it is carried out or asked about within a minute, and the result is posted. Look"
        " there before you try again."
    )


def nothing_shown(error: PortError) -> str:
    """Say why a kick can't be shown. Nothing was changed."""
    if isinstance(error, DirectoryUnavailable):
        what = f"Your role could not be checked with Slack ({error})."
        return f"{what} Nothing was changed. {error.remedy}"
    if isinstance(error, StoreUnavailable):
        return (
            f"The bot's database does not answer ({error.words}). Nothing was changed. Try again."
        )
    if isinstance(error, BotFailed):
        return f"{error} Try again."
    return action_failed(error)


def decision_unconfirmed(error: PortError) -> str:
    """Say what is known of a decision that could not be confirmed."""
    if isinstance(error, DirectoryUnavailable):
        what = f"Roles could not be checked with Slack ({error})."
        return f"{what} Nothing was decided. {error.remedy}"
    if isinstance(error, StoreUnavailable):
        return (
            f"The bot's database did not confirm that ({error.words}): whether your decision was"
            " recorded is not known. Look at the card again."
        )
    if isinstance(error, BotFailed):
        return f"{error} Whether your decision was recorded is not known. Look at the card again."
    return action_failed(error)


_NOT_A_MEMBER = {"not_in_channel", "channel_not_found"}


def card_not_posted(kick: Kick, channel: ChannelId, code: str) -> str:
    """Say that the approvers don't see a request, and what to do about it."""
    what = f"Nobody could be asked about kick #{kick.number} yet"
    if code in _NOT_A_MEMBER:
        return (
            f"{what}: the bot is not in the approvals channel ({channel}). Invite it there with"
            " /invite; it tries again until the time is over."
        )
    if code == "is_archived":
        return f"{what}: the approvals channel ({channel}) is archived. Tell the bot's operator."
    return f"{what} ({code}). The bot tries again until the time is over."


def result_delayed(code: str) -> str:
    """Say that the result is not in the channel yet."""
    return f"The channel could not be told yet ({code}); the bot keeps trying."


def result_not_posted(kick: Kick, code: str, *, maybe_delivered: bool = False) -> str:
    """Say why the result is not in its channel, and what to do about it.

    `maybe_delivered`: the response URL may have posted it.
    """
    untold = "The channel could not be told"
    if maybe_delivered:
        untold = "The channel may not have been told"
    if code == "is_archived":
        return f"{untold}: it is archived."
    if code in _NOT_A_MEMBER:
        if kick.channel_id.startswith("D"):
            return "The bot can't post into a conversation between others."
        return f"{untold}: invite the bot there with /invite."
    return f"{untold} ({code})."
