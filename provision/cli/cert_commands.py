"""``provision cert``: certificates of clients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from provision.cli.client import Data, Domain, Token, Url, connect
from provision.cli.exits import MEANINGS, CommandFailed
from provision.cli.output import Json, note, print_done, print_json, print_table, print_text
from provision.private_files import write_private

app = typer.Typer(
    name="cert",
    help="Certificates of clients.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


@app.command("issue", epilog=MEANINGS)
def issue(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")],
    *,
    ttl: Annotated[str, typer.Option(help="How long it is valid, as 2400h.")] = "",
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
    url: Url = "",
    token: Token = "",
    domain: Domain = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Issue a certificate for a client; its key is shown once."""
    body: dict[str, Any] = {"client_id": client_id}
    body |= {key: value for key, value in (("ttl", ttl), ("key_type", key_type)) if value}
    if csr is not None:
        body["csr"] = _read(csr)
    with connect(os.environ, url, token, domain, data) as client:
        made = client.ask("POST", client.in_domain("cert"), body)
    if directory is not None:
        _write(directory, made)
    if json:
        print_json(made)
    elif directory is None:
        print_text(made["certificate"] + (made["key"] or "") + made["ca_cert"])
    note(f"certificate {made['serial_number']}, valid until {made['expiry_time']}")


@app.command("list", epilog=MEANINGS)
def list_certificates(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")] = "",
    *,
    gateway: Annotated[str, typer.Option(help="External ID: all certificates of a gateway.")] = "",
    url: Url = "",
    token: Token = "",
    domain: Domain = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """List the certificates of a client or of a gateway."""
    if bool(client_id) == bool(gateway):
        raise typer.BadParameter("give either CLIENT_ID or --gateway")
    query = {"client_id": client_id} if client_id else {"external_id": gateway}
    with connect(os.environ, url, token, domain, data) as client:
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
    )


@app.command("revoke", epilog=MEANINGS)
def revoke(
    serial: Annotated[str, typer.Argument(metavar="SERIAL_NUMBER")],
    *,
    url: Url = "",
    token: Token = "",
    domain: Domain = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Revoke a certificate."""
    with connect(os.environ, url, token, domain, data) as client:
        client.ask("POST", client.in_domain("cert", serial, "revoke"))
    done = {"serial_number": serial, "revoked": True}
    print_done(f"certificate {serial} is revoked", done, json=json)


def _write(directory: Path, made: dict[str, Any]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, key in (("cert.pem", "certificate"), ("key.pem", "key"), ("ca.pem", "ca_cert")):
            if made[key]:
                write_private(directory / name, made[key])
                note(f"wrote {directory / name}")
    except OSError as error:
        raise CommandFailed(
            f"{directory} cannot be written to: {error.strerror}",
            "issue another one into a directory that can; the key is shown once",
        ) from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"{file} cannot be read: {error}",
            "a request in PEM form is needed: openssl req -inform DER -in FILE makes it of DER",
        ) from error
