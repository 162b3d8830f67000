"""The client of RealtimeKit's REST API, around one method that does I/O."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from bot.core.ports import NotFound, NotSent, OutcomeUnknown, RateLimited
from bot.core.roster import (
    CustomId,
    Meeting,
    MeetingId,
    Participant,
    ParticipantId,
    Peer,
    Session,
    SessionId,
)
from bot.realtimekit import requests
from bot.realtimekit.connection import IN_FLIGHT, App
from bot.realtimekit.errors import error_for
from bot.realtimekit.paging import every_row
from bot.realtimekit.parsing import Page
from bot.realtimekit.rate_limit import LocallyRateLimited, RateLimit
from bot.realtimekit.requests import Request, segment

logger = logging.getLogger(__name__)

T = TypeVar("T")

_READS_IN_FLIGHT: Final = IN_FLIGHT - 1
_PAUSE: Final = 0.2
_FOR_THE_ANSWER: Final = 1 / 8
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class RealtimeKit:
    """RealtimeKit's operations, for one app. Each may raise any GatewayError.

    A call (one page of a list, too) ends within `deadline` seconds, whatever the service does.
    At most 8 are in flight, 7 of them reads, so that reading never keeps a kick waiting. Sent
    again, once, is only what was not sent, or what was turned away with a 429 whose
    `Retry-After` ends soon enough for an answer within the deadline.

    The token is sent in the Authorization header only. Neither httpx nor httpcore logs it, at
    any level; httpx's Headers don't show it.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: App,
        *,
        deadline: float = 8.0,
        budget: RateLimit | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._path = f"/accounts/{segment(app.account_id)}/realtime/kit/{segment(app.app_id)}"
        self._headers = httpx.Headers(
            {
                "Authorization": f"Bearer {app.token.get_secret_value()}",
                "Content-Type": "application/json",
            }
        )
        self._deadline = deadline
        self._rate_limit = budget or RateLimit()
        self._sleep = sleep
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._reads = asyncio.Semaphore(_READS_IN_FLIGHT)

    async def live_sessions(self, search: str = "") -> Sequence[Session]:
        """List live sessions, newest first; `search`: part of a title, or an id.

        GET …/sessions?status=LIVE, all pages.
        """
        rows = await self._all_pages(lambda page_no: requests.live_sessions(search, page_no))
        return list({row.id: row for row in rows}.values())

    async def meetings(self, search: str = "", page_no: int = 1) -> Sequence[Meeting]:
        """List a page of up to 200 meetings, live or not; `search`: part of a title, or an id.

        GET …/meetings.
        """
        return (await self._request(requests.meetings(search, page_no))).rows

    async def meeting(self, meeting: MeetingId) -> Meeting:
        """Read a meeting; NotFound if there is none of this id. GET …/meetings/{id}."""
        return await self._request(requests.meeting(meeting))

    async def active_session(self, meeting: MeetingId) -> Session | None:
        """Read the live session of a meeting; None if nobody is in it.

        GET …/meetings/{id}/active-session. A session that starts just now can answer 500.
        """
        try:
            return await self._request(requests.active_session(meeting))
        except NotFound:
            return None

    async def participants(self, session: SessionId, search: str = "") -> Sequence[Peer]:
        """List the connections of a session, newest first, those that have left included.

        GET …/sessions/{id}/participants, all pages; `search`: a name or an id, whether whole or
        in part is not documented. People show up about 10 s after they joined.
        """
        rows = await self._all_pages(
            lambda page_no: requests.participants(session, search, page_no)
        )
        return _once_each(rows)

    async def records(self, meeting: MeetingId) -> Sequence[Participant]:
        """List the participant records of a meeting, without peers.

        GET …/meetings/{id}/participants, all pages.
        """
        rows = await self._all_pages(lambda page_no: requests.records(meeting, page_no))
        return list({row.id: row for row in rows}.values())

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        """Kick people from the live session of a meeting; return the ids that the reply names.

        POST …/meetings/{id}/active-session/kick. It wants participant ids (`user_id` in session
        rows), not peer ids, removes all connections of theirs, and does not keep them from
        coming back. NotFound: nobody by such an id is in the session, or there is none. With
        several ids, some of them unknown, what happens is not documented: send one per call.
        Raises ValueError if no id is given.
        """
        return await self._request(requests.kick(meeting, participant_ids, custom_participant_ids))

    async def _all_pages(self, page: Callable[[int], Request[Page[T]]]) -> Sequence[T]:
        return await every_row(lambda page_no: self._request(page(page_no)), _READS_IN_FLIGHT)

    async def _request(self, call: Request[T]) -> T:
        until = asyncio.get_running_loop().time() + self._deadline
        try:
            return await self._attempt(call, until)
        except LocallyRateLimited:
            raise
        except (RateLimited, NotSent) as error:
            wait = _wait_after(error)
            if wait is None or not self._leaves_time(until, wait):
                raise
        await self._sleep(wait)
        return await self._attempt(call, until)

    async def _attempt(self, call: Request[T], until: float) -> T:
        progress = _Progress()
        try:
            async with asyncio.timeout_at(until), self._lane(call), self._slots:
                if not self._leaves_time(until):
                    raise NotSent("not sent: its turn came too late")
                self._rate_limit.check(read=call.is_read)
                response = await self._send(call, progress)
        except TimeoutError as error:
            if progress.unsent:
                raise NotSent(f"not sent within {self._deadline:g} s") from error
            raise OutcomeUnknown(f"no answer within {self._deadline:g} s") from error
        except _NOT_SENT as error:
            raise NotSent(_describe(error)) from error
        except (httpx.HTTPError, ssl.SSLError) as error:
            # A damaged TLS record comes through httpx as the bare SSLError.
            raise OutcomeUnknown(_describe(error)) from error
        self._rate_limit.update(response)
        if not response.is_success:
            raise error_for(response)
        return call.read(response.content)

    async def _send(self, call: Request[Any], progress: "_Progress") -> httpx.Response:
        # A transport that does not tell how far it got must not pass for one that sent nothing.
        progress.unsent = False
        return await self._http.request(
            call.method,
            self._path + call.path,
            content=call.body,
            headers=self._headers,
            extensions={"trace": progress},
        )

    def _leaves_time(self, until: float, wait: float = 0) -> bool:
        # What is sent at the last moment can only end as OutcomeUnknown.
        latest = until - self._deadline * _FOR_THE_ANSWER
        return asyncio.get_running_loop().time() + wait < latest

    def _lane(self, call: Request[Any]) -> AbstractAsyncContextManager[None]:
        return self._reads if call.is_read else nullcontext()


@dataclass(slots=True)
class _Progress:
    """How far a request got; httpcore calls it before and after each step.

    https://www.python-httpx.org/advanced/extensions/
    """

    unsent: bool = True

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        # Only while the transport is busy with its connection is it sure that nothing was sent.
        self.unsent = event.startswith("connection.")


def _wait_after(error: RateLimited | NotSent) -> float | None:
    """Tell how long to wait before it is sent again; None: it is not."""
    if isinstance(error, NotSent):
        return _PAUSE
    return None if error.retry_after is None else error.retry_after + _PAUSE


def _describe(error: Exception) -> str:
    """Say in words what broke; the exception itself is for whoever reads the log."""
    logger.warning("a call to RealtimeKit broke: %r", error)
    if isinstance(error, _NOT_SENT):
        return "no connection"
    return "no answer in time" if isinstance(error, httpx.TimeoutException) else "no whole answer"


def _once_each(rows: Sequence[Peer]) -> Sequence[Peer]:
    """Drop rows that came twice: a peer that has left anywhere has left for good."""
    unnamed = [row for row in rows if not row.id]
    peers: dict[str, Peer] = {}
    for row in rows:
        if row.id and (row.left_at or row.id not in peers):
            peers[row.id] = row
    return [*peers.values(), *unnamed]
