"""Settings: all problems are reported at once, and no secret is shown."""

from pathlib import Path

import pytest

from bot.config import Settings, SettingsError, read_settings

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-secret",
    "SLACK_APP_TOKEN": "xapp-secret",
    "CLOUDFLARE_API_TOKEN": "cf-secret",
    "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
    "REALTIMEKIT_APP_ID": "5b4b5c6d-0000-4000-8000-000000000000",
}
HTTP = {**GOOD, "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "sign-secret"}


def faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read_settings(environment)
    return raised.value.problems


def test_what_is_not_set_has_its_documented_default() -> None:
    settings = read_settings(GOOD)
    assert settings.slack_api == "https://slack.com/api/"
    assert f"{settings.cloudflare_base_url}" == "https://api.cloudflare.com/client/v4"
    assert settings.database_url.get_secret_value() == "sqlite:///kickbot.db"
    assert settings.policy_file == Path("policy.toml")
    assert (settings.command, settings.port, settings.log_level) == ("/kick", 3000, "INFO")


def test_every_missing_setting_is_named_at_once() -> None:
    assert faults({}) == [
        "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing",
        "SLACK_BOT_TOKEN: is missing",
        "CLOUDFLARE_API_TOKEN: is missing",
        "CLOUDFLARE_ACCOUNT_ID: is missing",
        "REALTIMEKIT_APP_ID: is missing",
    ]


def test_only_what_is_given_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-of-the-process")
    assert "SLACK_BOT_TOKEN: is missing" in faults({})
    assert read_settings(HTTP).slack_app_token is None


def test_without_an_argument_it_is_the_processs_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert read_settings().slack_bot_token.get_secret_value() == "xoxb-secret"


def test_variables_of_others_are_nobodys_business() -> None:
    assert isinstance(read_settings(GOOD | {"PATH": "/bin", "KICKBOT_TYPO": "1"}), Settings)


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t "])
def test_an_empty_variable_counts_as_not_set(blank: str) -> None:
    optional = dict.fromkeys(["SLACK_SIGNING_SECRET", "DATABASE_URL", "PORT", "LOG_LEVEL"], blank)
    assert read_settings(GOOD | optional) == read_settings(GOOD)
    assert faults(GOOD | {"SLACK_BOT_TOKEN": blank}) == ["SLACK_BOT_TOKEN: is missing"]


def test_blanks_and_line_breaks_around_a_value_are_no_part_of_it() -> None:
    pasted = {name: f" {value}\r\n" for name, value in GOOD.items()}
    assert read_settings(pasted) == read_settings(GOOD)


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"SLACK_BOT_TOKEN": "xoxp-secret"}, "SLACK_BOT_TOKEN: should start with xoxb-"),
        ({"SLACK_APP_TOKEN": "xoxb-secret"}, "SLACK_APP_TOKEN: should start with xapp-"),
        ({"SLACK_BOT_TOKEN": "xoxb-se cret"}, "SLACK_BOT_TOKEN: should have no blanks"),
        ({"CLOUDFLARE_API_TOKEN": "cf-\nsecret"}, "CLOUDFLARE_API_TOKEN: should have no blanks"),
        ({"CLOUDFLARE_API_TOKEN": "cf-secrét"}, "CLOUDFLARE_API_TOKEN: should have no blanks"),
        ({"CLOUDFLARE_ACCOUNT_ID": "a/../b"}, "CLOUDFLARE_ACCOUNT_ID: "),
        ({"REALTIMEKIT_APP_ID": "a/b"}, "REALTIMEKIT_APP_ID: "),
        ({"SLACK_API_URL": "slack.com"}, "SLACK_API_URL: "),
        ({"CLOUDFLARE_BASE_URL": "ftp://x"}, "CLOUDFLARE_BASE_URL: "),
        ({"PORT": "eighty"}, "PORT: "),
        ({"PORT": "65536"}, "PORT: "),
        ({"PORT": "-1"}, "PORT: "),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ({"KICKBOT_COMMAND": "kick"}, "KICKBOT_COMMAND: "),
        ({"KICKBOT_COMMAND": "/" + "k" * 32}, "KICKBOT_COMMAND: "),
        ({"SLACK_CLIENT_ID": "1", "SLACK_CLIENT_SECRET": "secret"}, "SLACK_CLIENT_ID and SLACK_"),
        ({"DYNO": "web.1"}, "DATABASE_URL: a dyno's disk is lost daily"),
        ({"DYNO": "web.1", "DATABASE_URL": "sqlite:////tmp/x.db"}, "DATABASE_URL: a dyno's disk"),
    ],
)
def test_a_bad_setting_is_named_without_its_value(environment: dict[str, str], fault: str) -> None:
    (found,) = faults(GOOD | environment)
    assert found.startswith(fault)
    assert "secret" not in found
    assert "secrét" not in found


def test_all_faults_come_at_once() -> None:
    bad = {"SLACK_BOT_TOKEN": "no", "PORT": "x", "LOG_LEVEL": "x", "DYNO": "1"}
    found = faults(bad)
    assert {fault.partition(":")[0] for fault in found} == {
        "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP) is missing",
        "DATABASE_URL",
        "SLACK_BOT_TOKEN",
        "CLOUDFLARE_API_TOKEN",
        "CLOUDFLARE_ACCOUNT_ID",
        "REALTIMEKIT_APP_ID",
        "PORT",
        "LOG_LEVEL",
    }


@pytest.mark.parametrize("alone", ["SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"])
def test_half_of_an_oauth_pair_is_no_pitfall(alone: str) -> None:
    assert read_settings(GOOD | {alone: "1"}) == read_settings(GOOD)


def test_a_dyno_may_use_postgresql() -> None:
    settings = read_settings(GOOD | {"DYNO": "web.1", "DATABASE_URL": "postgres://u:p@h/d"})
    assert settings.database_url.get_secret_value() == "postgres://u:p@h/d"


@pytest.mark.parametrize("environment", [GOOD, HTTP])
def test_no_secret_is_shown(environment: dict[str, str]) -> None:
    settings = read_settings(environment | {"DATABASE_URL": "postgres://u:secret@h/d"})
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert "secret" not in shown.replace("slack_signing_secret", "")


def test_a_web_api_address_gets_the_slash_that_slack_sdk_needs() -> None:
    without = GOOD | {"SLACK_API_URL": "http://127.0.0.1:1/api"}
    assert read_settings(without).slack_api == "http://127.0.0.1:1/api/"


@pytest.mark.parametrize(
    ("url", "is_noted"),
    [
        ("http://proxy.example/api/", True),
        ("http://10.0.0.1/api/", True),
        ("http://localhost.example/", True),
        ("http://[2001:db8::1]:80/", True),
        ("https://proxy.example/api/", False),
        ("http://127.0.0.1:5/api/", False),
        ("http://localhost:5/api/", False),
        ("http://[::1]:5/api/", False),
    ],
)
@pytest.mark.parametrize("name", ["SLACK_API_URL", "CLOUDFLARE_BASE_URL"])
def test_a_url_that_sends_tokens_unencrypted_is_noted(
    name: str, url: str, *, is_noted: bool
) -> None:
    words = f"{name}: http:// sends the token unencrypted; use https://"
    assert read_settings(GOOD | {name: url}).warnings == [words] * is_noted


@pytest.mark.parametrize(
    ("environment", "host"),
    [(GOOD, "127.0.0.1"), (GOOD | {"PORT": "3000"}, None), (HTTP, None)],
    ids=["socket", "socket-port", "http"],
)
def test_the_port_is_open_to_others_only_if_they_need_it(
    environment: dict[str, str], host: str | None
) -> None:
    assert read_settings(environment).host == host
