"""The real bot, in a process that records every effect and can kill itself at one of them.

`python -m tests.faults.mortal run` is `python -m bot run`, but all effects pass a turnstile: writes
to the store, calls to Slack, kick calls, and acks. Each effect has a name and a count, as in
`store: transition claimed #1`, so that the next run finds it again.

Two environment variables control it:

- KICKBOT_EFFECTS: a file that gets the lines `before <effect>` and `after <effect>` for each effect
- KICKBOT_DIES: one of these lines; when it comes, the process kills itself as `kill -9` would
"""

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient

from bot.__main__ import main as bot_main
from bot.realtimekit import RealtimeKit
from bot.slack import api
from bot.store.database import Database
from tests import certificates  # noqa: F401 - read before the fork

EFFECTS, DIES = "KICKBOT_EFFECTS", "KICKBOT_DIES"
KICK = "kick call"

Function = Callable[..., Awaitable[Any]]


class Turnstile:
    """Counts and records effects by name, and kills the process at the chosen one."""

    def __init__(self, effects: Path | None, dies: str) -> None:
        self._effects = effects
        self._dies = dies
        self._counts: Counter[str] = Counter()

    @asynccontextmanager
    async def passed(self, name: str) -> AsyncIterator[None]:
        """Record one effect, which happens within the context."""
        self._counts[name] += 1
        effect = f"{name} #{self._counts[name]}"
        self._note(f"before {effect}")
        try:
            yield
        finally:
            self._note(f"after {effect}")

    def _note(self, line: str) -> None:
        if self._effects:
            with self._effects.open("a") as file:
                file.write(f"{line}\n")
        if line == self._dies:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, function: Function, name: Callable[..., str]) -> Function:
        """Return a function that records an effect. `name` makes its name from the arguments."""

        @wraps(function)
        async def passing(*args: Any, **more: Any) -> Any:
            async with self.passed(name(*args, **more)):
                return await function(*args, **more)

        return passing


def stand(turnstile: Turnstile) -> None:
    """Patch all functions through which the bot has effects."""
    for writes in ("write", "write_autocommit", "write_without_timeout"):
        _put(turnstile, Database, writes, _write)
    _put(turnstile, api, "_reply", lambda _, method, **__: f"slack: {method}")
    _put(turnstile, api, "post_response", lambda *_: "slack: response_url")
    _put(turnstile, RealtimeKit, "_kick", lambda *_, **__: KICK)
    _put(turnstile, AsyncBaseSocketModeClient, "send_socket_mode_response", lambda *_: "ack")


def _put(turnstile: Turnstile, where: Any, name: str, about: Callable[..., str]) -> None:
    setattr(where, name, turnstile.before(getattr(where, name), about))


def _write(*_: object, **__: object) -> str:
    """Return the name of a write: the store's method, and the event or the state."""
    # The frames: this one, the turnstile's, and the store's method.
    frame = sys._getframe(2)
    return f"store: {frame.f_code.co_name} {_told(frame)}".rstrip()


def _told(frame: FrameType) -> str:
    known = frame.f_locals
    if "events" in known:
        return str(known["events"][0].kind) if known["events"] else "renewed"
    if "kick" in known:
        return str(known["kick"].state)
    if "event" in known:
        return str(known["event"].kind)
    return str(known["after"].kind) if "after" in known else ""


def child(environment: Mapping[str, str], says: str, *, mortal: bool) -> None:
    """Run the bot in a forked process. Its output goes into the file `says`."""
    # Keep the imported modules shared with the parent process.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(says, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.exit(main(["run"]) if mortal else bot_main(["run"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bot's command line with a turnstile."""
    effects = os.environ.pop(EFFECTS, "")
    stand(Turnstile(Path(effects) if effects else None, os.environ.pop(DIES, "")))
    return bot_main(arguments)


if __name__ == "__main__":
    sys.exit(main())
