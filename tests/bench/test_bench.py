"""Each benchmark gives figures, at tiny sizes. How large they are is not asserted."""

import math
from pathlib import Path
from typing import Any

import pytest

from tests.bench.__main__ import BENCHMARKS, measure
from tests.bench.stage import Size
from tests.bench.table import Row, ratio, table

TINY = Size(
    rounds=1,
    requests=2,
    crowd=300,
    crowds=(10, 300),
    logs=(10, 100),
    decisions=4,
    commands=20,
    typing=0.1,
    idle=0.1,
)


@pytest.mark.parametrize("name", BENCHMARKS)
async def test_a_benchmark_gives_figures(name: str, tmp_path: Path, postgres_server: Any) -> None:
    rows = await measure([name], tmp_path, TINY, postgres_server)
    assert rows
    assert all(row.value is not None and math.isfinite(row.value) for row in rows), table(rows)


def test_a_row_says_whether_its_target_is_reached() -> None:
    rows = [
        Row("calls", 9, 8),
        Row("calls", None, 8),
        Row("kicks", 120, 120, at_least=True),
        ratio("ack", 2, [0.003, 0.002], [0.001, 0.002]),
    ]
    assert table(rows).splitlines()[2:] == [
        "| calls | ≤ 8 | 9 | **missed** |",
        "| calls | ≤ 8 | impossible | **missed** |",
        "| kicks | ≥ 120 | 120 | reached |",
        "| ack | ≤ 2 | 2 (2.5 ms / 1.5 ms) | reached |",
    ]
