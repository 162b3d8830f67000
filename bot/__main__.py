"""The command line: `kickbot run`, `check` and `log`."""

import argparse
import asyncio
import gc
import io
import logging
import os
import sys
from collections.abc import Sequence

from bot.config import SettingsError, read_settings
from bot.core.text import display
from bot.logs import log_to_stderr
from bot.policy_file import PolicyError, read_policy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code.

    0: success; 1: the command failed; 2: the settings or the policy are wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names may have letters that the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")
    parsed = _parser().parse_args(arguments)
    try:
        code = int(parsed.command(parsed))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output went away, such as `head`. Python would complain at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (SettingsError, PolicyError) as error:
        print(error, file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kickbot", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="run the bot, until SIGTERM")
    run.set_defaults(command=_run)
    check = commands.add_parser(
        "check", help="say what is wrong with the installation, if anything"
    )
    check.set_defaults(command=_check)
    log = commands.add_parser("log", help="show the newest kicks, or one with its events")
    log.add_argument("number", nargs="?", type=int, help="the number of a kick")
    log.set_defaults(command=_log)
    return parser


def _run(_: argparse.Namespace) -> int:
    settings = read_settings()
    policy = read_policy(settings.policy_file)
    # Until the bot is up, everything that is made stays. To look for garbage in it again and again
    # would take a sixth of the start. `run` enables it.
    gc.disable()
    # Each command imports what it needs: `log` must not load Slack's libraries.
    from bot.run import run  # noqa: PLC0415 - see above
    from bot.transports import StartupError  # noqa: PLC0415 - see above

    log_to_stderr(logging.getLevelNamesMapping()[settings.log_level])
    try:
        return asyncio.run(run(settings, policy))
    except StartupError as error:
        # It may quote what a service answered.
        print(display(str(error), 1000), file=sys.stderr)
        return 1
    finally:
        gc.enable()


def _check(_: argparse.Namespace) -> int:
    from bot.check import check  # noqa: PLC0415 - as above

    async def print_results() -> int:
        is_wrong = False
        async for result in check(read_settings):
            print(result, flush=True)
            is_wrong = is_wrong or result.mark == "WRONG"
        return int(is_wrong)

    return asyncio.run(print_results())


def _log(parsed: argparse.Namespace) -> int:
    from bot.log import show  # noqa: PLC0415 - as above

    return asyncio.run(show(read_settings(), parsed.number))


if __name__ == "__main__":
    sys.exit(main())
