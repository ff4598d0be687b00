"""What is measured at each size, and how it is shown: as drawings, and as a table of the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import field, frozen

from bench.chart import Chart, draw

HUNDRED: Final = 100
ONE: Final = 1


@frozen
class Drawing:
    """One chart of a subject: the file's name, and the lines that belong on it."""

    name: str
    title: str
    values_are: str
    lines: Sequence[str]


@frozen
class Curves:
    """Values by size for each line; ``subject`` is what there is more and more of."""

    subject: str
    drawings: Sequence[Drawing]
    values: dict[str, dict[int, float]] = field(factory=dict)

    def put(self, size: int, values: Mapping[str, float]) -> None:
        """Note what was measured at a size."""
        for name, value in values.items():
            self.values.setdefault(name, {})[size] = value

    def drawn(self) -> Mapping[str, str]:
        """Return the drawings (SVG) by name."""
        return {
            each.name: draw(
                Chart(
                    each.title,
                    f"{self.subject} stored",
                    each.values_are,
                    {name: self.values[name] for name in each.lines},
                )
            )
            for each in self.drawings
        }

    def markdown(self) -> str:
        """Return the drawings as images, and all values in one table."""
        sizes = sorted({size for line in self.values.values() for size in line})
        lines = [f"![{each.title}](images/{each.name}.svg)" for each in self.drawings]
        lines += ["", f"| {self.subject} stored | {' | '.join(f'{size:,}' for size in sizes)} |"]
        lines.append("|---|" + "--:|" * len(sizes))
        for each in self.drawings:
            lines.append(f"| *{each.values_are}* |" + " |" * len(sizes))
            for name in each.lines:
                cells = " | ".join(_number(self.values[name][size]) for size in sizes)
                lines.append(f"| {name} | {cells} |")
        return "\n".join(lines)


def _number(value: float) -> str:
    if value >= HUNDRED:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= ONE else f"{value:.2f}"
