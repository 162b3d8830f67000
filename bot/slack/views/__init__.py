"""What people see in Slack: pure functions that build Block Kit, and parse what comes back."""
