from collections.abc import Iterable

import pytest

from bot.core import evidence
from bot.core.roster import Peer, Roster
from bot.realtimekit.service_time import ServiceTime
from tests.faults import lost_replies
from tests.faults.lost_replies import FROZEN, LATE


async def test_no_lost_reply_is_misreported() -> None:
    tallies = await lost_replies.run(seed=5, offsets=(-5, 300), cases=4)
    assert [one.findings for one in tallies] == [[], [], []]
    assert [one.cases for one in tallies] == [8, 8, 8]


@pytest.mark.parametrize("name", [LATE, FROZEN])
async def test_a_list_that_is_taken_for_newer_than_it_is_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(evidence, "_shows", lambda *_: True)
    read = Roster.__init__

    def shows_leaves(self: Roster, peers: Iterable[Peer]) -> None:
        read(self, peers)
        self.shows_leaves = True

    monkeypatch.setattr(Roster, "__init__", shows_leaves)
    assert await _misreported(name)


async def test_a_date_that_is_compared_with_the_clock_of_the_bot_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ServiceTime, "at", lambda _, moment: (moment, moment))
    assert await _misreported(LATE)


async def _misreported(name: str) -> int:
    (tally,) = await lost_replies.run(seed=2, names=[name], offsets=(300, 5), cases=6)
    return tally.misreported
