"""``provision cert server``: a server's certificate, issued on the service's own host."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import frozen

from provision.cli.output import CommandFailed, note, print_json, print_text, write_private_files
from provision.layout.model import parse_lifetime
from provision.pki.errors import KeyTypeUnknown, PkiError
from provision.pki.keys import KeyType, PrivateKey, make_key
from provision.pki.profiles import IssuedCertificate, ServerNames, read_server_names
from provision.platform_choice import open_server_certificates
from provision.settings import Settings
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory
from provision.store.database import migrate, open_engine


@frozen
class ServerOptions:
    """What the options say: a name and more of them, how long it is valid, and its key's type."""

    name: str
    more_names: Sequence[str]
    ttl: str
    key_type: str
    revoke_earlier: bool

    def read(self) -> tuple[ServerNames, timedelta, KeyType]:
        """Return names, lifetime and type. Raises ``CommandFailed``: one of them is not right."""
        try:
            return (
                read_server_names(self.name, self.more_names),
                timedelta(seconds=parse_lifetime(self.ttl)),
                KeyType.named(self.key_type, 0),
            )
        except KeyTypeUnknown as error:
            raise CommandFailed(f"--key-type: {error}") from error
        except PkiError as error:
            raise CommandFailed(error.message) from error
        except (ValueError, OverflowError) as error:
            raise CommandFailed(f"--ttl: {error}", "write it as 8760h") from error


@frozen
class Issued:
    """A server's certificate, what is shown beside it, what verifies it, and its key."""

    certificate: IssuedCertificate
    shown_with: str
    chain: str
    key: PrivateKey
    revoked: int

    def files(self) -> dict[str, str]:
        """Return what is written: file name to PEM."""
        return {
            "cert.pem": self.certificate.pem + self.shown_with,
            "key.pem": self.key.pem(),
            "ca.pem": self.chain,
        }


def issue(options: ServerOptions, data: str, directory: Path | None, *, json: bool) -> None:
    """Issue a certificate with the authority in the data directory, and hand it over.

    Raises ``CommandFailed``: an option is not right, or nothing can be written.
    """
    settings = load(os.environ, {"data": data or None}).settings
    if not Path(settings.data).is_dir():
        raise CommandFailed(
            f"there is no data directory {settings.data}",
            "run this on the service's host, and name its directory with --data",
        )
    names, lifetime, kind = options.read()
    if directory is not None:
        _prepare(directory)
    try:
        work = _issue(settings, names, make_key(kind), lifetime, options.revoke_earlier)
        made = asyncio.run(work)
    except PkiError as error:
        raise CommandFailed(error.message) from error
    _hand_over(made, names, directory, json=json)


def _prepare(directory: Path) -> None:
    """See that files can be written before anything is issued."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(
            f"{directory} cannot be made: {error.strerror}", "name another one with --out"
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise CommandFailed(f"{directory} cannot be written to", "name another one with --out")


async def _issue(
    settings: Settings,
    names: ServerNames,
    key: PrivateKey,
    lifetime: timedelta,
    revoke_earlier: bool,  # noqa: FBT001 - the option's own value
) -> Issued:
    directory = DataDirectory(Path(settings.data))
    with directory.holding_keys():
        engine = open_engine(settings.database)
        try:
            await migrate(engine)
            sealer = directory.sealer(settings.sealing_keys)
            authority = await open_server_certificates(
                settings, engine, sealer, lambda: datetime.now(UTC)
            )
            issued = await authority.issue(names, key, lifetime)
            revoked = await authority.revoke_earlier(names, issued) if revoke_earlier else 0
        finally:
            await engine.dispose()
    return Issued(issued, authority.chain_below_root, authority.chain, key, revoked)


def _hand_over(made: Issued, names: ServerNames, directory: Path | None, *, json: bool) -> None:
    if directory is not None:
        write_private_files(directory, made.files())
    shown = [*names.dns_names, *map(str, names.addresses)]
    if json:
        document: dict[str, Any] = {
            "serial_number": made.certificate.serial,
            "expiry_time": made.certificate.expires_at.isoformat(),
            "names": shown,
            "revoked": made.revoked,
        }
        if directory is None:
            files = made.files()
            document |= {"certificate": files["cert.pem"], "key": files["key.pem"]}
            document["ca_cert"] = files["ca.pem"]
        print_json(document)
    elif directory is None:
        print_text("".join(made.files().values()))
    note(f"certificate {made.certificate.serial} for {', '.join(shown)}")
    note(f"valid until {made.certificate.expires_at:%Y-%m-%d %H:%M} UTC")
    if made.revoked:
        note(f"{made.revoked} earlier ones are revoked: give the broker the new CRL, too")
