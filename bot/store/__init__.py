"""The store of kicks, events, outbox messages and drafts, on SQLite or PostgreSQL."""

from bot.store.database import url
from bot.store.sql import SqlStore

__all__ = ["SqlStore", "url"]
