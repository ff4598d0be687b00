"""The list of all commands, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from provision.cli.main import app

EVERYWHERE = {"--url", "--token", "--domain", "--data", "--json"}
"""Options that many commands share; the document tells of them once."""


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its whole name."""
    yield from _below("provision", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, each in inner.items():
        yield from _below(f"{name} {word}", each)


def options_of(command: Any) -> list[str]:
    """Return the options of a command as they are typed."""
    return [
        "/".join([*each.opts, *each.secondary_opts])
        for each in command.params
        if each.param_type_name == "option"
    ]


def write() -> str:
    """Return a Markdown table of every command."""
    rows = ["| command | what it does | options of its own |", "|---|---|---|"]
    for name, command in commands():
        words = [_argument(each) for each in _usage(name, command)]
        own = [each for each in options_of(command) if each not in EVERYWHERE]
        told = str(command.help).partition("\n")[0]
        rows.append(
            f"| {_code(' '.join([name, *words]))} | {told} | {', '.join(map(_code, own))} |"
        )
    return "\n".join(rows)


def _usage(name: str, command: Any) -> list[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    return [each for each in command.collect_usage_pieces(context) if each != "[OPTIONS]"]


def _argument(piece: str) -> str:
    """Return an argument as a person writes it: braces mean that it is needed."""
    return piece.replace("{", "").replace("}", "")


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")
