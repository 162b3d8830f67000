"""The main job: a user types the command, reviews and kicks. The channel gets the result."""

from bot.app import Bot
from tests.journeys.steps import result, to_review
from tests.sandbox.sandbox import Sandbox
from tests.sandbox.slack import Person


async def test_two_taps_from_the_command_to_the_kick(
    sandbox: Sandbox, maya: Person, bot: Bot
) -> None:
    await to_review(maya)
    assert "Mallory" in str(maya.modal)
    await maya.submit()
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))
    assert [effect.participant.name for effect in sandbox.demo.world.kicks] == ["Mallory"]
    assert [call.op for call in sandbox.realtimekit.calls].count("kick") == 1
    await maya.until(lambda sees: "✓ kicked" in str(sees.modal))
