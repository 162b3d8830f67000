"""The progress of one request, as the transport reports it. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.core.ports import NotSent


@dataclass(slots=True)
class Progress:
    """Whether a request is still unsent. httpcore calls this before and after each of its steps.

    Right before the first byte, it raises NotSent if it is later than `send_by` by the clock `now`:
    a machine that was suspended must not send an old request, and the event loop does not notice.

    https://www.python-httpx.org/advanced/extensions/
    """

    now: Callable[[], datetime]
    send_by: datetime
    unsent: bool = True

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        """Note a step of httpcore."""
        # After the connection steps, a part of the request may have been sent.
        self.unsent = event.startswith("connection.")
        if event.endswith(".send_request_headers.started") and self.now() > self.send_by:
            raise NotSent("not sent: it would have been too late")
