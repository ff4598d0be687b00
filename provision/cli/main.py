"""``provision``: the commands, and how their failures are told."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from bootstrap_core.errors import BootstrapError
from provision.build_info import release
from provision.cli import (
    bootstrap_commands,
    cert_commands,
    doctor,
    gateway_commands,
    keeping_commands,
    layout_commands,
    plan_command,
    settings_command,
)
from provision.cli.exits import MEANINGS, REFUSED, CommandFailed
from provision.cli.healthcheck import healthcheck
from provision.cli.output import Json, note, print_json, print_text
from provision.errors import ProvisionError
from provision.layout.errors import LayoutError, LayoutFault

app = typer.Typer(
    name="provision",
    help="Onboards gateways on the Magistrala IoT platform: one request, one whole gateway.",
    no_args_is_help=True,
    epilog=MEANINGS,
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


@app.command("serve", epilog=MEANINGS)
def serve_command(
    port: Annotated[int | None, typer.Option(help="Port to listen on (0: any free one).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    data: Annotated[str | None, typer.Option(help="Directory of database and keys.")] = None,
    config: Annotated[str | None, typer.Option(help="TOML file of settings and layout.")] = None,
) -> None:
    """Run the service."""
    # Half of a second of imports that no other command needs.
    from provision.cli.serve import serve

    given = {"http_port": port, "host": host, "data": data, "config_file": config}
    serve(os.environ, given)


@app.command("settings", epilog=MEANINGS)
def settings_of_service(
    *,
    config: Annotated[str | None, typer.Option(help="TOML file of settings and layout.")] = None,
    json: Json = False,
) -> None:
    """Show every setting in force and where its value came from."""
    show = settings_command.print_json if json else settings_command.print_table
    show(os.environ, {"config_file": config})


@app.command("healthcheck", epilog=MEANINGS)
def healthcheck_command(
    *,
    url: Annotated[str, typer.Option(help="Address of the service.")] = "",
    json: Json = False,
) -> None:
    """Tell whether the service on this host works."""
    status = healthcheck(os.environ, url)
    if json:
        print_json({"status": status})
    else:
        print_text(status)


app.add_typer(gateway_commands.app)
app.add_typer(plan_command.app)
app.add_typer(doctor.app)
app.add_typer(layout_commands.app)
app.add_typer(bootstrap_commands.app)
app.add_typer(cert_commands.app)
app.add_typer(keeping_commands.app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a failure is told on standard error and is exit code 1.

    ``arguments`` are the process's own by default. Ends with ``SystemExit``, whatever happens.
    """
    try:
        app(args=None if arguments is None else list(arguments), prog_name="provision")
    except (ProvisionError, LayoutFault, BootstrapError) as error:
        for line in _told(error):
            note(line)
        sys.exit(REFUSED)
    except OSError as error:
        note(f"provision: {error}")
        note("  next: run this as the user that the service runs as, or name another --data")
        sys.exit(REFUSED)


def _told(error: ProvisionError | LayoutFault | BootstrapError) -> list[str]:
    if isinstance(error, LayoutError):
        return [
            *map(str, error.problems),
            "provision: the layout is refused",
            "  next: mend the file, and check it with provision layout lint",
        ]
    message = str(error) if isinstance(error, LayoutFault) else error.message
    lines = [f"provision: {message}"]
    if isinstance(error, CommandFailed) and error.try_next:
        lines.append(f"  next: {error.try_next}")
    return lines


if __name__ == "__main__":
    main()
