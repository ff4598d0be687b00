"""What a benchmark gives: a figure, what it is measured against, and what it has to be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from attrs import frozen

FINE: Final = 1_000
"""From here on a value is a count, and its fractions say nothing."""


class Floor(StrEnum):
    """What limits a figure from below, whatever this code does: the groups of the table."""

    BARE_ROUTE = "Against a bare Starlette route that answers the same bytes"
    SCRYPT = "Against scrypt, which every key costs once"
    ROUND_TRIPS = "Against the platform's round trips, 50 ms each"
    ITSELF = "Against the same work without what is asked about"
    ONE_CORE = "Templates on one core"


@frozen
class Figure:
    """A figure that is kept: its name, its floor, and the ``least`` or the ``most`` it may be.

    A figure is a ratio within one run, so that it means the same on every machine; those of
    ``Floor.ONE_CORE`` alone are counts a second, or seconds.
    """

    name: str
    floor: Floor
    least: float | None = None
    most: float | None = None

    @property
    def target(self) -> str:
        """What it has to be, written out."""
        if self.least is not None:
            return f"≥ {_number(self.least)}"
        return f"≤ {_number(self.most or 0)}"

    def measured(self, value: float, note: str = "") -> Result:
        """Return the result of one measurement; ``note`` says in plain numbers what was seen."""
        return Result(self, value, note)

    def measured_in_rounds(self, rounds: Sequence[float], note: str = "") -> Result:
        """Return the median of several rounds, with their spread in the note."""
        spread = f"rounds {_number(min(rounds))} to {_number(max(rounds))}"
        return Result(self, statistics.median(rounds), f"{note}; {spread}" if note else spread)


@frozen
class Result:
    """What was measured of a figure."""

    figure: Figure
    value: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the figure is as it has to be."""
        least, most = self.figure.least, self.figure.most
        return (least is None or self.value >= least) and (most is None or self.value <= most)

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return _number(self.value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= FINE else f"{value:.2f}"
