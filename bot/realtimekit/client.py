"""The client: a method for each operation. Only `_attempt` does I/O."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import httpx

from bot.core.ports import KickCall, NotFound, NotSent, OutcomeUnknown, RateLimited, Rejected
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
from bot.realtimekit import models
from bot.realtimekit.connection import MAX_REQUESTS, App
from bot.realtimekit.errors import error_for_exception, error_for_reply, retry_delay
from bot.realtimekit.paging import MAX_PAGES, PER_PAGE, Listing, Page, fetch_all, without_repeats
from bot.realtimekit.progress import Progress
from bot.realtimekit.rate_limit import RateLimit
from bot.realtimekit.service_time import ServiceTime

T = TypeVar("T")
_Query = dict[str, str]

_MAX_READS: Final = MAX_REQUESTS - 1
_LARGE: Final = 250_000
"""The bytes of a reply from which on parsing could delay other work, such as an ack."""
_REPLY_SHARE: Final = 1 / 8
"""The share of the deadline that must be left for the reply when a request is sent."""


class RealtimeKit:
    """The operations of one RealtimeKit app. Each may raise any GatewayError.

    A call ends within `deadline` seconds, which for a kick begin with its turn. A list takes one
    call for each page. A request is retried once at most: if it was not sent, or if it got a 429
    whose `Retry-After` ends early enough. At most 8 requests are in flight, and at most 7 of them
    are reads, so that a kick does not wait for reads.

    `now` is the caller's clock. `service_time` converts its times to RealtimeKit's clock.

    The token is sent in the Authorization header only. Neither httpx nor httpcore logs it at any
    level, and the repr of httpx's headers hides it.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: App,
        *,
        deadline: float = 8.0,
        rate_limit: RateLimit | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._path = f"/accounts/{_segment(app.account_id)}/realtime/kit/{_segment(app.app_id)}"
        token = app.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._headers = httpx.Headers(headers)
        self._deadline = deadline
        self._rate_limit = rate_limit or RateLimit()
        self._sleep = sleep
        self._now = now
        self._service_time = ServiceTime()
        self.service_time = self._service_time.at
        self._requests = asyncio.Semaphore(MAX_REQUESTS)
        self._reads = asyncio.Semaphore(_MAX_READS)

    async def live_sessions(self, search: str = "") -> Sequence[Session]:
        """Return all live sessions, newest first. `search` is a part of a title, or an id.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_sessions
        """
        query = {"search": search, "status": "LIVE", "sort_by": "createdAt", "sort_order": "DESC"}
        found = await self._list("/sessions", query, models.parse_sessions)
        return list({row.id: row for row in found.rows}.values())

    async def meetings(self, search: str = "", page_no: int = 1) -> Sequence[Meeting]:
        """Return a page of up to 200 meetings. `search` is a part of a title, or an id.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get
        """
        query = {"search": search}
        return (await self._page("/meetings", query, models.parse_meetings, page_no)).rows

    async def meeting(self, meeting: MeetingId) -> Meeting:
        """Return a meeting. Raises NotFound if it does not exist.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_by_id
        """
        return models.parse_meeting(await self._request("GET", f"/meetings/{_segment(meeting)}"))

    async def active_session(self, meeting: MeetingId) -> Session | None:
        """Return the live session of a meeting, or None if the meeting is empty.

        The service may answer 500 for a session that is just starting.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/active-session/methods/get_active_session
        """
        try:
            body = await self._request("GET", f"/meetings/{_segment(meeting)}/active-session")
        except NotFound:
            return None
        return models.parse_active_session(body, meeting)

    async def participants(
        self, session: SessionId, search: str = "", max_pages: int = MAX_PAGES
    ) -> Listing[Peer]:
        """Return the connections of a session, newest first, including those that have left.

        `search` is a name or an id. Which ids it finds, and whether a part of one matches, is not
        documented. A connection appears in the list about 10 s after it joined.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_session_participants
        """
        path = f"/sessions/{_segment(session)}/participants"
        query = {"search": search, "sort_by": "joinedAt", "sort_order": "DESC"}
        found = await self._list(path, query, models.parse_peers, max_pages)
        return replace(found, rows=without_repeats(found.rows))

    async def record(self, meeting: MeetingId, participant: ParticipantId) -> Participant:
        """Return a participant record of a meeting, without peers. Raises NotFound without one.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_participant
        """
        path = f"/meetings/{_segment(meeting)}/participants/{_segment(participant)}"
        return models.parse_record(await self._request("GET", path), participant)

    async def records(self, meeting: MeetingId, max_pages: int = MAX_PAGES) -> Listing[Participant]:
        """Return the participant records of a meeting, without peers. Their order is not known.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_participants
        """
        path = f"/meetings/{_segment(meeting)}/participants"
        found = await self._list(path, {}, models.parse_records, max_pages)
        return replace(found, rows=list({row.id: row for row in found.rows}.values()))

    async def presets(self) -> Sequence[str]:
        """Return the names of the app's presets.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/presets/methods/get
        """
        return (await self._list("/presets", {}, models.parse_presets)).rows

    async def kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        """Kick participants from the live session of a meeting; return the ids in the reply.

        A kick takes participant ids, not peer ids. It closes all connections of a participant, and
        does not keep the participant from joining again. Raises NotFound if no session is live, or
        if the participant is not in it, and ValueError if no id is given. The effect of several ids
        of which some are unknown is not documented: pass one id per call.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/active-session/methods/kick_participants
        """
        async with self.kick_slot() as send:
            return await send(
                meeting,
                participant_ids=participant_ids,
                custom_participant_ids=custom_participant_ids,
            )

    @asynccontextmanager
    async def kick_slot(self) -> AsyncIterator[KickCall]:
        """Wait for the turn of a kick, and yield the call that sends it at once: like `kick`."""
        async with self._requests:
            yield self._kick

    async def _kick(
        self,
        meeting: MeetingId,
        *,
        participant_ids: Sequence[ParticipantId] = (),
        custom_participant_ids: Sequence[CustomId] = (),
    ) -> Sequence[str]:
        lists = {
            "participant_ids": participant_ids,
            "custom_participant_ids": custom_participant_ids,
        }
        # The service rejects an empty list.
        body = {name: list(dict.fromkeys(ids)) for name, ids in lists.items() if ids}
        if not body:
            raise ValueError("nobody to kick")
        path = f"/meetings/{_segment(meeting)}/active-session/kick"
        return models.parse_kicked(await self._request("POST", path, json.dumps(body).encode()))

    async def _list(
        self,
        path: str,
        query: _Query,
        parse: Callable[[bytes], Page[T]],
        max_pages: int = MAX_PAGES,
    ) -> Listing[T]:
        return await fetch_all(partial(self._page, path, query, parse), _MAX_READS, max_pages)

    async def _page(
        self, path: str, query: _Query, parse: Callable[[bytes], Page[T]], page_no: int
    ) -> Page[T]:
        given = {name: value for name, value in query.items() if value}
        pages = {"page_no": page_no, "per_page": PER_PAGE}
        encoded = urlencode({**pages, **given}, errors="replace")
        body = await self._request("GET", f"{path}?{encoded}")
        return await asyncio.to_thread(parse, body) if len(body) > _LARGE else parse(body)

    async def _request(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """Return the body of the reply. Retry once if that is safe and ends in time."""
        request = self._http.build_request(
            method, self._path + path, content=content, headers=self._headers
        )
        until = asyncio.get_running_loop().time() + self._deadline
        send_by = self._now() + timedelta(seconds=self._deadline * (1 - _REPLY_SHARE))
        try:
            return await self._attempt(request, until, send_by)
        except (RateLimited, NotSent) as error:
            delay = retry_delay(error)
            if delay is None or not self._leaves_time(until, delay):
                raise
        await self._sleep(delay)
        return await self._attempt(request, until, send_by)

    async def _attempt(self, request: httpx.Request, until: float, send_by: datetime) -> bytes:
        is_read = request.method == "GET"
        # A kick has its slot already.
        slots = (self._reads, self._requests) if is_read else (nullcontext(), nullcontext())
        request.extensions["trace"] = progress = Progress(self._now, send_by)
        try:
            async with asyncio.timeout_at(until), slots[0], slots[1]:
                if not self._leaves_time(until):
                    raise NotSent("not sent: its turn came too late")
                self._rate_limit.check(read=is_read)
                # A transport that reports no progress may have sent the request.
                progress.unsent = False
                sent_at = self._now()
                response = await self._http.send(request)
        except TimeoutError as error:
            if progress.unsent:
                raise NotSent(f"not sent within {self._deadline:g} s") from error
            raise OutcomeUnknown(f"no answer within {self._deadline:g} s") from error
        except (httpx.HTTPError, ssl.SSLError) as error:
            # httpx does not wrap the SSLError of a damaged TLS record.
            raise error_for_exception(error) from error
        self._rate_limit.update(response)
        self._service_time.update(response.headers, sent_at, self._now())
        if not response.is_success:
            raise error_for_reply(response)
        return response.content

    def _leaves_time(self, until: float, delay: float = 0) -> bool:
        # A request that is sent just before the deadline could only end as OutcomeUnknown.
        latest = until - self._deadline * _REPLY_SHARE
        return asyncio.get_running_loop().time() + delay < latest


def _segment(text: str) -> str:
    """Return an id as one segment of a path.

    Raises Rejected for an id that would lead to another path: encoding does not change dots.
    """
    if text in {"", ".", ".."}:
        raise Rejected(f"{text!r} is no id")
    return quote(text, safe="", errors="replace")
