"""``provision layout init``: a few answers become a commented layout that lints clean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from provision.cli.exits import MEANINGS, CommandFailed
from provision.cli.output import Force, Json, note, print_json, write_file
from provision.cli.questions import ask, confirm
from provision.layout.durations import parse_lifetime
from provision.layout.reader import read
from provision.layout.starter import Answers, starter

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
UNASKED: Final = "answer with options, or add --yes to take the defaults"

app = typer.Typer(rich_markup_mode=None)


@app.command("init", epilog=MEANINGS)
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
    ttl: Annotated[str, typer.Option(help="Life of certificates, as 8760h.")] = "8760h",
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
    """Begin a new layout: a few questions, a file that lints clean.

    With --yes or --json nothing is asked: what no option gives takes its default.
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
    if taken := [each for each in files if (directory / each).exists() and not force]:
        raise CommandFailed(f"{directory / taken[0]} exists", "add --force to overwrite it")
    read(files[f"{name}.toml"], file=f"{name}.toml", load_template=lambda name: files[name])
    written = [directory / each for each in files]
    for path, content in zip(written, files.values(), strict=True):
        write_file(path, content)
    if json:
        print_json({"name": name, "files": [str(each) for each in written]})
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
    return tuple(checked_name(each.strip()) for each in text.split(",") if each.strip())


def _checked_ttl(ttl: str) -> str:
    try:
        parse_lifetime(ttl)
    except ValueError as error:
        raise typer.BadParameter(f"--ttl: {error}") from error
    return ttl
