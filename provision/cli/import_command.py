"""``provision bootstrap import``: configs, profiles and bindings of the Go service, taken over."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from attrs import asdict

from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.errors import BootstrapError
from bootstrap_core.secrets import Secret
from provision.cli.client import Data, Domain, Token, read_json
from provision.cli.output import (
    MEANINGS,
    REFUSED,
    CommandFailed,
    Json,
    note,
    print_json,
    print_table,
    progress,
)
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory

if TYPE_CHECKING:
    from bootstrap_core.importing import Outcome

CREATED: Final = "created"
READ: Final = "read"
FAILED: Final = "failed"

Keys = Annotated[
    str,
    typer.Option(help="With a URL: JSON of external IDs and their keys, or @FILE that has it."),
]
EncryptKey = Annotated[
    str,
    typer.Option(
        envvar="MG_BOOTSTRAP_ENCRYPT_KEY",
        help="The Go service's key, which opens the secrets of a dump.",
    ),
]

app = typer.Typer(rich_markup_mode=None)


def _device_keys(text: str) -> dict[str, Secret]:
    document = read_json(text)
    if not isinstance(document, dict):
        raise CommandFailed(
            "--keys is no JSON object", """write it as '{"EXTERNAL_ID": "EXTERNAL_KEY"}'"""
        )
    return {str(key): Secret(str(value)) for key, value in document.items()}


@app.command("import", epilog=MEANINGS)
def import_command(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE|URL", help="A dump as JSON lines, or the Go service's URL."),
    ],
    *,
    keys: Keys = "{}",
    encrypt_key: EncryptKey = "",
    into_domain: Annotated[
        str, typer.Option(help="Put all rows into this domain; default: each into its own.")
    ] = "",
    token: Token = "",
    domain: Domain = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Take over the data of a Go bootstrap service.

    The service here must be stopped.
    Rows that are here already stay as they are, so you may repeat an import.
    """
    # A quarter of a second of imports that no other command needs.
    from bootstrap_core.importing import is_uuid
    from provision.cli.importing import Source, carry_out, is_address

    if into_domain and not is_uuid(into_domain):
        raise typer.BadParameter(f"--into-domain takes a domain's ID, not {into_domain!r}")
    if is_address(source) and not (domain and token):
        raise typer.BadParameter("reading the API needs --domain and --token")
    known = _device_keys(keys)
    settings = load(os.environ, {"data": data or None}).settings
    directory = DataDirectory(Path(settings.data))
    directory.prepare()
    try:
        sealer = directory.sealer(settings.sealing_keys)
        transport = SecureTransport(Secret(encrypt_key)) if encrypt_key else None
        given = Source(source, domain, into_domain, Secret(token), known)
        with progress() as bar:
            task = bar.add_task("Importing", total=None)
            outcomes = asyncio.run(
                carry_out(settings, sealer, transport, given, lambda: bar.advance(task))
            )
    except BootstrapError as error:
        cure = "check the address, --domain and --token" if is_address(source) else ""
        raise CommandFailed(error.message, cure) from error
    finally:
        directory.release()
    _report(outcomes, json=json)


def _report(outcomes: list[Outcome], *, json: bool) -> None:
    if json:
        print_json({"rows": [asdict(each) for each in outcomes]})
    else:
        told = [each for each in outcomes if each.result.value not in (CREATED, READ)]
        if told:
            print_table(
                ("what", "where", "ID", "result", "why"),
                ((e.kind.value, e.place, e.id, e.result.value, e.message) for e in told),
            )
    counted = Counter(each.result.value for each in outcomes)
    note(", ".join(f"{count} {result}" for result, count in counted.items()) or "nothing to import")
    if counted[FAILED]:
        raise typer.Exit(REFUSED)
