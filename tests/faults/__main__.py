"""`python -m tests.faults`: every fault run, and one table of what was found."""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce
from importlib import import_module
from operator import add
from pathlib import Path

from tests.faults.ledger import Tally
from tests.sandbox.sandbox import ROOT

MACHINE = "tests/test_kick_service_machine.py"
LOAD = "tests/test_load.py"
DECISIONS = 500
COLUMNS = ("cases", "lost", "doubled", "misreported", "duplicates")
EXAMPLES = 1000
SHOWN = 40
# Each lane does its runs in turn, beside the other lane. One lane mostly waits, one computes.
LANES = (("crash", "storm", "lost_replies"), ("races", "machine", "outages", "clocks", "load"))
RUNS = [name for lane in LANES for name in lane]


async def _run(name: str, seed: int) -> list[Tally]:
    """Do one run. Its module is imported only now."""
    if name == "machine":
        return await _machine(seed)
    if name == "load":
        return await _load()
    run = import_module(f"tests.faults.{name}").run
    return list(await run(seed))


async def _machine(seed: int) -> list[Tally]:
    """Let hypothesis interleave users, processes and time."""
    options = [f"--hypothesis-seed={seed}", "--hypothesis-show-statistics"]
    said, failed = await _pytest(MACHINE, *options, KICKBOT_EXAMPLES=EXAMPLES)
    tally = Tally("state machine", cases=sum(map(int, re.findall(r"(\d+) passing,", said))))
    if failed:
        tally.find("misreported", said[-3000:])
    return [tally]


async def _load() -> list[Tally]:
    """Let 500 requests be decided at once, on each database."""
    said, failed = await _pytest(LOAD, KICKBOT_DECISIONS=DECISIONS)
    passed = sum(map(int, re.findall(r"(\d+) passed", said)))
    tally = Tally("decided at once", cases=passed * DECISIONS)
    if failed:
        tally.find("lost", said[-3000:])
    return [tally]


async def _pytest(file: str, *options: str, **environment: int) -> tuple[str, bool]:
    """Run the tests of a file. Return what pytest printed, and whether it failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file]
    process = await asyncio.create_subprocess_exec(
        *command,
        *options,
        "--timeout=0",
        cwd=ROOT,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        stdout=subprocess.PIPE,
    )
    said = (await process.communicate())[0].decode()
    return said, process.returncode != 0


def main() -> int:
    """Do the chosen runs. Return 1 if anything was lost, doubled or misreported, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", choices=RUNS, help="this run alone")
    parser.add_argument("--seed", type=int, default=1, help="repeats what is left to chance")
    parser.add_argument("--into", type=Path, help="write the tallies into this file, too")
    given = parser.parse_args()
    began = time.monotonic()
    names = [given.only] if given.only else RUNS
    work = _run(given.only, given.seed) if given.only else _all(given.seed)
    tallies = asyncio.run(work)
    if given.into:
        given.into.write_text(json.dumps([asdict(one) for one in tallies]))
    else:
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        took = f"{', '.join(names)}: seed {given.seed}, {minutes} min {seconds} s."
        found = [one for tally in tallies for one in tally.findings[:SHOWN]]
        _say("\n".join([*_table(tallies), "", took, "", *found]))
    return 0 if all(tally.is_clean for tally in tallies) else 1


async def _all(seed: int) -> list[Tally]:
    with tempfile.TemporaryDirectory(prefix="kickbot-faults-") as folder:
        lanes = await asyncio.gather(*(_one_by_one(lane, seed, Path(folder)) for lane in LANES))
    return [tally for lane in lanes for tally in lane]


async def _one_by_one(lane: Sequence[str], seed: int, folder: Path) -> list[Tally]:
    return [tally for name in lane for tally in await _apart(name, seed, folder)]


async def _apart(name: str, seed: int, folder: Path) -> list[Tally]:
    """Do one run in a process of its own, so that it cannot disturb the others."""
    began, into = time.monotonic(), folder / name
    command = [sys.executable, "-m", "tests.faults", "--only", name, "--seed", str(seed)]
    process = await asyncio.create_subprocess_exec(*command, "--into", str(into), cwd=ROOT)
    code = await process.wait()
    _say(f"{name}: {time.monotonic() - began:.0f} s")
    if into.exists():
        return [Tally(**one) for one in json.loads(into.read_text())]
    failed = Tally(name)
    failed.find("lost", f"the run of {name} broke off with exit code {code}")
    return [failed]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _table(tallies: Sequence[Tally]) -> list[str]:
    total = reduce(add, tallies, Tally("**total**"))
    rows = [[one.name, *(str(getattr(one, column)) for column in COLUMNS)] for one in tallies]
    rows.append([total.name, *(f"**{getattr(total, column)}**" for column in COLUMNS)])
    head = ["run", *COLUMNS]
    rule = ["---", *("--:" for _ in COLUMNS)]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


if __name__ == "__main__":
    sys.exit(main())
