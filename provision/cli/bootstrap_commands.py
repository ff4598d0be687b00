"""``provision bootstrap``: the words and arguments of ``magistrala-cli bootstrap``.

Domain and token stand at the end, as there; left out, they are the operator's.
"""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from bootstrap_core.errors import EncryptKeyInvalid
from bootstrap_core.secret import Secret
from bootstrap_core.secure_transport import SecureTransport
from provision.cli import enrollment_commands, import_command, profile_commands
from provision.cli.bootstrap_access import (
    ConfigId,
    Document,
    DomainId,
    OneOrAll,
    UserToken,
    configs_path,
    connected,
    taken,
)
from provision.cli.client import Data, ServiceClient, ServiceRefused, Url, read_json
from provision.cli.exits import MEANINGS, CommandFailed
from provision.cli.output import Json, print_document, print_done

STATUSES: Final = {"enabled": True, "disabled": False, "0": True, "1": False}
STATES: Final = {"active": True, "inactive": False, "1": True, "0": False}

app = typer.Typer(
    name="bootstrap",
    help="Bootstrap configs, profiles, enrollments (magistrala-cli).",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)
update = typer.Typer(
    name="update",
    help="Change a config.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)
app.add_typer(update)
app.add_typer(profile_commands.app)
app.add_typer(enrollment_commands.app)
app.add_typer(import_command.app)


@app.command("create", epilog=MEANINGS)
def create(
    config: Document,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Create a bootstrap config."""
    with connected(url, token, domain, data) as client:
        print_document(client.ask("POST", configs_path(client), read_json(config)), json=json)


@app.command("get", epilog=MEANINGS)
def get(
    config: OneOrAll,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Show a config, or all of them, whatever their status."""
    with connected(url, token, domain, data) as client:
        if config == "all":
            found = list(client.pages(configs_path(client), "configs", {"status": "all"}))
            print_document({"total": len(found), "configs": found}, json=json)
        else:
            print_document(client.ask("GET", configs_path(client, config)), json=json)


@update.command("config", epilog=MEANINGS)
def update_config(
    config: Document,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Change a config; the JSON names it by "id"."""
    document = read_json(config)
    config_id = taken(document, "id", "client_id", "config_id")
    with connected(url, token, domain, data) as client:
        print_document(client.ask("PATCH", configs_path(client, config_id), document), json=json)


@update.command("certs", epilog=MEANINGS)
def update_certificates(
    config_id: ConfigId,
    client_cert: Annotated[str, typer.Argument(help="PEM.")],
    client_key: Annotated[str, typer.Argument(help="PEM.")],
    ca: Annotated[str, typer.Argument(help="PEM.")],
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Change the certificates of a config."""
    body = {"client_cert": client_cert, "client_key": client_key, "ca_cert": ca}
    with connected(url, token, domain, data) as client:
        print_document(
            client.ask("PATCH", configs_path(client, "certs", config_id), body), json=json
        )


@app.command("remove", epilog=MEANINGS)
def remove(
    config_id: ConfigId,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Remove a config."""
    with connected(url, token, domain, data) as client:
        client.ask("DELETE", configs_path(client, config_id))
    print_done(f"config {config_id} is removed", {"id": config_id, "removed": True}, json=json)


@app.command("whitelist", epilog=MEANINGS)
def whitelist(
    config: Document,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Enable or disable a config.

    The JSON has "id" and "status" ("enabled", "disabled"), or the older "state" (1, 0).
    """
    document = read_json(config)
    config_id = taken(document, "id", "client_id", "config_id")
    action = "enable" if _wanted_status(document) else "disable"
    with connected(url, token, domain, data) as client:
        print_document(client.ask("POST", configs_path(client, config_id, action)), json=json)


@app.command("bootstrap", epilog=MEANINGS)
def bootstrap(
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="[secure] EXTERNAL_ID EXTERNAL_KEY [CRYPTO_KEY]"),
    ],
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Fetch a configuration as the device does (secure: encrypted)."""
    # A token of no use keeps a device's fetch from signing the operator in.
    with connected(url, "none", "", data) as client:
        match arguments:
            case [external_id, external_key]:
                print_document(fetch(client, external_id, Secret(external_key)), json=json)
            case ["secure", external_id, external_key, crypto_key]:
                key, crypto = Secret(external_key), Secret(crypto_key)
                print_document(_fetch_secure(client, external_id, key, crypto), json=json)
            case _:
                raise typer.BadParameter(
                    "give EXTERNAL_ID EXTERNAL_KEY, or secure EXTERNAL_ID EXTERNAL_KEY CRYPTO_KEY"
                )


def fetch(client: ServiceClient, external_id: str, external_key: Secret) -> Any:  # noqa: ANN401
    """Return what a device with this ID and key is given. Raises as ``ask``."""
    path = f"/clients/bootstrap/{quote(external_id, safe='')}"
    answer = client.send("GET", path, {"Authorization": f"Client {external_key.reveal()}"})
    return client.document(answer)


def _fetch_secure(client: ServiceClient, external_id: str, key: Secret, crypto: Secret) -> Any:  # noqa: ANN401
    try:
        transport = SecureTransport(crypto)
    except EncryptKeyInvalid as error:
        raise CommandFailed(str(error), "use the service's MG_BOOTSTRAP_ENCRYPT_KEY") from error
    path = f"/clients/bootstrap/secure/{quote(external_id, safe='')}"
    shown = transport.encrypt(key.encode()).hex()
    answer = client.send("GET", path, {"Authorization": f"Client {shown}"})
    if answer.is_error:
        raise ServiceRefused(answer)
    plain = transport.decrypt_key(answer.content.hex().encode())
    return read_json((plain or b"").decode(errors="replace"))


def _wanted_status(document: Any) -> bool:  # noqa: ANN401 - whatever JSON was given
    for name, known in (("status", STATUSES), ("state", STATES)):
        if name in document:
            written = str(document[name]).lower()
            if written in known:
                return known[written]
            raise CommandFailed(f"{name}: one of {', '.join(known)} is needed, not {written!r}")
    raise CommandFailed(
        "the JSON says not what to do", 'add "status": "enabled" or "status": "disabled" to it'
    )
