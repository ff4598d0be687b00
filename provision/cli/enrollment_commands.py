"""``provision bootstrap enrollments``: a config's profile, and what its slots are bound to."""

from __future__ import annotations

import typer

from provision.cli.bootstrap_access import (
    ConfigId,
    Document,
    DomainId,
    ProfileId,
    UserToken,
    connected,
    enrollment_path,
)
from provision.cli.client import Data, Url, read_json
from provision.cli.exits import MEANINGS
from provision.cli.output import Json, print_document, print_done

app = typer.Typer(
    name="enrollments",
    help="Profile and bindings.",
    no_args_is_help=True,
    epilog=MEANINGS,
    rich_markup_mode=None,
)


@app.command("assign-profile", epilog=MEANINGS)
def assign_profile(
    config_id: ConfigId,
    profile_id: ProfileId,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Give a config a profile."""
    with connected(url, token, domain, data) as client:
        path = enrollment_path(client, config_id, "profile")
        client.ask("PATCH", path, {"profile_id": profile_id})
    done = {"config_id": config_id, "profile_id": profile_id}
    print_done(f"config {config_id} has profile {profile_id}", done, json=json)


@app.command("bind", epilog=MEANINGS)
def bind(
    config_id: ConfigId,
    bindings: Document,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Bind resources to the slots of a config's profile."""
    document = read_json(bindings)
    body = {"bindings": document} if isinstance(document, list) else document
    with connected(url, token, domain, data) as client:
        client.ask("PUT", enrollment_path(client, config_id, "bindings"), body)
    done = {"config_id": config_id, "bound": True}
    print_done(f"config {config_id} is bound", done, json=json)


@app.command("get-bindings", epilog=MEANINGS)
def get_bindings(
    config_id: ConfigId,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Show a config's bindings."""
    with connected(url, token, domain, data) as client:
        print_document(client.ask("GET", enrollment_path(client, config_id, "bindings")), json=json)


@app.command("refresh-bindings", epilog=MEANINGS)
def refresh_bindings(
    config_id: ConfigId,
    domain: DomainId = "",
    token: UserToken = "",
    *,
    url: Url = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Read all bound resources again."""
    with connected(url, token, domain, data) as client:
        client.ask("POST", enrollment_path(client, config_id, "bindings", "refresh"))
    done = {"config_id": config_id, "refreshed": True}
    print_done(f"config {config_id}: its resources were read again", done, json=json)
