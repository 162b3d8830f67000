"""The names that readers see in the place of ids, and dates as they read them."""

from datetime import UTC, datetime

from tests.sandbox.slack.directory import Directory


class Names:
    """What the ids of one workspace stand for; an unknown id stands for itself."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def user(self, user: str) -> str:
        """Name a person."""
        known = self._directory.users.get(user)
        return known.name if known else user

    def group(self, group: str) -> str:
        """Name a user group."""
        known = self._directory.groups.get(group)
        return f"@{known.handle if known else group}"

    def channel(self, channel: str) -> str:
        """Name a channel."""
        known = self._directory.channels.get(channel)
        return f"#{known.name if known else channel}"


def date(seconds: int, template: str) -> str:
    """Fill Slack's date template in, for a reader in UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    day = f"{moment:%B} {moment.day}, {moment.year}"
    tokens = {
        "{date_num}": f"{moment:%Y-%m-%d}",
        "{date_short_pretty}": day,
        "{date_long_pretty}": day,
        "{date_pretty}": day,
        "{date_short}": day,
        "{date_long}": day,
        "{date}": day,
        "{time_secs}": f"{moment:%H:%M:%S}",
        "{time}": f"{moment:%H:%M}",
        "{ago}": f"at {moment:%H:%M}",
    }
    for token, shown in tokens.items():
        template = template.replace(token, shown)
    return template
