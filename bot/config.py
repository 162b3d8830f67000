"""Settings, from environment variables only; the one place that reads them."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SLACK_API = "https://slack.com/api/"
CLOUDFLARE_API = "https://api.cloudflare.com/client/v4"
SQLITE = "sqlite:///kickbot.db"


class SettingsError(Exception):
    """Some settings are missing or wrong; `faults` names each, with what to do."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.problems = faults


def _token(prefix: str = "") -> AfterValidator:
    def check(token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if not text.startswith(prefix):
            raise ValueError(f"should start with {prefix}")
        if not re.fullmatch("[!-~]+", text):
            # It goes into a header, where the error of an HTTP library would quote it.
            raise ValueError("should have no blanks, line breaks or letters beyond ASCII in it")
        return token

    return AfterValidator(check)


class Settings(BaseSettings):
    """What an operator sets; the README's table says what each is for."""

    model_config = SettingsConfigDict(
        case_sensitive=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    slack_bot_token: Annotated[SecretStr, _token("xoxb-")] = Field(alias="SLACK_BOT_TOKEN")
    slack_app_token: Annotated[SecretStr, _token("xapp-")] | None = Field(
        None, alias="SLACK_APP_TOKEN"
    )
    slack_signing_secret: SecretStr | None = Field(None, alias="SLACK_SIGNING_SECRET")
    slack_api_url: HttpUrl = Field(HttpUrl(SLACK_API), alias="SLACK_API_URL")
    cloudflare_api_token: Annotated[SecretStr, _token()] = Field(alias="CLOUDFLARE_API_TOKEN")
    cloudflare_account_id: str = Field(alias="CLOUDFLARE_ACCOUNT_ID", pattern=r"^\w{1,32}$")
    realtimekit_app_id: str = Field(alias="REALTIMEKIT_APP_ID", pattern=r"^[\w-]+$")
    cloudflare_base_url: HttpUrl = Field(HttpUrl(CLOUDFLARE_API), alias="CLOUDFLARE_BASE_URL")
    database_url: SecretStr = Field(SecretStr(SQLITE), alias="DATABASE_URL")
    policy_file: Path = Field(Path("policy.toml"), alias="KICKBOT_POLICY")
    command: str = Field("/kick", alias="KICKBOT_COMMAND", pattern=r"^/[^\s/]{1,31}$")
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="LOG_LEVEL")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given only: else the process's own environment would fill the gaps."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def slack_api(self) -> str:
        """The Web API's address, ending in a slash as slack_sdk wants it."""
        return f"{self.slack_api_url}".rstrip("/") + "/"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raises SettingsError with all that is wrong at once.

    An empty variable counts as one that is not set, as in shells and on platforms.
    """
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    faults = _pitfalls(given)
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        faults += [_fault(one) for one in error.errors(include_url=False, include_input=False)]
    if faults:
        raise SettingsError(faults)
    return settings


def _pitfalls(environment: Mapping[str, str]) -> list[str]:
    faults = []
    if not environment.keys() & {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}:
        faults.append("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing")
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
    return f"{name}: {str(error['msg']).removeprefix('Value error, ')}"
