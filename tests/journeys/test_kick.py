"""The main job: somebody types the command, reviews, kicks, and the channel hears of it."""

from bot.app import Bot
from tests.journeys.steps import result, to_review
from tests.sandbox.place import Place


async def test_two_taps_from_the_command_to_the_kick(place: Place, bot: Bot) -> None:
    maya = place.slack.person("U0MAYA")
    await to_review(maya)
    assert "Mallory" in str(maya.modal)
    await maya.submit()
    assert "Mallory — ✓ kicked" in maya.read(await result(maya))
    assert [effect.participant.name for effect in place.cast.world.kicks] == ["Mallory"]
    assert [call.op for call in place.realtimekit.calls].count("kick") == 1
    await maya.until(lambda sees: "✓ kicked" in str(sees.modal))
