"""The demo, started from its command line."""

import pytest

from tests.journeys.steps import process
from tests.sandbox.__main__ import main

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"http": False, "stay": True}),
        (["--tour"], {"http": False, "stay": False}),
        (["--http"], {"http": True, "stay": True}),
        (["--http", "--tour"], {"http": True, "stay": False}),
    ],
)
def test_the_demo_stays_up_unless_only_the_tour_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: dict[str, bool]
) -> None:
    asked: list[dict[str, bool]] = []

    async def demo(**how: bool) -> int:
        asked.append(how)
        return 0

    monkeypatch.setattr("tests.sandbox.__main__.demo", demo)
    assert main(arguments) == 0
    assert asked == [expected]


@pytest.mark.parametrize("transport", [(), ("--http",)], ids=["socket", "http"])
async def test_the_tour_ends_without_an_error(transport: tuple[str, ...]) -> None:
    async with process({}, "--tour", *transport, module="tests.sandbox") as playing:
        assert await playing.ended() == 0, playing.text
    assert "Olu is out too, by one call" in playing.said[-1]
