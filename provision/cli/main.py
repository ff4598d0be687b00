"""``provision``: all commands, and what a failure prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bootstrap_core.errors import BootstrapError
from provision.build_info import release
from provision.cli import bootstrap, broker, cert, doctor, gateways, host, layout, plan
from provision.cli.output import MEANINGS, REFUSED, CommandFailed, note
from provision.errors import ProvisionError
from provision.layout.errors import LayoutError, LayoutFault


class Commands(TyperGroup):
    """The commands; what is wrong with their options is said in our own words."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as the class that it is of
        """Run the command that was given."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    cls=Commands,
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


app.add_typer(host.app)
app.add_typer(gateways.app)
app.add_typer(plan.app)
app.add_typer(doctor.app)
app.add_typer(layout.app)
app.add_typer(bootstrap.app)
app.add_typer(cert.app)
app.add_typer(gateways.leftovers_app)
app.add_typer(broker.app)
app.add_typer(host.data_app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a failure is a message on standard error and exit code 1.

    ``arguments`` are the process's own by default. Ends with ``SystemExit``, whatever happens.
    """
    if sys.stdout is None:
        # Whoever closed standard output wants no result.
        _drop_results()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that has no such character shows its code; the command goes on.
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(args=None if arguments is None else list(arguments), prog_name="provision")
        finally:
            sys.stdout.flush()
    except (ProvisionError, LayoutFault, BootstrapError) as error:
        for line in _error_lines(error):
            note(line)
        sys.exit(REFUSED)
    except UnicodeError:
        note("provision: an argument, a variable or an answer is not valid UTF-8")
        note("  next: set a UTF-8 locale, such as LC_ALL=C.UTF-8, and give the text again")
        sys.exit(REFUSED)
    except OSError as error:
        for line in _system_error_lines(error):
            note(line)
        sys.exit(REFUSED)


def _drop_results() -> None:
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the process's end


def _system_error_lines(error: OSError) -> list[str]:
    if error.filename is None:
        # What has no name here is standard output; Python would try to write the rest at its end.
        _drop_results()
        return [
            f"provision: the result cannot be written: {error.strerror or error}",
            "  next: send standard output to where there is room",
        ]
    return [
        f"provision: {error.filename} cannot be used: {error.strerror}",
        "  next: run this as the user that the service runs as, or name another --data",
    ]


def _error_lines(error: ProvisionError | LayoutFault | BootstrapError) -> list[str]:
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
