"""Both stand-ins, and the settings with which a bot uses them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.sandbox.realtimekit import DemoData, RealtimeKitStandIn, weekly_ama
from tests.sandbox.slack import ACK_TIMEOUT, DEMO_TEAM, SlackStandIn, Team

ROOT: Final = Path(__file__).parents[2]
MANIFEST: Final = ROOT / "manifest.yml"
EXAMPLE_POLICY: Final = ROOT / "bot" / "policy.example.toml"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The stand-ins for Slack and RealtimeKit, and the demo's meetings and participants."""

    slack: SlackStandIn
    realtimekit: RealtimeKitStandIn
    demo: DemoData

    def settings(self, *, http: bool, database_url: str, port: int = 0) -> dict[str, str]:
        """Return the environment variables that an operator sets, for HTTP or Socket Mode."""
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
async def open_sandbox(
    *, ack_timeout: float = ACK_TIMEOUT, team: Team = DEMO_TEAM
) -> AsyncIterator[Sandbox]:
    """Start both stand-ins on loopback.

    `ack_timeout` is how many seconds Slack waits for an ack, and accepts a trigger id.
    """
    demo = weekly_ama()
    async with (
        SlackStandIn(
            MANIFEST, ack_timeout=ack_timeout, trigger_lifetime=ack_timeout, team=team
        ) as slack,
        RealtimeKitStandIn(demo.world) as realtimekit,
    ):
        yield Sandbox(slack, realtimekit, demo)
