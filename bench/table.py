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
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in HEADINGS[1:3] else "left")
    for floor, group in _groups(results):
        table.add_section()
        table.add_row(f"[bold]{floor}[/bold]")
        for each in group:
            verdict = "[green]met[/green]" if each.ok else "[bold red]not met[/bold red]"
            table.add_row(f"  {each.figure.name}", *_values(each), verdict, each.note)
    console.print(table)


def markdown(results: Sequence[Result], machine: Machine) -> str:
    """Return the machine and the table for a document."""
    lines = [f"Measured on {machine}.", ""]
    for floor, group in _groups(results):
        lines += [
            f"**{floor}**",
            "",
            f"| {' | '.join(HEADINGS)} |",
            "|---|--:|--:|---|---|",
            *(
                f"| {' | '.join((each.figure.name, *_values(each), _verdict(each), each.note))} |"
                for each in group
            ),
            "",
        ]
    return "\n".join(lines)


def _groups(results: Sequence[Result]) -> Iterator[tuple[Floor, Sequence[Result]]]:
    for floor in Floor:
        if group := [each for each in results if each.figure.floor is floor]:
            yield floor, group


def _values(result: Result) -> tuple[str, str]:
    return result.shown, result.figure.target


def _verdict(result: Result) -> str:
    return "met" if result.ok else "**not met**"
