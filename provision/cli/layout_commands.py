"""``provision layout``: everything about layout files that needs no server."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from attrs import asdict

from provision.cli import layout_init_command
from provision.cli.exits import MEANINGS, REFUSED, CommandFailed
from provision.cli.layout_init_command import checked_name
from provision.cli.layout_view import layout_rows
from provision.cli.lint_output import LintFormat, print_problems
from provision.cli.output import (
    Force,
    Json,
    note,
    print_json,
    print_table,
    text_width,
    write_result,
)
from provision.layout.convert import convert
from provision.layout.errors import LayoutError, Problem
from provision.layout.files import LayoutFiles, read_layout_file
from provision.layout.graph import graph_of
from provision.layout.graph_mermaid import draw_mermaid
from provision.layout.graph_svg import draw_svg
from provision.layout.graph_text import draw_text
from provision.layout.json_schema import layout_schema, parameters_schema
from provision.layout.model import Dialect, canonical_json
from provision.layout.reader import read

app = typer.Typer(
    name="layout",
    help="Check, draw, convert and begin layouts; without a server.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)
app.add_typer(layout_init_command.app)


class Drawing(StrEnum):
    """How a layout is drawn."""

    TERMINAL = "terminal"
    SVG = "svg"
    MERMAID = "mermaid"


File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")
]


@app.command("lint", epilog=MEANINGS)
def lint(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", exists=True, help="Layout files, or directories of them"),
    ],
    *,
    form: Annotated[
        LintFormat, typer.Option("--format", help="How to print what is found.")
    ] = LintFormat.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse warnings, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Check layout files: every problem at once.

    Warnings are of what is legal but surely not meant.
    """
    if json and form not in (LintFormat.TEXT, LintFormat.JSON):
        raise typer.BadParameter(f"give either --json or --format {form}")
    problems: list[Problem] = []
    checked = list(_layout_files(files))
    if not checked:
        raise CommandFailed(
            f"there is no layout in {', '.join(map(str, files))}", "name files, or their directory"
        )
    for path in checked:
        try:
            problems += read_layout_file(path).warnings
        except LayoutError as error:
            problems += error.problems
    print_problems(problems, LintFormat.JSON if json else form)
    errors = sum(each.severity == "error" for each in problems)
    warnings = len(problems) - errors
    note(f"{len(checked)} checked: {errors} errors, {warnings} warnings")
    if errors or (strict and warnings):
        raise typer.Exit(REFUSED)


@app.command("show", epilog=MEANINGS)
def show(file: File, *, json: Json = False) -> None:
    """Show what a layout makes, in one form for all dialects."""
    layout = read_layout_file(file).layout
    if json:
        document = json_module.loads(canonical_json(layout))
        print_json({**document, "digest": layout.digest})
        return
    print_table(("what", "key", "about"), layout_rows(layout))


@app.command("graph", epilog=MEANINGS)
def graph(
    file: File,
    *,
    form: Annotated[Drawing, typer.Option("--format", help="What to draw.")] = Drawing.TERMINAL,
    output: Output = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print what is drawn as JSON; -o still draws.")
    ] = False,
) -> None:
    """Draw a layout's clients, channels, connections and slots."""
    drawn = graph_of(read_layout_file(file).layout)
    draw = {
        Drawing.TERMINAL: lambda graph: draw_text(graph, text_width()),
        Drawing.SVG: draw_svg,
        Drawing.MERMAID: draw_mermaid,
    }
    if output is not None or not json:
        write_result(draw[form](drawn), output)
    if json:
        print_json(asdict(drawn))


@app.command("schema", epilog=MEANINGS)
def schema(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False),
    ] = None,
    *,
    dialect: Annotated[Dialect, typer.Option(help="Dialect of the files.")] = Dialect.PROVISION,
    output: Output = None,
    json: Annotated[bool, typer.Option("--json", help="It is JSON in any case.")] = False,
) -> None:
    """Print the JSON Schema of layouts; with FILE, of its parameters."""
    made = parameters_schema(read_layout_file(file).layout) if file else layout_schema(dialect)
    write_result(json_module.dumps(made, indent=2, ensure_ascii=False), output)


@app.command("convert", epilog=MEANINGS)
def convert_command(
    file: File,
    *,
    name: Annotated[str, typer.Option(help="Name of the layout; default: the file's.")] = "",
    output: Output = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Turn a layout of the Go service or Mainflux into today's."""
    name = checked_name(name or (output or file).stem)
    files = LayoutFiles(file, str(file))
    made = convert(files.layout(), file=str(file), name=name)
    reading = read(made.text, file=str(output or file), name=name, load_template=files.beside)
    if output is not None and output.exists() and not force:
        raise CommandFailed(f"{output} exists", "add --force to overwrite it")
    if output is not None or not json:
        write_result(made.text, output)
    if json:
        print_json(
            {
                "name": name,
                "file": output and str(output),
                "text": made.text,
                "not_carried_over": list(made.notes),
                "warnings": [asdict(each) for each in reading.warnings],
            }
        )
        return
    for each in made.notes:
        note(f"not carried over: {each}")
    for warning in reading.warnings:
        note(str(warning))


def _layout_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from (each for each in sorted(path.glob("*.toml")) if each.name[0] != ".")
        else:
            yield path
