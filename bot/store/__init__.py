"""Where kicks, their events, notices and drafts are kept: SQLite by default, or PostgreSQL."""

from bot.store.engine import url
from bot.store.sql import SqlStore

__all__ = ["SqlStore", "url"]
