"""Control of the stand-in over HTTP, under /sandbox/: the world, the calls, the faults."""

import json
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from bot.sandbox.faults import Faults
from bot.sandbox.realtimekit.people import KickEffect, Meeting, Participant, Session
from bot.sandbox.realtimekit.rows import iso
from bot.sandbox.realtimekit.world import World

_LOOPBACK: Final[frozenset[str | None]] = frozenset({"127.0.0.1", "localhost", "::1"})


@web.middleware
async def only_from_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse control by a web page of elsewhere whose name leads here (DNS rebinding)."""
    if request.path.startswith("/sandbox/"):
        named = [f"http://{request.host}", *request.headers.getall("Origin", ())]
        if not {_host(url) for url in named} <= _LOOPBACK:
            raise web.HTTPForbidden(text="the sandbox is controlled from its own machine only")
    return await handler(request)


class Control:
    """The endpoints; `calls` shows what was asked of the stand-in."""

    def __init__(self, world: World, faults: Faults, calls: Callable[[], dict[str, Any]]) -> None:
        self._world = world
        self._faults = faults
        self._calls = calls

    def routes(self) -> list[web.RouteDef]:
        """List the endpoints."""
        return [
            *self._faults.routes(),
            web.get("/sandbox/calls", self._list_calls),
            web.get("/sandbox/meetings", self._list_meetings),
            web.post("/sandbox/meetings", self._add_meeting),
            web.post("/sandbox/meetings/{id}/join", self._join),
            web.post("/sandbox/peers/{id}/leave", self._leave),
        ]

    async def _list_calls(self, _: web.Request) -> web.Response:
        return web.json_response(self._calls())

    async def _list_meetings(self, _: web.Request) -> web.Response:
        meetings = [self._show_meeting(meeting) for meeting in self._world.meetings]
        kicks = [_show_kick(kick) for kick in self._world.kicks]
        return web.json_response({"meetings": meetings, "kicks": kicks})

    async def _add_meeting(self, request: web.Request) -> web.Response:
        title = (await _texts(request)).get("title")
        if title is None:
            raise web.HTTPBadRequest(text="title is missing")
        return web.json_response({"id": self._world.add_meeting(title).id}, status=201)

    async def _join(self, request: web.Request) -> web.Response:
        meeting = self._world.meeting(request.match_info["id"])
        if meeting is None:
            raise web.HTTPNotFound(text="no such meeting")
        participant = self._who(meeting, await _texts(request))
        peer = self._world.join(participant)
        return web.json_response({"participant_id": participant.id, "peer_id": peer.id}, status=201)

    async def _leave(self, request: web.Request) -> web.Response:
        peer = self._world.peer(request.match_info["id"])
        if peer is None:
            raise web.HTTPNotFound(text="no such peer")
        self._world.leave(peer)
        return web.json_response({"left": peer.id})

    def _who(self, meeting: Meeting, wanted: dict[str, str]) -> Participant:
        if "participant_id" not in wanted:
            preset = wanted.get("preset", "group_call_participant")
            name, custom_id = wanted.get("name"), wanted.get("custom_id")
            return self._world.add_participant(meeting, name, preset, custom_id)
        participant = self._world.participant(wanted["participant_id"])
        if participant is None or participant.meeting is not meeting:
            raise web.HTTPNotFound(text="no such participant in this meeting")
        return participant

    def _show_meeting(self, meeting: Meeting) -> dict[str, Any]:
        session = self._world.live_session(meeting)
        return {
            "id": meeting.id,
            "title": meeting.title,
            "records": len(self._world.records(meeting)),
            "session": {"id": session.id, "started_at": iso(session.started_at)}
            if session
            else None,
            "people": _show_people(session) if session else [],
        }


def _show_people(session: Session) -> list[dict[str, Any]]:
    return [
        {
            "participant_id": peers[0].participant.id,
            "custom_id": peers[0].participant.custom_id,
            "name": peers[0].participant.name,
            "preset": peers[0].participant.preset,
            "peers": [{"id": peer.id, "joined_at": iso(peer.joined_at)} for peer in peers],
        }
        for peers in session.present.values()
    ]


def _show_kick(kick: KickEffect) -> dict[str, Any]:
    return {
        "at": iso(kick.at),
        "meeting_id": kick.session.meeting.id,
        "session_id": kick.session.id,
        "participant_id": kick.participant.id,
        "name": kick.participant.name,
        "peer_ids": [peer.id for peer in kick.peers],
    }


def _host(url: str) -> str | None:
    try:
        return URL(url).host
    except ValueError:
        return None


async def _texts(request: web.Request) -> dict[str, str]:
    """Read a JSON object of texts."""
    try:
        body = await request.json()
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        raise web.HTTPBadRequest(text="not an object of texts")
    return body
