"""Certificates are read once, not for each of the bots that are started by the hundred."""

from functools import cache

import httpx

httpx.create_ssl_context = cache(httpx.create_ssl_context)
httpx.create_ssl_context()
