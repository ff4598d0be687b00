"""What commands print: JSON for scripts, tables and colour for people, notes on standard error."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from provision.cli.exits import CommandFailed

PIPED_WIDTH: Final = 4096

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]


def print_json(document: object) -> None:
    """Print a JSON document."""
    sys.stdout.write(json_module.dumps(document, indent=2, ensure_ascii=False) + "\n")


def print_document(document: object, *, json: bool) -> None:
    """Print what is JSON in any case: for scripts as ``print_json`` does, for people in colour."""
    if json or not sys.stdout.isatty():
        print_json(document)
    else:
        people().print_json(data=document, indent=2)


def print_done(text: str, document: object, *, json: bool) -> None:
    """Tell people that something is done, or scripts the same as a document."""
    if json:
        print_json(document)
    else:
        note(text)


def print_text(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_result(text: str, output: Path | None) -> None:
    """Write text to the file ``output``, or print it where there is none.

    Raises ``CommandFailed``: the file can't be written.
    """
    if output is None:
        print_text(text)
    else:
        write_file(output, text)


def write_file(file: Path, text: str) -> None:
    """Write a text file, and say so. Raises ``CommandFailed``: it can't be written."""
    try:
        file.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            f"{file} cannot be written: {error.strerror}", "name a file in a directory that exists"
        ) from error
    note(f"wrote {file}")


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


def text_width() -> int:
    """Return how many columns a text may have: the terminal's; piped on, as many as it wants."""
    return people().width


def people() -> Console:
    """Return the console of people: colour in a terminal; piped on, no line is broken.

    Text is taken literally: in a MAC address or a serial number, ``:cd:`` is no picture of a disc.
    """
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(markup=False, emoji=False, highlight=False, width=width)


def progress() -> Progress:
    """Return bars on standard error for long work; nothing where nobody watches."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
