"""The clock: the store's time, carried by a monotonic clock, whatever this machine's clock says."""

import ast
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot import clock
from bot.clock import Differences, StoreClock, ahead_of
from bot.core.ports import StoreUnavailable
from tests.test_layout import ROOT

START = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
HOUR = 3600.0


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Machine:
    """A store, and a machine with a wall clock, both in one true time.

    `store_ahead` and `wall_ahead` are how far their clocks are ahead. `takes` is how long a reply
    of the store takes on its way back; None: it does not answer.
    """

    def __init__(self) -> None:
        self.true = 0.0
        self.store_ahead = 0.0
        self.wall_ahead = 0.0
        self.takes: float | None = 0.0
        self.clock = StoreClock(
            self._read,
            Differences(),
            monotonic=lambda: 4516.0 + self.true,
            wall=lambda: later(self.true + self.wall_ahead),
        )

    async def _read(self) -> datetime:
        if self.takes is None:
            raise StoreUnavailable("the database does not answer")
        read = later(self.true + self.store_ahead)
        self.true += self.takes
        return read

    @property
    def error(self) -> float:
        """Return how many seconds the clock is ahead of the store's."""
        now = later(self.true + self.store_ahead)
        return (self.clock.now() - now).total_seconds()


@pytest.fixture
async def machine() -> Machine:
    made = Machine()
    await made.clock.sync()
    return made


@pytest.mark.parametrize("ahead", [-HOUR, -90, -2, 0, 2, 90, HOUR])
async def test_the_time_is_the_stores_whatever_the_wall_clock_says(ahead: float) -> None:
    machine = Machine()
    machine.wall_ahead = ahead
    assert not await machine.clock.sync()
    machine.true += 1000
    assert machine.error == 0
    assert machine.clock.now().tzinfo is UTC


@pytest.mark.parametrize("step", [-HOUR, 2, HOUR])
async def test_a_wall_clock_that_is_set_changes_nothing(machine: Machine, step: float) -> None:
    machine.true += 10
    before = machine.clock.monotonic()
    machine.wall_ahead = step
    assert machine.error == 0
    assert not await machine.clock.sync()
    assert machine.error == 0
    assert machine.clock.monotonic() == before


async def test_a_slow_reply_does_not_move_the_time(machine: Machine) -> None:
    machine.takes = 5
    assert not await machine.clock.sync()
    assert machine.error == 0


async def test_after_a_slow_start_a_fast_reply_corrects_the_time() -> None:
    machine = Machine()
    machine.takes = 4
    await machine.clock.sync()
    assert machine.error == -2
    machine.takes = 0.5
    assert not await machine.clock.sync()
    assert machine.error == -0.25
    machine.takes = 0
    assert not await machine.clock.sync()
    assert machine.error == 0


async def test_a_store_that_does_not_answer_leaves_the_time_as_it_is(machine: Machine) -> None:
    machine.takes = None
    with pytest.raises(StoreUnavailable):
        await machine.clock.sync()
    machine.true += HOUR
    assert machine.error == 0


async def test_there_is_no_time_before_the_store_has_answered() -> None:
    machine = Machine()
    machine.takes = None
    with pytest.raises(StoreUnavailable):
        await machine.clock.sync()
    with pytest.raises(RuntimeError, match="not started"):
        machine.clock.now()


@pytest.mark.parametrize(
    ("step", "is_step"), [(-HOUR, True), (HOUR, True), (-2, True), (0.5, False), (-0.9, False)]
)
async def test_a_clock_of_the_store_that_is_set_is_followed_and_reported(
    machine: Machine, step: float, caplog: pytest.LogCaptureFixture, *, is_step: bool
) -> None:
    machine.true += 60
    machine.store_ahead = machine.wall_ahead = step
    assert await machine.clock.sync() is is_step
    assert machine.error == 0
    assert not await machine.clock.sync()
    steps = [one for one in caplog.messages if "was set by" in one]
    assert steps == ([f"the clock of the database was set by {step:+.0f} s"] if is_step else [])


async def test_the_log_says_once_that_this_machines_clock_is_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    machine = Machine()
    said = list[list[str]]()
    for machine.wall_ahead in (90.0, 91.0, 90.0, -20.0, 0.0, 2.0, 0.0):
        caplog.clear()
        await machine.clock.sync()
        said.append(list(caplog.messages))
    off = "this machine's clock is {} s off the database's: set it"
    again = "this machine's clock agrees with the database's again"
    assert said == [[off.format("+90")], [], [], [off.format("-20")], [again], [], []]


def test_the_monotonic_clock_counts_the_time_in_which_the_machine_is_suspended() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= clock.monotonic() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_system_without_that_clock_has_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()


async def test_a_sleep_takes_its_time(machine: Machine) -> None:
    await machine.clock.sleep(0)


@pytest.mark.parametrize("ahead", [-HOUR, -10, 0, 10, HOUR])
@pytest.mark.parametrize("late", [0.0, 4.0])
def test_a_date_header_tells_how_far_the_machine_is_ahead(
    ahead: float, late: float, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = clock.wall_time() - timedelta(seconds=ahead + late)
    header = format_datetime(theirs.replace(microsecond=0), usegmt=True)
    Differences().report_date("Slack's", {"date": header}, asked_at=clock.monotonic() - 4)
    found = re.findall(r"clock is (\S+) s off Slack's: set it", caplog.text)
    assert [float(seconds) for seconds in found] == [pytest.approx(ahead, abs=6)] * (ahead != 0)


def test_a_slow_reply_is_no_difference() -> None:
    assert ahead_of(clock.wall_time() - timedelta(seconds=8), round_trip=9) == timedelta()


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_a_reply_without_a_usable_date_tells_nothing(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    Differences().report_date("Slack's", headers, asked_at=clock.monotonic())
    assert caplog.messages == []


def test_nothing_else_in_the_bot_reads_the_wall_clock() -> None:
    reads = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "fromtimestamp"}
    modules = {"time", "datetime", "date"}
    found = {
        f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
        for path in (ROOT / "bot").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in reads
        if isinstance(node.value, ast.Name) and node.value.id in modules
    }
    # A script that uses the client without the bot has no other clock. The bot gives it its own.
    # With the third, a library measures how long an ack took, for its log.
    assert found == {
        "bot/clock.py: datetime.now",
        "bot/realtimekit/client.py: datetime.now",
        "bot/socket_mode.py: time.time",
    }
