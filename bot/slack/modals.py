"""What all views share: their type, and the note, which has nothing to press but Close."""

from typing import Any

from bot.slack import blocks as kit

NOTE = "kick_note"

Modal = dict[str, Any]


def note(title: str, text: str, *, external_id: str | None = None, metadata: str = "") -> Modal:
    """Show a text: loading, refused, or broken; there is nothing to press in it but Close."""
    return kit.modal(
        title,
        [kit.section(text)],
        callback_id=NOTE,
        external_id=external_id,
        metadata=metadata,
    )
