"""Steps that journeys share."""

from bot.sandbox.slack import Message, Person


async def to_review(person: Person, line: str = "/kick mallory spamming links") -> None:
    """Type a command that says everything, and wait for the review."""
    await person.command("C0LIVE", line)
    await person.until(lambda sees: sees.modal.title == "Review")


async def to_form(person: Person, line: str = "/kick", channel: str = "C0LIVE") -> None:
    """Type the command, and wait for the form."""
    await person.command(channel, line)
    await person.until(lambda sees: sees.modal.title == "Kick from a meeting")


async def result(person: Person, channel: str = "C0LIVE") -> Message:
    """Wait for the next message in a channel that was empty."""
    return (await person.until(lambda sees: sees.messages(channel)[-1:]))[0]
