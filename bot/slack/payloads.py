"""What Slack sends, parsed into what the handlers need.

Payloads: https://docs.slack.dev/reference/interaction-payloads
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from bot.core.kick import ChannelId, KickId, TeamId, UserId
from bot.core.roster import MeetingId

KICK_ID = r"^[0-9a-f]{32}$"


class Command(BaseModel):
    """A slash command. Its `response_url` can be used five times, for 30 minutes."""

    team_id: TeamId
    channel_id: ChannelId
    user_id: UserId
    text: str = ""
    trigger_id: str
    response_url: str


class Actor(BaseModel):
    """The user who acted. `team_id` is their own workspace, which may be another one."""

    id: UserId
    team_id: TeamId | None = None


class Team(BaseModel):
    """The workspace in which the user acted."""

    id: TeamId


class Option(BaseModel):
    """A chosen option."""

    value: str


class Value(BaseModel):
    """The answer to one question."""

    value: str | None = None
    selected_option: Option | None = None
    selected_options: list[Option] = Field(default_factory=list)


class ViewMetadata(BaseModel):
    """What a modal of the bot carries (its private_metadata).

    `response_id` names the response URL that can still reach the user; earlier versions called
    it `origin`. `meeting` is the one whose people the form offers.
    """

    model_config = ConfigDict(validate_by_name=True)

    channel: ChannelId
    response_id: str = Field("", validation_alias=AliasChoices("response_id", "origin"))
    meeting: MeetingId | None = None


class ViewState(BaseModel):
    """The answers in a view, by block id and action id."""

    values: dict[str, dict[str, Value]] = Field(default_factory=dict)


class View(BaseModel):
    """A view as it comes back."""

    id: str
    hash: str = ""
    external_id: str = ""
    root_view_id: str | None = None
    private_metadata: str = ""
    state: ViewState = Field(default_factory=ViewState)

    @property
    def metadata(self) -> ViewMetadata | None:
        """What the bot put into this view; None if no version of the bot made it."""
        try:
            return ViewMetadata.model_validate_json(self.private_metadata)
        except ValidationError:
            return None

    def answer(self, action_id: str) -> Value:
        """Return the answer to a question, in whichever block; empty if there is none."""
        answers = (block[action_id] for block in self.state.values.values() if action_id in block)
        return next(answers, Value())

    def block_of(self, action_id: str) -> str:
        """Return the id of the block that holds a question; the action id if there is none."""
        found = (name for name, block in self.state.values.items() if action_id in block)
        return next(found, action_id)


class Action(BaseModel):
    """A pressed button or a chosen option."""

    action_id: str
    action_ts: str = "0"
    value: str | None = None
    selected_option: Option | None = None


class Channel(BaseModel):
    """The channel of the message whose button was pressed."""

    id: ChannelId


class Container(BaseModel):
    """Where the user acted. For an ephemeral message, only this has the timestamp."""

    message_ts: str = ""


class Interaction(BaseModel):
    """A submit, a pressed button, or a request for options."""

    user: Actor
    team: Team | None = None
    trigger_id: str = ""
    response_url: str = ""
    view: View | None = None
    channel: Channel | None = None
    container: Container = Field(default_factory=Container)
    actions: list[Action] = Field(default_factory=list)
    action_id: str = ""
    value: str = ""

    @property
    def metadata(self) -> ViewMetadata | None:
        """What the bot put into the view in which the user acted, if there is one."""
        return self.view.metadata if self.view else None

    @property
    def home(self) -> TeamId | None:
        """The workspace to which the user belongs."""
        return self.user.team_id or (self.team.id if self.team else None)

    @property
    def kick(self) -> KickId | None:
        """The kick that the pressed button carries; None if the bot did not make that value."""
        value = self.actions[0].value if self.actions else None
        return KickId(value) if value and re.fullmatch(KICK_ID, value) else None

    @property
    def place(self) -> tuple[ChannelId, str] | None:
        """Channel and timestamp of the message whose button was pressed."""
        ts = self.container.message_ts
        return (self.channel.id, ts) if self.channel and ts else None


def command(body: Mapping[str, Any]) -> Command:
    """Parse a slash command."""
    return Command.model_validate(body)


def interaction(body: Mapping[str, Any]) -> Interaction:
    """Parse an interaction."""
    return Interaction.model_validate(body)
