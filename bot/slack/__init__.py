"""The Slack edge: payloads become calls of the use cases, results become views and messages."""
