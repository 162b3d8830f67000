"""The parts of a payload: the kick of a button and its message; None if they are malformed."""

from typing import Any

import pytest

from bot.slack.payloads import Interaction

KICK = "0123456789abcdef" * 2


def pressed(**changes: Any) -> dict[str, Any]:
    return {
        "user": {"id": "U0MAYA", "team_id": "T0KICK"},
        "channel": {"id": "C0MODS"},
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0MODS"},
        "actions": [{"action_id": "review_request", "value": KICK}],
    } | changes


def test_a_button_says_its_kick_and_where_it_stands() -> None:
    sent = Interaction.model_validate(pressed())
    assert sent.kick == KICK
    assert sent.place == ("C0MODS", "1.2")


@pytest.mark.parametrize(
    "value", [None, "", "12", KICK.upper(), KICK + "0", f"{KICK}\n", "\x00" * 32, "x" * 2000]
)
def test_a_value_that_is_no_kick_s_id_is_none(value: str | None) -> None:
    assert (
        Interaction.model_validate(pressed(actions=[{"action_id": "deny", "value": value}])).kick
        is None
    )


def test_a_button_in_a_view_stands_in_no_message() -> None:
    in_view = pressed(container={"type": "view", "view_id": "V0"}, actions=[])
    assert Interaction.model_validate(in_view).place is None
    assert Interaction.model_validate(in_view).kick is None
    assert Interaction.model_validate(pressed(channel=None)).place is None


def test_a_user_belongs_to_their_own_workspace_or_to_the_one_in_which_they_act() -> None:
    assert Interaction.model_validate(pressed(team=None)).home == "T0KICK"
    acting = pressed(user={"id": "U0MAYA"}, team={"id": "T0OTHER"})
    assert Interaction.model_validate(acting).home == "T0OTHER"
    assert Interaction.model_validate(pressed(user={"id": "U0MAYA"}, team=None)).home is None
