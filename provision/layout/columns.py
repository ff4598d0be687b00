"""How wide text stands in a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

_NO_COLUMN: Final = frozenset({"Mn", "Me", "Cf"})


def columns(text: str) -> int:
    """Return how many columns ``text`` takes: East Asian wide characters two, combining ones none.

    Tabs and other control characters are counted as one.
    """
    return sum(map(_width, text))


def visible(text: str) -> str:
    """Return ``text`` with what would steer a terminal made visible; tabs stay."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) == "Cc" and each != "\t" else each
        for each in text
    )


def _width(character: str) -> int:
    if unicodedata.category(character) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
