"""The client: a method for each operation. Only `_attempt` does I/O."""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from bot.core.ports import NotFound, NotSent, OutcomeUnknown, RateLimited, Rejected
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
from bot.realtimekit.errors import error_for_exception, error_for_reply, retry_delay
from bot.realtimekit.paging import PER_PAGE, Page, fetch_all
from bot.realtimekit.rate_limit import RateLimit

T = TypeVar("T")
_Query = dict[str, str]

_MAX_REQUESTS: Final = 8  # With more requests in flight, httpx gets slower.
_MAX_READS: Final = _MAX_REQUESTS - 1
_REPLY_SHARE: Final = 1 / 8
"""The share of the deadline that must be left for the reply when a request is sent."""


@dataclass(frozen=True, slots=True)
class App:
    """A RealtimeKit app, and an API token with the permission Realtime or Realtime Admin.

    Raises ValueError if the token is empty or has a character that cannot be part of a token.
    """

    account_id: str
    app_id: str
    token: SecretStr

    def __post_init__(self) -> None:
        # h11 would reject the token later, with the whole header in the text of its error.
        if not re.fullmatch(r"[!-~]+", self.token.get_secret_value()):
            raise ValueError("the API token is empty, or has characters that no token has")


def http_client(base_url: str = "https://api.cloudflare.com/client/v4") -> httpx.AsyncClient:
    """Return an httpx client for RealtimeKit. The caller closes it.

    It keeps connections for 10 minutes, so that the next call needs no handshake.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        # Without this, httpx parses the CA bundle again for each proxy of the environment.
        verify=httpx.create_ssl_context(),
        timeout=httpx.Timeout(10.0, connect=3.0, pool=3.0),
        limits=httpx.Limits(
            max_connections=_MAX_REQUESTS,
            max_keepalive_connections=_MAX_REQUESTS,
            keepalive_expiry=600,
        ),
        follow_redirects=False,
    )


class RealtimeKit:
    """The operations of one RealtimeKit app. Each may raise any GatewayError.

    A call ends within `deadline` seconds. A list takes one call for each page. A request is retried
    once at most: if it was not sent, or if it got a 429 whose `Retry-After` ends early enough. At
    most 8 requests are in flight, and at most 7 of them are reads, so that a kick does not wait for
    reads.

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
    ) -> None:
        self._http = http
        self._path = f"/accounts/{_segment(app.account_id)}/realtime/kit/{_segment(app.app_id)}"
        token = app.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._headers = httpx.Headers(headers)
        self._deadline = deadline
        self._rate_limit = rate_limit or RateLimit()
        self._sleep = sleep
        self._requests = asyncio.Semaphore(_MAX_REQUESTS)
        self._reads = asyncio.Semaphore(_MAX_READS)

    async def live_sessions(self, search: str = "") -> Sequence[Session]:
        """Return all live sessions, newest first. `search` is a part of a title, or an id.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_sessions
        """
        query = {"search": search, "status": "LIVE", "sort_by": "createdAt", "sort_order": "DESC"}
        rows = await self._list("/sessions", query, models.parse_sessions)
        return list({row.id: row for row in rows}.values())

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

    async def participants(self, session: SessionId, search: str = "") -> Sequence[Peer]:
        """Return all connections of a session, newest first, including those that have left.

        `search` is a name or an id. Whether a part of it matches is not documented. A connection
        appears in the list about 10 s after it joined.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/sessions/methods/get_session_participants
        """
        path = f"/sessions/{_segment(session)}/participants"
        query = {"search": search, "sort_by": "joinedAt", "sort_order": "DESC"}
        return _without_repeats(await self._list(path, query, models.parse_peers))

    async def records(self, meeting: MeetingId) -> Sequence[Participant]:
        """Return all participant records of a meeting, without peers.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/meetings/methods/get_meeting_participants
        """
        path = f"/meetings/{_segment(meeting)}/participants"
        rows = await self._list(path, {}, models.parse_records)
        return list({row.id: row for row in rows}.values())

    async def presets(self) -> Sequence[str]:
        """Return the names of the app's presets.

        https://developers.cloudflare.com/api/resources/realtime_kit/subresources/presets/methods/get
        """
        return await self._list("/presets", {}, models.parse_presets)

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

    async def _list(self, path: str, query: _Query, parse: Callable[[bytes], Page[T]]) -> list[T]:
        return await fetch_all(partial(self._page, path, query, parse), _MAX_READS)

    async def _page(
        self, path: str, query: _Query, parse: Callable[[bytes], Page[T]], page_no: int
    ) -> Page[T]:
        given = {name: value for name, value in query.items() if value}
        pages = {"page_no": page_no, "per_page": PER_PAGE}
        encoded = urlencode({**pages, **given}, errors="replace")
        return parse(await self._request("GET", f"{path}?{encoded}"))

    async def _request(self, method: str, path: str, content: bytes | None = None) -> bytes:
        """Return the body of the reply. Retry once if that is safe and ends in time."""
        request = self._http.build_request(
            method, self._path + path, content=content, headers=self._headers
        )
        until = asyncio.get_running_loop().time() + self._deadline
        try:
            return await self._attempt(request, until)
        except (RateLimited, NotSent) as error:
            delay = retry_delay(error)
            if delay is None or not self._leaves_time(until, delay):
                raise
        await self._sleep(delay)
        return await self._attempt(request, until)

    async def _attempt(self, request: httpx.Request, until: float) -> bytes:
        is_read = request.method == "GET"
        slot = self._reads if is_read else nullcontext()
        request.extensions["trace"] = progress = _Progress()
        try:
            async with asyncio.timeout_at(until), slot, self._requests:
                if not self._leaves_time(until):
                    raise NotSent("not sent: its turn came too late")
                self._rate_limit.check(read=is_read)
                # A transport that reports no progress may have sent the request.
                progress.unsent = False
                response = await self._http.send(request)
        except TimeoutError as error:
            if progress.unsent:
                raise NotSent(f"not sent within {self._deadline:g} s") from error
            raise OutcomeUnknown(f"no answer within {self._deadline:g} s") from error
        except (httpx.HTTPError, ssl.SSLError) as error:
            # httpx does not wrap the SSLError of a damaged TLS record.
            raise error_for_exception(error) from error
        self._rate_limit.update(response)
        if not response.is_success:
            raise error_for_reply(response)
        return response.content

    def _leaves_time(self, until: float, delay: float = 0) -> bool:
        # A request that is sent just before the deadline could only end as OutcomeUnknown.
        latest = until - self._deadline * _REPLY_SHARE
        return asyncio.get_running_loop().time() + delay < latest


@dataclass(slots=True)
class _Progress:
    """Whether a request is still unsent. httpcore calls this before and after each of its steps.

    https://www.python-httpx.org/advanced/extensions/
    """

    unsent: bool = True

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        # After the connection steps, a part of the request may have been sent.
        self.unsent = event.startswith("connection.")


def _segment(text: str) -> str:
    """Return an id as one segment of a path.

    Raises Rejected for an id that would lead to another path: encoding does not change dots.
    """
    if text in {"", ".", ".."}:
        raise Rejected(f"{text!r} is no id")
    return quote(text, safe="", errors="replace")


def _without_repeats(rows: Sequence[Peer]) -> Sequence[Peer]:
    """Return one row for each peer. If a row of the peer says that it left, return that row."""
    peers: dict[str | int, Peer] = {}
    for number, row in enumerate(rows):
        # Rows without an id may be different peers.
        key = row.id or number
        if row.left_at or key not in peers:
            peers[key] = row
    return list(peers.values())
