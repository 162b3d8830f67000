"""Not part of the bot: stand-ins for Slack and RealtimeKit, to try it in and to test it against."""
