"""The installation's own root and issuer: made at the first start, kept with their keys sealed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Sealer
from bootstrap_core.store.reseal import reseal_column
from provision.embedded.sealing import Seal
from provision.embedded.tables import authorities
from provision.pki.errors import IssuerUnusable
from provision.pki.issuer import Issuer, assemble, make_hierarchy, read_issuer
from provision.pki.keys import read_key
from provision.pki.status import CRL_LIFETIME, make_revocation_list, read_revocation_lists

OWN: Final = "own"


async def open_issuer(engine: AsyncEngine, seal: Seal, organization: str, now: datetime) -> Issuer:
    """Return the installation's own issuer; at the first start it is made, with its root.

    ``organization`` names a new one. Raises ``IssuerUnusable`` when what is stored has expired.
    """
    query = select(authorities).where(authorities.c.id == OWN)
    async with engine.connect() as connection:
        row = (await connection.execute(query)).mappings().first()
    if row is None:
        with contextlib.suppress(IntegrityError):  # another process was faster: its issuer counts
            await _make_issuer(engine, seal, organization, now)
        async with engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one()
    key = seal.open(row["issuer_key"], _binding("issuer_key"))
    return read_issuer(row["chain"].encode(), key, now)


async def open_root(engine: AsyncEngine, seal: Seal, now: datetime) -> Issuer:
    """Return the root above the installation's own issuer, which must have been made.

    Raises ``IssuerUnusable`` when it has expired.
    """
    query = select(authorities).where(authorities.c.id == OWN)
    async with engine.connect() as connection:
        row = (await connection.execute(query)).mappings().one()
    root = x509.load_pem_x509_certificates(row["chain"].encode())[-1]
    return assemble([root], read_key(seal.open(row["root_key"], _binding("root_key"))), now)


async def reseal_issuer(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal the authority's keys with the newest key; return how many values changed.

    Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    changed = 0
    for column in (authorities.c.issuer_key, authorities.c.root_key):
        place = partial(_binding, column.name)
        changed += await reseal_column(engine, sealer, (authorities.c.id,), column, place)
    return changed


async def _make_issuer(engine: AsyncEngine, seal: Seal, organization: str, now: datetime) -> None:
    made = make_hierarchy(organization, now)
    keys = {"issuer_key": made.intermediate.key, "root_key": made.root.key}
    sealed = {name: seal.seal(key.pem().encode(), _binding(name)) for name, key in keys.items()}
    async with engine.begin() as connection:
        await connection.execute(
            insert(authorities).values(
                id=OWN, chain=made.intermediate.chain_pem(), created_at=now, **sealed
            )
        )


def _binding(column: str, authority: str = OWN) -> str:
    return f"platform_authorities/{authority}/{column}"


MOST_FILE_BYTES: Final = 16_000_000


class UpperLists(Protocol):
    """Knows the CRLs of the authorities above the issuer."""

    async def current(self) -> Sequence[bytes]:
        """Return them, DER encoded. Raises ``IssuerUnusable``: one can't be had."""
        ...


class NoUpperLists:
    """There is no authority above, or its CRL is not known here."""

    async def current(self) -> Sequence[bytes]:
        """Return nothing."""
        return ()


class RootList:
    """The CRL of the installation's own root, which has revoked nothing.

    The root's key is unsealed for each signing, and not kept.
    """

    def __init__(self, engine: AsyncEngine, seal: Seal, now: Callable[[], datetime]) -> None:
        """Sign with the root's key in ``engine``."""
        self._engine = engine
        self._seal = seal
        self._now = now
        self._list: tuple[datetime, bytes] | None = None

    async def current(self) -> Sequence[bytes]:
        """Return the list; it is signed again when half its time has passed."""
        now = self._now().replace(microsecond=0)
        if self._list is None or now >= self._list[0]:
            root = await open_root(self._engine, self._seal, now)
            self._list = now + CRL_LIFETIME / 2, make_revocation_list(root, (), now)
        return (self._list[1],)


class OperatorsLists:
    """The CRLs that the operator of the authorities above puts into a file (PEM or DER)."""

    def __init__(self, file: Path, issuer: Issuer, now: Callable[[], datetime]) -> None:
        """Look at ``file`` each time, so that a newer one counts without a restart."""
        self._file = file
        self._issuer = issuer
        self._now = now
        self._known: tuple[object, Sequence[x509.CertificateRevocationList]] = (None, ())

    async def current(self) -> Sequence[bytes]:
        """Return the lists, each of which was signed by an authority of the chain.

        Raises ``IssuerUnusable``: the file holds something else, or a list that has ended.
        """
        lists = await asyncio.to_thread(self._read)
        if ended := self._ended(lists):
            raise IssuerUnusable(f"issuer_crl: {ended}")
        return [each.public_bytes(Encoding.DER) for each in lists]

    def check(self) -> tuple[Sequence[bytes], str]:
        """Return the lists, and what has ended of them, which is no reason not to start."""
        lists = self._read()
        return [each.public_bytes(Encoding.DER) for each in lists], self._ended(lists)

    def _ended(self, lists: Sequence[x509.CertificateRevocationList]) -> str:
        now = self._now()
        ended = [each for each in lists if each.next_update_utc and each.next_update_utc <= now]
        return "; ".join(
            f"the CRL of {each.issuer.rfc4514_string()!r} has ended at {each.next_update_utc}: put "
            "the authority's next one into the file"
            for each in ended
        )

    def _read(self) -> Sequence[x509.CertificateRevocationList]:
        try:
            seen = self._file.stat()
            state = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
            if self._known[0] != state:
                self._known = (state, self._parsed())
        except OSError as error:
            raise IssuerUnusable(f"issuer_crl: {error.strerror}") from error
        return self._known[1]

    def _parsed(self) -> Sequence[x509.CertificateRevocationList]:
        with self._file.open("rb") as opened:
            text = opened.read(MOST_FILE_BYTES + 1)
        if len(text) > MOST_FILE_BYTES:
            raise IssuerUnusable(f"issuer_crl: the file is over {MOST_FILE_BYTES} bytes")
        try:
            return read_revocation_lists(text, self._issuer)
        except IssuerUnusable as error:
            raise IssuerUnusable(f"issuer_crl: {error.message}") from error


def as_pem(lists: Sequence[bytes]) -> str:
    """Return CRLs (DER) one after the other as PEM, each under the name of its authority."""
    parts = []
    for der in lists:
        each = x509.load_der_x509_crl(der)
        parts.append(f"{each.issuer.rfc4514_string()}\n{each.public_bytes(Encoding.PEM).decode()}")
    return "".join(parts)
