"""The command line: `kickbot run`, `check` and `log`."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from bot.config import SettingsError, read_settings
from bot.policy_file import PolicyError, read_policy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 well, 1 failed, 2 settings or policy wrong."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except (SettingsError, PolicyError) as error:
        print(error, file=sys.stderr)
        return 2


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
    # Each command imports what it needs, so that `log` does not load Slack's libraries.
    from bot.run import run  # noqa: PLC0415 - see above
    from bot.transports import StartupError  # noqa: PLC0415 - see above

    settings = read_settings()
    policy = read_policy(settings.policy_file)
    _log_to_stderr(logging.getLevelNamesMapping()[settings.log_level])
    try:
        return asyncio.run(run(settings, policy))
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1


def _log_to_stderr(level: int) -> None:
    # DEBUG is for our own lines: at that level libraries write down whole payloads, with the
    # response_urls in them, which are secret, and the values that go into the database.
    logging.basicConfig(
        level=max(logging.INFO, level), format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("bot").setLevel(level)
    # One line per call, with the account's id in it: not for every log.
    logging.getLogger("httpx").setLevel(max(logging.WARNING, level))


def _check(_: argparse.Namespace) -> int:
    from bot.check import check  # noqa: PLC0415 - as above

    async def look() -> int:
        wrong = False
        async for finding in check(read_settings):
            print(finding, flush=True)
            wrong = wrong or finding.wrong
        return int(wrong)

    return asyncio.run(look())


def _log(given: argparse.Namespace) -> int:
    from bot.log import show  # noqa: PLC0415 - as above

    return asyncio.run(show(read_settings(), given.number))


if __name__ == "__main__":
    sys.exit(main())
