"""Settings, from environment variables only; the one place that reads them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SLACK_API = "https://slack.com/api/"
CLOUDFLARE_API = "https://api.cloudflare.com/client/v4"
SQLITE = "sqlite:///kickbot.db"


class BadSettings(Exception):
    """Some settings are missing or wrong; `faults` names each, with what to do."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _with_prefix(prefix: str) -> AfterValidator:
    def check(token: SecretStr) -> SecretStr:
        if not token.get_secret_value().startswith(prefix):
            raise ValueError(f"should start with {prefix}")
        return token

    return AfterValidator(check)


Required = Field(min_length=1)


class Settings(BaseSettings):
    """What an operator sets; the README's table says what each is for."""

    model_config = SettingsConfigDict(
        case_sensitive=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    slack_bot_token: Annotated[SecretStr, _with_prefix("xoxb-")] = Field(alias="SLACK_BOT_TOKEN")
    slack_app_token: Annotated[SecretStr, _with_prefix("xapp-")] | None = Field(
        None, alias="SLACK_APP_TOKEN"
    )
    slack_signing_secret: SecretStr | None = Field(None, alias="SLACK_SIGNING_SECRET")
    slack_api_url: HttpUrl = Field(HttpUrl(SLACK_API), alias="SLACK_API_URL")
    cloudflare_api_token: SecretStr = Field(alias="CLOUDFLARE_API_TOKEN", min_length=1)
    cloudflare_account_id: str = Field(alias="CLOUDFLARE_ACCOUNT_ID", pattern=r"^\w{1,32}$")
    realtimekit_app_id: str = Field(alias="REALTIMEKIT_APP_ID", pattern=r"^[\w-]+$")
    cloudflare_base_url: HttpUrl = Field(HttpUrl(CLOUDFLARE_API), alias="CLOUDFLARE_BASE_URL")
    database_url: SecretStr = Field(SecretStr(SQLITE), alias="DATABASE_URL")
    policy_file: Path = Field(Path("policy.toml"), alias="KICKBOT_POLICY")
    command: str = Field("/kick", alias="KICKBOT_COMMAND", pattern=r"^/[^\s/]{1,31}$")
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    log_level: str = Field("INFO", alias="LOG_LEVEL", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, given: Any) -> Any:
        """Take an empty variable for one that is not set, as shells and platforms do."""
        return {name: value for name, value in dict(given).items() if value not in {"", None}}

    @model_validator(mode="after")
    def _one_transport(self) -> Self:
        if self.slack_app_token is None and self.slack_signing_secret is None:
            raise ValueError(
                "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing"
            )
        return self

    @property
    def slack_api(self) -> str:
        """The Web API's address, ending in a slash as slack_sdk wants it."""
        return f"{self.slack_api_url}".rstrip("/") + "/"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raises BadSettings with all that is wrong at once."""
    faults = _pitfalls(environment)
    try:
        settings = Settings.model_validate(dict(environment))
    except ValidationError as error:
        faults += [_fault(one) for one in error.errors(include_url=False, include_input=False)]
    if faults:
        raise BadSettings(faults)
    return settings


def _pitfalls(environment: Mapping[str, str]) -> list[str]:
    faults = []
    if environment.get("SLACK_CLIENT_ID") and environment.get("SLACK_CLIENT_SECRET"):
        faults.append(
            "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: unset them, Bolt would switch to OAuth"
        )
    database = environment.get("DATABASE_URL") or SQLITE
    if environment.get("DYNO") and database.startswith("sqlite"):
        faults.append("DATABASE_URL: a dyno's disk is lost daily; attach a PostgreSQL")
    return faults


def _fault(error: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{name}: is missing"
    words = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {words}" if name else words
