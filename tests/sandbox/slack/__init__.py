"""A strict stand-in for Slack: the server that a bot talks to, and the users of the bot."""

from tests.sandbox.slack.client.modal import Modal, Option
from tests.sandbox.slack.client.person import Person
from tests.sandbox.slack.delivery.delivery import ACK_TIMEOUT, Delivered, Outcome
from tests.sandbox.slack.errors import ActionError, ApiError, TimedOutError
from tests.sandbox.slack.faults import SLACK_FAULTS
from tests.sandbox.slack.stand_in import SlackStandIn
from tests.sandbox.slack.web_api.server import Call
from tests.sandbox.slack.workspace.chat import Message, MessageContent
from tests.sandbox.slack.workspace.team import (
    DEMO_TEAM,
    MAYA,
    MODS,
    OTHER_TEAM_ID,
    TEAM_ID,
    Channel,
    Group,
    Team,
    User,
)
from tests.sandbox.slack.workspace.workspace import Clock

__all__ = [
    "ACK_TIMEOUT",
    "DEMO_TEAM",
    "MAYA",
    "MODS",
    "OTHER_TEAM_ID",
    "SLACK_FAULTS",
    "TEAM_ID",
    "ActionError",
    "ApiError",
    "Call",
    "Channel",
    "Clock",
    "Delivered",
    "Group",
    "Message",
    "MessageContent",
    "Modal",
    "Option",
    "Outcome",
    "Person",
    "SlackStandIn",
    "Team",
    "TimedOutError",
    "User",
]
