"""What commands print and ask, and the exit codes with which they end.

Results go to standard output: JSON for scripts, tables and colour for people.
Notes, questions and failures go to standard error.
"""

from __future__ import annotations

import getpass
import json as json_module
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import typer
from attrs import frozen
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from provision.errors import ProvisionError
from provision.store.private_files import write_private

RIGHT: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
CHANGES: Final = 3

MEANINGS: Final = "Exit codes: 0 right, 1 refused, 2 usage, 3 changes pending."


class CommandFailed(ProvisionError):
    """The command could not do what it was asked to."""

    code = "command_failed"

    def __init__(self, message: str, try_next: str = "") -> None:
        """``try_next`` is the next thing to try, said on a line of its own."""
        super().__init__(message)
        self.try_next = try_next


ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False}


def ask(question: str, default: str, otherwise: str) -> str:
    """Return the answer, ``default`` for an empty one.

    Raises ``CommandFailed``, with ``otherwise`` as what to do, where nobody answers.
    """
    return _answer(f"{question} [{default}]: ", otherwise) or default


def ask_secret(question: str, otherwise: str) -> str:
    """Return the answer, which is not shown; piped in, it is the next line of standard input.

    Raises as ``ask``.
    """
    if sys.stdin.isatty():
        try:
            return getpass.getpass(f"{question}: ", sys.stderr)
        except EOFError:
            raise CommandFailed(_unanswered(question), otherwise) from None
    return _answer(f"{question}: ", otherwise)


def confirm(question: str, otherwise: str, *, default: bool) -> bool:
    """Return whether the answer is yes, ``default`` for an empty one. Raises as ``ask``."""
    choice = "Y/n" if default else "y/N"
    while True:
        answer = _answer(f"{question}? [{choice}]: ", otherwise).strip().lower()
        if answer in ("", *ANSWERS):
            return ANSWERS.get(answer, default)


def _answer(prompt: str, otherwise: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    try:
        answer = input()
    except UnicodeDecodeError:
        raise CommandFailed("the answer is not valid UTF-8", otherwise) from None
    except EOFError:
        sys.stderr.write("\n")
        raise CommandFailed(_unanswered(prompt), otherwise) from None
    if not sys.stdin.isatty():
        sys.stderr.write("\n")
    return answer


def _unanswered(prompt: str) -> str:
    question = prompt.partition(" [")[0].rstrip(":? ")
    return f'the question "{question}" has no answer: standard input is at its end'


Verdict: TypeAlias = Literal["right", "warning", "wrong"]


@frozen
class Check:
    """One thing that was looked at, how it stands, and how to put it right."""

    name: str
    verdict: Verdict
    message: str
    cure: str = ""


REMEDIES: Final = {
    "repair": "provision map {external_id} --on-existing repair puts it back",
    "enable": "enable it on the platform; a repair does not enable it",
    "edit": "change it back there, or put the change into the layout",
}


def drift_text(difference: Mapping[str, Any]) -> str:
    """Return what happened to which part, and where."""
    where = "here" if difference["kind"] in ("config", "binding") else "on the platform"
    what = "has ended" if difference["what"] == "ended" else f"was {difference['what']} {where}"
    return f"{difference['kind']} {difference['key']} {what}"


PIPED_WIDTH: Final = 4096

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]


def print_json(document: object) -> None:
    """Print a JSON document."""
    text = json_module.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        # What stands for a character that the output has not must be JSON, too.
        text = json_module.dumps(document, indent=2)
    sys.stdout.write(text + "\n")


def print_document(document: object, *, json: bool) -> None:
    """Print what is JSON in any case: for scripts as ``print_json`` does, for people in colour."""
    if json or not sys.stdout.isatty():
        print_json(document)
    else:
        people().print_json(data=document, indent=2)


def print_done(text: str, document: object, *, json: bool) -> None:
    """Print that something is done: a note for people, or a document for scripts."""
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


def write_private_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write a certificate and its key into a directory, and say so.

    Raises ``CommandFailed``: it can't be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_private(directory / name, text)
            note(f"wrote {directory / name}")
    except OSError as error:
        raise CommandFailed(
            f"{directory} cannot be written to: {error.strerror}",
            "issue another one into a directory that can; the key is shown once",
        ) from error


def counted(number: int, what: str) -> str:
    """Return a number of things in words: ``1 error``, ``2 errors``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Any]],
    nothing: str = "there is nothing to show",
) -> None:
    """Print a table; its cells are taken literally. ``nothing`` is said where it has no rows."""
    rows = list(rows)
    if not rows:
        note(nothing)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell if cell is not None else "") for cell in row))
    people().print(table)


def note(text: str) -> None:
    """Print a line on standard error; it is no part of the result."""
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
