"""Who and where: people, user groups and channels, and what the bot may see of them."""

from tests.sandbox.slack.cast import Cast, Channel, Group, User
from tests.sandbox.slack.errors import RefusedError


class Directory:
    """The cast of a workspace as it stands now; `recast` changes one of it."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.users = {user.id: user for user in (*cast.users, cast.bot)}
        self.groups = {group.id: group for group in cast.groups}
        self.channels = {channel.id: channel for channel in cast.channels}
        for user in cast.users:
            self._add_direct(user)

    def recast(self, part: User | Group | Channel) -> None:
        """Put this person, group or channel in the place of the one with the same id."""
        match part:
            case User():
                self.users[part.id] = part
                self._add_direct(part)
            case Group():
                self.groups[part.id] = part
            case Channel():
                self.channels[part.id] = part

    def direct(self, user: str) -> Channel | None:
        """Return the direct conversation of somebody with the bot; strangers have none."""
        return self.channels.get(_direct_id(user))

    def named(self, channel: str) -> Channel | None:
        """Find a channel by id or by name."""
        by_name = (item for item in self.channels.values() if item.name and item.name == channel)
        return self.channels.get(channel) or next(by_name, None)

    def as_bot_sees(self, channel_id: str) -> Channel:
        """Return a channel the bot may know of, member or not; raise channel_not_found else."""
        channel = self.channels.get(channel_id)
        if channel is None or (channel.is_private and not channel.bot_is_member):
            raise RefusedError("channel_not_found")
        return channel

    def target(self, channel: str) -> Channel:
        """Return where a post goes; a user's id stands for their direct conversation."""
        user = self.users.get(channel)
        if user is None:
            return self.as_bot_sees(channel)
        direct = self.direct(user.id)
        # What Slack says of a deactivated user here is not documented.
        if direct is None or user.deleted:
            raise RefusedError("channel_not_found")
        return direct

    def _add_direct(self, user: User) -> None:
        # People of other workspaces and bots cannot be written to by a bot of this one.
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
