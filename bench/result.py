"""What every benchmark gives: one figure, what it has to be, and whether it is."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


@frozen
class Result:
    """A figure that is a ratio within one run, so that it means the same on every machine.

    ``target`` is written out, for example ``>= 0.60``; ``note`` says what was measured.
    """

    name: str
    value: float
    target: str
    ok: bool
    note: str = ""


def at_least(name: str, value: float, floor: float, note: str = "") -> Result:
    """Return the result of a figure that must not be below ``floor``."""
    return Result(name, value, f">= {floor:.2f}", value >= floor, note)


def at_most(name: str, value: float, ceiling: float, note: str = "") -> Result:
    """Return the result of a figure that must not be above ``ceiling``."""
    return Result(name, value, f"<= {ceiling:.2f}", value <= ceiling, note)


def show(results: Sequence[Result]) -> bool:
    """Print the results as a table; tell whether all are as they have to be."""
    for each in results:
        mark = "ok  " if each.ok else "FAIL"
        print(f"{mark} {each.name:<48} {each.value:8.3f}  {each.target:<9} {each.note}")
    return all(each.ok for each in results)
