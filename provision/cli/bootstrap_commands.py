"""``provision bootstrap``: the words and arguments of ``magistrala-cli bootstrap``.

Domain and token stand at the end, as there; left out, they are the operator's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from bootstrap_core.errors import EncryptKeyInvalid
from bootstrap_core.secret import Secret
from bootstrap_core.secure_transport import SecureTransport
from provision.cli import import_command
from provision.cli.client import ServiceClient, ServiceRefused, Url, connect, read_json
from provision.cli.exits import MEANINGS, CommandFailed
from provision.cli.output import print_json

STATUSES: Final = {"enabled": True, "disabled": False, "0": True, "1": False}
STATES: Final = {"active": True, "inactive": False, "1": True, "0": False}

Document = Annotated[str, typer.Argument(metavar="JSON", help="JSON, or @FILE that has it.")]
ConfigId = Annotated[str, typer.Argument(metavar="CONFIG_ID")]
ProfileId = Annotated[str, typer.Argument(metavar="PROFILE_ID")]
OneOrAll = Annotated[str, typer.Argument(metavar="ID|all")]
DomainId = Annotated[str, typer.Argument(metavar="[DOMAIN_ID]")]
UserToken = Annotated[str, typer.Argument(metavar="[USER_TOKEN]")]

app = typer.Typer(
    name="bootstrap",
    help="Bootstrap configs, profiles and enrollments, as magistrala-cli has them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
update = typer.Typer(name="update", help="Change a config.", no_args_is_help=True)
profiles = typer.Typer(name="profiles", help="Profiles: templates.", no_args_is_help=True)
enrollments = typer.Typer(name="enrollments", help="Profile and bindings.", no_args_is_help=True)
app.add_typer(update)
app.add_typer(profiles)
app.add_typer(enrollments)
app.add_typer(import_command.app)


@app.command("create", epilog=MEANINGS)
def create(config: Document, domain: DomainId = "", token: UserToken = "", url: Url = "") -> None:
    """Create a bootstrap config."""
    with _connected(url, token, domain) as client:
        print_json(client.ask("POST", _configs(client), read_json(config)))


@app.command("get", epilog=MEANINGS)
def get(config: OneOrAll, domain: DomainId = "", token: UserToken = "", url: Url = "") -> None:
    """Show a config, or all of them, whatever their status."""
    with _connected(url, token, domain) as client:
        if config == "all":
            found = list(client.pages(_configs(client), "configs", {"status": "all"}))
            print_json({"total": len(found), "configs": found})
        else:
            print_json(client.ask("GET", _configs(client, config)))


@update.command("config", epilog=MEANINGS)
def update_config(
    config: Document, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Change a config; the JSON names it by "id"."""
    document = read_json(config)
    config_id = _taken(document, "id", "client_id", "config_id")
    with _connected(url, token, domain) as client:
        print_json(client.ask("PATCH", _configs(client, config_id), document))


@update.command("certs", epilog=MEANINGS)
def update_certificates(
    config_id: ConfigId,
    client_cert: Annotated[str, typer.Argument(help="PEM.")],
    client_key: Annotated[str, typer.Argument(help="PEM.")],
    ca: Annotated[str, typer.Argument(help="PEM.")],
    domain: DomainId = "",
    token: UserToken = "",
    url: Url = "",
) -> None:
    """Change the certificates of a config."""
    body = {"client_cert": client_cert, "client_key": client_key, "ca_cert": ca}
    with _connected(url, token, domain) as client:
        print_json(client.ask("PATCH", _configs(client, "certs", config_id), body))


@app.command("remove", epilog=MEANINGS)
def remove(
    config_id: ConfigId, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Remove a config."""
    with _connected(url, token, domain) as client:
        client.ask("DELETE", _configs(client, config_id))


@app.command("whitelist", epilog=MEANINGS)
def whitelist(
    config: Document, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Enable or disable a config: JSON of "id" and "status" (or the older "state")."""
    document = read_json(config)
    config_id = _taken(document, "id", "client_id", "config_id")
    action = "enable" if _wanted_status(document) else "disable"
    with _connected(url, token, domain) as client:
        print_json(client.ask("POST", _configs(client, config_id, action)))


@app.command("bootstrap", epilog=MEANINGS)
def bootstrap(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXTERNAL_ID EXTERNAL_KEY | secure EXTERNAL_ID EXTERNAL_KEY CRYPTO_KEY"
        ),
    ],
    *,
    url: Url = "",
) -> None:
    """Fetch a configuration as the device does; `secure` goes encrypted."""
    with _connected(url, "", "", needs_caller=False) as client:
        match arguments:
            case [external_id, external_key]:
                print_json(fetch(client, external_id, Secret(external_key)))
            case ["secure", external_id, external_key, crypto_key]:
                key, crypto = Secret(external_key), Secret(crypto_key)
                print_json(_fetch_secure(client, external_id, key, crypto))
            case _:
                raise typer.BadParameter(
                    "give EXTERNAL_ID EXTERNAL_KEY, or secure EXTERNAL_ID EXTERNAL_KEY CRYPTO_KEY"
                )


@profiles.command("create", epilog=MEANINGS)
def create_profile(
    profile: Document, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Create a profile."""
    with _connected(url, token, domain) as client:
        print_json(client.ask("POST", _profiles(client), read_json(profile)))


@profiles.command("get", epilog=MEANINGS)
def get_profile(
    profile: OneOrAll, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Show a profile, or all of them."""
    with _connected(url, token, domain) as client:
        if profile == "all":
            found = list(client.pages(_profiles(client), "profiles", {}))
            print_json({"total": len(found), "profiles": found})
        else:
            print_json(client.ask("GET", _profiles(client, profile)))


@profiles.command("update", epilog=MEANINGS)
def update_profile(
    profile: Document, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Change a profile; the JSON names it by "id"."""
    document = read_json(profile)
    profile_id = _taken(document, "id", "profile_id")
    with _connected(url, token, domain) as client:
        print_json(client.ask("PATCH", _profiles(client, profile_id), document))


@profiles.command("remove", epilog=MEANINGS)
def remove_profile(
    profile_id: ProfileId, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Remove a profile."""
    with _connected(url, token, domain) as client:
        client.ask("DELETE", _profiles(client, profile_id))


@enrollments.command("assign-profile", epilog=MEANINGS)
def assign_profile(
    config_id: ConfigId,
    profile_id: ProfileId,
    domain: DomainId = "",
    token: UserToken = "",
    url: Url = "",
) -> None:
    """Give a config a profile."""
    with _connected(url, token, domain) as client:
        client.ask("PATCH", _enrollment(client, config_id, "profile"), {"profile_id": profile_id})


@enrollments.command("bind", epilog=MEANINGS)
def bind(
    config_id: ConfigId,
    bindings: Document,
    domain: DomainId = "",
    token: UserToken = "",
    url: Url = "",
) -> None:
    """Bind resources to the slots of a config's profile."""
    document = read_json(bindings)
    body = {"bindings": document} if isinstance(document, list) else document
    with _connected(url, token, domain) as client:
        client.ask("PUT", _enrollment(client, config_id, "bindings"), body)


@enrollments.command("get-bindings", epilog=MEANINGS)
def get_bindings(
    config_id: ConfigId, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Show a config's bindings."""
    with _connected(url, token, domain) as client:
        print_json(client.ask("GET", _enrollment(client, config_id, "bindings")))


@enrollments.command("refresh-bindings", epilog=MEANINGS)
def refresh_bindings(
    config_id: ConfigId, domain: DomainId = "", token: UserToken = "", url: Url = ""
) -> None:
    """Read all bound resources again."""
    with _connected(url, token, domain) as client:
        client.ask("POST", _enrollment(client, config_id, "bindings", "refresh"))


def fetch(client: ServiceClient, external_id: str, external_key: Secret) -> Any:  # noqa: ANN401
    """Return what a device with this ID and key is given. Raises ``ServiceRefused``."""
    path = f"/clients/bootstrap/{quote(external_id, safe='')}"
    answer = client.send("GET", path, {"Authorization": f"Client {external_key.reveal()}"})
    if answer.is_error:
        raise ServiceRefused(answer)
    return answer.json()


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


@contextmanager
def _connected(
    url: str, token: str, domain: str, *, needs_caller: bool = True
) -> Iterator[ServiceClient]:
    # A token of no use keeps a device's fetch from signing the operator in.
    token = token or ("" if needs_caller else "none")
    with connect(os.environ, url, token or os.environ.get("PROVISION_TOKEN", ""), domain, "") as it:
        yield it


def _configs(client: ServiceClient, *parts: str) -> str:
    return client.in_domain("clients", "configs", *parts)


def _profiles(client: ServiceClient, *parts: str) -> str:
    return client.in_domain("clients", "bootstrap", "profiles", *parts)


def _enrollment(client: ServiceClient, *parts: str) -> str:
    return client.in_domain("clients", "bootstrap", "enrollments", *parts)


def _taken(document: Any, *names: str) -> str:  # noqa: ANN401 - whatever JSON was given
    """Take the ID out of ``document``, whichever of ``names`` it has."""
    found: Sequence[str] = [
        name for name in names if isinstance(document, dict) and name in document
    ]
    if not found:
        raise CommandFailed(f'the JSON names nothing: add "{names[0]}"')
    taken = [str(document.pop(name)) for name in found]
    return taken[0]


def _wanted_status(document: Any) -> bool:  # noqa: ANN401 - whatever JSON was given
    for name, known in (("status", STATUSES), ("state", STATES)):
        if name in document:
            written = str(document[name]).lower()
            if written in known:
                return known[written]
            raise CommandFailed(f"{name}: one of {', '.join(known)} is needed, not {written!r}")
    raise CommandFailed('the JSON says not what to do: add "status": "enabled" or "disabled"')
