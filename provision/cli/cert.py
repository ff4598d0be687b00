"""``provision cert``: certificates of clients, and of the broker."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import frozen

from provision.cli.client import Connection, Data, connected
from provision.cli.output import (
    MEANINGS,
    CommandFailed,
    Json,
    note,
    print_done,
    print_json,
    print_table,
    print_text,
)
from provision.layout.model import parse_lifetime
from provision.pki.errors import KeyTypeUnknown, PkiError
from provision.pki.keys import KeyType, PrivateKey, make_key
from provision.pki.profiles import IssuedCertificate, ServerNames, read_server_names
from provision.settings import Settings
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory
from provision.store.private_files import write_private

server_app = typer.Typer(rich_markup_mode=None)


@frozen
class Made:
    """A server's certificate, what is shown beside it, what verifies it, and its key."""

    issued: IssuedCertificate
    shown_with: str
    chain: str
    key: PrivateKey
    revoked: int

    def files(self) -> dict[str, str]:
        """Return what is written: file name to PEM."""
        return {
            "cert.pem": self.issued.pem + self.shown_with,
            "key.pem": self.key.pem(),
            "ca.pem": self.chain,
        }


@server_app.command("server", epilog=MEANINGS)
def server(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="What devices connect to: a DNS name or an IP address."
        ),
    ],
    *,
    dns: Annotated[
        list[str] | None, typer.Option("--dns", help="Another DNS name; may be repeated.")
    ] = None,
    ip: Annotated[
        list[str] | None, typer.Option("--ip", help="Another IP address; may be repeated.")
    ] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid, such as 8760h.")] = "8760h",
    key_type: Annotated[
        str, typer.Option(help="rsa-2048, rsa-4096, ec-p256, ec-p384 or ed25519.")
    ] = "ec-p256",
    revoke_earlier: Annotated[
        bool, typer.Option("--revoke-earlier", help="Revoke the earlier certificates of NAME.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--out", help="Directory for cert.pem, key.pem and ca.pem.", file_okay=False),
    ] = None,
    data: Data = "",
    json: Json = False,
) -> None:
    """Issue a server certificate, for the broker.

    The authority is the one that devices trust. Run the command on the service's host: it works
    on the data directory. The service may run.
    """
    settings = load(os.environ, {"data": data or None}).settings
    if not Path(settings.data).is_dir():
        raise CommandFailed(
            f"there is no data directory {settings.data}",
            "run this on the service's host, and name its directory with --data",
        )
    names, lifetime, kind = _wish(name, [*(dns or ()), *_addresses(ip or ())], ttl, key_type)
    if directory is not None:
        _prepare(directory)
    try:
        made = asyncio.run(_issue(settings, names, make_key(kind), lifetime, revoke_earlier))
    except PkiError as error:
        raise CommandFailed(error.message) from error
    _hand_over(made, names, directory, json=json)


def _wish(
    name: str, more: list[str], ttl: str, key_type: str
) -> tuple[ServerNames, timedelta, KeyType]:
    try:
        return (
            read_server_names(name, more),
            timedelta(seconds=parse_lifetime(ttl)),
            KeyType.named(key_type, 0),
        )
    except KeyTypeUnknown as error:
        raise CommandFailed(f"--key-type: {error}") from error
    except PkiError as error:
        raise CommandFailed(error.message) from error
    except (ValueError, OverflowError) as error:
        raise CommandFailed(f"--ttl: {error}", "write it as 8760h") from error


def _addresses(texts: list[str] | tuple[()]) -> list[str]:
    for text in texts:
        try:
            ipaddress.ip_address(text)
        except ValueError as error:
            raise CommandFailed(
                f"--ip: {text!r} is no IP address", "give DNS names with --dns"
            ) from error
    return list(texts)


async def _issue(
    settings: Settings,
    names: ServerNames,
    key: PrivateKey,
    lifetime: timedelta,
    revoke_earlier: bool,  # noqa: FBT001 - the option's own value
) -> Made:
    # A quarter of a second of imports that no other command needs.
    from provision.platform_choice import open_server_certificates
    from provision.store.database import migrate, open_engine

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
    return Made(issued, authority.chain_below_root, authority.chain, key, revoked)


def _hand_over(made: Made, names: ServerNames, directory: Path | None, *, json: bool) -> None:
    if directory is not None:
        write_files(directory, made.files())
    told = [*names.dns_names, *map(str, names.addresses)]
    if json:
        document: dict[str, Any] = {
            "serial_number": made.issued.serial,
            "expiry_time": made.issued.expires_at.isoformat(),
            "names": told,
            "revoked": made.revoked,
        }
        if directory is None:
            files = made.files()
            document |= {"certificate": files["cert.pem"], "key": files["key.pem"]}
            document["ca_cert"] = files["ca.pem"]
        print_json(document)
    elif directory is None:
        print_text("".join(made.files().values()))
    note(f"certificate {made.issued.serial} for {', '.join(told)}")
    note(f"valid until {made.issued.expires_at:%Y-%m-%d %H:%M} UTC")
    if made.revoked:
        note(f"{made.revoked} earlier ones are revoked: give the broker the new CRL, too")


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write a certificate and its key into a directory, and say so.

    Raises ``CommandFailed``: it can't be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_private(directory / name, text)
            note(f"wrote {directory / name}")
    except OSError as error:
        raise CommandFailed(
            f"{directory} cannot be written to: {error.strerror}",
            "issue another one into a directory that can; the key is shown once",
        ) from error


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


app = typer.Typer(
    name="cert",
    help="Certificates of clients, and of the broker.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


app.add_typer(server_app)


@app.command("issue", epilog=MEANINGS)
@connected
def issue(
    connection: Connection,
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")],
    *,
    ttl: Annotated[str, typer.Option(help="How long it is valid, such as 2400h.")] = "",
    key_type: Annotated[
        str, typer.Option(help="rsa-2048, rsa-4096, ec-p256, ec-p384 or ed25519.")
    ] = "",
    csr: Annotated[
        Path | None,
        typer.Option(help="PEM file of a PKCS #10 request.", exists=True, dir_okay=False),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--out", help="Directory for cert.pem, key.pem and ca.pem.", file_okay=False),
    ] = None,
    json: Json = False,
) -> None:
    """Issue a certificate for a client; its key is shown once."""
    body: dict[str, Any] = {"client_id": client_id}
    body |= {key: value for key, value in (("ttl", ttl), ("key_type", key_type)) if value}
    if csr is not None:
        body["csr"] = _read(csr)
    with connection.open() as client:
        made = client.ask("POST", client.in_domain("cert"), body)
    if directory is not None:
        _write(directory, made)
    if json:
        print_json(made)
    elif directory is None:
        print_text(made["certificate"] + (made["key"] or "") + made["ca_cert"])
    note(f"certificate {made['serial_number']}, valid until {made['expiry_time']}")


@app.command("list", epilog=MEANINGS)
@connected
def list_certificates(
    connection: Connection,
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")] = "",
    *,
    gateway: Annotated[str, typer.Option(help="External ID: all certificates of a gateway.")] = "",
    json: Json = False,
) -> None:
    """List the certificates of a client or of a gateway."""
    if bool(client_id) == bool(gateway):
        raise typer.BadParameter("give either CLIENT_ID or --gateway")
    query = {"client_id": client_id} if client_id else {"external_id": gateway}
    with connection.open() as client:
        found = client.ask("GET", client.in_domain("cert"), query=query)
    if json:
        print_json(found)
        return
    print_table(
        ("serial number", "client", "until", "revoked"),
        (
            (e["serial_number"], e["client_id"], e["expiry_time"], e.get("revoked", False))
            for e in found["certificates"]
        ),
        f"there are no certificates of {client_id or gateway}",
    )


@app.command("revoke", epilog=MEANINGS)
@connected
def revoke(
    connection: Connection,
    serial: Annotated[str, typer.Argument(metavar="SERIAL_NUMBER")],
    *,
    json: Json = False,
) -> None:
    """Revoke a certificate."""
    with connection.open() as client:
        client.ask("POST", client.in_domain("cert", serial, "revoke"))
    done = {"serial_number": serial, "revoked": True}
    print_done(f"certificate {serial} is revoked", done, json=json)


@app.command("renew", epilog=MEANINGS)
@connected
def renew(
    connection: Connection,
    serial: Annotated[str, typer.Argument(metavar="SERIAL_NUMBER")],
    *,
    csr: Annotated[
        Path | None,
        typer.Option(help="PEM file of the device's next request.", exists=True, dir_okay=False),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--out", help="Directory for cert.pem, key.pem and ca.pem.", file_okay=False),
    ] = None,
    json: Json = False,
) -> None:
    """Issue the next certificate before one ends.

    The device gets the new certificate at its next fetch. The present certificate stays valid
    until then, and for MG_PROVISION_RENEWAL_OVERLAP after that.
    """
    body = {"csr": _read(csr)} if csr is not None else {}
    with connection.open() as client:
        made = client.ask("POST", client.in_domain("cert", serial, "renew"), body)
    if directory is not None:
        _write(directory, made)
    if json:
        print_json(made)
    note(f"certificate {made['serial_number']}, valid until {made['expiry_time']}")


def _write(directory: Path, made: dict[str, Any]) -> None:
    files = {"cert.pem": made["certificate"], "key.pem": made["key"], "ca.pem": made["ca_cert"]}
    write_files(directory, {name: text for name, text in files.items() if text})


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{file} cannot be read: {error}",
            "a request in PEM form is needed: openssl req -inform DER -in FILE makes it of DER",
        ) from error
