"""The users, user groups and channels as they are now, and what the bot may see of them."""

from tests.sandbox.slack.errors import ApiError
from tests.sandbox.slack.workspace.team import Channel, Group, Team, User


class Directory:
    """Users, groups and channels by id."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.users = {user.id: user for user in (*team.users, team.bot)}
        self.groups = {group.id: group for group in team.groups}
        self.channels = {channel.id: channel for channel in team.channels}
        for user in team.users:
            self._add_direct(user)

    def upsert(self, item: User | Group | Channel) -> None:
        """Add this user, group or channel, or replace the one with the same id."""
        match item:
            case User():
                self.users[item.id] = item
                self._add_direct(item)
            case Group():
                self.groups[item.id] = item
            case Channel():
                self.channels[item.id] = item

    def direct(self, user: str) -> Channel | None:
        """Return a user's direct conversation with the bot. Bots and strangers have none."""
        return self.channels.get(_direct_id(user))

    def find_channel(self, channel: str) -> Channel | None:
        """Return a channel by its id or its name."""
        by_name = (item for item in self.channels.values() if item.name and item.name == channel)
        return self.channels.get(channel) or next(by_name, None)

    def visible_to_bot(self, channel_id: str) -> Channel:
        """Return a channel that the bot can see, member or not. Raises ApiError."""
        channel = self.channels.get(channel_id)
        if channel is None or (channel.is_private and not channel.bot_is_member):
            raise ApiError("channel_not_found")
        return channel

    def target(self, channel: str) -> Channel:
        """Return where a post goes. The id of a user stands for their direct conversation."""
        user = self.users.get(channel)
        if user is None:
            return self.visible_to_bot(channel)
        direct = self.direct(user.id)
        # Slack does not document its answer for a deactivated user.
        if direct is None or user.deleted:
            raise ApiError("channel_not_found")
        return direct

    def user_name(self, user: str) -> str:
        """Return a user's name, or the id if it is unknown."""
        known = self.users.get(user)
        return known.name if known else user

    def group_name(self, group: str) -> str:
        """Return a user group's name with @, or the id."""
        known = self.groups.get(group)
        return f"@{known.handle if known else group}"

    def channel_name(self, channel: str) -> str:
        """Return a channel's name with #, or the id."""
        known = self.channels.get(channel)
        return f"#{known.name if known else channel}"

    def _add_direct(self, user: User) -> None:
        # A bot cannot write to bots and to people of other workspaces.
        if not (user.is_stranger or user.is_bot):
            direct = Channel(
                _direct_id(user.id),
                name="",
                members=(user.id,),
                bot_is_member=True,
                is_private=True,
                is_im=True,
            )
            self.channels[direct.id] = direct


def _direct_id(user: str) -> str:
    return f"D{user[1:]}"
