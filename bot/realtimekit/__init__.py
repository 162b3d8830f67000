"""A small typed client for the REST API of Cloudflare RealtimeKit.

For example, this script kicks a user from every live session with "Weekly AMA" in its title:

    import asyncio
    import os

    from pydantic import SecretStr

    from bot.realtimekit import App, CustomId, NotFound, RealtimeKit, http_client

    USER = CustomId("user-9001")

    async def main() -> None:
        token = SecretStr(os.environ["CLOUDFLARE_API_TOKEN"])
        app = App(os.environ["CLOUDFLARE_ACCOUNT_ID"], os.environ["REALTIMEKIT_APP_ID"], token)
        async with http_client() as http:
            kit = RealtimeKit(http, app)
            for session in await kit.live_sessions("Weekly AMA"):
                try:
                    await kit.kick(session.meeting.id, custom_participant_ids=[USER])
                except NotFound:
                    print(f"{USER} is not in {session.meeting.title}")

    asyncio.run(main())

Every error is a GatewayError. After an OutcomeUnknown, the call may have taken effect. After the
others, it did not: NotFound, Rejected, NotSent, RateLimited and its subclass LocallyRateLimited.
"""

from bot.core.ports import GatewayError, NotFound, NotSent, OutcomeUnknown, RateLimited, Rejected
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    PeerId,
    Roster,
    Session,
    SessionId,
)
from bot.realtimekit.client import RealtimeKit
from bot.realtimekit.connection import App, http_client
from bot.realtimekit.gateway import CachedGateway
from bot.realtimekit.rate_limit import LocallyRateLimited, RateLimit

__all__ = [
    "App",
    "CachedGateway",
    "CustomId",
    "GatewayError",
    "LocallyRateLimited",
    "Meeting",
    "MeetingId",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "Participant",
    "ParticipantId",
    "Peer",
    "PeerId",
    "RateLimit",
    "RateLimited",
    "RealtimeKit",
    "Rejected",
    "Roster",
    "Session",
    "SessionId",
    "http_client",
]
