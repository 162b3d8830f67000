"""What Slack sends, parsed into what the listeners need of it.

Payloads: https://docs.slack.dev/reference/interaction-payloads
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from bot.core.kick import ChannelId, KickId, TeamId, UserId
from bot.core.roster import MeetingId

KICK_ID = r"^[0-9a-f]{32}$"


class Command(BaseModel):
    """A slash command; `response_url` answers it for 30 minutes, five times."""

    team_id: TeamId
    channel_id: ChannelId
    user_id: UserId
    text: str = ""
    trigger_id: str
    response_url: str


class Actor(BaseModel):
    """Who did it; `team_id` is their own workspace, which may not be ours."""

    id: UserId
    team_id: TeamId | None = None


class Team(BaseModel):
    """The workspace it was done in."""

    id: TeamId


class Option(BaseModel):
    """An option somebody chose."""

    value: str


class Value(BaseModel):
    """The state of one question."""

    value: str | None = None
    selected_option: Option | None = None
    selected_options: list[Option] = Field(default_factory=list)


class ViewMetadata(BaseModel):
    """What a view of ours carries about where it came from (its private_metadata).

    `origin` names the interaction whose response_url may still answer; `meeting` is the one
    whose people the form offers.
    """

    channel: ChannelId
    origin: str = ""
    meeting: MeetingId | None = None


class ViewState(BaseModel):
    """The answers of a view, by block and action."""

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
    def context(self) -> ViewMetadata:
        """Read where the view came from; raises ValidationError for a view that is not ours."""
        return ViewMetadata.model_validate_json(self.private_metadata)

    def answer(self, action_id: str) -> Value:
        """Find the answer to a question, wherever its block is; an empty one if there is none."""
        answers = (block[action_id] for block in self.state.values.values() if action_id in block)
        return next(answers, Value())


class Action(BaseModel):
    """A button pressed or an option chosen."""

    action_id: str
    action_ts: str = "0"
    value: str | None = None
    selected_option: Option | None = None


class Channel(BaseModel):
    """The channel of a message that was acted on."""

    id: ChannelId


class Container(BaseModel):
    """Where something was acted on; of an ephemeral message it says more than the message."""

    message_ts: str = ""


class Interaction(BaseModel):
    """A submit, a button or a request for options."""

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
    def home(self) -> TeamId | None:
        """The workspace that the person belongs to."""
        return self.user.team_id or (self.team.id if self.team else None)

    @property
    def kick(self) -> KickId | None:
        """The kick that the button pressed carries; None where it is none that we gave."""
        value = self.actions[0].value if self.actions else None
        return KickId(value) if value and re.fullmatch(KICK_ID, value) else None

    @property
    def place(self) -> tuple[ChannelId, str] | None:
        """Where the message stands whose button was pressed."""
        ts = self.container.message_ts
        return (self.channel.id, ts) if self.channel and ts else None


def command(body: Mapping[str, Any]) -> Command:
    """Parse a slash command."""
    return Command.model_validate(body)


def interaction(body: Mapping[str, Any]) -> Interaction:
    """Parse an interaction."""
    return Interaction.model_validate(body)


def metadata_of(view: View) -> ViewMetadata | None:
    """Read where a view came from; None for one that no version of this bot made."""
    try:
        return view.context
    except ValidationError:
        return None
