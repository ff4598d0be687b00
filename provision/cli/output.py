"""What commands print: JSON for scripts, tables and colour for people, notes on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

PIPED_WIDTH: Final = 4096

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def print_json(document: object) -> None:
    """Print a JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def print_text(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; its cells are taken literally."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell if cell is not None else "") for cell in row))
    people().print(table)


def note(text: str) -> None:
    """Say something to whoever watches; it is no part of the result."""
    sys.stderr.write(text + "\n")


def people() -> Console:
    """Return the console of people: colour in a terminal; piped on, no line is broken.

    Text is taken literally: in a MAC address or a serial number, ``:cd:`` is no picture of a disc.
    """
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(markup=False, emoji=False, highlight=False, width=width)


def notes() -> Console:
    """Return the console of what is no result: progress, on standard error."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False)
