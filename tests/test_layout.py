"""The layout rules: short modules, short functions, few levels of imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
MAX_MODULE, MAX_FUNCTION, MAX_LEVELS = 300, 40, 4


def modules() -> Iterator[Path]:
    yield from (ROOT / "bot").rglob("*.py")
    yield from (ROOT / "tests" / "sandbox").rglob("*.py")


def test_no_module_is_long() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: count for path, count in lines.items() if count > MAX_MODULE} == {}


def test_no_function_is_long() -> None:
    long = {
        f"{path}: {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.end_lineno and node.end_lineno - node.lineno >= MAX_FUNCTION
    }
    assert long == set()


def test_the_slack_package_has_four_levels() -> None:
    graph = grimp.build_graph("bot")

    @cache
    def level(module: str) -> int:
        imported = graph.find_modules_directly_imported_by(module)
        below = (level(one) for one in imported if one.startswith("bot.slack."))
        return 1 + max(below, default=0)

    levels = {one: level(one) for one in graph.modules if one.startswith("bot.slack.")}
    assert levels["bot.slack.listeners"] == MAX_LEVELS
    assert max(levels.values()) == MAX_LEVELS
