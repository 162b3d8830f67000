"""What Slack sends to the bot, over Socket Mode or HTTP, and what the bot's response does."""
