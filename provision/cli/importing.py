"""An import as it is carried out: rows read from their source and taken into the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import httpx
from attrs import frozen

from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.formats.documents import decode_text
from bootstrap_core.importing import Importer, Outcome, Record, read_api, read_dump
from bootstrap_core.keys import KeyHasher
from bootstrap_core.secrets import Sealer, Secret
from provision.cli.output import CommandFailed
from provision.settings import Settings
from provision.store.database import migrate, open_engine

TIMEOUT: Final = 60.0


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


async def carry_out(
    settings: Settings,
    sealer: Sealer,
    transport: SecureTransport | None,
    source: Source,
    told: Callable[[], None],
) -> list[Outcome]:
    """Take every row of ``source``; return what became of each. ``told`` hears of each.

    Raises ``BootstrapError`` and ``CommandFailed``.
    """
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


def _lines(file: str) -> list[str]:
    try:
        return decode_text(Path(file).read_bytes()).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{file} cannot be read: {error}",
            "name a dump as JSON lines, or the Go service's address with http:// or https://",
        ) from error
