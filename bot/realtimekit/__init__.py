"""The tiny typed client of Cloudflare RealtimeKit's REST API.

What is sent stands in `calls`, how replies are read in `replies`, what failures mean in
`failures`, the rate limit in `budget`: none of them does I/O. `client` does, in one method;
`rooms` lets all who ask for the same thing share one read.
"""

from bot.realtimekit.client import RealtimeKit
from bot.realtimekit.connection import App, http_client
from bot.realtimekit.gateway import CachedGateway
from bot.realtimekit.rate_limit import RateLimit

__all__ = ["App", "CachedGateway", "RateLimit", "RealtimeKit", "http_client"]
