"""Control of the stand-in over HTTP, under /sandbox/: the world, the calls, the faults."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from tests.sandbox.faults import Faults
from tests.sandbox.queries import newest, number
from tests.sandbox.realtimekit.people import KickEffect, Meeting, Participant, Peer, Session
from tests.sandbox.realtimekit.rows import iso
from tests.sandbox.realtimekit.world import World

DAY = 86_400  # seconds


class Control:
    """The endpoints; `calls` shows what was asked of the stand-in."""

    def __init__(
        self, world: World, faults: Faults, calls: Callable[[int | None], dict[str, Any]]
    ) -> None:
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
            web.post("/sandbox/participants/{id}/comes-back", self._come_back),
        ]

    async def _list_calls(self, request: web.Request) -> web.Response:
        """List the calls; with `?last=<n>`, the newest n."""
        return web.json_response(self._calls(number(request, "last")))

    async def _list_meetings(self, request: web.Request) -> web.Response:
        """List the meetings and who is in them; with `?people=<n>`, the newest n in each."""
        people = number(request, "people")
        meetings = [self._show_meeting(meeting, people) for meeting in self._world.meetings]
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

    async def _come_back(self, request: web.Request) -> web.Response:
        """Let somebody rejoin `after` (5) seconds after each of the next `times` (1) kicks."""
        participant = self._world.participant(request.match_info["id"])
        if participant is None:
            raise web.HTTPNotFound(text="no such participant")
        given = await _object(request)
        seconds, times = given.get("after", 5), given.get("times", 1)
        if type(seconds) not in {int, float} or type(times) is not int or not 0 <= seconds <= DAY:
            raise web.HTTPBadRequest(text="after must be seconds of a day, times a whole number")
        self._world.comes_back(participant, after=seconds, times=times)
        return web.json_response({"times": times})

    def _who(self, meeting: Meeting, wanted: dict[str, str]) -> Participant:
        if "participant_id" not in wanted:
            preset = wanted.get("preset", "group_call_participant")
            name, custom_id = wanted.get("name"), wanted.get("custom_id")
            return self._world.add_participant(meeting, name, preset, custom_id)
        participant = self._world.participant(wanted["participant_id"])
        if participant is None or participant.meeting is not meeting:
            raise web.HTTPNotFound(text="no such participant in this meeting")
        return participant

    def _show_meeting(self, meeting: Meeting, people: int | None) -> dict[str, Any]:
        session = self._world.live_session(meeting)
        present = list(session.present.values()) if session else []
        shown = [present[at] for at in newest(len(present), people)]
        return {
            "id": meeting.id,
            "title": meeting.title,
            "records": len(self._world.records(meeting)),
            "session": {"id": session.id, "started_at": iso(session.started_at)}
            if session
            else None,
            "live": len(present),
            "people": [_show_person(peers) for peers in shown],
            "removed": self._show_removed(session) if session else [],
        }

    def _show_removed(self, session: Session) -> list[dict[str, Any]]:
        """Show whoever was kicked out of a session and has not been back since."""
        kicked = {
            kick.participant: kick.at for kick in self._world.kicks if kick.session is session
        }
        joined = {peer.participant: peer.joined_at for peer in session.peers}
        return [
            {"participant_id": one.id, "custom_id": one.custom_id, "name": one.name}
            for one, at in kicked.items()
            if joined[one] <= at and one.id not in session.present
        ]


def _show_person(peers: Sequence[Peer]) -> dict[str, Any]:
    participant = peers[0].participant
    return {
        "participant_id": participant.id,
        "custom_id": participant.custom_id,
        "name": participant.name,
        "preset": participant.preset,
        "comes_back": participant.comebacks_left > 0,
        "peers": [{"id": peer.id, "joined_at": iso(peer.joined_at)} for peer in peers],
    }


def _show_kick(kick: KickEffect) -> dict[str, Any]:
    return {
        "at": iso(kick.at),
        "meeting_id": kick.session.meeting.id,
        "session_id": kick.session.id,
        "participant_id": kick.participant.id,
        "name": kick.participant.name,
        "peer_ids": [peer.id for peer in kick.peers],
    }


async def _texts(request: web.Request) -> dict[str, str]:
    """Read a JSON object of texts."""
    body = await _object(request)
    if not all(isinstance(value, str) for value in body.values()):
        raise web.HTTPBadRequest(text="not an object of texts")
    return body


async def _object(request: web.Request) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        body = await request.json()
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="not an object of texts")
    return body
