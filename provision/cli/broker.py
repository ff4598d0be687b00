"""``provision broker``: what a broker needs to let devices in, onto their own channels alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from attrs import frozen

from provision.cli.client import Connection, ServiceClient, connected
from provision.cli.output import (
    MEANINGS,
    CommandFailed,
    Json,
    drift_text,
    note,
    print_json,
    progress,
)
from provision.store.private_files import write_whole

PLAIN: Final = re.compile(r"[A-Za-z0-9._-]+")
"""IDs that a topic can hold as one part of it, and a line of a file as one word."""
BOTH: Final = frozenset({"publish", "subscribe"})
WORDS: Final[Mapping[frozenset[str], str]] = {
    frozenset({"publish"}): "write",
    frozenset({"subscribe"}): "read",
    BOTH: "readwrite",
}
CUT_OFF: Final = ("deleted", "disabled")


@frozen
class Access:
    """What one client may do on one channel."""

    domain: str
    client: str
    channel: str
    types: frozenset[str]


@frozen
class GatewayAccess:
    """What the clients of one gateway may do."""

    external_id: str
    clients: Mapping[str, str]
    access: tuple[Access, ...]


def access_of(domain: str, gateway: Mapping[str, Any]) -> GatewayAccess:
    """Return the access of a gateway as the service shows it.

    Raises ``CommandFailed``: an ID can't be part of a topic.
    """
    pairs = [
        Access(
            _plain(domain, "domain"),
            _plain(pair["client_id"], "client"),
            _plain(pair["channel_id"], "channel"),
            frozenset(pair["types"]) & BOTH,
        )
        for pair in gateway.get("connections", ())
        if BOTH & set(pair["types"])
    ]
    clients = {client["id"]: client.get("name", "") for client in gateway.get("clients", ())}
    return GatewayAccess(gateway["external_id"], clients, tuple(pairs))


def blocking_drift(gateway: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what of a gateway that was looked at live is not on the platform as recorded."""
    return [
        difference
        for difference in gateway.get("drift", ())
        if (difference["kind"] in ("client", "channel") and difference["what"] in CUT_OFF)
        or difference["kind"] == "connection"
    ]


def mosquitto_acl(gateways: Iterable[GatewayAccess], *, older_topics: bool) -> str:
    """Return an ACL file of mosquitto: users are clients, by the common name of their certificate.

    Whoever is not in it may do nothing. ``older_topics`` adds ``channels/<channel>/messages``.
    """
    return "\n".join(_lines(gateways, older_topics=older_topics)) + "\n"


def _lines(gateways: Iterable[GatewayAccess], *, older_topics: bool) -> Iterator[str]:
    yield "# Written by provision broker mosquitto: changes made here are lost the next time."
    for gateway in sorted(gateways, key=lambda gateway: gateway.external_id):
        by_client: dict[str, list[Access]] = {}
        for access in gateway.access:
            by_client.setdefault(access.client, []).append(access)
        for client, allowed in sorted(by_client.items()):
            yield ""
            yield f"# {_comment(gateway, client)}"
            yield f"user {client}"
            for access in sorted(allowed, key=lambda one: one.channel):
                word = WORDS[access.types]
                yield f"topic {word} m/{access.domain}/c/{access.channel}/#"
                if older_topics:
                    yield f"topic {word} channels/{access.channel}/messages/#"


def _comment(gateway: GatewayAccess, client: str) -> str:
    """Return who it is, on one line whatever the names hold."""
    text = f"{gateway.clients.get(client, '')} of {gateway.external_id}"
    return "".join(character if character.isprintable() else "?" for character in text)


def _plain(text: str, what: str) -> str:
    if not PLAIN.fullmatch(text):
        raise CommandFailed(
            f"the {what} {text!r} can't be part of a topic",
            "an ID in a topic has letters, digits, dots, hyphens and underscores alone",
        )
    return text


NOT_FOUND: Final = 404
PRESENT: Final = ("done", "planned")
"""States of gateways whose devices are let in; one that is mended is planned meanwhile."""
SETTINGS: Final = """\
# Written by provision broker mosquitto: changes made here are lost the next time.
listener {port}
cafile {directory}/ca.pem
crlfile {directory}/crl.pem
certfile {directory}/cert.pem
keyfile {directory}/key.pem
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {directory}/acl
"""
FILES_OF_SERVER: Final = ("cert.pem", "key.pem")

app = typer.Typer(
    name="broker",
    help="Write the files that the MQTT broker reads.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


@app.callback()
def broker() -> None:
    """Write the files that the MQTT broker reads."""


@app.command("mosquitto", epilog=MEANINGS)
@connected
def mosquitto(
    connection: Connection,
    *,
    directory: Annotated[
        Path, typer.Option("--out", help="Directory for the files.", file_okay=False)
    ] = Path("mosquitto"),
    port: Annotated[
        int, typer.Option(help="Port on which the broker listens.", min=1, max=65535)
    ] = 8883,
    also_domain: Annotated[
        list[str] | None, typer.Option("--also-domain", help="Another domain; may be repeated.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the platform too; leave out gateways that differ there."),
    ] = False,
    older_topics: Annotated[
        bool,
        typer.Option("--older-topics", help="Allow channels/CHANNEL/messages as well."),
    ] = False,
    json: Json = False,
) -> None:
    """Write mosquitto's ACL file, chain, CRL and settings.

    The files are made from the gateways of a domain. Run the command again after you onboard or
    remove gateways, and at least once a day: the CRL is valid for a week.
    """
    with connection.open() as client:
        gateways, left_out = _gateways(client, [client.domain, *(also_domain or ())], live=live)
        files = {"acl": mosquitto_acl(gateways, older_topics=older_topics), **_authority(client)}
    files["mosquitto.conf"] = SETTINGS.format(port=port, directory=directory.absolute())
    changed = [name for name, text in files.items() if _put(directory / name, text)]
    if json:
        print_json({"gateways": len(gateways), "left_out": left_out, "changed": changed})
    for external_id, why in left_out.items():
        note(f"gateway {external_id} is left out: {why}")
    note(f"{len(gateways)} gateways; changed in {directory}: {', '.join(changed) or 'nothing'}")
    _advise(directory, changed)


def _gateways(
    client: ServiceClient, domains: list[str], *, live: bool
) -> tuple[list[GatewayAccess], dict[str, str]]:
    found: list[GatewayAccess] = []
    left_out: dict[str, str] = {}
    for domain in dict.fromkeys(domains):
        inside = client.inside(domain)
        with progress() as bar:
            task = bar.add_task(f"Gateways of {domain}", total=None)
            for gateway in _shown(inside, live=live):
                bar.advance(task)
                if why := "; ".join(map(drift_text, blocking_drift(gateway))):
                    left_out[gateway["external_id"]] = why
                else:
                    found.append(access_of(domain, gateway))
    return found, left_out


def _shown(client: ServiceClient, *, live: bool) -> Iterator[Mapping[str, Any]]:
    """Yield the gateways that are there or being made, each as the service shows it."""
    for line in client.pages(client.in_domain("gateways"), "gateways", {}):
        if line["state"] not in PRESENT:
            continue
        path = client.in_domain("mapping", line["external_id"])
        shown = client.find(path, {"live": "true"} if live else {})
        # It was removed in this moment.
        if shown is not None:
            yield shown


def _authority(client: ServiceClient) -> Mapping[str, str]:
    """Return the files of the authority; none where Magistrala's certs service signs."""
    chain = client.send("GET", "/certs/view-ca", {})
    if chain.status_code == NOT_FOUND:
        note(
            "the certificates are signed by Magistrala's certs service: put its chain into ca.pem "
            "and its CRL into crl.pem"
        )
        return {}
    lists = client.send("GET", "/certs/crl.pem", {})
    if lists.is_error:
        client.document(lists)
    return {"ca.pem": client.document(chain)["certificate"], "crl.pem": lists.text}


def _put(file: Path, text: str) -> bool:
    """Write a file whole or not at all; return whether it has changed.

    The broker's user must be able to read it, and nothing in it is secret.
    """
    try:
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it holds something else"
        raise CommandFailed(
            f"{file} cannot be written: {words}", "name another directory with --out"
        ) from error
    return True


def _advise(directory: Path, changed: list[str]) -> None:
    missing = [name for name in FILES_OF_SERVER if not (directory / name).exists()]
    if missing:
        note(
            f"next: provision cert server NAME --out {directory}, which writes the broker's own "
            f"{' and '.join(missing)}"
        )
    elif changed:
        note("next: have mosquitto read them: systemctl reload mosquitto, or signal HUP")
