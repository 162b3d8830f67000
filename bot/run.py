"""The bot as a process. It runs until a signal stops it, or until Slack can't be reached."""

import asyncio
import gc
import logging
import signal

from bot.app import Bot, running
from bot.config import Settings
from bot.core.policy import Policy
from bot.health import NOT_CONNECTED
from bot.policy_file import warnings

logger = logging.getLogger(__name__)

SOCKET_CHECK_INTERVAL = 10.0  # seconds
# In a row, an hour of them. The socket is renewed by itself, however long Slack is away. If that
# does not help, a new process may.
MAX_FAILED_CHECKS = 360


async def run(settings: Settings, policy: Policy) -> int:
    """Run the bot until SIGTERM or Ctrl-C. Returns the exit code. Raises StartupError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for warning in settings.warnings:
        logger.warning("%s", warning)
    for warning in warnings(policy):
        logger.warning("policy: %s", warning)
    async with running(settings, policy) as bot:
        transport = "Socket Mode" if settings.slack_app_token else "HTTP at /slack/events"
        logger.info("kickbot is up: %s, port %s", transport, bot.port)
        # What the imports made is never garbage: to go through it would stop the bot for 50 ms.
        gc.freeze()
        gc.enable()
        code = await _watch(bot, stop)
        logger.info("stopping: no more work is taken, calls that were sent are waited for")
    return code


async def _watch(bot: Bot, stop: asyncio.Event) -> int:
    failed = 0
    while failed < MAX_FAILED_CHECKS:
        try:
            async with asyncio.timeout(SOCKET_CHECK_INTERVAL):
                await stop.wait()
        except TimeoutError:
            failed = failed + 1 if await bot.health() == NOT_CONNECTED else 0
        else:
            return 0
    seconds = MAX_FAILED_CHECKS * SOCKET_CHECK_INTERVAL
    logger.critical("%s for %.0f s: giving up", NOT_CONNECTED, seconds)
    return 1
