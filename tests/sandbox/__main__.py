"""`python -m tests.sandbox`: try the bot with stand-ins for Slack and RealtimeKit."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tests.sandbox.demo import demo


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Return 0 only if all that it printed is true."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    parser.add_argument("--http", action="store_true", help="HTTP mode instead of Socket Mode")
    parser.add_argument("--tour", action="store_true", help="play the tour, then end")
    given = parser.parse_args(arguments)
    return asyncio.run(demo(http=given.http, stay=not given.tour))


if __name__ == "__main__":
    sys.exit(main())
