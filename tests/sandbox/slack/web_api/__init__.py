"""Slack's Web API, which the bot calls."""
