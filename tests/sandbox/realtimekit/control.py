"""The `/sandbox/…` endpoints that show and change the RealtimeKit world."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from tests.sandbox.control import Json, JsonBody, newest, query_int
from tests.sandbox.realtimekit.models import KickEffect, Meeting, Participant, Peer, Session
from tests.sandbox.realtimekit.rows import iso
from tests.sandbox.realtimekit.world import World

DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Control:
    """Meetings and their participants over HTTP."""

    world: World

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get("/sandbox/meetings", self._list_meetings),
            web.post("/sandbox/meetings", self._add_meeting),
            web.post("/sandbox/meetings/{id}/join", self._join),
            web.post("/sandbox/peers/{id}/leave", self._leave),
            web.post("/sandbox/participants/{id}/comes-back", self._come_back),
        ]

    async def _list_meetings(self, request: web.Request) -> web.Response:
        """List the meetings with their participants; `?people=<n>` shows only the newest n."""
        people = query_int(request, "people")
        meetings = [self._show_meeting(meeting, people) for meeting in self.world.meetings]
        kicks = [_show_kick(kick) for kick in self.world.kicks]
        return web.json_response({"meetings": meetings, "kicks": kicks})

    async def _add_meeting(self, request: web.Request) -> web.Response:
        title = (await JsonBody.read(request)).text("title")
        return web.json_response({"id": self.world.add_meeting(title).id}, status=201)

    async def _join(self, request: web.Request) -> web.Response:
        meeting = self.world.meeting(request.match_info["id"])
        if meeting is None:
            raise web.HTTPNotFound(text="no such meeting")
        participant = self._participant(meeting, await JsonBody.read(request))
        peer = self.world.join(participant)
        return web.json_response({"participant_id": participant.id, "peer_id": peer.id}, status=201)

    def _participant(self, meeting: Meeting, body: JsonBody) -> Participant:
        """Return the participant that the body names, or a new one."""
        wanted = body.optional_text("participant_id")
        if wanted is None:
            preset = body.optional_text("preset") or "group_call_participant"
            name, custom_id = body.optional_text("name"), body.optional_text("custom_id")
            return self.world.add_participant(meeting, name, preset, custom_id)
        participant = self.world.participant(wanted)
        if participant is None or participant.meeting is not meeting:
            raise web.HTTPNotFound(text="no such participant in this meeting")
        return participant

    async def _leave(self, request: web.Request) -> web.Response:
        peer = self.world.peer(request.match_info["id"])
        if peer is None:
            raise web.HTTPNotFound(text="no such peer")
        self.world.leave(peer)
        return web.json_response({"left": peer.id})

    async def _come_back(self, request: web.Request) -> web.Response:
        """Let a participant rejoin `after` (5) seconds after each of the next `times` (1) kicks."""
        participant = self.world.participant(request.match_info["id"])
        if participant is None:
            raise web.HTTPNotFound(text="no such participant")
        body = await JsonBody.read(request)
        seconds, times = body.number("after", 5), body.whole_number("times", 1)
        if not 0 <= seconds <= DAY:
            raise web.HTTPBadRequest(text=f"after must be from 0 to {DAY} seconds")
        self.world.comes_back(participant, after=seconds, times=times)
        return web.json_response({"times": times})

    def _show_meeting(self, meeting: Meeting, people: int | None) -> Json:
        session = self.world.live_session(meeting)
        present = list(session.present.values()) if session else []
        started = {"id": session.id, "started_at": iso(session.started_at)} if session else None
        return {
            "id": meeting.id,
            "title": meeting.title,
            "records": len(self.world.records(meeting)),
            "session": started,
            "live": len(present),
            "people": [_show_participant(peers) for peers in newest(present, people)],
            "removed": self._show_removed(session) if session else [],
        }

    def _show_removed(self, session: Session) -> list[Json]:
        """Show the participants who were kicked out of a session and have not come back."""
        kicks = [kick for kick in self.world.kicks if kick.session is session]
        kicked_at = {kick.participant: kick.at for kick in kicks}
        joined_at = {peer.participant: peer.joined_at for peer in session.peers}
        return [
            {"participant_id": one.id, "custom_id": one.custom_id, "name": one.name}
            for one, at in kicked_at.items()
            if joined_at[one] <= at and one.id not in session.present
        ]


def _show_participant(peers: Sequence[Peer]) -> Json:
    participant = peers[0].participant
    return {
        "participant_id": participant.id,
        "custom_id": participant.custom_id,
        "name": participant.name,
        "preset": participant.preset,
        "comes_back": participant.comebacks_left > 0,
        "peers": [{"id": peer.id, "joined_at": iso(peer.joined_at)} for peer in peers],
    }


def _show_kick(kick: KickEffect) -> Json:
    return {
        "at": iso(kick.at),
        "meeting_id": kick.session.meeting.id,
        "session_id": kick.session.id,
        "participant_id": kick.participant.id,
        "name": kick.participant.name,
        "peer_ids": [peer.id for peer in kick.peers],
    }
