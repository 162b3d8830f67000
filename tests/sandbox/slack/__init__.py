"""A strict stand-in for Slack: the server a bot talks to, and the people who talk to the bot."""

from tests.sandbox.slack.cast import Cast, Channel, Group, User
from tests.sandbox.slack.chat import Message
from tests.sandbox.slack.delivery import ACK_LIMIT, Delivered, Outcome
from tests.sandbox.slack.errors import CannotError, RefusedError, WaitedInVainError
from tests.sandbox.slack.modal import Modal, Option
from tests.sandbox.slack.person import Person
from tests.sandbox.slack.stand_in import SlackStandIn
from tests.sandbox.slack.web_api import Call
from tests.sandbox.slack.workspace import Clock

__all__ = [
    "ACK_LIMIT",
    "Call",
    "CannotError",
    "Cast",
    "Channel",
    "Clock",
    "Delivered",
    "Group",
    "Message",
    "Modal",
    "Option",
    "Outcome",
    "Person",
    "RefusedError",
    "SlackStandIn",
    "User",
    "WaitedInVainError",
]
