"""A string that must not be seen: masked wherever it is printed or logged."""

from __future__ import annotations

import hmac
from typing import Final

MASK: Final = "********"


class Secret:
    """A secret string whose ``repr`` and ``str`` are masked.

    ``reveal`` gives the text; equality takes constant time for secrets of one length. An empty
    secret is falsy, so that "none given" reads naturally.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Wrap ``text``."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that needs it."""
        return self._text

    def encode(self) -> bytes:
        """Return the text as UTF-8 bytes."""
        return self._text.encode()

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.encode(), other.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self else "Secret('')"

    def __str__(self) -> str:
        return MASK if self else ""
