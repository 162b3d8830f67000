"""What Slack sends, parsed into what the handlers need.

Payloads: https://docs.slack.dev/reference/interaction-payloads
"""

import re
from typing import TypeVar

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, ValidationError

from bot.core.kick import ChannelId, KickId, TeamId, UserId
from bot.core.roster import MeetingId

KICK_ID = r"^[0-9a-f]{32}$"


class _Sent(BaseModel):
    # An error must not quote what was sent, because that may be a response URL.
    model_config = ConfigDict(hide_input_in_errors=True)


class Command(_Sent):
    """A slash command. Its `response_url` can be used five times, for 30 minutes."""

    team_id: TeamId
    channel_id: ChannelId
    user_id: UserId
    text: str = ""
    trigger_id: str
    response_url: str


class Option(_Sent):
    """A chosen option."""

    value: str


class Value(_Sent):
    """The answer to one question."""

    value: str | None = None
    selected_option: Option | None = None
    selected_options: list[Option] = Field(default_factory=list)


class ViewMetadata(_Sent):
    """What a modal of the bot carries (its private_metadata).

    `response_id` names the response URL that can still reach the user. Earlier versions called it
    `origin`. `meeting` is the meeting whose people the form offers.
    """

    model_config = ConfigDict(validate_by_name=True)

    channel: ChannelId
    response_id: str = Field("", validation_alias=AliasChoices("response_id", "origin"))
    meeting: MeetingId | None = None


M = TypeVar("M", bound=ViewMetadata)


class View(_Sent):
    """A view as it comes back. `answers` are by block id and action id."""

    id: str
    hash: str = ""
    external_id: str = ""
    root_view_id: str | None = None
    private_metadata: str = ""
    answers: dict[str, dict[str, Value]] = Field(
        default_factory=dict, validation_alias=AliasPath("state", "values")
    )

    def metadata(self, model: type[M]) -> M | None:
        """Return what the bot put into this view; None if it is not of this kind."""
        try:
            return model.model_validate_json(self.private_metadata)
        except ValidationError:
            return None

    def answer(self, action_id: str) -> Value:
        """Return the answer to a question, in any block; empty if there is none."""
        return self.answers.get(self.block_of(action_id), {}).get(action_id, Value())

    def block_of(self, action_id: str) -> str:
        """Return the id of the block that holds a question; the action id if there is none."""
        found = (name for name, block in self.answers.items() if action_id in block)
        return next(found, action_id)


class Action(_Sent):
    """A pressed button or a chosen option."""

    action_ts: str = "0"
    value: str | None = None
    selected_option: Option | None = None


class Interaction(_Sent):
    """A submit, a pressed button, or a request for options.

    `user_team_id` is the user's own workspace. `team_id` is the one in which the user acted.
    `enterprise_id` is its organization on Enterprise Grid.
    `channel_id` and `message_ts` are those of the message whose button was pressed.
    """

    user_id: UserId = Field(validation_alias=AliasPath("user", "id"))
    user_team_id: TeamId | None = Field(None, validation_alias=AliasPath("user", "team_id"))
    team_id: TeamId | None = Field(None, validation_alias=AliasPath("team", "id"))
    enterprise_id: str | None = Field(None, validation_alias=AliasPath("enterprise", "id"))
    trigger_id: str = ""
    response_url: str = ""
    view: View | None = None
    channel_id: ChannelId = Field(ChannelId(""), validation_alias=AliasPath("channel", "id"))
    # An ephemeral message has its timestamp only here.
    message_ts: str = Field("", validation_alias=AliasPath("container", "message_ts"))
    actions: list[Action] = Field(default_factory=list)
    value: str = ""

    @property
    def metadata(self) -> ViewMetadata | None:
        """What the bot put into the view in which the user acted, if there is one."""
        return self.view.metadata(ViewMetadata) if self.view else None

    @property
    def home(self) -> TeamId | None:
        """The workspace to which the user belongs."""
        return self.user_team_id or self.team_id

    @property
    def kick(self) -> KickId | None:
        """The kick that the pressed button carries; None if the bot did not make that value."""
        value = self.actions[0].value if self.actions else None
        return KickId(value) if value and re.fullmatch(KICK_ID, value) else None

    @property
    def place(self) -> tuple[ChannelId, str] | None:
        """Channel and timestamp of the message whose button was pressed."""
        is_message = self.channel_id and self.message_ts
        return (self.channel_id, self.message_ts) if is_message else None
