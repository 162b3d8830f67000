"""The real bot, in a process whose wall clock is off, and is set while the bot runs.

`python -m tests.faults.skewed run` is `python -m bot run`, except for what the process takes for
the time: `time.time`, `datetime.now` and their like, for the bot and for every library. Monotonic
clocks stay true.

The environment variable KICKBOT_AHEAD has how many seconds the clock is ahead at the start, and
then after each SIGUSR1, as in `0,3600,-90`. The last number stays.
"""

import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import time_machine

from bot.__main__ import main as bot_main

AHEAD = "KICKBOT_AHEAD"


def main() -> int:
    """Run the bot's command line with a wrong clock."""
    now, *then = map(float, os.environ.pop(AHEAD).split(","))
    wall_clock = time_machine.travel(datetime.now(UTC) + timedelta(seconds=now)).start()
    time.time()  # it runs from the first look on
    shifts = (after - before for before, after in zip([now, *then], then, strict=False))

    def set_clock(*_: object) -> None:
        wall_clock.shift(next(shifts, 0.0))

    signal.signal(signal.SIGUSR1, set_clock)
    return bot_main()


if __name__ == "__main__":
    sys.exit(main())
