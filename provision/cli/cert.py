"""``provision cert``: certificates of clients, and of the broker."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any

import typer

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
    write_private_files,
)

server_app = typer.Typer(rich_markup_mode=None)


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
    # Cryptography and the store take a while to import, and no other command needs both.
    from provision.cli.server_certificate import ServerOptions, issue

    options = ServerOptions(
        name, [*(dns or ()), *_addresses(ip or ())], ttl, key_type, revoke_earlier
    )
    issue(options, data, directory, json=json)


def _addresses(texts: list[str] | tuple[()]) -> list[str]:
    for text in texts:
        try:
            ipaddress.ip_address(text)
        except ValueError as error:
            raise CommandFailed(
                f"--ip: {text!r} is no IP address", "give DNS names with --dns"
            ) from error
    return list(texts)


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
            (row["serial_number"], row["client_id"], row["expiry_time"], row.get("revoked", False))
            for row in found["certificates"]
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
    write_private_files(directory, {name: text for name, text in files.items() if text})


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{file} cannot be read: {error}",
            "a request in PEM form is needed: openssl req -inform DER -in FILE makes it of DER",
        ) from error
