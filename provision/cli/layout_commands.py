"""``provision layout``: everything about layout files that needs no server."""

from __future__ import annotations

import json as json_module
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from provision.cli.exits import MEANINGS, REFUSED, CommandFailed
from provision.cli.layout_view import layout_rows
from provision.cli.lint_output import LintFormat, print_problems
from provision.cli.output import Json, note, print_json, print_table, print_text
from provision.layout.convert import convert
from provision.layout.durations import parse_lifetime
from provision.layout.errors import LayoutError, Problem
from provision.layout.files import LayoutFiles, read_layout_file
from provision.layout.graph import graph_of
from provision.layout.graph_mermaid import draw_mermaid
from provision.layout.graph_svg import draw_svg
from provision.layout.graph_text import draw_text
from provision.layout.json_schema import layout_schema, parameters_schema
from provision.layout.model import Dialect, canonical_json
from provision.layout.reader import read
from provision.layout.starter import Answers, starter

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

app = typer.Typer(
    name="layout",
    help="Check, draw, convert and begin layout files; no server is needed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Drawing(StrEnum):
    """How a layout is drawn."""

    TERMINAL = "terminal"
    SVG = "svg"
    MERMAID = "mermaid"


File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]


@app.command("lint", epilog=MEANINGS)
def lint(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, help="Layout files, or directories of them"),
    ],
    *,
    form: Annotated[
        LintFormat, typer.Option("--format", help="How to print what is found.")
    ] = LintFormat.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse warnings, too.")] = False,
) -> None:
    """Check layout files: every problem at once, and warnings of what is surely not meant."""
    problems: list[Problem] = []
    checked = list(_layout_files(files))
    for path in checked:
        try:
            problems += read_layout_file(path).warnings
        except LayoutError as error:
            problems += error.problems
    print_problems(problems, form)
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
) -> None:
    """Draw a layout's clients, channels, connections and slots."""
    drawn = graph_of(read_layout_file(file).layout)
    draw = {Drawing.TERMINAL: draw_text, Drawing.SVG: draw_svg, Drawing.MERMAID: draw_mermaid}
    _write(draw[form](drawn), output)


@app.command("schema", epilog=MEANINGS)
def schema(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", exists=True, dir_okay=False),
    ] = None,
    *,
    dialect: Annotated[Dialect, typer.Option(help="Dialect of the files.")] = Dialect.PROVISION,
    output: Output = None,
) -> None:
    """Print the JSON Schema of layout files, for editors; with FILE, of its parameters."""
    made = parameters_schema(read_layout_file(file).layout) if file else layout_schema(dialect)
    _write(json_module.dumps(made, indent=2, ensure_ascii=False), output)


@app.command("convert", epilog=MEANINGS)
def convert_command(
    file: File,
    *,
    name: Annotated[str, typer.Option(help="Name of the layout; default: the file's.")] = "",
    output: Output = None,
    force: Force = False,
) -> None:
    """Turn a layout of the Go service or of Mainflux into this project's dialect."""
    name = _checked_name(name or (output or file).stem)
    text = LayoutFiles(file, str(file)).layout()
    made = convert(text, file=str(file), name=name)
    reading = read(made.text, file=str(output or file), name=name)
    if output is not None and output.exists() and not force:
        raise CommandFailed(f"{output} exists", "add --force to overwrite it")
    _write(made.text, output)
    for each in made.notes:
        note(f"not carried over: {each}")
    for warning in reading.warnings:
        note(str(warning))


@app.command("init", epilog=MEANINGS)
def init(
    name: Annotated[str, typer.Argument(help="Name of the layout.")] = "",
    *,
    directory: Annotated[
        Path, typer.Option(help="Where to write.", exists=True, file_okay=False)
    ] = Path(),
    description: Annotated[str | None, typer.Option(help="What the layout is for.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(help="Address of the MQTT broker.")] = None,
    certificates: Annotated[
        bool | None, typer.Option(help="Whether clients get X.509 certificates.")
    ] = None,
    ttl: Annotated[str, typer.Option(help="Life of certificates, as 8760h.")] = "8760h",
    channels: Annotated[
        str | None, typer.Option(help="Channels beside control and data, with commas between.")
    ] = None,
    services: Annotated[
        str | None, typer.Option(help="Clients beside the agent, with commas between.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take defaults.")] = False,
    force: Force = False,
) -> None:
    """Begin a new layout: a few questions, and a commented file that lints clean."""
    ask = not yes
    name = _checked_name(name or (typer.prompt("Name of the layout") if ask else "gateway"))
    plain = Answers(name)
    answers = Answers(
        name=name,
        description=_text(description, "What it is for", "", ask=ask),
        mqtt_url=_text(mqtt_url, "Address of the MQTT broker", plain.mqtt_url, ask=ask),
        certificates=_choice(certificates, "Do clients get certificates?", ask=ask),
        ttl=_checked_ttl(ttl),
        channels=_names(_text(channels, "Channels beside control and data", "", ask=ask)),
        services=_names(_text(services, "Clients beside the agent", "", ask=ask)),
    )
    files = starter(answers)
    if taken := [each for each in files if (directory / each).exists() and not force]:
        raise CommandFailed(f"{directory / taken[0]} exists", "add --force to overwrite it")
    read(files[f"{name}.toml"], file=f"{name}.toml", load_template=lambda name: files[name])
    for file, content in files.items():
        (directory / file).write_text(content, encoding="utf-8")
        note(f"wrote {directory / file}")
    note(f"next: provision layout graph {directory / name}.toml")


def _layout_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from (each for each in sorted(path.glob("*.toml")) if each.name[0] != ".")
        else:
            yield path


def _write(text: str, output: Path | None) -> None:
    if output is None:
        print_text(text)
        return
    try:
        output.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{output} cannot be written: {error.strerror}") from error
    note(f"wrote {output}")


def _text(given: str | None, question: str, default: str, *, ask: bool) -> str:
    if given is not None:
        return given
    return str(typer.prompt(question, default=default)) if ask else default


def _choice(given: bool | None, question: str, *, ask: bool) -> bool:  # noqa: FBT001 - an answer
    if given is not None:
        return given
    return typer.confirm(question, default=True) if ask else True


def _names(text: str) -> tuple[str, ...]:
    return tuple(_checked_name(each.strip()) for each in text.split(",") if each.strip())


def _checked_name(name: str) -> str:
    if NAME.fullmatch(name):
        return name
    raise typer.BadParameter(
        f'"{name}" cannot be a name: letters, digits, dots, underscores and dashes, at most 128'
    )


def _checked_ttl(ttl: str) -> str:
    try:
        parse_lifetime(ttl)
    except ValueError as error:
        raise typer.BadParameter(f"--ttl: {error}") from error
    return ttl
