"""The bot makes few connections, calls and reads. They are counted at the stand-ins."""

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
import pytest
from aiohttp import web

from bot.app import Bot
from bot.slack.handlers.approval import ApprovalHandlers
from bot.slack.handlers.kick import KickHandlers
from bot.slack.handlers.result import ResultHandlers
from bot.slack.listeners import Listeners
from tests.journeys.conftest import Start
from tests.journeys.steps import (
    ONE_TRANSPORT,
    choose,
    kick_calls,
    process,
    result,
    to_form,
)
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person

# Connections


async def test_connections_are_kept_from_one_kick_to_the_next(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    opened: list[tuple[int, int]] = []
    for number, name in enumerate(("mallory", "tom", "ana", "jun", "olu"), start=1):
        await maya.command("C0LIVE", f"/kick {name} spam")
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await maya.submit()
        await maya.until(lambda sees: "✓ kicked" in sees.modal)
        await told(maya, number)
        opened.append((sandbox.slack.connections, sandbox.realtimekit.connections))
    assert opened == opened[:1] * 5


async def told(person: Person, count: int) -> None:
    await person.until(lambda sees: len(sees.messages("C0LIVE")) == count)


async def test_a_call_costs_no_connection_of_its_own(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    for _ in range(5):
        await to_form(maya)
        await maya.type_ahead("who", "mal")
        await maya.dismiss()
    assert sandbox.realtimekit.connections <= 2
    # A user and their groups are read side by side.
    assert sandbox.slack.connections <= 3


# Before the ack


class Gate:
    """A proxy before a service. While it is closed, requests wait."""

    def __init__(self, target: str) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""
        self._target = target
        self._client = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        await self.open.wait()
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        url = f"{self._target}{request.path_qs}"
        async with self._client.request(request.method, url, data=body, headers=headers) as reply:
            kept = {"Content-Type": reply.headers["Content-Type"]}
            return web.Response(status=reply.status, body=await reply.read(), headers=kept)


@pytest.fixture
async def gates(sandbox: Sandbox, start: Start) -> AsyncIterator[tuple[Gate, Gate]]:
    async with Gate(sandbox.slack.url) as slack, Gate(sandbox.realtimekit.origin) as realtimekit:
        behind = {
            "SLACK_API_URL": f"{slack.url}/api/",
            "CLOUDFLARE_BASE_URL": sandbox.realtimekit.url.replace(
                sandbox.realtimekit.origin, realtimekit.url
            ),
        }
        async with start(**behind):
            yield slack, realtimekit


@asynccontextmanager
async def closed(gates: Iterable[Gate]) -> AsyncIterator[None]:
    """Block both services. Answers within this context need no remote call."""
    for gate in gates:
        gate.open.clear()
    yield
    for gate in gates:
        gate.open.set()


async def test_every_ack_goes_out_without_a_remote_call_from_the_first_request_on(
    sandbox: Sandbox, maya: Person, gates: tuple[Gate, Gate]
) -> None:
    async with closed(gates):
        await maya.command("C0LIVE", "/kick")
        assert maya.stack == []
    await maya.until(lambda sees: sees.modal.title == "Kick from a meeting")
    await maya.type_ahead("who", "mallory")
    await maya.choose("who", "Mallory")
    await maya.write("reason", "spam")
    async with closed(gates):
        await maya.press("other_meeting")
    await maya.until(lambda sees: "meeting" in sees.modal.action_ids)
    await maya.type_ahead("meeting")
    async with closed(gates):
        await maya.choose("meeting", sandbox.demo.ama.id)
    await maya.until(lambda sees: sandbox.demo.ama.id in sees.modal.private_metadata)
    await maya.type_ahead("who", "mallory")
    await maya.choose("who", "Mallory")
    async with closed(gates):
        await maya.submit()
        assert maya.modal.title == "Review"
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    async with closed(gates):
        await maya.submit()
        assert "Removing 1 person" in maya.modal
        assert kick_calls(sandbox) == []
    message = await result(maya)
    async with closed(gates):
        await maya.click(message, "kick_again")
    await maya.until(lambda sees: sees.modal.title == "Review")
    assert maya.strips == maya.notices == []
    assert all(one.outcome and not one.outcome.failure for one in sandbox.slack.deliveries)


@pytest.mark.parametrize("line", ["/kick help", "/kick mallory spam"])
async def test_the_first_request_of_all_is_acked_without_a_remote_call(
    sandbox: Sandbox, maya: Person, gates: tuple[Gate, Gate], line: str
) -> None:
    async with closed(gates):
        await maya.command("C0LIVE", line)
    await maya.until(lambda sees: sees.stack or sees.messages("C0LIVE"))


OF_EACH_KIND = ("command", "menu", "button", "submit")
ACKED, NOT_YET, TOO_LATE = "acked", "not yet", "something is awaited after the ack"


def endings(statements: Iterable[ast.stmt], states: set[str]) -> tuple[set[str], set[str]]:
    """Follow all paths. Return how they leave these statements, and how the returning ones end."""
    returned: set[str] = set()
    for statement in statements:
        match statement:
            case ast.If():
                states = after(statement.test, states)
                yes, yes_ended = endings(statement.body, states)
                no, no_ended = endings(statement.orelse, states)
                states, returned = yes | no, returned | yes_ended | no_ended
            case ast.Try():
                whole, ended = endings(statement.body, states)
                caught = states | whole
                states, returned = whole, returned | ended
                for handler in statement.handlers:
                    left, ended = endings(handler.body, caught)
                    states, returned = states | left, returned | ended
            case ast.With():
                states, ended = endings(statement.body, states)
                returned |= ended
            case ast.Return():
                returned |= after(statement, states)
                return set(), returned
            case ast.Expr() | ast.Assign():
                states = after(statement, states)
            case _:
                raise AssertionError(f"line {statement.lineno}: not foreseen in a listener")
    return states, returned


def after(node: ast.AST, states: set[str]) -> set[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Await):
            call = one.value
            # If a listener passes its ack to a handler, the handler must ack. So follow it.
            is_ack = isinstance(call, ast.Call) and ast.unparse(call.func) in {"ack", "handler"}
            states = {
                (ACKED if is_ack else NOT_YET) if state == NOT_YET else TOO_LATE for state in states
            }
    return states


def listeners() -> dict[str, ast.AsyncFunctionDef]:
    """Return every function with an ack: Bolt's listeners and the handlers behind them."""
    found: dict[str, ast.AsyncFunctionDef] = {}
    for owner in (Listeners, KickHandlers, ApprovalHandlers, ResultHandlers):
        tree = ast.parse(inspect.getsource(owner))
        for one in ast.walk(tree):
            arguments = one.args.args if isinstance(one, ast.AsyncFunctionDef) else []
            if isinstance(one, ast.AsyncFunctionDef) and "ack" in [it.arg for it in arguments]:
                found[f"{owner.__name__}.{one.name}:{one.lineno}"] = one
    return found


@pytest.mark.parametrize("name", listeners())
def test_the_ack_is_a_listener_s_last_await_on_every_path(name: str) -> None:
    left, returned = endings(listeners()[name].body, {NOT_YET})
    assert left | returned == {ACKED}


def test_no_listener_is_left_out() -> None:
    source = inspect.getsource(Listeners.register)
    registered = re.findall(r"\((?:self|kick|approvals|results)\.(\w+)[,)]", source)
    followed = {re.split("[.:]", name)[1] for name in listeners()}
    assert set(registered) == followed - {"listener"}
    assert len([name for name in listeners() if "listener" in name]) == len(OF_EACH_KIND)


# Calls and reads


async def test_a_kick_is_one_call_per_target_each_with_one_id(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    await choose(maya, "Tom", "Ana", "Yusuf")
    await maya.submit()
    await result(maya)
    tom, ana = sandbox.demo.crowd[:2]
    bodies = [call.body for call in kick_calls(sandbox)]
    wanted = [{"participant_ids": [one.id]} for one in (tom, ana, sandbox.demo.three_tabs)]
    assert sorted(bodies, key=str) == sorted(wanted, key=str)


@ONE_TRANSPORT
async def test_of_twenty_five_calls_eight_are_in_flight(
    sandbox: Sandbox, maya: Person, start: Start
) -> None:
    guests = sandbox.demo.world.fill(sandbox.demo.ama, 25)
    sandbox.realtimekit.faults.switch_on("slow", op="kick", seconds=1, times=8)
    async with start(rules={"max_targets": "100/10m"}):
        await to_form(maya)
        await maya.write("ids", "\n".join(one.id for one in guests))
        await maya.write("reason", "raid")
        await maya.submit()
        await maya.until(lambda sees: sees.modal.submit == "Kick")
        await maya.submit()
        assert "removed 25 people" in maya.read(await result(maya))
    assert sandbox.realtimekit.peak == 8
    assert len(kick_calls(sandbox)) == 25


async def test_many_type_aheads_at_once_share_one_read(sandbox: Sandbox, bot: Bot) -> None:
    people = [sandbox.slack.person(user) for user in ("U0MAYA", "U0LEA", "U0MO", "U0MIA")]
    for person in people:
        await to_form(person)
    sandbox.realtimekit.faults.switch_on("slow", op="participants", seconds=0.2)
    typed = [
        person.type_ahead("who", "mallory"[:length]) for person in people for length in (1, 3, 7)
    ]
    found = await asyncio.gather(*typed)
    assert all("Mallory" in [option.text for option in options] for options in found)
    reads = [call.op for call in sandbox.realtimekit.calls]
    assert reads.count("participants") == 1
    assert reads.count("active-session") == 1
    assert reads.count("sessions") == 1


async def test_typing_on_reads_nothing_again(sandbox: Sandbox, maya: Person, bot: Bot) -> None:
    await to_form(maya)
    for length in range(len("mallory") + 1):
        await maya.type_ahead("who", "mallory"[:length])
    assert [call.op for call in sandbox.realtimekit.calls].count("participants") == 1


async def test_a_kick_of_one_takes_no_more_calls_than_it_needs(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    await maya.command("C0LIVE", "/kick mallory spam")
    await maya.until(lambda sees: sees.modal.submit == "Kick")
    before = len(sandbox.realtimekit.calls), len(sandbox.slack.calls)
    await maya.submit()
    await result(maya)
    await maya.until(lambda sees: "✓ kicked" in sees.modal)
    *reads, last = [call.op for call in sandbox.realtimekit.calls[before[0] :]]
    # The two reads go out together, so either may come first.
    assert (sorted(filter(None, reads)), last) == (["active-session", "participants"], "kick")
    asked = sorted(call.method for call in sandbox.slack.calls[before[1] :])
    assert asked == [
        "chat.postMessage",
        "usergroups.users.list",
        "users.info",
        "views.update",
    ]


# Imported modules


async def test_the_bot_on_sqlite_loads_neither_the_sandbox_nor_psycopg(
    sandbox: Sandbox, sqlite_url: str
) -> None:
    settings = sandbox.settings(http=True, database_url=sqlite_url)
    async with process(settings, "run", python=(sys.executable, "-X", "importtime")) as bot:
        await bot.up()
        assert await bot.stop() == 0
    loaded = {line.rpartition("|")[2].strip() for line in bot.said if "import time:" in line}
    assert "bot.app" in loaded
    assert "aiosqlite" in loaded
    unwanted = ("psycopg", "tests.sandbox", "cloudflare", "pytest", "boto3", "django", "fastapi")
    assert [one for one in loaded if one.startswith(unwanted)] == []
