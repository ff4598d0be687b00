"""How much work Python does for a template: a count, the same on every machine and every day."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

MOST = 1_500_000
"""Calls that no template may come to; a million take about 100 ms (``make bench`` has seconds)."""


def calls(work: Callable[[], object]) -> int:
    """Return how many functions ``work`` calls, Python's and C's; ``work`` must not raise."""
    counted = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal counted
        if event in ("call", "c_call"):
            counted += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted
