"""The people, user groups and channels of a workspace, and those of the demo."""

from collections.abc import Sequence
from dataclasses import dataclass, field

TEAM_ID = "T0KICK"
OTHER_TEAM_ID = "T0OTHER"


@dataclass(frozen=True, slots=True)
class User:
    """A Slack account. The flags are those of Slack's user object; `about` is for the page.

    `workspaces` are those of an Enterprise Grid organization of which the user is a member.
    """

    id: str
    name: str
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False
    is_bot: bool = False
    is_stranger: bool = False
    team_id: str = TEAM_ID
    about: str = ""
    workspaces: tuple[str, ...] = ()

    @property
    def handle(self) -> str:
        """The name in Slack's older `user_name` fields."""
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
    """A conversation. A direct one (`is_im`) has no name."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    bot_is_member: bool = False
    is_archived: bool = False
    is_private: bool = False
    is_im: bool = False


@dataclass(frozen=True, slots=True)
class Team:
    """What a workspace starts with. Slack's API calls a workspace a team.

    On Enterprise Grid, it has an `enterprise_id`. The app may then be installed org-wide.
    """

    users: Sequence[User]
    groups: Sequence[Group]
    channels: Sequence[Channel]
    id: str = TEAM_ID
    domain: str = "kickbot-sandbox"
    app_id: str = "A0KICK"
    bot_id: str = "B0KICK"
    enterprise_id: str | None = None
    is_org_wide: bool = False
    bot: User = field(default_factory=lambda: User("U0BOT", "kickbot", is_bot=True))


MAYA = User("U0MAYA", "Maya", about="moderator")
MO = User("U0MO", "Mo", about="moderator, by the group @mods")
MIA = User("U0MIA", "Mia", about="moderator, by the group @mods")
LEA = User("U0LEA", "Lea", about="lead")
HAL = User("U0HAL", "Hal", about="helper")
STAN = User("U0STAN", "Stan", about="member without a role")
GUS = User("U0GUS", "Gus", is_restricted=True, is_ultra_restricted=True, about="guest")
DEE = User("U0DEE", "Dee", deleted=True, about="deactivated")
XEN = User("U0XEN", "Xen", is_stranger=True, team_id=OTHER_TEAM_ID, about="from Slack Connect")

MODS = Group("S0MODS", "mods", (MO.id, MIA.id))

_USERS = (MAYA, MO, MIA, LEA, HAL, STAN, GUS, DEE, XEN)
_USER_IDS = tuple(user.id for user in _USERS)

DEMO_TEAM = Team(
    users=_USERS,
    groups=(MODS,),
    channels=(
        Channel("C0LIVE", "live-ops", _USER_IDS, bot_is_member=True),
        # Guests and strangers are members, too: they see the cards and can press the buttons.
        Channel("C0MODS", "mods", _USER_IDS, bot_is_member=True),
        Channel("C0QUIET", "quiet", (MAYA.id, MO.id, LEA.id, HAL.id, STAN.id)),
        Channel("C0PRIV", "private-ops", (MAYA.id, MO.id, LEA.id), is_private=True),
        Channel("C0OLD", "old-ops", (MAYA.id, MO.id), bot_is_member=True, is_archived=True),
        Channel("D0PAIR", "", (MAYA.id, MO.id), is_private=True, is_im=True),
    ),
)
