"""What `/healthz` and the modals tell strangers of the database: nothing but that it is away."""

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.ports import StoreUnavailable
from bot.health import NO_DATABASE, Health, Token
from bot.slack.views import failures
from bot.store import SqlStore

pytestmark = pytest.mark.services

TELLING = ("127.0.0.1", "somerole", "somedb", "hush", "/no/where")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://somerole:hush@127.0.0.1:1/somedb",
        "postgresql://somerole:hush@/somedb?host=/no/where",
        "sqlite:////no/where/somedb",
    ],
)
async def test_nothing_of_the_database_is_told_but_in_the_log(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqlStore(url)
    assert await Health(store, None, Token(AsyncWebClient()))() == NO_DATABASE
    assert "the database says: " in caplog.text
    assert "hush" not in caplog.text
    with pytest.raises(StoreUnavailable) as raised:
        await store.check()
    for describe in (failures.action_failed, failures.nothing_shown, failures.decision_unconfirmed):
        assert not any(word in describe(raised.value) for word in TELLING)
    assert not any(word in failures.submit_unconfirmed(raised.value) for word in TELLING)
    await store.close()
