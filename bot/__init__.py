"""Kickbot: remove people from a live RealtimeKit meeting without leaving Slack."""
