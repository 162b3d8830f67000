"""What the tests of the views share: people and kicks to show, and Slack's own limits."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.models.blocks import Block as SdkBlock
from slack_sdk.models.views import View as SdkView

from bot.core.kick import ChannelId, Kick, KickId, State, TeamId, UserId
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
from bot.core.target import Outcome, OutcomeReason, Target
from bot.slack.payloads import ViewMetadata
from bot.slack.views.blocks import Message, Modal
from tests.sandbox.slack.block_kit import validate_blocks, validate_view

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


def target(  # noqa: PLR0917 - what differs from test to test
    name: str = "Mallory",
    outcome: Outcome | None = Outcome.KICKED,
    why: OutcomeReason | None = OutcomeReason.CONFIRMED,
    detail: str = "",
    at: int = 0,
    rejoined_at: datetime | None = None,
) -> Target:
    own = ParticipantId(f"{at:08}-id")
    return Target(
        own,
        None,
        name,
        outcome=outcome,
        outcome_reason=why,
        detail=detail,
        rejoined_at=rejoined_at,
    )


def kick(
    targets: Sequence[Target] = (target(),), *, title: str = "Weekly AMA", **changes: Any
) -> Kick:
    """Return a kick of Maya. Without changes, it is done."""
    values: dict[str, Any] = {
        "id": KickId("a" * 32),
        "idempotency_key": "V0",
        "team_id": TEAM,
        "app_id": "app",
        "channel_id": HERE.channel,
        "meeting": meeting(title),
        "session_id": None,
        "requester": MAYA,
        "reason": "spam",
        "targets": tuple(targets),
        "created_at": NOW,
        "state": State.DONE,
        "number": 7,
    }
    if changes.get("state", State.DONE) is State.DONE:
        values["done_at"] = NOW + timedelta(seconds=1.25)
    return Kick(**values | changes)


def fits(view: Modal) -> Modal:
    """Check a view as Slack would, and return it."""
    # slack_sdk checks fewer limits, but was written independently.
    SdkView(**view).validate_json()
    return validate_view(view)


def fits_message(message: Message, longest: int = 4000) -> Message:
    """Check a message as Slack would, and return it. Use the lower limit of an update."""
    validate_blocks(message["blocks"])
    for block in SdkBlock.parse_all(message["blocks"]):
        block.validate_json()
    assert len(message["text"]) <= longest
    return message


def shown(part: Any) -> str:
    """Return a view, a message or some blocks as one text to search in."""
    return json.dumps(part, ensure_ascii=False)


def buttons(message: Message) -> list[tuple[str, str, str]]:
    """Return the label, the action id and the value of each button."""
    rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
    return [(one["text"]["text"], one["action_id"], one["value"]) for row in rows for one in row]


def mentioned(message: Message) -> set[str]:
    """Check that people's text in a message is literal. Return the users that it mentions."""
    assert not {"<", ">"} & set(message["text"])
    assert '"mrkdwn"' not in shown(message["blocks"])
    rich = [block for block in message["blocks"] if block["type"] == "rich_text"]
    runs = [
        run for block in rich for part in block["elements"] for run in [part, *part["elements"]]
    ]
    elements = [element for run in runs for element in run.get("elements", [run])]
    kinds = {element["type"] for element in elements}
    assert kinds <= {"text", "user", "date", "rich_text_section"}
    return {element["user_id"] for element in elements if element["type"] == "user"}


def literal(view: Modal) -> bool:
    """Tell whether nothing in a view can be a mention, a link or markup."""
    return not any(kind in shown(view) for kind in ('"mrkdwn"', '"link"', '"broadcast"'))
