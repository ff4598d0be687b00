"""``provision``: the commands, and how their failures are told."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from provision.build_info import release
from provision.cli import settings_command
from provision.cli.serve import serve
from provision.errors import ProvisionError

REFUSED = 1

app = typer.Typer(
    name="provision",
    help="Onboards gateways on the Magistrala IoT platform: one request, one whole gateway.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,  # noqa: FBT002
) -> None:
    """Onboards gateways on the Magistrala IoT platform: one request, one whole gateway."""
    if version:
        typer.echo(f"provision {release()}")
        raise typer.Exit


@app.command("serve")
def serve_command(
    port: Annotated[int | None, typer.Option(help="Port to listen on (0: any free one).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    data: Annotated[str | None, typer.Option(help="Directory of database and keys.")] = None,
    config: Annotated[str | None, typer.Option(help="TOML file of settings and layout.")] = None,
) -> None:
    """Run the service."""
    given = {"http_port": port, "host": host, "data": data, "config_file": config}
    serve(os.environ, given)


@app.command("settings")
def settings_of_service(
    config: Annotated[str | None, typer.Option(help="TOML file of settings and layout.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """Show every setting in force and where its value came from."""
    show = settings_command.print_json if json else settings_command.print_table
    show(os.environ, {"config_file": config})


def main() -> None:
    """Run the command line; a failure is one message on standard error and exit code 1."""
    try:
        app()
    except ProvisionError as error:
        typer.echo(f"provision: {error.message}", err=True)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
