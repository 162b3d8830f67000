"""A kick that is evaluated again, right before its calls."""

from dataclasses import dataclass
from math import ceil

from bot.core.candidates import Candidate, CandidateStatus
from bot.core.policy import Verdict, refusal
from bot.core.ports import GatewayError, RateLimited, Rejected
from bot.core.roster import ParticipantKey, Peer, Session


@dataclass(frozen=True, slots=True)
class Recheck:
    """The verdict about a ready kick right before its calls, and the facts it is based on."""

    verdict: Verdict
    session: Session | None = None
    candidates: tuple[Candidate, ...] = ()

    @property
    def protected(self) -> dict[ParticipantKey, str]:
        """What protects a target by now, for each protected one."""
        return {
            ParticipantKey(candidate.requested): candidate.protected_by
            for candidate in self.candidates
            if candidate.status is CandidateStatus.PROTECTED
        }

    @property
    def open_peers(self) -> dict[ParticipantKey | None, tuple[Peer, ...]]:
        """The open connections of each target that is not protected.

        There may be several candidates for one target: a custom id can have several records.
        """
        peers: dict[ParticipantKey | None, tuple[Peer, ...]] = {}
        for candidate in self.candidates:
            if not candidate.exact:
                # The call names the id as it was given, and that is nobody's here.
                continue
            if candidate.person and candidate.status is not CandidateStatus.PROTECTED:
                key = ParticipantKey(candidate.requested)
                peers[key] = peers.get(key, ()) + candidate.person.open_peers
        return peers


def session_ended(session: Session | None) -> Verdict:
    """Return the refusal of a kick whose session is not the live one any more."""
    if session is None:
        return refusal("That session is over: RealtimeKit shows no live session of this meeting.")
    return refusal("That session is over, another one has begun: look again who is in it.")


def unreadable(error: GatewayError) -> Verdict:
    """Return the refusal of a kick whose session could not be read."""
    if isinstance(error, Rejected):
        return refusal(f"RealtimeKit refuses the bot: {error}. Please tell its operator.")
    if isinstance(error, RateLimited):
        seconds = f" {ceil(error.retry_after)} s" if error.retry_after else ""
        return refusal(f"RealtimeKit asks the bot to wait{seconds}. Then try again.")
    return refusal(f"RealtimeKit could not be read right before the kick: {error}.")
