"""What drifted on the platform, and its cure, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CURES: Final = {
    "repair": "provision map {external_id} --on-existing repair puts it back",
    "enable": "enable it on the platform; a repair leaves it so",
    "edit": "change it back there, or take the change over into the layout",
}


def fate_of(deviation: Mapping[str, Any]) -> str:
    """Return what happened to which part, and where."""
    where = "here" if deviation["kind"] in ("config", "binding") else "on the platform"
    return f"{deviation['kind']} {deviation['key']} was {deviation['what']} {where}"
