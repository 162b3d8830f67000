"""Block Kit: the models of what a bot may send, and their validation."""

from tests.sandbox.slack.block_kit.validation import (
    elements_of,
    validate_blocks,
    validate_options,
    validate_view,
)

__all__ = ["elements_of", "validate_blocks", "validate_options", "validate_view"]
