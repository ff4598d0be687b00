"""``provision layout``: everything about layout files that needs no server."""

from __future__ import annotations

import json as json_module
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from attrs import asdict
from rich.text import Text

from provision.build_info import release
from provision.cli.output import (
    MEANINGS,
    REFUSED,
    CommandFailed,
    Force,
    Json,
    ask,
    confirm,
    counted,
    note,
    people,
    print_json,
    print_table,
    print_text,
    text_width,
    write_file,
    write_result,
)
from provision.errors import SettingsError
from provision.layout.catalog import LayoutFiles, outlives_authority, read_layout_file
from provision.layout.convert import convert
from provision.layout.errors import LayoutError, Problem
from provision.layout.graph import draw_svg, draw_text, graph_of
from provision.layout.json_schema import fragment_schema, layout_schema, parameters_schema
from provision.layout.model import (
    Dialect,
    InlineProfile,
    Layout,
    Overrides,
    Parameter,
    ProfileReference,
    canonical_json,
    parse_lifetime,
    with_overrides,
)
from provision.layout.reader import read
from provision.layout.starter import Answers, starter

Row = tuple[str, str, str]


def layout_rows(layout: Layout) -> Iterator[Row]:
    """Yield rows of what, key and about for each part of ``layout``."""
    yield "layout", layout.name, layout.description
    yield "dialect", layout.dialect.value, ""
    yield "digest", layout.digest[:16], ""
    for parameter in layout.parameters:
        yield "parameter", parameter.name, _parameter(parameter)
    graph = graph_of(layout)
    for kind, nodes in (("client", graph.clients), ("channel", graph.channels)):
        for node in nodes:
            yield kind, node.key, ", ".join([node.name, *node.notes])
    for edge in graph.edges:
        yield "connection", f"{edge.client} - {edge.channel}", ", ".join(edge.types)
    if any(client.certificate for client in layout.clients):
        made = layout.certificates
        yield (
            "certificates",
            made.key_type,
            f"for {made.ttl_seconds / 3600:g}h, renewed {made.renew}",
        )
    yield from _profile(layout)
    for binding in layout.bindings:
        wanted = (
            binding.resource or binding.name or f"{binding.metadata_key}={binding.metadata_value}"
        )
        yield "binding", binding.slot, f"{binding.type} {wanted}"


def _parameter(parameter: Parameter) -> str:
    parts: list[str] = [parameter.type]
    if parameter.required:
        parts.append("required")
    if parameter.default is not None:
        parts.append(f"default {parameter.default}")
    if parameter.enum:
        parts.append(f"one of {', '.join(map(str, parameter.enum))}")
    return "; ".join(
        [", ".join(parts), *([parameter.description] if parameter.description else [])]
    )


def _profile(layout: Layout) -> Iterator[Row]:
    if layout.gateway is not None and layout.bootstrap.provision:
        yield "config", layout.gateway.key, layout.bootstrap.status
    match layout.profile:
        case InlineProfile() as profile:
            slots = len(profile.binding_slots)
            yield "profile", profile.name, f"{profile.content_format}, {slots} slots"
        case ProfileReference(id=profile_id, name=name):
            yield "profile", profile_id or name, "exists in the domain"


SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_COLOURS: Final = {"error": "bold red", "warning": "bold yellow"}


class LintFormat(StrEnum):
    """How problems are printed."""

    TEXT = "text"
    GITHUB = "github"
    SARIF = "sarif"
    JSON = "json"


def print_problems(problems: Sequence[Problem], form: LintFormat) -> None:
    """Print ``problems``."""
    match form:
        case LintFormat.TEXT:
            _print_text(problems)
        case LintFormat.GITHUB:
            for problem in problems:
                print_text(_github(problem))
        case LintFormat.SARIF:
            print_json(_sarif(problems))
        case LintFormat.JSON:
            print_json({"problems": [asdict(problem) for problem in problems]})


def _print_text(problems: Iterable[Problem]) -> None:
    console = people()
    for problem in problems:
        place = f"{problem.file}:{problem.line}:{problem.column}: "
        line = Text.assemble(
            (place, "bold"),
            (f"{problem.severity}: ", _COLOURS[problem.severity]),
            problem.advice,
            (f" [{problem.rule}]", "dim"),
        )
        console.print(line, soft_wrap=True)
        if problem.excerpt:
            print_text(problem.excerpt)


def _github(problem: Problem) -> str:
    """Return a workflow command, which GitHub shows at the line of a pull request."""
    properties = {
        "file": PurePath(problem.file).as_posix(),
        "line": str(problem.line),
        "col": str(problem.column),
        "title": problem.rule,
    }
    written = ",".join(
        f"{key}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    return f"::{problem.severity} {written}::{_escaped(problem.advice)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sarif(problems: Sequence[Problem]) -> Mapping[str, Any]:
    rules = sorted({problem.rule for problem in problems})
    driver = {
        "name": "provision layout lint",
        "version": release(),
        "rules": [{"id": rule, "shortDescription": {"text": _sentence(rule)}} for rule in rules],
    }
    results = [
        {
            "ruleId": problem.rule,
            "ruleIndex": rules.index(problem.rule),
            "level": problem.severity,
            "message": {"text": problem.advice},
            "locations": [{"physicalLocation": _location(problem)}],
        }
        for problem in problems
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _sentence(rule: str) -> str:
    return rule.replace("-", " ").capitalize()


def _location(problem: Problem) -> Mapping[str, Any]:
    return {
        "artifactLocation": {"uri": _uri(Path(problem.file))},
        "region": {"startLine": problem.line, "startColumn": problem.column},
    }


def _uri(file: Path) -> str:
    return file.as_uri() if file.is_absolute() else quote(file.as_posix(), safe="/")


NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
UNASKED: Final = "answer with options, or add --yes to take the defaults"

init_app = typer.Typer(rich_markup_mode=None)


@init_app.command("init", epilog=MEANINGS)
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the layout.")] = "",
    *,
    directory: Annotated[
        Path, typer.Option(help="Where to write.", exists=True, file_okay=False)
    ] = Path(),
    description: Annotated[str | None, typer.Option(help="What the layout is for.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(help="Address of the MQTT broker.")] = None,
    certificates: Annotated[
        bool | None, typer.Option(help="Whether clients get X.509 certificates.")
    ] = None,
    ttl: Annotated[
        str, typer.Option(help="How long certificates are valid, such as 8760h.")
    ] = "8760h",
    channels: Annotated[
        str | None, typer.Option(help="Channels beside control and data, with commas between.")
    ] = None,
    services: Annotated[
        str | None, typer.Option(help="Clients beside the agent, with commas between.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take defaults.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Begin a new layout: answer a few questions, get a valid file.

    With --yes or --json the command asks nothing: what no option gives takes its default.
    """
    silent = yes or json
    name = checked_name(name or _text(None, "Name of the layout", "gateway", silent=silent))
    plain = Answers(name)
    answers = Answers(
        name=name,
        description=_text(description, "What it is for", "", silent=silent),
        mqtt_url=_text(mqtt_url, "Address of the MQTT broker", plain.mqtt_url, silent=silent),
        certificates=_choice(certificates, "Do clients get certificates", silent=silent),
        ttl=_checked_ttl(ttl),
        channels=_names(_text(channels, "Channels beside control and data", "", silent=silent)),
        services=_names(_text(services, "Clients beside the agent", "", silent=silent)),
    )
    files = starter(answers)
    if taken := [file for file in files if (directory / file).exists() and not force]:
        raise CommandFailed(f"{directory / taken[0]} exists", "add --force to overwrite it")
    read(files[f"{name}.toml"], file=f"{name}.toml", load_template=lambda name: files[name])
    written = [directory / file for file in files]
    for path, content in zip(written, files.values(), strict=True):
        write_file(path, content)
    if json:
        print_json({"name": name, "files": [str(path) for path in written]})
    note(f"next: provision layout graph {directory / name}.toml")


def checked_name(name: str) -> str:
    """Return ``name`` if a layout or a part of one can be called so. Raises ``BadParameter``."""
    if NAME.fullmatch(name):
        return name
    raise typer.BadParameter(
        f'"{name}" cannot be a name: letters, digits, dots, underscores and dashes, at most 128'
    )


def _text(given: str | None, question: str, default: str, *, silent: bool) -> str:
    if given is not None:
        return given
    return default if silent else ask(question, default, UNASKED)


def _choice(given: bool | None, question: str, *, silent: bool) -> bool:  # noqa: FBT001 - an answer
    if given is not None:
        return given
    return True if silent else confirm(question, UNASKED, default=True)


def _names(text: str) -> tuple[str, ...]:
    return tuple(checked_name(name.strip()) for name in text.split(",") if name.strip())


def _checked_ttl(ttl: str) -> str:
    try:
        parse_lifetime(ttl)
    except ValueError as error:
        raise typer.BadParameter(f"--ttl: {error}") from error
    return ttl


app = typer.Typer(
    name="layout",
    help="Check, draw, convert and begin layouts; without a server.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)
app.add_typer(init_app)


class Drawing(StrEnum):
    """How a layout is drawn."""

    TERMINAL = "terminal"
    SVG = "svg"


File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")
]


def _lifetimes() -> Overrides:
    """Return what the environment's settings say of lifetimes, where they can be read."""
    # The settings, which one of these commands needs.
    from provision.layouts_in_force import longest_ttl
    from provision.settings_reader import load

    try:
        settings = load(os.environ, {}).settings
    except SettingsError:
        return Overrides()
    longest, ttl = longest_ttl(settings), settings.certificate_ttl
    return Overrides(ttl_seconds=parse_lifetime(ttl) if ttl else None, longest_ttl_seconds=longest)


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

    A warning is about something that is allowed but probably a mistake.
    """
    if json and form not in (LintFormat.TEXT, LintFormat.JSON):
        raise typer.BadParameter(f"give either --json or --format {form}")
    problems: list[Problem] = []
    lifetimes = _lifetimes()
    checked = list(_layout_files(files))
    if not checked:
        raise CommandFailed(
            f"there is no layout in {', '.join(map(str, files))}", "name files, or their directory"
        )
    for path in checked:
        try:
            reading = read_layout_file(path)
        except LayoutError as error:
            problems += error.problems
            continue
        problems += reading.warnings
        served = with_overrides(reading.layout, lifetimes)
        if problem := outlives_authority(served, lifetimes.longest_ttl_seconds, str(path)):
            problems.append(problem)
    print_problems(problems, LintFormat.JSON if json else form)
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    found = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    note(f"{counted(len(checked), 'file')} checked: {found}")
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
    fragment: Annotated[
        bool, typer.Option("--fragment", help="Of the fragments that layouts include.")
    ] = False,
    output: Output = None,
    json: Annotated[bool, typer.Option("--json", help="It is JSON in any case.")] = False,
) -> None:
    """Print the JSON Schema of layouts; with FILE, of its parameters."""
    if fragment and (file or dialect is not Dialect.PROVISION):
        raise typer.BadParameter("give --fragment alone: fragments are of this service's dialect")
    if fragment:
        made = fragment_schema()
    else:
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
                "warnings": [asdict(warning) for warning in reading.warnings],
            }
        )
        return
    for lost in made.notes:
        note(f"not carried over: {lost}")
    for warning in reading.warnings:
        note(str(warning))


def _layout_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.glob("*.toml")) if file.name[0] != ".")
        else:
            yield path
