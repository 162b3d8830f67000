"""Slack's client: what a user sees and does."""
