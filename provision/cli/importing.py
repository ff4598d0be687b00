"""``provision bootstrap import``: configs, profiles and bindings of the Go service, taken over."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import httpx
import typer
from attrs import asdict, field, frozen

from bootstrap_core.errors import BootstrapError
from bootstrap_core.formats.documents import decode_text
from bootstrap_core.secrets import Sealer, Secret
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
from provision.settings import Settings
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory

if TYPE_CHECKING:
    from bootstrap_core.importing import Outcome, Record

TIMEOUT: Final = 60.0
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

    if into_domain and not is_uuid(into_domain):
        raise typer.BadParameter(f"--into-domain takes a domain's ID, not {into_domain!r}")
    if is_address(source) and not (domain and token):
        raise typer.BadParameter("reading the API needs --domain and --token")
    given = Source(source, domain, Secret(token), _device_keys(keys))
    settings = load(os.environ, {"data": data or None}).settings
    directory = DataDirectory(Path(settings.data))
    directory.prepare()
    try:
        sealer = directory.sealer(settings.sealing_keys)
        with progress() as bar:
            task = bar.add_task("Importing", total=None)
            work = _import(
                settings, sealer, encrypt_key, given, into_domain, lambda: bar.advance(task)
            )
            outcomes = asyncio.run(work)
    except BootstrapError as error:
        cure = "check the address, --domain and --token" if is_address(source) else ""
        raise CommandFailed(error.message, cure) from error
    finally:
        directory.release()
    _report(outcomes, json=json)


@frozen
class Source:
    """Where the rows come from: a dump's file, or the Go service's API with the devices' keys."""

    place: str
    domain: str
    token: Secret
    keys: dict[str, Secret] = field(repr=False)

    async def records(self) -> AsyncIterator[Record]:
        """Yield the rows. Raises ``BootstrapError`` and ``CommandFailed``."""
        from bootstrap_core.importing import read_api, read_dump

        if is_address(self.place):
            async with httpx.AsyncClient(base_url=self.place, timeout=TIMEOUT) as http:
                async for record in read_api(http, self.domain, self.token, self.keys):
                    yield record
            return
        for record in read_dump(_lines(self.place)):
            yield record


def is_address(source: str) -> bool:
    """Return whether ``source`` is the address of a service, not the name of a file."""
    return source.startswith(("http://", "https://"))


async def _import(
    settings: Settings,
    sealer: Sealer,
    encrypt_key: str,
    source: Source,
    into_domain: str,
    advance: Callable[[], None],
) -> list[Outcome]:
    """Take every row of ``source``; return what became of each. ``advance`` is called after it."""
    from bootstrap_core.delivery.secure_transport import SecureTransport
    from bootstrap_core.importing import Importer
    from bootstrap_core.keys import KeyHasher
    from provision.store.database import migrate, open_engine

    transport = SecureTransport(Secret(encrypt_key)) if encrypt_key else None
    engine = open_engine(settings.database)
    hasher = KeyHasher()
    try:
        await migrate(engine)
        importer = Importer(engine, sealer, hasher, transport=transport, into_domain=into_domain)
        outcomes = []
        async for record in source.records():
            outcomes.append(await importer.take(record))
            advance()
        return outcomes
    finally:
        hasher.close()
        await engine.dispose()


def _device_keys(text: str) -> dict[str, Secret]:
    document = read_json(text)
    if not isinstance(document, dict):
        raise CommandFailed(
            "--keys is no JSON object", """write it as '{"EXTERNAL_ID": "EXTERNAL_KEY"}'"""
        )
    return {str(key): Secret(str(value)) for key, value in document.items()}


def _lines(file: str) -> list[str]:
    try:
        return decode_text(Path(file).read_bytes()).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{file} cannot be read: {error}",
            "name a dump as JSON lines, or the Go service's address with http:// or https://",
        ) from error


def _report(outcomes: Sequence[Outcome], *, json: bool) -> None:
    if json:
        print_json({"rows": [asdict(outcome) for outcome in outcomes]})
    else:
        shown = [outcome for outcome in outcomes if outcome.result.value not in (CREATED, READ)]
        if shown:
            print_table(
                ("what", "where", "ID", "result", "why"),
                (
                    (row.kind.value, row.place, row.id, row.result.value, row.message)
                    for row in shown
                ),
            )
    counted = Counter(outcome.result.value for outcome in outcomes)
    note(", ".join(f"{count} {result}" for result, count in counted.items()) or "nothing to import")
    if counted[FAILED]:
        raise typer.Exit(REFUSED)
