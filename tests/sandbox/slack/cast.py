"""Who is in the workspace: people, user groups and channels, and a default cast of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

HOME = "T0KICK"
ABROAD = "T0OTHER"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a Slack account; the flags are those of Slack's user object."""

    id: str
    name: str
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False
    is_bot: bool = False
    is_stranger: bool = False
    team_id: str = HOME
    about: str = ""

    @property
    def handle(self) -> str:
        """The name in Slack's legacy `user_name` fields."""
        return self.name.lower().replace(" ", ".")


@dataclass(frozen=True, slots=True)
class Group:
    """A user group, such as @mods."""

    id: str
    handle: str
    members: tuple[str, ...] = ()
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A conversation; direct ones (`is_im`) have no name of their own."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    bot_is_member: bool = False
    is_archived: bool = False
    is_private: bool = False
    is_im: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody and everywhere a workspace begins with."""

    users: Sequence[User]
    groups: Sequence[Group]
    channels: Sequence[Channel]
    team_id: str = HOME
    team_domain: str = "kickbot-sandbox"
    app_id: str = "A0KICK"
    bot_id: str = "B0KICK"
    bot: User = field(default_factory=lambda: User("U0BOT", "kickbot", is_bot=True))


MAYA = User("U0MAYA", "Maya", about="moderator")
MO = User("U0MO", "Mo", about="moderator, by the group @mods")
MIA = User("U0MIA", "Mia", about="moderator, by the group @mods")
LEA = User("U0LEA", "Lea", about="lead")
HAL = User("U0HAL", "Hal", about="helper")
STAN = User("U0STAN", "Stan", about="member without a role")
GUS = User("U0GUS", "Gus", is_restricted=True, is_ultra_restricted=True, about="guest")
DEE = User("U0DEE", "Dee", deleted=True, about="deactivated")
XEN = User("U0XEN", "Xen", is_stranger=True, team_id=ABROAD, about="from Slack Connect")

MODS = Group("S0MODS", "mods", (MO.id, MIA.id))

_EVERYONE = tuple(user.id for user in (MAYA, MO, MIA, LEA, HAL, STAN, GUS, DEE, XEN))

DEFAULT = Cast(
    users=(MAYA, MO, MIA, LEA, HAL, STAN, GUS, DEE, XEN),
    groups=(MODS,),
    channels=(
        Channel("C0LIVE", "live-ops", _EVERYONE, bot_is_member=True),
        # The outsiders are in here, too: whoever sees a card can press its button.
        Channel("C0MODS", "mods", _EVERYONE, bot_is_member=True),
        Channel("C0QUIET", "quiet", (MAYA.id, MO.id, LEA.id, HAL.id, STAN.id)),
        Channel("C0PRIV", "private-ops", (MAYA.id, MO.id, LEA.id), is_private=True),
        Channel("C0OLD", "old-ops", (MAYA.id, MO.id), bot_is_member=True, is_archived=True),
        Channel("D0PAIR", "", (MAYA.id, MO.id), is_private=True, is_im=True),
    ),
)
