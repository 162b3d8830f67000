"""What the app was allowed at its installation, as its manifest says."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command, as Slack's client offers it."""

    command: str
    description: str = ""
    usage_hint: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of an app manifest that Slack enforces at run time, or shows."""

    scopes: frozenset[str]
    commands: Mapping[str, Command]
    has_messages_tab: bool
    is_interactive: bool

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest.yml."""
        manifest = _parsed(path.read_text(encoding="utf-8"))
        features = manifest.get("features", {})
        return cls(
            scopes=frozenset(manifest["oauth_config"]["scopes"].get("bot", ())),
            commands={
                item["command"]: Command(
                    item["command"], item.get("description", ""), item.get("usage_hint", "")
                )
                for item in features.get("slash_commands", ())
            },
            has_messages_tab=features.get("app_home", {}).get("messages_tab_enabled", False),
            is_interactive=manifest["settings"].get("interactivity", {}).get("is_enabled", False),
        )


@cache
def _parsed(text: str) -> Mapping[str, Any]:
    manifest: Mapping[str, Any] = yaml.safe_load(text)
    return manifest
