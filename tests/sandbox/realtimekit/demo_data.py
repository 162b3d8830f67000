"""The demo's meetings: one is live, with a troll in it and with names that make kicking hard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tests.sandbox.realtimekit.models import Meeting, Participant
from tests.sandbox.realtimekit.world import Clock, World, utc_now

HOSTILE_NAME = "<!channel> *free*\n`coins` <https://evil.example|click> \u202egpj.exe &amp;"
"""A display name that tries to ping, link, break the line and reverse the text."""


@dataclass(frozen=True, slots=True)
class DemoData:
    """The demo's world, and the people in it who matter to tests.

    Mallory is the troll. The two Camilles have one name, `hostile` has HOSTILE_NAME and `nameless`
    has none.
    """

    world: World
    ama: Meeting
    team_sync: Meeting
    host: Participant
    mallory: Participant
    camilles: tuple[Participant, Participant]
    three_tabs: Participant
    hostile: Participant
    nameless: Participant
    crowd: tuple[Participant, ...]


def weekly_ama(clock: Clock = utc_now) -> DemoData:
    """Return the demo's world: "Weekly AMA" is live, "Team sync" has records only."""
    world = World(clock)
    ama, team_sync = world.add_meeting("Weekly AMA"), world.add_meeting("Team sync")
    host = world.add_participant(ama, "Priya Nair", "group_call_host", "staff-priya")
    crowd = tuple(world.add_participant(ama, name) for name in ("Tom", "Ana", "Jun", "Olu", "Mia"))
    camilles = (
        world.add_participant(ama, "Camille", "group_call_participant", "user-1042"),
        world.add_participant(ama, "Camille", "webinar_presenter", "staff-camille"),
    )
    three_tabs = world.add_participant(ama, "Yusuf", custom_id="user-2210")
    hostile = world.add_participant(ama, HOSTILE_NAME, custom_id="user-6666")
    nameless = world.add_participant(ama, None, custom_id="user-3001")
    mallory = world.add_participant(ama, "Mallory", custom_id="user-9001")
    everybody = [host, *crowd, *camilles, three_tabs, hostile, nameless, mallory]
    _join_one_by_one(world, everybody)
    for _ in range(2):
        world.join(three_tabs)
    for name in ("Priya Nair", "Tom"):
        world.add_participant(team_sync, name)
    return DemoData(
        world, ama, team_sync, host, mallory, camilles, three_tabs, hostile, nameless, crowd
    )


def open_meeting(world: World, title: str, names: Sequence[str]) -> Meeting:
    """Add a live meeting with these people. The first is its host."""
    meeting = world.add_meeting(title)
    presets = ["group_call_host"] + ["group_call_participant"] * len(names)
    people = [
        world.add_participant(meeting, name, preset)
        for name, preset in zip(names, presets, strict=False)
    ]
    _join_one_by_one(world, people)
    return meeting


def lone_meeting(clock: Clock = utc_now, *, title: str = "Weekly AMA", people: int = 3) -> World:
    """Return a world with a single live meeting and `people` participants."""
    world = World(clock)
    open_meeting(world, title, [f"Guest {n}" for n in range(1, people + 1)])
    return world


def _join_one_by_one(world: World, people: Sequence[Participant]) -> None:
    """Let the people join one minute apart, the last one a minute ago."""
    now = world.clock()
    for minutes, participant in zip(range(len(people), 0, -1), people, strict=True):
        world.join(participant, at=now - timedelta(minutes=minutes))
