"""A strict stand-in for Cloudflare RealtimeKit's REST API, on loopback and with faults."""

from tests.sandbox.realtimekit.call_log import Call
from tests.sandbox.realtimekit.demo_data import (
    HOSTILE_NAME,
    DemoData,
    lone_meeting,
    open_meeting,
    weekly_ama,
)
from tests.sandbox.realtimekit.edge import RateLimit
from tests.sandbox.realtimekit.faults import REALTIMEKIT_FAULTS
from tests.sandbox.realtimekit.models import KickEffect, Meeting, Participant, Session
from tests.sandbox.realtimekit.stand_in import RealtimeKitStandIn
from tests.sandbox.realtimekit.world import World

__all__ = [
    "HOSTILE_NAME",
    "REALTIMEKIT_FAULTS",
    "Call",
    "DemoData",
    "KickEffect",
    "Meeting",
    "Participant",
    "RateLimit",
    "RealtimeKitStandIn",
    "Session",
    "World",
    "lone_meeting",
    "open_meeting",
    "weekly_ama",
]
