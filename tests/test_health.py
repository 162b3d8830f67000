"""What `/healthz` and the modals tell strangers of the database: nothing but that it is away."""

import asyncio

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import event

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


async def test_those_who_ask_at_once_share_a_look_at_the_database(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqlStore(sqlite_url)
    looks = []
    engine = store._database._engine.sync_engine
    event.listen(engine, "checkout", lambda *_: looks.append(1))
    health = Health(store, None, Token(AsyncWebClient()))
    assert await asyncio.gather(*(health() for _ in range(100))) == [""] * 100
    assert len(looks) == 1
    monkeypatch.setattr("bot.health.SHARED_FOR", 0)
    assert await health() == ""
    assert len(looks) == 2
    await store.close()
