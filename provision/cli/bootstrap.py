"""``provision bootstrap``: the words and arguments of ``magistrala-cli bootstrap``.

Domain and token stand at the end, as there; left out, they are the operator's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, Final

import httpx
import typer
from attrs import evolve

from bootstrap_core.credentials import external_key_fault
from bootstrap_core.model import segment
from bootstrap_core.secrets import Secret
from provision.cli import importing
from provision.cli.client import (
    Connection,
    Data,
    ServiceClient,
    ServiceRefused,
    Url,
    read_json,
    takes_connection,
)
from provision.cli.output import MEANINGS, CommandFailed, Json, print_document, print_done

Document = Annotated[str, typer.Argument(metavar="JSON", help="JSON, or @FILE that has it.")]
ConfigId = Annotated[str, typer.Argument(metavar="CONFIG_ID")]
ProfileId = Annotated[str, typer.Argument(metavar="PROFILE_ID")]
OneOrAll = Annotated[str, typer.Argument(metavar="ID|all")]
DomainId = Annotated[str, typer.Argument(metavar="DOMAIN_ID")]


def _token(given: str | None) -> str:
    return given or os.environ.get("PROVISION_TOKEN", "")


UserToken = Annotated[str, typer.Argument(metavar="USER_TOKEN", callback=_token)]

magistrala_cli: Final = takes_connection(
    {"domain": DomainId, "token": UserToken}, {"url": Url, "data": Data}
)
"""Adds domain and token as arguments, as ``magistrala-cli`` has them, ``--url`` and ``--data``."""


def configs_path(client: ServiceClient, *parts: str) -> str:
    """Return the path of the domain's configs, or of one of them."""
    return client.in_domain("clients", "configs", *parts)


def profiles_path(client: ServiceClient, *parts: str) -> str:
    """Return the path of the domain's profiles, or of one of them."""
    return client.in_domain("clients", "bootstrap", "profiles", *parts)


def enrollment_path(client: ServiceClient, *parts: str) -> str:
    """Return the path of what a config is enrolled with."""
    return client.in_domain("clients", "bootstrap", "enrollments", *parts)


def taken(document: Any, *names: str) -> str:  # noqa: ANN401 - whatever JSON was given
    """Take the ID out of ``document``, whichever of ``names`` it has. Raises ``CommandFailed``."""
    found: Sequence[str] = [
        name for name in names if isinstance(document, dict) and name in document
    ]
    if not found:
        raise CommandFailed("the JSON has no ID", f'add "{names[0]}" to it')
    values = [str(document.pop(name)) for name in found]
    return values[0]


enrollments_app = typer.Typer(
    name="enrollments",
    help="Profile and bindings.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


@enrollments_app.command("assign-profile", epilog=MEANINGS)
@magistrala_cli
def assign_profile(
    connection: Connection, config_id: ConfigId, profile_id: ProfileId, *, json: Json = False
) -> None:
    """Give a config a profile."""
    with connection.open() as client:
        path = enrollment_path(client, config_id, "profile")
        client.ask("PATCH", path, {"profile_id": profile_id})
    done = {"config_id": config_id, "profile_id": profile_id}
    print_done(f"config {config_id} has profile {profile_id}", done, json=json)


@enrollments_app.command("bind", epilog=MEANINGS)
@magistrala_cli
def bind(
    connection: Connection, config_id: ConfigId, bindings: Document, *, json: Json = False
) -> None:
    """Bind resources to the slots of a config's profile."""
    document = read_json(bindings)
    body = {"bindings": document} if isinstance(document, list) else document
    with connection.open() as client:
        client.ask("PUT", enrollment_path(client, config_id, "bindings"), body)
    done = {"config_id": config_id, "bound": True}
    print_done(f"config {config_id} is bound", done, json=json)


@enrollments_app.command("get-bindings", epilog=MEANINGS)
@magistrala_cli
def get_bindings(connection: Connection, config_id: ConfigId, *, json: Json = False) -> None:
    """Show a config's bindings."""
    with connection.open() as client:
        print_document(client.ask("GET", enrollment_path(client, config_id, "bindings")), json=json)


@enrollments_app.command("refresh-bindings", epilog=MEANINGS)
@magistrala_cli
def refresh_bindings(connection: Connection, config_id: ConfigId, *, json: Json = False) -> None:
    """Read all bound resources again."""
    with connection.open() as client:
        client.ask("POST", enrollment_path(client, config_id, "bindings", "refresh"))
    done = {"config_id": config_id, "refreshed": True}
    print_done(f"config {config_id}: its resources were read again", done, json=json)


profiles_app = typer.Typer(
    name="profiles",
    help="Profiles: templates.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


@profiles_app.command("create", epilog=MEANINGS)
@magistrala_cli
def create_profile(connection: Connection, profile: Document, *, json: Json = False) -> None:
    """Create a profile."""
    with connection.open() as client:
        print_document(client.ask("POST", profiles_path(client), read_json(profile)), json=json)


@profiles_app.command("get", epilog=MEANINGS)
@magistrala_cli
def get_profile(connection: Connection, profile: OneOrAll, *, json: Json = False) -> None:
    """Show a profile, or all of them."""
    with connection.open() as client:
        if profile == "all":
            found = list(client.pages(profiles_path(client), "profiles", {}))
            print_document({"total": len(found), "profiles": found}, json=json)
        else:
            print_document(client.ask("GET", profiles_path(client, profile)), json=json)


@profiles_app.command("update", epilog=MEANINGS)
@magistrala_cli
def update_profile(connection: Connection, profile: Document, *, json: Json = False) -> None:
    """Change a profile; the JSON names it by "id"."""
    document = read_json(profile)
    profile_id = taken(document, "id", "profile_id")
    with connection.open() as client:
        print_document(client.ask("PATCH", profiles_path(client, profile_id), document), json=json)


@profiles_app.command("remove", epilog=MEANINGS)
@magistrala_cli
def remove_profile(connection: Connection, profile_id: ProfileId, *, json: Json = False) -> None:
    """Remove a profile."""
    with connection.open() as client:
        client.ask("DELETE", profiles_path(client, profile_id))
    print_done(f"profile {profile_id} is removed", {"id": profile_id, "removed": True}, json=json)


STATUSES: Final = {"enabled": True, "disabled": False, "0": True, "1": False}
STATES: Final = {"active": True, "inactive": False, "1": True, "0": False}

SECURE: Final = "secure"
UNUSED: Final = "none"

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
app.add_typer(profiles_app)
app.add_typer(enrollments_app)
app.add_typer(importing.app)


@app.command("create", epilog=MEANINGS)
@magistrala_cli
def create(connection: Connection, config: Document, *, json: Json = False) -> None:
    """Create a bootstrap config."""
    with connection.open() as client:
        print_document(client.ask("POST", configs_path(client), read_json(config)), json=json)


@app.command("get", epilog=MEANINGS)
@magistrala_cli
def get(connection: Connection, config: OneOrAll, *, json: Json = False) -> None:
    """Show a config, or all of them, whatever their status."""
    with connection.open() as client:
        if config == "all":
            found = list(client.pages(configs_path(client), "configs", {"status": "all"}))
            print_document({"total": len(found), "configs": found}, json=json)
        else:
            print_document(client.ask("GET", configs_path(client, config)), json=json)


@update.command("config", epilog=MEANINGS)
@magistrala_cli
def update_config(connection: Connection, config: Document, *, json: Json = False) -> None:
    """Change a config; the JSON names it by "id"."""
    document = read_json(config)
    config_id = taken(document, "id", "client_id", "config_id")
    with connection.open() as client:
        print_document(client.ask("PATCH", configs_path(client, config_id), document), json=json)


@update.command("certs", epilog=MEANINGS)
@magistrala_cli
def update_certificates(
    connection: Connection,
    config_id: ConfigId,
    client_cert: Annotated[str, typer.Argument(help="PEM.")],
    client_key: Annotated[str, typer.Argument(help="PEM.")],
    ca: Annotated[str, typer.Argument(help="PEM.")],
    *,
    json: Json = False,
) -> None:
    """Change the certificates of a config."""
    body = {"client_cert": client_cert, "client_key": client_key, "ca_cert": ca}
    with connection.open() as client:
        print_document(
            client.ask("PATCH", configs_path(client, "certs", config_id), body), json=json
        )


@app.command("remove", epilog=MEANINGS)
@magistrala_cli
def remove(connection: Connection, config_id: ConfigId, *, json: Json = False) -> None:
    """Remove a config."""
    with connection.open() as client:
        client.ask("DELETE", configs_path(client, config_id))
    print_done(f"config {config_id} is removed", {"id": config_id, "removed": True}, json=json)


@app.command("whitelist", epilog=MEANINGS)
@magistrala_cli
def whitelist(connection: Connection, config: Document, *, json: Json = False) -> None:
    """Enable or disable a config.

    The JSON has "id" and "status" ("enabled", "disabled"), or the older "state" (1, 0).
    """
    document = read_json(config)
    config_id = taken(document, "id", "client_id", "config_id")
    action = "enable" if _wanted_status(document) else "disable"
    with connection.open() as client:
        print_document(client.ask("POST", configs_path(client, config_id, action)), json=json)


@app.command("bootstrap", epilog=MEANINGS)
@takes_connection({}, {"url": Url, "data": Data})
def bootstrap(
    connection: Connection,
    arguments: Annotated[
        list[str], typer.Argument(metavar="[secure] EXTERNAL_ID EXTERNAL_KEY [CRYPTO_KEY]")
    ],
    *,
    json: Json = False,
) -> None:
    """Fetch a configuration as the device does (secure: encrypted).

    This counts as the device's fetch. Use provision doctor to check without fetching.
    """
    # With a token, even one of no use, nobody signs in for a device's fetch.
    with evolve(connection, token=UNUSED).open() as client:
        match arguments:
            case [external_id, external_key] if SECURE not in arguments:
                print_document(fetch(client, external_id, Secret(external_key)), json=json)
            case ["secure", external_id, external_key, crypto_key] if SECURE not in arguments[1:]:
                key, crypto = Secret(external_key), Secret(crypto_key)
                print_document(_fetch_secure(client, external_id, key, crypto), json=json)
            case _:
                raise typer.BadParameter(
                    "give EXTERNAL_ID EXTERNAL_KEY, or secure EXTERNAL_ID EXTERNAL_KEY CRYPTO_KEY"
                )


def fetch(client: ServiceClient, external_id: str, external_key: Secret) -> Any:  # noqa: ANN401
    """Return what a device with this ID and key is given; it counts as the device's fetch.

    Raises as ``ask``, and ``CommandFailed``: no device can send this key.
    """
    return client.document(ask_as_device(client, "GET", external_id, external_key))


def ask_as_device(
    client: ServiceClient, method: str, external_id: str, key: Secret, domain: str = ""
) -> httpx.Response:
    """Return the answer that a device gets, where it names its domain if it does.

    Raises ``ServiceUnreachable``, and ``CommandFailed``: no device can send this key.
    """
    if fault := external_key_fault(key.reveal()):
        raise CommandFailed(f"the external key {fault}", "give the key that the device sends")
    before = f"/{segment(domain)}" if domain else ""
    path = f"{before}/clients/bootstrap/{segment(external_id)}"
    return client.send(method, path, {"Authorization": f"Client {key.reveal()}"})


def _fetch_secure(client: ServiceClient, external_id: str, key: Secret, crypto: Secret) -> Any:  # noqa: ANN401
    # Cryptography takes a while to import, and few commands need it.
    from bootstrap_core.delivery.secure_transport import SecureTransport
    from bootstrap_core.errors import EncryptKeyInvalid

    try:
        transport = SecureTransport(crypto)
    except EncryptKeyInvalid as error:
        raise CommandFailed(str(error), "use the service's MG_BOOTSTRAP_ENCRYPT_KEY") from error
    path = f"/clients/bootstrap/secure/{segment(external_id)}"
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
        "the JSON has neither status nor state",
        'add "status": "enabled" or "status": "disabled" to it',
    )
