"""The modals that users have open: opened, updated, and kept true to the kick that they show.

All of it is in memory only: after a restart, the messages still tell everybody the outcome.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import KickId
from bot.core.ports import Clock, DirectoryUnavailable, GatewayError, StoreUnavailable
from bot.slack.api import ResponseUrls, SlackCallError, post_json
from bot.slack.payloads import Interaction, View
from bot.slack.views import blocks
from bot.slack.views.blocks import Modal
from bot.slack.views.failures import PortError, action_failed

logger = logging.getLogger(__name__)

PORT_ERRORS = (GatewayError, DirectoryUnavailable, StoreUnavailable)
MAX_FOLLOWED = 1000
# A modal from an ack appears only when Slack has read that ack.
APPEARS_WITHIN = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between attempts
LOST = "lost"
NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class ModalRef:
    """One modal in front of one user.

    It is addressed by `external_id`, which the bot chose, or else by `view_id`. `root_view_id` is
    the modal at the bottom of the stack. `response_id` names the response URL that can reach the
    user elsewhere.
    """

    view_id: str = ""
    external_id: str = ""
    root_view_id: str | None = None
    response_id: str = ""

    @classmethod
    def of(cls, view: View, *, external_id: str = "") -> "ModalRef":
        """Return the reference to a view that came back from Slack."""
        metadata = view.metadata
        response_id = metadata.response_id if metadata else ""
        return cls(view.id, external_id, view.root_view_id, response_id)

    @property
    def parent(self) -> str | None:
        """The id of the modal under this one, if there is one."""
        return self.root_view_id if self.root_view_id != self.view_id else None


@dataclass(frozen=True, slots=True)
class Modals:
    """Opens and updates modals. Never raises for a failed call: it tells the user elsewhere."""

    client: AsyncWebClient
    responses: ResponseUrls
    clock: Clock

    async def open(self, trigger_id: str, view: Modal, response_id: str = "") -> ModalRef | None:
        """Open a modal. Returns None if Slack did not open it."""
        return await self._add("views.open", trigger_id, view, response_id)

    async def push(self, trigger_id: str, view: Modal, response_id: str = "") -> ModalRef | None:
        """Open a modal on top of the one whose button was pressed. Returns as `open` does."""
        return await self._add("views.push", trigger_id, view, response_id)

    async def show(self, ref: ModalRef, view: Modal, otherwise: str = "") -> bool:
        """Update a modal and the one under it. Returns whether it was updated.

        If Slack refuses the update, the user gets an ephemeral message, ending in `otherwise`.
        """
        if ref.parent:
            await self.update(ref.parent, view)
        if not ref.external_id:
            return await self.update(ref.view_id, view)
        failure = await self._update_by_external_id(ref.external_id, view)
        if otherwise and failure not in {None, NOT_FOUND}:
            text = f"Slack did not show what should come next ({failure}). {otherwise}"
            await self.send_ephemeral(ref.response_id, text)
        return failure is None

    @asynccontextmanager
    async def errors_shown(
        self, ref: ModalRef, describe: Callable[[PortError], str] = action_failed
    ) -> AsyncIterator[None]:
        """Show in the modal what the ports raise within this context."""
        try:
            yield
        except PORT_ERRORS as error:
            await self.show(ref, blocks.text_modal("Kick", describe(error)))

    async def update(self, view_id: str, view: Modal) -> bool:
        """Update a modal by its id. Returns False if it is not open any more."""
        return await self._update(view_id=view_id, view=view) is None

    async def update_if_unchanged(self, seen: View, view: Modal) -> bool:
        """Update a modal, unless it changed since Slack sent it."""
        return await self._update(view_id=seen.id, hash=seen.hash, view=view) is None

    async def reply(self, sent: Interaction, text: str) -> None:
        """Tell something to the user who pressed a button, in a message or in a modal."""
        if sent.response_url:
            response_id = self.responses.register(sent.user.id, sent.response_url)
            await self.send_ephemeral(response_id, text)
        elif sent.view:
            await self.update(sent.view.id, blocks.text_modal("Kick", text))

    async def send_ephemeral(self, response_id: str, text: str) -> None:
        """Tell something to the user of a response URL only."""
        await self.responses.send_ephemeral(response_id, blocks.text_message(text))

    async def _add(
        self, method: str, trigger_id: str, view: Modal, response_id: str
    ) -> ModalRef | None:
        ref = ModalRef(external_id=uuid4().hex, response_id=response_id)
        named = {**view, "external_id": ref.external_id}
        try:
            await post_json(self.client, method, trigger_id=trigger_id, view=named)
        except SlackCallError as error:
            logger.warning("a modal was not opened: %s", error)
            # It may be open all the same. An update will tell.
            maybe_open = error.maybe_applied or error.code == "exchanged_trigger_id"
            return ref if maybe_open and await self.show(ref, view) else None
        return ref

    async def _update_by_external_id(self, external_id: str, view: Modal) -> str | None:
        named = {**view, "external_id": external_id}
        for pause in APPEARS_WITHIN:
            failure = await self._update(external_id=external_id, view=named)
            # Slack also says "not found" of a modal that the user has closed.
            if failure != NOT_FOUND:
                return failure
            await self.clock.sleep(pause)
        return NOT_FOUND

    async def _update(self, **arguments: Any) -> str | None:
        """Update a view. Returns what failed, if it did."""
        code = await self._try_update(arguments)
        # The same update twice gives the same view.
        return await self._try_update(arguments) if code == LOST else code

    async def _try_update(self, arguments: dict[str, Any]) -> str | None:
        try:
            await post_json(self.client, "views.update", **arguments)
        except SlackCallError as error:
            logger.info("a modal was not updated: %s", error)
            return LOST if error.maybe_applied else error.code
        return None


@dataclass(slots=True)
class _Followers:
    """The open modals that show one kick."""

    shows_end: bool = False
    requester: ModalRef | None = None
    approvers: list[ModalRef] = field(default_factory=list)
    # Updates must reach Slack in the order in which the kick changed.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class KickModals:
    """Which modals show which kick, so that they can be updated when it changes."""

    modals: Modals
    _followers: OrderedDict[KickId, _Followers] = field(init=False, default_factory=OrderedDict)

    def follow_as_requester(self, kick: KickId, ref: ModalRef) -> None:
        """Remember the modal in which the requester waits. Only the first one counts."""
        followers = self._followers_of(kick)
        followers.requester = followers.requester or ref

    def follow_as_approver(self, kick: KickId, ref: ModalRef) -> None:
        """Remember a modal in which somebody who decided waits for the outcome."""
        followers = self._followers_of(kick)
        followers.shows_end = False
        if ref not in followers.approvers:
            followers.approvers.append(ref)

    def _followers_of(self, kick: KickId) -> _Followers:
        followers = self._followers.setdefault(kick, _Followers())
        while len(self._followers) > MAX_FOLLOWED:
            self._followers.popitem(last=False)
        return followers

    def followed(self) -> tuple[KickId, ...]:
        """List the kicks whose end is not shown yet in a modal that is open."""
        return tuple(kick for kick, found in self._followers.items() if not found.shows_end)

    def response_id(self, kick: KickId) -> str:
        """Return the response id of the requester's modal; empty if there is none."""
        followers = self._followers.get(kick)
        return followers.requester.response_id if followers and followers.requester else ""

    async def show(self, kick: KickId, view: Modal, *, has_ended: bool) -> None:
        """Update the modals of the requester and of those who decided."""
        followers = self._followers.get(kick)
        if followers is None:
            return
        if has_ended:
            # Set before the update: a second caller could start now and finish with older news.
            followers.shows_end = True
        async with followers.lock:
            await asyncio.gather(*(self.modals.show(one, view) for one in followers.approvers))
            if followers.requester:
                await self.modals.show(followers.requester, view)

    async def show_requester(self, kick: KickId, view: Modal) -> bool:
        """Update the requester's modal. Returns whether it was updated."""
        followers = self._followers.get(kick)
        if followers is None or followers.requester is None:
            return False
        async with followers.lock:
            return await self.modals.show(followers.requester, view)

    async def replace_parent(self, kick: KickId, view: Modal) -> None:
        """Replace the form under a submitted review: its submit would ask for the kick again."""
        followers = self._followers.get(kick)
        if followers and followers.requester and followers.requester.parent:
            async with followers.lock:
                await self.modals.update(followers.requester.parent, view)
