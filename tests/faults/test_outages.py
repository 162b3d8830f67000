from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.core.event import Event, EventKind
from bot.core.ports import StoreUnavailable
from bot.slack.views import failures
from tests.faults import outages
from tests.faults.blackouts import full, limited
from tests.faults.humans import Requester
from tests.faults.worlds import listening, opened


@pytest.fixture(autouse=True)
def _listens() -> Any:
    with listening():
        yield


class TestOfTheStore:
    async def test_a_file_that_another_process_locks(self) -> None:
        tally = await outages.with_a_file(outages.before_the_submit, outages.LOCKED, {}, 3)
        assert tally.findings == []

    @pytest.mark.parametrize("stage", [outages.before_the_submit, outages.while_it_is_decided])
    async def test_a_file_that_is_full(self, stage: outages.Stage) -> None:
        with limited() as pages:
            tally = await outages.with_a_file(stage, outages.FULL, pages)
        assert tally.findings == []

    async def test_a_server_that_dies(self, restartable: Any) -> None:
        tally = await outages.with_a_server(outages.while_it_runs, restartable)
        assert tally.findings == []


class TestARun:
    async def test_of_a_full_file_has_no_room_for_one_more_event(self, tmp_path: Path) -> None:
        file = outages.file_in(tmp_path)
        with limited() as pages:
            async with opened(outages.FULL, f"sqlite:///{file}") as world:
                event = Event(world.clock.now(), EventKind.REFUSED, None, "one more")
                async with full(file, pages, world.store):
                    with pytest.raises(StoreUnavailable, match="database or disk is full"):
                        await world.store.record_event(event)
                await world.store.record_event(event)

    async def test_finds_words_that_say_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(failures, "submit_unconfirmed", lambda _: "Something went wrong.")
        monkeypatch.setattr(outages, "PATIENCE", 1.0)
        with limited() as pages:
            tally = await outages.with_a_file(outages.before_the_submit, outages.FULL, pages)
        assert tally.lost == 1
        assert "is not among what" in tally.findings[0]

    async def test_finds_a_kick_that_is_half_stored(self) -> None:
        tally = await outages.with_a_file(loses_its_events, outages.LOCKED, {})
        assert any("a kick has no event" in one for one in tally.findings)


async def loses_its_events(scene: outages.Scene) -> None:
    await Requester(scene.human("U0MAYA"), scene.wish(), lambda: None).go()
    await scene.world.settle()
    async with scene.world.store._database.writing() as database:
        await database.execute(text("DELETE FROM events"))
