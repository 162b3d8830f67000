"""What is not held against the bot: a machine that stands still for seconds, or is too busy."""

from typing import Final

ACKS_WITHIN: Final = 8.0
"""Seconds for an ack, and for a trigger id to live, where Slack has three.

That no ack waits for anything remote is tested by the order of things, not by a time: in
tests/journeys/test_lean.py.
"""
