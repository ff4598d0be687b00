"""Randomness for pauses, so that tests can replay it from a seed."""

from __future__ import annotations

from typing import Protocol


class Chance(Protocol):
    """Draws numbers; ``random.Random`` is one."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between ``a`` and ``b``."""
        ...
