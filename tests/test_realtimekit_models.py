"""Replies: those that the contract allows, those that the service really gives, and nonsense."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.roster import PeerId
from bot.core.text import fits
from bot.realtimekit import Meeting, MeetingId, OutcomeUnknown, Session, SessionId, models
from tests.sandbox.realtimekit.contract import Contract

BASE = "/accounts/a/realtime/kit/b"
AMA = MeetingId("3a1d0b0c-6f0e-4c58-9a54-3d1f6c1f2e7b")
NOON = "2026-10-06T12:00:00.000Z"
AT_NOON = datetime(2026, 10, 6, 12, tzinfo=UTC)

SESSION = {
    "id": "s1",
    "associated_id": AMA,
    "meeting_display_name": "Weekly AMA",
    "status": "LIVE",
    "type": "meeting",
    "live_participants": 132,
    "max_concurrent_participants": 140,
    "minutes_consumed": 1.5,
    "organization_id": "o1",
    "started_at": NOON,
    "created_at": NOON,
    "updated_at": NOON,
}
PEER = {
    "id": "peer-1",
    "user_id": "person-1",
    "custom_participant_id": "app-1",
    "display_name": "Mallory",
    "preset_name": "group_call_participant",
    "joined_at": NOON,
}
PAGING = {"total_count": 1, "start_offset": 1, "end_offset": 1}


def reply(data: Any, **beside: Any) -> bytes:
    return json.dumps({"success": True, "data": data, **beside}).encode()


def one_peer(**changes: Any) -> bytes:
    return reply({"participants": [{**PEER, **changes}]})


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        (f"/meetings/{AMA}/active-session", "GET", reply(SESSION)),
        ("/sessions", "GET", reply({"sessions": [SESSION]}, paging=PAGING)),
        ("/sessions/s1/participants", "GET", one_peer()),
        (
            f"/meetings/{AMA}/active-session/kick",
            "POST",
            reply(
                {
                    "action": "kick",
                    "participants": [{"id": "person-1", "created_at": NOON, "updated_at": NOON}],
                }
            ),
        ),
    ],
)
def test_the_samples_here_follow_the_contract(path: str, method: str, body: bytes) -> None:
    route, _ = Contract.published().routes_at(BASE + path)[method]
    assert route.response_error(200, json.loads(body)) is None


def test_a_session() -> None:
    session = models.parse_active_session(reply(SESSION), AMA)
    assert session == Session(SessionId("s1"), Meeting(AMA, "Weekly AMA"), 132)


def test_a_session_with_only_an_id() -> None:
    session = models.parse_active_session(reply({"id": "s1"}), AMA)
    assert session == Session(SessionId("s1"), Meeting(AMA, AMA), None)


@pytest.mark.parametrize(
    ("changes", "live"),
    [
        ({"status": "ENDED"}, False),
        ({"status": "ENDED", "ended_at": NOON}, False),
        ({"ended_at": NOON}, False),
        ({"ended_at": "null"}, True),
        ({"ended_at": None}, True),
        ({"status": None}, True),
        ({"status": None, "ended_at": NOON}, False),
        ({"live_participants": "null"}, True),
        ({"live_participants": -1}, True),
    ],
)
def test_only_live_sessions_count(changes: dict[str, Any], *, live: bool) -> None:
    row = {**SESSION, **changes}
    assert (models.parse_active_session(reply(row), AMA) is not None) is live
    assert len(models.parse_sessions(reply({"sessions": [row]})).rows) == live


def test_an_active_session_without_an_id_is_refused() -> None:
    with pytest.raises(OutcomeUnknown, match="without an id"):
        models.parse_active_session(reply({**SESSION, "id": None}), AMA)


def test_the_session_of_another_meeting_is_refused() -> None:
    with pytest.raises(OutcomeUnknown, match="another meeting"):
        models.parse_active_session(reply(SESSION), MeetingId("another"))


@pytest.mark.parametrize("missing", ["id", "associated_id"])
def test_a_listed_session_that_cannot_be_kicked_from_is_left_out(missing: str) -> None:
    page = models.parse_sessions(reply({"sessions": [{**SESSION, missing: None}, SESSION]}))
    assert [session.id for session in page.rows] == ["s1"]
    assert page.size == 2


def test_a_peer() -> None:
    peer = models.parse_peers(one_peer()).rows[0]
    assert (peer.id, peer.participant_id, peer.custom_id) == ("peer-1", "person-1", "app-1")
    assert (peer.name, peer.preset) == ("Mallory", "group_call_participant")
    assert (peer.joined_at, peer.left_at) == (AT_NOON, None)


def test_what_people_and_apps_choose_is_cut_where_it_comes_in() -> None:
    long = "x" * 100_000
    (row,) = models.parse_peers(one_peer(display_name=long, preset_name=long)).rows
    assert (row.name, row.preset) == ("x" * 200, "x" * 200)
    (record,) = models.parse_records(reply([{"id": "p1", "name": long, "preset_name": long}])).rows
    assert (record.name, record.preset) == (row.name, row.preset)
    meeting = models.parse_meeting(reply({"id": "m1", "title": long}))
    assert meeting.title == "x" * 200
    session = {"id": "s1", "associated_id": "m1", "meeting_display_name": long}
    (found,) = models.parse_sessions(reply({"sessions": [session]})).rows
    assert found.meeting.title == "x" * 200


def test_a_long_custom_id_does_not_become_that_of_somebody_else() -> None:
    ids = ["staff-" + "x" * 100_000 + end for end in ("1", "2", "\ud800", "")] + ["x" * 300]
    read = [models.parse_peers(one_peer(custom_participant_id=one)).rows[0] for one in ids]
    records = [{"id": "p1", "custom_participant_id": one} for one in ids]
    short = [row.custom_id for row in read]
    assert short == [one.custom_id for one in models.parse_records(reply(records)).rows]
    assert len(set(short)) == len(ids)
    assert short[-1] == "x" * 300
    for one in short[:-1]:
        assert one
        assert len(one) == 300
        assert fits(one, "staff-*")


def test_a_peer_without_any_field() -> None:
    peer = models.parse_peers(reply({"participants": [{}]})).rows[0]
    assert (peer.id, peer.participant_id, peer.custom_id, peer.name) == (PeerId(""), None, None, "")


@pytest.mark.parametrize("left_at", [None, "", "null", '"null"', ' "" '])
def test_a_blank_left_at_means_live(left_at: Any) -> None:
    assert models.parse_peers(one_peer(left_at=left_at)).rows[0].left_at is None


@pytest.mark.parametrize("left_at", [NOON, f'{NOON}"', "2026-10-06T14:00:00+02:00", NOON[:-1]])
def test_a_date_in_left_at_means_left(left_at: str) -> None:
    assert models.parse_peers(one_peer(left_at=left_at)).rows[0].left_at == AT_NOON


@pytest.mark.parametrize("left_at", ["soon", 0, 1759752000, False, [], {}, "None", "2026-13-01"])
def test_any_other_left_at_is_a_broken_reply(left_at: Any) -> None:
    with pytest.raises(OutcomeUnknown, match="left_at"):
        models.parse_peers(one_peer(left_at=left_at))


@pytest.mark.parametrize("joined_at", ["soon", "null", "", None, 1759752000, []])
def test_an_unreadable_joined_at_is_unknown(joined_at: Any) -> None:
    assert models.parse_peers(one_peer(joined_at=joined_at)).rows[0].joined_at is None


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["", '"', " "]))
def test_any_date_in_iso_format_is_read(date: datetime, after: str) -> None:
    peer = models.parse_peers(one_peer(joined_at=date.isoformat() + after)).rows[0]
    assert peer.joined_at == date


def _as_sent(name: str) -> str:
    """Join surrogate pairs: side by side in JSON, two halves are one character."""
    return str(json.loads(json.dumps(name)))


@given(st.text(st.characters(categories=None)))
def test_any_name_is_read(name: str) -> None:
    shown = models.parse_peers(one_peer(display_name=name)).rows[0].name
    assert shown == _as_sent(name).encode(errors="replace").decode()


def test_half_a_surrogate_pair_spoils_no_other_name() -> None:
    rows = [{**PEER, "display_name": "\ud800"}, {**PEER, "display_name": "Zoë 🦊"}]
    page = models.parse_peers(reply({"participants": rows}))
    assert [peer.name for peer in page.rows] == ["?", "Zoë 🦊"]


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    body = one_peer(display_name="Zo#").replace(b"#", b"\xeb")
    assert models.parse_peers(body).rows[0].name == "Zo\ufffd"


@pytest.mark.parametrize("read", [models.parse_peers, models.parse_sessions])
@pytest.mark.parametrize(
    ("inside", "beside", "total"),
    [
        ({}, {"paging": {"total_count": 7}}, 7),
        ({"paging": {"total_count": 7}}, {}, 7),
        ({"paging": {"total_count": 7}}, {"paging": {}}, 7),
        ({"paging": None}, {"paging": "null"}, None),
        ({}, {"paging": {"total_count": "many"}}, None),
        ({}, {}, None),
    ],
)
def test_the_total_stands_in_two_places_or_nowhere(
    read: Any, inside: dict[str, Any], beside: dict[str, Any], total: int | None
) -> None:
    page = read(reply({"participants": [], "sessions": [], **inside}, **beside))
    assert page.total == total


def test_meetings() -> None:
    rows = [{"id": "m1", "title": "Team sync"}, {"id": "m2", "title": None}]
    page = models.parse_meetings(reply(rows, paging={"total_count": 2}))
    assert [(meeting.id, meeting.title) for meeting in page.rows] == [
        ("m1", "Team sync"),
        ("m2", "m2"),
    ]
    assert (page.size, page.total) == (2, 2)
    assert models.parse_meeting(reply(rows[0])).title == "Team sync"


def test_records() -> None:
    rows = [
        {"id": "p1", "name": None, "custom_participant_id": None},
        {"id": "p2", "name": "Ana", "custom_participant_id": "app-2", "preset_name": "host"},
    ]
    page = models.parse_records(reply(rows))
    assert [(one.id, one.custom_id, one.name, one.preset, one.peers) for one in page.rows] == [
        ("p1", None, "", None, ()),
        ("p2", "app-2", "Ana", "host", ()),
    ]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (reply({"action": "kick", "participants": [{"id": "p1"}, {"id": "p2"}]}), ["p1", "p2"]),
        (reply({"participants": [{}, {"id": None}]}), []),
        (reply({"participants": None}), []),
        (reply({}), []),
        (b'{"success": true}', []),
    ],
)
def test_the_ids_in_the_reply_to_a_kick(body: bytes, ids: list[str]) -> None:
    assert models.parse_kicked(body) == ids


BROKEN = [
    b"",
    b"<html><body>Checking your browser</body></html>",
    b"null",
    b"[]",
    b"7",
    b"{}",
    b'{"success": true, "da',
    b'{"data": {"participants": []}}',
    b'{"success": null, "data": {"participants": []}}',
    b'{"success": true, "data": {"participants": "nobody"}}',
    b'{"success": true, "data": []}',
    b'{"result": [{"kicked": "yes"}]}',
    b"[" * 100_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("read", [models.parse_kicked, models.parse_peers, models.parse_sessions])
@pytest.mark.parametrize("body", BROKEN)
def test_another_shape_is_a_broken_reply(read: Any, body: bytes) -> None:
    with pytest.raises(OutcomeUnknown, match="broken reply") as caught:
        read(body)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "body", [b'{"success": true}', b'{"success": true, "data": {}}', b'{"success":true,"data":[1]}']
)
@pytest.mark.parametrize("read", [models.parse_peers, models.parse_meetings, models.parse_meeting])
def test_a_read_without_its_data_is_a_broken_reply(read: Any, body: bytes) -> None:
    with pytest.raises(OutcomeUnknown, match="broken reply"):
        read(body)


def test_a_reply_that_denies_success_says_why() -> None:
    body = b'{"success": false, "error": {"code": 409, "message": "not\\nnow"}}'
    with pytest.raises(OutcomeUnknown, match=r"^a broken reply: not now$"):
        models.parse_kicked(body)


def test_names_stay_out_of_errors_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        models.parse_peers(one_peer(display_name={"first": "Mallory"}))
    assert "display_name" in caplog.text
    assert "Mallory" not in f"{caught.value} {caught.value.__cause__} {caplog.text}"
