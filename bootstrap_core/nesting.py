"""How deeply what comes from outside may be nested."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 100


def is_too_deep(value: object, levels: int = MAX_DEPTH) -> bool:
    """Tell whether objects and arrays are nested deeper than ``levels``; it needs no stack."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        below = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in below for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True
