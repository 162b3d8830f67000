"""The state of one Slack workspace: people, channels, messages, modals, and what they hold."""
