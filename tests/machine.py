"""Tolerance for a slow test machine, which may stop for seconds."""

from typing import Final

ACKS_WITHIN: Final = 8.0
"""The seconds for an ack, and the lifetime of a trigger id. Slack allows three.

tests/journeys/test_lean.py checks that no ack waits for a remote call. It does not measure time.
"""
