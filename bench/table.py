"""Results in one table, grouped by what limits them: for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.machine import Machine
from bench.result import Floor, Result

HEADINGS = ("what", "measured", "has to be", "", "seen")


def show(results: Sequence[Result], machine: Machine, console: Console) -> None:
    """Print the table."""
    table = Table(box=SIMPLE_HEAD, title=str(machine), title_justify="left")
    for number, heading in enumerate(HEADINGS):
        # Only what was seen may take more lines than one.
        is_number, is_last = number in {1, 2}, number == len(HEADINGS) - 1
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=not is_last)
    for floor, group in _groups(results):
        table.add_section()
        table.add_row(f"[bold]{floor}[/bold]")
        for each in group:
            verdict = "[green]met[/green]" if each.ok else "[bold red]not met[/bold red]"
            table.add_row(f"  {each.figure.name}", *_values(each), verdict, each.note)
    console.print(table)


def markdown(results: Sequence[Result], machine: Machine) -> str:
    """Return the machine and the table for a document."""
    lines = [f"Measured on {machine}.", "", _row(HEADINGS), "|---|--:|--:|---|---|"]
    for floor, group in _groups(results):
        lines.append(_row((f"**{floor}**", "", "", "", "")))
        for each in group:
            verdict = "met" if each.ok else "**not met**"
            lines.append(_row((each.figure.name, *_values(each), verdict, each.note)))
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _groups(results: Sequence[Result]) -> Iterator[tuple[Floor, Sequence[Result]]]:
    for floor in Floor:
        if group := [each for each in results if each.figure.floor is floor]:
            yield floor, group


def _values(result: Result) -> tuple[str, str]:
    return result.shown, result.figure.target
