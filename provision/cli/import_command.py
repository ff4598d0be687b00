"""``provision bootstrap import``: configs, profiles and bindings of the Go service, taken over."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from attrs import asdict, frozen

from bootstrap_core.errors import BootstrapError
from bootstrap_core.import_sources import Record, read_api, read_dump
from bootstrap_core.importing import Importer, Outcome, Result
from bootstrap_core.keys import KeyHasher
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from bootstrap_core.secure_transport import SecureTransport
from provision.cli.client import Data, Domain, Token, read_json
from provision.cli.exits import MEANINGS, REFUSED, CommandFailed
from provision.cli.output import Json, note, print_json, print_table, progress
from provision.data_directory import DataDirectory
from provision.database import migrate, open_engine
from provision.settings import Settings
from provision.settings_reader import load

TIMEOUT: Final = 60.0

app = typer.Typer(rich_markup_mode=None)


@frozen
class Source:
    """Where the rows come from: a dump's file, or the Go service's API with the devices' keys."""

    place: str
    domain: str
    into_domain: str
    token: Secret
    keys: dict[str, Secret]

    async def records(self) -> AsyncIterator[Record]:
        """Yield the rows. Raises ``BootstrapError`` and ``CommandFailed``."""
        if is_address(self.place):
            async with httpx.AsyncClient(base_url=self.place, timeout=TIMEOUT) as http:
                async for record in read_api(http, self.domain, self.token, self.keys):
                    yield record
            return
        for record in read_dump(_lines(self.place)):
            yield record


def is_address(source: str) -> bool:
    """Tell whether ``source`` is the address of a service, not the name of a file."""
    return source.startswith(("http://", "https://"))


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{file} cannot be read: {error}",
            "name a dump as JSON lines, or the Go service's address with http:// or https://",
        ) from error


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
    keys: Annotated[
        str,
        typer.Option(help="With a URL: JSON of external IDs and their keys, or @FILE that has it."),
    ] = "{}",
    encrypt_key: Annotated[
        str,
        typer.Option(
            envvar="MG_BOOTSTRAP_ENCRYPT_KEY",
            help="The Go service's key, which opens the secrets of a dump.",
        ),
    ] = "",
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
    What is here already stays as it is, so that an import may be repeated.
    """
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
                _run(settings, sealer, transport, given, lambda: bar.advance(task))
            )
    except BootstrapError as error:
        cure = "check the address, --domain and --token" if is_address(source) else ""
        raise CommandFailed(error.message, cure) from error
    finally:
        directory.release()
    _report(outcomes, json=json)


async def _run(
    settings: Settings,
    sealer: Sealer,
    transport: SecureTransport | None,
    source: Source,
    told: Callable[[], None],
) -> list[Outcome]:
    engine = open_engine(settings.database)
    hasher = KeyHasher()
    try:
        await migrate(engine)
        importer = Importer(
            engine, sealer, hasher, transport=transport, into_domain=source.into_domain
        )
        outcomes = []
        async for record in source.records():
            outcomes.append(await importer.take(record))
            told()
        return outcomes
    finally:
        hasher.close()
        await engine.dispose()


def _report(outcomes: list[Outcome], *, json: bool) -> None:
    if json:
        print_json({"rows": [asdict(each) for each in outcomes]})
    else:
        told = [each for each in outcomes if each.result is not Result.CREATED]
        if told:
            print_table(
                ("what", "where", "ID", "result", "why"),
                ((e.kind.value, e.place, e.id, e.result.value, e.message) for e in told),
            )
    counted = Counter(each.result.value for each in outcomes)
    note(", ".join(f"{count} {result}" for result, count in counted.items()) or "nothing to import")
    if Result.FAILED.value in counted:
        raise typer.Exit(REFUSED)
