"""The modals that users have open. The bot opens them, and updates them when a kick changes.

The references to them are in memory only. After a restart, the messages still show the outcome.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from slack_sdk.web.async_client import AsyncWebClient

from bot.core.kick import KickId
from bot.core.ports import Clock, DirectoryUnavailable, GatewayError, StoreUnavailable
from bot.slack.api import APP_REMOVED, ResponseUrls, SlackCallError, post_json
from bot.slack.payloads import Command, Interaction, View, ViewMetadata
from bot.slack.views import blocks
from bot.slack.views.blocks import Modal
from bot.slack.views.failures import BotFailed, PortError, action_failed

logger = logging.getLogger(__name__)

PORT_ERRORS = (GatewayError, DirectoryUnavailable, StoreUnavailable, BotFailed)
MAX_FOLLOWED = 1000
# A modal from an ack appears only when Slack has read that ack.
APPEARS_WITHIN = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between attempts
NOT_FOUND = "not_found"


@contextmanager
def bugs_logged() -> Iterator[None]:
    """Raise BotFailed for an error that nobody expected: somebody waits in front of a modal."""
    try:
        yield
    except PORT_ERRORS:
        raise
    except Exception as error:
        logger.exception("a conversation failed")
        raise BotFailed from error


@dataclass(frozen=True, slots=True)
class ModalRef:
    """One modal in front of one user.

    It is addressed by `external_id`, which the bot chose, or else by `view_id`. `root_view_id` is
    the modal at the bottom of the stack. `response_id` names a response URL that can still reach
    the user with a message.
    """

    view_id: str = ""
    external_id: str = ""
    root_view_id: str | None = None
    response_id: str = ""

    @classmethod
    def of(cls, view: View, *, external_id: str = "") -> "ModalRef":
        """Return the reference to a view that came back from Slack."""
        metadata = view.metadata(ViewMetadata)
        response_id = metadata.response_id if metadata else ""
        return cls(view.id, external_id, view.root_view_id, response_id)

    @property
    def parent(self) -> str | None:
        """The id of the modal under this one, if there is one."""
        return self.root_view_id if self.root_view_id != self.view_id else None


@dataclass(frozen=True, slots=True)
class Modals:
    """Opens and updates modals. If a call fails, this raises nothing, but messages the user."""

    client: AsyncWebClient
    responses: ResponseUrls
    clock: Clock

    async def open(
        self, sent: Command | Interaction, view: Modal, otherwise: str
    ) -> ModalRef | None:
        """Open a modal, on top of the one in which a button was pressed.

        If Slack does not, send the user the text `otherwise`, and return None.
        """
        response_id = self.responses.register(sent.user_id, sent.response_url)
        in_modal = isinstance(sent, Interaction) and sent.view
        method = "views.push" if in_modal else "views.open"
        return await self._open(method, sent.trigger_id, view, response_id, otherwise)

    async def push(self, trigger_id: str, view: Modal, response_id: str, otherwise: str) -> None:
        """Open a modal on top of another one. If Slack does not, send the text `otherwise`."""
        await self._open("views.push", trigger_id, view, response_id, otherwise)

    async def show(self, ref: ModalRef, view: Modal, otherwise: str = "") -> bool:
        """Update a modal and the one under it. Returns whether it was updated.

        If Slack refuses the update, the user gets an ephemeral message that ends with `otherwise`.
        """
        if ref.parent:
            await self.update(ref.parent, view)
        if not ref.external_id:
            return await self.update(ref.view_id, view)
        failure = await self._update_by_external_id(ref.external_id, view)
        if otherwise and failure and failure.code != NOT_FOUND:
            remedy = APP_REMOVED if failure.is_token_refused else otherwise
            text = f"Slack did not show what should come next ({failure.code}). {remedy}"
            await self.send_ephemeral(ref.response_id, text)
        return failure is None

    @asynccontextmanager
    async def errors_shown(
        self, ref: ModalRef, describe: Callable[[PortError], str] = action_failed
    ) -> AsyncIterator[None]:
        """Show in the modal what is raised within this context."""
        try:
            with bugs_logged():
                yield
        except PORT_ERRORS as error:
            await self.show(ref, blocks.text_modal("Kick", describe(error)))

    async def update(self, view_id: str, view: Modal) -> bool:
        """Update a modal by its id. Returns False if it is not open any more."""
        return await self._update(view_id=view_id, view=view) is None

    async def update_if_unchanged(self, seen: View, view: Modal) -> bool:
        """Update a modal, unless it changed since Slack sent it."""
        return await self._update(view_id=seen.id, hash=seen.hash, view=view) is None

    async def reply(self, sent: Command | Interaction, text: str) -> None:
        """Send a text to the user who typed a command or pressed a button."""
        if sent.response_url:
            response_id = self.responses.register(sent.user_id, sent.response_url)
            await self.send_ephemeral(response_id, text)
        elif isinstance(sent, Interaction) and sent.view:
            await self.update(sent.view.id, blocks.text_modal("Kick", text))

    async def send_ephemeral(self, response_id: str, text: str) -> None:
        """Send a message that only the user of the response URL sees."""
        await self.responses.send_ephemeral(response_id, blocks.text_message(text))

    async def _open(
        self, method: str, trigger_id: str, view: Modal, response_id: str, otherwise: str
    ) -> ModalRef | None:
        ref = ModalRef(external_id=uuid4().hex, response_id=response_id)
        named = {**view, "external_id": ref.external_id}
        try:
            await post_json(self.client, method, trigger_id=trigger_id, view=named)
        except SlackCallError as error:
            logger.warning("a modal was not opened: %s", error)
            # Slack may have opened it all the same. Then an update succeeds.
            maybe_open = error.maybe_applied or error.code == "exchanged_trigger_id"
            if not (maybe_open and await self.show(ref, view)):
                text = APP_REMOVED if error.is_token_refused else otherwise
                await self.send_ephemeral(response_id, text)
                return None
        return ref

    async def _update_by_external_id(self, external_id: str, view: Modal) -> SlackCallError | None:
        named = {**view, "external_id": external_id}
        for pause in APPEARS_WITHIN:
            failure = await self._update(external_id=external_id, view=named)
            # Slack also says "not found" for a modal that the user has closed.
            if failure is None or failure.code != NOT_FOUND:
                return failure
            await self.clock.sleep(pause)
        return failure

    async def _update(self, **arguments: Any) -> SlackCallError | None:
        """Update a view. Returns what failed, if it did."""
        # If the answer is lost, try again: the same update twice gives the same view.
        for _ in range(2):
            try:
                await post_json(self.client, "views.update", **arguments)
            except SlackCallError as error:
                logger.info("a modal was not updated: %s", error)
                if not error.maybe_applied:
                    return error
            else:
                return None
        return SlackCallError("views.update", "lost")


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
    """Remembers which modals show which kick, and updates them when the kick changes."""

    modals: Modals
    _followers: OrderedDict[KickId, _Followers] = field(init=False, default_factory=OrderedDict)

    def follow_as_requester(self, kick: KickId, ref: ModalRef) -> None:
        """Remember the modal in which the requester waits. Only the first one counts."""
        followers = self._followers_of(kick)
        followers.requester = followers.requester or ref

    def follow_as_approver(self, kick: KickId, ref: ModalRef) -> None:
        """Remember the modal of a user who decided and waits for the outcome."""
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
        """Return the kicks whose end their open modals do not show yet."""
        return tuple(kick for kick, found in self._followers.items() if not found.shows_end)

    def response_id(self, kick: KickId) -> str:
        """Return the response id of the requester's modal; empty if there is none."""
        followers = self._followers.get(kick)
        return followers.requester.response_id if followers and followers.requester else ""

    async def show(self, kick: KickId, view: Modal, *, has_ended: bool) -> None:
        """Update the modals of the requester and of the approvers."""
        followers = self._followers.get(kick)
        if followers is None:
            return
        if has_ended:
            # Set before the update: a second caller could overwrite the end with an older state.
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
        """Replace the form under a submitted review. Its submit would request the kick again."""
        followers = self._followers.get(kick)
        if followers and followers.requester and followers.requester.parent:
            async with followers.lock:
                await self.modals.update(followers.requester.parent, view)
