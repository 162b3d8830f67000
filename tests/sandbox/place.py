"""The place that the bot is tried in: both stand-ins, and the settings that lead a bot to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.realtimekit.cast import Cast, weekly_ama
from tests.sandbox.realtimekit.server import RealtimeKitStandIn
from tests.sandbox.slack import ACK_LIMIT, SlackStandIn

HOME = Path(__file__).parents[2]
MANIFEST = HOME / "manifest.yml"
EXAMPLE_POLICY = HOME / "bot" / "policy.example.toml"


@dataclass(frozen=True, slots=True)
class Place:
    """Slack, RealtimeKit, and who is in the meetings."""

    slack: SlackStandIn
    realtimekit: RealtimeKitStandIn
    cast: Cast

    def settings(self, *, http: bool, database_url: str, port: int = 0) -> dict[str, str]:
        """Name everything that an operator would set, as environment variables."""
        slack = self.slack
        transport = (
            {"SLACK_SIGNING_SECRET": slack.signing_secret}
            if http
            else {"SLACK_APP_TOKEN": slack.app_token}
        )
        return {
            **transport,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_API_URL": slack.api_url,
            "CLOUDFLARE_API_TOKEN": self.realtimekit.api_token,
            "CLOUDFLARE_ACCOUNT_ID": self.realtimekit.account_id,
            "REALTIMEKIT_APP_ID": self.realtimekit.app_id,
            "CLOUDFLARE_BASE_URL": self.realtimekit.url,
            "DATABASE_URL": database_url,
            "KICKBOT_POLICY": str(EXAMPLE_POLICY),
            "PORT": str(port),
        }


@asynccontextmanager
async def open_place(*, port: int = 0, patience: float = ACK_LIMIT) -> AsyncIterator[Place]:
    """Open both stand-ins on loopback; Slack's on `port`, if that matters.

    `patience` is how many seconds Slack waits for an ack, and lets a trigger id live.
    """
    cast = weekly_ama()
    async with (
        SlackStandIn(MANIFEST, port=port, ack_limit=patience, trigger_life=patience) as slack,
        RealtimeKitStandIn(cast.world) as realtimekit,
    ):
        yield Place(slack, realtimekit, cast)
