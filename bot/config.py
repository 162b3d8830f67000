"""The settings. They come from environment variables only, and only this module reads them."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
)

SLACK_API = "https://slack.com/api/"
CLOUDFLARE_API = "https://api.cloudflare.com/client/v4"
SQLITE = "sqlite:///kickbot.db"


class SettingsError(Exception):
    """Some settings are missing or wrong. `problems` names each one, and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _token(prefix: str = "") -> AfterValidator:
    def check(token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if not text.startswith(prefix):
            raise ValueError(f"should start with {prefix}")
        if not re.fullmatch("[!-~]+", text):
            # The token goes into a header, and the error of an HTTP library would quote it.
            raise ValueError("should have no blanks, line breaks or letters beyond ASCII in it")
        return token

    return AfterValidator(check)


class Settings(BaseModel):
    """The settings of the bot. A table in the README explains them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    slack_bot_token: Annotated[SecretStr, _token("xoxb-")] = Field(alias="SLACK_BOT_TOKEN")
    slack_app_token: Annotated[SecretStr, _token("xapp-")] | None = Field(
        None, alias="SLACK_APP_TOKEN"
    )
    slack_signing_secret: SecretStr | None = Field(None, alias="SLACK_SIGNING_SECRET")
    slack_api_url: HttpUrl = Field(HttpUrl(SLACK_API), alias="SLACK_API_URL")
    cloudflare_api_token: Annotated[SecretStr, _token()] = Field(alias="CLOUDFLARE_API_TOKEN")
    cloudflare_account_id: str = Field(
        alias="CLOUDFLARE_ACCOUNT_ID", pattern="^[0-9A-Za-z_]{1,32}$"
    )
    realtimekit_app_id: str = Field(alias="REALTIMEKIT_APP_ID", pattern=r"^[\w-]+$")
    cloudflare_base_url: HttpUrl = Field(HttpUrl(CLOUDFLARE_API), alias="CLOUDFLARE_BASE_URL")
    database_url: SecretStr = Field(SecretStr(SQLITE), alias="DATABASE_URL")
    policy_file: Path = Field(Path("policy.toml"), alias="KICKBOT_POLICY")
    command: str = Field("/kick", alias="KICKBOT_COMMAND", pattern=r"^/[^\s/]{1,31}$")
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="LOG_LEVEL")

    @property
    def warnings(self) -> list[str]:
        """What is allowed, but may be a mistake."""
        urls = {
            "SLACK_API_URL": self.slack_api_url,
            "CLOUDFLARE_BASE_URL": self.cloudflare_base_url,
        }
        return [
            f"{name}: http:// sends the token unencrypted; use https://"
            for name, url in urls.items()
            if url.scheme == "http" and not _is_loopback(url.host or "")
        ]

    @property
    def host(self) -> str | None:
        """Where the port is open: on loopback only, or for None on all interfaces."""
        is_public = self.slack_app_token is None or "port" in self.model_fields_set
        return None if is_public else "127.0.0.1"

    @property
    def slack_api(self) -> str:
        """The URL of Slack's Web API. It ends in a slash, because slack_sdk needs one."""
        return f"{self.slack_api_url}".rstrip("/") + "/"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings. Raises SettingsError with all problems at once.

    An empty variable counts as not set.
    """
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    problems = _problems(given)
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        problems += map(describe, errors)
    if problems:
        raise SettingsError(problems)
    return settings


def _problems(environment: Mapping[str, str]) -> list[str]:
    """Return the problems that are not in one variable alone."""
    problems = []
    if not environment.keys() & {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}:
        problems.append("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing")
    if environment.get("SLACK_CLIENT_ID") and environment.get("SLACK_CLIENT_SECRET"):
        problems.append(
            "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: unset them, Bolt would switch to OAuth"
        )
    database = environment.get("DATABASE_URL") or SQLITE
    if environment.get("DYNO") and database.startswith("sqlite"):
        problems.append("DATABASE_URL: a dyno's disk is lost daily; attach a PostgreSQL")
    return problems


def describe(error: Mapping[str, Any]) -> str:
    """Return an error of pydantic as one line: its place, counted from 1, and what is wrong."""
    place = ""
    for part in error["loc"]:
        place += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if place else str(part)
    if error["type"] == "extra_forbidden":
        return f"{place}: no such key"
    if error["type"] == "missing":
        return f"{place}: is missing"
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"
