"""What the reply to a kick call says about its outcome."""

from math import ceil

from bot.core.ports import GatewayError, NotFound, NotSent, RateLimited, Rejected
from bot.core.target import Outcome, OutcomeReason


def outcome_of(  # noqa: PLR0911 - one for each kind of reply
    reply: tuple[str, ...] | Exception,
) -> tuple[Outcome | None, OutcomeReason, str]:
    """Return the outcome, its reason and details. The outcome is None if the reply leaves it open.

    `reply`: the ids that RealtimeKit named, or what the call raised.
    """
    match reply:
        case NotFound():
            return None, OutcomeReason.NOT_FOUND, str(reply)
        case Rejected():
            return Outcome.FAILED, OutcomeReason.REFUSED, str(reply)
        case RateLimited():
            wait = f"; try again in {ceil(reply.retry_after)} s" if reply.retry_after else ""
            return Outcome.FAILED, OutcomeReason.BUSY, f"{reply}{wait}"
        case NotSent():
            return Outcome.FAILED, OutcomeReason.UNREACHABLE, str(reply)
        case GatewayError():
            return None, OutcomeReason.NO_ANSWER, str(reply)
        case Exception():
            # A bug in the bot: the call may have been sent.
            return None, OutcomeReason.NO_ANSWER, ""
        case ():
            return None, OutcomeReason.EMPTY_ANSWER, ""
        case _:
            return Outcome.KICKED, OutcomeReason.CONFIRMED, ""
