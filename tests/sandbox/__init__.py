"""Stand-ins for Slack and RealtimeKit, to try the bot with and to test it against."""
