"""A strict stand-in for Slack: the server a bot talks to, and the people who talk to the bot."""

from bot.sandbox.slack.cast import Cast, Channel, Group, User
from bot.sandbox.slack.chat import Message
from bot.sandbox.slack.delivery import ACK_LIMIT, Delivered, Outcome
from bot.sandbox.slack.errors import CannotError, RefusedError, WaitedInVainError
from bot.sandbox.slack.modal import Modal, Option
from bot.sandbox.slack.person import Person
from bot.sandbox.slack.stand_in import SlackStandIn
from bot.sandbox.slack.web_api import Call
from bot.sandbox.slack.workspace import Clock

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
