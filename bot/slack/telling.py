"""Telling one person something: in the view they look at, or where they acted."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.core.ports import DirectoryUnavailable, GatewayError, StoreUnavailable
from bot.slack import messages, modals, texts
from bot.slack.modals import Modal
from bot.slack.payloads import Interaction
from bot.slack.texts import Trouble
from bot.slack.windows import NOT_FOUND, Origins, Windows

TROUBLE = (GatewayError, DirectoryUnavailable, StoreUnavailable)


class Telling:
    """Tells people things; never raises."""

    def __init__(self, windows: Windows, origins: Origins) -> None:
        self._windows = windows
        self._origins = origins

    async def whisper(self, origin: str, text: str) -> None:
        """Tell something to the person who acted, where they acted."""
        await self._origins.whisper(origin, messages.whisper(text))

    async def answer(self, sent: Interaction, text: str) -> None:
        """Tell something to the person who pressed a button, in a message or in a view."""
        if sent.response_url:
            await self.whisper(self._origins.note(sent.user.id, sent.response_url), text)
        elif sent.view:
            await self._windows.update(sent.view.id, modals.note("Kick", text))

    async def fill(self, name: str, origin: str, view: Modal, otherwise: str) -> None:
        """Fill a view; where Slack does not, say so, and what to do otherwise."""
        failure = await self._windows.fill(name, view)
        if failure not in {None, NOT_FOUND}:
            words = f"Slack did not show what should come next ({failure})."
            await self.whisper(origin, f"{words} {otherwise}")

    @asynccontextmanager
    async def instead(
        self, name: str, words: Callable[[Trouble], str] = texts.trouble
    ) -> AsyncIterator[None]:
        """Show in the view what went wrong meanwhile, instead of letting it load for ever."""
        try:
            yield
        except TROUBLE as error:
            await self._windows.fill(name, modals.note("Kick", words(error)))
