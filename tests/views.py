"""What the tests of the views share: people and meetings to show, and Slack's own limits."""

import json
from datetime import UTC, datetime

from slack_sdk.models.views import View as SdkView

from bot.core.kick import ChannelId, TeamId, UserId
from bot.core.policy import Rules, Verdict, VerdictKind
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    PeerId,
    Session,
    SessionId,
)
from bot.slack.payloads import ViewMetadata
from bot.slack.views.blocks import Modal
from tests.sandbox.slack.block_kit import validate_view

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
HERE = ViewMetadata(channel=ChannelId("C0LIVE"), response_id="f" * 32)
MAYA, TEAM = UserId("U0MAYA"), TeamId("T0KICK")
RULES = Rules()
ALLOWED = Verdict(VerdictKind.ALLOWED, "moderator")
HOSTILE = "<!channel> *x* <https://evil.example|click>"


def participant(
    name: str, preset: str | None = "guest", at: int = 0, custom_id: str | None = None
) -> Participant:
    own, custom = ParticipantId(f"{at:08}-id"), CustomId(custom_id) if custom_id else None
    peer = Peer(PeerId(f"peer-{at}"), own, custom, name, preset, NOW, None)
    return Participant(own, custom, name, preset, (peer,))


def meeting(title: str = "Weekly AMA", at: int = 0) -> Meeting:
    return Meeting(MeetingId(f"00000000-0000-4000-8000-{at:012}"), title)


def session(title: str = "Weekly AMA", at: int = 0, people: int | None = 12) -> Session:
    return Session(SessionId(f"session-{at}"), meeting(title, at), people)


def fits(view: Modal) -> Modal:
    """Check a view the way Slack would; return it."""
    # slack_sdk knows fewer limits, but is not ours.
    SdkView(**view).validate_json()
    return validate_view(view)


def shown(view: Modal) -> str:
    return json.dumps(view, ensure_ascii=False)


def literal(view: Modal) -> bool:
    """Tell whether nothing in a view can be a mention, a link or markup."""
    return not any(kind in shown(view) for kind in ('"mrkdwn"', '"link"', '"broadcast"'))
