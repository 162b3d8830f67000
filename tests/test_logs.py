"""The log: text from outside forges no line, fills no disk and carries no secret."""

import io
import logging
import time
from collections.abc import Iterator

import pytest

from bot.logs import MAX_LINE, MAX_SAME, MAX_TRACEBACK, FloodFilter, LineFormatter

FORGED = "\n2026-01-01 00:00:00,000 INFO kick 1: done\r\x1b[2J\u202e\u2028\x85\0"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Return what is logged, by whatever logger."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    handler.addFilter(FloodFilter())
    logger = logging.getLogger("test")
    logger.propagate, logger.level = False, logging.DEBUG
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


log = logging.getLogger("test")


def test_a_message_is_one_line_without_control_characters(written: io.StringIO) -> None:
    log.info("from outside: %s", FORGED)
    line = written.getvalue().removesuffix("\n")
    assert line == (
        "INFO from outside: \\n2026-01-01 00:00:00,000 INFO kick 1: done"
        "\\r\\x1b[2J\\u202e\\u2028\\x85\\x00"
    )


def log_error(text: str) -> None:
    error = ValueError(text)
    log.error("a task failed", exc_info=error)


def test_a_traceback_cannot_look_like_a_line(written: io.StringIO) -> None:
    log_error(FORGED)
    first, *rest = written.getvalue().splitlines()
    assert first == "ERROR a task failed"
    assert all(line.startswith("    ") for line in rest)
    assert all(char.isprintable() for line in rest for char in line)


def test_long_lines_and_tracebacks_are_cut(written: io.StringIO) -> None:
    log.info("y" * 100_000)
    log_error("x" * 100_000 + "\n" * 100_000)
    lines = written.getvalue().splitlines()
    assert len(lines) <= MAX_TRACEBACK + 3
    assert all(len(line) <= MAX_LINE + 10 for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "https://hooks.slack.com/commands/T0/hush",
        "{'response_url': 'https://hooks.slack.com/commands/T0/hush', 'x': 1}",
        'payload={"response_url":"https:\\/\\/hooks.slack.com\\/actions\\/hush"}',
        "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2Fhush&x=1",
        "wss://wss-primary.slack.com/link/?ticket=hush&app_id=1",
        "postgresql://me:hush@host/d",
        "HTTPS://hooks.slack.com/hush",
        "Authorization: Bearer xoxb-12-hush",
        "token=xapp-1-A0-hush",
        "x" * (MAX_LINE - 40) + "https://hooks.slack.com/commands/T0/hush" * 9,
    ],
)
def test_urls_and_tokens_are_masked(written: io.StringIO, text: str) -> None:
    log.warning("%s", text)
    log_error(text)
    assert "hush" not in written.getvalue()


def test_what_is_not_secret_stays(written: io.StringIO) -> None:
    log.info("kick 7: Żółw 🐢 (100 %% sure)")
    assert written.getvalue() == "INFO kick 7: Żółw 🐢 (100 %% sure)\n"


def test_a_flood_from_one_place_is_counted_and_other_places_still_write(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for number in (*range(1000), None):
        if number is None:
            now += 61
            log.info("elsewhere")
        log_from_one_place(number)
    lines = written.getvalue().splitlines()
    assert lines == [
        *(f"INFO {number}" for number in range(MAX_SAME)),
        "INFO elsewhere",
        f"INFO None (lines like this one left out: {1000 - MAX_SAME})",
    ]


def log_from_one_place(number: int | None) -> None:
    log.info("%s", number)
