"""Parse the CA bundle once for all tests: many tests start a bot, and each would parse it."""

from functools import cache

import httpx

httpx.create_ssl_context = cache(httpx.create_ssl_context)
httpx.create_ssl_context()
