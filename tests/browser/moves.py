"""What somebody does at the page, and what they then see."""

from collections.abc import Sequence

from playwright.async_api import Locator, Page, expect

PATIENCE = 30_000  # ms that whatever is awaited has to come
CROSS = "\N{MULTIPLICATION SIGN}"

expect.set_options(timeout=PATIENCE)


def composer(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Message or command")


async def type_in(page: Page, line: str) -> None:
    """Type a message or a command into the channel, and send it."""
    await composer(page).fill(line)
    await composer(page).press("Enter")


def modal(page: Page) -> Locator:
    """Find the modal; the question in front of it is another dialog."""
    return page.locator("#modal")


async def titled(page: Page, title: str) -> Locator:
    """Wait for the modal of this title."""
    await expect(modal(page).locator("#modal-title")).to_have_text(title)
    return modal(page)


async def submit(page: Page, words: str) -> None:
    """Press the modal's submit, which is called so."""
    await modal(page).get_by_role("button", name=words, exact=True).click()


async def choose(page: Page, label: str, typed: str, *names: str) -> None:
    """Type into a menu that searches, and click what it offers."""
    field = modal(page).get_by_role("combobox", name=label)
    for name in names or [typed]:
        await field.click()
        await field.fill(typed)
        await modal(page).get_by_role("option").filter(has_text=name).first.click()


async def to_review(page: Page, line: str = "/kick mallory spam") -> Locator:
    """Type a command that says everything, and wait for its review."""
    await type_in(page, line)
    return await titled(page, "Review")


async def kick(page: Page, line: str = "/kick mallory spam") -> None:
    """Kick somebody, up to the last tap."""
    await to_review(page, line)
    await submit(page, "Kick")


def last_message(page: Page) -> Locator:
    return page.locator("#messages > article").last


def tiles(page: Page, title: str = "Weekly AMA") -> Locator:
    return page.get_by_role("list", name=f"In {title}").get_by_role("listitem")


def removed(page: Page, title: str = "Weekly AMA") -> Locator:
    return page.get_by_role("list", name=f"Removed from {title}").get_by_role("listitem")


async def go_to(page: Page, channel: str) -> None:
    """Go to a conversation."""
    await (
        page.get_by_role("navigation", name="Channels").get_by_role("button", name=channel).click()
    )


async def has_all(where: Locator, words: Sequence[str]) -> None:
    for one in words:
        await expect(where).to_contain_text(one)
