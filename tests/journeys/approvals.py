"""Steps of a request and its decision."""

from tests.journeys.steps import to_review
from tests.sandbox.slack import Message, Person


async def asked(person: Person, line: str = "/kick mallory spamming links") -> Message:
    """Request a kick. Return the card that the approvers see."""
    before = len(cards(person))
    await to_review(person, line)
    return await sent(person, before)


async def sent(person: Person, before: int = 0) -> Message:
    """Press *Ask for approval*. Return the card."""
    assert person.modal.submit == "Ask for approval"
    await person.submit()
    assert "waits for a second person" in person.modal
    return (await person.until(lambda sees: cards(sees)[before:]))[0]


def cards(person: Person) -> list[Message]:
    """Return the cards in the approvals channel that this user sees."""
    return [one for one in person.messages("C0MODS") if one.only_for is None]


async def to_request(person: Person, card: Message) -> None:
    """Press *Review* on a card, and wait for the request."""
    await person.click(card, "review_request")
    await person.until(lambda sees: sees.modal.title.startswith("Kick #"))


async def settled(person: Person, words: str) -> None:
    """Wait until the first card contains these words and has no button any more."""
    await person.until(
        lambda sees: words in sees.read(cards(sees)[0]) and "button" not in str(cards(sees)[0])
    )
