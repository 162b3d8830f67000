"""How often an ack waits for PostgreSQL: a database may be far away, and Slack waits 3 s."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from bot.core.kick import State, UserId
from bot.core.kick_service import SubmitResult
from bot.store import SqlStore
from tests.scene import ANN, AVA, BEN, Scene

BUFFER: Final = 65_536


@dataclass
class Proxy:
    """Forwards connections to a server, and counts the requests that wait for a reply."""

    url: str = ""
    round_trips: int = 0

    async def forward(
        self, socket: str, client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        server = await asyncio.open_unix_connection(socket)
        asks = asyncio.Event()

        async def copy(
            source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_request: bool
        ) -> None:
            while data := await source.read(BUFFER):
                if is_request and not asks.is_set():
                    asks.set()
                    self.round_trips += 1
                elif not is_request:
                    asks.clear()
                target.write(data)
            target.close()

        await asyncio.gather(
            copy(client[0], server[1], is_request=True),
            copy(server[0], client[1], is_request=False),
            return_exceptions=True,
        )


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    """Return a proxy in front of an empty database."""
    async with _in_front_of(postgres_url) as proxy:
        yield proxy


@asynccontextmanager
async def _in_front_of(postgres_url: str) -> AsyncIterator[Proxy]:
    parts = urlsplit(postgres_url)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    proxy, open_connections = Proxy(), set[asyncio.Task[None]]()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.forward(socket, (reader, writer)))
        open_connections.add(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = quote(parts.username or "")
    proxy.url = f"postgresql://{user}@127.0.0.1:{port}{parts.path}"
    async with server:
        yield proxy
    await asyncio.gather(*open_connections)


@pytest.mark.parametrize(("user", "state"), [(AVA, State.READY), (BEN, State.WAITING)])
async def test_a_submit_takes_three_round_trips(proxy: Proxy, user: UserId, state: State) -> None:
    store = SqlStore(proxy.url)
    await store.start()
    scene = Scene()
    service = replace(scene.kick_service, store=store)
    # psycopg prepares a statement that it has seen five times, which takes one more round trip.
    counts = []
    for _ in range(10):
        draft = await scene.draft(ANN, requester=user)
        await store.save_draft(draft)
        before = proxy.round_trips
        submitted = await service.submit(draft.id, f"view {draft.id}", user)
        counts.append(proxy.round_trips - before)
        assert isinstance(submitted, SubmitResult)
        assert submitted.kick.state is state
    await store.close()
    # The first submit opens a second connection.
    assert counts[1:5] == [3] * 4
    assert max(counts[5:]) <= 6
