"""The processes of a benchmark: the stub, the bare handlers, and the bot as an operator starts it.

Linux only: CPU time and memory of a process are read from /proc.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.bare import SECRET

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 60.0  # seconds
WAITS_FOR = 60.0  # seconds; for calls that a bot should make
PYTHON = (sys.executable, "-S")  # without `site`, the packages of the tests are out of reach

# Roles by name, not by group: a group costs one more call to Slack after its 5 minutes.
POLICY = """
approvals_channel = "C0MODS"
[[grant]]
who = ["U0MAYA", "U0MO"]
role = "moderator"
[[grant]]
who = ["U0HAL"]
role = "helper"
[rules]
second_person = "never"
bulk = 3
expires = "1h"
reason = "required"
max_targets = "10000/1s"
protected = { presets = ["group_call_host", "webinar_presenter"], custom_ids = ["staff-*"] }
"""


class Service:
    """A process that prints its URL. It ends when its input is closed."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Stub:
    """The stub, from outside."""

    url: str
    http: aiohttp.ClientSession

    async def change(self, **given: Any) -> int:
        """Change the delay, the fault or the crowds. Returns how many calls there were so far."""
        async with self.http.post(f"{self.url}/control/change", json=given) as reply:
            return int((await reply.json())["calls"])

    async def connected(self, *who: str) -> None:
        """Wait until these are connected by Socket Mode."""
        async with self.http.post(f"{self.url}/control/connected", json=who) as reply:
            reply.raise_for_status()

    async def calls(self, since: int, name: str = "", count: int = 0) -> list["Call"]:
        """Return the calls after the first `since`. Waits for `count` calls of this name."""
        seen = await self._seen(since=since, name=name, count=count, all=1)
        return [Call(*call) for call in seen["calls"]]

    async def wait(self, since: int, name: str, count: int) -> "Call":
        """Wait for `count` calls of this name after the first `since`. Returns the newest call."""
        seen = await self._seen(since=since, name=name, count=count)
        return Call(*seen["calls"][-1])

    async def connections(self) -> int:
        """Return how many connections were opened to the stub, its control aside."""
        return int((await self._seen(since=0, name="", count=0))["connections"])

    async def _seen(self, **query: str | int) -> Any:
        async with (
            asyncio.timeout(WAITS_FOR),
            self.http.get(f"{self.url}/control/seen", params=query) as reply,
        ):
            return await reply.json()

    async def exchange(
        self, who: str, count: int, pause: float, envelope: Mapping[str, Any]
    ) -> list[float]:
        """Send envelopes by Socket Mode. Returns the seconds to each ack."""
        body = {"who": who, "count": count, "pause": pause, "envelope": envelope}
        async with self.http.post(f"{self.url}/control/exchange", json=body) as reply:
            return list(await reply.json())


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the stub got: when by the monotonic clock, of which service, and its JSON."""

    at: float
    service: str
    name: str
    body: Any


class Process:
    """The bot's process, with only the packages that requirements.txt pins."""

    def __init__(self, packages: Path, environment: Mapping[str, str], *arguments: str) -> None:
        self.began = time.monotonic()
        self._said = (packages.parent / "said").open("a+")
        self._process = subprocess.Popen(  # noqa: S603 - the bot, or an import
            [*PYTHON, *arguments],
            cwd=ROOT,
            env={"PYTHONPATH": f"{packages}", **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
        )

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process.poll() is not None

    def cpu(self) -> float:
        """Return the seconds of CPU time that the process has used, its threads included."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the memory that the process has in use, in MB."""
        pages = int(self._proc("statm").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text(encoding="utf-8")

    def stop(self) -> None:
        """End the process, and wait for it."""
        self._process.terminate()
        self._process.wait()
        self._said.close()


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, requests in a round, and what each benchmark needs."""

    rounds: int = 5
    requests: int = 40
    crowd: int = 10_000
    crowds: tuple[int, ...] = (10, 1_000, 10_000, 100_000)
    logs: tuple[int, int] = (1_000, 1_000_000)
    decisions: int = 200
    commands: int = 20_000
    typing: float = 21.0  # seconds
    idle: float = 62.0  # seconds


@dataclass(slots=True)
class Stage:
    """What the benchmarks share. `postgres` makes the URL of an empty database."""

    folder: Path
    packages: Path
    stub: Stub
    bare: str
    http: aiohttp.ClientSession
    postgres: Callable[[], str]
    size: Size
    databases: int = 0

    def sqlite_url(self) -> str:
        """Return the URL of a new SQLite file, on a disk."""
        self.databases += 1
        return f"sqlite:///{self.folder}/{self.databases}.db"

    def settings(self, database: str, port: int, *, http: bool = True) -> dict[str, str]:
        """Return the environment of a bot."""
        policy = self.folder / "policy.toml"
        policy.write_text(POLICY, encoding="utf-8")
        transport = {"SLACK_SIGNING_SECRET": SECRET} if http else {"SLACK_APP_TOKEN": "xapp-1"}
        return {
            **transport,
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_API_URL": f"{self.stub.url}/api/",
            "CLOUDFLARE_API_TOKEN": "token",
            "CLOUDFLARE_ACCOUNT_ID": "a",
            "REALTIMEKIT_APP_ID": "app",
            "CLOUDFLARE_BASE_URL": self.stub.url,
            "DATABASE_URL": database,
            "KICKBOT_POLICY": str(policy),
            "PORT": str(port),
        }

    async def python(self, code: str) -> tuple[float, str]:
        """Run code with the pinned packages. Returns its seconds and what it printed."""
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *PYTHON,
            "-c",
            code,
            env={"PYTHONPATH": f"{self.packages}"},
            stdout=subprocess.PIPE,
        )
        said, _ = await process.communicate()
        return time.monotonic() - began, said.decode()

    @asynccontextmanager
    async def bot(self, database: str = "", *, http: bool = True) -> AsyncIterator["Bot"]:
        """Run `python -m bot run` within the context."""
        port = _free_port()
        settings = self.settings(database or self.sqlite_url(), port, http=http)
        process = Process(self.packages, settings, "-m", "bot", "run")
        try:
            await _until_open(process, port, self.folder)
            yield Bot(process, f"http://127.0.0.1:{port}")
        finally:
            process.stop()


@dataclass(frozen=True, slots=True)
class Bot:
    """The bot as a process, and its URL."""

    process: Process
    url: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _until_open(process: Process, port: int, folder: Path) -> None:
    async with asyncio.timeout(STARTS_WITHIN):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            if process.has_ended:
                raise RuntimeError((folder / "said").read_text(encoding="utf-8")[-3000:])
            await asyncio.sleep(0.005)


def link_packages(into: Path) -> None:
    """Link the packages of requirements.txt into a folder: what an operator installs."""
    into.mkdir()
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name = line.partition("#")[0].partition("==")[0].partition("[")[0].strip()
        if not name:
            continue
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            if not (into / top).exists():
                (into / top).symlink_to(Path(str(found.locate_file(top))))


@asynccontextmanager
async def opened(folder: Path, postgres: Callable[[], str], size: Size) -> AsyncIterator[Stage]:
    """Start the stub and the bare handlers, and stop them at the end."""
    packages = folder / "packages"
    link_packages(packages)
    stub = Service("tests.bench.stub")
    bare = Service("tests.bench.bare", stub.url, str(folder))
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=300)
    try:
        async with aiohttp.ClientSession(connector=connector) as http:
            yield Stage(folder, packages, Stub(stub.url, http), bare.url, http, postgres, size)
    finally:
        bare.close()
        stub.close()
